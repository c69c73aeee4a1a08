//! Follows what comes, and says how the connection is.

use std::sync::Arc;

use rossby_client::{Client, Event as Followed, Typing};
use rossby_schemas::time::{Clock as _, SystemClock};
use tokio::sync::{Notify, mpsc};

use super::hands::Answers;
use crate::person::chat::state::event::{Connection, Event, Lost};

/// How many events wait to be told.
const EVENTS: usize = 64;

/// Follows what comes until nobody listens any more, or until waiting cures nothing. `reached` hears when the server can be reached
/// again.
pub(super) async fn follow(client: Arc<Client>, answers: Answers, reached: Arc<Notify>) {
    let (events, mut coming) = mpsc::channel(EVENTS);
    let telling = async {
        while let Some(event) = coming.recv().await {
            tell(event, &answers, &reached);
        }
    };
    let (followed, ()) = tokio::join!(client.follow(events), telling);
    if let Err(error) = followed {
        answers.say(Event::Connection(Connection::Ended(error.to_string())));
        answers.say(Event::Changed);
    }
}

fn tell(event: Followed, answers: &Answers, reached: &Notify) {
    match event {
        Followed::Connected(way) => {
            reached.notify_one();
            answers.say(Event::Connection(Connection::Connected(way)));
        }
        Followed::Disconnected { reason } => {
            let lost = Lost { reason, since: SystemClock.now(), next_try: None };
            answers.say(Event::Connection(Connection::Lost(lost)));
        }
        Followed::Waiting { reason, pause } => {
            return answers.say(Event::Waiting { reason, until: SystemClock.now().plus(pause) });
        }
        Followed::Typing(Typing { conversation, box_id, is_typing, .. }) => {
            return answers.say(Event::Typing { conversation, who: box_id, is_typing });
        }
        Followed::Received(_) | Followed::Changed(_) => {}
    }
    answers.say(Event::Changed);
}

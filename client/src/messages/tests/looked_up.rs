//! Senders of whom a message brings too little, so that the server is asked for the rest.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::response::Json;
use axum::routing::{get, post};
use rossby_crypto::message::SignedContent;
use rossby_schemas::http::messages::{ConfirmRequest, ConfirmResponse, FetchResponse, FetchedMessage, PositionToken};
use rossby_schemas::http::problem::ProblemType;
use rossby_schemas::ids::Head;

use super::{Receiver, Sender, Taken, Writer, at, fetched, refused_with};
use crate::contacts::tests::Server;
use crate::messages::receive::Lookups;

/// A message that brings nothing of its sender's record.
fn silent(sender: &Sender, to: &Receiver, sequence: u64, head: Head) -> SignedContent {
    let previous = (sequence > 1).then(|| [7; 32].into());
    let mut content = sender.signed(to, sequence, previous, "hello").content().clone();
    (content.sender_head, content.statements) = (head, Vec::new());
    content.sign(&sender.key).unwrap()
}

#[tokio::test]
async fn who_names_a_record_that_nobody_has_is_looked_up_a_few_times() {
    let (server, url) = Server::with(Router::new()).await;
    let mut to = Receiver::at_server(&url).await;
    let mallory = Sender::new();
    server.knows(mallory.record.box_id(), &mallory.record);
    let ahead = Head { version: 9, hash: [9; 32].into() };
    for sequence in 1..=10 {
        let mail = fetched(&to, &silent(&mallory, &to, sequence, ahead), at(3));
        let taken = to.take(&mail).await;
        assert!(!refused_with(&taken).is_empty());
    }
    assert_eq!(server.asked().len(), 4);
    // What can be verified with the record that is known is taken all the same.
    let mail = fetched(&to, &silent(&mallory, &to, 11, mallory.record.head()), at(3));
    assert_eq!(to.take(&mail).await, Taken::New);
    // The next call begins anew.
    to.session.lookups = Lookups::default();
    let mail = fetched(&to, &silent(&mallory, &to, 12, ahead), at(3));
    to.take(&mail).await;
    assert_eq!(server.asked().len(), 1);
}

/// A server's queue.
fn queue(waiting: &Arc<Mutex<Vec<FetchedMessage>>>) -> Router {
    let (fetches, confirms) = (Arc::clone(waiting), Arc::clone(waiting));
    let fetch = async move || {
        let messages = fetches.lock().unwrap().iter().take(50).cloned().collect();
        Json(FetchResponse { messages, more: fetches.lock().unwrap().len() > 50, position_seen: None, lost: None })
    };
    let confirm = async move |Json(request): Json<ConfirmRequest>| {
        let mut waiting = confirms.lock().unwrap();
        let before = waiting.len();
        waiting.retain(|message| !request.handles.contains(&message.handle));
        Json(ConfirmResponse { confirmed: before - waiting.len(), position: PositionToken("0".to_owned()) })
    };
    Router::new().route("/v1/messages", get(fetch)).route("/v1/messages/confirm", post(confirm))
}

#[tokio::test]
async fn who_can_t_be_looked_up_just_now_keeps_no_other_message_back() {
    let waiting = Arc::<Mutex<Vec<FetchedMessage>>>::default();
    let (server, url) = Server::with(queue(&waiting)).await;
    let mut to = Receiver::at_server(&url).await;
    let (eve, mut ben) = (Sender::new(), Writer::new(Sender::new()));
    server.knows(eve.record.box_id(), &eve.record);
    let from_eve = (1..=10).map(|sequence| fetched(&to, &silent(&eve, &to, sequence, eve.record.head()), at(3)));
    waiting.lock().unwrap().extend(from_eve);
    waiting.lock().unwrap().push(ben.writes(&to, 1, b"hello").1);
    *server.refuses.lock().unwrap() = Some(ProblemType::RateLimited);
    let received = to.client.receive_as(&mut to.session, Duration::ZERO).await.unwrap();
    assert_eq!((received.new, received.confirmed, received.more), (1, 1, false));
    assert_eq!(waiting.lock().unwrap().len(), 10, "what could not be verified is not confirmed");
    // They are verified once the server says who wrote them; nothing is lost.
    *server.refuses.lock().unwrap() = None;
    to.session.lookups = Lookups::default();
    let received = to.client.receive_as(&mut to.session, Duration::ZERO).await.unwrap();
    assert_eq!((received.new, received.refused), (10, 0));
    assert_eq!(waiting.lock().unwrap().len(), 0);
}

#[tokio::test]
async fn a_queue_of_what_can_t_be_verified_is_not_fetched_again_and_again() {
    let waiting = Arc::<Mutex<Vec<FetchedMessage>>>::default();
    let (server, url) = Server::with(queue(&waiting)).await;
    let mut to = Receiver::at_server(&url).await;
    *server.refuses.lock().unwrap() = Some(ProblemType::RateLimited);
    let strangers = (0..60).map(|_| Sender::new());
    let mail: Vec<_> = strangers.map(|eve| fetched(&to, &silent(&eve, &to, 1, eve.record.head()), at(3))).collect();
    waiting.lock().unwrap().extend(mail);
    let received = to.client.receive_as(&mut to.session, Duration::ZERO).await.unwrap();
    assert_eq!((received.new, received.more), (0, false));
    assert_eq!(server.asked().len(), 1, "a server that has enough is not asked on");
}

//! What was written while this device's clock was ahead.

use std::sync::Arc;
use std::time::Duration;

use rossby_crypto::message::MessageValue;
use rossby_schemas::encoding::Octets;
use rossby_schemas::http::problem::ProblemType;
use rossby_schemas::time::{Clock as _, Timestamp};

use super::outbox::{Server, accepted, known, shown, write};
use super::{Receiver, at};
use crate::{Conversation, MessageState};

const HOUR: Duration = Duration::from_secs(3600);
/// For how long a server keeps a message.
const LONGEST: Duration = Duration::from_secs(30 * 24 * 3600);

fn expiry(value: &Octets) -> Timestamp {
    MessageValue::parse(value).unwrap().expires_at
}

#[tokio::test]
async fn it_goes_out_with_another_expiry_once_the_clock_is_right() {
    let (server, url) = Server::start().await;
    let ann = Receiver::at_server(&url).await;
    let ben = known(&ann, 1).await;
    ann.clock.set(at(0).plus(48 * HOUR));
    let message = write(&ann, Conversation::Direct(ben), &[ben], "hello").await;
    server.decide(|sent| {
        assert!(sent.iter().all(|message| expiry(&message.value) <= at(0).plus(LONGEST)));
        Ok(sent.iter().map(|_| accepted()).collect())
    });
    ann.clock.set(at(0));
    assert!(ann.client.flush().await.unwrap().is_empty());
    assert_eq!(shown(&ann, message).await.0, MessageState::Sent);
}

#[tokio::test]
async fn an_answer_that_sets_the_clock_right_lets_it_out() {
    let (server, url) = Server::start().await;
    let ann = Receiver::at_server(&url).await;
    let (ben, eve) = (known(&ann, 1).await, known(&ann, 1).await);
    ann.clock.set(at(0).plus(48 * HOUR));
    let messages = [
        write(&ann, Conversation::Direct(ben), &[ben], "one").await,
        write(&ann, Conversation::Direct(eve), &[eve], "two").await,
    ];
    let clock = Arc::clone(&ann.clock);
    server.decide(move |sent| {
        clock.set(at(0));
        if sent.iter().any(|message| expiry(&message.value) > clock.now().plus(LONGEST)) {
            return Err(ProblemType::InvalidRequest);
        }
        Ok(sent.iter().map(|_| accepted()).collect())
    });
    assert!(ann.client.flush().await.unwrap().is_empty());
    assert_eq!(server.requests().len(), 2, "both at once, again");
    for message in messages {
        assert_eq!(shown(&ann, message).await.0, MessageState::Sent);
    }
}

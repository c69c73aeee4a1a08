//! Recipients, and devices of theirs, for whom there is no key.

use rossby_crypto::message::MessageValue;
use rossby_crypto::sealing::SealingSecretKey;
use rossby_crypto::statements::{SEALING_KEY_LIFETIME, SealingKeyStated, state_sealing_key};
use rossby_schemas::http::messages::SendOutcome;
use rossby_schemas::http::problem::ProblemType;
use rossby_schemas::ids::BoxId;

use super::outbox::{Server, accepted, shown, write};
use super::{Receiver, Sender, at};
use crate::random::rng;
use crate::store::records;
use crate::{Conversation, MessageState, Warning};

#[tokio::test]
async fn a_device_that_can_t_be_sealed_to_is_told_of_once_the_server_has_no_key_of_it_either() {
    let (server, url) = Server::start().await;
    let ann = Receiver::at_server(&url).await;
    let ben = Sender::new();
    let tin = ben.linked();
    let (record, box_id) = (tin.record.clone(), tin.record.box_id());
    let stated = |of: &Sender| {
        let (created, expires, head) = (at(0), at(0).plus(SEALING_KEY_LIFETIME), record.head());
        let key = SealingSecretKey::generate(&mut rng()).public_key();
        let stated = SealingKeyStated { box_id, device_id: of.device_id, counter: 1, key, created, expires, head };
        state_sealing_key(&of.key, stated).octets().clone()
    };
    let mut transaction = ann.client.store.begin().await.unwrap();
    assert!(records::keep_record(&mut transaction, &record).await.unwrap());
    let known = record.verify_sealing(&stated(&ben), None).unwrap();
    records::keep_sealing_statement(&mut transaction, &known).await.unwrap();
    transaction.commit().await.unwrap();

    // The server has none: the person is told once it has the message.
    server.decide(|_| Err(ProblemType::Internal));
    let message = write(&ann, Conversation::Direct(box_id), &[box_id], "one").await;
    ann.client.flush().await.unwrap();
    assert_eq!(ann.warned().await, [], "it may have a key of it");
    server.decide(|sent| Ok(sent.iter().map(|_| accepted()).collect()));
    ann.client.flush().await.unwrap();
    assert_eq!(shown(&ann, message).await.0, MessageState::Sent);
    let told = ann.warned().await;
    assert!(matches!(&told[..], [Warning::LeftOut { device_id, .. }] if *device_id == tin.device_id), "{told:?}");

    // It brings the key: nobody is left out.
    let (brought, head) = (stated(&tin), record.head());
    server.decide(move |sent| {
        let wraps = MessageValue::parse(&sent[0].value).unwrap().wraps.len();
        let sealing_statements = vec![brought.clone()];
        let stale = SendOutcome::Stale { head, statements: Vec::new(), sealing_statements };
        Ok(vec![if wraps == 1 { stale } else { accepted() }])
    });
    let message = write(&ann, Conversation::Direct(box_id), &[box_id], "two").await;
    ann.client.flush().await.unwrap();
    assert_eq!(shown(&ann, message).await.0, MessageState::Sent);
    assert_eq!(ann.warned().await, []);
}

#[tokio::test]
async fn what_has_no_key_yet_does_not_wait_for_someone_who_takes_nothing() {
    let (server, url) = Server::start().await;
    let ann = Receiver::at_server(&url).await;
    // A device that was linked later has of somebody's conversation what the others tell it, and no key of theirs.
    let ben = Sender::new();
    let box_id = ben.record.box_id();
    let mut transaction = ann.client.store.begin().await.unwrap();
    assert!(records::keep_record(&mut transaction, &ben.record).await.unwrap());
    transaction.commit().await.unwrap();
    let message = write(&ann, Conversation::Direct(box_id), &[box_id], "hello").await;
    assert!(ann.client.store.outgoing(message, box_id).await.unwrap().unwrap().sealed.is_none());

    // The server says of one who has blocked the own box what it says of nobody.
    assert!(ann.client.flush().await.unwrap().is_empty());
    let (state, recipients) = shown(&ann, message).await;
    assert_eq!((state, recipients[0].state), (MessageState::Failed, MessageState::Failed));
    assert!(ann.client.store.outgoing(message, box_id).await.unwrap().is_none(), "it comes once they unblock");
    assert!(matches!(&ann.warned().await[..], [Warning::NotSent { recipient, .. }] if *recipient == box_id));
    assert_eq!(server.requests(), Vec::<Vec<BoxId>>::new());
}

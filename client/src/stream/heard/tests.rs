//! Signals by people who may not be heard, or that are not what they say to be.

use rossby_crypto::message::MessageContent;
use rossby_crypto::statements::{Remover, remove};
use rossby_schemas::encoding::Octets;
use rossby_schemas::ids::BoxId;
use serde_json::json;
use uuid::Uuid;

use super::*;
use crate::messages::tests::{Receiver, Sender, Writer, at, fetched};
use crate::{Peer, Standing};

/// What a device signals to the receiver, changed as a test says.
fn signal(to: &Receiver, by: &Sender, change: impl FnOnce(&mut MessageContent)) -> ReceivedSignal {
    let mut content = by.signed(to, 1, None, "").content().clone();
    content.kind = 2000;
    content.time = at(0);
    content.statements = Vec::new();
    content.body = typing(content.conversation, true);
    change(&mut content);
    let message = fetched(to, &content.sign(&by.key).unwrap(), at(0));
    ReceivedSignal {
        outer_id: message.outer_id,
        sent_at: message.accepted_at,
        recipient_head: message.recipient_head,
        content: message.content,
        sealing_counter: message.sealing_counter,
        enc: message.enc,
        wrapped_key: message.wrapped_key,
    }
}

fn typing(conversation: Uuid, is_typing: bool) -> Octets {
    json!({ "conversation": conversation, "typing": is_typing, "later": 1 }).to_string().into_bytes().into()
}

/// Ann, and Ben, whom she knows and has accepted.
async fn ann_and_ben() -> (Receiver, Sender) {
    let mut ann = Receiver::new().await;
    let mut ben = Writer::new(Sender::new());
    let (_, hello) = ben.writes(&ann, 1, b"hello");
    ann.take(&hello).await;
    ann.client.accept_peer(&Peer::Box(ben.box_id())).await.unwrap();
    (ann, ben.sender)
}

async fn hear(heard: &mut Heard, ann: &Receiver, signal: &ReceivedSignal) -> Option<bool> {
    let told = heard.hear(&ann.client, &ann.session.own, signal).await.unwrap();
    told.map(|typing| typing.is_typing)
}

/// Whether the test's signal is heard if nothing else was.
async fn is_heard(ann: &Receiver, signal: &ReceivedSignal) -> bool {
    hear(&mut Heard::default(), ann, signal).await.is_some()
}

#[tokio::test]
async fn an_accepted_person_is_heard_to_begin_and_to_stop_and_a_replay_is_not() {
    let (ann, ben) = ann_and_ben().await;
    let mut heard = Heard::default();
    let begins = signal(&ann, &ben, |_| {});
    let told = heard.hear(&ann.client, &ann.session.own, &begins).await.unwrap().unwrap();
    let box_id = ben.record.box_id();
    assert_eq!((told.conversation, told.box_id, told.is_typing), (Conversation::Direct(box_id), box_id, true));
    assert_eq!(told.identifier, None);
    // Again, later: they still write, which is nothing new. The same once more is a replay.
    assert_eq!(hear(&mut heard, &ann, &signal(&ann, &ben, |content| content.time = at(3))).await, None);
    assert_eq!(hear(&mut heard, &ann, &begins).await, None);
    let stops = signal(&ann, &ben, |content| {
        content.time = at(4);
        content.body = typing(content.conversation, false);
    });
    assert_eq!(hear(&mut heard, &ann, &stops).await, Some(false));
    // What the server kept back, and gives when it likes, is older than what was heard.
    assert_eq!(hear(&mut heard, &ann, &begins).await, None);
    assert_eq!(hear(&mut heard, &ann, &signal(&ann, &ben, |content| content.time = at(5))).await, Some(true));
    // Nothing of it is in the store, and nobody is warned.
    assert_eq!(ann.texts().await, ["hello"]);
    assert_eq!(ann.warned().await, []);
}

#[tokio::test]
async fn who_falls_silent_is_taken_to_have_stopped() {
    let mut heard = Heard::default();
    let (now, box_id) = (Instant::now(), BoxId::from_bytes([1; 16]));
    let of = (Conversation::Direct(box_id), box_id);
    let in_seconds = |seconds| now + Duration::from_secs(seconds);
    assert!(heard.note(of, None, true, now).is_some_and(|typing| typing.is_typing));
    assert_eq!(heard.note(of, None, true, in_seconds(4)), None);
    assert_eq!((heard.expire_at(), heard.expire(in_seconds(10))), (Some(in_seconds(11)), Vec::new()));
    let stopped = heard.expire(in_seconds(11));
    assert!(stopped.len() == 1 && !stopped[0].is_typing);
    assert_eq!((heard.expire_at(), heard.expire(in_seconds(20))), (None, Vec::new()));
    assert_eq!(heard.note(of, None, false, in_seconds(20)), None, "they had stopped already");
}

#[tokio::test]
async fn who_was_not_accepted_is_not_heard() {
    let (mut ann, ben) = ann_and_ben().await;
    let mut eve = Writer::new(Sender::new());
    // A stranger nobody knows; one who has written; one who was accepted, and blocked.
    assert!(!is_heard(&ann, &signal(&ann, &eve.sender, |_| {})).await);
    let (_, message) = eve.writes(&ann, 1, b"do you know me?");
    ann.take(&message).await;
    assert!(!is_heard(&ann, &signal(&ann, &eve.sender, |_| {})).await);
    let good = signal(&ann, &ben, |_| {});
    assert!(is_heard(&ann, &good).await);
    let device = ann.client.device().await.unwrap();
    let mut transaction = ann.client.store.begin().await.unwrap();
    ann.client.stand(&mut transaction, &device, ben.record.box_id(), Standing::Blocked).await.unwrap();
    transaction.commit().await.unwrap();
    assert!(!is_heard(&ann, &good).await);
    // The own other devices are no one else.
    let own = Writer::own(&ann).sender;
    assert!(!is_heard(&ann, &signal(&ann, &own, |_| {})).await);
}

#[tokio::test]
async fn what_is_not_the_senders_or_not_new_or_not_for_here_is_not_heard() {
    let (ann, ben) = ann_and_ben().await;
    let eve = Sender::new();
    let other = Uuid::from_u128(7);
    type Change = Box<dyn Fn(&mut MessageContent)>;
    let spoilt: [(&str, Change); 10] = [
        ("too old", Box::new(|content| content.time = at(0).minus(Duration::from_secs(131)))),
        ("too new", Box::new(|content| content.time = at(131))),
        ("another kind", Box::new(|content| content.kind = 2001)),
        ("a message", Box::new(|content| content.kind = 1)),
        ("another conversation", Box::new(move |content| content.conversation = other)),
        ("about another", Box::new(move |content| content.body = typing(other, true))),
        ("no JSON", Box::new(|content| content.body = b"typing".as_slice().into())),
        ("nothing said", Box::new(|content| content.body = b"{}".as_slice().into())),
        ("for another box", Box::new(|content| content.recipient = BoxId::from_bytes([9; 16]))),
        ("a device that is not known", Box::new(|content| content.sender_device = DeviceId::from_bytes([9; 16]))),
    ];
    for (what, change) in spoilt {
        assert!(!is_heard(&ann, &signal(&ann, &ben, change)).await, "{what}");
    }
    // Another's signature under Ben's name.
    let name = ben.record.clone();
    let forged = signal(&ann, &eve, |content| {
        (content.sender, content.sender_device, content.sender_head) = (name.box_id(), ben.device_id, name.head());
        content.conversation = ben.signed(&ann, 1, None, "").content().conversation;
        content.body = typing(content.conversation, true);
    });
    assert!(!is_heard(&ann, &forged).await);
    // What the server changed, anywhere, and what it seals again under another id.
    let good = signal(&ann, &ben, |_| {});
    assert!(is_heard(&ann, &good).await);
    for field in 0..3 {
        let mut changed = good.clone();
        let part = [&mut changed.content, &mut changed.enc, &mut changed.wrapped_key].into_iter().nth(field).unwrap();
        let mut octets = part.as_slice().to_vec();
        *octets.last_mut().unwrap() ^= 1;
        *part = octets.into();
        assert!(!is_heard(&ann, &changed).await, "{field}");
    }
    let moved = ReceivedSignal { outer_id: rossby_schemas::ids::OuterId::from_bytes([1; 16]), ..good.clone() };
    assert!(!is_heard(&ann, &moved).await);
    // A removed device: by the record that Ann has.
    let mut record = ben.record.clone();
    let (box_id, head) = (record.box_id(), record.head());
    let removal = remove(&ben.key, Remover::Device(ben.device_id), box_id, head, ben.device_id, at(1));
    record.append(removal.octets()).unwrap();
    let mut connection = ann.client.store.read().await.unwrap();
    assert!(records::keep_record(&mut connection, &record).await.unwrap());
    drop(connection);
    assert!(!is_heard(&ann, &good).await);
}

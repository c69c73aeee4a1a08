//! Messages by people who may not say what they say, or say it as nobody can.

use rossby_schemas::ids::{BoxId, MessageId};
use serde_json::json;

use super::{Receiver, Sender, Writer, at, refused_with};
use crate::content::{Content, Deletion, Edit, Kind, MessageRef, Reaction, Receipt, ReceiptState};
use crate::messages::receive::Taken;
use crate::messages::send::Written;
use crate::{ClientError, Conversation, Message, MessageName, Warning};

/// A text that the receiver has sent to a box, and its id.
async fn sent(by: &Receiver, to: BoxId, text: &str) -> MessageId {
    let device = by.client.device().await.unwrap();
    let (conversation, kind) = (Conversation::Direct(to), Kind::Text.number());
    let written =
        Written { conversation, kind, body: text.as_bytes().into(), is_shown: true, frame: None, beside: None };
    let mut transaction = by.client.store.begin().await.unwrap();
    let (_, id) = by.client.compose(&mut transaction, &device, &[to], written).await.unwrap();
    transaction.commit().await.unwrap();
    id
}

async fn transcript(of: &Receiver, with: BoxId) -> Vec<Message> {
    of.client.transcript(Conversation::Direct(with), 100, None).await.unwrap()
}

#[tokio::test]
async fn malformed_bodies_of_every_kind_are_refused_and_leave_nothing() {
    let (mut ann, mut ben) = (Receiver::new().await, Writer::new(Sender::new()));
    let mut own = Writer::own(&ann);
    let id = MessageId::from_bytes([1; 16]);
    let reference = json!({ "box_id": ben.box_id(), "message_id": id });
    let long = "x".repeat(70_000);
    let theirs = [
        (2, json!({ "to": reference, "text": long })),
        (3, json!({ "message_id": id, "text": long })),
        (3, json!({ "message_id": id })),
        (4, json!({ "message_id": 7 })),
        (5, json!({ "to": reference, "emoji": "x".repeat(65) })),
        (7, json!({ "latitude": 91, "longitude": 0 })),
        (8, json!({ "state": "read", "message_ids": vec![id; 201] })),
        (8, json!({ "state": "eaten", "message_ids": [id] })),
    ];
    for (kind, body) in theirs.into_iter().chain((2..9).filter(|kind| *kind != 6).map(|kind| (kind, json!("nothing"))))
    {
        let (_, message) = ben.writes(&ann, kind, body.to_string().as_bytes());
        let taken = ann.take(&message).await;
        assert!(refused_with(&taken).contains(&format!("kind {kind} is malformed")), "{kind}: {taken:?}");
    }
    let (_, message) = ben.writes(&ann, 1, &[0xff, 0xfe]);
    assert!(refused_with(&ann.take(&message).await).contains("not UTF-8"));
    for kind in 1000..1005 {
        let (_, message) = own.writes(&ann, kind, b"nothing");
        let taken = ann.take(&message).await;
        assert!(refused_with(&taken).contains("is malformed"), "{kind}: {taken:?}");
    }
    // A copy of what is never copied, and of what is malformed.
    let copy = |kind: u32, body: &str| {
        let body = rossby_schemas::encoding::Octets::from(body.as_bytes());
        json!({ "peer": ben.box_id(), "message_id": id, "time": at(1), "accepted_at": null, "kind": kind, "body": body })
    };
    let receipt = json!({ "state": "read", "message_ids": [id] }).to_string();
    for (kind, body) in [(8, receipt.as_str()), (1001, "{}"), (2, "nothing")] {
        let (_, message) = own.writes(&ann, 1000, copy(kind, body).to_string().as_bytes());
        refused_with(&ann.take(&message).await);
    }
    assert!(ann.client.latest(10).await.unwrap().is_empty() && ann.client.unread(10).await.unwrap().is_empty());
    // The rest of what they write is taken; what was refused is missing, as was told.
    let (_, message) = ben.writes(&ann, 1, b"at last");
    assert_eq!(ann.take(&message).await, Taken::New);
    assert_eq!(ann.texts().await, ["at last"]);
    assert!(ann.warned().await.iter().any(|warning| matches!(warning, Warning::Gap { .. })));
}

#[tokio::test]
async fn own_kinds_and_signals_of_others_are_refused() {
    let (mut ann, mut ben) = (Receiver::new().await, Writer::new(Sender::new()));
    let marks = json!({ "messages": [{ "box_id": ben.box_id(), "message_id": MessageId::from_bytes([1; 16]) }] });
    let states = json!({ "peers": [{ "box_id": ben.box_id(), "standing": "accepted", "changed_at": at(9) }] });
    for (kind, body) in [(1000, json!({})), (1003, marks), (1004, states), (1999, json!({}))] {
        let (_, message) = ben.writes(&ann, kind, body.to_string().as_bytes());
        assert!(refused_with(&ann.take(&message).await).contains("own devices"), "{kind}");
    }
    assert_eq!(ann.client.standing(ben.box_id()).await.unwrap(), crate::Standing::Stranger);
    let mut own = Writer::own(&ann);
    for writer in [&mut ben, &mut own] {
        for kind in [2000, u32::MAX] {
            let (_, message) = writer.writes(&ann, kind, b"{}");
            assert!(refused_with(&ann.take(&message).await).contains("never kept"), "{kind}");
        }
    }
}

#[tokio::test]
async fn nobody_changes_what_others_wrote() {
    let (mut ann, mut ben) = (Receiver::new().await, Writer::new(Sender::new()));
    let anns = sent(&ann, ben.box_id(), "by Ann").await;
    let (bens, message) = ben.writes(&ann, 1, b"by Ben");
    assert_eq!(ann.take(&message).await, Taken::New);
    let sender = ben.box_id();
    for (content, kind) in [
        (Content::Edit(Edit { message_id: anns, text: "forged".to_owned() }), 3),
        (Content::Deletion(Deletion { message_id: anns }), 4),
    ] {
        let (_, message) = ben.says(&ann, &content);
        assert_eq!(ann.take(&message).await, Taken::New, "its place in the chain is kept");
        assert_eq!(ann.warned().await, [Warning::NotTheirs { sender, kind }]);
    }
    // Of what never was, nothing is told.
    let unknown = MessageId::from_bytes([9; 16]);
    let to = MessageRef { box_id: sender, message_id: unknown };
    for content in [
        Content::Edit(Edit { message_id: unknown, text: "of nothing".to_owned() }),
        Content::Deletion(Deletion { message_id: unknown }),
        Content::Reaction(Reaction { to, emoji: "👍".to_owned(), removed: false }),
        Content::Receipt(Receipt { state: ReceiptState::Read, message_ids: vec![unknown], group: None }),
    ] {
        let (_, message) = ben.says(&ann, &content);
        assert_eq!(ann.take(&message).await, Taken::New);
    }
    assert_eq!(ann.warned().await, []);
    let shown = transcript(&ann, sender).await;
    let texts: Vec<_> = shown.iter().map(|message| (message.message_id, message.text.as_deref())).collect();
    assert_eq!(texts.len(), 2);
    assert!(texts.contains(&(anns, Some("by Ann"))) && texts.contains(&(bens, Some("by Ben"))), "{texts:?}");
    assert!(shown.iter().all(|message| message.edited_at.is_none() && message.reactions.is_empty()));

    // The message that takes an id of Ann's is no other's, and what Ben says of his own is of his own.
    let (_, message) = ben.says(&ann, &Content::Deletion(Deletion { message_id: bens }));
    assert_eq!(ann.take(&message).await, Taken::New);
    let shown = transcript(&ann, sender).await;
    let deleted: Vec<_> = shown.iter().filter(|message| message.is_deleted).map(|message| message.message_id).collect();
    assert_eq!(deleted, [bens]);
}

#[tokio::test]
async fn nobody_keeps_a_person_from_their_own_message_by_its_id() {
    let (mut ann, mut ben, mut eve) = (Receiver::new().await, Writer::new(Sender::new()), Writer::new(Sender::new()));
    let id = sent(&ann, ben.box_id(), "I take this back").await;
    // Ben has got it. He and a stranger use its id for messages of their own.
    for writer in [&mut ben, &mut eve] {
        let message = writer.writes_as(&ann, id, 1, b"mine", at(3));
        assert_eq!(ann.take(&message).await, Taken::New);
    }
    let name = MessageName::from(id);
    let (with_ben, with_eve) = (Conversation::Direct(ben.box_id()), Conversation::Direct(eve.box_id()));
    assert_eq!(ann.client.find(&name).await.unwrap().text.unwrap(), "I take this back");
    assert_eq!(ann.client.find_in(with_ben, &name).await.unwrap().text.unwrap(), "I take this back");
    assert_eq!(ann.client.find_in(with_eve, &name).await.unwrap().text.unwrap(), "mine");
    let short: MessageName = id.to_string()[..8].parse().unwrap();
    assert!(matches!(ann.client.find(&short).await, Err(ClientError::AmbiguousMessage(_))));
    // By the beginning of its id, too.
    ann.client.edit(&short, "or this").await.unwrap();
    assert_eq!(ann.client.find(&name).await.unwrap().text.unwrap(), "or this");
    ann.client.delete(&name).await.unwrap();
    assert!(ann.client.find(&name).await.unwrap().is_deleted);
    assert!(matches!(ann.client.delete(&name).await, Err(ClientError::Deleted(_))));
}

#[tokio::test]
async fn a_change_that_comes_before_anothers_message_is_told_when_that_comes() {
    let (mut ann, mut ben) = (Receiver::new().await, Writer::new(Sender::new()));
    let mut own = Writer::own(&ann);
    let id = MessageId::from_bytes([5; 16]);
    let (_, message) = ben.says(&ann, &Content::Edit(Edit { message_id: id, text: "forged".to_owned() }));
    assert_eq!(ann.take(&message).await, Taken::New);
    assert_eq!(ann.warned().await, []);
    // What Ann's other device sent comes later.
    let body = rossby_schemas::encoding::Octets::from(b"by Ann".as_slice());
    let copy = json!({
        "peer": ben.box_id(), "message_id": id, "time": at(1), "accepted_at": at(2), "kind": 1, "body": body
    });
    let (_, message) = own.writes(&ann, 1000, copy.to_string().as_bytes());
    assert_eq!(ann.take(&message).await, Taken::New);
    assert_eq!(ann.warned().await, [Warning::NotTheirs { sender: ben.box_id(), kind: 3 }]);
    assert_eq!(transcript(&ann, ben.box_id()).await[0].text.as_deref(), Some("by Ann"));
}

#[tokio::test]
async fn receipts_count_from_those_to_whom_a_message_was_sent() {
    let ann = &mut Receiver::new().await;
    let (mut ben, mut eve, mut own) = (Writer::new(Sender::new()), Writer::new(Sender::new()), Writer::own(ann));
    let to_ben = sent(ann, ben.box_id(), "to Ben").await;
    let receipt = |state, message_ids: Vec<MessageId>| Content::Receipt(Receipt { state, message_ids, group: None });
    let (_, message) = eve.says(ann, &receipt(ReceiptState::Read, vec![to_ben]));
    assert_eq!(ann.take(&message).await, Taken::New);
    let marks = |shown: &[Message]| {
        let recipient = &shown[0].recipients[0];
        (recipient.delivered_at.is_some(), recipient.read_at.is_some())
    };
    assert_eq!(marks(&transcript(ann, ben.box_id()).await), (false, false), "Eve was never sent it");
    for (state, expected) in [(ReceiptState::Delivered, (true, false)), (ReceiptState::Read, (true, true))] {
        let (_, message) = ben.says(ann, &receipt(state, vec![to_ben]));
        assert_eq!(ann.take(&message).await, Taken::New);
        assert_eq!(marks(&transcript(ann, ben.box_id()).await), expected);
    }
    // For what another of the own devices sent, a receipt may come first.
    let early = MessageId::from_bytes([5; 16]);
    let (_, message) = ben.says(ann, &receipt(ReceiptState::Read, vec![early]));
    assert_eq!(ann.take(&message).await, Taken::New);
    let body = rossby_schemas::encoding::Octets::from(b"by Ann".as_slice());
    let copy = json!({
        "peer": ben.box_id(), "message_id": early, "time": at(0), "accepted_at": at(0), "kind": 1, "body": body
    });
    let (_, message) = own.writes(ann, 1000, copy.to_string().as_bytes());
    assert_eq!(ann.take(&message).await, Taken::New);
    let shown = transcript(ann, ben.box_id()).await;
    let copied = shown.iter().find(|message| message.message_id == early).unwrap();
    assert!(copied.recipients[0].read_at.is_some(), "{copied:?}");
    // None of them is a message, or unread.
    assert!(ann.client.unread(10).await.unwrap().is_empty());
    assert_eq!(ann.warned().await, []);
}

#[tokio::test]
async fn floods_of_any_kind_are_bounded_in_what_they_show_and_keep() {
    let (mut ann, mut ben) = (Receiver::new().await, Writer::new(Sender::new()));
    let anns = sent(&ann, ben.box_id(), "by Ann").await;
    let (bens, message) = ben.writes(&ann, 1, b"first");
    assert_eq!(ann.take(&message).await, Taken::New);
    let to = MessageRef { box_id: ann.session.own.device.box_id, message_id: anns };
    for n in 0..60_u32 {
        let emoji = char::from_u32(0x1f600 + n).unwrap().to_string();
        let unknown =
            (0..20_u32).map(|m| MessageId::from_bytes([(n * 20 + m).to_be_bytes(); 4].concat().try_into().unwrap()));
        for content in [
            Content::Reaction(Reaction { to, emoji, removed: false }),
            Content::Edit(Edit { message_id: bens, text: format!("edit {n}") }),
            Content::Receipt(Receipt { state: ReceiptState::Read, message_ids: unknown.collect(), group: None }),
        ] {
            let (_, message) = ben.says(&ann, &content);
            assert_eq!(ann.take(&message).await, Taken::New);
        }
    }
    let shown = transcript(&ann, ben.box_id()).await;
    let of = |id| shown.iter().find(|message| message.message_id == id).unwrap();
    assert_eq!(of(anns).reactions.len(), 10, "the latest ten of one author");
    assert!(of(bens).text.as_ref().unwrap().starts_with("edit "));
    let mut connection = ann.client.store.read().await.unwrap();
    let early: i64 =
        sqlx::query_scalar("select count(*) from early_receipts").fetch_one(&mut *connection).await.unwrap();
    assert_eq!(early, 400, "receipts for what never was don't fill the store");
    drop(connection);
    assert_eq!(ann.client.conversations().await.unwrap()[0].unread, 1, "only a message is unread");
}

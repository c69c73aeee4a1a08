//! Strangers, receipts, and what the own devices agree on.

use rossby_schemas::encoding::Octets;
use rossby_schemas::ids::{BoxId, MessageId};
use serde_json::json;

use super::{Receiver, Sender, Writer, at};
use crate::content::{Content, Edit, MessageRef, Reaction, Receipt, ReceiptState};
use crate::messages::receive::Taken;
use crate::store::receipts;
use crate::{Conversation, Peer, ReceiptSettings, Standing};

/// The receipts that are to be sent: to whom, of what, and for how many messages.
async fn owed(by: &Receiver) -> Vec<(BoxId, ReceiptState, usize)> {
    let (mut transaction, mut all) = (by.client.store.begin().await.unwrap(), Vec::new());
    while let Some((box_id, state, _, ids)) = receipts::owed(&mut transaction, 1000).await.unwrap() {
        all.push((box_id, state, ids.len()));
        receipts::owed_no_more(&mut transaction, box_id, &ids).await.unwrap();
    }
    transaction.rollback().await.unwrap();
    all
}

/// The numbers of the receipts that were written.
async fn written(by: &Receiver) -> usize {
    let mut connection = by.client.store.read().await.unwrap();
    let count: i64 = sqlx::query_scalar("select count(*) from messages where kind = 8 and sender = ?")
        .bind(by.session.own.device.box_id.as_bytes().as_slice())
        .fetch_one(&mut *connection)
        .await
        .unwrap();
    usize::try_from(count).unwrap()
}

#[tokio::test]
async fn strangers_ask_and_hear_nothing_until_they_are_accepted() {
    let (mut ann, mut ben) = (Receiver::new().await, Writer::new(Sender::new()));
    let peer = Peer::Box(ben.box_id());
    for text in ["one", "two"] {
        let (_, message) = ben.writes(&ann, 1, text.as_bytes());
        assert_eq!(ann.take(&message).await, Taken::New);
    }
    let unread = ann.client.unread(1).await.unwrap();
    assert!(unread[0].is_request);
    ann.client.mark_read(&unread).await.unwrap();
    let conversations = ann.client.conversations().await.unwrap();
    assert!(conversations[0].is_request());
    assert_eq!(owed(&ann).await, [], "a stranger doesn't hear whether it came, or was read");

    assert_eq!(ann.client.accept_peer(&peer).await.unwrap(), ben.box_id());
    assert!(!ann.client.conversations().await.unwrap()[0].is_request());
    let box_id = ben.box_id();
    assert_eq!(owed(&ann).await, [(box_id, ReceiptState::Delivered, 1), (box_id, ReceiptState::Read, 1)]);
    // All in one message of each state; receipts and what is about messages are not receipted.
    let (id, message) = ben.writes(&ann, 1, b"three");
    assert_eq!(ann.take(&message).await, Taken::New);
    let to = MessageRef { box_id, message_id: id };
    for content in [
        Content::Reaction(Reaction { to, emoji: "👍".to_owned(), removed: false }),
        Content::Receipt(Receipt { state: ReceiptState::Read, message_ids: vec![id], group: None }),
    ] {
        let (_, message) = ben.says(&ann, &content);
        assert_eq!(ann.take(&message).await, Taken::New);
    }
    let (_, message) = ben.writes(&ann, 77, b"from the future");
    assert_eq!(ann.take(&message).await, Taken::New);
    assert_eq!(owed(&ann).await, [(box_id, ReceiptState::Delivered, 2), (box_id, ReceiptState::Read, 1)]);
    let device = ann.client.device().await.unwrap();
    ann.client.write_receipts(&device).await.unwrap();
    assert_eq!((owed(&ann).await, written(&ann).await), (Vec::new(), 2));
    // Who has read it, has it: one receipt says both.
    let unread = ann.client.unread(100).await.unwrap();
    ann.client.mark_read(&unread).await.unwrap();
    assert_eq!(owed(&ann).await, [(box_id, ReceiptState::Read, 2)]);
}

#[tokio::test]
async fn receipts_are_sent_as_the_person_wants() {
    let (mut ann, mut ben) = (Receiver::new().await, Writer::new(Sender::new()));
    let box_id = ben.box_id();
    let set = async |ann: &Receiver, delivery, read| {
        ann.client.set_receipts(ReceiptSettings { delivery, read, typing: true }).await.unwrap();
    };
    let (_, message) = ben.writes(&ann, 1, b"one");
    assert_eq!(ann.take(&message).await, Taken::New);
    set(&ann, false, true).await;
    ann.client.accept_peer(&Peer::Box(box_id)).await.unwrap();
    let (_, message) = ben.writes(&ann, 1, b"two");
    assert_eq!(ann.take(&message).await, Taken::New);
    let device = ann.client.device().await.unwrap();
    ann.client.write_receipts(&device).await.unwrap();
    assert_eq!((owed(&ann).await, written(&ann).await), (Vec::new(), 0), "none of delivery");
    ann.client.mark_read(&ann.client.unread(10).await.unwrap()).await.unwrap();
    assert_eq!(owed(&ann).await, [(box_id, ReceiptState::Read, 2)]);
    // What was owed before the person changed their mind is not sent.
    set(&ann, true, false).await;
    ann.client.write_receipts(&device).await.unwrap();
    assert_eq!((owed(&ann).await, written(&ann).await), (Vec::new(), 0));
    let (_, message) = ben.writes(&ann, 1, b"three");
    assert_eq!(ann.take(&message).await, Taken::New);
    ann.client.mark_read(&ann.client.unread(10).await.unwrap()).await.unwrap();
    assert_eq!(owed(&ann).await, [(box_id, ReceiptState::Delivered, 1)]);
}

#[tokio::test]
async fn what_was_declined_is_erased_and_what_comes_later_asks_anew() {
    let (mut ann, mut ben) = (Receiver::new().await, Writer::new(Sender::new()));
    let peer = Peer::Box(ben.box_id());
    let (one, message) = ben.writes_at(&ann, 1, b"one", at(0));
    assert_eq!(ann.take(&message).await, Taken::New);
    let to = MessageRef { box_id: ben.box_id(), message_id: one };
    let reaction = Content::Reaction(Reaction { to, emoji: "👍".to_owned(), removed: false });
    let (_, message) = ben.writes_at(&ann, 5, reaction.encode().unwrap().as_slice(), at(0));
    assert_eq!(ann.take(&message).await, Taken::New);
    ann.client.decline_request(&peer).await.unwrap();
    assert!(ann.client.unread(10).await.unwrap().is_empty() && ann.client.conversations().await.unwrap().is_empty());
    for id in 1..=2 {
        let stored = ann.client.store.message(&ann.client.vault, id).await.unwrap();
        assert!(stored.body.as_slice().is_empty());
    }
    // What the server had before comes late, and is as the others.
    let (_, message) = ben.writes_at(&ann, 1, b"late", at(0));
    assert_eq!(ann.take(&message).await, Taken::New);
    assert!(ann.client.unread(10).await.unwrap().is_empty());
    let (_, message) = ben.writes_at(&ann, 1, b"again", at(60));
    assert_eq!(ann.take(&message).await, Taken::New);
    assert_eq!(ann.texts().await, ["again"]);
    assert!(ann.client.unread(10).await.unwrap()[0].is_request);
    ann.client.accept_peer(&peer).await.unwrap();
    assert_eq!(ann.client.decline_request(&peer).await.unwrap_err().name(), "no-request");
    assert_eq!(ann.texts().await, ["again"]);
}

#[tokio::test]
async fn the_own_devices_agree_and_the_latest_counts() {
    let ann = &mut Receiver::new().await;
    let (mut ben, mut own) = (Writer::new(Sender::new()), Writer::own(ann));
    let box_id = ben.box_id();
    let (_, message) = ben.writes(ann, 1, b"one");
    assert_eq!(ann.take(&message).await, Taken::New);
    let said = |standing: &str, seconds| json!({ "peers": [{ "box_id": box_id, "standing": standing, "changed_at": at(seconds) }] });
    for (states, expected) in [
        (said("accepted", 10), Standing::Accepted),
        (said("blocked", 20), Standing::Blocked),
        // It was said before, and comes later.
        (said("accepted", 15), Standing::Blocked),
        (said("accepted", 20), Standing::Blocked),
        (said("stranger", 30), Standing::Stranger),
    ] {
        let (_, message) = own.writes(ann, 1004, states.to_string().as_bytes());
        assert_eq!(ann.take(&message).await, Taken::New);
        assert_eq!(ann.client.standing(box_id).await.unwrap(), expected, "{states}");
    }
    // What this device says now is later, whatever its clock.
    ann.client.accept_peer(&Peer::Box(box_id)).await.unwrap();
    assert_eq!(ann.client.standing(box_id).await.unwrap(), Standing::Accepted);
    let receipts = json!({ "receipts": { "delivery": false, "read": true, "changed_at": at(5) } });
    let (_, message) = own.writes(ann, 1004, receipts.to_string().as_bytes());
    assert_eq!(ann.take(&message).await, Taken::New);
    let expected = ReceiptSettings { delivery: false, read: true, typing: true };
    assert_eq!(ann.client.receipt_settings().await.unwrap(), expected);

    // What another device has read is read here, also if it comes later; and only that of the same author.
    let (two, later) = ben.writes(ann, 1, b"two");
    let (three, third) = ben.writes(ann, 1, b"three");
    let mark = |box_id: BoxId, message_id: MessageId| json!({ "box_id": box_id, "message_id": message_id });
    let eve = BoxId::from_bytes([7; 16]);
    let marks = json!({ "messages": [mark(box_id, two), mark(eve, three)] });
    let (_, message) = own.writes(ann, 1003, marks.to_string().as_bytes());
    for message in [message, later, third] {
        assert_eq!(ann.take(&message).await, Taken::New);
    }
    assert_eq!(ann.texts().await, ["one", "three"]);

    // What the own devices told each other is in the store no more.
    let mut connection = ann.client.store.read().await.unwrap();
    let ids: Vec<i64> =
        sqlx::query_scalar("select id from messages where kind >= 1000").fetch_all(&mut *connection).await.unwrap();
    drop(connection);
    assert_eq!(ids.len(), 7);
    for id in ids {
        let stored = ann.client.store.message(&ann.client.vault, id).await.unwrap();
        assert_eq!(stored.body, Octets::default());
    }
}

#[tokio::test]
async fn what_comes_again_is_taken_once_whatever_it_says() {
    let (mut ann, mut ben) = (Receiver::new().await, Writer::new(Sender::new()));
    let mut id = MessageId::from_bytes([0; 16]);
    for n in 0..3 {
        let to = MessageRef { box_id: ben.box_id(), message_id: id };
        let (written, message) = ben.says(
            &ann,
            &match n {
                0 => Content::Text("one".to_owned()),
                1 => Content::Reaction(Reaction { to, emoji: "👍".to_owned(), removed: false }),
                _ => Content::Edit(Edit { message_id: id, text: "two".to_owned() }),
            },
        );
        id = if n == 0 { written } else { id };
        assert_eq!(ann.take(&message).await, Taken::New);
        // The same event, and the same message under another outer id.
        assert_eq!(ann.take(&message).await, Taken::Duplicate);
        let again = ben.repeats(&ann);
        assert_eq!(ann.take(&again).await, Taken::Duplicate);
    }
    let shown = ann.client.transcript(Conversation::Direct(ben.box_id()), 10, None).await.unwrap();
    assert_eq!((shown.len(), shown[0].text.as_deref(), shown[0].reactions[0].authors.len()), (1, Some("two"), 1));
    assert_eq!(ann.client.unread(10).await.unwrap().len(), 1);
}

//! What messages say of each other: the same is shown whatever the order in which they come.

use std::collections::BTreeMap;

use proptest::prelude::*;
use rossby_schemas::encoding::Sha256Digest;
use rossby_schemas::ids::{BoxId, DeviceId, MessageId};
use uuid::Uuid;

use super::{Receiver, at};
use crate::content::{Content, Deletion, Edit, Location, MessageRef, Reaction, Receipt, ReceiptState, Reply};
use crate::store::messages::{State, StoredMessage};
use crate::store::outbox::RecipientRow;
use crate::{Conversation, Message, Warning};

/// Who writes: the person under test, and three others.
const WRITERS: u8 = 4;

fn box_of(writer: u8, own: BoxId) -> BoxId {
    if writer == 0 { own } else { BoxId::from_bytes([writer; 16]) }
}

fn message_id(number: u8) -> MessageId {
    MessageId::from_bytes([number; 16])
}

/// A message of a story: who wrote it, when, and what.
#[derive(Debug, Clone)]
struct Told {
    number: u8,
    writer: u8,
    seconds: u64,
    what: What,
}

/// What a message says; others are named by their place in the story, counted on from its beginning.
#[derive(Debug, Clone, Copy)]
enum What {
    Text,
    Place,
    Reply(usize),
    Edit(usize),
    Deletion(usize),
    Reaction(usize, u8, bool),
    Receipt(usize, bool),
}

fn what() -> impl Strategy<Value = What> {
    prop_oneof![
        4 => Just(What::Text),
        1 => Just(What::Place),
        2 => (0..24_usize).prop_map(What::Reply),
        4 => (0..24_usize).prop_map(What::Edit),
        1 => (0..24_usize).prop_map(What::Deletion),
        3 => (0..24_usize, 0..3_u8, any::<bool>()).prop_map(|(to, emoji, removed)| What::Reaction(to, emoji, removed)),
        3 => (0..24_usize, any::<bool>()).prop_map(|(to, is_read)| What::Receipt(to, is_read)),
    ]
}

/// A story. Times are few, so that some are the same.
fn story() -> impl Strategy<Value = Vec<Told>> {
    proptest::collection::vec((0..WRITERS, 0..6_u64, what()), 1..24).prop_map(|told| {
        told.into_iter()
            .zip(1..)
            .map(|((writer, seconds, what), number)| Told { number, writer, seconds, what })
            .collect()
    })
}

fn target(story: &[Told], place: usize) -> &Told {
    &story[place % story.len()]
}

/// The story's message as it stands in a store.
fn stored(own: BoxId, story: &[Told], told: &Told, group: Uuid) -> (StoredMessage, Vec<RecipientRow>) {
    let of = |place: usize| {
        let target = target(story, place);
        MessageRef { box_id: box_of(target.writer, own), message_id: message_id(target.number) }
    };
    let text = format!("text {}", told.number);
    let content = match told.what {
        What::Text => Content::Text(text),
        What::Place => Content::Location(Location { latitude: 1.0, longitude: 2.0, accuracy_m: None, label: None }),
        What::Reply(to) => Content::Reply(Reply { to: of(to), text }),
        What::Edit(to) => Content::Edit(Edit { message_id: of(to).message_id, text }),
        What::Deletion(to) => Content::Deletion(Deletion { message_id: of(to).message_id }),
        What::Reaction(to, emoji, removed) => {
            Content::Reaction(Reaction { to: of(to), emoji: format!("{emoji}"), removed })
        }
        What::Receipt(to, is_read) => Content::Receipt(Receipt {
            state: if is_read { ReceiptState::Read } else { ReceiptState::Delivered },
            message_ids: vec![of(to).message_id],
            group: None,
        }),
    };
    let (kind, is_own) = (content.kind(), told.writer == 0);
    let stored = StoredMessage {
        id: 0,
        thread: Conversation::Group(group),
        conversation: group,
        sender: box_of(told.writer, own),
        sender_device: DeviceId::from_bytes([1; 16]),
        sequence: u64::from(told.number),
        previous: None,
        link_hash: Sha256Digest::from([told.number; 32]),
        message_id: message_id(told.number),
        time: at(told.seconds),
        accepted_at: Some(at(told.seconds + 3)),
        kind: kind.number(),
        body: content.encode().unwrap(),
        state: if is_own { State::Sent } else { State::Read },
        is_shown: kind.is_shown(),
    };
    // To two of the three.
    let rows = [1, 2].map(|writer| RecipientRow::new(box_of(writer, own), State::Sent, Some(at(told.seconds + 3))));
    (stored, if is_own { rows.to_vec() } else { Vec::new() })
}

/// Files a story in an order. Gives what is shown, and what was warned of.
async fn file(ann: &Receiver, story: &[Told], order: &[usize]) -> (Vec<Message>, Vec<Warning>) {
    let own = ann.session.own.device.box_id;
    let group = Uuid::new_v4();
    let mut transaction = ann.client.store.begin().await.unwrap();
    for place in order {
        let (stored, rows) = stored(own, story, &story[*place], group);
        ann.client.file(&mut transaction, &stored, &rows).await.unwrap();
    }
    transaction.commit().await.unwrap();
    let mut shown = ann.client.transcript(Conversation::Group(group), 100, None).await.unwrap();
    for message in &mut shown {
        // What is of this store and this telling alone.
        message.id = 0;
        message.conversation = Conversation::Group(Uuid::nil());
    }
    let mut warned = ann.warned().await;
    warned.sort_by_key(|warning| format!("{warning:?}"));
    warned.dedup();
    (shown, warned)
}

/// What a message shows: its text, whether that was changed, and each emoji with those who put it there.
type Shown = (Option<String>, bool, Vec<(String, Vec<u8>)>);

/// What a story comes to, by the rules as they are written in docs/PROTOCOL.md and no other way.
fn expected(story: &[Told]) -> BTreeMap<u8, Shown> {
    let mut shown = BTreeMap::new();
    let about = |place: usize, told: &Told| target(story, place).number == told.number;
    for told in story {
        if !matches!(told.what, What::Text | What::Place | What::Reply(_)) {
            continue;
        }
        let of_author = |other: &&Told| other.writer == told.writer;
        if story.iter().filter(of_author).any(|other| matches!(other.what, What::Deletion(to) if about(to, told))) {
            shown.insert(told.number, (None, false, Vec::new()));
            continue;
        }
        let edits =
            story.iter().filter(of_author).filter(|other| matches!(other.what, What::Edit(to) if about(to, told)));
        let last = edits.max_by_key(|edit| (edit.seconds, edit.number)).filter(|_| !matches!(told.what, What::Place));
        let text = match (&told.what, last) {
            (What::Place, _) => None,
            (_, Some(edit)) => Some(format!("text {}", edit.number)),
            (_, None) => Some(format!("text {}", told.number)),
        };
        let mut emojis: BTreeMap<(u8, u8), (u64, u8, bool)> = BTreeMap::new();
        for other in story {
            if let What::Reaction(to, emoji, removed) = other.what
                && about(to, told)
            {
                let latest = emojis.entry((emoji, other.writer)).or_default();
                *latest = (*latest).max((other.seconds, other.number, removed));
            }
        }
        let mut reactions: BTreeMap<String, Vec<u8>> = BTreeMap::new();
        for ((emoji, writer), _) in emojis.into_iter().filter(|(_, (.., removed))| !removed) {
            reactions.entry(emoji.to_string()).or_default().push(writer);
        }
        shown.insert(told.number, (text, last.is_some(), reactions.into_iter().collect()));
    }
    shown
}

/// Receipts count from those to whom a message was sent: the times at which each had and had read it.
fn check_receipts(story: &[Told], own: BoxId, message: &Message, number: u8) {
    for recipient in &message.recipients {
        let said = |is_read: bool| {
            let receipts = story.iter().filter(|other| box_of(other.writer, own) == recipient.box_id);
            let times = receipts.filter_map(|other| match other.what {
                What::Receipt(to, read) if read == is_read && target(story, to).number == number => {
                    Some(at(other.seconds))
                }
                _ => None,
            });
            times.min()
        };
        assert_eq!(recipient.read_at, said(true));
        assert_eq!(recipient.delivered_at, said(false).or(said(true)));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4, failure_persistence: None, ..ProptestConfig::default() })]

    /// Many stories in one store, which is the dearest part.
    #[test]
    fn the_same_is_shown_whatever_the_order(stories in proptest::collection::vec((story(), any::<u64>()), 40)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let ann = Receiver::new().await;
            let own = ann.session.own.device.box_id;
            for (story, seed) in stories {
                let told: Vec<usize> = (0..story.len()).collect();
                let mut mixed = told.clone();
                mixed.sort_by_key(|place| {
                    // Any order, from one number.
                    (*place as u64 + 1).wrapping_mul(seed | 1).rotate_left(23).wrapping_mul(0x9e37_79b9_7f4a_7c15)
                });
                let backwards: Vec<usize> = told.iter().rev().copied().collect();
                let (shown, warned) = file(&ann, &story, &told).await;
                for order in [mixed, backwards] {
                    assert_eq!(file(&ann, &story, &order).await, (shown.clone(), warned.clone()), "{story:?} {order:?}");
                }
                assert!(shown.is_sorted_by_key(|message| (message.time, message.message_id)));
                let seen: BTreeMap<u8, _> = shown.iter().map(|message| {
                    let number = message.message_id.as_bytes()[0];
                    check_receipts(&story, own, message, number);
                    let emojis = message.reactions.iter().map(|emoji| {
                        let mut writers: Vec<u8> =
                            (0..WRITERS).filter(|writer| emoji.authors.contains(&box_of(*writer, own))).collect();
                        writers.sort_unstable();
                        (emoji.emoji.clone(), writers)
                    });
                    (number, (message.text.clone(), message.edited_at.is_some(), emojis.collect::<Vec<_>>()))
                }).collect();
                assert_eq!(seen, expected(&story), "{story:?}");
            }
        });
    }
}

#[tokio::test]
async fn what_was_taken_back_is_gone_from_the_store() {
    let ann = Receiver::new().await;
    let own = ann.session.own.device.box_id;
    let group = Uuid::new_v4();
    let told = |number, what| Told { number, writer: 1, seconds: u64::from(number), what };
    let mut story = vec![told(1, What::Text), told(2, What::Text), told(3, What::Edit(0)), told(4, What::Deletion(0))];
    // The deletion is in the middle: one edit comes before and one after it.
    story.push(told(5, What::Edit(0)));
    let mut transaction = ann.client.store.begin().await.unwrap();
    for place in [2, 0, 3, 4, 1] {
        let (stored, rows) = stored(own, &story, &story[place], group);
        ann.client.file(&mut transaction, &stored, &rows).await.unwrap();
    }
    transaction.commit().await.unwrap();
    for id in 1..=5 {
        let stored = ann.client.store.message(&ann.client.vault, id).await.unwrap();
        let is_erased = stored.body.as_slice().is_empty();
        assert_eq!(is_erased, [1, 3, 5].map(message_id).contains(&stored.message_id), "{}", stored.message_id);
    }
    // What is erased is still in the files until they are overwritten.
    let mut connection = ann.client.store.read().await.unwrap();
    let is_due: bool = sqlx::query_scalar("select scrub_due from home").fetch_one(&mut *connection).await.unwrap();
    assert!(is_due);
}

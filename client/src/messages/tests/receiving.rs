//! What a device takes, and what it refuses.

use rossby_crypto::conversation::direct_conversation;
use rossby_crypto::key_record::KeyRecord;
use rossby_crypto::signing::SigningKey;
use rossby_crypto::statements::{Remover, found, link, remove, request_link};
use rossby_schemas::encoding::Octets;
use rossby_schemas::ids::{Head, OuterId, RegionNumber};
use uuid::Uuid;

use super::{Receiver, Sender, at, fetched, refused_with};
use crate::contacts::Known;
use crate::messages::receive::Taken;
use crate::random::rng;
use crate::store::records;
use crate::{Kind, Warning};

#[tokio::test]
async fn a_message_is_taken_once_however_often_and_however_sealed_it_comes() {
    let (mut ann, ben) = (Receiver::new().await, Sender::new());
    let one = ben.signed(&ann, 1, None, "one");
    let first = fetched(&ann, &one, at(3));
    assert_eq!(ann.take(&first).await, Taken::New);
    assert_eq!(ann.take(&first).await, Taken::Duplicate);
    let sealed_anew = fetched(&ann, &one, at(3));
    assert_eq!(ann.take(&sealed_anew).await, Taken::Duplicate);
    assert_eq!(ann.texts().await, ["one"]);
    // Each is to be confirmed, or it would come for ever.
    let confirmations = ann.client.store.confirmations(10).await.unwrap();
    assert_eq!(confirmations.len(), 2);
}

#[tokio::test]
async fn gaps_and_broken_chains_are_told_and_two_bodies_are_one() {
    let (mut ann, ben) = (Receiver::new().await, Sender::new());
    let sender = ben.record.box_id();
    let one = ben.signed(&ann, 1, None, "one");
    let two = ben.signed(&ann, 2, Some(one.link_hash()), "two");
    let three = ben.signed(&ann, 3, Some(two.link_hash()), "three");
    let third = fetched(&ann, &three, at(3));
    assert_eq!(ann.take(&third).await, Taken::New);
    assert_eq!(ann.warned().await, [Warning::Gap { sender, missing: 2 }]);
    let first = fetched(&ann, &one, at(3));
    assert_eq!(ann.take(&first).await, Taken::New);
    // Another second than the one that the third follows after, and after another first than the known one.
    let other = ben.signed(&ann, 2, Some([9; 32].into()), "another two");
    let other_second = fetched(&ann, &other, at(3));
    assert_eq!(ann.take(&other_second).await, Taken::New);
    let notices = ann.client.warnings().await.unwrap();
    assert_eq!((notices.len(), &notices[0].warning, notices[0].times), (1, &Warning::BrokenChain { sender }, 2));
    assert_eq!(ann.warned().await.len(), 1);
    let second = fetched(&ann, &two, at(3));
    let bodies = Warning::TwoBodies { sender };
    assert_eq!(ann.take(&second).await, Taken::Refused(bodies.clone()));
    assert_eq!(ann.warned().await, [bodies]);
    assert_eq!(ann.texts().await, ["three", "one", "another two"]);
}

#[tokio::test]
async fn a_device_that_was_linked_misses_nothing_of_before() {
    let (mut ann, ben, phone) = (Receiver::new().await, Sender::new(), Sender::new());
    let (box_id, head) = (phone.record.box_id(), phone.record.head());
    let tablet = &mut ann.session.own.device;
    let request = request_link(&tablet.signing_key, tablet.device_id, box_id, head);
    let linked = link(&phone.key, phone.device_id, box_id, head, &request, at(1));
    (tablet.box_id, ann.session.own.record) = (box_id, phone.record.clone());
    ann.session.own.record.append(linked.octets()).unwrap();
    let sender = ben.record.box_id();
    let three = ben.signed(&ann, 3, Some([9; 32].into()), "three");
    let third = fetched(&ann, &three, at(3));
    assert_eq!((ann.take(&third).await, ann.warned().await), (Taken::New, vec![]));
    let five = ben.signed(&ann, 5, Some([9; 32].into()), "five");
    let fifth = fetched(&ann, &five, at(3));
    assert_eq!(ann.take(&fifth).await, Taken::New);
    assert_eq!(ann.warned().await, [Warning::Gap { sender, missing: 1 }]);
}

#[tokio::test]
async fn nobody_takes_places_in_the_chains_of_others() {
    let (mut ann, ben) = (Receiver::new().await, Sender::new());
    // Eve founds a box whose device has the id of Ben's, and writes in Ben's conversation with Ann.
    let (key, device_id) = (SigningKey::generate(&mut rng()), ben.device_id);
    let founded = found(&key, device_id, RegionNumber(1), [8; 32], None, at(0));
    let record = KeyRecord::verify(std::slice::from_ref(founded.octets())).unwrap();
    let eve = Sender { key, device_id, record };
    let mut content = eve.signed(&ann, 1, None, "in Ben's place").content().clone();
    content.conversation = direct_conversation(ben.record.box_id(), ann.session.own.device.box_id);
    let message = fetched(&ann, &content.sign(&eve.key).unwrap(), at(3));
    assert!(refused_with(&ann.take(&message).await).contains("conversation"));
    // In her own she may use any id.
    let message = fetched(&ann, &eve.signed(&ann, 1, None, "from Eve"), at(3));
    assert_eq!(ann.take(&message).await, Taken::New);
    let message = fetched(&ann, &ben.signed(&ann, 1, None, "from Ben"), at(3));
    assert_eq!(ann.take(&message).await, Taken::New);
    assert_eq!(ann.texts().await, ["from Eve", "from Ben"]);
}

#[tokio::test]
async fn a_number_that_cannot_be_is_refused_and_spoils_nothing() {
    let (mut ann, ben) = (Receiver::new().await, Sender::new());
    for sequence in [u64::MAX, 1 << 63, 1 << 53] {
        let message = fetched(&ann, &ben.signed(&ann, sequence, Some([9; 32].into()), "far ahead"), at(3));
        assert!(refused_with(&ann.take(&message).await).contains("number"));
    }
    let message = fetched(&ann, &ben.signed(&ann, (1 << 53) - 1, Some([9; 32].into()), "the last"), at(3));
    assert!(matches!(ann.take(&message).await, Taken::New));
    assert_eq!(ann.texts().await, ["the last"]);
}

#[tokio::test]
async fn what_was_not_signed_by_the_senders_device_is_refused() {
    let (mut ann, ben, eve) = (Receiver::new().await, Sender::new(), Sender::new());
    let posing = Sender { key: eve.key, device_id: ben.device_id, record: ben.record.clone() };
    let message = fetched(&ann, &posing.signed(&ann, 1, None, "I am Ben"), at(3));
    assert!(refused_with(&ann.take(&message).await).contains("signature"));
    let mut unknown = Sender::new();
    unknown.record = ben.record.clone();
    let message = fetched(&ann, &unknown.signed(&ann, 1, None, "I am Ben"), at(3));
    assert!(refused_with(&ann.take(&message).await).contains("not in the sender's key record"));
    let mut moved = fetched(&ann, &ben.signed(&ann, 1, None, "moved"), at(3));
    moved.outer_id = OuterId(Uuid::new_v4());
    assert!(refused_with(&ann.take(&moved).await).contains("sealed"));
    let mut lost = fetched(&ann, &ben.signed(&ann, 1, None, "to an erased key"), at(3));
    lost.sealing_counter = 9;
    assert!(refused_with(&ann.take(&lost).await).contains("erased"));
    let mut short = fetched(&ann, &ben.signed(&ann, 1, None, "short"), at(3));
    short.enc = Octets::default();
    assert!(refused_with(&ann.take(&short).await).contains("length"));
    assert_eq!(ann.texts().await, [""; 0]);
    assert!(!ann.is_forked(&ben.record).await);
}

#[tokio::test]
async fn two_records_that_contradict_each_other_are_a_fork_if_they_are_signed() {
    let (mut ann, ben) = (Receiver::new().await, Sender::new());
    let (one, other) = (ben.linked(), ben.linked());
    let first = fetched(&ann, &one.signed(&ann, 1, None, "from the one"), at(3));
    assert_eq!(ann.take(&first).await, Taken::New);

    // Anyone can write down statements that nobody signed, or a head that never was.
    let mut forged = other.record.statements()[1].as_slice().to_vec();
    let last = forged.len() - 1;
    forged[last] ^= 1;
    let mut content = other.signed(&ann, 1, None, "forged").content().clone();
    content.statements[1] = forged.into();
    let forged = fetched(&ann, &content.sign(&other.key).unwrap(), at(3));
    refused_with(&ann.take(&forged).await);
    let eve = Sender { key: Sender::new().key, device_id: ben.device_id, record: ben.record.clone() };
    let mut content = eve.signed(&ann, 1, None, "forged").content().clone();
    content.sender_head = other.record.head();
    content.statements = Vec::new();
    let forged = fetched(&ann, &content.sign(&eve.key).unwrap(), at(3));
    refused_with(&ann.take(&forged).await);
    assert!(!ann.is_forked(&ben.record).await, "a stranger can't make Ben look like a liar");

    let fork = fetched(&ann, &other.signed(&ann, 1, None, "from the other"), at(3));
    assert_eq!(ann.take(&fork).await, Taken::Refused(Warning::Fork(ben.record.box_id())));
    assert!(ann.is_forked(&ben.record).await);
    assert_eq!(ann.texts().await, ["from the one"]);
}

#[tokio::test]
async fn a_head_of_ours_that_never_was_is_told() {
    let (mut ann, ben) = (Receiver::new().await, Sender::new());
    let head = Head { version: 1, hash: [9; 32].into() };
    let message = fetched(&ann, &ben.signed_to(&ann, head, 1, None, "to another Ann"), at(3));
    let own = ann.session.own.device.box_id;
    assert_eq!(ann.take(&message).await, Taken::New);
    assert_eq!(ann.warned().await, [Warning::Fork(own)]);
    assert!(ann.client.account().await.unwrap().is_forked);
}

#[tokio::test]
async fn a_removed_devices_mail_counts_if_it_was_accepted_before() {
    let (mut ann, ben) = (Receiver::new().await, Sender::new());
    let second = ben.linked();
    let one = second.signed(&ann, 1, None, "before");
    let two = second.signed(&ann, 2, Some(one.link_hash()), "just before, by the server's clock");
    let three = second.signed(&ann, 3, Some(two.link_hash()), "after");
    // Ben's first device removes the second, and writes.
    let mut after = Sender { key: ben.key, device_id: ben.device_id, record: second.record.clone() };
    let (box_id, head) = (after.record.box_id(), after.record.head());
    let removed = remove(&after.key, Remover::Device(ben.device_id), box_id, head, second.device_id, at(10));
    after.record.append(removed.octets()).unwrap();
    let news = fetched(&ann, &after.signed(&ann, 1, None, "I lost my phone"), at(11));
    assert_eq!(ann.take(&news).await, Taken::New);
    let before = fetched(&ann, &one, at(9));
    assert_eq!(ann.take(&before).await, Taken::New);
    // The remover's clock may be behind the server's by as much as a request's time may.
    let just_before = fetched(&ann, &two, at(10 + 120));
    assert_eq!(ann.take(&just_before).await, Taken::New);
    let late = fetched(&ann, &three, at(10 + 121));
    assert!(refused_with(&ann.take(&late).await).contains("removed"));
    assert_eq!(ann.texts().await, ["I lost my phone", "before", "just before, by the server's clock"]);
    // A server that says of everything that it came before can't do so for ever.
    ann.clock.set(at(10 + 32 * 24 * 3600 + 1));
    let lied = fetched(&ann, &three, at(9));
    assert!(refused_with(&ann.take(&lied).await).contains("longer ago than any message lives"));
    ann.clock.set(at(10 + 32 * 24 * 3600));
    assert_eq!(ann.take(&lied).await, Taken::New);
}

#[tokio::test]
async fn kinds_that_are_not_known_are_kept() {
    let (mut ann, ben) = (Receiver::new().await, Sender::new());
    let mut content = ben.signed(&ann, 1, None, "from the future").content().clone();
    content.kind = 77;
    let message = fetched(&ann, &content.sign(&ben.key).unwrap(), at(3));
    assert_eq!(ann.take(&message).await, Taken::New);
    let shown = ann.client.unread(10).await.unwrap().remove(0);
    assert_eq!((shown.kind, shown.text), (Kind::Unknown(77), None));
}

#[tokio::test]
async fn warnings_wait_until_they_were_shown_and_do_not_grow_without_end() {
    let (mut ann, ben) = (Receiver::new().await, Sender::new());
    let sender = ben.record.box_id();
    for sequence in 0..150 {
        // Each leaves a gap of another size.
        let message = ben.signed(&ann, 1000 + sequence * (sequence + 7), Some([9; 32].into()), "gap");
        assert_eq!(ann.take(&fetched(&ann, &message, at(3))).await, Taken::New);
    }
    let other = ben.signed(&ann, 1000, Some([9; 32].into()), "another");
    assert!(matches!(ann.take(&fetched(&ann, &other, at(3))).await, Taken::Refused(_)));
    let notices = ann.client.warnings().await.unwrap();
    let told: u64 = notices.iter().map(|notice| notice.times).sum();
    assert_eq!((notices.len(), told), (101, 151), "a flood of one kind hides no other");
    assert_eq!(notices[100].warning, Warning::TwoBodies { sender });
    // What came again while it was shown stays.
    assert!(matches!(ann.take(&fetched(&ann, &other, at(3))).await, Taken::Refused(_)));
    ann.client.warnings_shown(&notices).await.unwrap();
    assert_eq!(ann.warned().await, [Warning::TwoBodies { sender }]);
    assert_eq!(ann.warned().await, []);
}

#[tokio::test]
async fn a_record_that_changed_since_it_was_read_is_not_mixed_with_another() {
    let (ann, ben) = (Receiver::new().await, Sender::new());
    let (one, other) = (ben.linked(), ben.linked());
    let mut transaction = ann.client.store.begin().await.unwrap();
    assert!(records::keep_record(&mut transaction, &one.record).await.unwrap());
    assert!(records::keep_record(&mut transaction, &ben.record).await.unwrap(), "the older one adds nothing");
    assert!(!records::keep_record(&mut transaction, &other.record).await.unwrap());
    let known = records::key_record(&mut transaction, ben.record.box_id()).await.unwrap().unwrap();
    assert_eq!(known.head(), one.record.head());
}

#[tokio::test]
async fn a_served_record_that_stays_behind_is_sealed_to_unless_it_hides_a_removal() {
    let ben = Sender::new();
    let linked = ben.linked();
    let known = |record: &KeyRecord, shorter: &KeyRecord| Known {
        record: record.clone(),
        sealing: Vec::new(),
        is_forked: false,
        shorter: Some(shorter.clone()),
    };
    let served = known(&linked.record, &ben.record).served().unwrap();
    assert_eq!(served.record.head(), ben.record.head());
    let mut removed = linked.record.clone();
    let (box_id, head) = (removed.box_id(), removed.head());
    let remover = Remover::Device(ben.device_id);
    removed.append(remove(&ben.key, remover, box_id, head, linked.device_id, at(2)).octets()).unwrap();
    assert!(known(&removed, &linked.record).served().is_none(), "it still has the removed device");
    assert!(known(&removed, &ben.record).served().is_some(), "it has no device that is gone");
    let whole = Known { shorter: None, ..known(&removed, &removed) };
    assert!(whole.served().is_none());
}

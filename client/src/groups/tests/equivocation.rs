//! A member who tells others different things is found out by what they have seen, and who lies about that too.

use rossby_crypto::group::{Action, GroupId, SeenMessage};
use rossby_schemas::encoding::Sha256Digest;
use sqlx::Acquire as _;

use super::{Crowd, Mail, framed};
use crate::Warning;
use crate::content::{Content, Kind};
use crate::messages::{Taken, body_of};
use crate::store::messages::{self, At, Chain};

impl Crowd {
    /// Someone writes a text under the next number, as if it had not been written: the mail of it.
    async fn would_say(&mut self, by: usize, id: GroupId, text: &str) -> Vec<Mail> {
        let body = body_of(&Content::Text(text.to_owned())).unwrap();
        let mut connection = self.people[by].client.store.begin().await.unwrap();
        let mut transaction = connection.begin().await.unwrap();
        let client = &self.people[by].client;
        let device = client.device().await.unwrap();
        let (to, written) = client.written_to_group(&mut transaction, &device, id, (Kind::Text, body)).await.unwrap();
        client.compose(&mut transaction, &device, &to, written).await.unwrap();
        let mail = self.collect(by, &mut transaction).await;
        transaction.rollback().await.unwrap();
        connection.rollback().await.unwrap();
        mail
    }

    pub(super) async fn evidence(&self, person: usize) -> i64 {
        let mut connection = self.people[person].client.store.read().await.unwrap();
        crate::store::groups::evidence_count(&mut connection).await.unwrap()
    }

    pub(super) fn chain(&self, person: usize, id: GroupId) -> Chain {
        let device = &self.people[person].session.own.device;
        Chain { sender: device.box_id, device: device.device_id, conversation: id.0 }
    }

    /// The hash of a device's message as someone holds it.
    async fn held(&self, by: usize, chain: Chain, sequence: u64) -> Sha256Digest {
        let client = &self.people[by].client;
        let mut connection = client.store.read().await.unwrap();
        let link = messages::link(&mut connection, &client.vault, chain, At::Exactly(sequence)).await.unwrap();
        link.unwrap().hash
    }
}

#[tokio::test]
async fn who_tells_members_different_things_is_found_out_and_shown() {
    let mut crowd = Crowd::new(4).await;
    let id = crowd.founded(0, &[], &[1, 2, 3]).await;
    let (one, other) = (crowd.would_say(1, id, "sell").await, crowd.would_say(1, id, "buy").await);
    for mail in one.iter().filter(|mail| mail.to != 3).chain(other.iter().filter(|mail| mail.to == 3)) {
        assert_eq!(crowd.deliver(mail).await, Taken::New);
    }
    assert_eq!((crowd.texts(2, id).await, crowd.texts(3, id).await), (vec!["sell".to_owned()], vec!["buy".to_owned()]));
    // The next message of one of them shows the other that they hold different ones; it asks, and gets the proof.
    crowd.says(2, id, "done").await.unwrap();
    let mail = crowd.mail();
    for mail in mail.iter().filter(|mail| mail.to == 3) {
        crowd.deliver(mail).await;
    }
    let (group, author, by) = (id.0, crowd.id(1), crowd.id(2));
    assert_eq!(crowd.warned(3).await, [Warning::GroupDiffers { group, author, by }]);
    crowd.deliver_all().await;
    assert_eq!(crowd.warned(3).await, [Warning::GroupEquivocation { group, author }]);
    assert!(crowd.evidence(3).await >= 2);
    // The others see it as soon as that one writes.
    crowd.says(3, id, "careful").await.unwrap();
    crowd.deliver_all().await;
    for person in [0, 2] {
        let by = crowd.id(3);
        let expected = [Warning::GroupDiffers { group, author, by }, Warning::GroupEquivocation { group, author }];
        assert_eq!(crowd.warned(person).await, expected, "{person}");
    }
    // Nothing of the other text is shown to anybody.
    assert!(!crowd.texts(2, id).await.contains(&"buy".to_owned()));
}

#[tokio::test]
async fn it_is_found_out_too_if_the_message_comes_after_what_was_said_of_it() {
    let mut crowd = Crowd::new(3).await;
    let id = crowd.founded(0, &[], &[1, 2]).await;
    let (one, other) = (crowd.would_say(1, id, "sell").await, crowd.would_say(1, id, "buy").await);
    for mail in one.iter().filter(|mail| mail.to == 0) {
        crowd.deliver(mail).await;
    }
    crowd.says(0, id, "done").await.unwrap();
    crowd.deliver_all().await;
    assert_eq!(crowd.warned(2).await, []);
    for mail in other.iter().filter(|mail| mail.to == 2) {
        assert_eq!(crowd.deliver(mail).await, Taken::New);
    }
    crowd.deliver_all().await;
    let (group, author, by) = (id.0, crowd.id(1), crowd.id(0));
    let expected = [Warning::GroupDiffers { group, author, by }, Warning::GroupEquivocation { group, author }];
    assert_eq!(crowd.warned(2).await, expected);
}

#[tokio::test]
async fn nobody_can_be_made_to_look_like_a_liar() {
    let mut crowd = Crowd::new(3).await;
    let id = crowd.founded(0, &[], &[1, 2]).await;
    crowd.says(1, id, "the truth").await.unwrap();
    crowd.deliver_all().await;
    // 2 says that it has seen something else of 1.
    let chain = crowd.chain(1, id);
    let seen = SeenMessage { sender: chain.sender, device: chain.device, sequence: 1, hash: [9; 32].into() };
    let heads = crowd.heads(2, id).await;
    let frame = rossby_crypto::group::GroupContent { heads, seen: vec![seen], kind: 1, body: Default::default() };
    crowd.writes(2, &[0, 1], framed(id, frame, "1 lies")).await;
    crowd.deliver_all().await;
    let (group, author, by) = (id.0, crowd.id(1), crowd.id(2));
    for person in [0, 1] {
        // It was asked, and showed what it has: the same as everyone.
        let expected = [Warning::GroupDiffers { group, author, by }, Warning::GroupMisreport { group, by }];
        assert_eq!(crowd.warned(person).await, expected, "{person}");
    }
    let held = crowd.held(0, chain, 1).await;
    assert_eq!(crowd.held(2, chain, 1).await, held);
}

#[tokio::test]
async fn two_messages_under_one_number_for_one_are_one_and_told() {
    let mut crowd = Crowd::new(2).await;
    let id = crowd.founded(0, &[], &[1]).await;
    let (one, other) = (crowd.would_say(1, id, "sell").await, crowd.would_say(1, id, "buy").await);
    assert_eq!(crowd.deliver(&one[0]).await, Taken::New);
    let sender = crowd.id(1);
    assert_eq!(crowd.deliver(&other[0]).await, Taken::Refused(Warning::TwoBodies { sender }));
    assert_eq!(crowd.texts(0, id).await, ["sell"]);
}

#[tokio::test]
async fn a_device_that_signs_two_changes_at_once_is_told_and_all_come_to_the_same() {
    let mut crowd = Crowd::new(4).await;
    let id = crowd.founded(0, &[1], &[2, 3]).await;
    // As it was before: 1 makes another change on the same heads, and tells each change to other members.
    let mut kept = Vec::new();
    for name in ["for 2", "for 3"] {
        let client = &crowd.people[1].client;
        let own = client.as_stored().await.unwrap();
        let mut transaction = client.store.begin().await.unwrap();
        let known = client.graph(&mut transaction, id).await.unwrap().unwrap();
        let change = client.next_change(&own, &known.graph, Action::Rename { name: name.to_owned() });
        client.make_change(&mut transaction, &own, change).await.unwrap();
        kept.push(crowd.collect(1, &mut transaction).await);
        transaction.rollback().await.unwrap();
    }
    for mail in kept[0].iter().filter(|mail| mail.to == 2).chain(kept[1].iter().filter(|mail| mail.to == 3)) {
        assert_eq!(crowd.deliver(mail).await, Taken::New);
    }
    assert_eq!(
        (crowd.group(2, id).await.name, crowd.group(3, id).await.name),
        ("for 2".to_owned(), "for 3".to_owned())
    );
    // They talk, ask each other for what they lack, and have both.
    crowd.says(2, id, "hello").await.unwrap();
    crowd.says(3, id, "hello").await.unwrap();
    crowd.deliver_all().await;
    crowd.pass(3600);
    crowd.catch_up().await;
    let name = crowd.group(2, id).await.name;
    for person in [0, 2, 3] {
        assert_eq!(crowd.group(person, id).await.name, name);
        let fork = Warning::GroupFork { group: id.0, author: crowd.id(1) };
        assert!(crowd.warned(person).await.contains(&fork), "{person}");
        assert!(crowd.evidence(person).await >= 1);
    }
}

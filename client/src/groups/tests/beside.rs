//! What members bring each other beside a group takes no number where it would be missed.

use rossby_crypto::group::{Action, GroupId, NewMember, Role};
use rossby_schemas::encoding::Octets;
use sqlx::Acquire as _;

use super::super::body::{GROUP_CHANGES, GROUP_REQUEST, GroupChanges, GroupRequest};
use super::{Crowd, Mail};
use crate::Warning;
use crate::content::Kind;
use crate::messages::{Conversation, Taken, Written};

impl Crowd {
    /// Someone writes to another, in the conversation of the two. Gives what that one was told.
    pub(super) async fn says_to(&mut self, by: usize, to: usize, text: &str) -> Vec<Warning> {
        let (conversation, kind, body) = (Conversation::Direct(self.id(to)), Kind::Text.number(), text.as_bytes());
        let body = Octets::from(body);
        let written = Written { conversation, kind, body, is_shown: true, frame: None, beside: None };
        self.writes(by, &[to], written).await;
        for mail in self.mail() {
            assert_eq!(self.deliver(&mail).await, Taken::New);
        }
        self.warned(to).await
    }

    /// Puts a request to another into someone's outbox.
    async fn would_ask(&self, by: usize, to: usize, id: GroupId) {
        let client = &self.people[by].client;
        let device = client.device().await.unwrap();
        let mut transaction = client.store.begin().await.unwrap();
        let request = GroupRequest { group: id.0, heads: Vec::new(), records: Vec::new(), messages: Vec::new() };
        client.ask_member(&mut transaction, &device, self.id(to), &request).await.unwrap();
        transaction.commit().await.unwrap();
    }

    /// Puts nothing but a group's name for another into someone's outbox.
    async fn would_bring(&self, by: usize, to: usize, id: GroupId) {
        let client = &self.people[by].client;
        let device = client.device().await.unwrap();
        let mut transaction = client.store.begin().await.unwrap();
        let nothing = (Vec::new(), Vec::new(), Vec::new());
        client.bring(&mut transaction, &device, id, self.id(to), nothing).await.unwrap();
        transaction.commit().await.unwrap();
    }

    /// Someone brings another this, under the next number, as if it had not been brought: the mail of it.
    async fn brings_unnumbered(&mut self, by: usize, to: usize, brought: &GroupChanges) -> Vec<Mail> {
        let written = Written {
            conversation: Conversation::Direct(self.id(to)),
            kind: GROUP_CHANGES,
            body: brought.write(),
            is_shown: false,
            frame: None,
            beside: Some(GroupId(brought.group)),
        };
        let mut connection = self.people[by].client.store.begin().await.unwrap();
        let mut transaction = connection.begin().await.unwrap();
        let client = &self.people[by].client;
        let (device, to) = (client.device().await.unwrap(), self.id(to));
        client.compose(&mut transaction, &device, &[to], written).await.unwrap();
        let mail = self.collect(by, &mut transaction).await;
        transaction.rollback().await.unwrap();
        connection.rollback().await.unwrap();
        mail
    }
}

#[tokio::test]
async fn what_was_to_be_brought_or_asked_and_was_taken_back_is_not_missing() {
    let mut crowd = Crowd::new(4).await;
    let id = crowd.founded(0, &[], &[1, 2, 3]).await;
    assert_eq!(crowd.says_to(2, 1, "hello").await, []);
    // 2 asks 1 for something, and 3 is brought something: neither goes out before these are members no more.
    crowd.would_ask(2, 1, id).await;
    crowd.would_bring(2, 3, id).await;
    crowd.act(0, id, Action::Remove { member: crowd.id(1) }).await.unwrap();
    crowd.act(3, id, Action::Leave).await.unwrap();
    for mail in crowd.mail() {
        crowd.people[mail.to].take(&mail.fetched).await;
    }
    crowd.warned(1).await;
    crowd.post(2).await;
    assert_eq!(crowd.mail.iter().filter(|mail| mail.from == 2).count(), 0, "both were taken back");
    for member in [1, 3] {
        assert_eq!(crowd.says_to(2, member, "are you there?").await, []);
    }
    // They come back: what is brought and asked then has a number after the one that never went out.
    let members = [1, 3].map(|person| NewMember { box_id: crowd.id(person), role: Role::Member });
    let mut members = members.to_vec();
    members.sort_unstable();
    crowd.act(0, id, Action::Add { members }).await.unwrap();
    crowd.deliver_all().await;
    crowd.pass(301);
    crowd.would_ask(2, 1, id).await;
    crowd.would_bring(2, 3, id).await;
    crowd.post(2).await;
    assert_eq!(crowd.mail.len(), 2);
    for mail in crowd.mail() {
        assert_eq!(crowd.deliver(&mail).await, Taken::New);
        assert_eq!(crowd.warned(mail.to).await, []);
    }
}

#[tokio::test]
async fn two_messages_under_one_number_beside_a_group_are_told() {
    let mut crowd = Crowd::new(2).await;
    let id = crowd.founded(0, &[], &[1]).await;
    let (one, other) = (GroupChanges { group: id.0, ..GroupChanges::default() }, crowd.heads(0, id).await);
    let other = GroupChanges { messages: vec![other[0].as_slice().into()], ..one.clone() };
    let (one, other) = (crowd.brings_unnumbered(0, 1, &one).await, crowd.brings_unnumbered(0, 1, &other).await);
    assert_eq!(crowd.deliver(&one[0]).await, Taken::New);
    let sender = crowd.id(0);
    assert_eq!(crowd.deliver(&other[0]).await, Taken::Refused(Warning::TwoBodies { sender }));
    assert_eq!(crowd.deliver(&one[0]).await, Taken::Duplicate);
    crowd.warned(1).await;
    // The sender goes on after another one under that number.
    crowd.would_bring(0, 1, id).await;
    crowd.post(0).await;
    crowd.mail();
    crowd.would_bring(0, 1, id).await;
    crowd.post(0).await;
    for mail in crowd.mail() {
        assert_eq!(crowd.deliver(&mail).await, Taken::New);
    }
    assert_eq!(crowd.warned(1).await, [Warning::BrokenChain { sender }]);
}

#[tokio::test]
async fn what_is_brought_in_the_conversation_of_two_is_refused_and_leaves_its_numbers_missing() {
    let mut crowd = Crowd::new(2).await;
    let id = crowd.founded(0, &[], &[1]).await;
    let brought = GroupChanges { group: id.0, ..GroupChanges::default() }.write();
    let request = GroupRequest { group: id.0, heads: Vec::new(), records: Vec::new(), messages: Vec::new() };
    for (kind, body) in [(GROUP_CHANGES, brought), (GROUP_REQUEST, request.write())] {
        let conversation = Conversation::Direct(crowd.id(1));
        crowd.writes(0, &[1], Written { conversation, kind, body, is_shown: false, frame: None, beside: None }).await;
        let mail = crowd.mail();
        assert!(matches!(crowd.deliver(&mail[0]).await, Taken::Refused(Warning::RefusedMessage { .. })));
    }
    assert_eq!(crowd.mail.len(), 0, "it is not answered");
    crowd.warned(1).await;
    assert_eq!(crowd.says_to(0, 1, "hello").await, [Warning::Gap { sender: crowd.id(0), missing: 2 }]);
}

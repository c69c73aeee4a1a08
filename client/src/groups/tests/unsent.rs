//! Who was removed before something went out to them: what they may know, they get; of what can't have reached them, they hear nothing.

use rossby_crypto::group::{Action, GroupId, NewMember, Role};

use super::hostile::rename;
use super::{Crowd, Mail};
use crate::messages::{Conversation, MessageState, Recipient, Taken};
use crate::store::groups as rows;
use crate::store::outbox;
use crate::{ClientError, GroupRef, Membership, Warning};

impl Crowd {
    fn addition(&self, person: usize) -> Action {
        Action::Add { members: vec![NewMember { box_id: self.id(person), role: Role::Member }] }
    }

    fn removal(&self, person: usize) -> Action {
        Action::Remove { member: self.id(person) }
    }

    /// Someone changes a group without a connection: it waits in the outbox.
    async fn acts_offline(&self, by: usize, id: GroupId, action: Action) {
        let client = &self.people[by].client;
        let own = client.as_stored().await.unwrap();
        let mut transaction = client.store.begin().await.unwrap();
        let known = client.graph(&mut transaction, id).await.unwrap().unwrap();
        let change = client.next_change(&own, &known.graph, action);
        client.make_change(&mut transaction, &own, change).await.unwrap();
        transaction.commit().await.unwrap();
    }

    /// The first message that waits for another in someone's outbox is handed over, and no answer comes.
    async fn hands_over_unanswered(&self, by: usize, to: usize) {
        let client = &self.people[by].client;
        let first = outbox::waiting(&mut client.store.read().await.unwrap(), self.id(to)).await.unwrap()[0];
        let outgoing = client.store.outgoing(first, self.id(to)).await.unwrap().unwrap();
        let mut transaction = client.store.begin().await.unwrap();
        assert!(outbox::attempt(&mut transaction, &outgoing).await.unwrap());
        transaction.commit().await.unwrap();
    }

    /// What goes out of someone's outbox to another.
    async fn goes_out(&mut self, by: usize, to: usize) -> Vec<Mail> {
        self.post(by).await;
        let (theirs, others): (Vec<Mail>, Vec<Mail>) = self.mail().into_iter().partition(|mail| mail.to == to);
        self.mail = others;
        theirs
    }

    /// What became of what someone did in a group, for another.
    async fn fates(&self, by: usize, id: GroupId, of: usize) -> Vec<Recipient> {
        let shown = self.people[by].client.transcript(Conversation::Group(id.0), 100, None).await.unwrap();
        let recipients = shown.into_iter().flat_map(|message| message.recipients);
        recipients.filter(|recipient| recipient.box_id == self.id(of)).collect()
    }

    /// How many messages of groups wait at someone.
    async fn waiting(&self, person: usize) -> usize {
        let mut connection = self.people[person].client.store.read().await.unwrap();
        rows::waiting_for_changes(&mut connection).await.unwrap().len()
    }

    async fn knows(&self, person: usize, id: GroupId) -> bool {
        let found = self.people[person].client.group(&GroupRef::from(id)).await;
        match found {
            Ok(_) => true,
            Err(ClientError::NoGroupNamed(_)) => false,
            Err(error) => panic!("{error}"),
        }
    }

    /// As after a `receive`: whom someone asks.
    async fn asks(&mut self, person: usize) -> Vec<usize> {
        let own = self.people[person].client.as_stored().await.unwrap();
        self.people[person].client.ask_members(&own).await.unwrap();
        self.post(person).await;
        self.mail.iter().map(|mail| mail.to).collect()
    }
}

#[tokio::test]
async fn who_is_added_and_removed_before_either_went_out_hears_of_neither() {
    let mut crowd = Crowd::new(3).await;
    let id = crowd.founded(0, &[], &[1]).await;
    crowd.acts_offline(0, id, crowd.addition(2)).await;
    crowd.acts_offline(0, id, rename()).await;
    crowd.acts_offline(0, id, crowd.removal(2)).await;
    assert_eq!(crowd.goes_out(0, 2).await.len(), 0);
    crowd.deliver_all().await;
    // The others know all of it, and the person what became of it: the removal was for the others alone.
    assert_eq!((crowd.group(1, id).await.changes, crowd.warned(1).await), (4, Vec::new()));
    let fates = crowd.fates(0, id, 2).await;
    assert_eq!(fates.len(), 2);
    assert!(fates.iter().all(|fate| fate.state == MessageState::Failed && fate.reason.is_some()));
    assert!(!crowd.knows(2, id).await);
    // Added again, they miss nothing.
    crowd.act(0, id, crowd.addition(2)).await.unwrap();
    crowd.deliver_all().await;
    crowd.says(0, id, "welcome").await.unwrap();
    crowd.deliver_all().await;
    assert_eq!((crowd.group(2, id).await.changes, crowd.texts(2, id).await), (5, vec!["welcome".to_owned()]));
    assert_eq!(crowd.warned(2).await, []);
    // Now something has reached them, and so does the removal.
    crowd.acts_offline(0, id, crowd.removal(2)).await;
    assert_eq!(crowd.goes_out(0, 2).await.len(), 1);
}

#[tokio::test]
async fn who_may_have_heard_of_the_addition_gets_it_and_the_removal() {
    for reaches in [true, false] {
        let mut crowd = Crowd::new(3).await;
        let id = crowd.founded(0, &[], &[1]).await;
        crowd.acts_offline(0, id, crowd.addition(2)).await;
        // The graph that they were to get first may have come through, and what waits behind it has not.
        if reaches {
            crowd.hands_over_unanswered(0, 2).await;
        }
        crowd.acts_offline(0, id, crowd.removal(2)).await;
        let mail = crowd.goes_out(0, 2).await;
        assert_eq!(mail.len(), if reaches { 3 } else { 0 }, "the graph, the addition, the removal");
        for mail in &mail {
            assert_eq!(crowd.deliver(mail).await, Taken::New);
        }
        assert_eq!(crowd.knows(2, id).await, reaches);
        if reaches {
            let group = crowd.group(2, id).await;
            assert_eq!((group.membership, group.changes), (Membership::Removed, 3));
            let told = Warning::RemovedFromGroup { group: id.0, name: "garden".to_owned(), by: Some(crowd.id(0)) };
            assert_eq!(crowd.warned(2).await, [told]);
        }
    }
}

#[tokio::test]
async fn who_is_left_out_of_a_founding_that_has_not_gone_out_hears_nothing_of_it() {
    let mut crowd = Crowd::new(3).await;
    let founding = crowd.would_found(0, &[1, 2]).await;
    let client = &crowd.people[0].client;
    let own = client.as_stored().await.unwrap();
    let mut transaction = client.store.begin().await.unwrap();
    let (id, ..) = client.make_change(&mut transaction, &own, founding.change().clone()).await.unwrap();
    transaction.commit().await.unwrap();
    crowd.acts_offline(0, id, crowd.removal(2)).await;
    assert_eq!(crowd.goes_out(0, 2).await.len(), 0);
    crowd.deliver_all().await;
    assert_eq!(crowd.group(1, id).await.changes, 2);
    // One more is removed after the founding went out: they are told.
    crowd.act(0, id, crowd.removal(1)).await.unwrap();
    crowd.deliver_all().await;
    assert_eq!(crowd.group(1, id).await.membership, Membership::Removed);
}

#[tokio::test]
async fn a_member_s_last_changes_go_out_before_its_removal() {
    let mut crowd = Crowd::new(3).await;
    let id = crowd.founded(0, &[1], &[2]).await;
    crowd.acts_offline(0, id, rename()).await;
    crowd.acts_offline(0, id, crowd.removal(2)).await;
    // What another admin does at once is nothing that the removed one may know.
    crowd.acts_offline(1, id, Action::Rename { name: "orchard".to_owned() }).await;
    let mail = crowd.goes_out(0, 2).await;
    assert_eq!(mail.len(), 2, "the new name and the removal");
    for mail in &mail {
        assert_eq!(crowd.deliver(mail).await, Taken::New);
    }
    let group = crowd.group(2, id).await;
    assert_eq!((group.membership, group.name.as_str(), group.changes), (Membership::Removed, "mine", 3));
    for mail in crowd.mail() {
        crowd.people[mail.to].take(&mail.fetched).await;
    }
    assert_eq!(crowd.goes_out(1, 2).await.len(), 0);
}

#[tokio::test]
async fn who_gets_the_removal_alone_asks_once_and_is_told_nothing() {
    for is_accepted in [true, false] {
        let mut crowd = Crowd::strangers(3).await;
        crowd.accept(1, 0).await;
        if is_accepted {
            crowd.accept(2, 0).await;
        }
        let id = crowd.founded(0, &[], &[1]).await;
        crowd.act(0, id, crowd.addition(2)).await.unwrap();
        crowd.mail.retain(|mail| mail.to != 2);
        crowd.act(0, id, crowd.removal(2)).await.unwrap();
        for mail in crowd.mail() {
            let expected = if mail.to == 2 { Taken::Waiting } else { Taken::New };
            assert_eq!(crowd.deliver(&mail).await, expected);
        }
        assert_eq!(crowd.waiting(2).await, 1);
        // What was lost is told again after a minute.
        crowd.pass(61);
        let asked: &[usize] = if is_accepted { &[0] } else { &[] };
        assert_eq!(crowd.asks(2).await, asked);
        crowd.deliver_all().await;
        // Who was answered waits for nothing any more; a stranger's is forgotten.
        if !is_accepted {
            crowd.pass(33 * 24 * 3600);
            assert_eq!(crowd.asks(2).await, [0; 0]);
        }
        assert_eq!(crowd.waiting(2).await, 0);
        for _ in 0..3 {
            crowd.pass(7200);
            assert_eq!(crowd.asks(2).await, [0; 0]);
        }
        assert_eq!(crowd.warned(2).await, []);
        assert_eq!(crowd.people[2].client.unread(10).await.unwrap(), []);
    }
}

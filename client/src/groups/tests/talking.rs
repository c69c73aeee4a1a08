//! Messages in a group: the same for all, in whatever order they come.

use std::collections::BTreeSet;

use rossby_crypto::group::{Action, NewMember, Role};

use super::Crowd;
use crate::content::{Content, Deletion, Edit, Kind, MessageRef, PeerState, Reaction, Reply, Standing};
use crate::messages::tests::at;
use crate::messages::{Conversation, Taken, body_of};
use crate::store::peers;
use crate::{ClientError, Message, Warning};

impl Crowd {
    /// Someone says what a message may say, in a group.
    async fn says_content(&mut self, by: usize, id: rossby_crypto::group::GroupId, content: &Content) -> MessageRef {
        let client = &self.people[by].client;
        let device = client.device().await.unwrap();
        let mut transaction = client.store.begin().await.unwrap();
        let said = (content.kind(), body_of(content).unwrap());
        let (to, written) = client.written_to_group(&mut transaction, &device, id, said).await.unwrap();
        let (_, message_id) = client.compose(&mut transaction, &device, &to, written).await.unwrap();
        transaction.commit().await.unwrap();
        self.post(by).await;
        MessageRef { box_id: device.box_id, message_id }
    }

    async fn shown(&self, person: usize, id: rossby_crypto::group::GroupId) -> Vec<Message> {
        let shown = self.people[person].client.transcript(Conversation::Group(id.0), 1000, None).await.unwrap();
        shown.into_iter().filter(|message| message.kind != Kind::GroupChange).collect()
    }
}

#[tokio::test]
async fn what_is_said_of_messages_is_the_same_for_all() {
    let mut crowd = Crowd::new(4).await;
    let id = crowd.founded(0, &[], &[1, 2, 3]).await;
    let first = crowd.says_content(1, id, &Content::Text("frist".to_owned())).await;
    let gone = crowd.says_content(1, id, &Content::Text("a secret".to_owned())).await;
    crowd.deliver_all().await;
    let edit = Edit { message_id: first.message_id, text: "first".to_owned() };
    crowd.says_content(1, id, &Content::Edit(edit)).await;
    crowd.says_content(1, id, &Content::Deletion(Deletion { message_id: gone.message_id })).await;
    crowd.says_content(2, id, &Content::Reply(Reply { to: first, text: "second".to_owned() })).await;
    let reaction = |removed| Content::Reaction(Reaction { to: first, emoji: "👍".to_owned(), removed });
    crowd.says_content(0, id, &reaction(false)).await;
    crowd.says_content(3, id, &reaction(false)).await;
    // Nobody edits what another has written.
    let theft = Edit { message_id: first.message_id, text: "stolen".to_owned() };
    crowd.says_content(3, id, &Content::Edit(theft)).await;
    let mut mail = crowd.mail();
    // To each in another order; each one's own messages stay in theirs.
    mail.sort_by_key(|mail| (mail.from + mail.to) % 4);
    for mail in mail {
        assert_eq!(crowd.deliver(&mail).await, Taken::New);
    }
    for person in 0..4 {
        let shown = crowd.shown(person, id).await;
        let texts: BTreeSet<_> = shown.iter().map(|message| (message.text.clone(), message.is_deleted)).collect();
        let expected = [(Some("first".to_owned()), false), (Some("second".to_owned()), false), (None, true)];
        assert_eq!(texts, BTreeSet::from(expected), "{person}");
        let edited = shown.iter().find(|message| message.message_id == first.message_id).unwrap();
        assert_eq!(edited.reactions[0].authors.len(), 2);
        assert_eq!(edited.group_name.as_deref(), Some("garden"));
        let reply = shown.iter().find(|message| message.kind == Kind::Reply).unwrap();
        assert_eq!(reply.refers_to.as_ref().unwrap().message, first);
    }
    for person in 0..3 {
        assert!(matches!(crowd.warned(person).await[..], [Warning::NotTheirs { .. }]));
    }
}

#[tokio::test]
async fn who_comes_later_misses_nothing_of_before() {
    let mut crowd = Crowd::new(4).await;
    let id = crowd.founded(0, &[], &[1, 2]).await;
    for text in ["one", "two", "three"] {
        crowd.says(1, id, text).await.unwrap();
        crowd.deliver_all().await;
        crowd.says(2, id, text).await.unwrap();
        crowd.deliver_all().await;
    }
    let members = vec![NewMember { box_id: crowd.id(3), role: Role::Member }];
    crowd.act(0, id, Action::Add { members }).await.unwrap();
    crowd.deliver_all().await;
    for person in [1, 2, 0, 3, 1] {
        crowd.says(person, id, "four").await.unwrap();
        crowd.deliver_all().await;
    }
    crowd.pass(100_000);
    crowd.catch_up().await;
    assert_eq!(crowd.texts(3, id).await, ["four"; 5]);
    for person in 0..4 {
        assert_eq!(crowd.warned(person).await, [], "{person}");
    }
    // What one of them misses after that is missing.
    crowd.says(1, id, "lost").await.unwrap();
    let lost = crowd.mail();
    for mail in lost.iter().filter(|mail| mail.to != 3) {
        crowd.deliver(mail).await;
    }
    crowd.says(1, id, "five").await.unwrap();
    crowd.deliver_all().await;
    assert_eq!(crowd.warned(3).await, [Warning::Gap { sender: crowd.id(1), missing: 1 }]);
}

#[tokio::test]
async fn what_others_have_seen_and_has_not_come_is_known() {
    let mut crowd = Crowd::new(3).await;
    let id = crowd.founded(0, &[], &[1, 2]).await;
    crowd.says(1, id, "one").await.unwrap();
    crowd.deliver_all().await;
    crowd.says(1, id, "two").await.unwrap();
    let lost: Vec<_> = crowd.mail();
    for mail in lost.iter().filter(|mail| mail.to == 0) {
        crowd.deliver(mail).await;
    }
    crowd.says(0, id, "yes").await.unwrap();
    crowd.deliver_all().await;
    // It may be on its way.
    crowd.catch_up().await;
    assert_eq!(crowd.warned(2).await, []);
    crowd.pass(3601);
    crowd.catch_up().await;
    crowd.catch_up().await;
    let missing = Warning::GroupMissing { group: id.0, author: crowd.id(1), missing: 1 };
    assert_eq!(crowd.warned(2).await, [missing], "once");
    // It comes after all, and is the one that was seen.
    for mail in lost.iter().filter(|mail| mail.to == 2) {
        assert_eq!(crowd.deliver(mail).await, Taken::New);
    }
    assert_eq!(crowd.warned(2).await, []);
    assert_eq!(crowd.texts(2, id).await.len(), 3);
}

#[tokio::test]
async fn what_one_who_is_blocked_writes_is_not_missing() {
    let mut crowd = Crowd::new(3).await;
    let id = crowd.founded(0, &[], &[1, 2]).await;
    crowd.says(1, id, "one").await.unwrap();
    crowd.deliver_all().await;
    let mut transaction = crowd.people[2].client.store.begin().await.unwrap();
    let (box_id, standing) = (crowd.id(1), Standing::Blocked);
    let said = PeerState { box_id, standing, changed_at: at(1), declined_at: None };
    peers::merge(&mut transaction, said).await.unwrap();
    transaction.commit().await.unwrap();
    // The server takes nothing of 1 for 2 any more; the others answer it.
    crowd.says(1, id, "two").await.unwrap();
    for mail in crowd.mail().iter().filter(|mail| mail.to == 0) {
        crowd.deliver(mail).await;
    }
    crowd.says(0, id, "yes").await.unwrap();
    crowd.deliver_all().await;
    crowd.pass(3601);
    crowd.catch_up().await;
    assert!(!crowd.texts(2, id).await.contains(&"two".to_owned()));
    assert_eq!(crowd.warned(2).await, []);
}

#[tokio::test]
async fn a_removed_member_s_messages_are_shown_as_such_as_long_as_it_may_not_know() {
    let mut crowd = Crowd::new(3).await;
    let id = crowd.founded(0, &[], &[1, 2]).await;
    crowd.says(2, id, "before").await.unwrap();
    crowd.deliver_all().await;
    crowd.act(0, id, Action::Remove { member: crowd.id(2) }).await.unwrap();
    let removal = crowd.mail();
    for mail in removal.iter().filter(|mail| mail.to == 1) {
        crowd.deliver(mail).await;
    }
    crowd.pass(1);
    crowd.says(2, id, "at the same time").await.unwrap();
    crowd.deliver_all().await;
    let late: Vec<_> =
        crowd.shown(1, id).await.into_iter().map(|message| (message.text.unwrap(), message.is_late)).collect();
    assert_eq!(late, [("before".to_owned(), false), ("at the same time".to_owned(), true)]);
    for mail in removal.iter().filter(|mail| mail.to == 2) {
        crowd.deliver(mail).await;
    }
    assert!(matches!(crowd.says(2, id, "after").await, Err(ClientError::NotInGroup(_))));
}

#[tokio::test]
async fn messages_overtake_each_other_and_the_changes_that_they_name() {
    let mut crowd = Crowd::new(5).await;
    let id = crowd.found(0, &[1], &[2, 3]).await;
    // Nothing is delivered to 3 and 4 until the end; then all of it, the last first.
    let mut kept = Vec::new();
    let hold = async |crowd: &mut Crowd, kept: &mut Vec<super::Mail>| {
        while !crowd.mail.is_empty() {
            for mail in crowd.mail() {
                if mail.to < 3 {
                    crowd.deliver(&mail).await;
                } else {
                    kept.push(mail);
                }
            }
        }
    };
    hold(&mut crowd, &mut kept).await;
    let members = vec![NewMember { box_id: crowd.id(4), role: Role::Member }];
    let steps = [(0, Action::Add { members }), (1, Action::Rename { name: "orchard".to_owned() }), (0, Action::Affirm)];
    for (by, action) in steps {
        crowd.says(2, id, "before").await.unwrap();
        hold(&mut crowd, &mut kept).await;
        crowd.act(by, id, action).await.unwrap();
        hold(&mut crowd, &mut kept).await;
        crowd.says(by, id, "after").await.unwrap();
        hold(&mut crowd, &mut kept).await;
    }
    for mail in kept.iter().rev() {
        assert!(!matches!(crowd.deliver(mail).await, Taken::Refused(_)));
    }
    crowd.deliver_all().await;
    assert_eq!(crowd.texts(3, id).await.len(), 6);
    // The new one has what was said since.
    assert_eq!(crowd.texts(4, id).await.len(), 5);
    for person in [3, 4] {
        assert_eq!(crowd.group(person, id).await.name, "orchard");
        assert_eq!(crowd.members(person, id).await, crowd.members(0, id).await);
        let warned = crowd.warned(person).await;
        assert!(warned.iter().all(|warning| matches!(warning, Warning::Gap { .. })), "{warned:?}");
    }
}

#[tokio::test]
async fn one_that_was_removed_gets_no_receipts_more() {
    let mut crowd = Crowd::new(3).await;
    let id = crowd.founded(0, &[], &[1, 2]).await;
    crowd.says(1, id, "one").await.unwrap();
    crowd.says(2, id, "two").await.unwrap();
    crowd.deliver_all().await;
    crowd.act(0, id, Action::Remove { member: crowd.id(1) }).await.unwrap();
    crowd.deliver_all().await;
    let unread = crowd.people[0].client.unread(10).await.unwrap();
    crowd.people[0].client.mark_read(&unread).await.unwrap();
    for person in 0..3 {
        let device = crowd.people[person].client.device().await.unwrap();
        crowd.people[person].client.write_receipts(&device).await.unwrap();
        crowd.post(person).await;
    }
    // Nor sends it any.
    let sent: BTreeSet<_> = crowd.mail().iter().map(|mail| (mail.from, mail.to)).collect();
    assert_eq!(sent, BTreeSet::from([(0, 2)]));
}

#[tokio::test]
async fn receipts_go_to_the_author_alone_and_among_those_who_accepted_each_other() {
    let mut crowd = Crowd::strangers(3).await;
    crowd.accept(1, 0).await;
    crowd.accept(2, 0).await;
    let id = crowd.founded(0, &[], &[1, 2]).await;
    crowd.says(0, id, "hello").await.unwrap();
    crowd.says(1, id, "hello").await.unwrap();
    crowd.deliver_all().await;
    let unread = crowd.people[2].client.unread(10).await.unwrap();
    crowd.people[2].client.mark_read(&unread).await.unwrap();
    for person in 0..3 {
        let device = crowd.people[person].client.device().await.unwrap();
        crowd.people[person].client.write_receipts(&device).await.unwrap();
        crowd.post(person).await;
    }
    // 1 and 2 have not accepted each other, and 0 has accepted nobody.
    let sent: BTreeSet<_> = crowd.mail.iter().map(|mail| (mail.from, mail.to)).collect();
    assert_eq!(sent, BTreeSet::from([(1, 0), (2, 0)]));
    crowd.deliver_all().await;
    let shown = crowd.shown(0, id).await;
    let own = shown.iter().find(|message| message.is_outgoing).unwrap();
    let by = |person: usize| own.recipients.iter().find(|row| row.box_id == crowd.id(person)).unwrap();
    assert!(by(1).delivered_at.is_some() && by(1).read_at.is_none());
    assert!(by(2).delivered_at.is_some() && by(2).read_at.is_some());
}

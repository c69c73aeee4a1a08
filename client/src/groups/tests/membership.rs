//! Who is in a group: the same for all, whatever comes first, and nothing for the removed.

use std::collections::BTreeSet;

use rossby_crypto::group::{Action, NewMember, Role};

use super::Crowd;
use crate::content::{PeerState, Standing};
use crate::messages::tests::at;
use crate::messages::{Conversation, Taken};
use crate::store::peers;
use crate::{ClientError, GroupRef, Membership, Warning};

impl Crowd {
    fn remove(&self, person: usize) -> Action {
        Action::Remove { member: self.id(person) }
    }

    fn add(&self, person: usize) -> Action {
        Action::Add { members: vec![NewMember { box_id: self.id(person), role: Role::Member }] }
    }

    fn role(&self, person: usize, role: Role) -> Action {
        Action::SetRole { member: self.id(person), role }
    }
}

fn set<const N: usize>(people: [usize; N]) -> BTreeSet<usize> {
    BTreeSet::from(people)
}

#[tokio::test]
async fn a_change_that_comes_before_the_one_it_was_made_on_is_shown_once_that_is_here() {
    let mut crowd = Crowd::new(2).await;
    let id = crowd.founded(0, &[], &[1]).await;
    let mut mail = Vec::new();
    for name in ["orchard", "meadow"] {
        crowd.act(0, id, Action::Rename { name: name.to_owned() }).await.unwrap();
        mail.extend(crowd.mail());
    }
    let shown = async |crowd: &Crowd| {
        let group = Conversation::Group(id.0);
        let messages = crowd.people[1].client.transcript(group, 100, None).await.unwrap();
        messages.into_iter().flat_map(|message| message.group_events).map(|event| event.action).collect::<Vec<_>>()
    };
    assert_eq!(crowd.deliver(&mail[1]).await, Taken::Waiting);
    assert_eq!(shown(&crowd).await.len(), 1, "the founding");
    assert_eq!(crowd.deliver(&mail[0]).await, Taken::New);
    let told: Vec<_> = shown(&crowd).await;
    assert_eq!(told.len(), 3, "{told:?}");
    assert_eq!(crowd.group(1, id).await.name, "meadow");
    assert_eq!(crowd.deliver(&mail[1]).await, Taken::Duplicate);
    assert_eq!(crowd.warned(1).await, []);
}

#[tokio::test]
async fn a_group_is_founded_grows_and_shrinks_for_all_alike() {
    let mut crowd = Crowd::new(5).await;
    let id = crowd.founded(0, &[1], &[2]).await;
    crowd.act(1, id, crowd.add(3)).await.unwrap();
    crowd.deliver_all().await;
    crowd.act(0, id, Action::Rename { name: "orchard".to_owned() }).await.unwrap();
    crowd.deliver_all().await;
    crowd.says(3, id, "hello").await.unwrap();
    crowd.deliver_all().await;
    for person in 0..4 {
        assert_eq!(crowd.members(person, id).await, (set([0, 1, 2, 3]), set([0, 1])));
        assert_eq!(crowd.group(person, id).await.name, "orchard");
        assert_eq!(crowd.texts(person, id).await, ["hello"]);
        assert_eq!(crowd.warned(person).await, []);
    }
    assert_eq!(crowd.group(3, id).await.added_by, Some(crowd.id(1)));
    assert!(matches!(crowd.people[4].client.group(&GroupRef::from(id)).await, Err(ClientError::NoGroupNamed(_))));

    crowd.act(2, id, Action::Leave).await.unwrap();
    crowd.deliver_all().await;
    crowd.act(0, id, crowd.role(3, Role::Admin)).await.unwrap();
    crowd.deliver_all().await;
    crowd.act(3, id, crowd.remove(1)).await.unwrap();
    crowd.deliver_all().await;
    for person in [0, 3] {
        assert_eq!(crowd.members(person, id).await, (set([0, 3]), set([0, 3])));
    }
    let standing = [crowd.group(2, id).await.membership, crowd.group(1, id).await.membership];
    assert_eq!(standing, [Membership::Left, Membership::Removed]);
    let by = Some(crowd.id(3));
    assert_eq!(crowd.warned(1).await, [Warning::RemovedFromGroup { group: id.0, name: "orchard".to_owned(), by }]);
    for person in [1, 2] {
        assert!(matches!(crowd.says(person, id, "me too").await, Err(ClientError::NotInGroup(_))));
    }
    assert!(matches!(crowd.act(1, id, crowd.add(2)).await, Err(ClientError::GroupChange(_))));
}

#[tokio::test]
async fn two_admins_at_once_come_to_the_same_for_all_in_every_order() {
    let mut crowd = Crowd::new(5).await;
    let actions = |crowd: &Crowd, other: usize| {
        [
            crowd.remove(other),
            crowd.role(other, Role::Member),
            crowd.remove(2),
            crowd.role(2, Role::Admin),
            crowd.add(4),
            Action::Leave,
            Action::Rename { name: format!("not {other}'s") },
        ]
    };
    for mine in actions(&crowd, 1) {
        for theirs in actions(&crowd, 0) {
            let id = crowd.founded(0, &[1], &[2, 3]).await;
            crowd.act(0, id, mine.clone()).await.unwrap();
            crowd.act(1, id, theirs.clone()).await.unwrap();
            // To some in the one order and to others in the other.
            let mut mail = crowd.mail();
            mail.sort_by_key(|mail| if mail.to % 2 == 0 { mail.from } else { usize::MAX - mail.from });
            for mail in mail {
                assert!(!matches!(crowd.deliver(&mail).await, Taken::Refused(_)), "{mine:?} {theirs:?}");
            }
            crowd.deliver_all().await;
            let expected = crowd.members(3, id).await;
            let name = crowd.group(3, id).await.name;
            for person in [0, 1, 2] {
                let group = crowd.group(person, id).await;
                assert_eq!(crowd.members(person, id).await, expected, "{mine:?} {theirs:?} as {person} sees it");
                assert_eq!(group.name, name);
            }
            // Of two who remove each other the founder stays.
            if mine == crowd.remove(1) && theirs == crowd.remove(0) {
                assert_eq!(expected, (set([0, 2, 3]), set([0])));
            }
            // What anyone says now reaches the members, and nobody else.
            crowd.says(3, id, "all here?").await.unwrap();
            let reached: BTreeSet<usize> = crowd.mail.iter().map(|mail| mail.to).chain([3]).collect();
            assert_eq!(reached, expected.0, "{mine:?} {theirs:?}");
            crowd.deliver_all().await;
            // Who was added by the one does not know what the other did, and asks.
            crowd.pass(3600);
            crowd.catch_up().await;
            for person in expected.0 {
                assert_eq!(crowd.texts(person, id).await, ["all here?"], "{mine:?} {theirs:?} as {person} sees it");
            }
        }
    }
}

#[tokio::test]
async fn who_saw_a_removal_sends_the_removed_nothing_more() {
    let mut crowd = Crowd::new(4).await;
    let id = crowd.founded(0, &[1], &[2, 3]).await;
    // Person 1 has written and is not heard yet when it learns that 2 was removed; what has not left it goes to the others alone.
    let device = crowd.people[1].client.device().await.unwrap();
    let body = crate::messages::body_of(&crate::content::Content::Text("for the members".to_owned())).unwrap();
    let mut transaction = crowd.people[1].client.store.begin().await.unwrap();
    let kind = crate::content::Kind::Text;
    let (to, written) =
        crowd.people[1].client.written_to_group(&mut transaction, &device, id, (kind, body)).await.unwrap();
    crowd.people[1].client.compose(&mut transaction, &device, &to, written).await.unwrap();
    transaction.commit().await.unwrap();
    crowd.act(0, id, crowd.remove(2)).await.unwrap();
    let mail = crowd.mail();
    let to_removed: Vec<_> = mail.iter().filter(|mail| mail.to == 2).collect();
    assert_eq!(to_removed.len(), 1, "the removed one is told, once");
    for mail in mail.iter().filter(|mail| mail.to == 1) {
        crowd.deliver(mail).await;
    }
    let reached: BTreeSet<usize> = crowd.mail.iter().map(|mail| mail.to).collect();
    assert_eq!(reached, set([0, 3]));
    let latest = crowd.people[1].client.transcript(Conversation::Group(id.0), 10, None).await.unwrap();
    let written = latest.iter().find(|message| message.text.is_some()).unwrap();
    let removed = written.recipients.iter().find(|row| row.box_id == crowd.id(2)).unwrap();
    assert!(removed.reason.as_ref().is_some_and(|reason| reason.contains("no member")));
    // Nor does who has not written yet.
    for mail in mail.iter().filter(|mail| mail.to != 1) {
        crowd.deliver(mail).await;
    }
    crowd.deliver_all().await;
    for person in [0, 1, 3] {
        crowd.says(person, id, "later").await.unwrap();
        crowd.act(person, id, Action::Affirm).await.unwrap();
        assert!(crowd.mail.iter().all(|mail| mail.to != 2));
        crowd.deliver_all().await;
    }
    assert_eq!(crowd.texts(2, id).await, [""; 0]);
    assert_eq!(crowd.texts(3, id).await.len(), 4);
}

#[tokio::test]
async fn a_stranger_s_group_is_a_request() {
    let mut crowd = Crowd::strangers(3).await;
    let id = crowd.founded(0, &[], &[1, 2]).await;
    crowd.says(0, id, "join us").await.unwrap();
    crowd.deliver_all().await;
    let shown = crowd.people[1].client.unread(10).await.unwrap();
    assert!(shown.iter().all(|message| message.is_request && message.group_name.as_deref() == Some("garden")));
    assert_eq!(crowd.group(1, id).await.membership, Membership::Requested);
    // One takes part, by writing; the other declines, and nothing of it is seen any more.
    crowd.says(1, id, "gladly").await.unwrap();
    crowd.deliver_all().await;
    assert_eq!(crowd.group(1, id).await.membership, Membership::Member);
    crowd.people[2].client.decline_group(&GroupRef::from(id)).await.unwrap();
    crowd.says(0, id, "and you?").await.unwrap();
    let mail = crowd.mail();
    for mail in &mail {
        let expected = if mail.to == 2 { Taken::PassedOver } else { Taken::New };
        assert_eq!(crowd.deliver(mail).await, expected);
    }
    assert_eq!(crowd.people[2].client.groups().await.unwrap(), []);
    assert_eq!(crowd.texts(2, id).await, [""; 0]);
    assert!(matches!(crowd.says(2, id, "what?").await, Err(ClientError::NoSuchGroup(_))));
    // Removed and added again, that one is asked again.
    crowd.act(0, id, crowd.remove(2)).await.unwrap();
    crowd.deliver_all().await;
    crowd.act(0, id, crowd.add(2)).await.unwrap();
    crowd.deliver_all().await;
    assert_eq!(crowd.group(2, id).await.membership, Membership::Requested);
    crowd.people[2].client.accept_group(&GroupRef::from(id)).await.unwrap();
    crowd.says(0, id, "welcome").await.unwrap();
    crowd.deliver_all().await;
    assert_eq!(crowd.texts(2, id).await, ["welcome"]);
}

#[tokio::test]
async fn a_blocked_one_s_group_is_declined_at_once() {
    let mut crowd = Crowd::strangers(2).await;
    let mut transaction = crowd.people[1].client.store.begin().await.unwrap();
    let (box_id, standing) = (crowd.id(0), Standing::Blocked);
    let said = PeerState { box_id, standing, changed_at: at(0), declined_at: None };
    peers::merge(&mut transaction, said).await.unwrap();
    transaction.commit().await.unwrap();
    let id = crowd.founded(0, &[], &[1]).await;
    crowd.says(0, id, "hello").await.unwrap();
    crowd.deliver_all().await;
    assert_eq!(crowd.group(1, id).await.membership, Membership::Declined);
    assert_eq!(crowd.people[1].client.unread(10).await.unwrap().len(), 0);
}

#[tokio::test]
async fn groups_are_named_by_name_or_by_the_beginning_of_their_ids() {
    let mut crowd = Crowd::new(2).await;
    let one = crowd.founded(0, &[], &[1]).await;
    let named = async |crowd: &Crowd, text: &str| crowd.people[1].client.group_id(&text.parse().unwrap()).await;
    assert_eq!(named(&crowd, "garden").await.unwrap(), one);
    assert_eq!(named(&crowd, &one.to_string()[..6]).await.unwrap(), one);
    assert!(matches!(named(&crowd, &one.to_string()[..3]).await, Err(ClientError::NoGroupNamed(_))));
    let other = crowd.founded(0, &[], &[1]).await;
    assert!(matches!(named(&crowd, "garden").await, Err(ClientError::AmbiguousGroup(_))));
    assert_eq!(named(&crowd, &other.to_string()).await.unwrap(), other);
    // A stranger's group can't pass for one that the person takes part in.
    let mut crowd = Crowd::strangers(3).await;
    crowd.accept(1, 0).await;
    let own = crowd.founded(0, &[], &[1]).await;
    crowd.founded(2, &[], &[1]).await;
    assert_eq!(named(&crowd, "garden").await.unwrap(), own);
}

//! Changes that were lost on the way, and keys that the server does not show.

use rossby_crypto::group::{Action, NewMember, Role};

use super::Crowd;
use crate::messages::Taken;
use crate::store::records;
use crate::{ClientError, Membership, Warning};

#[tokio::test]
async fn who_lacks_a_change_keeps_the_message_and_asks_its_author() {
    let mut crowd = Crowd::new(4).await;
    let id = crowd.founded(0, &[1], &[2, 3]).await;
    crowd.act(0, id, Action::Rename { name: "orchard".to_owned() }).await.unwrap();
    for mail in crowd.mail().iter().filter(|mail| mail.to != 3) {
        crowd.deliver(mail).await;
    }
    crowd.says(2, id, "under the trees").await.unwrap();
    let mail = crowd.mail();
    for mail in &mail {
        let expected = if mail.to == 3 { Taken::Waiting } else { Taken::New };
        assert_eq!(crowd.deliver(mail).await, expected);
    }
    assert_eq!(crowd.texts(3, id).await, [""; 0]);
    assert_eq!(crowd.warned(3).await, []);
    // It comes again before the change does: it waits once.
    let again = mail.iter().find(|mail| mail.to == 3).unwrap();
    assert_eq!(crowd.deliver(again).await, Taken::Duplicate);
    let own = crowd.people[3].client.as_stored().await.unwrap();
    crowd.people[3].client.ask_members(&own).await.unwrap();
    crowd.people[3].client.ask_members(&own).await.unwrap();
    crowd.post(3).await;
    assert_eq!(crowd.mail.iter().map(|mail| mail.to).collect::<Vec<_>>(), [2], "one is asked, once");
    crowd.deliver_all().await;
    assert_eq!(crowd.texts(3, id).await, ["under the trees"]);
    assert_eq!(crowd.group(3, id).await.name, "orchard");
    assert_eq!(crowd.warned(3).await, []);
    assert_eq!(crowd.deliver(again).await, Taken::Duplicate);
}

#[tokio::test]
async fn who_names_old_heads_for_long_is_told_the_changes_again() {
    let mut crowd = Crowd::new(3).await;
    let id = crowd.founded(0, &[], &[1, 2]).await;
    crowd.act(0, id, Action::Rename { name: "orchard".to_owned() }).await.unwrap();
    for mail in crowd.mail().iter().filter(|mail| mail.to == 1) {
        crowd.deliver(mail).await;
    }
    // For a while it may be on its way.
    crowd.says(2, id, "one").await.unwrap();
    crowd.deliver_all().await;
    assert_eq!(crowd.group(2, id).await.name, "garden");
    crowd.pass(601);
    crowd.says(2, id, "two").await.unwrap();
    for mail in crowd.mail().iter().filter(|mail| mail.to == 1) {
        crowd.deliver(mail).await;
    }
    assert_eq!(crowd.mail.len(), 0, "others leave it to the change's author for longer");
    crowd.says(2, id, "three").await.unwrap();
    crowd.deliver_all().await;
    assert_eq!(crowd.group(2, id).await.name, "orchard");
    // The author is gone: then others do it.
    crowd.act(0, id, Action::Rename { name: "wood".to_owned() }).await.unwrap();
    for mail in crowd.mail().iter().filter(|mail| mail.to == 1) {
        crowd.deliver(mail).await;
    }
    crowd.pass(3601);
    crowd.says(2, id, "four").await.unwrap();
    for mail in crowd.mail().iter().filter(|mail| mail.to == 1) {
        crowd.deliver(mail).await;
    }
    crowd.deliver_all().await;
    assert_eq!(crowd.group(2, id).await.name, "wood");
}

#[tokio::test]
async fn one_that_was_removed_is_told_that_and_nothing_after() {
    let mut crowd = Crowd::new(3).await;
    let id = crowd.founded(0, &[], &[1, 2]).await;
    crowd.act(0, id, Action::Remove { member: crowd.id(2) }).await.unwrap();
    for mail in crowd.mail().iter().filter(|mail| mail.to == 1) {
        crowd.deliver(mail).await;
    }
    crowd.act(0, id, Action::Rename { name: "without 2".to_owned() }).await.unwrap();
    crowd.deliver_all().await;
    crowd.pass(7200);
    crowd.says(2, id, "anyone?").await.unwrap();
    crowd.deliver_all().await;
    let group = crowd.group(2, id).await;
    assert_eq!((group.membership, group.name.as_str(), group.changes), (Membership::Removed, "garden", 2));
    // To ask brings it no more, nor does it bring a stranger anything.
    for _ in 0..2 {
        crowd.pass(7200);
        crowd.catch_up().await;
    }
    assert_eq!(crowd.group(2, id).await.changes, 2);
}

#[tokio::test]
async fn an_addition_that_does_not_count_is_told_to_who_was_added() {
    let mut crowd = Crowd::new(4).await;
    let id = crowd.founded(0, &[1], &[2]).await;
    crowd.act(0, id, Action::Remove { member: crowd.id(1) }).await.unwrap();
    let removal = crowd.mail();
    let members = vec![NewMember { box_id: crowd.id(3), role: Role::Member }];
    crowd.act(1, id, Action::Add { members }).await.unwrap();
    crowd.deliver_all().await;
    assert_eq!(crowd.group(3, id).await.membership, Membership::Member);
    for mail in &removal {
        crowd.deliver(mail).await;
    }
    crowd.deliver_all().await;
    crowd.pass(7200);
    crowd.says(3, id, "thank you").await.unwrap();
    crowd.deliver_all().await;
    assert_eq!(crowd.group(3, id).await.membership, Membership::Removed);
    assert!(matches!(crowd.says(3, id, "hello?").await, Err(ClientError::NotInGroup(_))));
    assert_eq!(crowd.members(3, id).await, crowd.members(2, id).await);
}

#[tokio::test]
async fn keys_that_the_server_does_not_show_come_from_another_member() {
    let mut crowd = Crowd::new(3).await;
    // 2 is not known to 1, and there is no server to ask.
    let stranger = crowd.people.pop().unwrap();
    let known: Vec<_> =
        crowd.people.iter().map(|person| (person.session.own.record.clone(), person.sealing.clone())).collect();
    drop(stranger);
    crowd.people.push(crate::messages::tests::Receiver::new().await);
    let mut transaction = crowd.people[2].client.store.begin().await.unwrap();
    for (record, sealing) in known {
        assert!(records::keep_record(&mut transaction, &record).await.unwrap());
        records::keep_sealing_statement(&mut transaction, &sealing).await.unwrap();
    }
    transaction.commit().await.unwrap();
    let mut transaction = crowd.people[0].client.store.begin().await.unwrap();
    let (record, sealing) = (crowd.people[2].session.own.record.clone(), crowd.people[2].sealing.clone());
    assert!(records::keep_record(&mut transaction, &record).await.unwrap());
    records::keep_sealing_statement(&mut transaction, &sealing).await.unwrap();
    transaction.commit().await.unwrap();
    for (one, other) in [(1, 0), (2, 0), (0, 2)] {
        crowd.accept(one, other).await;
    }
    let id = crowd.founded(0, &[], &[1, 2]).await;
    crowd.says(1, id, "hello 2").await.unwrap();
    assert_eq!(crowd.mail().iter().map(|mail| mail.to).collect::<Vec<_>>(), [0], "for 2 it waits");
    // Who founded the group has them.
    crowd.catch_up().await;
    crowd.says(1, id, "hello again").await.unwrap();
    assert!(crowd.mail.iter().any(|mail| mail.to == 2));
}

#[tokio::test]
async fn what_waits_for_long_is_told_once_and_shown_when_the_change_comes_after_all() {
    let mut crowd = Crowd::new(3).await;
    let id = crowd.founded(0, &[], &[1, 2]).await;
    crowd.act(0, id, Action::Rename { name: "orchard".to_owned() }).await.unwrap();
    let change = crowd.mail();
    crowd.says(0, id, "one").await.unwrap();
    crowd.says(0, id, "two").await.unwrap();
    for mail in crowd.mail().iter().filter(|mail| mail.to == 2) {
        assert_eq!(crowd.deliver(mail).await, Taken::Waiting);
    }
    for _ in 0..3 {
        crowd.pass(1300);
        let own = crowd.people[2].client.as_stored().await.unwrap();
        crowd.people[2].client.ask_members(&own).await.unwrap();
        // Nobody answers.
        crowd.post(2).await;
        crowd.mail();
    }
    let waiting = Warning::GroupWaiting { group: id.0, sender: crowd.id(0), waiting: 2 };
    assert_eq!(crowd.warned(2).await, [waiting]);
    for mail in change.iter().filter(|mail| mail.to == 2) {
        assert_eq!(crowd.deliver(mail).await, Taken::New);
    }
    crowd.deliver_all().await;
    assert_eq!(crowd.texts(2, id).await.len(), 2);
    assert_eq!(crowd.warned(2).await, []);
}

#[tokio::test]
async fn a_hundred_changes_and_messages_that_come_backwards_are_kept() {
    let mut crowd = Crowd::new(2).await;
    let id = crowd.founded(0, &[], &[1]).await;
    for n in 0..100 {
        crowd.act(0, id, Action::Rename { name: format!("name {n}") }).await.unwrap();
        crowd.says(0, id, "hello").await.unwrap();
    }
    for mail in crowd.mail().iter().rev() {
        assert!(!matches!(crowd.deliver(mail).await, Taken::Refused(_)));
    }
    assert_eq!((crowd.texts(1, id).await.len(), crowd.group(1, id).await.name.as_str()), (100, "name 99"));
}

//! Whom a client asks, and whom it answers unasked: nobody who may not know that something came.

use rossby_crypto::group::{Action, GroupContent, GroupId, SeenMessage};
use rossby_schemas::encoding::Octets;
use uuid::Uuid;

use super::super::body::{GROUP_REQUEST, GroupRequest};
use super::hostile::rename;
use super::{Crowd, framed};
use crate::Warning;
use crate::content::Standing;
use crate::messages::tests::refused_with;
use crate::messages::{Conversation, Taken, Written};
use crate::store::groups as rows;

impl Crowd {
    /// Asks for what is missing as after a `receive`, and gives whom.
    async fn asked(&mut self, person: usize) -> Vec<usize> {
        let own = self.people[person].client.as_stored().await.unwrap();
        self.people[person].client.ask_members(&own).await.unwrap();
        self.post(person).await;
        self.mail().iter().map(|mail| mail.to).collect()
    }
}

fn unknown_heads() -> GroupContent {
    GroupContent { heads: vec![[1; 32].into()], seen: Vec::new(), kind: 1, body: Octets::default() }
}

#[tokio::test]
async fn who_may_not_know_that_a_message_came_is_not_asked_for_what_it_names() {
    let mut crowd = Crowd::strangers(4).await;
    let (made_up, other) = (GroupId(Uuid::from_bytes([9; 16])), GroupId(Uuid::from_bytes([8; 16])));
    // A stranger, and somebody whom the person has accepted.
    crowd.accept(1, 2).await;
    for (by, id) in [(0, made_up), (2, other)] {
        crowd.writes(by, &[1], framed(id, unknown_heads(), "are you there?")).await;
        let mail = crowd.mail();
        assert_eq!(crowd.deliver(&mail[0]).await, Taken::Waiting);
    }
    assert_eq!(crowd.asked(1).await, [2]);
    // In a group that waits for the person's answer.
    crowd.pass(301);
    let id = crowd.founded(0, &[], &[1, 3]).await;
    crowd.writes(0, &[1], framed(id, unknown_heads(), "are you there?")).await;
    crowd.deliver_all().await;
    assert_eq!(crowd.asked(1).await, [2]);
    // They take part: now they ask.
    crowd.people[1].client.accept_group(&id.into()).await.unwrap();
    assert_eq!(crowd.asked(1).await, [0]);
    // Who was removed is not asked again, whatever they say to have seen; an admin may know more.
    crowd.people[3].client.accept_group(&id.into()).await.unwrap();
    crowd.act(0, id, Action::Remove { member: crowd.id(3) }).await.unwrap();
    crowd.deliver_all().await;
    crowd.pass(301);
    crowd.writes(3, &[1], framed(id, unknown_heads(), "what do you know?")).await;
    let mail = crowd.mail();
    assert_eq!(crowd.deliver(&mail[0]).await, Taken::Waiting);
    let mut asked = crowd.asked(1).await;
    asked.sort_unstable();
    assert_eq!(asked, [0, 2]);
}

#[tokio::test]
async fn nobody_hears_from_a_group_s_changes_that_the_person_has_not_answered_yet() {
    let mut crowd = Crowd::strangers(3).await;
    let id = crowd.founded(0, &[], &[1, 2]).await;
    crowd.people[1].client.accept_group(&id.into()).await.unwrap();
    crowd.act(0, id, rename()).await.unwrap();
    for mail in crowd.mail().iter().filter(|mail| mail.to == 2) {
        crowd.deliver(mail).await;
    }
    // 1 names old heads for long: whoever has not answered keeps silent, and brings it the change afterwards.
    for (answers, expected) in [(false, 0), (true, 1)] {
        if answers {
            crowd.people[2].client.accept_group(&id.into()).await.unwrap();
        }
        crowd.pass(3601);
        crowd.says(1, id, "hello").await.unwrap();
        for mail in crowd.mail().iter().filter(|mail| mail.to == 2) {
            crowd.deliver(mail).await;
        }
        assert_eq!(crowd.mail().iter().filter(|mail| mail.to == 1).count(), expected);
    }
}

#[tokio::test]
async fn what_was_to_be_asked_of_one_who_was_removed_meanwhile_is_not() {
    let mut crowd = Crowd::new(3).await;
    let id = crowd.founded(0, &[], &[1, 2]).await;
    crowd.writes(1, &[2], framed(id, unknown_heads(), "what do you know?")).await;
    let mail = crowd.mail();
    assert_eq!(crowd.deliver(&mail[0]).await, Taken::Waiting);
    // It is asked, and the removal comes before that goes out.
    let own = crowd.people[2].client.as_stored().await.unwrap();
    crowd.people[2].client.ask_members(&own).await.unwrap();
    crowd.act(0, id, Action::Remove { member: crowd.id(1) }).await.unwrap();
    for mail in crowd.mail().iter().filter(|mail| mail.to == 2) {
        crowd.deliver(mail).await;
    }
    assert_eq!(crowd.mail.len(), 0);
}

#[tokio::test]
async fn others_can_t_take_the_places_of_members_messages_that_wait() {
    let mut crowd = Crowd::new(3).await;
    let id = crowd.founded(0, &[], &[1]).await;
    crowd.act(0, id, rename()).await.unwrap();
    let change = crowd.mail();
    crowd.says(0, id, "hello").await.unwrap();
    let hello = crowd.mail();
    // Former members under other names fill all that is there for others.
    crowd.writes(2, &[1], framed(id, unknown_heads(), "spam")).await;
    let mail = crowd.mail();
    assert_eq!(crowd.deliver(&mail[0]).await, Taken::Waiting);
    let mut transaction = crowd.people[1].client.store.begin().await.unwrap();
    sqlx::query(
        "with recursive n(n) as (select 1 union all select n + 1 from n where n < 1999)
         insert into group_messages_waiting (group_id, sender, device, sequence, accepted_at, came_at, signed)
         select group_id, randomblob(16), device, sequence, accepted_at, came_at, signed from group_messages_waiting, n",
    )
    .execute(&mut *transaction)
    .await
    .unwrap();
    transaction.commit().await.unwrap();
    crowd.writes(2, &[1], framed(id, unknown_heads(), "spam")).await;
    let mail = crowd.mail();
    assert!(refused_with(&crowd.deliver(&mail[0]).await).contains("too many"));
    assert_eq!(crowd.deliver(&hello[0]).await, Taken::Waiting);
    // Only what the members wrote can be opened here.
    let mut transaction = crowd.people[1].client.store.begin().await.unwrap();
    sqlx::query("delete from group_messages_waiting where sender <> ?")
        .bind(crowd.id(0).as_bytes().as_slice())
        .execute(&mut *transaction)
        .await
        .unwrap();
    transaction.commit().await.unwrap();
    crowd.deliver(&change[0]).await;
    assert_eq!(crowd.texts(1, id).await, ["hello"]);
}

#[tokio::test]
async fn who_is_blocked_hears_nothing_of_what_is_missing_or_known_here() {
    let mut crowd = Crowd::new(4).await;
    let id = crowd.founded(0, &[], &[1, 2, 3]).await;
    // What 1 wrote waits, 3 knows less than 2, and 2 has asked 1 just now.
    crowd.writes(1, &[2], framed(id, unknown_heads(), "are you there?")).await;
    let mail = crowd.mail();
    assert_eq!(crowd.deliver(&mail[0]).await, Taken::Waiting);
    crowd.act(0, id, rename()).await.unwrap();
    for mail in crowd.mail().iter().filter(|mail| mail.to == 2) {
        crowd.deliver(mail).await;
    }
    crowd.pass(3601);
    crowd.says(3, id, "hello").await.unwrap();
    let from_3: Vec<_> = crowd.mail().into_iter().filter(|mail| mail.to == 2).collect();
    let request = GroupRequest { group: id.0, heads: Vec::new(), records: Vec::new(), messages: Vec::new() };
    let written = Written {
        conversation: Conversation::Direct(crowd.id(2)),
        kind: GROUP_REQUEST,
        body: request.write(),
        is_shown: false,
        frame: None,
        beside: Some(id),
    };
    crowd.writes(3, &[2], written).await;
    let asks = crowd.mail();
    let own = crowd.people[2].client.as_stored().await.unwrap();
    crowd.people[2].client.ask_members(&own).await.unwrap();
    for person in [1, 3] {
        let client = &crowd.people[2].client;
        let mut transaction = client.store.begin().await.unwrap();
        client.stand(&mut transaction, &own.device, crowd.id(person), Standing::Blocked).await.unwrap();
        transaction.commit().await.unwrap();
    }
    crowd.post(2).await;
    assert_eq!(crowd.mail.len(), 0, "what was to be asked has left the outbox");
    // What came before the server knew.
    for mail in from_3.iter().chain(&asks) {
        assert_eq!(crowd.deliver(mail).await, Taken::New);
    }
    assert_eq!(crowd.mail.len(), 0, "nothing is told, and no request answered");
    crowd.pass(301);
    assert_eq!(crowd.asked(2).await, [0; 0]);
    let mut connection = crowd.people[2].client.store.read().await.unwrap();
    assert_eq!(rows::waiting_for_changes(&mut connection).await.unwrap(), []);
}

#[tokio::test]
async fn nobody_is_asked_what_they_have_seen_in_a_group_that_the_person_has_not_answered_yet() {
    let mut crowd = Crowd::strangers(3).await;
    let id = crowd.founded(0, &[], &[1, 2]).await;
    crowd.says(0, id, "the truth").await.unwrap();
    crowd.deliver_all().await;
    let chain = crowd.chain(0, id);
    let seen = SeenMessage { sender: chain.sender, device: chain.device, sequence: 2, hash: [9; 32].into() };
    let heads = crowd.heads(1, id).await;
    let frame = GroupContent { heads, seen: vec![seen], kind: 1, body: Octets::default() };
    crowd.writes(1, &[2], framed(id, frame, "0 lies")).await;
    let mail = crowd.mail();
    assert_eq!(crowd.deliver(&mail[0]).await, Taken::New);
    let (group, author, by) = (id.0, crowd.id(0), crowd.id(1));
    assert_eq!(crowd.warned(2).await, [Warning::GroupDiffers { group, author, by }]);
    assert_eq!(crowd.mail.len(), 0);
}

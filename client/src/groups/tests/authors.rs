//! Whom a client looks up because of changes that came: few, and nobody twice.

use std::slice::from_ref;

use axum::Router;
use rossby_crypto::group::{Action, GroupChange, GroupId, SignedChange};
use rossby_crypto::signing::SigningKey;
use rossby_schemas::encoding::Sha256Digest;
use rossby_schemas::http::problem::ProblemType;
use rossby_schemas::ids::{BoxId, DeviceId, Head};
use uuid::Uuid;

use super::super::body::{GROUP_CHANGES, GroupChanges};
use super::Crowd;
use crate::contacts::tests::Server;
use crate::messages::tests::{Sender, at};
use crate::messages::{Conversation, Taken, Written};
use crate::random::rng;

/// Changes by authors who are made up.
fn made_up(group: GroupId, on: Sha256Digest, count: usize) -> Vec<SignedChange> {
    let sign = |_| {
        let change = GroupChange {
            author: BoxId::from_bytes(*Uuid::new_v4().as_bytes()),
            device: DeviceId(Uuid::new_v4()),
            head: Head { version: 1, hash: [1; 32].into() },
            group: Some(group),
            parents: vec![on],
            time: at(0),
            action: Action::Affirm,
        };
        change.sign(&SigningKey::generate(&mut rng())).unwrap()
    };
    (0..count).map(sign).collect()
}

async fn pair() -> (Server, Crowd) {
    let (server, url) = Server::with(Router::new()).await;
    (server, Crowd::strangers_at(2, &url).await)
}

#[tokio::test]
async fn authors_who_are_made_up_are_hardly_looked_up() {
    let (server, mut crowd) = pair().await;
    // What follows on nothing that is known.
    let unknown = GroupId(Uuid::new_v4());
    crowd.pours(0, 1, unknown, &made_up(unknown, [9; 32].into(), 100)).await;
    assert_eq!(server.asked().len(), 0);
    // What follows on the group's founding: some for each message, and so many in an hour.
    let founding = crowd.would_found(0, &[1]).await;
    let id = founding.group_id();
    crowd.pours(0, 1, id, from_ref(&founding)).await;
    let mut asked = Vec::new();
    for expected in [16, 16, 16, 16, 0] {
        crowd.pours(0, 1, id, &made_up(id, founding.hash(), 20)).await;
        let now = server.asked();
        assert_eq!(now.len(), expected);
        asked.extend(now);
    }
    asked.sort();
    asked.dedup();
    assert_eq!(asked.len(), 64, "nobody twice");
    crowd.people[1].client.look_up_waiting_authors(&crowd.people[1].session.own).await.unwrap();
    assert_eq!(server.asked().len(), 0, "not for a group that waits for the person's answer");
    // In one that was declined nobody is.
    crowd.pass(3601);
    crowd.people[1].client.decline_group(&id.into()).await.unwrap();
    crowd.pours(0, 1, id, from_ref(&founding)).await;
    crowd.pours(0, 1, id, &made_up(id, founding.hash(), 20)).await;
    assert_eq!(server.asked().len(), 0);
}

#[tokio::test]
async fn a_message_that_would_be_refused_asks_for_nobody() {
    let (server, mut crowd) = pair().await;
    let founding = crowd.would_found(0, &[1]).await;
    let id = founding.group_id();
    let changes: Vec<_> = [vec![founding.clone()], made_up(id, founding.hash(), 8)].concat();
    let changes = changes.iter().map(|change| change.octets().clone()).collect();
    let body = GroupChanges { group: id.0, changes, ..GroupChanges::default() }.write();
    let (conversation, beside) = (Conversation::Direct(crowd.id(1)), Some(id));
    let written = Written { conversation, kind: GROUP_CHANGES, body, is_shown: false, frame: None, beside };
    crowd.writes(0, &[1], written).await;
    let mail = crowd.mail();
    assert_eq!(crowd.deliver(&mail[0]).await, Taken::New);
    assert_eq!(server.asked().len(), 8);
    crowd.pass(3601);
    assert_eq!(crowd.deliver(&mail[0]).await, Taken::Duplicate);
    assert_eq!(server.asked().len(), 0);
}

#[tokio::test]
async fn what_a_server_doesn_t_say_now_is_asked_again_and_the_change_waits() {
    let (server, mut crowd) = pair().await;
    crowd.accept(1, 0).await;
    let eve = Sender::new();
    let founding = crowd.would_found_of(0, &[crowd.id(1), eve.record.box_id()]).await;
    let id = founding.group_id();
    crowd.pours(0, 1, id, from_ref(&founding)).await;
    let change = GroupChange {
        author: eve.record.box_id(),
        device: eve.device_id,
        head: eve.record.head(),
        group: Some(id),
        parents: vec![founding.hash()],
        time: at(1),
        action: Action::Leave,
    };
    let change = change.sign(&eve.key).unwrap();
    server.knows(eve.record.box_id(), &eve.record);
    *server.refuses.lock().unwrap() = Some(ProblemType::RateLimited);
    // Who is refused for the moment is not asked on, and the message is kept.
    let others = made_up(id, founding.hash(), 5);
    let taken = crowd.pours(0, 1, id, &[&[change][..], &others].concat()).await;
    assert_eq!((taken, server.asked().len()), (Taken::New, 1));
    assert_eq!(crowd.group(1, id).await.changes, 1);
    *server.refuses.lock().unwrap() = None;
    crowd.people[1].client.look_up_waiting_authors(&crowd.people[1].session.own).await.unwrap();
    assert_eq!(server.asked().len(), 6);
    let group = crowd.group(1, id).await;
    assert_eq!((group.changes, group.members.len()), (2, 2));
    // The others are nobody, and asked for once an hour.
    crowd.people[1].client.look_up_waiting_authors(&crowd.people[1].session.own).await.unwrap();
    assert_eq!(server.asked().len(), 0);
}

//! Changes in masses: what they cost, and that an old group has as many all the same.

use std::slice::from_ref;
use std::time::{Duration, Instant};

use rossby_crypto::group::{Action, GroupChange, GroupId, NewMember, Role, SignedChange};
use rossby_schemas::encoding::{Octets, Sha256Digest};
use rossby_schemas::ids::BoxId;
use uuid::Uuid;

use super::super::body::{GROUP_CHANGES, GroupChanges};
use super::Crowd;
use crate::messages::tests::{at, refused_with};
use crate::messages::{Conversation, Taken, Written};
use crate::store::groups as rows;
use crate::{Membership, Warning};

/// Far above what it takes; without a bound it is minutes.
const PATIENCE: Duration = Duration::from_secs(60);

impl Crowd {
    /// Someone signs changes, each on what is given for it.
    async fn signs(
        &self,
        by: usize,
        group: GroupId,
        changes: impl Iterator<Item = (Vec<Sha256Digest>, Action)>,
    ) -> Vec<SignedChange> {
        let own = self.people[by].client.as_stored().await.unwrap();
        let (author, device, head) = (own.device.box_id, own.device.device_id, own.record.head());
        let sign = |(n, (parents, action)): (u64, (Vec<Sha256Digest>, Action))| {
            GroupChange { author, device, head, group: Some(group), parents, time: at(n), action }
                .sign(&own.device.signing_key)
                .unwrap()
        };
        (1..).zip(changes).map(sign).collect()
    }

    /// A group's founding change, which nobody has been told of.
    pub(super) async fn would_found(&self, by: usize, members: &[usize]) -> SignedChange {
        let members: Vec<BoxId> = members.iter().map(|person| self.id(*person)).collect();
        self.would_found_of(by, &members).await
    }

    pub(super) async fn would_found_of(&self, by: usize, members: &[BoxId]) -> SignedChange {
        let own = self.people[by].client.as_stored().await.unwrap();
        let mut members: Vec<NewMember> =
            members.iter().map(|box_id| NewMember { box_id: *box_id, role: Role::Member }).collect();
        members.sort_unstable();
        let change = GroupChange {
            author: own.device.box_id,
            device: own.device.device_id,
            head: own.record.head(),
            group: None,
            parents: Vec::new(),
            time: at(0),
            action: Action::Found { random: crate::random::octets(), name: "garden".to_owned(), members },
        };
        change.sign(&own.device.signing_key).unwrap()
    }

    /// Someone brings changes to another, in as many messages as it takes. Gives what became of the last one.
    pub(super) async fn pours(&mut self, by: usize, to: usize, id: GroupId, changes: &[SignedChange]) -> Taken {
        let changes: Vec<Octets> = changes.iter().map(|change| change.octets().clone()).collect();
        let mut taken = Taken::PassedOver;
        for part in (GroupChanges { group: id.0, changes, ..GroupChanges::default() }).in_parts() {
            let conversation = Conversation::Direct(self.id(to));
            let (body, beside) = (part.write(), Some(id));
            let written = Written { conversation, kind: GROUP_CHANGES, body, is_shown: false, frame: None, beside };
            self.writes(by, &[to], written).await;
            for mail in self.mail() {
                taken = self.deliver(&mail).await;
            }
        }
        taken
    }

    pub(super) async fn graph_of(&self, person: usize, id: GroupId) -> Option<(usize, usize, usize)> {
        let client = &self.people[person].client;
        let mut connection = client.store.read().await.unwrap();
        let known = client.graph(&mut connection, id).await.unwrap()?;
        Some((known.graph.len(), known.graph.heads().count(), known.graph.forks().len()))
    }
}

/// Changes that one device makes at once.
fn at_once(on: Sha256Digest, count: usize) -> impl Iterator<Item = (Vec<Sha256Digest>, Action)> {
    (0..count).map(move |_| (vec![on], Action::Affirm))
}

#[tokio::test]
async fn thousands_of_changes_of_one_device_at_once_are_one_fork() {
    let mut crowd = Crowd::new(2).await;
    let id = crowd.founded(0, &[], &[1]).await;
    let [founding] = crowd.heads(0, id).await[..] else { panic!("one head") };
    let changes = crowd.signs(1, id, at_once(founding, 4000)).await;
    let begin = Instant::now();
    crowd.pours(1, 0, id, &changes).await;
    let took = begin.elapsed();
    println!("4000 changes at once: {took:?}");
    assert!(took < PATIENCE, "{took:?}");
    assert_eq!(crowd.graph_of(0, id).await, Some((4001, 4000, 1)));
    assert_eq!(crowd.evidence(0).await, 1);
    assert_eq!(crowd.warned(0).await, [Warning::GroupFork { group: id.0, author: crowd.id(1) }]);
}

#[tokio::test]
async fn a_stranger_s_graph_has_few_heads_and_an_old_group_many_changes() {
    let mut crowd = Crowd::strangers(2).await;
    // A stranger's device makes changes at once.
    let founding = crowd.would_found(0, &[1]).await;
    let id = founding.group_id();
    let changes = crowd.signs(0, id, at_once(founding.hash(), 4000)).await;
    crowd.pours(0, 1, id, &[&[founding][..], &changes].concat()).await;
    assert_eq!(crowd.graph_of(1, id).await, Some((65, 64, 1)));
    assert_eq!(crowd.evidence(1).await, 1);
    // What goes on from there is taken: another change joins the heads.
    let mut heads: Vec<_> = crowd.heads(1, id).await.into_iter().take(32).collect();
    heads.sort_unstable();
    let join = crowd.signs(0, id, [(heads, Action::Affirm)].into_iter()).await;
    crowd.pours(0, 1, id, &join).await;
    assert_eq!(crowd.graph_of(1, id).await, Some((66, 33, 1)));
    // A group that had a thousand changes before it adds the person.
    let founding = crowd.would_found(0, &[]).await;
    let id = founding.group_id();
    let mut changes = vec![founding];
    for n in 0..1000 {
        let member = NewMember { box_id: crowd.id(1), role: Role::Member };
        let action = if n < 999 { Action::Affirm } else { Action::Add { members: vec![member] } };
        let parents = changes.last().map(|last| vec![last.hash()]).unwrap_or_default();
        changes.extend(crowd.signs(0, id, [(parents, action)].into_iter()).await);
    }
    crowd.pours(0, 1, id, &changes).await;
    let group = crowd.group(1, id).await;
    assert_eq!((group.membership, group.changes), (Membership::Requested, 1001));
}

#[tokio::test]
async fn strangers_groups_have_so_much_room_together_and_acquaintances_as_much_as_they_need() {
    let mut crowd = Crowd::strangers(3).await;
    crowd.accept(1, 2).await;
    let mut transaction = crowd.people[1].client.store.begin().await.unwrap();
    let full = GroupId(Uuid::from_bytes([9; 16]));
    rows::hear(&mut transaction, full, at(0)).await.unwrap();
    sqlx::query(
        "insert into group_changes_waiting (group_id, hash, change, came_at) values (?, x'00', zeroblob(2097152), 0)",
    )
    .bind(full.as_bytes().as_slice())
    .execute(&mut *transaction)
    .await
    .unwrap();
    transaction.commit().await.unwrap();
    let founding = crowd.would_found(0, &[1]).await;
    let taken = crowd.pours(0, 1, founding.group_id(), from_ref(&founding)).await;
    assert!(refused_with(&taken).contains("all the room"));
    assert_eq!(crowd.graph_of(1, founding.group_id()).await, None);
    // The same change, brought by somebody whom the person has accepted.
    assert_eq!(crowd.pours(2, 1, founding.group_id(), from_ref(&founding)).await, Taken::New);
    assert_eq!(crowd.group(1, founding.group_id()).await.membership, Membership::Requested);
    // In a group that the person takes part in strangers are members as others.
    crowd.people[1].client.accept_group(&founding.group_id().into()).await.unwrap();
    let changes = crowd.signs(0, founding.group_id(), at_once(founding.hash(), 1)).await;
    assert_eq!(crowd.pours(0, 1, founding.group_id(), &changes).await, Taken::New);
    assert_eq!(crowd.group(1, founding.group_id()).await.changes, 2);
}

#[tokio::test]
async fn a_group_that_is_declined_takes_no_room() {
    let mut crowd = Crowd::strangers(2).await;
    let founding = crowd.would_found(0, &[1]).await;
    let id = founding.group_id();
    crowd.pours(0, 1, id, from_ref(&founding)).await;
    crowd.people[1].client.decline_group(&id.into()).await.unwrap();
    let octets = async |crowd: &Crowd| {
        let mut connection = crowd.people[1].client.store.read().await.unwrap();
        rows::unanswered_octets(&mut connection).await.unwrap()
    };
    assert_eq!((crowd.graph_of(1, id).await, octets(&crowd).await), (None, 0));
    // It stays declined, however often it is brought, and what is brought is erased again.
    let changes = crowd.signs(0, id, at_once(founding.hash(), 3)).await;
    crowd.pours(0, 1, id, &[&[founding][..], &changes].concat()).await;
    let mut connection = crowd.people[1].client.store.read().await.unwrap();
    assert_eq!(rows::count_of(&mut connection, rows::GroupStanding::Requested).await.unwrap(), 0);
    drop(connection);
    crowd.pass(3601);
    crowd.catch_up().await;
    assert_eq!((crowd.graph_of(1, id).await, octets(&crowd).await), (None, 0));
}

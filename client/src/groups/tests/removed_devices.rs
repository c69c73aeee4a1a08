//! A member's device that was stolen and removed, in the groups that the member is in.

use rossby_crypto::group::{Action, GroupChange, GroupId, NewMember, Role};
use rossby_crypto::signing::SigningKey;
use rossby_crypto::statements::{Remover, link, remove, request_link};
use rossby_schemas::encoding::Octets;
use rossby_schemas::ids::{DeviceId, Head};
use uuid::Uuid;

use super::Crowd;
use crate::Warning;
use crate::account::Own;
use crate::messages::tests::at;
use crate::store::records;

/// A stolen device.
struct Thief {
    key: SigningKey,
    device: DeviceId,
    /// The head of the record by which it still belongs to the box.
    head: Head,
}

impl Crowd {
    /// Someone links a device, which is stolen, and removes it. All know.
    async fn is_robbed(&mut self, person: usize) -> Thief {
        let own = self.people[person].client.as_stored().await.unwrap();
        let (key, device) = (SigningKey::from_seed(&[5; 32]), DeviceId(Uuid::new_v4()));
        let (box_id, head) = (own.record.box_id(), own.record.head());
        let (own_key, own_device) = (&own.device.signing_key, own.device.device_id);
        let request = request_link(&key, device, box_id, head);
        let mut record = own.record.clone();
        record.append(link(own_key, own_device, box_id, head, &request, at(1)).octets()).unwrap();
        let head = record.head();
        record.append(remove(own_key, Remover::Device(own_device), box_id, head, device, at(2)).octets()).unwrap();
        for person in &self.people {
            let mut transaction = person.client.store.begin().await.unwrap();
            assert!(records::keep_record(&mut transaction, &record).await.unwrap());
            transaction.commit().await.unwrap();
        }
        self.people[person].session.own.record = record;
        Thief { key, device, head }
    }

    /// The thief adds somebody as an admin, on what one knows who helps.
    async fn steals(&self, thief: &Thief, from: usize, helper: usize, id: GroupId, new: usize) -> Octets {
        let change = GroupChange {
            author: self.id(from),
            device: thief.device,
            head: thief.head,
            group: Some(id),
            parents: self.heads(helper, id).await,
            time: at(3),
            action: Action::Add { members: vec![NewMember { box_id: self.id(new), role: Role::Admin }] },
        };
        change.sign(&thief.key).unwrap().octets().clone()
    }

    /// As after a `receive`.
    async fn affirms(&mut self, person: usize) {
        let client = &self.people[person].client;
        let own = Own { record: self.people[person].session.own.record.clone(), ..client.as_stored().await.unwrap() };
        client.affirm_to_groups(&own).await.unwrap();
        self.post(person).await;
    }
}

#[tokio::test]
async fn a_device_that_was_removed_before_its_owner_became_an_admin_changes_nothing() {
    let mut crowd = Crowd::new(4).await;
    let id = crowd.founded(0, &[], &[1, 2]).await;
    let thief = crowd.is_robbed(1).await;
    // 1 is no admin yet, and then it is.
    crowd.affirms(1).await;
    crowd.deliver_all().await;
    crowd.act(0, id, Action::SetRole { member: crowd.id(1), role: Role::Admin }).await.unwrap();
    crowd.deliver_all().await;
    crowd.affirms(1).await;
    crowd.deliver_all().await;
    assert_eq!(crowd.group(0, id).await.changes, 3);
    // Once is enough.
    crowd.affirms(1).await;
    assert_eq!(crowd.mail.len(), 0);
    let change = crowd.steals(&thief, 1, 2, id, 3).await;
    for to in [0, 1] {
        let told = crowd.brings(2, to, id, vec![change.clone()]).await;
        assert!(
            matches!(&told[..], [Warning::RefusedGroupChange { reason, .. }] if reason.contains("later head")),
            "{told:?}"
        );
        assert_eq!(crowd.members(to, id).await.0.len(), 3);
    }
}

#[tokio::test]
async fn what_a_removed_device_changes_before_all_groups_know_is_told() {
    let mut crowd = Crowd::new(5).await;
    let id = crowd.founded(0, &[1], &[2]).await;
    let thief = crowd.is_robbed(1).await;
    // The thief is faster than the device that removed it.
    let change = crowd.steals(&thief, 1, 2, id, 3).await;
    let by_removed = Warning::GroupChangedByRemovedDevice { group: id.0, author: crowd.id(1) };
    for to in [0, 1] {
        assert_eq!(crowd.brings(2, to, id, vec![change.clone()]).await, std::slice::from_ref(&by_removed));
        assert_eq!(crowd.members(to, id).await.0.len(), 4);
    }
    // From then on it is void.
    crowd.affirms(1).await;
    crowd.deliver_all().await;
    let change = crowd.steals(&thief, 1, 0, id, 3).await;
    let told = crowd.brings(2, 0, id, vec![change]).await;
    assert!(matches!(&told[..], [Warning::RefusedGroupChange { .. }]), "{told:?}");
    // Who is added now gets the graph from before, and is told nothing.
    let member = NewMember { box_id: crowd.id(4), role: Role::Member };
    crowd.act(0, id, Action::Add { members: vec![member] }).await.unwrap();
    crowd.deliver_all().await;
    assert_eq!((crowd.group(4, id).await.members.len(), crowd.warned(4).await), (5, Vec::new()));
}

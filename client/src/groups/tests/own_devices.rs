//! What a person's devices tell each other of groups: how the person stands to them.

use rossby_crypto::group::{Action, NewMember, Role};
use rossby_crypto::sealing::SealingSecretKey;
use rossby_crypto::signing::SigningKey;
use rossby_crypto::statements::{SEALING_KEY_LIFETIME, SealingKeyStated, link, request_link, state_sealing_key};
use rossby_schemas::ids::DeviceId;
use uuid::Uuid;

use super::Crowd;
use crate::content::{PeerState, Standing};
use crate::groups::GroupStates;
use crate::messages::tests::at;
use crate::random::rng;
use crate::store::{messages, outbox, peers, records};
use crate::{GroupRef, Membership};

/// The kind by which own devices tell each other how the person stands to groups.
const GROUP_STATES: u32 = 1006;

impl Crowd {
    /// Someone links a device, to which this one can say something.
    async fn gets_another_device(&mut self, person: usize) {
        let own = self.people[person].client.as_stored().await.unwrap();
        let (key, device_id) = (SigningKey::from_seed(&[6; 32]), DeviceId(Uuid::new_v4()));
        let (box_id, head) = (own.record.box_id(), own.record.head());
        let request = request_link(&key, device_id, box_id, head);
        let mut record = own.record.clone();
        let linked = link(&own.device.signing_key, own.device.device_id, box_id, head, &request, at(1));
        record.append(linked.octets()).unwrap();
        let (sealing_key, head) = (SealingSecretKey::generate(&mut rng()).public_key(), record.head());
        let (created, expires) = (at(0), at(0).plus(SEALING_KEY_LIFETIME));
        let stated = SealingKeyStated { box_id, device_id, counter: 1, key: sealing_key, created, expires, head };
        let sealing = record.verify_sealing(state_sealing_key(&key, stated).octets(), None).unwrap();
        let mut transaction = self.people[person].client.store.begin().await.unwrap();
        assert!(records::keep_record(&mut transaction, &record).await.unwrap());
        records::keep_sealing_statement(&mut transaction, &sealing).await.unwrap();
        transaction.commit().await.unwrap();
        self.people[person].session.own.record = record;
    }

    /// What someone's device has to tell the person's others of groups.
    async fn tells(&self, person: usize) -> Vec<GroupStates> {
        let client = &self.people[person].client;
        let mut connection = client.store.read().await.unwrap();
        let mut told = Vec::new();
        for (message, recipient) in outbox::of_kind(&mut connection, GROUP_STATES).await.unwrap() {
            assert_eq!(recipient, self.id(person));
            let stored = messages::message(&mut connection, &client.vault, message).await.unwrap();
            told.push(serde_json::from_slice(stored.body.as_slice()).unwrap());
        }
        told
    }

    /// Someone's device is told this by another one.
    async fn hears(&self, person: usize, states: &GroupStates) {
        let client = &self.people[person].client;
        let mut transaction = client.store.begin().await.unwrap();
        client.heed_group_states(&mut transaction, states).await.unwrap();
        transaction.commit().await.unwrap();
    }
}

#[tokio::test]
async fn a_device_that_takes_part_by_itself_tells_those_that_could_not_know_and_the_person_s_word_counts_before() {
    let mut crowd = Crowd::strangers(4).await;
    crowd.gets_another_device(1).await;
    crowd.accept(1, 0).await;
    let id = crowd.found(0, &[], &[1, 2, 3]).await;
    for mail in crowd.mail() {
        crowd.people[mail.to].take(&mail.fetched).await;
    }
    assert_eq!(crowd.group(1, id).await.membership, Membership::Member);
    let told = crowd.tells(1).await;
    assert_eq!(told.len(), 1, "one that knew whom the person accepts tells the others");
    // For the change it makes no difference whose device it is: 2's and 3's took it before they knew.
    assert_eq!(crowd.group(2, id).await.membership, Membership::Requested);
    assert_eq!(crowd.tells(2).await, [], "who does not know says nothing");
    crowd.hears(2, &told[0]).await;
    assert_eq!(crowd.group(2, id).await.membership, Membership::Member);
    // What the person said before that is later than what a device did by itself.
    crowd.people[3].client.decline_group(&GroupRef::from(id)).await.unwrap();
    crowd.hears(3, &told[0]).await;
    assert_eq!(crowd.people[3].client.groups().await.unwrap(), []);
}

#[tokio::test]
async fn a_device_that_declines_by_itself_has_the_others_erase_nothing() {
    let mut crowd = Crowd::strangers(2).await;
    crowd.gets_another_device(1).await;
    let mut transaction = crowd.people[1].client.store.begin().await.unwrap();
    let said = PeerState { box_id: crowd.id(0), standing: Standing::Blocked, changed_at: at(0), declined_at: None };
    peers::merge(&mut transaction, said).await.unwrap();
    transaction.commit().await.unwrap();
    let id = crowd.found(0, &[], &[1]).await;
    for mail in crowd.mail() {
        crowd.people[mail.to].take(&mail.fetched).await;
    }
    assert_eq!(crowd.group(1, id).await.membership, Membership::Declined);
    assert_eq!(crowd.tells(1).await, [], "the others may know of an unblocking that has not come here");
}

#[tokio::test]
async fn older_keys_that_a_member_brings_are_nothing_to_tell() {
    let mut crowd = Crowd::new(3).await;
    let id = crowd.founded(0, &[1], &[]).await;
    // 2 has seen a later key of 0's than 1 has.
    let own = crowd.people[0].client.as_stored().await.unwrap();
    let (box_id, device_id, head) = (own.record.box_id(), own.device.device_id, own.record.head());
    let key = SealingSecretKey::generate(&mut rng()).public_key();
    let (created, expires) = (at(0), at(0).plus(SEALING_KEY_LIFETIME));
    let stated = SealingKeyStated { box_id, device_id, counter: 7, key, created, expires, head };
    let statement = state_sealing_key(&own.device.signing_key, stated);
    let later = own.record.verify_sealing(statement.octets(), None).unwrap();
    let mut transaction = crowd.people[2].client.store.begin().await.unwrap();
    records::keep_sealing_statement(&mut transaction, &later).await.unwrap();
    transaction.commit().await.unwrap();
    let add = Action::Add { members: vec![NewMember { box_id: crowd.id(2), role: Role::Member }] };
    crowd.act(1, id, add).await.unwrap();
    crowd.deliver_all().await;
    assert_eq!(crowd.group(2, id).await.members.len(), 3);
    assert_eq!(crowd.warned(2).await, []);
    let mut connection = crowd.people[2].client.store.read().await.unwrap();
    let held = records::sealing_statements(&mut connection, &own.record).await.unwrap();
    assert_eq!(held[0].content().counter, 7);
}

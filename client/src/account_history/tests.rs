//! What a server may give as an account's history, and what is found out about it.

use rossby_crypto::account::{AccountChange, AccountCommand};
use rossby_crypto::history::{NO_ENTRY, chain_hash, data_hash};
use rossby_crypto::signing::SigningKey;
use rossby_crypto::statements::{Linked, SealingKeyStated, Statement, link, request_link, state_sealing_key};
use rossby_schemas::encoding::{FixedOctets, Octets};
use rossby_schemas::events::identifiers::{IdentifierReleasedV2, IdentifierVerifiedV2};
use rossby_schemas::events::keys::{BoxFoundedV1, DeviceLinkedV1, SealingKeyStatedV1};
use rossby_schemas::events::profiles::{Audience, BoxBlockedV1, DiscoverableSetV1};
use rossby_schemas::events::{Event, SignedCommand};
use rossby_schemas::ids::{BoxId, CommandId, DeviceId, IdentifierHash, RegionNumber, RegistrationId};

use super::*;
use crate::messages::tests::{Receiver, at};
use crate::store::records;

const OTHER: DeviceId = DeviceId::from_bytes([8; 16]);
const MAIL: IdentifierHash = IdentifierHash([1; 32]);

/// The device under test, another of its box that it has linked, and what an honest server has of them.
struct Ann {
    device: Receiver,
    own: Own,
    list: AccountList,
    other: SigningKey,
    entries: Vec<HistoryEntry>,
}

impl Ann {
    /// Registered, with a second device that has made a new sealing key, an audience, a block, and one identifier that came and went.
    async fn new() -> Self {
        let device = Receiver::new().await;
        let this = device.client.device().await.unwrap();
        let mut record =
            records::own_record(&mut device.client.store.read().await.unwrap(), this.box_id).await.unwrap();
        let other = SigningKey::generate(&mut crate::random::rng());
        let (box_id, first_head) = (record.box_id(), record.head());
        let request = request_link(&other, OTHER, box_id, first_head);
        let linked: Statement<Linked> = link(&this.signing_key, this.device_id, box_id, first_head, &request, at(0));
        record.append(linked.octets()).unwrap();
        device.client.keep_record(box_id, record.statements(), &[]).await.unwrap();
        let head = record.head();
        let sealing = |counter| {
            let key = device.sealing.content().key.clone();
            let content = SealingKeyStated {
                box_id,
                device_id: OTHER,
                counter,
                key,
                created: at(0),
                expires: at(100),
                head: if counter == 1 { first_head } else { head },
            };
            state_sealing_key(&other, content).octets().clone()
        };
        let own_sealing = device.client.store.sealing_keys().await.unwrap()[0].statement.clone();
        let events = [
            Event::BoxFoundedV1(BoxFoundedV1 {
                box_id,
                device_id: this.device_id,
                founding_statement: record.statements()[0].clone(),
                sealing_statement: own_sealing,
            }),
            Event::DeviceLinkedV1(DeviceLinkedV1 {
                box_id,
                device_id: OTHER,
                linking_statement: linked.octets().clone(),
                sealing_statement: sealing(1),
            }),
            Event::SealingKeyStatedV1(SealingKeyStatedV1 {
                box_id,
                device_id: OTHER,
                counter: 2,
                sealing_statement: sealing(2),
            }),
        ];
        let keys_version = events.len() as u64;
        let list = AccountList { keys_version, profile_version: 2, identifiers: Vec::new(), claims: Vec::new() };
        let mut ann = Self { device, own: Own { device: this, record }, list, other, entries: Vec::new() };
        let stream = box_id.to_string();
        for (version, event) in events.iter().enumerate() {
            ann.push(Topic::Keys, &stream, version as u64 + 1, event);
        }
        for (version, event) in [ann.open_to(0, Audience::Contacts), ann.block(1)].iter().enumerate() {
            ann.push(Topic::Profiles, &stream, version as u64 + 1, event);
        }
        for (version, event) in [(3, ann.verified()), (7, ann.released(3))] {
            ann.push(Topic::Identifiers, &MAIL.to_string(), version, &event);
        }
        ann
    }

    fn box_id(&self) -> BoxId {
        self.own.device.box_id
    }

    /// What the other device signs.
    fn signed(&self, expected_version: u64, change: AccountChange) -> SignedCommand {
        self.signed_with(&self.other, expected_version, change)
    }

    fn signed_with(&self, key: &SigningKey, expected_version: u64, change: AccountChange) -> SignedCommand {
        let (command_id, box_id) = (CommandId::from_bytes([7; 16]), self.box_id());
        AccountCommand { command_id, box_id, expected_version, device_id: OTHER, time: at(0), change }.sign(key)
    }

    fn open_to(&self, version: u64, discoverable: Audience) -> Event {
        let signed = self.signed(version, AccountChange::SetDiscoverable(discoverable));
        Event::DiscoverableSetV1(DiscoverableSetV1 { box_id: self.box_id(), discoverable, signed })
    }

    fn block(&self, version: u64) -> Event {
        let tag = FixedOctets([5; 32]);
        let signed = self.signed(version, AccountChange::Block(tag));
        Event::BoxBlockedV1(BoxBlockedV1 { box_id: self.box_id(), tag, signed })
    }

    fn verified(&self) -> Event {
        let registration_id = RegistrationId::from_bytes([3; 16]);
        let change = AccountChange::AddIdentifier { identifier: MAIL, registration_id };
        Event::IdentifierVerifiedV2(IdentifierVerifiedV2 {
            identifier_hash: MAIL,
            secret_number: 1,
            slot: MAIL.slot(),
            box_id: self.box_id(),
            registration_id,
            founding: None,
            signed: Some(self.signed(0, change)),
        })
    }

    fn released(&self, version: u64) -> Event {
        let signed = Some(self.signed(version, AccountChange::RemoveIdentifier(MAIL)));
        Event::IdentifierReleasedV2(IdentifierReleasedV2 { identifier_hash: MAIL, box_id: self.box_id(), signed })
    }

    fn push(&mut self, topic: Topic, stream: &str, version: u64, event: &Event) {
        let data = Octets(event.encode().1);
        self.entries.push(HistoryEntry {
            topic: topic.name().to_owned(),
            stream: stream.to_owned(),
            version,
            event_id: EventId::from_bytes([u8::try_from(self.entries.len()).unwrap(); 16]),
            event_type: event.event_type().to_owned(),
            region: RegionNumber(1),
            time: at(self.entries.len() as u64),
            device_id: None,
            data_hash: data_hash(&data),
            data: Some(data),
            hash: NO_ENTRY,
        });
    }

    /// Puts another event in an entry's place.
    fn replace(&mut self, index: usize, event: &Event) {
        let data = Octets(event.encode().1);
        let entry = &mut self.entries[index];
        (entry.data_hash, entry.data) = (data_hash(&data), Some(data));
        event.event_type().clone_into(&mut entry.event_type);
    }

    /// Looks at the history, with hashes as the server would make them. Gives what is wrong.
    async fn look(&self) -> Vec<(u64, FaultKind)> {
        self.look_at(chained(self.entries.clone())).await
    }

    async fn look_at(&self, entries: Vec<HistoryEntry>) -> Vec<(u64, FaultKind)> {
        let checked = self.device.client.check_history(&self.own, &self.list, entries).await.unwrap();
        let told = self.device.warned().await;
        assert_eq!(told, checked.faults.iter().cloned().map(Warning::HistoryDiffers).collect::<Vec<_>>());
        checked.faults.into_iter().map(|fault| (fault.version, fault.kind)).collect()
    }
}

/// The entries with the hashes of their chains.
fn chained(mut entries: Vec<HistoryEntry>) -> Vec<HistoryEntry> {
    let mut last = std::collections::BTreeMap::new();
    for entry in &mut entries {
        let before = last.entry((entry.topic.clone(), entry.stream.clone())).or_insert(NO_ENTRY);
        entry.hash = chain_hash(*before, entry);
        *before = entry.hash;
    }
    entries
}

const KEYS: usize = 0;
const PROFILE: usize = 3;
const MAILS: usize = 5;

#[tokio::test]
async fn an_honest_history_is_whole_signed_and_new_once() {
    let mut ann = Ann::new().await;
    let known = Known { record: &ann.own.record, keys_version: 3, profile_version: 2, seen: &Default::default() };
    let checked = check(&known, chained(ann.entries.clone()));
    let this = Some(ann.own.device.device_id);
    let by: Vec<_> = checked.entries.iter().map(|entry| entry.signed_by).collect();
    assert_eq!(by, [this, this, Some(OTHER), Some(OTHER), Some(OTHER), Some(OTHER), Some(OTHER)]);
    assert_eq!((&checked.faults[..], checked.heads.len()), (&[][..], 3));
    assert!(checked.entries.iter().all(|entry| entry.is_signed && !entry.is_new));
    assert_eq!(checked.record.as_ref(), Some(&ann.own.record));

    assert_eq!(ann.look().await, []);
    let later = ann.block(2);
    ann.push(Topic::Profiles, &ann.box_id().to_string(), 3, &later);
    let seen = account_history::heads(&mut ann.device.client.store.read().await.unwrap()).await.unwrap();
    let known = Known { record: &ann.own.record, keys_version: 3, profile_version: 3, seen: &seen };
    let checked = check(&known, chained(ann.entries.clone()));
    assert_eq!(checked.entries.iter().filter(|entry| entry.is_new).count(), 1);
    assert_eq!(ann.look().await, []);
    assert_eq!(ann.look().await, []);
}

#[tokio::test]
async fn what_is_left_out_is_missed() {
    for (index, version) in [(KEYS + 1, 2), (KEYS + 2, 3), (PROFILE, 1), (PROFILE + 1, 2)] {
        let mut ann = Ann::new().await;
        ann.entries.remove(index);
        let faults = ann.look().await;
        assert!(faults.contains(&(version, FaultKind::LeftOut)), "{index}: {faults:?}");
    }
    // Also where the server says that there is no more: the own key record has it.
    let mut ann = Ann::new().await;
    ann.entries.drain(KEYS + 1..PROFILE);
    ann.list.keys_version = 1;
    assert_eq!(ann.look().await, [(2, FaultKind::LeftOut)]);
    // Of an identifier whatever was seen before; others' events there are none of ours.
    let mut ann = Ann::new().await;
    assert_eq!(ann.look().await, []);
    let gone = ann.entries.pop().unwrap();
    assert_eq!(ann.look().await, [(7, FaultKind::LeftOut)]);
    ann.entries.pop();
    assert_eq!(ann.look().await, [(7, FaultKind::LeftOut)]);
    let later = HistoryEntry { version: 9, ..gone };
    ann.entries.push(later);
    assert!(ann.look().await.contains(&(7, FaultKind::LeftOut)));
}

#[tokio::test]
async fn a_server_that_goes_back_or_tells_another_story_is_told_each_time() {
    let mut ann = Ann::new().await;
    assert_eq!(ann.look().await, []);
    let honest = ann.entries.clone();
    // Back to before the block.
    ann.entries.remove(PROFILE + 1);
    ann.list.profile_version = 1;
    for _ in 0..2 {
        assert_eq!(ann.look().await, [(2, FaultKind::LeftOut)]);
    }
    // Another block in its place, or the same at another time, or another before it: it hangs together, and isn't what was seen.
    for change in [0, 1] {
        ann.entries = honest.clone();
        ann.entries[PROFILE + change].time = at(50);
        assert_eq!(ann.look().await, [(2, FaultKind::OtherThanSeen)]);
    }
    // What follows on it is not taken for what follows on the one that was seen.
    let later = ann.block(2);
    ann.push(Topic::Profiles, &ann.box_id().to_string(), 3, &later);
    for _ in 0..2 {
        assert_eq!(ann.look().await, [(2, FaultKind::OtherThanSeen)]);
    }
    ann.entries = honest;
    assert_eq!(ann.look().await, [], "the honest one is as good as before");
}

#[tokio::test]
async fn what_stands_elsewhere_or_has_another_hash_is_told() {
    let mut ann = Ann::new().await;
    ann.entries.swap(PROFILE, PROFILE + 1);
    let faults = ann.look().await;
    assert!(faults.contains(&(1, FaultKind::Misplaced)), "{faults:?}");
    // One twice.
    let mut ann = Ann::new().await;
    let twice = ann.entries[PROFILE + 1].clone();
    ann.entries.insert(PROFILE + 1, twice);
    assert_eq!(ann.look().await, [(2, FaultKind::Misplaced)]);
    // Of another box, of another topic.
    for (topic, stream) in [("rossby.profiles", "01010101-0101-8101-8101-010101010101"), ("rossby.inbox", "01")] {
        let mut ann = Ann::new().await;
        let mut foreign = ann.entries[PROFILE].clone();
        (foreign.topic, foreign.stream) = (topic.to_owned(), stream.to_owned());
        ann.entries.push(foreign);
        let faults = ann.look().await;
        assert_eq!(faults[0], (1, FaultKind::Misplaced), "{faults:?}");
    }
    let ann = Ann::new().await;
    let mut entries = chained(ann.entries.clone());
    entries[PROFILE].hash = NO_ENTRY;
    assert_eq!(ann.look_at(entries).await, [(1, FaultKind::BadHash)]);
    // Another content under the same hash.
    let mut entries = ann.entries.clone();
    entries[PROFILE].data = Some(Octets(ann.open_to(0, Audience::Contacts).encode().1));
    entries[PROFILE].data_hash = NO_ENTRY;
    assert_eq!(ann.look_at(chained(entries)).await[0], (1, FaultKind::BadHash));
}

#[tokio::test]
async fn what_no_device_has_signed_is_told() {
    let tag = FixedOctets([5; 32]);
    let stranger = SigningKey::generate(&mut crate::random::rng());
    for number in 0..5 {
        let mut ann = Ann::new().await;
        let change = AccountChange::Block(tag);
        let signed = match number {
            0 => ann.signed_with(&stranger, 1, change),
            // Something else than the event says.
            1 => ann.signed(1, AccountChange::Unblock(tag)),
            2 => ann.signed(1, AccountChange::SetDiscoverable(Audience::Nobody)),
            // For another version: what was signed once does not count twice.
            3 => ann.signed(0, change),
            // By a device that there is not.
            _ => SignedCommand { device_id: DeviceId::from_bytes([9; 16]), ..ann.signed(1, change) },
        };
        ann.replace(PROFILE + 1, &Event::BoxBlockedV1(BoxBlockedV1 { box_id: ann.box_id(), tag, signed }));
        let known = Known { record: &ann.own.record, keys_version: 3, profile_version: 2, seen: &Default::default() };
        let checked = check(&known, chained(ann.entries.clone()));
        let [fault] = checked.faults.as_slice() else { panic!("{number}: {:?}", checked.faults) };
        assert!(matches!(fault.kind, FaultKind::NotSigned { .. }), "{number}: {fault}");
        assert_eq!(fault.version, 2);
        assert!(!checked.entries[PROFILE + 1].is_signed);
    }
    // A key record's line that is not signed by whom it must be: nor does what hangs on it count.
    let mut ann = Ann::new().await;
    let mut statement = ann.own.record.statements()[1].as_slice().to_vec();
    let last = statement.len() - 1;
    statement[last] ^= 1;
    let sealing_statement = ann.device.sealing.octets().clone();
    let linking_statement = Octets::from(statement);
    ann.replace(
        KEYS + 1,
        &Event::DeviceLinkedV1(DeviceLinkedV1 {
            box_id: ann.box_id(),
            device_id: OTHER,
            linking_statement,
            sealing_statement,
        }),
    );
    let faults = ann.look().await;
    assert!(faults.iter().filter(|(_, kind)| matches!(kind, FaultKind::NotSigned { .. })).count() >= 2, "{faults:?}");
}

#[tokio::test]
async fn what_is_kept_back_or_unreadable_is_told_but_for_what_others_have_to_do_with() {
    for index in [KEYS, PROFILE] {
        let mut ann = Ann::new().await;
        ann.entries[index].data = None;
        assert!(ann.look().await.contains(&(1, FaultKind::BadContent)), "{index}");
    }
    let mut ann = Ann::new().await;
    let data = Octets::from(&b"{}"[..]);
    (ann.entries[PROFILE].data_hash, ann.entries[PROFILE].data) = (data_hash(&data), Some(data));
    assert_eq!(ann.look().await, [(1, FaultKind::BadContent)]);
    // That an identifier went to another account is told without more.
    let mut ann = Ann::new().await;
    ann.entries[MAILS + 1].data = None;
    ann.entries[MAILS + 1].event_type = "org.rossby.identifiers.identifier-verified.v2".to_owned();
    assert_eq!(ann.look().await, []);
    let known = Known { record: &ann.own.record, keys_version: 3, profile_version: 2, seen: &Default::default() };
    let names = Names::load(&ann.device.client).await.unwrap();
    let event = names.event(check(&known, chained(ann.entries.clone())).entries.pop().unwrap());
    assert_eq!(event.action, HistoryAction::IdentifierTaken(MAIL.to_string()));
    assert_eq!((event.by, event.is_signed), (None, false), "the server's word");
}

#[tokio::test]
async fn another_key_record_is_a_fork() {
    let mut ann = Ann::new().await;
    let third = SigningKey::generate(&mut crate::random::rng());
    let (box_id, device) = (ann.box_id(), &ann.own.device);
    let head = ann.own.record.head_at(1).unwrap();
    let request = request_link(&third, DeviceId::from_bytes([9; 16]), box_id, head);
    let linked = link(&device.signing_key, device.device_id, box_id, head, &request, at(1));
    let linking_statement = linked.octets().clone();
    let sealing_statement = ann.device.sealing.octets().clone();
    let device_id = DeviceId::from_bytes([9; 16]);
    ann.replace(
        KEYS + 1,
        &Event::DeviceLinkedV1(DeviceLinkedV1 { box_id, device_id, linking_statement, sealing_statement }),
    );
    let refused = ann.device.client.check_history(&ann.own, &ann.list, chained(ann.entries.clone())).await;
    assert!(matches!(refused, Err(ClientError::Forked(of)) if of == box_id), "{refused:?}");
}

#[tokio::test]
async fn events_stand_by_their_times_and_those_of_a_stream_in_their_order() {
    let ann = Ann::new().await;
    let names = Names::load(&ann.device.client).await.unwrap();
    let known = Known { record: &ann.own.record, keys_version: 3, profile_version: 2, seen: &Default::default() };
    let mut entries = ann.entries.clone();
    // The first of the profile is the latest, by a clock that is wrong; the second of the keys earlier than the first.
    entries[PROFILE].time = at(1000);
    entries[KEYS].time = at(2);
    let checked = check(&known, chained(entries));
    let mut events: Vec<_> = checked.entries.into_iter().map(|entry| names.event(entry)).collect();
    in_order(&mut events);
    let shown: Vec<_> = events.iter().map(|event| (&event.topic["rossby.".len()..], event.version)).collect();
    let expected = [
        ("keys", 1),
        ("keys", 2),
        ("keys", 3),
        ("identifiers", 3),
        ("identifiers", 7),
        ("profiles", 1),
        ("profiles", 2),
    ];
    assert_eq!(shown, expected);
}

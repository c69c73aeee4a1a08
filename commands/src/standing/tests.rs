//! Every way in which a value and a record can differ.

use std::time::Duration;

use rossby_crypto::key_record::KeyRecord;
use rossby_crypto::message::Wrap;
use rossby_crypto::sealing::SealingSecretKey;
use rossby_crypto::signing::SigningKey;
use rossby_crypto::statements::{Remover, SealingKeyStated, found, link, remove, request_link, state_sealing_key};
use rossby_projections::StoredKeyRecord;
use rossby_schemas::encoding::{FixedOctets, Octets};
use rossby_schemas::ids::{BoxId, Head, RegionNumber};

use super::*;

const DAY: Duration = Duration::from_secs(24 * 3600);
const PHONE: DeviceId = DeviceId::from_bytes([1; 16]);
const LAPTOP: DeviceId = DeviceId::from_bytes([2; 16]);

fn now() -> Timestamp {
    "2026-11-24T09:00:00Z".parse().unwrap()
}

fn key() -> SigningKey {
    SigningKey::generate(&mut rand_core::UnwrapErr(getrandom::SysRng))
}

/// A box with two devices, and what its record was before the second.
struct Ben {
    phone: SigningKey,
    laptop: SigningKey,
    record: KeyRecord,
    founded: Head,
}

impl Ben {
    fn new() -> Self {
        let (phone, laptop) = (key(), key());
        let founding = found(&phone, PHONE, RegionNumber(1), [7; 32], None, now());
        let mut record = KeyRecord::verify(std::slice::from_ref(founding.octets())).unwrap();
        let founded = record.head();
        let request = request_link(&laptop, LAPTOP, record.box_id(), founded);
        let linked = link(&phone, PHONE, record.box_id(), founded, &request, now());
        record.append(linked.octets()).unwrap();
        Self { phone, laptop, record, founded }
    }

    fn sealing(&self, device_id: DeviceId, counter: u64, created: Timestamp) -> Octets {
        let secret = SealingSecretKey::generate(&mut rand_core::UnwrapErr(getrandom::SysRng));
        let content = SealingKeyStated {
            box_id: self.record.box_id(),
            device_id,
            counter,
            key: secret.public_key(),
            created,
            expires: created.plus(7 * DAY),
            head: self.record.head(),
        };
        let key = if device_id == PHONE { &self.phone } else { &self.laptop };
        state_sealing_key(key, content).octets().clone()
    }

    fn stored(&self, sealing_statements: Vec<Octets>) -> BoxRecord {
        let statements = self.record.statements().to_vec();
        let stored = StoredKeyRecord { version: 2, statements, sealing_statements, closing: false, closed: false };
        BoxRecord::verify(&stored, None).unwrap()
    }

    /// With the phone's counter 1 and the laptop's 5.
    fn usual(&self) -> BoxRecord {
        self.stored(vec![self.sealing(PHONE, 1, now()), self.sealing(LAPTOP, 5, now())])
    }
}

fn value(recipient_head: Head, wraps: &[(DeviceId, u64)]) -> MessageValue {
    let wrap = |(device_id, sealing_counter)| Wrap {
        device_id,
        sealing_counter,
        enc: FixedOctets([0; 1120]),
        wrapped_key: FixedOctets([0; 48]),
    };
    let wraps = wraps.iter().copied().map(wrap).collect();
    MessageValue { recipient_head, expires_at: now().plus(DAY), content: Octets::default(), wraps }
}

const ANN: Caller = Caller { box_id: BoxId::from_bytes([9; 16]), device_id: DeviceId::from_bytes([9; 16]) };

#[test]
fn a_value_is_for_exactly_the_devices_and_their_current_keys() {
    let ben = Ben::new();
    let (stored, head) = (ben.usual(), ben.record.head());
    let judged = |wraps: &[(DeviceId, u64)]| standing(&value(head, wraps), &stored, ANN, now());
    let stale =
        Standing::Stale(Stale { head, statements: Vec::new(), sealing_statements: stored.sealing_statements() });
    assert_eq!(judged(&[(PHONE, 1), (LAPTOP, 5)]), Standing::Current);
    assert_eq!(judged(&[(PHONE, 1)]), stale, "a device is left out");
    assert_eq!(judged(&[(PHONE, 1), (LAPTOP, 4)]), stale, "an older key");
    assert_eq!(judged(&[(PHONE, 1), (LAPTOP, 6)]), Standing::Ahead, "a newer key");
    let stranger = DeviceId::from_bytes([3; 16]);
    assert_eq!(judged(&[(PHONE, 1), (LAPTOP, 5), (stranger, 1)]), stale, "a device that is none");
    assert_eq!(judged(&[(PHONE, 1), (stranger, 7)]), stale);
}

#[test]
fn an_older_head_is_told_what_came_since() {
    let ben = Ben::new();
    let stored = ben.usual();
    let older = standing(&value(ben.founded, &[(PHONE, 1)]), &stored, ANN, now());
    let since = ben.record.statements()[1..].to_vec();
    let answer = |statements| {
        let sealing_statements = stored.sealing_statements();
        Standing::Stale(Stale { head: ben.record.head(), statements, sealing_statements })
    };
    assert_eq!(older, answer(since));
    // A head that the record never had: all of it, so that the sender sees the fork.
    let fork = Head { version: 1, hash: FixedOctets([8; 32]) };
    assert_eq!(standing(&value(fork, &[(PHONE, 1)]), &stored, ANN, now()), answer(ben.record.statements().to_vec()));
    let newer = Head { version: 3, hash: FixedOctets([8; 32]) };
    assert_eq!(standing(&value(newer, &[(PHONE, 1)]), &stored, ANN, now()), Standing::Ahead);
}

#[test]
fn nothing_is_owed_to_a_device_without_a_usable_key() {
    let ben = Ben::new();
    let head = ben.record.head();
    let old = now().minus(8 * DAY);
    for sealing in [vec![], vec![ben.sealing(LAPTOP, 5, old)]] {
        let stored = ben.stored([vec![ben.sealing(PHONE, 1, now())], sealing].concat());
        assert_eq!(standing(&value(head, &[(PHONE, 1)]), &stored, ANN, now()), Standing::Current);
        let both = standing(&value(head, &[(PHONE, 1), (LAPTOP, 5)]), &stored, ANN, now());
        assert!(matches!(both, Standing::Stale(_)), "{both:?}");
    }
}

#[test]
fn to_ones_own_box_it_is_for_the_other_devices() {
    let ben = Ben::new();
    let (stored, head) = (ben.usual(), ben.record.head());
    let phone = Caller { box_id: ben.record.box_id(), device_id: PHONE };
    assert_eq!(standing(&value(head, &[(LAPTOP, 5)]), &stored, phone, now()), Standing::Current);
    let both = standing(&value(head, &[(PHONE, 1), (LAPTOP, 5)]), &stored, phone, now());
    assert!(matches!(both, Standing::Stale(_)), "{both:?}");
}

#[test]
fn a_removed_device_gets_nothing() {
    let mut ben = Ben::new();
    let sealing = vec![ben.sealing(PHONE, 1, now()), ben.sealing(LAPTOP, 5, now())];
    let head = ben.record.head();
    let removal = remove(&ben.laptop, Remover::Device(LAPTOP), ben.record.box_id(), head, LAPTOP, now());
    ben.record.append(removal.octets()).unwrap();
    let stored = ben.stored(sealing);
    let both = [(PHONE, 1), (LAPTOP, 5)];
    for head in [head, ben.record.head()] {
        let judged = standing(&value(head, &both), &stored, ANN, now());
        assert!(matches!(judged, Standing::Stale(_)), "{judged:?}");
    }
    assert_eq!(standing(&value(ben.record.head(), &both[..1]), &stored, ANN, now()), Standing::Current);
}

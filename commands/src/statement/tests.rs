//! Which statements are taken from which device.

use std::time::Duration;

use rossby_crypto::sealing::SealingSecretKey;
use rossby_crypto::signing::SigningKey;
use rossby_crypto::statements::{Remover, SealingKeyStated, found, link, remove, request_link, state_sealing_key};
use rossby_schemas::ids::{DeviceId, RegionNumber};

use rossby_crypto::key_record::KeyRecord;
use rossby_projections::StoredKeyRecord;

use super::*;

const PHONE: DeviceId = DeviceId::from_bytes([1; 16]);
const LAPTOP: DeviceId = DeviceId::from_bytes([2; 16]);

fn now() -> Timestamp {
    "2026-11-24T09:00:00Z".parse().unwrap()
}

/// A box with two devices, whose phone has stated counter 3.
struct Ben {
    phone: SigningKey,
    laptop: SigningKey,
    stored: StoredKeyRecord,
}

impl Ben {
    fn new() -> Self {
        let key = || SigningKey::generate(&mut rand_core::UnwrapErr(getrandom::SysRng));
        let (phone, laptop) = (key(), key());
        let founding = found(&phone, PHONE, RegionNumber(1), [7; 32], None, now());
        let record = KeyRecord::verify(std::slice::from_ref(founding.octets())).unwrap();
        let request = request_link(&laptop, LAPTOP, record.box_id(), record.head());
        let linked = link(&phone, PHONE, record.box_id(), record.head(), &request, now());
        let statements = vec![founding.octets().clone(), linked.octets().clone()];
        let stored =
            StoredKeyRecord { version: 2, statements, sealing_statements: Vec::new(), closing: false, closed: false };
        let mut ben = Self { phone, laptop, stored };
        ben.stored.sealing_statements = vec![ben.sealing(PHONE, 3, now())];
        ben
    }

    fn record(&self) -> KeyRecord {
        KeyRecord::verify(&self.stored.statements).unwrap()
    }

    fn key(&self, device_id: DeviceId) -> &SigningKey {
        if device_id == PHONE { &self.phone } else { &self.laptop }
    }

    fn sealing(&self, device_id: DeviceId, counter: u64, created: Timestamp) -> Octets {
        let secret = SealingSecretKey::generate(&mut rand_core::UnwrapErr(getrandom::SysRng));
        let content = SealingKeyStated {
            box_id: self.record().box_id(),
            device_id,
            counter,
            key: secret.public_key(),
            created,
            expires: created.plus(Duration::from_secs(7 * 24 * 3600)),
            head: self.record().head(),
        };
        state_sealing_key(self.key(device_id), content).octets().clone()
    }

    fn removal(&self, by: DeviceId, of: DeviceId) -> Octets {
        let record = self.record();
        let statement = remove(self.key(by), Remover::Device(by), record.box_id(), record.head(), of, now());
        statement.octets().clone()
    }

    fn judged(&self, statement: &Octets, device_id: DeviceId) -> Result<Decision, Refusal> {
        let own = BoxRecord::verify(&self.stored, None).unwrap();
        decide(&own, statement, Caller { box_id: self.record().box_id(), device_id }, now())
    }
}

fn is_refused(judged: &Result<Decision, Refusal>) -> bool {
    matches!(judged, Err(Refusal::Statement { field, .. }) if field == FIELD)
}

#[test]
fn a_sealing_statement_is_of_the_device_that_asks_and_newer() {
    let ben = Ben::new();
    let newer = ben.sealing(PHONE, 4, now());
    let judged = ben.judged(&newer, PHONE).unwrap();
    let Decision::Append(Event::SealingKeyStatedV1(event)) = judged else { panic!("{judged:?}") };
    assert_eq!((event.device_id, event.counter, event.sealing_statement), (PHONE, 4, newer));
    assert!(ben.judged(&ben.sealing(LAPTOP, 1, now()), LAPTOP).is_ok());
    let expired = now().minus(Duration::from_secs(8 * 24 * 3600));
    for (statement, caller) in [
        (ben.sealing(PHONE, 4, now()), LAPTOP),
        (ben.sealing(PHONE, 2, now()), PHONE),
        (ben.sealing(PHONE, 4, expired), PHONE),
    ] {
        assert!(is_refused(&ben.judged(&statement, caller)));
    }
    // Another key under a counter that was stated.
    assert!(is_refused(&ben.judged(&ben.sealing(PHONE, 3, now()), PHONE)));
}

#[test]
fn a_device_removes_itself_or_one_that_came_after_it() {
    let ben = Ben::new();
    for (by, of) in [(PHONE, PHONE), (LAPTOP, LAPTOP), (PHONE, LAPTOP)] {
        let statement = ben.removal(by, of);
        let judged = ben.judged(&statement, by).unwrap();
        let Decision::Append(Event::DeviceRemovedV1(event)) = judged else { panic!("{judged:?}") };
        assert_eq!((event.device_id, event.removal_statement), (of, statement));
    }
    assert!(is_refused(&ben.judged(&ben.removal(LAPTOP, PHONE), LAPTOP)));
}

#[test]
fn nothing_else_is_taken_here() {
    let ben = Ben::new();
    let other = Ben::new();
    for statement in [
        ben.stored.statements[0].clone(),
        ben.stored.statements[1].clone(),
        other.removal(PHONE, PHONE),
        other.sealing(PHONE, 9, now()),
        Octets::default(),
        b"removed".as_slice().into(),
    ] {
        assert!(is_refused(&ben.judged(&statement, PHONE)), "{statement:?}");
    }
    // A closed box has no record any more.
    let closed = StoredKeyRecord { statements: Vec::new(), closed: true, ..ben.stored.clone() };
    assert!(BoxRecord::verify(&closed, None).is_none());
}

#[test]
fn a_third_device_needs_a_link_that_this_version_does_not_take() {
    let ben = Ben::new();
    let record = ben.record();
    let third = SigningKey::generate(&mut rand_core::UnwrapErr(getrandom::SysRng));
    let request = request_link(&third, DeviceId::from_bytes([3; 16]), record.box_id(), record.head());
    let linked = link(&ben.phone, PHONE, record.box_id(), record.head(), &request, now());
    assert!(is_refused(&ben.judged(linked.octets(), PHONE)));
}

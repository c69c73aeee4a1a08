//! Chains of membership: each rule, and what breaks it.

use std::slice::from_ref;

use rossby_crypto::key_record::{HeadRelation, KeyRecord, KeyRecordError, MAX_MEMBERSHIP_STATEMENTS};
use rossby_crypto::layout::LayoutError;
use rossby_crypto::signing::{SIGNATURE_OCTETS, SigningKey};
use rossby_crypto::statements::{MembershipStatement, Remover, found, link, remove, request_link};
use rossby_schemas::encoding::Octets;
use rossby_schemas::ids::{Head, RegionNumber};

use crate::world::{
    device, flipped, founded_by, linked, recoverable, recovery_key, removed, sealing_statement, time, with, without,
};

fn refused(record: &KeyRecord, statement: &Octets) -> KeyRecordError {
    let mut after = record.clone();
    let error = after.append(statement).unwrap_err();
    assert_eq!(&after, record, "a refused statement changes nothing");
    error
}

#[test]
fn a_box_is_founded_grows_and_shrinks() {
    let [a, b, c] = [1, 2, 3].map(device);
    let record = without(&with(&with(&founded_by(&a), &a, &b), &b, &c), &a, &b);
    assert_eq!(record.head().version, 4);
    assert_eq!(record.members().map(|device| device.device_id).collect::<Vec<_>>(), [a.id, c.id]);
    let gone = record.device(b.id).unwrap();
    assert_eq!((gone.was_member_at(1), gone.was_member_at(2), gone.was_member_at(3)), (false, true, true));
    assert!(!gone.was_member_at(4) && !gone.is_member());
    assert_eq!(KeyRecord::verify_of(record.box_id(), record.statements()), Ok(record));
}

#[test]
fn a_record_begins_with_its_founding_and_has_one() {
    let [a, b] = [1, 2].map(device);
    let record = with(&founded_by(&a), &a, &b);
    assert_eq!(KeyRecord::verify(&[]), Err(KeyRecordError::Empty));
    assert_eq!(KeyRecord::verify(&record.statements()[1..]), Err(KeyRecordError::NotFoundedFirst));
    let other = founded_by(&b);
    assert_eq!(refused(&record, &other.statements()[0]), KeyRecordError::FoundedTwice { version: 3 });
    let error = KeyRecord::verify_of(other.box_id(), record.statements());
    assert_eq!(error, Err(KeyRecordError::OtherBox { found: record.box_id() }));
    let sealing = sealing_statement(&record, &a, 1);
    let malformed = KeyRecordError::Malformed { version: 3, source: LayoutError::OtherKind };
    assert_eq!(refused(&record, &sealing), malformed, "a sealing statement is none of membership");
}

#[test]
fn a_missing_statement_a_repeated_one_and_another_ones_place_are_told_apart() {
    let [a, b, c] = [1, 2, 3].map(device);
    let one = founded_by(&a);
    let two = with(&one, &a, &b);
    let three = with(&two, &a, &c);
    let [_, second, third] = [0, 1, 2].map(|i| three.statements()[i].clone());
    assert_eq!(refused(&one, &third), KeyRecordError::Gap { version: 2, stated: 3 });
    assert_eq!(refused(&three, &second), KeyRecordError::Superseded { version: 4, stated: 2 });
    let elsewhere = with(&one, &a, &c);
    let fork = linked(&elsewhere, &a, &b);
    assert_eq!(refused(&two, fork.octets()), KeyRecordError::Fork { version: 3 });
    let foreign = linked(&founded_by(&b), &b, &c);
    assert_eq!(refused(&one, foreign.octets()), KeyRecordError::ForeignBox { version: 2 });
}

#[test]
fn only_devices_that_belong_to_the_box_link() {
    let [a, b, c, d] = [1, 2, 3, 4].map(device);
    let record = without(&with(&founded_by(&a), &a, &b), &a, &b);
    assert_eq!(refused(&record, linked(&record, &c, &d).octets()), KeyRecordError::UnknownSigner { version: 4 });
    assert_eq!(refused(&record, linked(&record, &b, &d).octets()), KeyRecordError::RemovedSigner { version: 4 });
    let pretender = crate::world::Device { id: a.id, ..device(9) };
    let forged = linked(&record, &pretender, &d);
    assert_eq!(refused(&record, forged.octets()), KeyRecordError::BadSignature { version: 4 });
}

#[test]
fn a_device_is_linked_only_where_it_agreed() {
    let [a, b, c] = [1, 2, 3].map(device);
    let record = founded_by(&a);
    let (box_id, head) = (record.box_id(), record.head());
    let elsewhere = request_link(&b.key, b.id, founded_by(&c).box_id(), head);
    let earlier = request_link(&b.key, b.id, box_id, Head { version: 1, hash: [0; 32].into() });
    let mut not_its_own = request_link(&b.key, b.id, box_id, head);
    not_its_own.signing_key = c.key.verification_key();
    for request in [elsewhere, earlier, not_its_own] {
        let statement = link(&a.key, a.id, box_id, head, &request, time(1));
        assert_eq!(refused(&record, statement.octets()), KeyRecordError::BadCountersignature { version: 2 });
    }
}

#[test]
fn ids_and_keys_are_used_once() {
    let [a, b] = [1, 2].map(device);
    let record = without(&with(&recoverable(&a), &a, &b), &a, &b);
    let same_id = crate::world::Device { id: b.id, ..device(9) };
    let refusal = refused(&record, linked(&record, &a, &same_id).octets());
    assert_eq!(refusal, KeyRecordError::DeviceIdReused { version: 4 });
    for key in [device(1).key, device(2).key, recovery_key()] {
        let same_key = crate::world::Device { key, ..device(9) };
        let refusal = refused(&record, linked(&record, &a, &same_key).octets());
        assert_eq!(refusal, KeyRecordError::KeyReused { version: 4 });
    }
}

#[test]
fn a_device_is_removed_by_itself_an_older_one_or_the_recovery_key() {
    let [a, b, c] = [1, 2, 3].map(device);
    let record = with(&with(&recoverable(&a), &a, &b), &a, &c);
    for (signer, gone) in [(&a, &a), (&a, &c), (&b, &c), (&c, &c)] {
        assert_eq!(without(&record, signer, gone).members().count(), 2);
    }
    for (signer, gone) in [(&c, &b), (&c, &a), (&b, &a)] {
        let refusal = refused(&record, &removed(&record, signer, gone));
        assert_eq!(refusal, KeyRecordError::MayNotRemove { version: 4 });
    }
    let recover = |record: &KeyRecord, key: &SigningKey| {
        let by = Remover::RecoveryKey;
        remove(key, by, record.box_id(), record.head(), a.id, time(9)).octets().clone()
    };
    let mut recovered = record.clone();
    recovered.append(&recover(&record, &recovery_key())).unwrap();
    assert!(!recovered.device(a.id).unwrap().is_member());
    assert_eq!(refused(&record, &recover(&record, &a.key)), KeyRecordError::BadSignature { version: 4 });
    let plain = founded_by(&a);
    assert_eq!(refused(&plain, &recover(&plain, &recovery_key())), KeyRecordError::NoRecoveryKey { version: 2 });
}

#[test]
fn what_is_gone_or_never_was_is_not_removed() {
    let [a, b, c] = [1, 2, 3].map(device);
    let record = without(&with(&founded_by(&a), &a, &b), &a, &b);
    assert_eq!(refused(&record, &removed(&record, &a, &b)), KeyRecordError::AlreadyRemoved { version: 4 });
    assert_eq!(refused(&record, &removed(&record, &a, &c)), KeyRecordError::UnknownDevice { version: 4 });
    assert_eq!(refused(&record, &removed(&record, &b, &a)), KeyRecordError::RemovedSigner { version: 4 });
}

#[test]
fn every_octet_is_signed() {
    let [a, b, c] = [1, 2, 3].map(device);
    let record = without(&with(&with(&recoverable(&a), &a, &b), &a, &c), &b, &c);
    for (place, statement) in record.statements().iter().enumerate() {
        for i in 0..statement.as_slice().len() {
            for bit in [0, 7] {
                let mut statements = record.statements().to_vec();
                statements[place] = flipped(statement.as_slice(), i, bit);
                let error = KeyRecord::verify_of(record.box_id(), &statements);
                assert!(error.is_err(), "statement {place}, octet {i}, bit {bit}");
            }
        }
        for length in 0..statement.as_slice().len() {
            assert!(MembershipStatement::parse(&statement.as_slice()[..length].into()).is_err());
        }
        let longer = [statement.as_slice(), &[0]].concat();
        assert!(MembershipStatement::parse(&longer.into()).is_err());
    }
}

#[test]
fn a_founding_statement_that_cannot_be_is_malformed() {
    let a = device(1);
    let malformed = |field| Err(KeyRecordError::Malformed { version: 1, source: LayoutError::Field(field) });
    let nowhere = found(&a.key, a.id, RegionNumber(0), [1; 32], None, time(0));
    assert_eq!(KeyRecord::verify(from_ref(nowhere.octets())), malformed("region"));
    let own_key = Some(a.key.verification_key());
    let own_recovery = found(&a.key, a.id, RegionNumber(1), [1; 32], own_key, time(0));
    assert_eq!(KeyRecord::verify(from_ref(own_recovery.octets())), malformed("recovery key"));
}

#[test]
fn a_key_of_small_order_signs_nothing() {
    // The point of order 1 as the signing key. Under ZIP 215 the signature (that point, 0) is good for any text.
    let founded = founded_by(&device(1)).statements()[0].clone();
    let mut octets = founded.as_slice().to_vec();
    let neutral = [&[1_u8][..], &[0; 31]].concat();
    let key = b"rossby/v1/founded\0".len() + 16;
    octets[key..key + 32].copy_from_slice(&neutral);
    let signature = octets.len() - SIGNATURE_OCTETS;
    octets[signature..].copy_from_slice(&[neutral.as_slice(), &[0; 32]].concat());
    let error = KeyRecordError::Malformed { version: 1, source: LayoutError::Field("signing key") };
    assert_eq!(KeyRecord::verify(&[octets.into()]), Err(error));
}

#[test]
fn heads_stand_in_four_ways() {
    let [a, b, c] = [1, 2, 3].map(device);
    let one = founded_by(&a);
    let two = with(&one, &a, &b);
    let other = with(&one, &a, &c);
    assert_eq!(two.relation(two.head()), HeadRelation::Same);
    assert_eq!(two.relation(one.head()), HeadRelation::Older);
    assert_eq!(one.relation(two.head()), HeadRelation::Ahead);
    assert_eq!(two.relation(other.head()), HeadRelation::Fork);
    assert_eq!(two.relation(Head { version: 0, ..two.head() }), HeadRelation::Fork);
    assert!(two.extends(one.head()) && !two.extends(other.head()));
    assert_eq!(two.statements_since(one.head()), Some(&two.statements()[1..]));
    assert_eq!(two.statements_since(two.head()), Some(&[][..]));
    assert_eq!(two.statements_since(other.head()), None);
    assert_eq!(two.head_at(0), None);
    assert_eq!((two.head_at(1), two.head_at(2), two.head_at(3)), (Some(one.head()), Some(two.head()), None));
}

#[test]
fn records_merge_what_they_lack_and_show_forks() {
    let [a, b, c] = [1, 2, 3].map(device);
    let one = founded_by(&a);
    let three = with(&with(&one, &a, &b), &b, &c);
    assert_eq!(one.merge(three.statements()), Ok(three.clone()));
    assert_eq!(one.merge(&three.statements()[1..]), Ok(three.clone()));
    assert_eq!(three.merge(one.statements()), Ok(three.clone()), "a shorter one takes nothing away");
    assert_eq!(one.merge(&three.statements()[2..]), Err(KeyRecordError::Gap { version: 2, stated: 3 }));
    let other = with(&one, &a, &c);
    assert_eq!(three.merge(other.statements()), Err(KeyRecordError::Fork { version: 2 }));
    let foreign = founded_by(&b);
    assert_eq!(one.merge(foreign.statements()), Err(KeyRecordError::OtherBox { found: foreign.box_id() }));
}

/// The device with this number, of which there may be many.
fn numbered(n: u64) -> crate::world::Device {
    crate::world::Device {
        id: rossby_schemas::ids::DeviceId::from_bytes(u128::from(n).to_be_bytes()),
        key: SigningKey::from_seed(&[n.to_be_bytes(), [7; 8], [7; 8], [7; 8]].concat().try_into().unwrap()),
        ..device(9)
    }
}

#[test]
fn a_full_record_still_takes_the_removal_of_every_device() {
    let [owner, thief] = [1, 2].map(device);
    let mut record = with(&recoverable(&owner), &owner, &thief);
    // The thief links devices and removes every other one, until the record takes no more.
    let mut helpers = Vec::new();
    let refusal = loop {
        let new = numbered(1000 + record.statements().len() as u64);
        if let Err(error) = record.append(linked(&record, &thief, &new).octets()) {
            break error;
        }
        if record.statements().len().is_multiple_of(3) {
            record = without(&record, &thief, &new);
        } else {
            helpers.push(new);
        }
    };
    let version = record.head().version + 1;
    assert_eq!(refusal, KeyRecordError::NoRoom { version });
    let members = record.members().count();
    assert_eq!(record.statements().len() + members, MAX_MEMBERSHIP_STATEMENTS);
    // An older device removes the thief, the recovery key another one, and the rest go too.
    record = without(&record, &owner, &thief);
    let last = helpers.pop().unwrap();
    let at = (record.box_id(), record.head());
    record.append(remove(&recovery_key(), Remover::RecoveryKey, at.0, at.1, last.id, time(1)).octets()).unwrap();
    for helper in &helpers {
        record = without(&record, &owner, helper);
        assert!(matches!(
            record.append(linked(&record, &owner, &numbered(1)).octets()),
            Err(KeyRecordError::NoRoom { .. })
        ));
    }
    record = without(&record, &owner, &owner);
    assert_eq!((record.members().count(), record.statements().len()), (0, MAX_MEMBERSHIP_STATEMENTS));
    assert_eq!(KeyRecord::verify(record.statements()), Ok(record.clone()));
    assert_eq!(refused(&record, linked(&record, &owner, &numbered(1)).octets()), KeyRecordError::TooLong);
    let too_long = [record.statements(), record.statements()].concat();
    assert_eq!(KeyRecord::verify(&too_long), Err(KeyRecordError::TooLong));
}

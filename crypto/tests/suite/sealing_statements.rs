//! Sealing statements against a record, and whom messages are sealed to.

use std::time::Duration;

use rossby_crypto::key_record::{NotSealable, SealingStatementError};
use rossby_crypto::layout::LayoutError;
use rossby_crypto::statements::{MAX_CLOCK_DIFFERENCE, NotUsable, SealingKeyStated, state_sealing_key};

use crate::world::{DAY, device, flipped, founded_by, sealing_statement, stated, time, with, without};

#[test]
fn a_later_counter_replaces_an_earlier_one_and_nothing_goes_back() {
    let a = device(1);
    let record = founded_by(&a);
    let [one, two] = [1, 2].map(|counter| sealing_statement(&record, &a, counter));
    let first = record.verify_sealing(&one, None).unwrap();
    let second = record.verify_sealing(&two, Some(&first)).unwrap();
    assert_eq!((first.content().counter, second.content().counter), (1, 2));
    assert_eq!(record.verify_sealing(&two, Some(&second)), Ok(second.clone()), "the same again is taken");
    let lower = record.verify_sealing(&one, Some(&second));
    assert_eq!(lower, Err(SealingStatementError::LowerCounter { known: 2 }));
    let another = SealingKeyStated { created: time(1), ..stated(&record, &a, 2) };
    let same = record.verify_sealing(state_sealing_key(&a.key, another).octets(), Some(&second));
    assert_eq!(same, Err(SealingStatementError::SameCounter { known: 2 }));
}

#[test]
fn a_statement_is_of_a_member_of_this_box_at_a_head_of_this_record() {
    let [a, b, c] = [1, 2, 3].map(device);
    let one = founded_by(&a);
    let two = with(&one, &a, &b);
    let refusal = |octets| two.verify_sealing(&octets, None).unwrap_err();
    let foreign = founded_by(&c);
    assert_eq!(refusal(sealing_statement(&foreign, &c, 1)), SealingStatementError::ForeignBox);
    assert_eq!(refusal(sealing_statement(&two, &c, 1)), SealingStatementError::UnknownDevice);
    let pretender = crate::world::Device { id: a.id, ..device(9) };
    assert_eq!(refusal(sealing_statement(&two, &pretender, 1)), SealingStatementError::BadSignature);
    let ahead = with(&two, &a, &c);
    assert_eq!(refusal(sealing_statement(&ahead, &a, 1)), SealingStatementError::HeadAhead);
    let other = with(&one, &a, &c);
    assert_eq!(refusal(sealing_statement(&other, &a, 1)), SealingStatementError::ForeignHead);
    let gone = without(&two, &a, &b);
    let of_removed = gone.verify_sealing(&sealing_statement(&two, &b, 1), None);
    assert_eq!(of_removed, Err(SealingStatementError::RemovedDevice));
    assert!(two.verify_sealing(&sealing_statement(&one, &a, 1), None).is_ok(), "an older head is one of the record");
}

#[test]
fn a_statement_keeps_its_limits() {
    let a = device(1);
    let record = founded_by(&a);
    let refusal = |content| record.verify_sealing(state_sealing_key(&a.key, content).octets(), None);
    let malformed = |field| Err(SealingStatementError::Malformed(LayoutError::Field(field)));
    assert_eq!(refusal(stated(&record, &a, 0)), malformed("counter"));
    assert_eq!(refusal(stated(&record, &a, 1 << 53)), malformed("counter"));
    for expires in [time(30 * DAY + 1), time(0)] {
        assert_eq!(refusal(SealingKeyStated { expires, ..stated(&record, &a, 1) }), malformed("expires"));
    }
}

#[test]
fn every_octet_is_signed() {
    let a = device(1);
    let record = founded_by(&a);
    let statement = sealing_statement(&record, &a, 1);
    for i in 0..statement.as_slice().len() {
        assert!(record.verify_sealing(&flipped(statement.as_slice(), i, 0), None).is_err(), "{i}");
    }
}

#[test]
fn messages_are_sealed_to_members_with_a_key_that_is_good_now() {
    let [a, b, c] = [1, 2, 3].map(device);
    let record = with(&with(&founded_by(&a), &a, &b), &a, &c);
    let [old, new] = [1, 2].map(|n| record.verify_sealing(&sealing_statement(&record, &a, n), None).unwrap());
    let of_b = record.verify_sealing(&sealing_statement(&record, &b, 1), None).unwrap();
    let statements = [new.clone(), old, of_b.clone()];

    let all = record.sealable(&statements, None, time(1));
    assert_eq!(all.devices, [&new, &of_b], "of two statements of a device the later one");
    assert_eq!(all.left_out, [(c.id, NotSealable::NoStatement)]);

    let but_one = record.sealable(&statements, Some(a.id), time(1));
    assert_eq!(but_one.devices, [&of_b]);

    let without_b = without(&record, &a, &b);
    assert_eq!(without_b.sealable(&statements, None, time(1)).devices, [&new]);

    let late = record.sealable(&statements, None, time(30 * DAY));
    let expired = NotSealable::NotUsable(NotUsable::Expired);
    assert!(late.devices.is_empty());
    assert_eq!(late.left_out, [(a.id, expired), (b.id, expired), (c.id, NotSealable::NoStatement)]);

    let early = time(0).minus(MAX_CLOCK_DIFFERENCE);
    assert_eq!(new.content().usable_at(early), Ok(()));
    let too_early = early.minus(Duration::from_millis(1));
    assert_eq!(new.content().usable_at(too_early), Err(NotUsable::FromTheFuture));
}

//! Account commands and the proof of authorizing.

use proptest::prelude::*;
use rossby_crypto::account::{AccountChange, AccountCommand, AccountCommandError, Objection, RecoveryObjection};
use rossby_crypto::authorize::AuthorizeProof;
use rossby_crypto::key_record::KeyRecord;
use rossby_crypto::layout::LayoutError;
use rossby_schemas::events::profiles::Audience;
use rossby_schemas::ids::{BoxId, CommandId, DeviceId, IdentifierHash, RegistrationId};

use crate::world::{device, flipped, founded_by, time, with, without};

fn command(box_id: BoxId, device_id: DeviceId, change: AccountChange) -> AccountCommand {
    let command_id = CommandId::from_bytes([5; 16]);
    AccountCommand { command_id, box_id, expected_version: 7, device_id, time: time(9), change }
}

fn change() -> impl Strategy<Value = AccountChange> {
    let audience = || prop_oneof![Just(Audience::Everyone), Just(Audience::Contacts), Just(Audience::Nobody)];
    let tag = || any::<[u8; 32]>().prop_map(Into::into);
    let hash = || any::<[u8; 32]>().prop_map(IdentifierHash);
    let registration = || any::<[u8; 16]>().prop_map(RegistrationId::from_bytes);
    let proof = prop_oneof![
        registration().prop_map(Objection::Code),
        any::<[u8; 32]>().prop_map(|half| Objection::RecoveryKey(std::array::from_fn(|n| half[n % 32]).into())),
    ];
    prop_oneof![
        audience().prop_map(AccountChange::SetDiscoverable),
        audience().prop_map(AccountChange::SetAcceptFrom),
        tag().prop_map(AccountChange::Block),
        tag().prop_map(AccountChange::Unblock),
        tag().prop_map(AccountChange::AddContact),
        tag().prop_map(AccountChange::RemoveContact),
        proptest::collection::vec(any::<u8>(), 0..200).prop_map(|blob| AccountChange::SetProfileBlob(blob.into())),
        any::<([u8; 16], u32)>()
            .prop_map(|(id, epoch)| { AccountChange::RevokeToken { device_id: DeviceId::from_bytes(id), epoch } }),
        proptest::collection::btree_set(any::<[u8; 32]>(), 0..5)
            .prop_map(|hashes| AccountChange::CloseBox(hashes.into_iter().map(IdentifierHash).collect())),
        (hash(), registration())
            .prop_map(|(identifier, registration_id)| AccountChange::AddIdentifier { identifier, registration_id }),
        hash().prop_map(AccountChange::RemoveIdentifier),
        (hash(), registration(), proof).prop_map(|(identifier, claim_id, proof)| AccountChange::ObjectToClaim {
            identifier,
            claim_id,
            proof
        }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_command_is_read_as_it_was_signed(change in change(), octet: prop::sample::Index, bit in 0_u32..8) {
        let a = device(1);
        let record = founded_by(&a);
        let command = command(record.box_id(), a.id, change);
        let signed = command.sign(&a.key);
        let verified = AccountCommand::verify_by(&record, &signed.command, &signed.signature);
        prop_assert_eq!(verified, Ok(command));
        let i = octet.index(signed.command.as_slice().len());
        let changed = flipped(signed.command.as_slice(), i, bit);
        prop_assert!(AccountCommand::verify_by(&record, &changed, &signed.signature).is_err());
    }
}

#[test]
fn a_command_is_of_a_member_of_its_box() {
    let [a, b] = [1, 2].map(device);
    let record = with(&founded_by(&a), &a, &b);
    let change = AccountChange::SetDiscoverable(Audience::Nobody);
    let signed = command(record.box_id(), b.id, change.clone()).sign(&b.key);
    let by = |record: &KeyRecord| AccountCommand::verify_by(record, &signed.command, &signed.signature);
    assert!(by(&record).is_ok());
    assert_eq!(by(&without(&record, &a, &b)), Err(AccountCommandError::NotAMember));
    assert_eq!(by(&founded_by(&a)), Err(AccountCommandError::NotAMember));
    assert_eq!(by(&founded_by(&b)), Err(AccountCommandError::ForeignBox));

    let forged = command(record.box_id(), b.id, change).sign(&a.key);
    let error = AccountCommand::verify_by(&record, &forged.command, &forged.signature);
    assert_eq!(error, Err(AccountCommandError::BadSignature));
    let key = b.key.verification_key();
    let of_other = AccountCommand::verify(&signed.command, &signed.signature, record.box_id(), a.id, &key);
    assert_eq!(of_other, Err(AccountCommandError::OtherDevice));
}

#[test]
fn a_change_stands_in_the_stream_that_it_belongs_to() {
    let a = device(1);
    let record = founded_by(&a);
    let signed = command(record.box_id(), a.id, AccountChange::Block([1; 32].into())).sign(&a.key);
    let [from, to] = [b"rossby.profiles".as_slice(), b"rossby.keys"];
    let text = signed.command.as_slice();
    let at = text.windows(from.len()).position(|window| window == from).unwrap();
    let length = u32::try_from(to.len()).unwrap().to_be_bytes();
    let moved = [&text[..at - 4], &length, to, &text[at + from.len()..]].concat();
    assert_eq!(AccountCommand::parse(&moved.into()), Err(LayoutError::Field("topic")));
}

#[test]
fn a_closing_names_identifiers_in_order_and_once() {
    let a = device(1);
    let record = founded_by(&a);
    let [one, two] = [1, 2].map(|n| IdentifierHash([n; 32]));
    let signed = command(record.box_id(), a.id, AccountChange::CloseBox(vec![two, one, two])).sign(&a.key);
    let read = AccountCommand::verify_by(&record, &signed.command, &signed.signature).unwrap();
    assert_eq!(read.change, AccountChange::CloseBox(vec![one, two]));
    let text = signed.command.as_slice();
    let start = text.len() - 64;
    let swapped = [&text[..start], &[2; 32], &[1; 32]].concat();
    assert_eq!(AccountCommand::parse(&swapped.into()), Err(LayoutError::Field("identifiers")));
}

#[test]
fn a_change_of_an_identifier_names_its_box() {
    let [a, b] = [1, 2].map(device);
    let record = founded_by(&a);
    let identifier = IdentifierHash([0xab; 32]);
    let signed = command(record.box_id(), a.id, AccountChange::RemoveIdentifier(identifier)).sign(&a.key);
    let by = |record: &KeyRecord| AccountCommand::verify_by(record, &signed.command, &signed.signature);
    assert_eq!(by(&record).map(|command| command.box_id), Ok(record.box_id()));
    assert_eq!(by(&with(&founded_by(&b), &b, &a)), Err(AccountCommandError::ForeignBox), "a device of two boxes");
    // An identifier's hash is written in one way.
    let text = signed.command.as_slice();
    let hash = identifier.to_string();
    let at = text.windows(hash.len()).position(|window| window == hash.as_bytes()).unwrap();
    let mut upper = text.to_vec();
    upper[at..at + hash.len()].make_ascii_uppercase();
    assert_eq!(AccountCommand::parse(&upper.into()), Err(LayoutError::Field("stream")));
    // A change of a box in an identifier's stream, and the other way round.
    let number = text.len() - 17;
    let mut other = text.to_vec();
    other[number] = 9;
    assert_eq!(AccountCommand::parse(&other.into()), Err(LayoutError::Field("stream")));
    let closing = command(record.box_id(), a.id, AccountChange::CloseBox(Vec::new())).sign(&a.key);
    let mut other = closing.command.as_slice().to_vec();
    let number = other.len() - 5;
    other[number] = 11;
    assert_eq!(AccountCommand::parse(&other.into()), Err(LayoutError::Field("stream")));
}

#[test]
fn an_objection_of_the_recovery_key_is_for_one_box_identifier_and_claim() {
    let [a, b] = [1, 2].map(device);
    let objection = RecoveryObjection {
        box_id: founded_by(&a).box_id(),
        identifier: IdentifierHash([1; 32]),
        claim_id: RegistrationId::from_bytes([1; 16]),
    };
    let signature = objection.sign(&a.key);
    let key = a.key.verification_key();
    assert!(objection.verify(&key, &signature).is_ok());
    assert!(objection.verify(&b.key.verification_key(), &signature).is_err());
    for other in [
        RecoveryObjection { box_id: founded_by(&b).box_id(), ..objection },
        RecoveryObjection { identifier: IdentifierHash([2; 32]), ..objection },
        RecoveryObjection { claim_id: RegistrationId::from_bytes([2; 16]), ..objection },
    ] {
        assert!(other.verify(&key, &signature).is_err());
    }
}

#[test]
fn a_proof_is_for_one_registration_device_and_code() {
    let [a, b] = [1, 2].map(device);
    let [one, two] = [1, 2].map(|n| RegistrationId::from_bytes([n; 16]));
    let (right, wrong) = ("12345678".parse().unwrap(), "12345679".parse().unwrap());
    let proof = AuthorizeProof { registration_id: one, device_id: a.id, code: &right };
    let signature = proof.sign(&a.key);
    let key = a.key.verification_key();
    assert!(proof.verify(&key, &signature).is_ok());
    assert!(proof.verify(&b.key.verification_key(), &signature).is_err());
    for other in [
        AuthorizeProof { registration_id: two, device_id: a.id, code: &right },
        AuthorizeProof { registration_id: one, device_id: b.id, code: &right },
        AuthorizeProof { registration_id: one, device_id: a.id, code: &wrong },
    ] {
        assert!(other.verify(&key, &signature).is_err());
    }
}

//! Every way in which a command about an identifier is judged.

use rossby_crypto::signing::SigningKey;
use rossby_projections::{ClaimState, IdentifierOwner};
use rossby_schemas::encoding::{FixedOctets, Octets};
use rossby_schemas::ids::{CommandId, DeviceId};
use rossby_schemas::time::Timestamp;

use super::*;
use crate::codes::tests::registration;

const HASH: IdentifierHash = IdentifierHash([2; 32]);
const BOX: BoxId = BoxId::from_bytes([3; 16]);
const OTHER: BoxId = BoxId::from_bytes([8; 16]);
const DEVICE: DeviceId = DeviceId::from_bytes([4; 16]);
const REGISTRATION: RegistrationId = RegistrationId::from_bytes([1; 16]);

fn judged(state: &State, version: u64, change: AccountChange) -> Result<Decision, Refusal> {
    let command = AccountCommand {
        command_id: CommandId::from_bytes([1; 16]),
        box_id: BOX,
        expected_version: version,
        device_id: DEVICE,
        time: Timestamp::from_millis(0).unwrap(),
        change,
    };
    let limits = Limits { identifiers: 2, ..Limits::default() };
    decide(state, &command, &signed(), &limits)
}

fn signed() -> SignedCommand {
    SignedCommand { device_id: DEVICE, command: Octets::default(), signature: FixedOctets([0; 64]) }
}

fn owned(box_id: BoxId, closing: bool) -> Option<IdentifierOwner> {
    Some(IdentifierOwner {
        box_id,
        registration_id: REGISTRATION,
        secret_number: 1,
        slot: 0,
        verified_by: CommandId::from_bytes([5; 16]),
        founding: None,
        founded: true,
        closing,
        objected_at: None,
        recovery_objections: 0,
    })
}

/// The identifier's owner, how many identifiers the box has, and a registration whose code was shown.
fn state(owner: Option<IdentifierOwner>, own: usize) -> State {
    let right_command = Some(CommandId::from_bytes([5; 16]));
    let shown = Registration { purpose: Purpose::Add, right_command, ..registration(&[0]) };
    let identifier = IdentifierState { version: 7, owner };
    State { identifier, own, registration: Some(shown), open: None, recovery_key: None }
}

fn add() -> AccountChange {
    AccountChange::AddIdentifier { identifier: HASH, registration_id: REGISTRATION }
}

fn is_statement(refused: Result<Decision, Refusal>) -> bool {
    matches!(refused, Err(Refusal::Statement { field, .. }) if field == "/command")
}

#[test]
fn a_free_identifier_is_added_to_the_box_that_has_shown_it() {
    for owner in [None, owned(OTHER, true), owned(BOX, true)] {
        let decided = judged(&state(owner, 1), 7, add()).unwrap();
        let Decision::Append(Event::IdentifierVerifiedV2(event)) = decided else { panic!("{decided:?}") };
        assert_eq!((event.box_id, event.identifier_hash, event.registration_id), (BOX, HASH, REGISTRATION));
        assert_eq!((event.founding, event.signed), (None, Some(signed())));
    }
    assert_eq!(judged(&state(owned(BOX, false), 1), 3, add()), Ok(Decision::Nothing), "it is there already");
    assert_eq!(judged(&state(owned(OTHER, false), 1), 7, add()), Err(Refusal::IdentifierTaken));
    assert_eq!(judged(&state(None, 1), 6, add()), Err(Refusal::VersionConflict { current: 7 }));
    assert_eq!(judged(&state(None, 2), 7, add()), Err(Refusal::TooManyIdentifiers { limit: 2 }));
}

#[test]
fn without_a_code_that_was_shown_nothing_is_told() {
    let shown = || state(owned(OTHER, false), 1);
    let with = |change: fn(&mut Registration)| {
        let mut state = shown();
        change(state.registration.as_mut().unwrap());
        state
    };
    for state in [
        State { registration: None, ..shown() },
        with(|registration| registration.right_command = None),
        with(|registration| registration.box_id = OTHER),
        with(|registration| registration.device_id = DeviceId::from_bytes([9; 16])),
        with(|registration| registration.identifier_hash = IdentifierHash([9; 32])),
        with(|registration| registration.purpose = Purpose::Object { claim_id: REGISTRATION }),
        with(|registration| {
            registration.purpose =
                Purpose::Found { founding_statement: Octets::default(), sealing_statement: Octets::default() };
        }),
    ] {
        // Neither that it is taken nor its version.
        assert!(is_statement(judged(&state, 6, add())), "{:?}", state.registration);
    }
}

#[test]
fn an_identifier_is_taken_away_by_its_box_unless_it_is_the_last() {
    let remove = || AccountChange::RemoveIdentifier(HASH);
    let decided = judged(&state(owned(BOX, false), 2), 7, remove()).unwrap();
    let Decision::Append(Event::IdentifierReleasedV2(event)) = decided else { panic!("{decided:?}") };
    assert_eq!((event.box_id, event.identifier_hash, event.signed), (BOX, HASH, Some(signed())));
    assert_eq!(judged(&state(owned(BOX, false), 1), 7, remove()), Err(Refusal::LastIdentifier));
    let late = judged(&state(owned(BOX, false), 2), 6, remove());
    assert_eq!(late, Err(Refusal::VersionConflict { current: 7 }));
    for owner in [None, owned(OTHER, false), owned(OTHER, true)] {
        assert!(is_statement(judged(&state(owner, 2), 6, remove())), "its version is not told");
    }
}

const CLAIM: RegistrationId = RegistrationId::from_bytes([6; 16]);

/// An identifier of the box that somebody claims, and a code that was shown to object.
fn claimed(recovery_objections: u32) -> State {
    let mut state = state(owned(BOX, false), 1);
    state.identifier.owner.as_mut().unwrap().recovery_objections = recovery_objections;
    state.registration.as_mut().unwrap().purpose = Purpose::Object { claim_id: CLAIM };
    let now = crate::codes::tests::now();
    let open = Claim {
        id: CLAIM,
        identifier_hash: HASH,
        secret_number: 1,
        slot: 0,
        box_id: OTHER,
        device_id: DEVICE,
        claimed_by: CommandId::from_bytes([5; 16]),
        claimed_at: now,
        effective_at: now,
        founding: None,
        signed: None,
        state: ClaimState::Open,
        closing: false,
    };
    State { open: Some(open), ..state }
}

fn object(proof: Objection) -> AccountChange {
    AccountChange::ObjectToClaim { identifier: HASH, claim_id: CLAIM, proof }
}

#[test]
fn a_code_that_was_shown_for_it_objects() {
    let by_code = || object(Objection::Code(REGISTRATION));
    for earlier in [0, 3, 100] {
        let decided = judged(&claimed(earlier), 7, by_code()).unwrap();
        let Decision::Append(Event::ClaimObjectedV1(event)) = decided else { panic!("{decided:?}") };
        assert_eq!((event.claim_id, event.identifier_hash, event.box_id), (CLAIM, HASH, BOX));
        assert_eq!(event.proof, ObjectionProof::Code { registration_id: REGISTRATION });
        assert_eq!(event.signed, signed());
    }
    assert_eq!(judged(&claimed(0), 6, by_code()), Err(Refusal::VersionConflict { current: 7 }));
    let with = |change: fn(&mut State)| {
        let mut state = claimed(0);
        change(&mut state);
        judged(&state, 7, by_code())
    };
    // Another claim than the one that waits; none; another's identifier.
    for refused in [
        with(|state| state.open.as_mut().unwrap().id = REGISTRATION),
        with(|state| state.open = None),
        with(|state| state.identifier.owner.as_mut().unwrap().box_id = OTHER),
        with(|state| state.identifier.owner = None),
    ] {
        assert_eq!(refused, Err(Refusal::NoSuchClaim));
    }
    // A code that wasn't shown, or for another purpose, claim, device or identifier.
    for change in [
        (|shown| shown.right_command = None) as fn(&mut Registration),
        |shown| shown.purpose = Purpose::Add,
        |shown| shown.purpose = Purpose::Object { claim_id: REGISTRATION },
        |shown| shown.device_id = DeviceId::from_bytes([9; 16]),
        |shown| shown.identifier_hash = IdentifierHash([9; 32]),
        |shown| shown.id = CLAIM,
    ] {
        let mut state = claimed(0);
        change(state.registration.as_mut().unwrap());
        assert!(is_statement(judged(&state, 7, by_code())), "{:?}", state.registration);
    }
}

#[test]
fn the_recovery_key_objects_so_often_in_a_row() {
    let [key, other] = [1, 2].map(|n| SigningKey::from_seed(&[n; 32]));
    let signature =
        |key: &SigningKey, claim_id| RecoveryObjection { box_id: BOX, identifier: HASH, claim_id }.sign(key);
    let by_key = |key: &SigningKey| object(Objection::RecoveryKey(signature(key, CLAIM)));
    let state = |earlier| State { recovery_key: Some(key.verification_key()), registration: None, ..claimed(earlier) };
    let decided = judged(&state(0), 7, by_key(&key)).unwrap();
    let Decision::Append(Event::ClaimObjectedV1(event)) = decided else { panic!("{decided:?}") };
    assert_eq!(event.proof, ObjectionProof::RecoveryKey);
    assert!(judged(&state(2), 7, by_key(&key)).is_ok());
    assert_eq!(judged(&state(3), 7, by_key(&key)), Err(Refusal::CodeNeeded));
    assert!(is_statement(judged(&state(0), 7, by_key(&other))));
    let elsewhere = object(Objection::RecoveryKey(signature(&key, REGISTRATION)));
    assert!(is_statement(judged(&state(0), 7, elsewhere)), "signed for another claim");
    let without = State { recovery_key: None, ..state(0) };
    assert!(is_statement(judged(&without, 7, by_key(&key))), "the box has none");
}

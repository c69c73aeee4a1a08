//! Every way in which a command about an identifier is judged.

use rossby_projections::{IdentifierOwner, Purpose};
use rossby_schemas::encoding::{FixedOctets, Octets};
use rossby_schemas::ids::{BoxId, CommandId, DeviceId, RegistrationId};
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
    })
}

/// The identifier's owner, how many identifiers the box has, and a registration whose code was shown.
fn state(owner: Option<IdentifierOwner>, own: usize) -> State {
    let right_command = Some(CommandId::from_bytes([5; 16]));
    let shown = Registration { purpose: Purpose::Add, right_command, ..registration(&[0]) };
    State { identifier: IdentifierState { version: 7, owner }, own, registration: Some(shown) }
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

//! Every way in which a claim, and its taking effect, is decided.

use std::time::Duration;

use rossby_projections::{ClaimState, IdentifierOwner};
use rossby_schemas::events::identifiers::IdentifierVerifiedV2;
use rossby_schemas::ids::{BoxId, CommandId};

use super::follow::{Effect, decide_effect};
use super::*;
use crate::codes::tests::{now, registration};

const OWNER: BoxId = BoxId::from_bytes([8; 16]);
const WAIT: Duration = Duration::from_secs(7 * 24 * 3600);

fn limits() -> Limits {
    Limits { claim_wait: WAIT, ..Limits::default() }
}

fn owned(box_id: BoxId, closing: bool, objected_at: Option<Timestamp>) -> IdentifierState {
    let owner = IdentifierOwner {
        box_id,
        registration_id: RegistrationId::from_bytes([5; 16]),
        secret_number: 1,
        slot: 0,
        verified_by: CommandId::from_bytes([5; 16]),
        founding: None,
        founded: true,
        closing,
        objected_at,
        recovery_objections: 0,
    };
    IdentifierState { version: 7, owner: Some(owner) }
}

fn free() -> IdentifierState {
    IdentifierState { version: 7, owner: None }
}

fn wanted() -> IdentifierClaimedV1 {
    template(&registration(&[0]), now())
}

fn judged(identifier: IdentifierState, claim: Option<Claim>, signed: Option<u64>) -> Result<Decision, Refusal> {
    decide(&State { identifier, claim, founded: false }, &wanted(), signed, now(), &limits())
}

/// The claim as it stands in the tables.
fn claim(state: ClaimState) -> Claim {
    let wanted = wanted();
    Claim {
        id: wanted.claim_id,
        identifier_hash: wanted.identifier_hash,
        secret_number: 1,
        slot: wanted.slot,
        box_id: wanted.box_id,
        device_id: wanted.device_id,
        claimed_by: CommandId::from_bytes([5; 16]),
        claimed_at: now(),
        effective_at: now().plus(WAIT),
        founding: None,
        signed: None,
        state,
        closing: false,
    }
}

#[test]
fn what_belongs_to_another_can_be_claimed_once_for_each_code() {
    let decided = judged(owned(OWNER, false, None), None, None).unwrap();
    let Decision::Append(Event::IdentifierClaimedV1(event)) = decided else { panic!("{decided:?}") };
    let expected = IdentifierClaimedV1 { owner: OWNER, effective_at: now().plus(WAIT), ..wanted() };
    assert_eq!(event, expected);
    for state in [ClaimState::Open, ClaimState::Objected, ClaimState::Replaced, ClaimState::Effective] {
        let again = judged(owned(OWNER, false, None), Some(claim(state)), None);
        assert_eq!(again, Ok(Decision::Nothing), "{state:?}: a code claims once");
    }
    for identifier in [free(), owned(OWNER, true, None), owned(wanted().box_id, false, None)] {
        assert_eq!(judged(identifier, None, None), Err(Refusal::IdentifierNotTaken));
    }
    // A device of a box has signed for a version.
    assert!(judged(owned(OWNER, false, None), None, Some(7)).is_ok());
    let late = judged(owned(OWNER, false, None), None, Some(6));
    assert_eq!(late, Err(Refusal::VersionConflict { current: 7 }));
    assert_eq!(judged(free(), None, Some(6)), Err(Refusal::IdentifierNotTaken));
}

#[test]
fn what_founded_a_box_claims_nothing_more_for_it() {
    let taken = |claim| State { identifier: owned(OWNER, false, None), claim, founded: true };
    let founding = IdentifierClaimedV1 { founding: crate::authorize::founding(&registration(&[0])), ..wanted() };
    let judged = |state: &State, template| decide(state, template, None, now(), &limits());
    assert_eq!(judged(&taken(None), &founding), Err(founded_before()));
    assert_eq!(judged(&taken(Some(claim(ClaimState::Effective))), &founding), Ok(Decision::Nothing), "its own claim");
    assert!(judged(&taken(None), &wanted()).is_ok(), "a device of the box has signed");
}

#[test]
fn after_an_objection_nobody_claims_for_a_while() {
    let since = |ago: Duration| judged(owned(OWNER, false, Some(now().minus(ago))), None, None);
    let second = Duration::from_secs(1);
    assert_eq!(since(Duration::ZERO), Err(Refusal::ClaimTooSoon { retry_after: WAIT.as_secs() }));
    assert_eq!(since(WAIT - second), Err(Refusal::ClaimTooSoon { retry_after: 1 }));
    assert!(since(WAIT).is_ok());
}

#[test]
fn a_claim_takes_effect_when_its_time_has_come_and_nobody_objected() {
    let open = claim(ClaimState::Open);
    let decided = |identifier: &IdentifierState, open: Option<&Claim>, claim: &Claim, is_wanted, now| {
        let state = Effect { identifier: identifier.clone(), open: open.cloned(), is_wanted };
        match decide_effect(&state, claim, now) {
            Decision::Append(Event::IdentifierVerifiedV2(event)) => Some(event),
            Decision::Nothing => None,
            other => panic!("{other:?}"),
        }
    };
    let effect = |identifier: &IdentifierState, open: Option<&Claim>, claim: &Claim, now| {
        decided(identifier, open, claim, true, now)
    };
    let taken = owned(OWNER, false, None);
    let (early, due) = (open.effective_at.minus(Duration::from_millis(1)), open.effective_at);
    assert_eq!(effect(&taken, Some(&open), &open, early), None);
    let expected = IdentifierVerifiedV2 {
        identifier_hash: open.identifier_hash,
        secret_number: 1,
        slot: open.slot,
        box_id: open.box_id,
        registration_id: open.id,
        founding: None,
        signed: None,
    };
    assert_eq!(effect(&taken, Some(&open), &open, due), Some(expected.clone()));
    assert_eq!(decided(&taken, Some(&open), &open, false, due), None, "the box takes it no more");
    // What is free meanwhile has nobody who could object.
    for identifier in [free(), owned(OWNER, true, None)] {
        assert_eq!(effect(&identifier, Some(&open), &open, early), Some(expected.clone()));
    }
    // Ended by an objection, by another claim, or with the box that it was made for.
    let other = Claim { id: RegistrationId::from_bytes([9; 16]), ..open.clone() };
    assert_eq!(effect(&taken, None, &open, due), None);
    assert_eq!(effect(&taken, Some(&other), &open, due), None);
    let closing = Claim { closing: true, ..open.clone() };
    assert_eq!(effect(&taken, Some(&open), &closing, due), None);
}

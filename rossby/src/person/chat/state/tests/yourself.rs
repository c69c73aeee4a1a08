//! The person themselves: what they are called, and their addresses.

use std::path::PathBuf;

use rossby_client::{AccountIdentifier, IdentifierRef};
use world::{at, claimed, state};

use super::people::actions;
use super::*;
use crate::person::chat::state::action::{Action, Found, Outcome};
use crate::person::chat::state::overlay::{Ask, Overlay};

/// The sheet about the person, with these addresses.
fn yourself(identifiers: Vec<AccountIdentifier>) -> State {
    let mut state = state();
    assert_eq!(actions(&state.press(&["y"])), [Action::ReadProfile, Action::ListIdentifiers]);
    assert!(actions(&state.press(&["x", "o"])).is_empty(), "no address is known yet");
    state.update(Event::Done { action: Action::ReadProfile, result: Ok(Found::Profile(Box::default()).into()) });
    let result = Ok(Found::Identifiers(identifiers).into());
    state.update(Event::Done { action: Action::ListIdentifiers, result });
    state
}

fn asks(state: &State) -> Option<&Ask> {
    match state.overlays.last() {
        Some(Overlay::Prompt(prompt)) => Some(&prompt.ask),
        _ => None,
    }
}

#[test]
fn a_name_and_a_picture_are_set_and_taken_away() {
    let mut state = yourself(Vec::new());
    state.press(&["n"]);
    let set = actions(&[state.types("Ann"), state.press(&["enter"])].concat());
    assert_eq!(set, [Action::SetProfileName(Some("Ann".to_owned()))]);
    let result = Ok(Outcome::from(Found::Profile(Box::default())).saying("They see it"));
    state.update(Event::Done { action: set[0].clone(), result });
    assert!(asks(&state).is_none() && state.said.as_ref().unwrap().text == "They see it");
    assert_eq!(actions(&state.press(&["n", "enter"])), [Action::SetProfileName(None)]);
    state.press(&["esc", "p"]);
    let set = actions(&[state.types("/tmp/me.png"), state.press(&["enter"])].concat());
    assert_eq!(set, [Action::SetProfilePicture(Some(PathBuf::from("/tmp/me.png")))]);
    assert_eq!(actions(&state.press(&["esc", "p", "enter"])), [Action::SetProfilePicture(None)]);
}

#[test]
fn an_address_is_added_with_the_code_that_comes() {
    let mut state = yourself(vec![claimed(1)]);
    state.press(&["a"]);
    assert!(actions(&[state.types("nobody"), state.press(&["enter"])].concat()).is_empty(), "it is no address");
    let [add] = actions(&[state.types("@example.org"), state.press(&["enter"])].concat()).try_into().unwrap();
    assert_eq!(add, Action::AddIdentifier("nobody@example.org".parse().unwrap()));
    let sent = |to: &str| Ok(Found::CodeSent(to.to_owned()).into());
    state.update(Event::Done { action: add.clone(), result: sent("nobody@example.org") });
    assert_eq!(asks(&state), Some(&Ask::IdentifierCode));

    // Another account has it: it is asked whether that is to be claimed.
    let shown = |claims| Action::ConfirmIdentifier { code: "12345678".to_owned(), claims };
    assert_eq!(actions(&[state.types("12345678"), state.press(&["enter"])].concat()), [shown(false)]);
    let taken = Found::Taken { address: "nobody@example.org".to_owned(), code: "12345678".to_owned() };
    state.update(Event::Done { action: shown(false), result: Ok(taken.into()) });
    assert_eq!(actions(&state.press(&["y"])), [shown(true)]);

    // Whoever leaves the question is asked nothing more; the code can be typed later.
    state.press(&["a"]);
    actions(&[state.types("nobody@example.org"), state.press(&["enter", "esc"])].concat());
    state.update(Event::Done { action: add, result: sent("nobody@example.org") });
    assert_eq!((asks(&state), state.overlays.len()), (None, 1));
    state.press(&["c"]);
    assert_eq!(asks(&state), Some(&Ask::IdentifierCode));
}

#[test]
fn an_address_is_taken_away_or_kept_from_others() {
    let waits = AccountIdentifier { awaited_until: Some(at(60)), ..claimed(3) };
    let mut state = yourself(vec![claimed(1), claimed(2), waits]);
    let hash = |number: u8| IdentifierRef::Hash(format!("{number:02x}").repeat(32));
    assert!(actions(&state.press(&["x"])).is_empty(), "it asks first");
    assert_eq!(actions(&state.press(&["y"])), [Action::RemoveIdentifier(hash(1))]);
    assert!(actions(&state.press(&["o"])).is_empty(), "nobody claims it");
    assert_eq!(actions(&state.press(&["down", "o"])), [Action::ObjectToClaim(hash(2))]);
    let result = Ok(Found::CodeSent("me2@example.org".to_owned()).into());
    state.update(Event::Done { action: Action::ObjectToClaim(hash(2)), result });
    assert_eq!(asks(&state), Some(&Ask::IdentifierCode));
    state.press(&["esc", "down", "x"]);
    assert_eq!(state.overlays.len(), 1, "it is not theirs yet");
    let result = Ok(Found::Identifiers(vec![claimed(1)]).into());
    state.update(Event::Done { action: Action::ListIdentifiers, result });
    assert!(state.is_sound());
}

#[test]
fn a_sheet_that_stays_empty_says_why() {
    let mut state = state();
    state.press(&["v"]);
    state.update(Event::Done { action: Action::ListDevices, result: Err("the server is away".to_owned()) });
    assert_eq!(state.sheet_error.as_deref(), Some("the server is away"));
    state.press(&["esc", "v"]);
    assert_eq!(state.sheet_error, None, "it is being asked again");
}

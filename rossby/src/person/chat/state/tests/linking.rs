//! Linking: at a device that the account has, and at one that has no account yet.

use world::{at, devices, state};
use zeroize::Zeroizing;

use super::people::actions;
use super::*;
use crate::person::chat::state::action::{Action, Found};
use crate::person::chat::state::overlay::Overlay;
use crate::person::chat::state::welcome::{Welcome, Wish};

/// A chat in which a code was typed, which is being looked at.
fn asking() -> (State, Action) {
    let mut state = state();
    state.press(&["v", "l"]);
    let [find] = actions(&[state.types("CODE"), state.press(&["enter"])].concat()).try_into().unwrap();
    assert!(matches!(find, Action::FindLink(_)));
    (state, find)
}

#[test]
fn whoever_waits_no_more_for_a_device_is_asked_nothing() {
    let found = || Ok(Found::Link("tablet".to_owned()).into());
    let (mut state, find) = asking();
    state.press(&["esc"]);
    state.update(Event::Done { action: find, result: found() });
    assert!(matches!(state.overlays[..], [Overlay::Devices { .. }]), "{:?}", state.overlays);

    // Nor is anything linked that was answered with yes, and then stopped.
    let (mut state, find) = asking();
    state.update(Event::Done { action: find, result: found() });
    assert_eq!(actions(&state.press(&["y"])), [Action::Link]);
    assert!(matches!(state.overlays.last(), Some(Overlay::Linking)));
    assert_eq!(actions(&state.press(&["esc"])), [Action::StopLink]);
    assert!(matches!(state.overlays[..], [Overlay::Devices { .. }]));

    let (mut state, find) = asking();
    state.update(Event::Done { action: find, result: found() });
    state.press(&["y"]);
    state.update(Event::Done { action: Action::Link, result: Ok(Found::Devices(devices(2)).into()) });
    assert!(matches!(&state.overlays[..], [Overlay::Devices { devices: Some(devices), .. }] if devices.len() == 2));
}

#[test]
fn a_device_without_an_account_is_linked_or_left() {
    let waiting = Welcome::Waiting { code: Zeroizing::new("CODE".to_owned()), until: at(60) };
    for (welcome, wishes) in [
        (Welcome::Choice, [Some(Wish::Link), None, Some(Wish::Quit)]),
        (Welcome::Failed("refused".to_owned()), [Some(Wish::Link), None, Some(Wish::Quit)]),
        (Welcome::Asking, [None, Some(Wish::Stop), Some(Wish::Quit)]),
        (waiting, [None, Some(Wish::Stop), Some(Wish::Quit)]),
    ] {
        assert_eq!(["l", "esc", "q"].map(|name| welcome.wish(key(name))), wishes);
        assert_eq!(["x", "enter", "ctrl-c"].map(|name| welcome.wish(key(name))), [None, None, Some(Wish::Quit)]);
    }
}

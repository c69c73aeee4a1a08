//! The help and `docs/CHAT.md` list the keys that do something, and no others.

use rossby_client::{ReceiptSettings, Settings};
use rossby_schemas::events::profiles::Audience;
use world::{claimed, devices, group, known, own, somebody, text, transfer, warning};

use super::*;
use crate::person::chat::state::action::{Action, Known, Person};
use crate::person::chat::state::overlay::{Ask, Confirm, Overlay, Prompt};
use crate::person::chat::state::welcome::Welcome;
use crate::person::chat::view::keys::{KEYS, Key};

/// The keys of an entry, by their names; none for a sign that is explained.
fn names(keys: &str) -> Vec<String> {
    let keys = keys.split(", ").map(|key| key.split([' ']).next().unwrap());
    let name = |key: &str| match key {
        "Shift-Tab" => "backtab".to_owned(),
        "Space" => " ".to_owned(),
        key if key.chars().count() > 1 => key.to_lowercase(),
        key => key.to_owned(),
    };
    keys.filter(|key| *key != "✓").map(name).collect()
}

/// A part of the screen with three of everything, the second one chosen.
fn part(name: &str, key: &str) -> State {
    let messages = |peer| vec![text(1, peer, "a"), own(2, peer, "b"), text(3, peer, "c")];
    let mut state = talking(&[3, 2, 4].map(|peer| (peer, messages(peer))));
    state.list.chosen = Some(with(2));
    state.press(&["esc", "enter"]);
    state.update(Event::Transcript { conversation: with(2), limit: 100, messages: messages(2) });
    drawn(&mut state, 3, &[]);
    let overlay = match name {
        "Everywhere" => return state,
        "Conversations" | "Conversations and messages" => {
            state.press(&["esc", "home", "down"]);
            return state;
        }
        "Messages" => {
            state.press(&["tab", "tab", "up"]);
            return state;
        }
        "What you write" => {
            state.types("one two three");
            state.press(&["alt-enter"]);
            state.types("four");
            state.press(&["up", "ctrl-a", "ctrl-right"]);
            state.press(if key == "ctrl-y" { &["ctrl-z"] } else { &[] });
            return state;
        }
        "This help" => {
            state.measures.sheet = (100, 10);
            Overlay::Help { top: 50, has_commands: false }
        }
        "Files on their way" => {
            state.transfers = [1, 2, 3].map(|number| transfer(number, true, 10)).into();
            Overlay::Files { chosen: 1 }
        }
        "Your groups" => Overlay::Groups { groups: Some([1, 2, 3].map(|id| group(id, 3)).into()), chosen: 1 },
        "A group" => Overlay::Group { id: group(1, 3).id, group: Some(Box::new(group(1, 3))), chosen: 1 },
        "About them" => {
            let verified = Some(rossby_client::Verified { at: state.now, new_devices: 0 });
            let known = Some(Known { verified, ..known() });
            let person = Person { changed: vec!["p2@example.org".to_owned()], known, ..somebody(2) };
            Overlay::Person { box_id: person.box_id, person: Some(Box::new(person)), top: 0 }
        }
        "A device is being linked" => Overlay::Linking,
        "You" => Overlay::Yourself {
            profile: Some(Box::default()),
            identifiers: Some([1, 2, 3].map(claimed).into()),
            chosen: 1,
        },
        "Your devices" => Overlay::Devices { devices: Some(devices(3)), chosen: 1 },
        "Settings" => {
            let (discoverable, accept_from) = (Audience::Everyone, Audience::Contacts);
            let settings = Settings { discoverable, accept_from, blocks: 0, contacts: 0, waiting: 0 };
            let receipts = ReceiptSettings { delivery: true, read: true, typing: true };
            Overlay::Settings { settings: Some((settings, receipts)), chosen: 1 }
        }
        "Warnings" => {
            state.warnings = (1..=3).map(warning).collect();
            Overlay::Warnings { chosen: 1 }
        }
        "Questions" if key == "enter" => Overlay::Prompt(Prompt::new(Ask::Whom)),
        "Questions" => Overlay::Confirm(Confirm {
            question: "?".to_owned(),
            yes: Action::ListGroups,
            no: Some(Action::ListDevices),
        }),
        name => panic!("nothing is known of {name}"),
    };
    state.overlays.push(overlay);
    state
}

/// Whether a key does something in a part of the screen.
fn does_something(name: &str, key: &str) -> bool {
    if name == "Without an account" {
        let welcome = if key == "esc" { Welcome::Asking } else { Welcome::Choice };
        return welcome.wish(super::key(key)).is_some();
    }
    let mut state = part(name, key);
    let before = format!("{state:?}");
    let effects = state.press(&[key]);
    !effects.is_empty() || format!("{state:?}") != before
}

#[test]
fn every_key_that_is_listed_does_something() {
    for (name, keys) in KEYS {
        for Key(keys, ..) in *keys {
            for key in names(keys) {
                assert!(does_something(name, &key), "{name}: {key}");
            }
        }
    }
    // What is done in the list is done among the messages.
    let (_, common) = KEYS.iter().find(|(name, _)| *name == "Conversations and messages").unwrap();
    for key in common.iter().flat_map(|Key(keys, ..)| names(keys)) {
        assert!(does_something("Messages", &key), "{key}");
    }
}

#[test]
fn every_key_that_does_something_is_listed() {
    let listed = |part: &str| -> Vec<String> {
        let (_, keys) = KEYS.iter().find(|(name, _)| *name == part).unwrap();
        keys.iter().flat_map(|Key(keys, ..)| names(keys)).collect()
    };
    for (name, _) in KEYS.iter().filter(|(name, _)| !["Everywhere", "What you write"].contains(name)) {
        let mut known = listed(name);
        match *name {
            "Conversations and messages" => continue,
            "Conversations" | "Messages" => known.extend(listed("Conversations and messages")),
            // On a sheet.
            _ => known.push("q".to_owned()),
        }
        let letters = ('!'..='~').map(|c| c.to_string()).filter(|c| !(*name == "Questions" && "yYnN".contains(c)));
        for key in letters.filter(|key| !known.contains(key)) {
            assert!(!does_something(name, &key), "{name}: {key} is not listed");
        }
    }
}

//! Requests, blocks, devices, settings: what is asked, and what is done.

use rossby_client::{Conversation, OwnDevice, ReceiptSettings, Settings, Verified};
use rossby_schemas::events::profiles::Audience;
use rossby_schemas::ids::DeviceId;
use world::{at, box_id, emoji, known, message_id, own, somebody, text};

use super::*;
use crate::person::chat::state::action::{Action, Found, Known, Outcome, Person};
use crate::person::chat::state::overlay::{Ask, Overlay};

pub(super) fn actions(effects: &[Effect]) -> Vec<Action> {
    let actions = effects.iter().filter_map(|effect| match effect {
        Effect::Do(action) => Some(action.clone()),
        _ => None,
    });
    actions.collect()
}

/// A friend, and a stranger, who is chosen.
fn stranger() -> State {
    let mut state = state();
    state.update(Event::Conversations(vec![
        overview(text(1, 2, "Hello"), 1, Standing::Accepted),
        overview(text(2, 3, "Buy this"), 1, Standing::Stranger),
    ]));
    state.press(&["down"]);
    assert_eq!(state.list.chosen, Some(with(3)));
    state
}

fn device(number: u128) -> OwnDevice {
    OwnDevice {
        device_id: DeviceId(uuid::Uuid::from_u128(number)),
        name: Some(format!("device {number}")),
        is_this: number == 1,
        linked_at: at(0),
        linked_by: None,
        removed_at: None,
        sealing_expires: None,
        waiting: 0,
        last_confirmed_at: None,
        lost: None,
    }
}

#[test]
fn a_request_is_answered() {
    assert_eq!(actions(&stranger().press(&["a"])), [Action::Accept(box_id(3))]);
    let mut state = stranger();
    assert!(actions(&state.press(&["x"])).is_empty(), "it asks first");
    assert!(actions(&state.press(&["n"])).is_empty() && state.overlays.is_empty());
    assert_eq!(actions(&state.press(&["x", "enter", "y"])), [Action::Decline(box_id(3))]);
    let block = Action::Block { box_id: box_id(3), is_request: true };
    assert_eq!(actions(&state.press(&["b", "y"])), [block]);
    // Whoever isn't a stranger is neither accepted nor declined.
    assert!(actions(&state.press(&["up", "a", "x"])).is_empty() && state.overlays.is_empty());
    let block = Action::Block { box_id: box_id(2), is_request: false };
    assert_eq!(actions(&state.press(&["b", "y"])), [block]);
    state.update(Event::Conversations(vec![overview(text(1, 2, "Hello"), 1, Standing::Blocked)]));
    assert_eq!(actions(&state.press(&["b"])), [Action::Unblock(box_id(2))]);
}

#[test]
fn a_conversation_begins_with_an_address() {
    let mut state = stranger();
    state.press(&["n"]);
    assert!(actions(&state.types("nobody")).is_empty());
    assert!(actions(&state.press(&["enter"])).is_empty());
    let error = |state: &State| match state.overlays.last() {
        Some(Overlay::Prompt(prompt)) => prompt.error.clone(),
        _ => None,
    };
    assert!(error(&state).unwrap().contains("phone number"), "what is wrong is said beside it");
    state.types("@example.org");
    assert_eq!(error(&state), None);
    let [action] = actions(&state.press(&["enter"])).try_into().unwrap();
    assert!(actions(&state.press(&["enter", "x"])).is_empty(), "it is being looked up");
    state.update(Event::Done { action: action.clone(), result: Err("no such user".to_owned()) });
    assert_eq!(error(&state).as_deref(), Some("no such user"));
    state.press(&["enter"]);
    let found = Found::Conversation(with(9), "nobody@example.org".to_owned());
    state.update(Event::Done { action, result: Ok(found.into()) });
    assert!(state.overlays.is_empty());
    assert_eq!((state.open.as_ref().unwrap().conversation, state.focus), (with(9), Focus::Composer));
    assert_eq!(state.list.name(with(9)), "nobody@example.org");
    assert!(state.is_sound());
}

#[test]
fn what_goes_wrong_after_the_question_was_left_is_said() {
    let mut state = stranger();
    state.press(&["n"]);
    state.types("a@example.org");
    let [action] = actions(&state.press(&["enter"])).try_into().unwrap();
    state.press(&["esc"]);
    state.update(Event::Done { action, result: Err("no such user".to_owned()) });
    assert!(state.overlays.is_empty());
    assert!(state.said.as_ref().is_some_and(|said| said.is_error));
}

#[test]
fn emojis_are_put_on_messages_and_taken_away() {
    let mut message = text(1, 2, "Hello");
    message.reactions = vec![emoji("👍", &[1, 2]), emoji("😂", &[2])];
    let mut state = talking(&[(2, vec![message.clone()])]);
    state.press(&["up"]);
    let react =
        |emoji: &str, removed| Action::React { message: Box::new(message.clone()), emoji: emoji.to_owned(), removed };
    assert_eq!(actions(&state.press(&["+", "1", "enter"])), [react("👍", true)]);
    state.press(&["esc"]);
    assert_eq!(actions(&state.press(&["+", "3", "enter"])), [react("😂", false)]);
    state.press(&["esc", "+"]);
    state.update(Event::Pasted("🦆".to_owned()));
    assert_eq!(actions(&state.press(&["enter"])), [react("🦆", false)]);
}

#[test]
fn only_ones_own_message_is_deleted() {
    let mut state = talking(&[(2, vec![own(1, 2, "mine"), text(2, 2, "theirs")])]);
    state.press(&["up", "x"]);
    assert!(state.overlays.is_empty() && state.said.as_ref().unwrap().is_error);
    assert!(actions(&state.press(&["up", "delete"])).is_empty(), "it asks first");
    assert_eq!(actions(&state.press(&["y"])), [Action::Delete(message_id(1))]);
}

#[test]
fn a_place_is_sent() {
    let mut state = talking(&[(2, vec![own(1, 2, "x")])]);
    state.press(&["up", "l"]);
    state.types("north");
    assert!(actions(&state.press(&["enter"])).is_empty());
    state.press(&["ctrl-u"]);
    state.types("52.5, 13.4");
    let [Action::SendPlace { conversation, location }] = &actions(&state.press(&["enter"]))[..] else { panic!() };
    assert_eq!((*conversation, location.latitude), (with(2), 52.5));
}

#[test]
fn devices_are_named_removed_and_linked() {
    let mut state = stranger();
    assert_eq!(actions(&state.press(&["v"])), [Action::ListDevices]);
    assert!(actions(&state.press(&["x", "r", "down"])).is_empty(), "nothing is known yet");
    let list = |count| Outcome::from(Found::Devices((1..=count).map(device).collect()));
    state.update(Event::Done { action: Action::ListDevices, result: Ok(list(2)) });
    state.press(&["down", "down", "r"]);
    let device_id = device(2).device_id;
    let named = [state.types("laptop"), state.press(&["enter"])].concat();
    assert_eq!(actions(&named), [Action::NameDevice { device_id, name: "laptop".to_owned() }]);
    state.press(&["esc", "x"]);
    assert_eq!(actions(&state.press(&["y"])), [Action::RemoveDevice(device_id)]);
    state.update(Event::Done { action: Action::RemoveDevice(device_id), result: Ok(list(1)) });
    assert!(state.is_sound());

    // The code is typed, the device is named, and only then it is linked.
    state.press(&["l"]);
    let [find] = actions(&[state.types("ABCDE"), state.press(&["enter"])].concat()).try_into().unwrap();
    assert!(!format!("{find:?}").contains("ABCDE"));
    let found = || Ok(Found::Link("phone".to_owned()).into());
    state.update(Event::Done { action: find.clone(), result: found() });
    assert!(matches!(state.overlays.last(), Some(Overlay::Confirm(confirm)) if confirm.question.contains("phone")));
    assert_eq!(actions(&state.press(&["n"])), [Action::RefuseLink]);
    state.update(Event::Done { action: find, result: found() });
    assert_eq!(actions(&state.press(&["y"])), [Action::Link]);
}

#[test]
fn settings_are_changed_one_by_one() {
    let settings = Settings {
        discoverable: Audience::Everyone,
        accept_from: Audience::Nobody,
        blocks: 0,
        contacts: 0,
        waiting: 0,
    };
    let receipts = ReceiptSettings { delivery: true, read: true, typing: true };
    let mut state = stranger();
    assert_eq!(actions(&state.press(&["s"])), [Action::ReadSettings]);
    assert!(actions(&state.press(&["enter"])).is_empty());
    let result = Ok(Found::Settings(settings, receipts).into());
    state.update(Event::Done { action: Action::ReadSettings, result });
    let changed =
        actions(&state.press(&["enter", "down", "enter", "down", "enter", "down", "enter", "down", "down", "enter"]));
    let set = |delivery, read, typing| Action::SetReceipts(ReceiptSettings { delivery, read, typing });
    let last = [set(false, true, true), set(true, false, true), set(true, true, false)];
    let [discoverable, accept_from] =
        [Action::SetDiscoverable(Audience::Contacts), Action::SetAcceptFrom(Audience::Everyone)];
    assert_eq!(changed, [vec![discoverable, accept_from], last.to_vec()].concat());
}

#[test]
fn whose_address_moved_is_accepted_after_a_question() {
    let mut state = stranger();
    assert_eq!(actions(&state.press(&["i"])), [Action::LookUp(box_id(3))]);
    let done = |changed: &[&str]| {
        let changed = changed.iter().map(|&address| address.to_owned()).collect();
        let person = Person { changed, ..somebody(3) };
        Event::Done { action: Action::LookUp(box_id(3)), result: Ok(Found::Person(Box::new(person)).into()) }
    };
    state.update(done(&[]));
    assert!(actions(&state.press(&["c", "y"])).is_empty() && state.overlays.len() == 1);
    state.update(done(&["p3@example.org"]));
    assert_eq!(actions(&state.press(&["c", "y"])), [Action::AcceptChange("p3@example.org".parse().unwrap())]);
}

#[test]
fn somebody_is_verified_by_what_they_say() {
    let mut state = stranger();
    state.press(&["up", "i", "v"]);
    assert_eq!(state.overlays.len(), 1, "nothing is known yet");
    let found = |person: Person| Ok(Found::Person(Box::new(person)).into());
    state.update(Event::Done { action: Action::LookUp(box_id(2)), result: found(somebody(2)) });
    assert!(actions(&state.press(&["u"])).is_empty(), "they are not verified");
    state.press(&["p"]);
    assert!(matches!(state.overlays.last(), Some(Overlay::Code(code)) if *code == known().code));
    state.press(&["esc", "v"]);
    let said = "01234 56789";
    let [verify] = actions(&[state.types(said), state.press(&["enter"])].concat()).try_into().unwrap();
    assert_eq!(verify, Action::Verify { box_id: box_id(2), said: said.to_owned() });
    state.update(Event::Done { action: verify.clone(), result: Err("not the same".to_owned()) });
    assert!(matches!(state.overlays.last(), Some(Overlay::Prompt(prompt)) if prompt.error.is_some()));
    state.press(&["enter"]);
    let verified = Some(Verified { at: at(0), new_devices: 0 });
    state.update(Event::Done {
        action: verify,
        result: found(Person { known: Some(Known { verified, ..known() }), ..somebody(2) }),
    });
    assert_eq!(state.overlays.len(), 1);
    assert_eq!(actions(&state.press(&["u"])), [Action::Unverify(box_id(2))]);
}

#[test]
fn sheets_go_one_by_one() {
    let mut state = stranger();
    state.press(&["v", "l", "f1"]);
    assert!(matches!(
        &state.overlays[..],
        [Overlay::Devices { .. }, Overlay::Prompt(prompt), Overlay::Help { .. }] if prompt.ask == Ask::LinkCode
    ));
    for left in (0..3).rev() {
        state.press(&["esc"]);
        assert_eq!(state.overlays.len(), left);
    }
    assert_eq!(state.focus, Focus::List);
    assert_eq!(state.list.name(Conversation::Direct(box_id(77))), "box 4d4d4d4d");
}

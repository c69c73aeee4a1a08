//! Groups: made, shown, changed, left.

use rossby_client::{Conversation, Group, Membership};
use world::{box_id, group, in_group, overview, text};

use super::people::actions;
use super::*;
use crate::person::chat::state::action::{Action, Found};
use crate::person::chat::state::overlay::Overlay;

fn read(state: &mut State, group: &Group) {
    let result = Ok(Found::Group(Box::new(group.clone())).into());
    state.update(Event::Done { action: Action::ReadGroup(group.id), result });
}

/// A group that asks the person in, chosen in the list.
fn asked_in() -> State {
    let mut state = state();
    let last = Message { is_request: true, ..in_group(text(1, 2, "Hello all"), "Cooks") };
    let asked = rossby_client::ConversationOverview { standing: None, ..overview(last, 1, Standing::Accepted) };
    let last = Message { is_request: true, ..asked.last };
    state.update(Event::Conversations(vec![rossby_client::ConversationOverview { last, ..asked }]));
    assert_eq!(state.list.name(Conversation::Group(group(7, 1).id.0)), "group “Cooks”");
    state
}

#[test]
fn a_group_is_made_of_people() {
    let mut state = state();
    assert_eq!(actions(&state.press(&["g"])), [Action::ListGroups]);
    state.press(&["n"]);
    assert!(actions(&[state.types("Cooks"), state.press(&["enter"])].concat()).is_empty(), "its members are asked for");
    state.types("a@example.org, nobody");
    assert!(actions(&state.press(&["enter"])).is_empty());
    let Some(Overlay::Prompt(prompt)) = state.overlays.last() else { panic!() };
    assert!(prompt.error.as_ref().unwrap().starts_with("nobody: "), "it is said which one is none");
    let [action] = actions(&[state.types("@example.org"), state.press(&["enter"])].concat()).try_into().unwrap();
    let Action::CreateGroup { name, members } = &action else { panic!() };
    assert_eq!((name.as_str(), members.len()), ("Cooks", 2));
    let made = Conversation::Group(group(1, 1).id.0);
    state.update(Event::Done { action, result: Ok(Found::Conversation(made, "Cooks".to_owned()).into()) });
    assert!(state.overlays.is_empty());
    assert_eq!((state.open.as_ref().unwrap().conversation, state.list.name(made).as_str()), (made, "Cooks"));
}

#[test]
fn members_are_added_promoted_and_removed() {
    let mut state = state();
    let cooks = group(1, 3);
    state.press(&["g"]);
    state.update(Event::Done { action: Action::ListGroups, result: Ok(Found::Groups(vec![cooks.clone()]).into()) });
    assert_eq!(actions(&state.press(&["i"])), [Action::ReadGroup(cooks.id)]);
    assert!(actions(&state.press(&["x", "m", "l"])).is_empty(), "nothing is known yet");
    read(&mut state, &cooks);
    state.press(&["x"]);
    assert_eq!(state.overlays.len(), 2, "oneself is not removed");
    assert!(actions(&state.press(&["down", "down", "x"])).is_empty(), "it asks first");
    assert_eq!(actions(&state.press(&["y"])), [Action::RemoveFromGroup { group: cooks.id, member: box_id(3) }]);
    let admin = |member, is_admin| Action::SetGroupAdmin { group: cooks.id, member: box_id(member), is_admin };
    assert_eq!(actions(&state.press(&["m", "up", "m"])), [admin(3, true), admin(2, false)]);
    state.press(&["a"]);
    let [action] = actions(&[state.types("b@example.org"), state.press(&["enter"])].concat()).try_into().unwrap();
    let members = vec!["b@example.org".parse().unwrap()];
    assert_eq!(action, Action::AddToGroup { group: cooks.id, members });
    // Fewer than before: what is chosen is there.
    state.press(&["esc", "end"]);
    read(&mut state, &group(1, 1));
    assert!(state.is_sound());
    state.press(&["r"]);
    let renamed = actions(&[state.types("Chefs"), state.press(&["enter"])].concat());
    assert_eq!(renamed, [Action::RenameGroup { group: cooks.id, name: "Chefs".to_owned() }]);
    assert_eq!(actions(&state.press(&["esc", "l", "y"])), [Action::LeaveGroup(cooks.id)]);
}

#[test]
fn a_group_that_asks_is_answered() {
    let id = group(7, 1).id;
    assert_eq!(actions(&asked_in().press(&["a"])), [Action::AcceptGroup(id)]);
    assert_eq!(actions(&asked_in().press(&["x", "y"])), [Action::DeclineGroup(id)]);
    let mut state = asked_in();
    assert!(actions(&state.press(&["b"])).is_empty() && state.overlays.is_empty(), "a group can't be blocked");
    assert_eq!(actions(&state.press(&["i"])), [Action::ReadGroup(id)]);
    read(&mut state, &Group { id, membership: Membership::Requested, ..group(7, 2) });
    assert_eq!(actions(&state.press(&["a"])), [Action::AcceptGroup(id)]);
    assert_eq!(actions(&state.press(&["x", "y"])), [Action::DeclineGroup(id)]);
}

#[test]
fn a_member_is_looked_up() {
    let mut state = asked_in();
    state.press(&["i"]);
    read(&mut state, &Group { id: group(7, 1).id, ..group(7, 3) });
    assert!(actions(&state.press(&["enter"])).is_empty(), "that is oneself");
    assert_eq!(actions(&state.press(&["down", "down", "enter"])), [Action::LookUp(box_id(3))]);
    assert!(matches!(state.overlays.last(), Some(Overlay::Person { box_id: about, .. }) if *about == box_id(3)));
}

#[test]
fn what_was_done_in_a_group_is_shown() {
    let mut state = state();
    let id = group(1, 3).id;
    state.press(&["g"]);
    state.update(Event::Done { action: Action::ListGroups, result: Ok(Found::Groups(vec![group(1, 3)]).into()) });
    state.press(&["i"]);
    read(&mut state, &group(1, 3));
    assert_eq!(actions(&state.press(&["h"])), [Action::ReadGroupHistory(id)]);
    let of = |id| Event::Done {
        action: Action::ReadGroupHistory(id),
        result: Ok(Found::GroupHistory(id, vec![world::event(2)]).into()),
    };
    let shown = |state: &State| match state.overlays.last() {
        Some(Overlay::GroupHistory { history, .. }) => history.as_ref().map(Vec::len),
        _ => None,
    };
    state.update(of(group(2, 3).id));
    assert_eq!(shown(&state), None, "it is another group's");
    state.update(of(id));
    assert_eq!(shown(&state), Some(1));
    state.press(&["esc", "esc", "esc"]);
    assert!(state.overlays.is_empty());
}

#[test]
fn the_list_of_groups_opens_one() {
    let mut state = state();
    state.press(&["g"]);
    let groups = vec![group(1, 3), group(2, 1)];
    state.update(Event::Done { action: Action::ListGroups, result: Ok(Found::Groups(groups).into()) });
    state.press(&["down", "enter"]);
    assert_eq!(state.open.as_ref().unwrap().conversation, Conversation::Group(group(2, 1).id.0));
    assert!(state.overlays.is_empty() && state.is_sound());
}

//! Conversations and messages: chosen, scrolled, read.

use rossby_client::{Conversation, Way};
use world::{at, box_id, emoji, own, text, warning};

use super::*;
use crate::person::chat::state::event::{Connection, Lost};
use crate::person::chat::state::open::PAGE;
use crate::person::chat::state::overlay::Overlay;

fn many(count: i64) -> Vec<Message> {
    (1..=count).map(|number| text(number, 2, &format!("text {number}"))).collect()
}

/// Conversations with four people, the first one open.
fn four() -> State {
    let people: Vec<(u8, Vec<Message>)> = (2..6).map(|n| (n, vec![text(i64::from(n), n, "x")])).collect();
    talking(&people)
}

fn marked(effects: &[Effect]) -> Vec<i64> {
    let marked = effects.iter().filter_map(|effect| match effect {
        Effect::MarkRead(messages) => Some(messages.iter().map(|message| message.id)),
        _ => None,
    });
    marked.flatten().collect()
}

fn loads(effects: &[Effect]) -> Vec<(Conversation, u32)> {
    let loads = effects.iter().filter_map(|effect| match effect {
        Effect::LoadTranscript { conversation, limit } => Some((*conversation, *limit)),
        _ => None,
    });
    loads.collect()
}

#[test]
fn what_was_on_the_screen_is_read_once() {
    let mut state = talking(&[(2, many(5))]);
    assert_eq!(marked(&drawn(&mut state, 4, &[4, 5])), [4, 5]);
    assert!(marked(&drawn(&mut state, 4, &[4, 5])).is_empty());
    assert_eq!(marked(&drawn(&mut state, 4, &[3, 4])), [3]);
    // What is said of it later is read too.
    let mut messages = many(5);
    messages[4].reactions = vec![emoji("👍", &[2])];
    state.update(Event::Transcript { conversation: with(2), limit: PAGE, messages });
    assert_eq!(marked(&drawn(&mut state, 4, &[4, 5])), [5]);
}

#[test]
fn what_nobody_looks_at_is_not_read() {
    let mut state = talking(&[(2, many(2))]);
    state.update(Event::Watched(false));
    assert!(marked(&drawn(&mut state, 4, &[1, 2])).is_empty());
    assert_eq!(marked(&state.update(Event::Watched(true))), [1, 2]);
    // What a sheet covers is not seen.
    let mut state = talking(&[(2, many(2))]);
    state.press(&["f1"]);
    assert!(marked(&drawn(&mut state, 4, &[1, 2])).is_empty());
    state.press(&["esc"]);
    assert_eq!(marked(&drawn(&mut state, 4, &[1, 2])), [1, 2]);
}

#[test]
fn keys_choose_messages_and_below_the_last_is_the_composer() {
    let mut state = talking(&[(2, many(3))]);
    state.press(&["up"]);
    assert_eq!(state.focus, Focus::Transcript);
    let chosen = |state: &State| state.open.as_ref().unwrap().chosen;
    assert_eq!(chosen(&state), Some(3));
    state.press(&["k", "up", "up"]);
    assert_eq!(chosen(&state), Some(1));
    state.press(&["end"]);
    assert_eq!(chosen(&state), Some(3));
    state.press(&["j"]);
    assert_eq!((state.focus, chosen(&state)), (Focus::Composer, None));
}

#[test]
fn older_messages_are_read_when_the_first_one_is_reached() {
    let all = many(250);
    let last = |count: usize| all[250 - count..].to_vec();
    let take =
        |state: &mut State, limit, messages| state.update(Event::Transcript { conversation: with(2), limit, messages });
    let mut state = talking(&[(2, last(100))]);
    assert_eq!(loads(&state.press(&["up", "home"])), [(with(2), 200)]);
    assert!(loads(&state.press(&["up"])).is_empty(), "once");
    // What was asked for before comes too late.
    take(&mut state, 100, last(99));
    take(&mut state, 200, last(200));
    assert_eq!(state.open.as_ref().unwrap().chosen, Some(151), "it stays where it was");
    assert_eq!(loads(&state.press(&["home"])), [(with(2), 300)]);
    take(&mut state, 300, last(250));
    assert!(loads(&state.press(&["home"])).is_empty(), "there are no more");
    // Back at the end, the last ones are enough.
    state.press(&["esc"]);
    assert_eq!(loads(&state.update(Event::Changed)), [(with(2), PAGE)]);
}

#[test]
fn what_comes_does_not_move_what_is_being_read() {
    let mut state = talking(&[(2, many(100))]);
    state.press(&["up", "home", "down"]);
    let chosen = |state: &State| state.open.as_ref().unwrap().chosen;
    assert_eq!(chosen(&state), Some(2));
    // So many have come that it isn't among those that were asked for: more are.
    let messages = (101..=300).map(|number| text(number, 2, "new")).collect();
    let effects = state.update(Event::Transcript { conversation: with(2), limit: 200, messages });
    assert_eq!(loads(&effects), [(with(2), 300)]);
    assert_eq!(chosen(&state), Some(2));
    // It is gone: the last one is chosen.
    let messages = (101..=300).map(|number| text(number, 2, "new")).collect();
    state.update(Event::Transcript { conversation: with(2), limit: 300, messages });
    assert_eq!(chosen(&state), Some(300));
}

#[test]
fn pages_are_as_long_as_the_screen() {
    let mut state = talking(&[(2, many(20))]);
    state.press(&["up"]);
    drawn(&mut state, 10, &[]);
    let mut page = |name| {
        state.press(&[name]);
        let open = state.open.as_ref().unwrap();
        (open.chosen, open.above)
    };
    // Forty rows, of which ten are seen: from row 30 to 21, which is the second of message 11.
    assert_eq!(page("pgup"), (Some(11), 1));
    assert_eq!(page("pgup"), (Some(7), 0));
    assert_eq!(page("pgdn"), (Some(11), 1));
    assert_eq!(page("pgdn"), (Some(20), 0));
    for _ in 0..9 {
        page("pgup");
    }
    assert_eq!(page("pgup"), (Some(1), 0));
}

#[test]
fn the_list_is_searched() {
    let mut state = four();
    state.press(&["esc", "/"]);
    state.types("P4@");
    let names: Vec<String> = state.list.entries().into_iter().map(|entry| entry.name).collect();
    assert_eq!(names, ["p4@example.org"]);
    assert_eq!(state.list.chosen, Some(with(4)));
    state.types("zzz");
    assert_eq!((state.list.entries().len(), state.list.chosen), (0, None));
    assert!(state.is_sound());
    assert!(loads(&state.press(&["enter"])).is_empty(), "there is nothing to open");
    state.press(&["esc"]);
    assert_eq!(state.list.entries().len(), 4);
}

#[test]
fn the_list_keeps_what_is_chosen() {
    let mut state = four();
    state.press(&["esc", "down", "down"]);
    assert_eq!(state.list.chosen, Some(with(4)));
    // Another one comes to the top.
    let overviews = [5, 4, 2, 3].map(|n| overview(text(9, n, "y"), 1, Standing::Accepted));
    state.update(Event::Conversations(overviews.to_vec()));
    assert_eq!(state.list.chosen, Some(with(4)));
    state.press(&["up"]);
    assert_eq!(state.list.chosen, Some(with(5)));
    state.press(&["end", "j", "pgdn"]);
    assert_eq!(state.list.chosen, Some(with(3)));
    state.press(&["home", "k"]);
    assert_eq!(state.list.chosen, Some(with(5)));
    // It goes away.
    state.update(Event::Conversations(overviews[1..].to_vec()));
    assert_eq!(state.list.chosen, Some(with(4)));
}

#[test]
fn who_writes_is_shown_for_a_while() {
    let mut state = talking(&[(2, many(1))]);
    let writing = |state: &State| state.typing.of(with(2)).collect::<Vec<_>>();
    let heard = |is_typing| Event::Typing { conversation: with(2), who: box_id(2), is_typing };
    state.update(heard(true));
    assert_eq!(writing(&state), [box_id(2)]);
    state.update(Event::Tick(at(7)));
    state.update(heard(true));
    state.update(Event::Tick(at(14)));
    assert_eq!(writing(&state), [box_id(2)]);
    state.update(Event::Tick(at(15)));
    assert!(writing(&state).is_empty());
    state.update(heard(true));
    state.update(heard(false));
    assert!(writing(&state).is_empty());
}

#[test]
fn warnings_stay_until_they_are_dismissed() {
    let mut state = talking(&[(2, vec![own(1, 2, "x")])]);
    state.press(&["f2"]);
    assert!(state.overlays.is_empty(), "there are none");
    state.update(Event::Warnings((1..=3).map(warning).collect()));
    state.update(Event::Tick(at(3600)));
    assert_eq!(state.warnings.len(), 3);
    let effects = state.press(&["f2", "down", "enter"]);
    assert!(matches!(&effects[..], [Effect::WarningsShown(shown)] if *shown == [warning(2)]));
    assert!(matches!(state.overlays[..], [Overlay::Warnings { chosen: 1 }]));
    let effects = state.press(&["X"]);
    assert!(matches!(&effects[..], [Effect::WarningsShown(shown)] if *shown == [warning(1), warning(3)]));
    assert!(state.overlays.is_empty() && state.warnings.is_empty());
}

#[test]
fn what_was_said_goes_away_and_the_connection_is_what_it_is() {
    let mut state = talking(&[(2, many(1))]);
    state.update(Event::Failed("no".to_owned()));
    state.update(Event::Tick(at(9)));
    assert!(state.said.is_some());
    state.update(Event::Tick(at(10)));
    assert!(state.said.is_none());
}

#[test]
fn a_lost_connection_says_since_when_and_is_tried_now() {
    let mut state = talking(&[(2, many(1))]);
    let lost = |reason: &str, next_try| Connection::Lost(Lost { reason: reason.to_owned(), since: at(20), next_try });
    state.update(Event::Connection(lost("reset", None)));
    state.update(Event::Tick(at(30)));
    state.update(Event::Waiting { reason: "away".to_owned(), until: at(40) });
    assert_eq!(state.connection, lost("away", Some(at(40))), "it is lost since it was");
    assert!(matches!(state.press(&["ctrl-r"])[..], [Effect::TryNow]));
    assert_eq!(state.connection, lost("away", None), "it is being tried");

    // Without a live stream there is one to be had; with it, or where waiting cures nothing, there is nothing to try.
    state.update(Event::Connection(Connection::Connected(Way::Asking)));
    assert_eq!(state.said.as_ref().unwrap().text, "The connection is back");
    assert!(matches!(state.press(&["ctrl-r"])[..], [Effect::TryNow]));
    for connection in [Connection::Connected(Way::Stream), Connection::Ended("removed".to_owned())] {
        state.update(Event::Connection(connection));
        assert!(state.press(&["ctrl-r"]).is_empty());
    }
}

//! What is written, and that none of it is lost.

use super::world::{at, message_id, own, text};
use super::*;
use crate::person::chat::state::drafts::{KeptDraft, Quote, Say, Sending};

fn two() -> State {
    talking(&[(2, vec![text(1, 2, "Hello"), own(2, 2, "Hi")]), (3, vec![text(3, 3, "Good day")])])
}

fn sendings(effects: &[Effect]) -> Vec<Sending> {
    let sendings = effects.iter().filter_map(|effect| match effect {
        Effect::Send(sending) => Some(sending.clone()),
        _ => None,
    });
    sendings.collect()
}

fn kept(effects: &[Effect]) -> Vec<KeptDraft> {
    let kept = effects.iter().filter_map(|effect| match effect {
        Effect::KeepDraft(kept) => Some(kept.clone()),
        _ => None,
    });
    kept.collect()
}

#[test]
fn each_conversation_has_a_draft_of_its_own() {
    let mut state = two();
    state.types("to two");
    state.press(&["ctrl-n"]);
    assert_eq!((state.open.as_ref().unwrap().conversation, state.written()), (with(3), ""));
    state.types("to three");
    state.press(&["ctrl-p"]);
    assert_eq!(state.written(), "to two");
    state.press(&["ctrl-p", "ctrl-n"]);
    assert_eq!(state.written(), "to three");
}

#[test]
fn what_is_sent_stays_until_it_is_in_the_outbox() {
    let mut state = two();
    let effects = state.types("one");
    assert!(sendings(&effects).is_empty());
    let effects = state.press(&["enter"]);
    let [sending] = sendings(&effects).try_into().unwrap();
    let one = Say::Text { text: "one".to_owned(), reply_to: None };
    assert_eq!((sending.conversation, &sending.say), (with(2), &one));
    assert_eq!(state.written(), "");
    assert_eq!(state.drafts.sending(with(2)).count(), 1);
    // Killed now, it would be the draft of the next time.
    let draft = KeptDraft { conversation: with(2), text: "one".to_owned(), reply_to: None };
    assert_eq!(kept(&state.update(Event::Tick(at(1)))), [draft]);
    state.update(Event::Stored { number: sending.number, result: Ok(()) });
    assert_eq!(state.drafts.sending(with(2)).count(), 0);
    assert_eq!(kept(&state.update(Event::Tick(at(2))))[0].text, "");
    assert!(kept(&state.update(Event::Tick(at(3)))).is_empty(), "nothing has changed");
}

#[test]
fn what_could_not_be_stored_comes_back() {
    let mut state = two();
    state.types("one");
    let [first] = sendings(&state.press(&["enter"])).try_into().unwrap();
    state.types("two");
    state.press(&["ctrl-n"]);
    state.update(Event::Stored { number: first.number, result: Err("their box changed".to_owned()) });
    assert!(state.said.as_ref().is_some_and(|said| said.is_error && said.text.contains("their box changed")));
    state.press(&["ctrl-p"]);
    assert_eq!(state.written(), "one\ntwo");
}

#[test]
fn blanks_are_not_sent() {
    let mut state = two();
    state.types("  ");
    assert!(sendings(&state.press(&["alt-enter", "enter"])).is_empty());
    assert_eq!(state.written(), "  \n");
}

#[test]
fn what_is_too_long_is_not_sent() {
    let mut state = two();
    let long = "x".repeat(rossby_client::MAX_TEXT_OCTETS + 1);
    state.update(Event::Pasted(long.clone()));
    assert!(sendings(&state.press(&["enter"])).is_empty());
    assert!(state.said.as_ref().unwrap().is_error);
    assert_eq!(state.written(), long);
    let [sending] = sendings(&state.press(&["backspace", "enter"])).try_into().unwrap();
    assert_eq!(sending.say.text().len(), rossby_client::MAX_TEXT_OCTETS);
}

#[test]
fn a_reply_names_its_message() {
    let mut state = two();
    state.press(&["up", "up", "r"]);
    assert_eq!(state.focus, Focus::Composer);
    state.types("You too");
    let [sending] = sendings(&state.press(&["enter"])).try_into().unwrap();
    let quote = Quote { message_id: message_id(1), author: "p2@example.org".to_owned(), text: "Hello".to_owned() };
    assert_eq!(sending.say, Say::Text { text: "You too".to_owned(), reply_to: Some(quote.clone()) });
    assert_eq!(state.composer().unwrap().reply_to, None);
    state.update(Event::Stored { number: sending.number, result: Err("no".to_owned()) });
    assert_eq!(state.composer().unwrap().reply_to, Some(quote));
    state.press(&["esc"]);
    assert_eq!((state.composer().unwrap().reply_to.as_ref(), state.written()), (None, "You too"));
}

#[test]
fn an_edit_leaves_the_draft_alone() {
    let mut state = two();
    state.types("unsent");
    state.press(&["up", "up", "e"]);
    assert!(state.said.as_ref().unwrap().is_error, "only one's own can be edited");
    state.press(&["down", "e"]);
    assert_eq!(state.written(), "Hi");
    state.types("!");
    let [sending] = sendings(&state.press(&["enter"])).try_into().unwrap();
    assert_eq!(sending.say, Say::Edit { message_id: message_id(2), text: "Hi!".to_owned() });
    assert_eq!(state.written(), "unsent");
    state.update(Event::Stored { number: sending.number, result: Err("no".to_owned()) });
    assert_eq!(state.written(), "Hi!", "the edit goes on");
    state.press(&["esc"]);
    assert_eq!(state.written(), "unsent");
}

#[test]
fn what_was_kept_comes_back() {
    let draft = |number| KeptDraft { conversation: with(number), text: "before".to_owned(), reply_to: None };
    let mut state = state();
    state.update(Event::Drafts(vec![(draft(4), "four@example.org".to_owned())]));
    assert_eq!(state.list.entries()[0].name, "four@example.org");
    state.press(&["enter"]);
    assert_eq!(state.written(), "before");
    // Who types faster than the store is read loses nothing.
    let mut state = two();
    state.types("now");
    state.update(Event::Drafts(vec![(draft(2), "two".to_owned())]));
    assert_eq!(state.written(), "before\nnow");
}

#[test]
fn the_end_keeps_what_was_written() {
    for end in ["ctrl-c", "ctrl-q"] {
        let mut state = two();
        state.types("half a");
        let effects = state.press(&[end]);
        assert_eq!(kept(&effects)[0].text, "half a");
        assert!(matches!(effects.last(), Some(Effect::Quit)));
    }
    let mut state = two();
    state.types("half a");
    let effects = state.update(Event::Stop);
    assert_eq!(kept(&effects)[0].text, "half a");
}

#[test]
fn others_are_told_who_writes_but_not_for_each_letter() {
    let typing = |effects: &[Effect]| -> Vec<bool> {
        let told = effects.iter().filter_map(|effect| match effect {
            Effect::Typing { conversation, is_typing } => {
                assert_eq!(*conversation, with(2));
                Some(*is_typing)
            }
            _ => None,
        });
        told.collect()
    };
    let mut state = two();
    assert_eq!(typing(&state.types("hello")), [true]);
    state.update(Event::Tick(at(5)));
    assert_eq!(typing(&state.types(" there")), [true]);
    assert_eq!(typing(&state.press(&["enter"])), [false]);
    assert_eq!(typing(&state.types("x")), [true]);
    assert_eq!(typing(&state.press(&["backspace"])), [false]);
    assert_eq!(typing(&state.types("x")), [true]);
    assert_eq!(typing(&state.press(&["ctrl-n"])), [false]);
}

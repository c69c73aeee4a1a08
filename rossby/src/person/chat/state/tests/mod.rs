mod any;
mod drafts;
mod files;
mod groups;
mod keys;
mod linking;
mod people;
mod reading;
pub(in crate::person::chat) mod world;
mod yourself;

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use rossby_client::{Message, Standing};
use world::{overview, state, with};

use super::effect::Effect;
use super::event::{Event, Measures};
use super::{Focus, State};

/// A key by its name: a letter, `enter`, `ctrl-n`.
fn key(name: &str) -> KeyEvent {
    let (modifiers, name) = match name.split_once('-') {
        Some(("ctrl", name)) => (KeyModifiers::CONTROL, name),
        Some(("alt", name)) => (KeyModifiers::ALT, name),
        _ => (KeyModifiers::NONE, name),
    };
    let code = match name {
        "enter" => KeyCode::Enter,
        "esc" => KeyCode::Esc,
        "tab" => KeyCode::Tab,
        "backtab" => KeyCode::BackTab,
        "up" => KeyCode::Up,
        "down" => KeyCode::Down,
        "left" => KeyCode::Left,
        "right" => KeyCode::Right,
        "home" => KeyCode::Home,
        "end" => KeyCode::End,
        "pgup" => KeyCode::PageUp,
        "pgdn" => KeyCode::PageDown,
        "backspace" => KeyCode::Backspace,
        "delete" => KeyCode::Delete,
        "f1" => KeyCode::F(1),
        "f2" => KeyCode::F(2),
        name => KeyCode::Char(name.chars().next().unwrap()),
    };
    KeyEvent::new(code, modifiers)
}

impl State {
    /// Presses keys, by their names. Gives what is to be done.
    pub(in crate::person::chat) fn press(&mut self, names: &[&str]) -> Vec<Effect> {
        names.iter().flat_map(|name| self.update(Event::Key(key(name)))).collect()
    }

    /// Types a text, letter by letter.
    pub(in crate::person::chat) fn types(&mut self, text: &str) -> Vec<Effect> {
        let keys = text.chars().map(|c| KeyEvent::new(KeyCode::Char(c), KeyModifiers::NONE));
        keys.flat_map(|key| self.update(Event::Key(key))).collect()
    }

    /// What stands in the open conversation's composer.
    fn written(&self) -> &str {
        self.composer().map_or("", |composer| composer.editor().text())
    }
}

/// A chat with these messages in a conversation with each of these people, the first one open.
pub(in crate::person::chat) fn talking(people: &[(u8, Vec<Message>)]) -> State {
    let mut state = state();
    let overviews = people.iter().filter_map(|(_, messages)| {
        Some(overview(messages.last()?.clone(), u64::try_from(messages.len()).unwrap(), Standing::Accepted))
    });
    state.update(Event::Conversations(overviews.collect()));
    let (first, messages) = people[0].clone();
    state.list.chosen = Some(with(first));
    state.press(&["enter"]);
    state.update(Event::Transcript { conversation: with(first), limit: 100, messages });
    assert_eq!(state.focus, Focus::Composer);
    drawn(&mut state, 10, &[]);
    state
}

/// As if the screen had shown messages, each in two rows, in a window of so many.
fn drawn(state: &mut State, window: usize, seen: &[i64]) -> Vec<Effect> {
    let rows = state.open.iter().flat_map(|open| &open.messages).map(|message| (message.id, 2)).collect();
    let measures = Measures { is_wide: true, rows, window, seen: seen.to_vec(), composer: 40, list: 5, sheet: (0, 0) };
    state.update(Event::Drawn(measures))
}

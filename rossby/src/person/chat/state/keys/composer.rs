//! Keys where the person writes.

use ratatui::crossterm::event::KeyCode;
use rossby_client::MAX_TEXT_OCTETS;

use super::{Key, edit};
use crate::person::chat::state::effect::Effect;
use crate::person::chat::state::{Focus, State};

impl State {
    pub(super) fn composer_key(&mut self, key: Key, effects: &mut Vec<Effect>) {
        let Some(conversation) = self.open.as_ref().map(|open| open.conversation) else { return };
        let is_break = key.has_alt || key.has_shift || key.has_control;
        match key.code {
            KeyCode::Esc => return self.leave_composer(),
            KeyCode::Enter if !is_break => return self.send(effects),
            KeyCode::Up | KeyCode::Down => return self.go_by_row(key.code == KeyCode::Down),
            KeyCode::PageUp => return self.focus(Focus::Transcript),
            _ if key.control() == Some('f') => return self.ask_for_file(),
            _ => {}
        }
        let before = self.drafts.go(conversation).editor().text().len();
        let is_line_break = key.code == KeyCode::Enter || key.control() == Some('j');
        let editor = self.drafts.go(conversation).editor_mut();
        let is_done = if is_line_break { editor.insert("\n") } else { edit(editor, key) };
        let is_changed = is_done && (before != editor.text().len() || key.control().is_some());
        if is_changed {
            self.drafts.change(conversation);
            self.drafts.typed(conversation, self.now, effects);
        }
    }

    /// Ends an edit or a reply, or gives the keys to the list.
    fn leave_composer(&mut self) {
        let conversation = self.open.as_ref().map(|open| open.conversation);
        let composer = conversation.map(|conversation| self.drafts.go(conversation));
        match composer {
            Some(composer) if composer.edit.is_some() => composer.edit = None,
            Some(composer) if composer.reply_to.is_some() => composer.reply_to = None,
            _ => return self.focus(Focus::List),
        }
        if let Some(conversation) = conversation {
            self.drafts.change(conversation);
        }
    }

    /// Moves by a row. Above the first row are the messages.
    fn go_by_row(&mut self, is_down: bool) {
        let Some(conversation) = self.open.as_ref().map(|open| open.conversation) else { return };
        let has_moved = self.drafts.go(conversation).editor_mut().go_by_row(self.measures.composer, is_down);
        if !has_moved && !is_down {
            self.focus(Focus::Transcript);
        }
    }

    fn send(&mut self, effects: &mut Vec<Effect>) {
        let Some(conversation) = self.open.as_ref().map(|open| open.conversation) else { return };
        let octets = self.drafts.go(conversation).editor().text().len();
        if octets > MAX_TEXT_OCTETS {
            return self.say_error(format!(
                "The text has {octets} octets; at most {MAX_TEXT_OCTETS} can be sent. Shorten it, or send it as a file"
            ));
        }
        self.drafts.rest(effects);
        if let Some(sending) = self.drafts.send(conversation) {
            effects.push(Effect::Send(sending));
        }
    }
}

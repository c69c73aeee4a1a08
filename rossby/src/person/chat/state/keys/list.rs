//! Keys of the list of conversations.

use ratatui::crossterm::event::KeyCode;
use rossby_client::{Conversation, Standing};

use super::{Key, edit, step};
use crate::person::chat::editor::Editor;
use crate::person::chat::state::State;
use crate::person::chat::state::action::Action;
use crate::person::chat::state::effect::Effect;
use crate::person::chat::state::overlay::{Confirm, Overlay};

impl State {
    pub(super) fn list_key(&mut self, key: Key, effects: &mut Vec<Effect>) {
        if self.list.is_searching {
            return self.search_key(key, effects);
        }
        if let Some(by) = step(key, self.measures.list) {
            return self.list.step(by);
        }
        match (key.code, key.typed()) {
            (KeyCode::Enter | KeyCode::Right, _) => self.open_chosen(effects),
            (KeyCode::Esc, _) => {
                self.list.search = None;
                self.list.settle();
            }
            (_, Some('/')) => {
                self.list.search = Some(Editor::one_line());
                self.list.is_searching = true;
                self.list.settle();
            }
            (_, Some('x')) => self.decline(),
            _ => {
                self.common_key(key, effects);
            }
        }
    }

    fn search_key(&mut self, key: Key, effects: &mut Vec<Effect>) {
        match key.code {
            KeyCode::Esc => {
                self.list.search = None;
                self.list.is_searching = false;
            }
            KeyCode::Enter => {
                self.list.is_searching = false;
                self.open_chosen(effects);
            }
            KeyCode::Up => self.list.step(-1),
            KeyCode::Down => self.list.step(1),
            _ => {
                if let Some(search) = &mut self.list.search {
                    edit(search, key);
                }
            }
        }
        self.list.settle();
    }

    fn open_chosen(&mut self, effects: &mut Vec<Effect>) {
        if let Some(chosen) = self.list.chosen {
            self.open(chosen, effects);
        }
    }

    fn decline(&mut self) {
        if let Some(group) = self.meant_group().filter(|_| self.is_request()) {
            let name = self.list.name(Conversation::Group(group.0));
            return self.decline_group(group, &name);
        }
        let Some(peer) = self.meant().filter(|peer| self.standing(*peer) == Some(Standing::Stranger)) else {
            return self.say("That is no message request");
        };
        let name = self.list.name(Conversation::Direct(peer));
        self.overlays.push(Overlay::Confirm(Confirm {
            question: format!("Decline {name}? What they wrote is erased. They aren't told, and can ask again."),
            yes: Action::Decline(peer),
            no: None,
        }));
    }
}

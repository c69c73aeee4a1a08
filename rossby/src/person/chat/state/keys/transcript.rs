//! Keys among the messages.

use ratatui::crossterm::event::KeyCode;
use rossby_client::{Content, Kind, Message};

use super::{Key, step};
use crate::person::chat::editor::Editor;
use crate::person::chat::names;
use crate::person::chat::state::action::Action;
use crate::person::chat::state::drafts::{Edit, Quote};
use crate::person::chat::state::effect::Effect;
use crate::person::chat::state::overlay::{Ask, Confirm, Overlay, Prompt};
use crate::person::chat::state::{Focus, State};

impl State {
    pub(super) fn transcript_key(&mut self, key: Key, effects: &mut Vec<Effect>) {
        if self.scroll(key, effects) {
            return;
        }
        match (key.code, key.typed()) {
            (KeyCode::Esc | KeyCode::Left, _) => self.focus(Focus::List),
            (KeyCode::Enter, _) => {
                if let Some(id) = self.open.as_ref().and_then(|open| open.chosen) {
                    self.overlays.push(Overlay::Message { id, top: 0 });
                }
            }
            (_, Some('r')) => self.reply(),
            (_, Some('e')) => self.edit(),
            (KeyCode::Delete, _) | (_, Some('x')) => self.delete(),
            (_, Some('+')) => self.react(),
            (_, Some('f')) => self.ask_for_file(),
            (_, Some('d')) => self.download(),
            (_, Some('l')) => {
                if let Some(open) = &self.open {
                    self.overlays.push(Overlay::Prompt(Prompt::new(Ask::Place(open.conversation))));
                }
            }
            _ => {
                self.common_key(key, effects);
            }
        }
    }

    /// Moves among the messages. Gives whether the key does.
    fn scroll(&mut self, key: Key, effects: &mut Vec<Effect>) -> bool {
        let Some(open) = &mut self.open else { return false };
        match (key.code, step(key, 1)) {
            (KeyCode::PageUp, _) => open.page(&self.measures, false),
            (KeyCode::PageDown, _) => open.page(&self.measures, true),
            (KeyCode::Home, _) => open.choose_first(),
            (KeyCode::End, _) => open.choose_last(),
            (_, Some(by)) => {
                if !open.step(by) {
                    self.focus(Focus::Composer);
                    return true;
                }
            }
            _ => return false,
        }
        let is_first = open.messages.first().is_none_or(|first| Some(first.id) == open.chosen);
        if is_first && open.wants_older() {
            effects.push(Effect::LoadTranscript { conversation: open.conversation, limit: open.asked() });
        }
        true
    }

    fn chosen(&self) -> Option<&Message> {
        self.open.as_ref()?.chosen()
    }

    /// The chosen message, if it is the person's own and was not taken back; else it is said why not.
    fn own(&mut self) -> Option<Message> {
        let message = self.chosen()?.clone();
        if !message.is_outgoing {
            self.say_error("Only its author can change a message");
            return None;
        }
        if message.is_deleted {
            self.say_error("That message was deleted");
            return None;
        }
        Some(message)
    }

    fn reply(&mut self) {
        let Some(message) = self.chosen() else { return };
        let quote =
            Quote { message_id: message.message_id, author: names::author(message), text: names::summary(message) };
        let conversation = message.conversation;
        let composer = self.drafts.change(conversation);
        composer.edit = None;
        composer.reply_to = Some(quote);
        self.focus(Focus::Composer);
    }

    fn edit(&mut self) {
        let Some(message) = self.own() else { return };
        let text = message.text.as_deref().filter(|_| matches!(message.kind, Kind::Text | Kind::Reply));
        let Some(text) = text else {
            return self.say_error("That message has no text that could be edited");
        };
        let edit = Edit { message_id: message.message_id, editor: Editor::new(text) };
        self.drafts.change(message.conversation).edit = Some(edit);
        self.focus(Focus::Composer);
    }

    fn delete(&mut self) {
        let Some(message) = self.own() else { return };
        self.overlays.push(Overlay::Confirm(Confirm {
            question: "Delete this message, here and for everyone whose device hears of it?".to_owned(),
            yes: Action::Delete(message.message_id),
            no: None,
        }));
    }

    /// Asks which file is to be sent.
    pub(super) fn ask_for_file(&mut self) {
        if let Some(open) = &self.open {
            self.overlays.push(Overlay::Prompt(Prompt::new(Ask::File(open.conversation))));
        }
    }

    /// Asks where the chosen message's file is to be saved.
    fn download(&mut self) {
        match self.chosen() {
            Some(message) if matches!(message.content, Some(Content::Attachment(_))) => {
                let ask = Ask::SaveTo(Box::new(message.clone()));
                self.overlays.push(Overlay::Prompt(Prompt::new(ask)));
            }
            Some(_) => self.say_error("No file came with that message"),
            None => {}
        }
    }

    fn react(&mut self) {
        let Some(message) = self.chosen() else { return };
        if message.is_deleted {
            return self.say_error("That message was deleted");
        }
        let own = message.reactions.iter().filter(|emoji| emoji.authors.contains(&self.you.box_id));
        let own = own.map(|emoji| emoji.emoji.clone()).collect();
        let ask = Ask::Emoji { message: Box::new(message.clone()), own };
        self.overlays.push(Overlay::Prompt(Prompt::new(ask)));
    }
}

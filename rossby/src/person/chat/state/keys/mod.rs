//! Keys: what each does depends on what has them, the topmost sheet or the part with the focus.

mod composer;
mod files;
mod groups;
mod list;
mod overlays;
mod transcript;
mod yourself;

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use rossby_client::{Conversation, ConversationOverview, GroupId, Standing};
use rossby_schemas::ids::BoxId;

use super::action::Action;
use super::effect::Effect;
use super::overlay::{Ask, Confirm, Overlay, Prompt};
use super::{Focus, State};
use crate::person::chat::editor::{Editor, Move};

/// A key with what was held down besides. That of capital letters stands in the letter.
#[derive(Debug, Clone, Copy)]
struct Key {
    code: KeyCode,
    has_control: bool,
    has_alt: bool,
    has_shift: bool,
}

impl Key {
    /// The character that is typed by it, if it is one.
    const fn typed(self) -> Option<char> {
        match self.code {
            KeyCode::Char(c) if !self.has_control && !self.has_alt => Some(c),
            _ => None,
        }
    }

    /// The letter that is pressed together with Control.
    const fn control(self) -> Option<char> {
        match self.code {
            KeyCode::Char(c) if self.has_control => Some(c.to_ascii_lowercase()),
            _ => None,
        }
    }
}

/// A step up or down in something that is chosen from.
const fn step(key: Key, page: usize) -> Option<isize> {
    let page = if page > 1 { page.cast_signed() - 1 } else { 1 };
    if key.has_control || key.has_alt {
        return None;
    }
    match key.code {
        KeyCode::Up => Some(-1),
        KeyCode::Down => Some(1),
        KeyCode::Char('k') => Some(-1),
        KeyCode::Char('j') => Some(1),
        KeyCode::PageUp => Some(-page),
        KeyCode::PageDown => Some(page),
        KeyCode::Home => Some(isize::MIN),
        KeyCode::End => Some(isize::MAX),
        _ => None,
    }
}

/// Edits a text by a key. Gives whether the key is one that does.
fn edit(editor: &mut Editor, key: Key) -> bool {
    let by_word = key.has_control || key.has_alt;
    match key.code {
        KeyCode::Left if by_word => editor.go(Move::WordLeft),
        KeyCode::Right if by_word => editor.go(Move::WordRight),
        KeyCode::Left => editor.go(Move::Left),
        KeyCode::Right => editor.go(Move::Right),
        KeyCode::Home if key.has_control => editor.go(Move::Start),
        KeyCode::End if key.has_control => editor.go(Move::End),
        KeyCode::Home => editor.go(Move::LineStart),
        KeyCode::End => editor.go(Move::LineEnd),
        KeyCode::Backspace if by_word => editor.erase_word(),
        KeyCode::Backspace => editor.erase_before(),
        KeyCode::Delete => editor.erase_after(),
        _ => match (key.control(), key.typed()) {
            (Some('a'), _) => editor.go(Move::LineStart),
            (Some('e'), _) => editor.go(Move::LineEnd),
            (Some('w'), _) => editor.erase_word(),
            (Some('u'), _) => editor.erase_to_line_start(),
            (Some('k'), _) => editor.erase_to_line_end(),
            (Some('z'), _) => editor.undo(),
            (Some('y'), _) => editor.redo(),
            (None, Some(c)) => return editor.insert(c.encode_utf8(&mut [0; 4])),
            _ => return false,
        },
    }
    true
}

impl State {
    pub(super) fn key(&mut self, key: KeyEvent, effects: &mut Vec<Effect>) {
        if key.kind == KeyEventKind::Release {
            return;
        }
        let has = |modifier| key.modifiers.contains(modifier);
        let key = Key {
            code: key.code,
            has_control: has(KeyModifiers::CONTROL),
            has_alt: has(KeyModifiers::ALT),
            has_shift: has(KeyModifiers::SHIFT),
        };
        match (key.control(), key.code) {
            (Some('c' | 'q'), _) => return self.quit(effects),
            (Some('l'), _) => return effects.push(Effect::Redraw),
            (Some('r'), _) => return self.try_now(effects),
            (Some('t'), _) if !matches!(self.overlays.last(), Some(Overlay::Files { .. })) => {
                return self.overlays.push(Overlay::Files { chosen: 0 });
            }
            (_, KeyCode::F(1)) if !matches!(self.overlays.last(), Some(Overlay::Help { .. })) => {
                return self.overlays.push(Overlay::Help { top: 0, has_commands: false });
            }
            _ => {}
        }
        if !self.overlays.is_empty() {
            return self.overlay_key(key, effects);
        }
        match (key.control(), key.code) {
            (_, KeyCode::F(2)) => return self.show_warnings(),
            (Some('n'), _) => return self.open_next(1, effects),
            (Some('p'), _) => return self.open_next(-1, effects),
            (_, KeyCode::Tab) => return self.focus_next(true),
            (_, KeyCode::BackTab) => return self.focus_next(false),
            _ => {}
        }
        match self.focus {
            Focus::List => self.list_key(key, effects),
            Focus::Transcript => self.transcript_key(key, effects),
            Focus::Composer => self.composer_key(key, effects),
        }
    }

    /// A text was pasted: into what is being typed, and nowhere if nothing is.
    pub(super) fn paste(&mut self, text: &str, effects: &mut Vec<Effect>) {
        if let Some(overlay) = self.overlays.last_mut() {
            if let Overlay::Prompt(prompt) = overlay
                && prompt.waits_for.is_none()
            {
                prompt.editor.insert(text);
            }
            return;
        }
        if self.list.is_searching {
            if let Some(search) = &mut self.list.search {
                search.insert(text);
            }
            return self.list.settle();
        }
        let Some(open) = self.open.as_ref().filter(|_| self.focus == Focus::Composer) else { return };
        let conversation = open.conversation;
        if self.drafts.change(conversation).editor_mut().insert(text) {
            self.drafts.typed(conversation, self.now, effects);
        } else {
            self.say_error("That is too long to be pasted here; send it as a file");
        }
    }

    /// Keys that do the same in the list and among the messages. Gives whether it was one.
    fn common_key(&mut self, key: Key, effects: &mut Vec<Effect>) -> bool {
        match key.typed() {
            Some('?') => self.overlays.push(Overlay::Help { top: 0, has_commands: false }),
            Some('n') => self.overlays.push(Overlay::Prompt(Prompt::new(Ask::Whom))),
            Some('i') => self.show_about(effects),
            Some('g') => self.show_groups(effects),
            Some('s') => {
                self.overlays.push(Overlay::Settings { settings: None, chosen: 0 });
                effects.push(Effect::Do(Action::ReadSettings));
            }
            Some('v') => {
                self.overlays.push(Overlay::Devices { devices: None, chosen: 0 });
                effects.push(Effect::Do(Action::ListDevices));
            }
            Some('y') => self.show_yourself(effects),
            Some('w') => self.show_warnings(),
            Some('a') => self.accept(effects),
            Some('b') => self.block(effects),
            Some('q') => self.quit(effects),
            _ => return false,
        }
        true
    }

    fn show_warnings(&mut self) {
        if self.warnings.is_empty() {
            self.say("There are no warnings");
        } else {
            self.overlays.push(Overlay::Warnings { chosen: 0 });
        }
    }

    /// The conversation that is meant: the open one, or in the list the chosen one.
    fn meant_conversation(&self) -> Option<Conversation> {
        match self.focus {
            Focus::List => self.list.chosen,
            Focus::Transcript | Focus::Composer => self.open.as_ref().map(|open| open.conversation),
        }
    }

    /// The other side of the direct conversation that is meant.
    fn meant(&self) -> Option<BoxId> {
        self.meant_conversation()?.peer().filter(|peer| *peer != self.you.box_id)
    }

    /// The group that is meant.
    fn meant_group(&self) -> Option<GroupId> {
        match self.meant_conversation()? {
            Conversation::Group(id) => Some(GroupId(id)),
            Conversation::Direct(_) => None,
        }
    }

    /// Whether the conversation that is meant is a message request, or a group's that the person was asked into.
    fn is_request(&self) -> bool {
        let overview = self.meant_conversation().and_then(|conversation| self.list.overview(conversation));
        overview.is_some_and(ConversationOverview::is_request)
    }

    fn standing(&self, peer: BoxId) -> Option<Standing> {
        self.list.overview(Conversation::Direct(peer))?.standing
    }

    /// Shows whom the conversation is with.
    fn show_about(&mut self, effects: &mut Vec<Effect>) {
        if let Some(group) = self.meant_group() {
            self.show_group(group, effects);
        } else if let Some(box_id) = self.meant() {
            self.show_person(box_id, effects);
        }
    }

    fn show_person(&mut self, box_id: BoxId, effects: &mut Vec<Effect>) {
        self.overlays.push(Overlay::Person { box_id, person: None, top: 0 });
        effects.push(Effect::Do(Action::LookUp(box_id)));
    }

    fn accept(&mut self, effects: &mut Vec<Effect>) {
        if let Some(group) = self.meant_group().filter(|_| self.is_request()) {
            return effects.push(Effect::Do(Action::AcceptGroup(group)));
        }
        match self.meant().map(|peer| (peer, self.standing(peer))) {
            Some((peer, Some(Standing::Stranger))) => effects.push(Effect::Do(Action::Accept(peer))),
            _ => self.say("That is no message request"),
        }
    }

    fn block(&mut self, effects: &mut Vec<Effect>) {
        if self.meant_group().is_some() {
            return self.say("A group can't be blocked; i shows who is in it, and l leaves it there");
        }
        let Some(peer) = self.meant() else { return };
        let standing = self.standing(peer);
        if standing == Some(Standing::Blocked) {
            return effects.push(Effect::Do(Action::Unblock(peer)));
        }
        let name = self.list.name(Conversation::Direct(peer));
        let is_request = standing == Some(Standing::Stranger);
        let erased = if is_request { " What they wrote is erased." } else { "" };
        self.overlays.push(Overlay::Confirm(Confirm {
            question: format!("Block {name}? They can neither find you nor write to you, and aren't told.{erased}"),
            yes: Action::Block { box_id: peer, is_request },
            no: None,
        }));
    }

    fn focus_next(&mut self, is_forwards: bool) {
        self.list.is_searching = false;
        self.focus(match (self.focus, is_forwards) {
            (Focus::List, true) | (Focus::Composer, false) => Focus::Transcript,
            (Focus::Transcript, true) | (Focus::List, false) => Focus::Composer,
            (Focus::Composer, true) | (Focus::Transcript, false) => Focus::List,
        });
    }

    /// Opens the conversation after the open one in the list, or the one before it.
    fn open_next(&mut self, by: isize, effects: &mut Vec<Effect>) {
        self.list.is_searching = false;
        if let Some(open) = &self.open {
            self.list.chosen = Some(open.conversation);
            self.list.settle();
            self.list.step(by);
        }
        if let Some(chosen) = self.list.chosen {
            self.open(chosen, effects);
        }
    }
}

//! The chat as a machine: a state, what happens to it, and what it wants done. It reads no clock and does no input or output.

pub(super) mod action;
mod connection;
pub(super) mod drafts;
pub(super) mod effect;
pub(super) mod event;
mod files;
mod found;
mod keys;
pub(super) mod list;
pub(super) mod open;
pub(super) mod overlay;
#[cfg(test)]
pub(super) mod tests;
pub(super) mod typing;
pub(super) mod welcome;

use action::{Action, Outcome};
use drafts::Drafts;
use effect::Effect;
use event::{Connection, Event, Measures, Transfer};
use list::List;
use open::Open;
use overlay::Overlay;
use rossby_client::{Conversation, Message, Notice, PendingUpload};
use rossby_schemas::ids::BoxId;
use rossby_schemas::time::Timestamp;
use typing::Typing;

/// For how long something that was said stays.
const SAID_SECONDS: u64 = 10;

/// Which part has the keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Focus {
    /// The list of conversations.
    List,
    /// The open conversation's messages.
    Transcript,
    /// Where the person writes.
    Composer,
}

/// Something that the person is told for a while.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Said {
    pub(super) text: String,
    pub(super) is_error: bool,
    at: Timestamp,
}

/// Whose chat it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct You {
    pub(super) box_id: BoxId,
    /// The address.
    pub(super) address: String,
}

/// All that the screen shows.
#[derive(Debug, Clone)]
pub(super) struct State {
    pub(super) you: You,
    pub(super) now: Timestamp,
    pub(super) focus: Focus,
    pub(super) list: List,
    pub(super) open: Option<Open>,
    pub(super) drafts: Drafts,
    /// What stands over the conversations, the topmost last.
    pub(super) overlays: Vec<Overlay>,
    pub(super) connection: Connection,
    pub(super) warnings: Vec<Notice>,
    pub(super) said: Option<Said>,
    /// Actions whose question was left before they were done.
    left: Vec<Action>,
    /// Why the sheet that was opened last has nothing to show.
    pub(super) sheet_error: Option<String>,
    /// Files on their way, the one first that began first.
    pub(super) transfers: Vec<Transfer>,
    /// Files that are kept and not on the server yet.
    uploads: Vec<PendingUpload>,
    pub(super) typing: Typing,
    measures: Measures,
    /// Whether the terminal has the person's eye, as far as it says so.
    is_watched: bool,
}

impl State {
    /// The state at the beginning, and what is to be done first.
    pub(super) fn new(you: You, now: Timestamp) -> (Self, Vec<Effect>) {
        let state = Self {
            you,
            now,
            focus: Focus::List,
            list: List::default(),
            open: None,
            drafts: Drafts::default(),
            overlays: Vec::new(),
            connection: Connection::Connecting,
            warnings: Vec::new(),
            said: None,
            left: Vec::new(),
            sheet_error: None,
            transfers: Vec::new(),
            uploads: Vec::new(),
            typing: Typing::default(),
            measures: Measures { is_wide: true, composer: 1, ..Measures::default() },
            is_watched: true,
        };
        (state, vec![Effect::LoadConversations, Effect::LoadWarnings, Effect::LoadUploads])
    }

    /// Takes what happened. Gives what is to be done.
    pub(super) fn update(&mut self, event: Event) -> Vec<Effect> {
        let mut effects = Vec::new();
        match event {
            Event::Key(key) => self.key(key, &mut effects),
            Event::Pasted(text) => self.paste(&text, &mut effects),
            Event::Watched(is_watched) => {
                self.is_watched = is_watched;
                self.mark_read(&mut effects);
            }
            Event::Drawn(measures) => {
                self.measures = measures;
                self.clamp_sheet();
                self.mark_read(&mut effects);
            }
            Event::Tick(now) => self.tick(now, &mut effects),
            Event::Stop => self.quit(&mut effects),
            Event::Connection(connection) => self.take_connection(connection),
            Event::Waiting { reason, until } => self.wait(reason, until),
            Event::Changed => self.reload(&mut effects),
            Event::Conversations(overviews) => {
                self.list.set(overviews);
            }
            Event::Transcript { conversation, limit, messages } => {
                self.take_transcript(conversation, limit, messages, &mut effects);
            }
            Event::Warnings(warnings) => {
                self.warnings = warnings;
                self.settle_overlays();
            }
            Event::Drafts(kept) => {
                for (draft, name) in kept {
                    self.list.begin(draft.conversation, name);
                    self.drafts.restore(draft);
                }
                self.list.settle();
            }
            Event::Stored { number, result } => self.stored(number, result, &mut effects),
            Event::Typing { conversation, who, is_typing } => {
                self.typing.heard(conversation, who, is_typing, self.now);
            }
            Event::Done { action, result } => self.done(&action, result, &mut effects),
            Event::Transfer(transfer) => self.take_transfer(transfer),
            Event::TransferEnded(number) => self.transfer_ended(number),
            Event::Uploads(uploads) => {
                self.uploads = uploads;
                self.settle_overlays();
            }
            Event::Failed(text) => self.say_error(text),
        }
        if effects.iter().any(|effect| matches!(effect, Effect::Do(action) if action.is_for_a_sheet())) {
            self.sheet_error = None;
        }
        effects
    }

    /// Whether this is so after every event: what has the keys is there.
    #[cfg(test)]
    pub(super) fn is_sound(&self) -> bool {
        let has_focus = self.focus == Focus::List || self.open.is_some();
        let is_chosen = self.open.as_ref().is_none_or(|open| open.chosen.is_none() || open.chosen().is_some());
        let entries = self.list.entries();
        let has_entry = match self.list.chosen {
            Some(chosen) => entries.iter().any(|entry| entry.conversation == chosen),
            None => entries.is_empty(),
        };
        let overlays = self.overlays.iter().all(|overlay| match overlay {
            Overlay::Warnings { chosen } => *chosen < self.warnings.len(),
            Overlay::Yourself { identifiers, chosen, .. } => {
                identifiers.as_ref().is_none_or(|identifiers| *chosen < identifiers.len().max(1))
            }
            Overlay::Files { chosen } => *chosen < (self.transfers.len() + self.waiting_files().count()).max(1),
            Overlay::Devices { devices, chosen } => {
                devices.as_ref().is_none_or(|devices| *chosen < devices.len().max(1))
            }
            Overlay::Groups { groups, chosen } => groups.as_ref().is_none_or(|groups| *chosen < groups.len().max(1)),
            Overlay::Group { group, chosen, .. } => {
                group.as_ref().is_none_or(|group| *chosen < group.members.len().max(1))
            }
            _ => true,
        });
        has_focus && is_chosen && has_entry && overlays
    }

    /// The open conversation's composer, if it was used.
    pub(super) fn composer(&self) -> Option<&drafts::Composer> {
        self.open.as_ref().and_then(|open| self.drafts.of(open.conversation))
    }

    fn tick(&mut self, now: Timestamp, effects: &mut Vec<Effect>) {
        self.now = now;
        if self.said.as_ref().is_some_and(|said| now.since(said.at).as_secs() >= SAID_SECONDS) {
            self.said = None;
        }
        self.typing.pass(now);
        self.drafts.keep(effects);
    }

    fn quit(&mut self, effects: &mut Vec<Effect>) {
        self.drafts.rest(effects);
        self.drafts.keep(effects);
        effects.push(Effect::Quit);
    }

    fn say(&mut self, text: impl Into<String>) {
        self.said = Some(Said { text: text.into(), is_error: false, at: self.now });
    }

    fn say_error(&mut self, text: impl Into<String>) {
        self.said = Some(Said { text: text.into(), is_error: true, at: self.now });
    }

    /// Reads anew what is on the screen.
    fn reload(&self, effects: &mut Vec<Effect>) {
        effects.push(Effect::LoadConversations);
        effects.push(Effect::LoadWarnings);
        effects.push(Effect::LoadUploads);
        if let Some(open) = &self.open {
            effects.push(Effect::LoadTranscript { conversation: open.conversation, limit: open.asked() });
        }
    }

    /// Opens a conversation.
    fn open(&mut self, conversation: Conversation, effects: &mut Vec<Effect>) {
        if self.open.as_ref().is_none_or(|open| open.conversation != conversation) {
            self.drafts.rest(effects);
            self.drafts.keep(effects);
            let open = Open::new(conversation);
            effects.push(Effect::LoadTranscript { conversation, limit: open.asked() });
            self.open = Some(open);
        }
        self.list.chosen = Some(conversation);
        self.list.settle();
        self.focus(Focus::Composer);
    }

    /// Gives the keys to a part, if it is there.
    fn focus(&mut self, focus: Focus) {
        let Some(open) = &mut self.open else {
            self.focus = Focus::List;
            return;
        };
        if focus == Focus::Transcript && self.focus != Focus::Transcript {
            open.choose_last();
        }
        if focus != Focus::Transcript {
            open.choose_none();
        }
        self.focus = focus;
    }

    fn take_transcript(
        &mut self,
        conversation: Conversation,
        limit: u32,
        messages: Vec<Message>,
        effects: &mut Vec<Effect>,
    ) {
        // Another one may have been opened in between, or more asked for.
        let Some(open) = self.open.as_mut().filter(|open| open.conversation == conversation && limit >= open.asked())
        else {
            return;
        };
        if open.take(limit, messages) {
            effects.push(Effect::LoadTranscript { conversation, limit: open.asked() });
        }
        if self.focus == Focus::Transcript && open.chosen.is_none() {
            open.choose_last();
        }
        self.settle_overlays();
    }

    /// What is seen of the open conversation counts as read, if somebody looks at it.
    fn mark_read(&mut self, effects: &mut Vec<Effect>) {
        let is_seen =
            self.is_watched && self.overlays.is_empty() && (self.measures.is_wide || self.focus != Focus::List);
        let Some(open) = self.open.as_mut().filter(|_| is_seen) else { return };
        let read = open.newly_read(&self.measures.seen);
        if !read.is_empty() {
            effects.push(Effect::MarkRead(read));
        }
    }

    fn stored(&mut self, number: u64, result: Result<(), String>, effects: &mut Vec<Effect>) {
        let sending = self.drafts.stored(number, result.is_ok());
        if let (Some(_), Err(reason)) = (sending, result) {
            self.say_error(format!("Not sent, and back in the composer: {reason}"));
        }
        self.reload(effects);
    }

    fn done(&mut self, action: &Action, result: Result<Outcome, String>, effects: &mut Vec<Effect>) {
        let asked = self.overlays.iter().position(
            |overlay| matches!(overlay, Overlay::Prompt(prompt) if prompt.waits_for.as_ref() == Some(action)),
        );
        if *action == Action::Link {
            self.overlays.retain(|overlay| !matches!(overlay, Overlay::Linking));
        }
        let is_left = self.left.iter().position(|left| left == action).map(|left| self.left.remove(left)).is_some();
        match result {
            // Whoever left the question wants nothing opened.
            Ok(Outcome { found, said }) if is_left && found.opens() => {
                if let Some(said) = said {
                    self.say(said);
                }
            }
            Ok(outcome) => {
                self.sheet_error = None;
                if let Some(asked) = asked {
                    self.overlays.remove(asked);
                }
                if let Some(said) = outcome.said {
                    self.say(said);
                }
                self.take(outcome.found, effects);
            }
            Err(reason) => match asked.and_then(|asked| self.overlays.get_mut(asked)) {
                Some(Overlay::Prompt(prompt)) => {
                    prompt.waits_for = None;
                    prompt.error = Some(reason);
                }
                _ if action.is_for_a_sheet() => self.sheet_error = Some(reason),
                _ => self.say_error(reason),
            },
        }
        self.reload(effects);
    }

    /// A sheet is not scrolled past its end.
    fn clamp_sheet(&mut self) {
        let (rows, window) = self.measures.sheet;
        if let Some(top) = self.overlays.last_mut().and_then(Overlay::top_mut) {
            *top = (*top).min(rows.saturating_sub(window));
        }
    }
}

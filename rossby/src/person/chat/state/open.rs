//! The conversation that is open: its messages, which one is chosen, and what of it is on the screen.

use std::collections::HashMap;

use rossby_client::{Conversation, Emoji, Message, MessageState};
use rossby_schemas::time::Timestamp;

use super::event::Measures;

/// How many messages are read at once.
pub(in crate::person::chat) const PAGE: u32 = 100;

/// The conversation that is open.
#[derive(Debug, Clone)]
pub(in crate::person::chat) struct Open {
    pub(in crate::person::chat) conversation: Conversation,
    /// The last ones, in the order in which they were written.
    pub(in crate::person::chat) messages: Vec<Message>,
    pub(in crate::person::chat) is_loaded: bool,
    /// Whether there are older ones in the store.
    pub(in crate::person::chat) has_older: bool,
    /// For how many was asked last.
    asked: u32,
    /// The message that is chosen, by its number in the store. It is on the screen, and the last ones are if none is.
    pub(in crate::person::chat) chosen: Option<i64>,
    /// How many rows of the chosen message are above the screen, if it is the first on it.
    pub(in crate::person::chat) above: usize,
    /// The first message that was not read when the conversation was opened.
    pub(in crate::person::chat) first_new: Option<i64>,
    /// The messages that count as read, as they were then.
    read: HashMap<i64, Said>,
}

/// What was said of a message, which is read with it: another text, that it is deleted, emojis.
type Said = (Option<Timestamp>, bool, Vec<Emoji>);

impl Open {
    pub(super) fn new(conversation: Conversation) -> Self {
        Self {
            conversation,
            messages: Vec::new(),
            is_loaded: false,
            has_older: false,
            asked: PAGE,
            chosen: None,
            above: 0,
            first_new: None,
            read: HashMap::new(),
        }
    }

    /// For how many messages the store is asked.
    pub(super) const fn asked(&self) -> u32 {
        self.asked
    }

    pub(in crate::person::chat) fn chosen(&self) -> Option<&Message> {
        self.messages.iter().find(|message| Some(message.id) == self.chosen)
    }

    fn index(&self) -> Option<usize> {
        self.messages.iter().position(|message| Some(message.id) == self.chosen)
    }

    /// Takes the last messages as they are now. Gives whether more must be asked for: the chosen one is not among them.
    pub(super) fn take(&mut self, limit: u32, messages: Vec<Message>) -> bool {
        let has_older = u32::try_from(messages.len()).is_ok_and(|count| count >= limit);
        if self.chosen.is_some_and(|chosen| !messages.iter().any(|message| message.id == chosen)) {
            if has_older {
                self.asked = limit.saturating_add(PAGE);
                return true;
            }
            self.chosen = None;
        }
        if !self.is_loaded {
            self.first_new = messages.iter().find(|message| message.state == MessageState::New).map(|first| first.id);
        }
        self.is_loaded = true;
        self.has_older = has_older;
        self.messages = messages;
        false
    }

    /// Asks for older messages, if there are any that weren't asked for. Gives whether it did.
    pub(super) fn wants_older(&mut self) -> bool {
        let here = u32::try_from(self.messages.len()).unwrap_or(u32::MAX);
        let wants = self.has_older && here >= self.asked;
        if wants {
            self.asked = here.saturating_add(PAGE);
        }
        wants
    }

    /// Chooses another message, so many further down or up. Gives false below the last one.
    pub(super) fn step(&mut self, by: isize) -> bool {
        let Some(last) = self.messages.len().checked_sub(1) else { return by < 0 };
        let at = self.index().unwrap_or(last);
        if by > 0 && at == last {
            return false;
        }
        self.choose(at.saturating_add_signed(by).min(last));
        true
    }

    fn choose(&mut self, index: usize) {
        self.chosen = self.messages.get(index).map(|message| message.id);
        self.above = 0;
    }

    pub(super) fn choose_last(&mut self) {
        self.choose(self.messages.len().saturating_sub(1));
    }

    pub(super) fn choose_first(&mut self) {
        self.choose(0);
    }

    /// None is chosen: the last ones are on the screen.
    pub(super) const fn choose_none(&mut self) {
        self.chosen = None;
        self.above = 0;
        self.asked = PAGE;
    }

    /// The row that is the first on the screen, counted from the first message's first.
    pub(in crate::person::chat) fn first_row(&self, rows: &[(i64, usize)], window: usize) -> usize {
        let all: usize = rows.iter().map(|(_, rows)| rows).sum();
        let end = all.saturating_sub(window);
        let mut before = 0;
        for (id, rows) in rows {
            if Some(*id) == self.chosen {
                return end.min(before + self.above.min(rows.saturating_sub(1)));
            }
            before += rows;
        }
        end
    }

    /// Scrolls by a screen, less a row, and chooses what is on top then; or the first or the last message.
    pub(super) fn page(&mut self, measures: &Measures, is_down: bool) {
        let (rows, window) = (&measures.rows, measures.window);
        let first = self.first_row(rows, window);
        let all: usize = rows.iter().map(|(_, rows)| rows).sum();
        let by = window.saturating_sub(1).max(1);
        let target = if is_down { first + by } else { first.saturating_sub(by) };
        if is_down && target + window >= all {
            return self.choose_last();
        }
        let mut before = 0;
        for (id, rows) in rows {
            if target < before + rows && self.messages.iter().any(|message| message.id == *id) {
                self.chosen = Some(*id);
                self.above = target - before;
                return;
            }
            before += rows;
        }
        self.choose_last();
    }

    /// The messages on the screen that count as read from now on, with what was said of them.
    pub(super) fn newly_read(&mut self, seen: &[i64]) -> Vec<Message> {
        let mut read = Vec::new();
        for message in self.messages.iter().filter(|message| seen.contains(&message.id)) {
            let said = (message.edited_at, message.is_deleted, message.reactions.clone());
            if self.read.get(&message.id) != Some(&said) {
                self.read.insert(message.id, said);
                read.push(message.clone());
            }
        }
        read
    }
}

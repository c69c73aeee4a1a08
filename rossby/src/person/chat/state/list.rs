//! The list of conversations: which are shown, and which one is chosen.

use rossby_client::{Conversation, ConversationOverview};

use crate::person::chat::editor::Editor;
use crate::person::chat::names;

/// The list of conversations.
#[derive(Debug, Clone, Default)]
pub(in crate::person::chat) struct List {
    /// As the store has them, the one with the last message first.
    overviews: Vec<ConversationOverview>,
    /// What conversations are called that have no message yet, the latest first.
    begun: Vec<(Conversation, String)>,
    pub(in crate::person::chat) chosen: Option<Conversation>,
    /// What is searched for.
    pub(in crate::person::chat) search: Option<Editor>,
    /// Whether the person is typing what is searched for.
    pub(in crate::person::chat) is_searching: bool,
    /// Whether the store was read.
    pub(in crate::person::chat) is_loaded: bool,
}

/// An entry of the list.
#[derive(Debug, Clone)]
pub(in crate::person::chat) struct Entry<'a> {
    pub(in crate::person::chat) conversation: Conversation,
    pub(in crate::person::chat) name: String,
    /// None for one without a message.
    pub(in crate::person::chat) overview: Option<&'a ConversationOverview>,
}

impl Entry<'_> {
    pub(in crate::person::chat) fn is_request(&self) -> bool {
        self.overview.is_some_and(ConversationOverview::is_request)
    }
}

impl List {
    pub(in crate::person::chat) fn overview(&self, conversation: Conversation) -> Option<&ConversationOverview> {
        self.overviews.iter().find(|overview| overview.conversation == conversation)
    }

    /// What a conversation is called.
    pub(in crate::person::chat) fn name(&self, conversation: Conversation) -> String {
        match self.overview(conversation) {
            Some(overview) => names::overview(overview),
            None => {
                let begun = self.begun.iter().find(|(begun, _)| *begun == conversation);
                begun.map_or_else(|| names::conversation(conversation, None, None), |(_, name)| name.clone())
            }
        }
    }

    /// The entries that are shown, conversations first, then requests.
    pub(in crate::person::chat) fn entries(&self) -> Vec<Entry<'_>> {
        let begun = self.begun.iter().filter(|(conversation, _)| self.overview(*conversation).is_none());
        let begun =
            begun.map(|(conversation, name)| Entry { conversation: *conversation, name: name.clone(), overview: None });
        let known = self.overviews.iter().map(|overview| Entry {
            conversation: overview.conversation,
            name: names::overview(overview),
            overview: Some(overview),
        });
        let sought = self.search.as_ref().map(|search| search.text().trim().to_lowercase()).unwrap_or_default();
        let mut entries: Vec<_> = begun.chain(known).filter(|entry| is_meant(entry, &sought)).collect();
        entries.sort_by_key(Entry::is_request);
        entries
    }

    /// How many messages of others than strangers were not read.
    pub(in crate::person::chat) fn unread(&self) -> u64 {
        let accepted = self.overviews.iter().filter(|overview| !overview.is_request());
        accepted.map(|overview| overview.unread).sum()
    }

    pub(super) fn set(&mut self, overviews: Vec<ConversationOverview>) {
        self.is_loaded = true;
        self.overviews = overviews;
        self.settle();
    }

    /// A conversation that may have no message yet is there.
    pub(super) fn begin(&mut self, conversation: Conversation, name: String) {
        self.begun.retain(|(begun, _)| *begun != conversation);
        self.begun.insert(0, (conversation, name));
    }

    /// Keeps an entry chosen that is there, if there is any.
    pub(super) fn settle(&mut self) {
        let entries = self.entries();
        let is_there = self.chosen.is_some_and(|chosen| entries.iter().any(|entry| entry.conversation == chosen));
        if !is_there {
            self.chosen = entries.first().map(|entry| entry.conversation);
        }
    }

    /// Chooses another entry, so many further down or up.
    pub(super) fn step(&mut self, by: isize) {
        let entries = self.entries();
        let Some(last) = entries.len().checked_sub(1) else { return };
        let at = entries.iter().position(|entry| Some(entry.conversation) == self.chosen).unwrap_or(0);
        self.chosen = Some(entries[at.saturating_add_signed(by).min(last)].conversation);
    }
}

/// Whether an entry is among what is searched for: by any part of its name or its addresses.
fn is_meant(entry: &Entry<'_>, sought: &str) -> bool {
    let has = |text: &str| text.to_lowercase().contains(sought);
    sought.is_empty()
        || has(&entry.name)
        || entry.overview.is_some_and(|overview| overview.identifiers.iter().any(|identifier| has(identifier)))
}

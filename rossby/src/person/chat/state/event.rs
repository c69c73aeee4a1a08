//! What happens to the chat: keys, answers of the client, time.

use ratatui::crossterm::event::KeyEvent;
use rossby_client::{Conversation, ConversationOverview, Message, Notice, PendingUpload, Step, Way};
use rossby_schemas::ids::BoxId;
use rossby_schemas::time::Timestamp;

use super::action::{Action, Outcome};
use super::drafts::KeptDraft;

/// Something that happened.
#[derive(Debug, Clone)]
pub(in crate::person::chat) enum Event {
    /// A key was pressed.
    Key(KeyEvent),
    /// A text was pasted.
    Pasted(String),
    /// The terminal has the person's eye, or no more.
    Watched(bool),
    /// The screen was drawn.
    Drawn(Measures),
    /// Some time has passed.
    Tick(Timestamp),
    /// The person or the system wants an end.
    Stop,
    /// The connection is another.
    Connection(Connection),
    /// The server can't be reached, and is tried again at this time.
    Waiting { reason: String, until: Timestamp },
    /// What the store holds has changed.
    Changed,
    /// The conversations, the one with the last message first.
    Conversations(Vec<ConversationOverview>),
    /// The last messages of a conversation: no more than `limit` were asked for.
    Transcript { conversation: Conversation, limit: u32, messages: Vec<Message> },
    /// The warnings that were not dismissed.
    Warnings(Vec<Notice>),
    /// The files that are kept and not on the server yet.
    Uploads(Vec<PendingUpload>),
    /// What was being written when the chat ended the last time, with what its conversation is called.
    Drafts(Vec<(KeptDraft, String)>),
    /// What was to be sent is in the outbox; or it is not, and why.
    Stored { number: u64, result: Result<(), String> },
    /// Somebody writes, or has stopped.
    Typing { conversation: Conversation, who: BoxId, is_typing: bool },
    /// An action has ended.
    Done { action: Action, result: Result<Outcome, String> },
    /// How far a file is that is sent or saved.
    Transfer(Transfer),
    /// The file with this number is there, or won't be.
    TransferEnded(u64),
    /// Something went wrong that belongs to nothing else.
    Failed(String),
}

/// A file on its way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::person::chat) struct Transfer {
    pub(in crate::person::chat) number: u64,
    /// What it is called.
    pub(in crate::person::chat) name: String,
    /// Whether it is sent, and not saved.
    pub(in crate::person::chat) is_sent: bool,
    /// Under which number it is kept, if it is.
    pub(in crate::person::chat) upload: Option<i64>,
    /// None before anything was done.
    pub(in crate::person::chat) step: Option<Step>,
    /// How much of the step is done, in hundredths.
    pub(in crate::person::chat) percent: u64,
}

/// The connection to the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::person::chat) enum Connection {
    /// It is being made.
    Connecting,
    /// It is there.
    Connected(Way),
    /// It is not, since this time, and is tried again and again.
    Lost(Lost),
    /// It will not come back by itself.
    Ended(String),
}

/// A connection that is lost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::person::chat) struct Lost {
    pub(in crate::person::chat) reason: String,
    pub(in crate::person::chat) since: Timestamp,
    /// When it is tried again; it is being tried once that has passed, or if it isn't said.
    pub(in crate::person::chat) next_try: Option<Timestamp>,
}

/// How the screen came out, which is what the next keys mean.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::person::chat) struct Measures {
    /// Whether the list and the conversation stand side by side.
    pub(in crate::person::chat) is_wide: bool,
    /// The open conversation's messages, by their numbers in the store, and how many rows each takes.
    pub(in crate::person::chat) rows: Vec<(i64, usize)>,
    /// How many rows of them are seen at once.
    pub(in crate::person::chat) window: usize,
    /// The messages of which the end is seen.
    pub(in crate::person::chat) seen: Vec<i64>,
    /// How many cells the composer is wide.
    pub(in crate::person::chat) composer: usize,
    /// How many entries of the list are seen at once.
    pub(in crate::person::chat) list: usize,
    /// How many rows the sheet on top has, and how many are seen at once.
    pub(in crate::person::chat) sheet: (usize, usize),
}

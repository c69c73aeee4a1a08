//! What the chat wants done: by the client, and by the terminal.

use rossby_client::{Conversation, Message, Notice};

use super::action::Action;
use super::drafts::{KeptDraft, Sending};

/// Something that is to be done.
#[derive(Debug, Clone)]
pub(in crate::person::chat) enum Effect {
    /// Everything before this, and then the end.
    Quit,
    /// The terminal is drawn anew.
    Redraw,
    /// The conversations are read.
    LoadConversations,
    /// The last messages of a conversation are read.
    LoadTranscript { conversation: Conversation, limit: u32 },
    /// The warnings are read.
    LoadWarnings,
    /// What is kept and not on the server yet is read.
    LoadUploads,
    /// The person has seen these messages.
    MarkRead(Vec<Message>),
    /// The person has dismissed these warnings.
    WarningsShown(Vec<Notice>),
    /// Something goes into the outbox.
    Send(Sending),
    /// A draft is kept, in place of the conversation's last one.
    KeepDraft(KeptDraft),
    /// The others are told that the person writes, or has stopped.
    Typing { conversation: Conversation, is_typing: bool },
    /// The connection is tried now.
    TryNow,
    /// An action is begun.
    Do(Action),
}

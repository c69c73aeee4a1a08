//! Messages: sent through an outbox, received once, kept in order.

mod change;
mod conversation;
mod drafts;
mod file;
mod given_up;
mod keep;
mod outbox;
mod own_devices;
mod receipts;
mod receive;
mod requests;
mod send;
mod transcript;
mod verify;

pub use change::MessageName;
pub use conversation::Conversation;
pub use drafts::Draft;
pub(crate) use own_devices::OwnMessage;
pub use receipts::ReceiptSettings;
pub use receive::Received;
pub(crate) use receive::{Taken, Taking};
use rossby_schemas::ids::{BoxId, MessageId};
use rossby_schemas::time::Timestamp;
pub use send::Sent;
pub(crate) use send::{Written, body_of};
pub(crate) use verify::{Refusal, is_final};

pub use transcript::ConversationOverview;

use crate::archive::ArchivedAttachment;
use crate::content::{Content, Kind, MessageRef};
use crate::groups::GroupEvent;
use crate::store::messages::State;
use crate::store::outbox::RecipientRow;

/// What became of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MessageState {
    /// It waits in the outbox: whether the server has it is not known.
    Pending,
    /// The server has accepted it.
    Sent,
    /// It will not be sent: there is no such recipient, or it expired in the outbox.
    Failed,
    /// It came, and wasn't read yet.
    New,
    /// It came and was read.
    Read,
}

impl From<State> for MessageState {
    fn from(state: State) -> Self {
        match state {
            State::Pending => Self::Pending,
            State::Sent => Self::Sent,
            State::Failed => Self::Failed,
            State::New => Self::New,
            State::Read => Self::Read,
        }
    }
}

/// A message of this device's store, as it is now: with what others have said of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    /// Its number in the store.
    pub id: i64,
    /// Its id, the same for sender and recipient.
    pub message_id: MessageId,
    /// What it belongs to.
    pub conversation: Conversation,
    /// The box that wrote it.
    pub author: BoxId,
    /// The identifier under which this device found the author, if it did.
    pub author_identifier: Option<String>,
    /// What the author calls themselves: claimed, and checked by nobody.
    pub claimed_name: Option<String>,
    /// The identifier under which this device found the other side of a direct conversation, if it did.
    pub peer_identifier: Option<String>,
    /// Whether it was sent from here.
    pub is_outgoing: bool,
    /// The name of the group that it belongs to, if it does.
    pub group_name: Option<String>,
    /// Whether it is a stranger's, who hasn't been accepted; or of a group that the person was asked into and hasn't answered.
    pub is_request: bool,
    /// Whether its author had been removed from the group, as was known here when it came: it may have been written after.
    pub is_late: bool,
    /// What was done in the group, if it says that.
    pub group_events: Vec<GroupEvent>,
    /// When it was written, by the sender's clock.
    pub time: Timestamp,
    /// When the server accepted it, by the server's clock.
    pub accepted_at: Option<Timestamp>,
    /// What the body is.
    pub kind: Kind,
    /// What it says; none if its author took it back, or this version doesn't know its kind.
    pub content: Option<Content>,
    /// The text of what it says, if it is one.
    pub text: Option<String>,
    /// When its text was written that it has now, by its author's clock, if that was changed.
    pub edited_at: Option<Timestamp>,
    /// Whether its author took it back.
    pub is_deleted: bool,
    /// The message that it answers, changes, or reacts to.
    pub refers_to: Option<Referred>,
    /// The emojis on it.
    pub reactions: Vec<Emoji>,
    /// What became of it: for one that was sent from here, it waits while it does for any recipient, and failed if it did for all.
    pub state: MessageState,
    /// To whom it was sent, and what became of it for each; none for one that came.
    pub recipients: Vec<Recipient>,
    /// What else is known of one that an archive has brought: it can be read, and nothing said of it.
    pub archived: Option<Archived>,
}

/// What is known of a message by an archive alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Archived {
    /// The attachment that it was sent with, which can't be fetched any more by it.
    pub attachment: Option<ArchivedAttachment>,
}

/// A message that another one is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Referred {
    /// Which it is.
    pub message: MessageRef,
    /// What it is; none if it isn't here.
    pub kind: Option<Kind>,
    /// Its text, as it is now, if it has one.
    pub text: Option<String>,
    /// Whether its author took it back.
    pub is_deleted: bool,
    /// Whether it was sent from here.
    pub is_outgoing: bool,
}

/// An emoji on a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Emoji {
    /// The emoji.
    pub emoji: String,
    /// The boxes that put it there, in their order.
    pub authors: Vec<BoxId>,
}

/// A box to which a message was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recipient {
    /// The box.
    pub box_id: BoxId,
    /// What became of the message for it.
    pub state: MessageState,
    /// When the server accepted it.
    pub accepted_at: Option<Timestamp>,
    /// Why it will not be sent to it, if it won't.
    pub reason: Option<String>,
    /// When one of the recipient's devices had it, by its clock, if it says so.
    pub delivered_at: Option<Timestamp>,
    /// When the recipient had read it, by their device's clock, if it says so.
    pub read_at: Option<Timestamp>,
}

impl From<RecipientRow> for Recipient {
    fn from(row: RecipientRow) -> Self {
        Self {
            box_id: row.box_id,
            state: row.state.into(),
            accepted_at: row.accepted_at,
            reason: row.reason,
            // Who has read it, has it.
            delivered_at: row.delivered_at.or(row.read_at),
            read_at: row.read_at,
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;

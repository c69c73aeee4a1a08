//! Messages: sent through an outbox, received once, kept in order.

mod conversation;
mod keep;
mod outbox;
mod own_devices;
mod receive;
mod send;
mod verify;

pub use conversation::Conversation;
pub use receive::Received;
use rossby_crypto::message::MAX_BODY_OCTETS;
use rossby_schemas::ids::{BoxId, MessageId};
use rossby_schemas::time::Timestamp;
pub use send::Sent;

use crate::Client;
use crate::error::ClientError;
use crate::store::contacts;
use crate::store::messages::{State, StoredMessage};
use crate::store::outbox::{self as rows, RecipientRow};

/// How many octets a text has at most, in UTF-8. Half of what a body can have: the copy for the sender's other devices is
/// longer.
pub const MAX_TEXT_OCTETS: usize = MAX_BODY_OCTETS / 2;

/// What a message's body is. The numbers are those of the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// 1: a text in UTF-8.
    Text,
    /// One that this version doesn't know; kept, so that a later one can show it.
    Unknown(u32),
}

impl Kind {
    const TEXT: u32 = 1;

    const fn number(self) -> u32 {
        match self {
            Self::Text => Self::TEXT,
            Self::Unknown(number) => number,
        }
    }

    const fn of(number: u32) -> Self {
        match number {
            Self::TEXT => Self::Text,
            other => Self::Unknown(other),
        }
    }
}

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

/// A message of this device's store.
#[derive(Debug, Clone)]
pub struct Message {
    /// Its number in the store.
    pub id: i64,
    /// Its id, the same for sender and recipient.
    pub message_id: MessageId,
    /// What it belongs to.
    pub conversation: Conversation,
    /// The box that wrote it.
    pub author: BoxId,
    /// The identifier under which this device found the other side of a direct conversation, if it did.
    pub peer_identifier: Option<String>,
    /// Whether it was sent from here.
    pub is_outgoing: bool,
    /// When it was written, by the sender's clock.
    pub time: Timestamp,
    /// When the server accepted it, by the server's clock.
    pub accepted_at: Option<Timestamp>,
    /// What the body is.
    pub kind: Kind,
    /// The text; none if the kind is unknown or it is no UTF-8.
    pub text: Option<String>,
    /// What became of it: for one that was sent from here, it waits while it does for any recipient, and failed if it did for all.
    pub state: MessageState,
    /// To whom it was sent, and what became of it for each; none for one that came.
    pub recipients: Vec<Recipient>,
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
}

impl From<RecipientRow> for Recipient {
    fn from(row: RecipientRow) -> Self {
        let RecipientRow { box_id, state, accepted_at, reason } = row;
        Self { box_id, state: state.into(), accepted_at, reason }
    }
}

impl Client {
    /// The first `limit` of the messages that weren't read yet.
    ///
    /// # Errors
    /// The store's.
    pub async fn unread(&self, limit: u32) -> Result<Vec<Message>, ClientError> {
        self.shown(self.store.unread(&self.vault, limit).await?).await
    }

    /// The last `limit` messages, read and sent ones too.
    ///
    /// # Errors
    /// The store's.
    pub async fn latest(&self, limit: u32) -> Result<Vec<Message>, ClientError> {
        self.shown(self.store.latest(&self.vault, limit).await?).await
    }

    async fn shown(&self, stored: Vec<StoredMessage>) -> Result<Vec<Message>, ClientError> {
        let device = self.device().await?;
        let mut connection = self.store.read().await?;
        let mut messages = Vec::with_capacity(stored.len());
        for message in stored {
            let identifiers = match message.thread {
                Conversation::Direct(peer) => contacts::identifiers_of(&mut connection, peer).await?,
                Conversation::Group(_) => Vec::new(),
            };
            let recipients = rows::recipients(&mut connection, message.id).await?;
            messages.push(show(message, device.box_id, identifiers.into_iter().next(), recipients));
        }
        Ok(messages)
    }

    /// These messages have been read.
    ///
    /// # Errors
    /// The store's.
    pub async fn mark_read(&self, messages: &[Message]) -> Result<(), ClientError> {
        let ids: Vec<i64> = messages.iter().map(|message| message.id).collect();
        self.store.mark_read(&ids).await
    }
}

fn show(stored: StoredMessage, own: BoxId, peer_identifier: Option<String>, recipients: Vec<RecipientRow>) -> Message {
    let kind = Kind::of(stored.kind);
    let text = match kind {
        Kind::Text => String::from_utf8(stored.body.0.to_vec()).ok(),
        Kind::Unknown(_) => None,
    };
    Message {
        id: stored.id,
        message_id: stored.message_id,
        conversation: stored.thread,
        author: stored.sender,
        peer_identifier,
        is_outgoing: stored.sender == own,
        time: stored.time,
        accepted_at: stored.accepted_at,
        kind,
        text,
        state: stored.state.into(),
        recipients: recipients.into_iter().filter(|recipient| recipient.box_id != own).map(Recipient::from).collect(),
    }
}

#[cfg(test)]
mod tests;

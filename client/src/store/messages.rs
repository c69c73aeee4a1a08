//! Messages, and what waits to be confirmed.

use rossby_schemas::encoding::{Octets, Sha256Digest};
use rossby_schemas::ids::{BoxId, DeviceId, MessageId};
use rossby_schemas::time::Timestamp;
use sqlx::{AssertSqlSafe, FromRow, SqliteConnection};
use uuid::Uuid;

use super::{Store, conversations, digest, fixed, number, octets, signed, time};
use crate::error::ClientError;
use crate::messages::Conversation;
use crate::vault::Vault;

/// A message as the store keeps it.
#[derive(Debug, Clone)]
pub(crate) struct StoredMessage {
    /// 0 for one that is not stored yet.
    pub(crate) id: i64,
    /// Where it is shown.
    pub(crate) thread: Conversation,
    /// In whose chain it stands: that of the own devices for a copy of what another of them has sent.
    pub(crate) conversation: Uuid,
    pub(crate) sender: BoxId,
    pub(crate) sender_device: DeviceId,
    pub(crate) sequence: u64,
    pub(crate) previous: Option<Sha256Digest>,
    pub(crate) link_hash: Sha256Digest,
    pub(crate) message_id: MessageId,
    pub(crate) time: Timestamp,
    pub(crate) accepted_at: Option<Timestamp>,
    pub(crate) kind: u32,
    pub(crate) body: Octets,
    pub(crate) state: State,
    /// Whether people read it; false for what devices tell each other.
    pub(crate) is_shown: bool,
}

/// What became of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    Pending,
    Sent,
    Failed,
    New,
    Read,
}

impl State {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Sent => "sent",
            Self::Failed => "failed",
            Self::New => "new",
            Self::Read => "read",
        }
    }

    pub(super) fn of(name: &str) -> Result<Self, ClientError> {
        let all = [Self::Pending, Self::Sent, Self::Failed, Self::New, Self::Read];
        all.into_iter().find(|state| state.name() == name).ok_or(super::DAMAGED)
    }
}

/// Every message, with its thread.
pub(super) const ALL: &str = "select messages.*, conversations.peer, conversations.group_id
    from messages join conversations on conversations.key = messages.thread";

#[derive(FromRow)]
pub(super) struct Row {
    id: i64,
    peer: Option<Vec<u8>>,
    group_id: Option<Vec<u8>>,
    conversation: Vec<u8>,
    sender: Vec<u8>,
    sender_device: Vec<u8>,
    sequence: i64,
    link: Vec<u8>,
    message_id: Vec<u8>,
    time: i64,
    accepted_at: Option<i64>,
    kind: u32,
    body: Vec<u8>,
    state: String,
    shown: bool,
}

impl Row {
    pub(super) fn read(self, vault: &Vault) -> Result<StoredMessage, ClientError> {
        let chain = Chain {
            sender: BoxId::from_bytes(fixed(&self.sender)?),
            device: DeviceId::from_bytes(fixed(&self.sender_device)?),
            conversation: Uuid::from_bytes(fixed(&self.conversation)?),
        };
        let sequence = number(self.sequence)?;
        let body = vault.open(&chain.label("message", sequence), &self.body)?;
        let link = Link::open(vault, chain, sequence, &self.link)?;
        Ok(StoredMessage {
            id: self.id,
            thread: conversations::read(self.peer, self.group_id)?,
            conversation: chain.conversation,
            sender: chain.sender,
            sender_device: chain.device,
            sequence,
            previous: link.previous,
            link_hash: link.hash,
            message_id: MessageId::from_bytes(fixed(&self.message_id)?),
            time: time(self.time)?,
            accepted_at: self.accepted_at.map(time).transpose()?,
            kind: self.kind,
            body: body.as_slice().into(),
            state: State::of(&self.state)?,
            is_shown: self.shown,
        })
    }
}

/// Keeps a message. Gives its id.
pub(crate) async fn insert(
    connection: &mut SqliteConnection,
    vault: &Vault,
    message: &StoredMessage,
) -> Result<i64, ClientError> {
    let chain = Chain { sender: message.sender, device: message.sender_device, conversation: message.conversation };
    let link = Link { sequence: message.sequence, previous: message.previous, hash: message.link_hash };
    let thread = conversations::key(connection, message.thread).await?;
    let inserted = sqlx::query(
        "insert into messages (thread, conversation, sender, sender_device, sequence, link, message_id, time,
             accepted_at, kind, body, state, shown)
         values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(thread)
    .bind(message.conversation.as_bytes().as_slice())
    .bind(message.sender.as_bytes().as_slice())
    .bind(message.sender_device.as_bytes().as_slice())
    .bind(signed(message.sequence))
    .bind(link.seal(vault, chain))
    .bind(message.message_id.as_bytes().as_slice())
    .bind(message.time.signed_millis())
    .bind(message.accepted_at.map(Timestamp::signed_millis))
    .bind(message.kind)
    .bind(vault.seal(&chain.label("message", message.sequence), message.body.as_slice()))
    .bind(message.state.name())
    .bind(message.is_shown)
    .execute(connection)
    .await?;
    Ok(inserted.last_insert_rowid())
}

/// The message with this number.
pub(crate) async fn message(
    connection: &mut SqliteConnection,
    vault: &Vault,
    id: i64,
) -> Result<StoredMessage, ClientError> {
    let query = format!("{ALL} where id = ?");
    let row: Row = sqlx::query_as(AssertSqlSafe(query)).bind(id).fetch_one(connection).await?;
    row.read(vault)
}

/// Erases what a message says, and from the files with the next [`super::Store::scrub`]. Its place in its chain stays.
pub(crate) async fn erase(connection: &mut SqliteConnection, vault: &Vault, id: i64) -> Result<(), ClientError> {
    let (sender, device, conversation, sequence): (Vec<u8>, Vec<u8>, Vec<u8>, i64) =
        sqlx::query_as("select sender, sender_device, conversation, sequence from messages where id = ?")
            .bind(id)
            .fetch_one(&mut *connection)
            .await?;
    let chain = Chain {
        sender: BoxId::from_bytes(fixed(&sender)?),
        device: DeviceId::from_bytes(fixed(&device)?),
        conversation: Uuid::from_bytes(fixed(&conversation)?),
    };
    sqlx::query("update messages set body = ? where id = ?")
        .bind(vault.seal(&chain.label("message", number(sequence)?), &[]))
        .bind(id)
        .execute(&mut *connection)
        .await?;
    sqlx::query("update group_messages set signed = null where message = ?").bind(id).execute(&mut *connection).await?;
    super::scrub_later(connection).await
}

/// A place in a device's chain of messages in a conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Link {
    pub(crate) sequence: u64,
    pub(crate) previous: Option<Sha256Digest>,
    pub(crate) hash: Sha256Digest,
}

impl Link {
    fn seal(&self, vault: &Vault, chain: Chain) -> Vec<u8> {
        let previous = self.previous.as_ref().map_or(&[][..], Sha256Digest::as_slice);
        vault.seal(&chain.label("link", self.sequence), &[self.hash.as_slice(), previous].concat())
    }

    fn open(vault: &Vault, chain: Chain, sequence: u64, sealed: &[u8]) -> Result<Self, ClientError> {
        let opened = vault.open(&chain.label("link", sequence), sealed)?;
        let (hash, previous) = opened.split_at_checked(32).ok_or(super::DAMAGED)?;
        let previous = if previous.is_empty() { None } else { Some(digest(previous)?) };
        Ok(Self { sequence, previous, hash: digest(hash)? })
    }
}

/// Where in a chain to look.
#[derive(Debug, Clone, Copy)]
pub(crate) enum At {
    /// The last that is known.
    Last,
    /// The last that is known before this number.
    Before(u64),
    /// The one with this number.
    Exactly(u64),
}

/// Whose chain it is: a device of a box, in a conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Chain {
    pub(crate) sender: BoxId,
    pub(crate) device: DeviceId,
    pub(crate) conversation: Uuid,
}

impl Chain {
    /// Under what one of its messages is sealed.
    fn label(&self, what: &str, sequence: u64) -> String {
        let Self { sender, device, conversation } = self;
        format!("{what} {sender} {device} {conversation} {sequence}")
    }
}

/// A link of a chain.
pub(crate) async fn link(
    connection: &mut SqliteConnection,
    vault: &Vault,
    chain: Chain,
    at: At,
) -> Result<Option<Link>, ClientError> {
    let (from, before) = match at {
        At::Last => (0, i64::MAX),
        At::Before(sequence) => (0, signed(sequence)),
        At::Exactly(sequence) => (signed(sequence), signed(sequence).saturating_add(1)),
    };
    let row: Option<(i64, Vec<u8>)> = sqlx::query_as(
        "select sequence, link from messages
         where sender = ? and sender_device = ? and conversation = ? and sequence >= ? and sequence < ?
         order by sequence desc limit 1",
    )
    .bind(chain.sender.as_bytes().as_slice())
    .bind(chain.device.as_bytes().as_slice())
    .bind(chain.conversation.as_bytes().as_slice())
    .bind(from)
    .bind(before)
    .fetch_optional(connection)
    .await?;
    row.map(|(sequence, sealed)| Link::open(vault, chain, number(sequence)?, &sealed)).transpose()
}

pub(crate) async fn keep_confirmation(connection: &mut SqliteConnection, handle: &Octets) -> Result<(), ClientError> {
    sqlx::query("insert into confirmations (handle) values (?) on conflict do nothing")
        .bind(handle.as_slice())
        .execute(connection)
        .await?;
    Ok(())
}

impl Store {
    pub(crate) async fn message(&self, vault: &Vault, id: i64) -> Result<StoredMessage, ClientError> {
        message(&mut *self.read().await?, vault, id).await
    }

    /// Handles that wait to be confirmed.
    pub(crate) async fn confirmations(&self, limit: u32) -> Result<Vec<Octets>, ClientError> {
        let rows: Vec<Vec<u8>> =
            sqlx::query_scalar("select handle from confirmations limit ?").bind(limit).fetch_all(&self.pool).await?;
        Ok(rows.into_iter().map(octets).collect())
    }

    pub(crate) async fn confirmed(&self, handles: &[Octets]) -> Result<(), ClientError> {
        let mut transaction = self.begin().await?;
        for handle in handles {
            sqlx::query("delete from confirmations where handle = ?")
                .bind(handle.as_slice())
                .execute(&mut *transaction)
                .await?;
        }
        transaction.commit().await?;
        Ok(())
    }
}

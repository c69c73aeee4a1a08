//! Messages, what waits to be sent, and what waits to be confirmed.

use rossby_schemas::encoding::{Octets, Sha256Digest};
use rossby_schemas::ids::{BoxId, DeviceId, MessageId, OuterId};
use rossby_schemas::time::Timestamp;
use sqlx::{FromRow, SqliteConnection};
use uuid::Uuid;

use super::{Store, digest, fixed, number, octets, signed, time};
use crate::error::ClientError;
use crate::vault::Vault;

/// A message as the store keeps it.
#[derive(Debug, Clone)]
pub(crate) struct StoredMessage {
    /// 0 for one that is not stored yet.
    pub(crate) id: i64,
    pub(crate) peer: BoxId,
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
    const fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Sent => "sent",
            Self::Failed => "failed",
            Self::New => "new",
            Self::Read => "read",
        }
    }

    fn of(name: &str) -> Result<Self, ClientError> {
        let all = [Self::Pending, Self::Sent, Self::Failed, Self::New, Self::Read];
        all.into_iter().find(|state| state.name() == name).ok_or(super::DAMAGED)
    }
}

#[derive(FromRow)]
struct Row {
    id: i64,
    peer: Vec<u8>,
    conversation: Vec<u8>,
    sender: Vec<u8>,
    sender_device: Vec<u8>,
    sequence: i64,
    previous: Option<Vec<u8>>,
    link_hash: Vec<u8>,
    message_id: Vec<u8>,
    time: i64,
    accepted_at: Option<i64>,
    kind: u32,
    body: Vec<u8>,
    state: String,
}

impl Row {
    fn read(self, vault: &Vault) -> Result<StoredMessage, ClientError> {
        let sender_device = DeviceId::from_bytes(fixed(&self.sender_device)?);
        let (conversation, sequence) = (Uuid::from_bytes(fixed(&self.conversation)?), number(self.sequence)?);
        let sender = BoxId::from_bytes(fixed(&self.sender)?);
        let body = vault.open(&body_label(sender, sender_device, conversation, sequence), &self.body)?;
        Ok(StoredMessage {
            id: self.id,
            peer: BoxId::from_bytes(fixed(&self.peer)?),
            conversation,
            sender,
            sender_device,
            sequence,
            previous: self.previous.map(|hash| digest(&hash)).transpose()?,
            link_hash: digest(&self.link_hash)?,
            message_id: MessageId::from_bytes(fixed(&self.message_id)?),
            time: time(self.time)?,
            accepted_at: self.accepted_at.map(time).transpose()?,
            kind: self.kind,
            body: body.as_slice().into(),
            state: State::of(&self.state)?,
        })
    }
}

fn body_label(sender: BoxId, device: DeviceId, conversation: Uuid, sequence: u64) -> String {
    format!("message {sender} {device} {conversation} {sequence}")
}

/// Keeps a message. Gives its id.
pub(crate) async fn insert(
    connection: &mut SqliteConnection,
    vault: &Vault,
    message: &StoredMessage,
) -> Result<i64, ClientError> {
    let label = body_label(message.sender, message.sender_device, message.conversation, message.sequence);
    let inserted = sqlx::query(
        "insert into messages (peer, conversation, sender, sender_device, sequence, previous, link_hash, message_id,
             time, accepted_at, kind, body, state)
         values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(message.peer.as_bytes().as_slice())
    .bind(message.conversation.as_bytes().as_slice())
    .bind(message.sender.as_bytes().as_slice())
    .bind(message.sender_device.as_bytes().as_slice())
    .bind(signed(message.sequence))
    .bind(message.previous.as_ref().map(Sha256Digest::as_slice))
    .bind(message.link_hash.as_slice())
    .bind(message.message_id.as_bytes().as_slice())
    .bind(message.time.signed_millis())
    .bind(message.accepted_at.map(Timestamp::signed_millis))
    .bind(message.kind)
    .bind(vault.seal(&label, message.body.as_slice()))
    .bind(message.state.name())
    .execute(connection)
    .await?;
    Ok(inserted.last_insert_rowid())
}

/// A place in a device's chain of messages in a conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Link {
    pub(crate) sequence: u64,
    pub(crate) previous: Option<Sha256Digest>,
    pub(crate) hash: Sha256Digest,
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

/// A link of a chain.
pub(crate) async fn link(connection: &mut SqliteConnection, chain: Chain, at: At) -> Result<Option<Link>, ClientError> {
    let (from, before) = match at {
        At::Last => (0, i64::MAX),
        At::Before(sequence) => (0, signed(sequence)),
        At::Exactly(sequence) => (signed(sequence), signed(sequence).saturating_add(1)),
    };
    let row: Option<(i64, Option<Vec<u8>>, Vec<u8>)> = sqlx::query_as(
        "select sequence, previous, link_hash from messages
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
    row.map(|(sequence, previous, hash)| {
        let previous = previous.map(|hash| digest(&hash)).transpose()?;
        Ok(Link { sequence: number(sequence)?, previous, hash: digest(&hash)? })
    })
    .transpose()
}

/// A message that waits to be sent, as it was sealed last.
#[derive(Debug, Clone)]
pub(crate) struct Outgoing {
    pub(crate) message: i64,
    pub(crate) outer_id: OuterId,
    pub(crate) expires_at: Timestamp,
    pub(crate) value: Octets,
}

/// Puts a sealed message into the outbox, or another sealing of it in its place.
pub(crate) async fn keep_outgoing(connection: &mut SqliteConnection, outgoing: &Outgoing) -> Result<(), ClientError> {
    sqlx::query(
        "insert into outbox (message, outer_id, expires_at, value) values (?, ?, ?, ?)
         on conflict (message) do update set outer_id = excluded.outer_id, value = excluded.value",
    )
    .bind(outgoing.message)
    .bind(outgoing.outer_id.as_bytes().as_slice())
    .bind(outgoing.expires_at.signed_millis())
    .bind(outgoing.value.as_slice())
    .execute(connection)
    .await?;
    Ok(())
}

/// Keeps a refused message's reason.
pub(crate) async fn keep_refused(
    connection: &mut SqliteConnection,
    outer_id: OuterId,
    accepted_at: Timestamp,
    reason: &str,
) -> Result<(), ClientError> {
    sqlx::query("insert into refused (outer_id, accepted_at, reason) values (?, ?, ?)")
        .bind(outer_id.as_bytes().as_slice())
        .bind(accepted_at.signed_millis())
        .bind(reason)
        .execute(connection)
        .await?;
    Ok(())
}

pub(crate) async fn keep_confirmation(connection: &mut SqliteConnection, handle: &Octets) -> Result<(), ClientError> {
    sqlx::query("insert into confirmations (handle) values (?) on conflict do nothing")
        .bind(handle.as_slice())
        .execute(connection)
        .await?;
    Ok(())
}

impl Store {
    /// What waits to be sent, the oldest first.
    pub(crate) async fn outbox(&self) -> Result<Vec<Outgoing>, ClientError> {
        let rows: Vec<(i64, Vec<u8>, i64, Vec<u8>)> =
            sqlx::query_as("select message, outer_id, expires_at, value from outbox order by message")
                .fetch_all(&self.pool)
                .await?;
        let read = |(message, outer_id, expires_at, value): (_, Vec<u8>, _, _)| {
            let outer_id = OuterId::from_bytes(fixed(&outer_id)?);
            Ok(Outgoing { message, outer_id, expires_at: time(expires_at)?, value: octets(value) })
        };
        rows.into_iter().map(read).collect()
    }

    pub(crate) async fn message(&self, vault: &Vault, id: i64) -> Result<StoredMessage, ClientError> {
        let row: Row = sqlx::query_as("select * from messages where id = ?").bind(id).fetch_one(&self.pool).await?;
        row.read(vault)
    }

    /// What became of a message that was sent: it leaves the outbox.
    pub(crate) async fn settle(
        &self,
        id: i64,
        state: State,
        accepted_at: Option<Timestamp>,
    ) -> Result<(), ClientError> {
        let mut transaction = self.begin().await?;
        sqlx::query("update messages set state = ?, accepted_at = ? where id = ?")
            .bind(state.name())
            .bind(accepted_at.map(Timestamp::signed_millis))
            .bind(id)
            .execute(&mut *transaction)
            .await?;
        sqlx::query("delete from outbox where message = ?").bind(id).execute(&mut *transaction).await?;
        transaction.commit().await?;
        Ok(())
    }

    /// The last `limit` messages, or those that weren't read yet, in their order here.
    pub(crate) async fn messages(
        &self,
        vault: &Vault,
        only_new: bool,
        limit: u32,
    ) -> Result<Vec<StoredMessage>, ClientError> {
        let rows: Vec<Row> = sqlx::query_as(
            "select * from (
                 select * from messages where not ?1 or state = 'new' order by id desc limit ?2
             ) order by id",
        )
        .bind(only_new)
        .bind(limit)
        .fetch_all(&self.pool)
        .await?;
        rows.into_iter().map(|row| row.read(vault)).collect()
    }

    pub(crate) async fn mark_read(&self, ids: &[i64]) -> Result<(), ClientError> {
        let mut transaction = self.begin().await?;
        for id in ids {
            sqlx::query("update messages set state = 'read' where id = ? and state = 'new'")
                .bind(id)
                .execute(&mut *transaction)
                .await?;
        }
        transaction.commit().await?;
        Ok(())
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

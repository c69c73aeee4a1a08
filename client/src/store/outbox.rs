//! The outbox: what was written and is not known to be accepted, for each recipient, and what became of it there.

use rossby_schemas::encoding::Octets;
use rossby_schemas::ids::{BoxId, DeviceId, OuterId};
use rossby_schemas::time::Timestamp;
use serde::{Deserialize, Serialize};
use sqlx::SqliteConnection;
use uuid::Uuid;

use super::messages::State;
use super::{DAMAGED, Store, fixed, octets, time};
use crate::error::ClientError;

/// A message on its way to one recipient.
#[derive(Debug, Clone)]
pub(crate) struct Outgoing {
    pub(crate) message: i64,
    pub(crate) recipient: BoxId,
    pub(crate) expires_at: Timestamp,
    /// As it was sealed last; none while there is no key to seal to.
    pub(crate) sealed: Option<Sealed>,
}

/// A message as it was sealed for one recipient.
#[derive(Debug, Clone)]
pub(crate) struct Sealed {
    pub(crate) outer_id: OuterId,
    pub(crate) value: Octets,
    /// The recipient's devices that it could not be sealed to.
    pub(crate) left_out: Vec<LeftOut>,
}

/// A device that a message was not sealed to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LeftOut {
    pub(crate) device_id: DeviceId,
    pub(crate) reason: String,
}

impl Sealed {
    /// Those that were left out, as they are stored.
    fn left_out_json(&self) -> Option<String> {
        // Texts, which JSON can hold.
        if self.left_out.is_empty() { None } else { serde_json::to_string(&self.left_out).ok() }
    }

    fn read(outer_id: &[u8], value: Vec<u8>, left_out: Option<&str>) -> Result<Self, ClientError> {
        let left_out = left_out.map(serde_json::from_str).transpose().map_err(|_| DAMAGED)?.unwrap_or_default();
        Ok(Self { outer_id: OuterId::from_bytes(fixed(outer_id)?), value: octets(value), left_out })
    }
}

/// What became of a message for one of its recipients.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RecipientRow {
    pub(crate) box_id: BoxId,
    pub(crate) state: State,
    pub(crate) accepted_at: Option<Timestamp>,
    pub(crate) reason: Option<String>,
    /// When a device of the recipient had it, and when its person had read it, as the recipient says.
    pub(crate) delivered_at: Option<Timestamp>,
    pub(crate) read_at: Option<Timestamp>,
}

impl RecipientRow {
    /// A recipient who has said nothing yet.
    pub(crate) const fn new(box_id: BoxId, state: State, accepted_at: Option<Timestamp>) -> Self {
        Self { box_id, state, accepted_at, reason: None, delivered_at: None, read_at: None }
    }
}

/// Adds a recipient to a message.
pub(crate) async fn add_recipient(
    connection: &mut SqliteConnection,
    message: i64,
    recipient: &RecipientRow,
) -> Result<(), ClientError> {
    sqlx::query("insert into recipients (message, box_id, state, accepted_at, reason) values (?, ?, ?, ?, ?)")
        .bind(message)
        .bind(recipient.box_id.as_bytes().as_slice())
        .bind(recipient.state.name())
        .bind(recipient.accepted_at.map(Timestamp::signed_millis))
        .bind(&recipient.reason)
        .execute(connection)
        .await?;
    Ok(())
}

/// A message's recipients, in the order of their boxes.
pub(crate) async fn recipients(
    connection: &mut SqliteConnection,
    message: i64,
) -> Result<Vec<RecipientRow>, ClientError> {
    type Row = (Vec<u8>, String, Option<i64>, Option<String>, Option<i64>, Option<i64>);
    let rows: Vec<Row> = sqlx::query_as(
        "select box_id, state, accepted_at, reason, delivered_at, read_at from recipients where message = ?
         order by box_id",
    )
    .bind(message)
    .fetch_all(connection)
    .await?;
    let read = |(box_id, state, accepted_at, reason, delivered_at, read_at): Row| {
        Ok(RecipientRow {
            box_id: BoxId::from_bytes(fixed(&box_id)?),
            state: State::of(&state)?,
            accepted_at: accepted_at.map(time).transpose()?,
            reason,
            delivered_at: delivered_at.map(time).transpose()?,
            read_at: read_at.map(time).transpose()?,
        })
    };
    rows.into_iter().map(read).collect()
}

/// Puts another sealing of a message that waits into the outbox.
pub(crate) async fn reseal(
    connection: &mut SqliteConnection,
    outgoing: &Outgoing,
    sealed: &Sealed,
) -> Result<(), ClientError> {
    sqlx::query(
        "update outbox set outer_id = ?, value = ?, left_out = ?, expires_at = ? where box_id = ? and message = ?",
    )
    .bind(sealed.outer_id.as_bytes().as_slice())
    .bind(sealed.value.as_slice())
    .bind(sealed.left_out_json())
    .bind(outgoing.expires_at.signed_millis())
    .bind(outgoing.recipient.as_bytes().as_slice())
    .bind(outgoing.message)
    .execute(connection)
    .await?;
    Ok(())
}

/// Whether a message still waits for a recipient.
pub(crate) async fn waits(connection: &mut SqliteConnection, outgoing: &Outgoing) -> Result<bool, ClientError> {
    let found = sqlx::query_scalar("select exists (select 1 from outbox where box_id = ? and message = ?)")
        .bind(outgoing.recipient.as_bytes().as_slice())
        .bind(outgoing.message)
        .fetch_one(connection)
        .await?;
    Ok(found)
}

/// Whether a message still waits for anyone.
pub(crate) async fn waits_for_any(connection: &mut SqliteConnection, message: i64) -> Result<bool, ClientError> {
    let found = sqlx::query_scalar("select exists (select 1 from outbox where message = ?)")
        .bind(message)
        .fetch_one(connection)
        .await?;
    Ok(found)
}

/// What waits in a conversation: messages and recipients.
pub(crate) async fn of_conversation(
    connection: &mut SqliteConnection,
    conversation: Uuid,
) -> Result<Vec<(i64, BoxId)>, ClientError> {
    let rows: Vec<(i64, Vec<u8>)> = sqlx::query_as(
        "select outbox.message, outbox.box_id from outbox join messages on messages.id = outbox.message
         where messages.conversation = ? order by 1, 2",
    )
    .bind(conversation.as_bytes().as_slice())
    .fetch_all(connection)
    .await?;
    rows.into_iter().map(|(message, box_id)| Ok((message, BoxId::from_bytes(fixed(&box_id)?)))).collect()
}

/// Members of groups for whom something waits that can't be sealed yet.
pub(crate) async fn unsealed_in_groups(connection: &mut SqliteConnection) -> Result<Vec<(Uuid, BoxId)>, ClientError> {
    let rows: Vec<(Vec<u8>, Vec<u8>)> = sqlx::query_as(
        "select distinct groups.group_id, outbox.box_id from outbox join messages on messages.id = outbox.message
             join groups on groups.group_id = messages.conversation
         where outbox.value is null order by 1, 2",
    )
    .fetch_all(connection)
    .await?;
    let read = |(group, box_id): (Vec<u8>, Vec<u8>)| {
        Ok((Uuid::from_bytes(fixed(&group)?), BoxId::from_bytes(fixed(&box_id)?)))
    };
    rows.into_iter().map(read).collect()
}

/// What waits of one kind.
pub(crate) async fn of_kind(connection: &mut SqliteConnection, kind: u32) -> Result<Vec<(i64, BoxId)>, ClientError> {
    let rows: Vec<(i64, Vec<u8>)> = sqlx::query_as(
        "select outbox.message, outbox.box_id from outbox join messages on messages.id = outbox.message
         where messages.kind = ? order by 1, 2",
    )
    .bind(kind)
    .fetch_all(connection)
    .await?;
    rows.into_iter().map(|(message, box_id)| Ok((message, BoxId::from_bytes(fixed(&box_id)?)))).collect()
}

/// Puts a message into the outbox.
pub(crate) async fn keep_outgoing(connection: &mut SqliteConnection, outgoing: &Outgoing) -> Result<(), ClientError> {
    let sealed = outgoing.sealed.as_ref();
    sqlx::query(
        "insert into outbox (box_id, message, expires_at, outer_id, value, left_out, attempts) values (?, ?, ?, ?, ?, ?, 0)",
    )
    .bind(outgoing.recipient.as_bytes().as_slice())
    .bind(outgoing.message)
    .bind(outgoing.expires_at.signed_millis())
    .bind(sealed.map(|sealed| sealed.outer_id.as_bytes().as_slice()))
    .bind(sealed.map(|sealed| sealed.value.as_slice()))
    .bind(sealed.and_then(Sealed::left_out_json))
    .execute(connection)
    .await?;
    Ok(())
}

/// A message is handed over now: from here on it may have gone out. False if it waits no more.
pub(crate) async fn attempt(connection: &mut SqliteConnection, outgoing: &Outgoing) -> Result<bool, ClientError> {
    let waits = sqlx::query("update outbox set attempts = attempts + 1 where box_id = ? and message = ?")
        .bind(outgoing.recipient.as_bytes().as_slice())
        .bind(outgoing.message)
        .execute(connection)
        .await?;
    Ok(waits.rows_affected() > 0)
}

/// An attempt to hand a message over can't have come through.
pub(crate) async fn attempt_failed(connection: &mut SqliteConnection, outgoing: &Outgoing) -> Result<(), ClientError> {
    sqlx::query("update outbox set attempts = attempts - 1 where box_id = ? and message = ? and attempts > 0")
        .bind(outgoing.recipient.as_bytes().as_slice())
        .bind(outgoing.message)
        .execute(connection)
        .await?;
    Ok(())
}

/// Whether anything of two conversations may have gone out to a recipient.
pub(crate) async fn may_have_reached(
    connection: &mut SqliteConnection,
    recipient: BoxId,
    [one, other]: [Uuid; 2],
) -> Result<bool, ClientError> {
    let found = sqlx::query_scalar(
        "select exists (
             select 1 from outbox join messages on messages.id = outbox.message
             where outbox.box_id = ?1 and messages.conversation in (?2, ?3) and outbox.attempts > 0
         ) or exists (
             select 1 from recipients join messages on messages.id = recipients.message
             where recipients.box_id = ?1 and messages.conversation in (?2, ?3) and recipients.state = 'sent'
         )",
    )
    .bind(recipient.as_bytes().as_slice())
    .bind(one.as_bytes().as_slice())
    .bind(other.as_bytes().as_slice())
    .fetch_one(connection)
    .await?;
    Ok(found)
}

/// The messages of two conversations that wait for a recipient, the oldest first.
pub(crate) async fn waiting_in(
    connection: &mut SqliteConnection,
    recipient: BoxId,
    [one, other]: [Uuid; 2],
) -> Result<Vec<i64>, ClientError> {
    let messages = sqlx::query_scalar(
        "select outbox.message from outbox join messages on messages.id = outbox.message
         where outbox.box_id = ? and messages.conversation in (?, ?) order by 1",
    )
    .bind(recipient.as_bytes().as_slice())
    .bind(one.as_bytes().as_slice())
    .bind(other.as_bytes().as_slice())
    .fetch_all(connection)
    .await?;
    Ok(messages)
}

/// The messages that wait for a recipient, the oldest first.
pub(crate) async fn waiting(connection: &mut SqliteConnection, recipient: BoxId) -> Result<Vec<i64>, ClientError> {
    let messages = sqlx::query_scalar("select message from outbox where box_id = ? order by message")
        .bind(recipient.as_bytes().as_slice())
        .fetch_all(connection)
        .await?;
    Ok(messages)
}

/// What became of a message for a recipient: it leaves the outbox, and the message's own state follows from all of its
/// recipients. False if that was known already.
pub(crate) async fn settle(
    connection: &mut SqliteConnection,
    message: i64,
    recipient: &RecipientRow,
) -> Result<bool, ClientError> {
    let left = sqlx::query("delete from outbox where message = ? and box_id = ?")
        .bind(message)
        .bind(recipient.box_id.as_bytes().as_slice())
        .execute(&mut *connection)
        .await?;
    if left.rows_affected() == 0 {
        return Ok(false);
    }
    sqlx::query("update recipients set state = ?, accepted_at = ?, reason = ? where message = ? and box_id = ?")
        .bind(recipient.state.name())
        .bind(recipient.accepted_at.map(Timestamp::signed_millis))
        .bind(&recipient.reason)
        .bind(message)
        .bind(recipient.box_id.as_bytes().as_slice())
        .execute(&mut *connection)
        .await?;
    // The own devices get a copy; for the person it counts only in what is for them alone.
    sqlx::query(
        "with counted as (
             select r.state, r.accepted_at from recipients r join messages m on m.id = r.message
             where m.id = ?1 and (r.box_id <> m.sender or not exists (
                 select 1 from recipients other where other.message = m.id and other.box_id <> m.sender
             ))
         )
         update messages set
             state = case
                 when exists (select 1 from counted where state = 'pending') then 'pending'
                 when exists (select 1 from counted where state = 'sent') then 'sent'
                 else 'failed'
             end,
             accepted_at = (select min(accepted_at) from counted)
         where id = ?1",
    )
    .bind(message)
    .execute(connection)
    .await?;
    Ok(true)
}

/// Everything that is in the outbox, for tests that are the server.
#[cfg(test)]
pub(crate) async fn all(connection: &mut SqliteConnection) -> Result<Vec<(i64, BoxId, Option<Sealed>)>, ClientError> {
    type Row = (i64, Vec<u8>, Option<Vec<u8>>, Option<Vec<u8>>);
    let rows: Vec<Row> = sqlx::query_as("select message, box_id, outer_id, value from outbox order by message, box_id")
        .fetch_all(connection)
        .await?;
    let read = |(message, box_id, outer_id, value): Row| {
        let sealed = outer_id.zip(value).map(|(outer_id, value)| Sealed::read(&outer_id, value, None)).transpose()?;
        Ok((message, BoxId::from_bytes(fixed(&box_id)?), sealed))
    };
    rows.into_iter().map(read).collect()
}

impl Store {
    /// The first message that waits for each recipient, the oldest first.
    pub(crate) async fn outbox_heads(&self) -> Result<Vec<(i64, BoxId)>, ClientError> {
        let rows: Vec<(i64, Vec<u8>)> =
            sqlx::query_as("select min(message), box_id from outbox group by box_id order by 1, 2")
                .fetch_all(&self.pool)
                .await?;
        rows.into_iter().map(|(message, box_id)| Ok((message, BoxId::from_bytes(fixed(&box_id)?)))).collect()
    }

    /// A message that waits for a recipient, if it still does.
    pub(crate) async fn outgoing(&self, message: i64, recipient: BoxId) -> Result<Option<Outgoing>, ClientError> {
        type Row = (i64, Option<Vec<u8>>, Option<Vec<u8>>, Option<String>);
        let row: Option<Row> =
            sqlx::query_as("select expires_at, outer_id, value, left_out from outbox where box_id = ? and message = ?")
                .bind(recipient.as_bytes().as_slice())
                .bind(message)
                .fetch_optional(&self.pool)
                .await?;
        row.map(|(expires_at, outer_id, value, left_out)| {
            let sealed = outer_id.zip(value).map(|(id, value)| Sealed::read(&id, value, left_out.as_deref()));
            let sealed = sealed.transpose()?;
            Ok(Outgoing { message, recipient, expires_at: time(expires_at)?, sealed })
        })
        .transpose()
    }
}

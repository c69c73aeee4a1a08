//! Receipts: those that came for messages of this box, and those that are to be sent.

use rossby_schemas::ids::{BoxId, MessageId};
use rossby_schemas::time::Timestamp;
use sqlx::SqliteConnection;
use uuid::Uuid;

use super::{DAMAGED, conversations, fixed};
use crate::content::{MessageRef, ReceiptState};
use crate::error::ClientError;
use crate::messages::Conversation;

/// How many receipts are kept for messages that haven't come yet: of one sender, and of all. Only a message that another of the
/// own devices has sent can come after its receipt; a stranger can receipt what never was.
const MAX_EARLY: (i64, i64) = (400, 10_000);

/// Receipts that are to be sent: to whom, what they say, in which group, and of which messages.
pub(crate) type Owed = (BoxId, ReceiptState, Option<Uuid>, Vec<MessageId>);

/// Keeps what a box says became of a message: if it was sent to it from here, now or as soon as it comes.
pub(crate) async fn keep(
    connection: &mut SqliteConnection,
    thread: Conversation,
    message: MessageId,
    by: BoxId,
    (state, time): (ReceiptState, Timestamp),
) -> Result<(), ClientError> {
    let thread = conversations::key(connection, thread).await?;
    let (delivered_at, read_at) = match state {
        ReceiptState::Delivered => (Some(time), None),
        ReceiptState::Read => (None, Some(time)),
    };
    let (delivered_at, read_at) = (delivered_at.map(Timestamp::signed_millis), read_at.map(Timestamp::signed_millis));
    let is_known: bool = sqlx::query_scalar(
        "select exists (
             select 1 from messages join recipients on recipients.message = messages.id
             where messages.thread = ? and messages.message_id = ? and messages.shown = 1
         )",
    )
    .bind(thread)
    .bind(message.as_bytes().as_slice())
    .fetch_one(&mut *connection)
    .await?;
    if is_known {
        sqlx::query(
            "update recipients set
                 delivered_at = coalesce(min(delivered_at, ?1), delivered_at, ?1),
                 read_at = coalesce(min(read_at, ?2), read_at, ?2)
             where box_id = ?3 and message in (
                 select id from messages where thread = ?4 and message_id = ?5 and shown = 1
             )",
        )
        .bind(delivered_at)
        .bind(read_at)
        .bind(by.as_bytes().as_slice())
        .bind(thread)
        .bind(message.as_bytes().as_slice())
        .execute(connection)
        .await?;
        return Ok(());
    }
    sqlx::query(
        "insert into early_receipts (box_id, thread, target, delivered_at, read_at)
         select ?1, ?2, ?3, ?4, ?5
         where (select count(*) from early_receipts where box_id = ?1) < ?6
             and (select count(*) from early_receipts) < ?7
         on conflict (box_id, thread, target) do update set
             delivered_at = coalesce(min(delivered_at, excluded.delivered_at), delivered_at, excluded.delivered_at),
             read_at = coalesce(min(read_at, excluded.read_at), read_at, excluded.read_at)",
    )
    .bind(by.as_bytes().as_slice())
    .bind(thread)
    .bind(message.as_bytes().as_slice())
    .bind(delivered_at)
    .bind(read_at)
    .bind(MAX_EARLY.0)
    .bind(MAX_EARLY.1)
    .execute(connection)
    .await?;
    Ok(())
}

/// Gives a message that has come now the receipts that came before it.
pub(crate) async fn apply_early(
    connection: &mut SqliteConnection,
    thread: Conversation,
    message: i64,
    message_id: MessageId,
) -> Result<(), ClientError> {
    let thread = conversations::key(connection, thread).await?;
    sqlx::query(
        "update recipients set delivered_at = early.delivered_at, read_at = early.read_at
         from early_receipts early
         where recipients.message = ?1 and early.box_id = recipients.box_id and early.thread = ?2 and early.target = ?3",
    )
    .bind(message)
    .bind(thread)
    .bind(message_id.as_bytes().as_slice())
    .execute(&mut *connection)
    .await?;
    sqlx::query("delete from early_receipts where thread = ? and target = ?")
        .bind(thread)
        .bind(message_id.as_bytes().as_slice())
        .execute(connection)
        .await?;
    Ok(())
}

/// A message is to be receipted. That it was read says more than that it was delivered.
pub(crate) async fn owe(
    connection: &mut SqliteConnection,
    thread: Conversation,
    message: MessageRef,
    state: ReceiptState,
) -> Result<(), ClientError> {
    let group = match &thread {
        Conversation::Direct(_) => None,
        Conversation::Group(group) => Some(group.as_bytes().as_slice()),
    };
    sqlx::query(
        "insert into owed_receipts (box_id, message_id, state, group_id) values (?, ?, ?, ?)
         on conflict (box_id, message_id) do update set state = excluded.state where excluded.state = 'read'",
    )
    .bind(message.box_id.as_bytes().as_slice())
    .bind(message.message_id.as_bytes().as_slice())
    .bind(state.name())
    .bind(group)
    .execute(connection)
    .await?;
    Ok(())
}

/// Some of the receipts that are to be sent: to one box, of one state, in one group or in none.
pub(crate) async fn owed(connection: &mut SqliteConnection, limit: usize) -> Result<Option<Owed>, ClientError> {
    let first: Option<(Vec<u8>, String, Option<Vec<u8>>)> =
        sqlx::query_as("select box_id, state, group_id from owed_receipts order by box_id, state, group_id limit 1")
            .fetch_optional(&mut *connection)
            .await?;
    let Some((box_id, state, group)) = first else { return Ok(None) };
    let ids: Vec<Vec<u8>> = sqlx::query_scalar(
        "select message_id from owed_receipts where box_id = ? and state = ? and group_id is ? limit ?",
    )
    .bind(&box_id)
    .bind(&state)
    .bind(&group)
    .bind(i64::try_from(limit).unwrap_or(i64::MAX))
    .fetch_all(connection)
    .await?;
    let state = [ReceiptState::Delivered, ReceiptState::Read].into_iter().find(|known| known.name() == state);
    let ids = ids.iter().map(|id| Ok(MessageId::from_bytes(fixed(id)?))).collect::<Result<_, ClientError>>()?;
    let group = group.as_deref().map(fixed).transpose()?.map(Uuid::from_bytes);
    Ok(Some((BoxId::from_bytes(fixed(&box_id)?), state.ok_or(DAMAGED)?, group, ids)))
}

/// These were written, or won't be.
pub(crate) async fn owed_no_more(
    connection: &mut SqliteConnection,
    box_id: BoxId,
    ids: &[MessageId],
) -> Result<(), ClientError> {
    for id in ids {
        sqlx::query("delete from owed_receipts where box_id = ? and message_id = ?")
            .bind(box_id.as_bytes().as_slice())
            .bind(id.as_bytes().as_slice())
            .execute(&mut *connection)
            .await?;
    }
    Ok(())
}

/// Another of the own devices has read a message: here too, now or as soon as it comes.
pub(crate) async fn mark_read_elsewhere(
    connection: &mut SqliteConnection,
    message: MessageRef,
) -> Result<(), ClientError> {
    let (author, id) = (message.box_id.as_bytes().as_slice(), message.message_id.as_bytes().as_slice());
    let is_known: bool =
        sqlx::query_scalar("select exists (select 1 from messages where message_id = ? and sender = ?)")
            .bind(id)
            .bind(author)
            .fetch_one(&mut *connection)
            .await?;
    let query = if is_known {
        "update messages set state = 'read' where sender = ? and message_id = ? and state = 'new'"
    } else {
        "insert into read_marks (author, message_id) values (?, ?) on conflict do nothing"
    };
    sqlx::query(query).bind(author).bind(id).execute(connection).await?;
    Ok(())
}

/// Whether another of the own devices has read a message before it came.
pub(crate) async fn was_read_elsewhere(
    connection: &mut SqliteConnection,
    message: MessageRef,
) -> Result<bool, ClientError> {
    let found = sqlx::query_scalar("select exists (select 1 from read_marks where author = ? and message_id = ?)")
        .bind(message.box_id.as_bytes().as_slice())
        .bind(message.message_id.as_bytes().as_slice())
        .fetch_one(connection)
        .await?;
    Ok(found)
}

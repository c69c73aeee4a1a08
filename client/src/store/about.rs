//! What messages say of each other: edits, deletions, reactions. Each is kept as it comes, before or after what it is about;
//! what is shown follows from all of them.

use rossby_schemas::ids::BoxId;
use sqlx::{AssertSqlSafe, SqliteConnection};

use super::messages::{self, ALL, Row, StoredMessage};
use super::{conversations, fixed, history, number};
use crate::content::{Kind, MessageRef};
use crate::error::ClientError;
use crate::messages::Conversation;
use crate::vault::Vault;

/// How many of an author's edits or reactions on one message are looked at: the latest ones.
const MAX_OF_AN_AUTHOR: u32 = 200;

/// Keeps which message another one is about.
pub(crate) async fn keep(
    connection: &mut SqliteConnection,
    message: i64,
    thread: Conversation,
    target: MessageRef,
) -> Result<(), ClientError> {
    let thread = conversations::key(connection, thread).await?;
    sqlx::query("insert into about (message, thread, author, target) values (?, ?, ?, ?)")
        .bind(message)
        .bind(thread)
        .bind(target.box_id.as_bytes().as_slice())
        .bind(target.message_id.as_bytes().as_slice())
        .execute(connection)
        .await?;
    Ok(())
}

/// What is said of a message, of each author and kind the latest first.
pub(crate) async fn of(
    connection: &mut SqliteConnection,
    vault: &Vault,
    thread: Conversation,
    target: MessageRef,
) -> Result<Vec<StoredMessage>, ClientError> {
    let thread = conversations::key(connection, thread).await?;
    let query = format!(
        "select * from (
             select every.*, row_number() over (
                 partition by every.sender, every.kind order by every.time desc, every.message_id desc
             ) as place
             from about join ({ALL}) every on every.id = about.message
             where about.thread = ? and about.target = ? and about.author = ?
         ) where place <= ? order by time desc, message_id desc, id"
    );
    let rows: Vec<Row> = sqlx::query_as(AssertSqlSafe(query))
        .bind(thread)
        .bind(target.message_id.as_bytes().as_slice())
        .bind(target.box_id.as_bytes().as_slice())
        .bind(MAX_OF_AN_AUTHOR)
        .fetch_all(connection)
        .await?;
    rows.into_iter().map(|row| row.read(vault)).collect()
}

/// Whether a message was taken back by its author.
async fn is_deleted(connection: &mut SqliteConnection, thread: i64, target: MessageRef) -> Result<bool, ClientError> {
    let found = sqlx::query_scalar(
        "select exists (
             select 1 from about join messages on messages.id = about.message
             where about.thread = ? and about.target = ? and about.author = ? and messages.kind = ?
         )",
    )
    .bind(thread)
    .bind(target.message_id.as_bytes().as_slice())
    .bind(target.box_id.as_bytes().as_slice())
    .bind(Kind::Deletion.number())
    .fetch_one(connection)
    .await?;
    Ok(found)
}

/// Erases what a message and its edits say, if its author took it back. What waits in the outbox stays: it may have to be
/// signed again, and is erased once it is settled.
pub(crate) async fn erase_if_deleted(
    connection: &mut SqliteConnection,
    vault: &Vault,
    thread: Conversation,
    target: MessageRef,
) -> Result<(), ClientError> {
    let thread = conversations::key(connection, thread).await?;
    if !is_deleted(connection, thread, target).await? {
        return Ok(());
    }
    let ids: Vec<i64> = sqlx::query_scalar(
        "select id from messages
         where thread = ?1 and sender = ?2 and not exists (select 1 from outbox where outbox.message = messages.id)
             and (message_id = ?3 and shown = 1
                 or kind = ?4 and id in (
                     select message from about where about.thread = ?1 and about.target = ?3 and about.author = ?2
                 ))",
    )
    .bind(thread)
    .bind(target.box_id.as_bytes().as_slice())
    .bind(target.message_id.as_bytes().as_slice())
    .bind(Kind::Edit.number())
    .fetch_all(&mut *connection)
    .await?;
    for id in ids {
        messages::erase(connection, vault, id).await?;
    }
    history::erase(connection, thread, target).await
}

/// Whether a message with this id is known in a conversation, by its author and by others.
pub(crate) async fn known_as(
    connection: &mut SqliteConnection,
    thread: Conversation,
    message: MessageRef,
) -> Result<(bool, bool), ClientError> {
    let thread = conversations::key(connection, thread).await?;
    let found = sqlx::query_as(
        "select coalesce(sum(sender = ?1), 0) > 0, coalesce(sum(sender <> ?1), 0) > 0 from messages
         where message_id = ?2 and thread = ?3 and shown = 1",
    )
    .bind(message.box_id.as_bytes().as_slice())
    .bind(message.message_id.as_bytes().as_slice())
    .bind(thread)
    .fetch_one(connection)
    .await?;
    Ok(found)
}

/// Who said that they changed a message with this id, though another has written it.
pub(crate) async fn changed_by_others(
    connection: &mut SqliteConnection,
    thread: Conversation,
    message: MessageRef,
) -> Result<Vec<(BoxId, Kind)>, ClientError> {
    let thread = conversations::key(connection, thread).await?;
    let rows: Vec<(Vec<u8>, i64)> = sqlx::query_as(
        "select distinct messages.sender, messages.kind from about join messages on messages.id = about.message
         where about.thread = ? and about.target = ? and about.author <> ? and messages.kind in (?, ?)
         order by 1, 2",
    )
    .bind(thread)
    .bind(message.message_id.as_bytes().as_slice())
    .bind(message.box_id.as_bytes().as_slice())
    .bind(Kind::Edit.number())
    .bind(Kind::Deletion.number())
    .fetch_all(connection)
    .await?;
    let read = |(sender, kind): (Vec<u8>, i64)| {
        let kind = u32::try_from(number(kind)?).map_err(|_| super::DAMAGED)?;
        Ok((BoxId::from_bytes(fixed(&sender)?), Kind::of(kind)))
    };
    rows.into_iter().map(read).collect()
}

//! Messages that an archive has brought, beside those of this device's own store. What is in both is shown once: as the store has it.

use rossby_schemas::ids::{BoxId, MessageId};
use rossby_schemas::time::Timestamp;
use sqlx::{AssertSqlSafe, SqliteConnection};

use super::transcripts::{Direction, Place};
use super::{DAMAGED, conversations, fixed};
use crate::archive::ArchivedMessage;
use crate::content::MessageRef;
use crate::error::ClientError;
use crate::messages::Conversation;
use crate::vault::Vault;

/// A message that an archive has brought.
#[derive(Debug)]
pub(crate) struct Kept {
    pub(crate) id: i64,
    pub(crate) record: ArchivedMessage,
}

/// Not in the store's own messages.
const ALONE: &str = "not exists (
    select 1 from messages
    where messages.message_id = history.message_id and messages.sender = history.author and messages.thread = history.thread
)";

fn label(author: BoxId, message_id: MessageId) -> String {
    format!("history {author} {message_id}")
}

/// Keeps a message, if it is neither here nor in the store's own. Gives whether it was.
pub(crate) async fn keep(
    connection: &mut SqliteConnection,
    vault: &Vault,
    conversation: Conversation,
    record: &ArchivedMessage,
) -> Result<bool, ClientError> {
    let thread = conversations::key(connection, conversation).await?;
    let json = serde_json::to_vec(record).map_err(|_| DAMAGED)?;
    let sealed = vault.seal(&label(record.author, record.message_id), &json);
    let kept = sqlx::query(
        "insert into history (thread, author, message_id, written, record)
         select ?1, ?2, ?3, ?4, ?5 where not exists (
             select 1 from messages where message_id = ?3 and sender = ?2 and thread = ?1
         )
         on conflict do nothing",
    )
    .bind(thread)
    .bind(record.author.as_bytes().as_slice())
    .bind(record.message_id.as_bytes().as_slice())
    .bind(written(record.time, record.accepted_at).signed_millis())
    .bind(sealed)
    .execute(connection)
    .await?;
    Ok(kept.rows_affected() > 0)
}

/// When a message was written, and no later than the server had it.
pub(crate) fn written(time: Timestamp, accepted_at: Option<Timestamp>) -> Timestamp {
    accepted_at.map_or(time, |accepted_at| accepted_at.min(time))
}

type Row = (i64, Vec<u8>, Vec<u8>, Vec<u8>);

fn read(vault: &Vault, (id, author, message_id, sealed): Row) -> Result<Kept, ClientError> {
    let (author, message_id) = (BoxId::from_bytes(fixed(&author)?), MessageId::from_bytes(fixed(&message_id)?));
    let json = vault.open(&label(author, message_id), &sealed)?;
    Ok(Kept { id, record: serde_json::from_slice(&json).map_err(|_| DAMAGED)? })
}

/// The `limit` messages of a conversation that are next to a place, in the order in which they were written.
pub(crate) async fn page(
    connection: &mut SqliteConnection,
    vault: &Vault,
    conversation: Conversation,
    limit: u32,
    (direction, place): (Direction, Option<Place>),
) -> Result<Vec<Kept>, ClientError> {
    let thread = conversations::key(connection, conversation).await?;
    let (compared, order) = direction.sql();
    let query = format!(
        "select id, author, message_id, record from history
         where thread = ?1 and (?2 is null or (written, message_id) {compared} (?2, ?3)) and {ALONE}
         order by written {order}, message_id {order}, id {order} limit ?4"
    );
    let rows: Vec<Row> = sqlx::query_as(AssertSqlSafe(query))
        .bind(thread)
        .bind(place.map(|place| place.written.signed_millis()))
        .bind(place.map(|place| place.message_id.as_bytes().to_vec()))
        .bind(limit)
        .fetch_all(connection)
        .await?;
    let mut kept: Vec<Kept> = rows.into_iter().map(|row| read(vault, row)).collect::<Result<_, _>>()?;
    if direction == Direction::Before {
        kept.reverse();
    }
    Ok(kept)
}

/// The conversations of which only archives know messages, with the last one.
pub(crate) async fn conversations_alone(
    connection: &mut SqliteConnection,
    vault: &Vault,
) -> Result<Vec<(Conversation, Kept)>, ClientError> {
    type Row = (Option<Vec<u8>>, Option<Vec<u8>>);
    let keys: Vec<Row> = sqlx::query_as(
        "select peer, group_id from conversations c
         where exists (select 1 from history where history.thread = c.key)
             and not exists (select 1 from messages where messages.thread = c.key and messages.shown = 1)",
    )
    .fetch_all(&mut *connection)
    .await?;
    let mut found = Vec::new();
    for (peer, group) in keys {
        let conversation = conversations::read(peer, group)?;
        let mut last = page(connection, vault, conversation, 1, (Direction::Before, None)).await?;
        found.extend(last.pop().map(|kept| (conversation, kept)));
    }
    Ok(found)
}

/// Whether archives have brought messages of a group.
pub(crate) async fn knows_group(connection: &mut SqliteConnection, group: uuid::Uuid) -> Result<bool, ClientError> {
    let found = sqlx::query_scalar(
        "select exists (
             select 1 from history join conversations on conversations.key = history.thread where conversations.group_id = ?
         )",
    )
    .bind(group.as_bytes().as_slice())
    .fetch_one(connection)
    .await?;
    Ok(found)
}

/// How many messages archives have brought that are not in the store's own.
pub(crate) async fn count(connection: &mut SqliteConnection) -> Result<u64, ClientError> {
    let query = format!("select count(*) from history where {ALONE}");
    super::number(sqlx::query_scalar(AssertSqlSafe(query)).fetch_one(connection).await?)
}

/// Erases a message that its author took back, and from the files with the next [`super::Store::scrub`].
pub(crate) async fn erase(
    connection: &mut SqliteConnection,
    thread: i64,
    message: MessageRef,
) -> Result<(), ClientError> {
    let erased = sqlx::query("delete from history where thread = ? and author = ? and message_id = ?")
        .bind(thread)
        .bind(message.box_id.as_bytes().as_slice())
        .bind(message.message_id.as_bytes().as_slice())
        .execute(&mut *connection)
        .await?;
    if erased.rows_affected() > 0 { super::scrub_later(connection).await } else { Ok(()) }
}

//! Messages as they are read: by conversation, by whether they were read, by id.

use rossby_schemas::ids::{BoxId, MessageId};
use rossby_schemas::time::Timestamp;
use sqlx::{AssertSqlSafe, SqliteConnection};

use super::messages::{self, ALL, Row, StoredMessage};
use super::{conversations, fixed, number};
use crate::content::MessageRef;
use crate::error::ClientError;
use crate::messages::Conversation;
use crate::vault::Vault;

/// When a message was written, by its sender, and no later than the server had it; the order of a conversation.
const WRITTEN: &str = "min(time, coalesce(accepted_at, time))";

/// A place in the order of a conversation: that of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    /// When it was written, and no later than the server had it.
    pub(crate) written: Timestamp,
    pub(crate) message_id: MessageId,
    /// Its number in the store; 0 for one that an archive has brought.
    pub(crate) id: i64,
}

/// On which side of a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Direction {
    Before,
    After,
}

impl Direction {
    /// The comparison with the place, and the order in which messages are next to it.
    pub(super) const fn sql(self) -> (&'static str, &'static str) {
        match self {
            Self::Before => ("<", "desc"),
            Self::After => (">", "asc"),
        }
    }
}

/// A conversation, as a list of them shows it.
#[derive(Debug)]
pub(crate) struct Overview {
    pub(crate) conversation: Conversation,
    pub(crate) unread: u64,
    /// The number of the message that came or was sent last.
    pub(crate) last: i64,
}

fn read_all(vault: &Vault, rows: Vec<Row>) -> Result<Vec<StoredMessage>, ClientError> {
    rows.into_iter().map(|row| row.read(vault)).collect()
}

/// The first `limit` messages that weren't read yet, and what was said of messages, in the order in which they came.
pub(crate) async fn unread(
    connection: &mut SqliteConnection,
    vault: &Vault,
    limit: u32,
) -> Result<Vec<StoredMessage>, ClientError> {
    // Said by name: a plan made without figures reads all that ever came.
    let query = format!(
        "{ALL} where messages.id in (select id from messages indexed by messages_unread where state = 'new')
         order by id limit ?"
    );
    read_all(vault, sqlx::query_as(AssertSqlSafe(query)).bind(limit).fetch_all(connection).await?)
}

/// The last `limit` messages, in their order here.
pub(crate) async fn latest(
    connection: &mut SqliteConnection,
    vault: &Vault,
    limit: u32,
) -> Result<Vec<StoredMessage>, ClientError> {
    let query = format!("select * from ({ALL} where shown = 1 order by id desc limit ?) order by id");
    read_all(vault, sqlx::query_as(AssertSqlSafe(query)).bind(limit).fetch_all(connection).await?)
}

/// The `limit` messages of a conversation that are next to a place, or to its end or beginning, in the order in which they were
/// written.
pub(crate) async fn page(
    connection: &mut SqliteConnection,
    vault: &Vault,
    conversation: Conversation,
    limit: u32,
    (direction, place): (Direction, Option<Place>),
) -> Result<Vec<StoredMessage>, ClientError> {
    let thread = conversations::key(connection, conversation).await?;
    let (compared, order) = direction.sql();
    let query = format!(
        "select * from (
             {ALL} where thread = ?1 and shown = 1 and (?2 is null or ({WRITTEN}, message_id, id) {compared} (?2, ?3, ?4))
             order by {WRITTEN} {order}, message_id {order}, id {order} limit ?5
         ) order by {WRITTEN}, message_id, id"
    );
    let rows = sqlx::query_as(AssertSqlSafe(query))
        .bind(thread)
        .bind(place.map(|place| place.written.signed_millis()))
        .bind(place.map(|place| place.message_id.as_bytes().to_vec()))
        .bind(place.map(|place| place.id))
        .bind(limit)
        .fetch_all(connection)
        .await?;
    read_all(vault, rows)
}

/// The conversations with a message that people read, the one with the last message first.
pub(crate) async fn overviews(connection: &mut SqliteConnection) -> Result<Vec<Overview>, ClientError> {
    type Row = (Option<Vec<u8>>, Option<Vec<u8>>, i64, i64);
    // Each looks a row or two up, however long a conversation is.
    let rows: Vec<Row> = sqlx::query_as(
        "select peer, group_id, unread, last from (
             select c.peer, c.group_id,
                 (select count(*) from messages m indexed by messages_unread
                     where m.thread = c.key and m.state = 'new' and m.shown = 1) as unread,
                 (select m.id from messages m where m.thread = c.key and m.shown = 1 order by m.id desc limit 1) as last
             from conversations c
         ) where last is not null order by last desc",
    )
    .fetch_all(connection)
    .await?;
    let read = |(peer, group, unread, last): Row| {
        Ok(Overview { conversation: conversations::read(peer, group)?, unread: number(unread)?, last })
    };
    rows.into_iter().map(read).collect()
}

/// How many messages there are that people read.
pub(crate) async fn count(connection: &mut SqliteConnection) -> Result<u64, ClientError> {
    number(sqlx::query_scalar("select count(*) from messages where shown = 1").fetch_one(connection).await?)
}

/// The messages of a conversation with an author and an id, which an author may have given to several.
pub(crate) async fn named(
    connection: &mut SqliteConnection,
    vault: &Vault,
    conversation: Conversation,
    message: MessageRef,
) -> Result<Vec<StoredMessage>, ClientError> {
    let thread = conversations::key(connection, conversation).await?;
    let query =
        format!("{ALL} where message_id = ? and thread = ? and sender = ? and shown = 1 order by {WRITTEN}, id");
    let rows = sqlx::query_as(AssertSqlSafe(query))
        .bind(message.message_id.as_bytes().as_slice())
        .bind(thread)
        .bind(message.box_id.as_bytes().as_slice())
        .fetch_all(connection)
        .await?;
    read_all(vault, rows)
}

/// Which messages are meant by an id.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Among {
    /// Those of this author alone.
    pub(crate) author: Option<BoxId>,
    /// Those of this conversation alone.
    pub(crate) conversation: Option<Conversation>,
}

/// The messages whose ids lie between two, both included, `limit` at most.
pub(crate) async fn between(
    connection: &mut SqliteConnection,
    vault: &Vault,
    (from, to): (MessageId, MessageId),
    among: Among,
    limit: u32,
) -> Result<Vec<StoredMessage>, ClientError> {
    let thread = match among.conversation {
        Some(conversation) => Some(conversations::key(connection, conversation).await?),
        None => None,
    };
    let query = format!(
        "{ALL} where message_id between ?1 and ?2 and shown = 1
             and (?3 is null or sender = ?3) and (?4 is null or thread = ?4)
         order by message_id, id limit ?5"
    );
    let rows = sqlx::query_as(AssertSqlSafe(query))
        .bind(from.as_bytes().as_slice())
        .bind(to.as_bytes().as_slice())
        .bind(among.author.map(|author| author.as_bytes().to_vec()))
        .bind(thread)
        .bind(limit)
        .fetch_all(connection)
        .await?;
    read_all(vault, rows)
}

/// A message was read, and what was said of it.
pub(crate) async fn mark_read(connection: &mut SqliteConnection, id: i64) -> Result<Vec<MessageRef>, ClientError> {
    let rows: Vec<(Vec<u8>, Vec<u8>)> = sqlx::query_as(
        "update messages set state = 'read'
         where state = 'new' and (id = ?1 or id in (
             select about.message from about join messages target
                 on target.thread = about.thread and target.sender = about.author and target.message_id = about.target
             where target.id = ?1
         ))
         returning sender, message_id",
    )
    .bind(id)
    .fetch_all(connection)
    .await?;
    let read = |(author, id): (Vec<u8>, Vec<u8>)| {
        let (box_id, message_id) = (BoxId::from_bytes(fixed(&author)?), MessageId::from_bytes(fixed(&id)?));
        Ok(MessageRef { box_id, message_id })
    };
    rows.into_iter().map(read).collect()
}

/// Takes a message off what people read: it is neither shown nor new any more.
pub(crate) async fn hide(connection: &mut SqliteConnection, id: i64) -> Result<(), ClientError> {
    sqlx::query("update messages set shown = 0, state = 'read' where id = ?").bind(id).execute(connection).await?;
    Ok(())
}

/// Takes all messages of a conversation off what people read, and erases what others' say.
pub(crate) async fn erase_all(
    connection: &mut SqliteConnection,
    vault: &Vault,
    conversation: Conversation,
) -> Result<(), ClientError> {
    let thread = conversations::key(connection, conversation).await?;
    let ids: Vec<i64> = sqlx::query_scalar(
        "select id from messages where thread = ? and not exists (select 1 from outbox where outbox.message = messages.id)",
    )
    .bind(thread)
    .fetch_all(&mut *connection)
    .await?;
    for id in ids {
        hide(connection, id).await?;
        messages::erase(connection, vault, id).await?;
    }
    Ok(())
}

//! How the person stands to others, and which receipts are sent. Of what the own devices say, the latest counts.

use rossby_schemas::ids::{BoxId, MessageId};
use rossby_schemas::time::Timestamp;
use sqlx::SqliteConnection;

use super::{DAMAGED, conversations, fixed, time};
use crate::content::{Kind, MessageRef, PeerState, ReceiptsState, Standing};
use crate::error::ClientError;
use crate::messages::Conversation;

type Row = (Vec<u8>, String, i64, Option<i64>);

fn read((box_id, standing, changed_at, declined_at): Row) -> Result<PeerState, ClientError> {
    Ok(PeerState {
        box_id: BoxId::from_bytes(fixed(&box_id)?),
        standing: Standing::of(&standing).ok_or(DAMAGED)?,
        changed_at: time(changed_at)?,
        declined_at: declined_at.map(time).transpose()?,
    })
}

/// How the person stands to a box. To whom nothing was ever said is a stranger, since the beginning of time.
pub(crate) async fn state(connection: &mut SqliteConnection, box_id: BoxId) -> Result<PeerState, ClientError> {
    let row: Option<Row> =
        sqlx::query_as("select box_id, standing, changed_at, declined_at from peers where box_id = ?")
            .bind(box_id.as_bytes().as_slice())
            .fetch_optional(connection)
            .await?;
    let changed_at = time(0)?;
    let stranger = PeerState { box_id, standing: Standing::Stranger, changed_at, declined_at: None };
    row.map_or(Ok(stranger), read)
}

/// How the person stands to all who are not strangers, or were not.
pub(crate) async fn all(connection: &mut SqliteConnection) -> Result<Vec<PeerState>, ClientError> {
    let rows: Vec<Row> = sqlx::query_as("select box_id, standing, changed_at, declined_at from peers order by box_id")
        .fetch_all(connection)
        .await?;
    rows.into_iter().map(read).collect()
}

/// Takes what was said of a peer, if it is later than what is known; of two things said at one time, the greater.
pub(crate) async fn merge(connection: &mut SqliteConnection, said: PeerState) -> Result<PeerState, ClientError> {
    let known = state(connection, said.box_id).await?;
    let latest = if (known.changed_at, known.standing) < (said.changed_at, said.standing) { said } else { known };
    let merged = PeerState { declined_at: known.declined_at.max(said.declined_at), ..latest };
    sqlx::query(
        "insert into peers (box_id, standing, changed_at, declined_at) values (?, ?, ?, ?)
         on conflict (box_id) do update set standing = excluded.standing, changed_at = excluded.changed_at,
             declined_at = excluded.declined_at",
    )
    .bind(merged.box_id.as_bytes().as_slice())
    .bind(merged.standing.name())
    .bind(merged.changed_at.signed_millis())
    .bind(merged.declined_at.map(Timestamp::signed_millis))
    .execute(connection)
    .await?;
    Ok(merged)
}

/// When the server accepted the last of what a peer wrote and is still there, if there is anything.
pub(crate) async fn last_accepted(
    connection: &mut SqliteConnection,
    peer: BoxId,
) -> Result<Option<Timestamp>, ClientError> {
    let thread = conversations::key(connection, Conversation::Direct(peer)).await?;
    let last: Option<i64> = sqlx::query_scalar(
        "select max(accepted_at) from messages where thread = ? and sender = ? and (shown = 1 or state = 'new')",
    )
    .bind(thread)
    .bind(peer.as_bytes().as_slice())
    .fetch_one(connection)
    .await?;
    last.map(time).transpose()
}

/// What a peer wrote that the server had accepted by then: the numbers of the messages that are still there.
pub(crate) async fn declined(
    connection: &mut SqliteConnection,
    peer: BoxId,
    by: Timestamp,
) -> Result<Vec<i64>, ClientError> {
    let thread = conversations::key(connection, Conversation::Direct(peer)).await?;
    let ids = sqlx::query_scalar(
        "select id from messages where thread = ? and sender = ? and accepted_at <= ? and (shown = 1 or state = 'new')",
    )
    .bind(thread)
    .bind(peer.as_bytes().as_slice())
    .bind(by.signed_millis())
    .fetch_all(connection)
    .await?;
    Ok(ids)
}

/// The last messages that a peer wrote, `limit` at most, and whether they were read.
pub(crate) async fn receiptable(
    connection: &mut SqliteConnection,
    peer: BoxId,
    limit: u32,
) -> Result<Vec<(MessageRef, bool)>, ClientError> {
    let thread = conversations::key(connection, Conversation::Direct(peer)).await?;
    let rows: Vec<(Vec<u8>, bool, u32)> = sqlx::query_as(
        "select message_id, state = 'read', kind from messages where thread = ? and sender = ? and shown = 1
         order by id desc limit ?",
    )
    .bind(thread)
    .bind(peer.as_bytes().as_slice())
    .bind(limit)
    .fetch_all(connection)
    .await?;
    let read = |(id, is_read, _): (Vec<u8>, bool, u32)| {
        Ok((MessageRef { box_id: peer, message_id: MessageId::from_bytes(fixed(&id)?) }, is_read))
    };
    rows.into_iter().filter(|(.., kind)| Kind::of(*kind).is_receipted()).map(read).collect()
}

/// Whether the person has written to a peer.
pub(crate) async fn has_written_to(
    connection: &mut SqliteConnection,
    own: BoxId,
    peer: BoxId,
) -> Result<bool, ClientError> {
    let thread = conversations::key(connection, Conversation::Direct(peer)).await?;
    let found =
        sqlx::query_scalar("select exists (select 1 from messages where thread = ? and sender = ? and shown = 1)")
            .bind(thread)
            .bind(own.as_bytes().as_slice())
            .fetch_one(connection)
            .await?;
    Ok(found)
}

/// Which receipts are sent, and whether others see that the person writes.
pub(crate) async fn receipts(connection: &mut SqliteConnection) -> Result<ReceiptsState, ClientError> {
    let (delivery, read, typing, changed_at): (bool, bool, bool, i64) =
        sqlx::query_as("select delivery_receipts, read_receipts, sends_typing, receipts_changed_at from preferences")
            .fetch_one(connection)
            .await?;
    Ok(ReceiptsState { delivery, read, typing, changed_at: time(changed_at)? })
}

/// Takes what was said of receipts, if it is later than what is known; of two things said at one time, the one that sends less.
pub(crate) async fn merge_receipts(connection: &mut SqliteConnection, said: ReceiptsState) -> Result<(), ClientError> {
    let known = receipts(connection).await?;
    let rank = |state: ReceiptsState| (state.changed_at, !state.delivery, !state.read, !state.typing);
    if rank(said) > rank(known) {
        sqlx::query(
            "update preferences set delivery_receipts = ?, read_receipts = ?, sends_typing = ?, receipts_changed_at = ?",
        )
        .bind(said.delivery)
        .bind(said.read)
        .bind(said.typing)
        .bind(said.changed_at.signed_millis())
        .execute(connection)
        .await?;
    }
    Ok(())
}

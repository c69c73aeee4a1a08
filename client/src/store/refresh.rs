//! Which records are asked for again, and when.

use rossby_schemas::ids::BoxId;
use rossby_schemas::time::Timestamp;
use sqlx::SqliteConnection;

use super::{fixed, time};
use crate::error::ClientError;

/// When the next batch is due; none before the first.
pub(crate) async fn next_at(connection: &mut SqliteConnection) -> Result<Option<Timestamp>, ClientError> {
    let found: Option<i64> = sqlx::query_scalar("select next_at from refresh").fetch_one(connection).await?;
    found.map(time).transpose()
}

/// Sets when the next batch is due, if nobody else has in between.
pub(crate) async fn set_next_at(
    connection: &mut SqliteConnection,
    before: Option<Timestamp>,
    next: Timestamp,
) -> Result<bool, ClientError> {
    let set = sqlx::query("update refresh set next_at = ? where next_at is ?")
        .bind(next.signed_millis())
        .bind(before.map(Timestamp::signed_millis))
        .execute(connection)
        .await?;
    Ok(set.rows_affected() == 1)
}

/// Accepted and verified boxes of which nothing was asked since then, `limit` at most, the longest ago first.
pub(crate) async fn due(
    connection: &mut SqliteConnection,
    (asked_before, now): (Timestamp, Timestamp),
    limit: u32,
) -> Result<Vec<BoxId>, ClientError> {
    let boxes: Vec<Vec<u8>> = sqlx::query_scalar(
        "with asked as (
             select known.box_id, max(coalesce(looked_up_at, 0), coalesce(asked_at, 0)) as at from (
                 select box_id from peers where standing = 'accepted'
                 union select box_id from verified where is_verified = 1
             ) known left join contacts on contacts.box_id = known.box_id
         )
         select box_id from asked where at < ? or at > ? order by at, box_id limit ?",
    )
    .bind(asked_before.signed_millis())
    // By a clock that was ahead.
    .bind(now.signed_millis())
    .bind(limit)
    .fetch_all(connection)
    .await?;
    boxes.iter().map(|box_id| fixed(box_id).map(BoxId::from_bytes)).collect()
}

/// A box was asked for.
pub(crate) async fn asked(connection: &mut SqliteConnection, box_id: BoxId, now: Timestamp) -> Result<(), ClientError> {
    sqlx::query(
        "insert into contacts (box_id, asked_at) values (?, ?)
         on conflict (box_id) do update set asked_at = excluded.asked_at",
    )
    .bind(box_id.as_bytes().as_slice())
    .bind(now.signed_millis())
    .execute(connection)
    .await?;
    Ok(())
}

//! Whom the person has verified. Of what the own devices say, the latest counts.

use rossby_schemas::ids::{BoxId, Head};
use sqlx::SqliteConnection;

use super::{digest, fixed, time};
use crate::content::Mark;
use crate::error::ClientError;

type Row = (Vec<u8>, bool, u32, Vec<u8>, i64);

fn read((box_id, is_verified, version, hash, changed_at): Row) -> Result<Mark, ClientError> {
    Ok(Mark {
        box_id: BoxId::from_bytes(fixed(&box_id)?),
        is_verified,
        head: Head { version, hash: digest(&hash)? },
        changed_at: time(changed_at)?,
    })
}

/// What was said last of a box, if anything was.
pub(crate) async fn mark(connection: &mut SqliteConnection, box_id: BoxId) -> Result<Option<Mark>, ClientError> {
    let row: Option<Row> =
        sqlx::query_as("select box_id, is_verified, version, hash, changed_at from verified where box_id = ?")
            .bind(box_id.as_bytes().as_slice())
            .fetch_optional(connection)
            .await?;
    row.map(read).transpose()
}

/// What was said last of every box of which anything was.
pub(crate) async fn all(connection: &mut SqliteConnection) -> Result<Vec<Mark>, ClientError> {
    let rows: Vec<Row> =
        sqlx::query_as("select box_id, is_verified, version, hash, changed_at from verified order by box_id")
            .fetch_all(connection)
            .await?;
    rows.into_iter().map(read).collect()
}

/// Takes what was said of a box, if it is later than what is known; of two things said at one time, that it isn't verified. The
/// devices of the record at that head are known to the person.
pub(crate) async fn merge(connection: &mut SqliteConnection, said: Mark) -> Result<(), ClientError> {
    let rank = |mark: Mark| (mark.changed_at, !mark.is_verified, mark.head.version);
    if mark(connection, said.box_id).await?.is_some_and(|known| rank(known) >= rank(said)) {
        return Ok(());
    }
    sqlx::query(
        "insert into verified (box_id, is_verified, version, hash, changed_at, told_version) values (?1, ?2, ?3, ?4, ?5, ?3)
         on conflict (box_id) do update set is_verified = excluded.is_verified, version = excluded.version,
             hash = excluded.hash, changed_at = excluded.changed_at, told_version = excluded.told_version",
    )
    .bind(said.box_id.as_bytes().as_slice())
    .bind(said.is_verified)
    .bind(said.head.version)
    .bind(said.head.hash.as_slice())
    .bind(said.changed_at.signed_millis())
    .execute(connection)
    .await?;
    Ok(())
}

/// The version of a verified box's record of whose devices the person was told.
pub(crate) async fn told_version(connection: &mut SqliteConnection, box_id: BoxId) -> Result<u32, ClientError> {
    let found: Option<u32> = sqlx::query_scalar("select told_version from verified where box_id = ?")
        .bind(box_id.as_bytes().as_slice())
        .fetch_optional(connection)
        .await?;
    Ok(found.unwrap_or_default())
}

pub(crate) async fn set_told_version(
    connection: &mut SqliteConnection,
    box_id: BoxId,
    version: u32,
) -> Result<(), ClientError> {
    sqlx::query("update verified set told_version = ?2 where box_id = ?1 and told_version < ?2")
        .bind(box_id.as_bytes().as_slice())
        .bind(version)
        .execute(connection)
        .await?;
    Ok(())
}

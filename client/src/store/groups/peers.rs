//! When members were spoken to about what is missing, and what shows that one told others something else.

use rossby_crypto::group::GroupId;
use rossby_schemas::ids::BoxId;
use rossby_schemas::time::Timestamp;
use sqlx::{AssertSqlSafe, SqliteConnection};

use crate::error::ClientError;
use crate::store::time;
use crate::vault::Vault;

/// How much evidence of one member in a group is kept: the first of it says it all.
const MAX_EVIDENCE: u32 = 8;

/// What a member was spoken to about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Spoken {
    /// It was asked for what is missing here.
    Asked,
    /// It was told what was missing there.
    Told,
}

impl Spoken {
    const fn column(self) -> &'static str {
        match self {
            Self::Asked => "asked_at",
            Self::Told => "told_at",
        }
    }
}

/// Whether a member was not spoken to since then.
pub(crate) async fn may_speak(
    connection: &mut SqliteConnection,
    id: GroupId,
    to: BoxId,
    spoken: Spoken,
    since: Timestamp,
) -> Result<bool, ClientError> {
    let query = format!("select {} from group_peers where group_id = ? and box_id = ?", spoken.column());
    let at: Option<Option<i64>> = sqlx::query_scalar(AssertSqlSafe(query))
        .bind(id.as_bytes().as_slice())
        .bind(to.as_bytes().as_slice())
        .fetch_optional(connection)
        .await?;
    Ok(at.flatten().map(time).transpose()?.is_none_or(|at| at < since))
}

/// A member was spoken to.
pub(crate) async fn spoke(
    connection: &mut SqliteConnection,
    id: GroupId,
    to: BoxId,
    spoken: Spoken,
    now: Timestamp,
) -> Result<(), ClientError> {
    let column = spoken.column();
    let query = format!(
        "insert into group_peers (group_id, box_id, {column}) values (?, ?, ?)
         on conflict (group_id, box_id) do update set {column} = excluded.{column}"
    );
    sqlx::query(AssertSqlSafe(query))
        .bind(id.as_bytes().as_slice())
        .bind(to.as_bytes().as_slice())
        .bind(now.signed_millis())
        .execute(connection)
        .await?;
    Ok(())
}

/// Keeps what shows that a member told others something else than this box: signed messages.
pub(crate) async fn keep_evidence(
    connection: &mut SqliteConnection,
    vault: &Vault,
    id: GroupId,
    member: BoxId,
    evidence: &[&[u8]],
    now: Timestamp,
) -> Result<(), ClientError> {
    sqlx::query(
        "insert into group_evidence (group_id, box_id, seen_at, evidence) select ?1, ?2, ?3, ?4
         where (select count(*) from group_evidence where group_id = ?1 and box_id = ?2) < ?5",
    )
    .bind(id.as_bytes().as_slice())
    .bind(member.as_bytes().as_slice())
    .bind(now.signed_millis())
    .bind(vault.seal(&format!("group evidence {id} {member}"), &evidence.concat()))
    .bind(MAX_EVIDENCE)
    .execute(connection)
    .await?;
    Ok(())
}

/// How much evidence is kept.
#[cfg(test)]
pub(crate) async fn evidence_count(connection: &mut SqliteConnection) -> Result<i64, ClientError> {
    Ok(sqlx::query_scalar("select count(*) from group_evidence").fetch_one(connection).await?)
}

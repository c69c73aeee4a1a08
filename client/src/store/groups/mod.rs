//! Groups: their changes, how the person stands to them, and what is kept of their messages.

mod chains;
mod changes;
mod messages;
mod peers;
mod waiting;

pub(crate) use chains::{
    Missing, forget_missing, frontier, keep_missing, missing_at, note_message, note_reference, told_missing,
    unnote_reference, untold_missing,
};
pub(crate) use changes::{
    GroupVersion, add_change, changes, count, declined_with_changes, erase_changes, joined_with_waiting_changes,
    put_off, put_off_of, set_version, unanswered_octets, version, waits, waits_no_more,
};
pub(crate) use messages::{Frame, FrameRow, chain_heads, erase_old_signatures, frame, keep_frame, signed_at};
#[cfg(test)]
pub(crate) use peers::evidence_count;
pub(crate) use peers::{Spoken, keep_evidence, may_speak, spoke};
use rossby_crypto::group::GroupId;
use rossby_schemas::encoding::Sha256Digest;
use rossby_schemas::time::Timestamp;
use sqlx::SqliteConnection;
use uuid::Uuid;
pub(crate) use waiting::{
    Waiting, forget_declined_waiting, forget_waiting_of, keep_waiting, take_waiting, tell_waiting, waiting_for_changes,
};

use super::{DAMAGED, digest, fixed, time};
use crate::error::ClientError;

/// How the person stands to a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum GroupStanding {
    /// This box was never among its members, as far as is known.
    Unknown,
    /// Somebody has added this box whom the person has not accepted.
    Requested,
    /// The person takes part.
    Joined,
    /// The person has declined to.
    Declined,
}

impl GroupStanding {
    const ALL: [Self; 4] = [Self::Unknown, Self::Requested, Self::Joined, Self::Declined];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Requested => "requested",
            Self::Joined => "joined",
            Self::Declined => "declined",
        }
    }

    pub(crate) fn of(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|standing| standing.name() == name)
    }
}

/// A group, but for its changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct GroupRow {
    pub(crate) id: GroupId,
    pub(crate) standing: GroupStanding,
    /// The change by which this box is a member, for which the standing was decided.
    pub(crate) member_by: Option<Sha256Digest>,
    pub(crate) decided_at: Timestamp,
    /// The version of the own key record that was affirmed last.
    pub(crate) affirmed: u32,
}

type Row = (Vec<u8>, String, Option<Vec<u8>>, i64, u32);

const ROW: &str = "group_id, standing, member_by, decided_at, affirmed";

fn read((id, standing, member_by, decided_at, affirmed): Row) -> Result<GroupRow, ClientError> {
    Ok(GroupRow {
        id: GroupId(Uuid::from_bytes(fixed(&id)?)),
        standing: GroupStanding::of(&standing).ok_or(DAMAGED)?,
        member_by: member_by.as_deref().map(digest).transpose()?,
        decided_at: time(decided_at)?,
        affirmed,
    })
}

/// A group, if anything was heard of it.
pub(crate) async fn group(connection: &mut SqliteConnection, id: GroupId) -> Result<Option<GroupRow>, ClientError> {
    let query = sqlx::AssertSqlSafe(format!("select {ROW} from groups where group_id = ?"));
    let row: Option<Row> = sqlx::query_as(query).bind(id.as_bytes().as_slice()).fetch_optional(connection).await?;
    row.map(read).transpose()
}

/// Every group that this box was ever a member of.
pub(crate) async fn all(connection: &mut SqliteConnection) -> Result<Vec<GroupRow>, ClientError> {
    let query = sqlx::AssertSqlSafe(format!(
        "select {ROW} from groups where standing <> 'unknown' order by heard_at, group_id"
    ));
    let rows: Vec<Row> = sqlx::query_as(query).fetch_all(connection).await?;
    rows.into_iter().map(read).collect()
}

/// How many groups are in this standing.
pub(crate) async fn count_of(connection: &mut SqliteConnection, standing: GroupStanding) -> Result<u32, ClientError> {
    let query = "select count(*) from groups where standing = ?";
    Ok(sqlx::query_scalar(query).bind(standing.name()).fetch_one(connection).await?)
}

/// Something was heard of a group.
pub(crate) async fn hear(connection: &mut SqliteConnection, id: GroupId, now: Timestamp) -> Result<(), ClientError> {
    sqlx::query(
        "insert into groups (group_id, standing, decided_at, heard_at) values (?1, 'unknown', 0, ?2) on conflict do nothing",
    )
    .bind(id.as_bytes().as_slice())
    .bind(now.signed_millis())
    .execute(connection)
    .await?;
    Ok(())
}

/// Forgets groups of which only something was heard, before this.
pub(crate) async fn forget_unknown(connection: &mut SqliteConnection, before: Timestamp) -> Result<(), ClientError> {
    sqlx::query("delete from groups where standing = 'unknown' and heard_at < ?")
        .bind(before.signed_millis())
        .execute(connection)
        .await?;
    Ok(())
}

/// How the person stands to a group, as a member by this change.
pub(crate) async fn stand(
    connection: &mut SqliteConnection,
    id: GroupId,
    standing: GroupStanding,
    member_by: Sha256Digest,
    at: Timestamp,
) -> Result<(), ClientError> {
    sqlx::query("update groups set standing = ?, member_by = ?, decided_at = ? where group_id = ?")
        .bind(standing.name())
        .bind(member_by.as_slice())
        .bind(at.signed_millis())
        .bind(id.as_bytes().as_slice())
        .execute(connection)
        .await?;
    Ok(())
}

/// This version of the own key record was affirmed to a group.
pub(crate) async fn affirmed(connection: &mut SqliteConnection, id: GroupId, version: u32) -> Result<(), ClientError> {
    sqlx::query("update groups set affirmed = max(affirmed, ?) where group_id = ?")
        .bind(version)
        .bind(id.as_bytes().as_slice())
        .execute(connection)
        .await?;
    Ok(())
}

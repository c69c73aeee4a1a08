//! Removing records that have been kept long enough.

use rossby_schemas::time::Timestamp;
use sqlx::SqliteConnection;

use super::writer::Writer;
use super::{SqliteLog, database};
use crate::error::LogError;
use crate::port::Offset;

/// So many records are removed in one transaction, so that appends are not held up.
const CHUNK: i64 = 1_000;

/// What a sweep removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Swept {
    /// How many records.
    pub records: u64,
}

/// Up to where a partition is to be removed.
#[derive(Debug, Clone, Copy)]
pub(super) enum Before {
    /// Records with lower offsets.
    Offset(Offset),
    /// Records before the first one that was appended at this time or later.
    Time(Timestamp),
}

impl SqliteLog {
    /// Removes the records of each topic that are older than its retention, by the log's clock. Their offsets are never
    /// used again. To be called now and then; appends go on meanwhile.
    ///
    /// # Errors
    /// The log was opened for reading only, is closed, or its file can't be written.
    pub async fn sweep(&self) -> Result<Swept, LogError> {
        let slots: Vec<(i64, i64)> = sqlx::query_as(
            "select slot, retention_millis from partitions join topics on topics.name = partitions.topic \
             where retention_millis is not null",
        )
        .fetch_all(&self.readers)
        .await
        .map_err(database::unavailable)?;
        let mut swept = Swept::default();
        for (slot, retention) in slots {
            let kept = std::time::Duration::from_millis(u64::try_from(retention).unwrap_or(0));
            let before = Before::Time(self.clock.now().minus(kept));
            swept.records += remove(self.writer()?, slot, before).await?;
        }
        Ok(swept)
    }
}

/// Removes the beginning of a partition, a chunk at a time. Gives how many records went.
pub(super) async fn remove(writer: &Writer, slot: i64, before: Before) -> Result<u64, LogError> {
    let mut removed = 0;
    loop {
        let chunk = writer.change(move |connection| Box::pin(remove_chunk(connection, slot, before))).await?;
        removed += chunk.unsigned_abs();
        if chunk < CHUNK {
            return Ok(removed);
        }
    }
}

/// Partitions have no holes, so the records removed are as many as the start has moved.
async fn remove_chunk(connection: &mut SqliteConnection, slot: i64, before: Before) -> Result<i64, sqlx::Error> {
    let row: Option<(i64, i64)> = sqlx::query_as("select start_offset, next_offset from partitions where slot = ?")
        .bind(slot)
        .fetch_optional(&mut *connection)
        .await?;
    let Some((start, next)) = row else { return Ok(0) };
    let furthest = next.min(start.saturating_add(CHUNK));
    let end = match before {
        Before::Offset(offset) => i64::try_from(offset).unwrap_or(i64::MAX).clamp(start, furthest),
        Before::Time(time) => {
            let first_kept: Option<i64> = sqlx::query_scalar(
                "select offset from records where slot = ? and offset < ? and appended_at >= ? order by offset limit 1",
            )
            .bind(slot)
            .bind(furthest)
            .bind(time.signed_millis())
            .fetch_optional(&mut *connection)
            .await?;
            first_kept.unwrap_or(furthest)
        }
    };
    if end > start {
        sqlx::query("delete from records where slot = ? and offset < ?")
            .bind(slot)
            .bind(end)
            .execute(&mut *connection)
            .await?;
        sqlx::query("update partitions set start_offset = ? where slot = ?")
            .bind(end)
            .bind(slot)
            .execute(connection)
            .await?;
    }
    Ok(end - start)
}

//! Readers: committed records in order, from connections that can't write.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::TryStreamExt;
use rossby_schemas::time::Timestamp;
use rossby_schemas::topic::TopicName;
use sqlx::SqlitePool;
use tokio::sync::watch;

use super::topics::{Partition, Topics};
use super::{database, headers};
use crate::error::{LogError, ReadError};
use crate::metrics;
use crate::port::{Batch, BatchLimit, Bounds, LogRecord, Offset, PartitionReader, StoredRecord};

/// How often a process that does not write looks whether another one has.
const WATCH: Duration = Duration::from_secs(1);

/// A reader of one partition.
#[derive(Debug)]
pub(super) struct SqliteReader {
    readers: SqlitePool,
    topic: TopicName,
    slot: i64,
    wake: watch::Receiver<()>,
    position: Offset,
    /// Whether the caller knows already that it has caught up.
    told: bool,
}

/// The partition's bounds, then a record's columns, all of them null when there is none.
type Row = (i64, i64, Option<i64>, Option<i64>, Option<Vec<u8>>, Option<Vec<u8>>, Option<Vec<u8>>);

impl SqliteReader {
    pub(super) fn new(readers: SqlitePool, topic: TopicName, partition: Partition, from: Offset) -> Self {
        let wake = partition.wake.subscribe();
        Self { readers, topic, slot: partition.slot, wake, position: from, told: false }
    }

    /// What is there now, without waiting. The bounds and the records come from one statement, and so from one state of
    /// the file.
    async fn fetch(&self, limit: BatchLimit) -> Result<Batch, ReadError> {
        let most = i64::try_from(limit.records.max(1)).unwrap_or(i64::MAX);
        let mut rows = sqlx::query_as::<_, Row>(
            "select start_offset, next_offset, offset, appended_at, key, headers, value from partitions \
             left join records on records.slot = partitions.slot and records.offset >= ? \
             where partitions.slot = ? order by records.offset limit ?",
        )
        .bind(i64::try_from(self.position).unwrap_or(i64::MAX))
        .bind(self.slot)
        .bind(most)
        .fetch(&self.readers);
        let (mut records, mut bytes) = (Vec::new(), 0);
        let (mut found, mut next_offset) = (None, self.position);
        while let Some(row) = rows.try_next().await.map_err(database::unavailable)? {
            let bounds = Bounds { start: row.0.unsigned_abs(), end: row.1.unsigned_abs() };
            found = Some(bounds);
            if self.position < bounds.start || self.position > bounds.end {
                return Err(ReadError::OutOfRange { from: self.position, bounds });
            }
            let Some(record) = stored(row)? else { break };
            if record.offset != next_offset {
                return Err(damaged(format!("{} has lost offsets {next_offset} to {}", self.topic, record.offset - 1)));
            }
            bytes += record.record.size();
            if bytes > limit.bytes && !records.is_empty() {
                break;
            }
            next_offset += 1;
            records.push(record);
        }
        let bounds = found.ok_or_else(|| LogError::NoSuchTopic(self.topic.clone()))?;
        if records.is_empty() && next_offset < bounds.end {
            return Err(damaged(format!("{} has lost offsets {next_offset} to {}", self.topic, bounds.end - 1)));
        }
        Ok(Batch { records, next_offset, caught_up: next_offset == bounds.end })
    }
}

#[async_trait]
impl PartitionReader for SqliteReader {
    async fn next(&mut self, limit: BatchLimit) -> Result<Batch, ReadError> {
        let mut empty_handed = 0;
        loop {
            // Seen before the query, so that what is written after it wakes.
            self.wake.borrow_and_update();
            let batch = self.fetch(limit).await?;
            if !batch.records.is_empty() || (batch.caught_up && !self.told) {
                // Nothing is awaited from here on: either the caller has the batch, or the position has not moved.
                self.position = batch.next_offset;
                self.told = batch.caught_up;
                metrics::read(&self.topic, &batch);
                return Ok(batch);
            }
            if !batch.caught_up {
                // Written between the two queries, and there for the next round; else it will never be.
                empty_handed += 1;
                if empty_handed > 3 {
                    return Err(damaged(format!("{} has lost what follows offset {}", self.topic, self.position)));
                }
            } else if self.wake.changed().await.is_err() {
                return Err(LogError::NoSuchTopic(self.topic.clone()).into());
            }
        }
    }
}

/// A partition's bounds; none when it is gone.
pub(super) async fn bounds(readers: &SqlitePool, slot: i64) -> Result<Option<Bounds>, LogError> {
    let row: Option<(i64, i64)> = sqlx::query_as("select start_offset, next_offset from partitions where slot = ?")
        .bind(slot)
        .fetch_optional(readers)
        .await
        .map_err(database::unavailable)?;
    Ok(row.map(|(start, end)| Bounds { start: start.unsigned_abs(), end: end.unsigned_abs() }))
}

/// The record of a row, if it has one.
fn stored((_, _, offset, appended_at, key, headers, value): Row) -> Result<Option<StoredRecord>, ReadError> {
    let Some(offset) = offset else { return Ok(None) };
    let appended_at = appended_at.and_then(|millis| Timestamp::from_millis(u64::try_from(millis).ok()?).ok());
    let headers = headers.and_then(headers::decode);
    match (u64::try_from(offset), appended_at, headers) {
        (Ok(offset), Some(appended_at), Some(headers)) => Ok(Some(StoredRecord {
            offset,
            appended_at,
            record: LogRecord { key: key.map(Bytes::from), headers, value: value.map(Bytes::from) },
        })),
        _ => Err(damaged(format!("the record at offset {offset} can't be read"))),
    }
}

fn damaged(what: String) -> ReadError {
    LogError::Failed(format!("the log's file is damaged: {what}")).into()
}

/// Wakes all readers whenever another process has changed the file.
pub(super) async fn watch_other_process(readers: SqlitePool, topics: Topics) {
    let mut seen = None;
    let mut ticks = tokio::time::interval(WATCH);
    loop {
        ticks.tick().await;
        match newest(&readers).await {
            Ok(newest) if seen != Some(newest) => {
                if let Err(error) = topics.load(&readers).await {
                    tracing::warn!(%error, "the log's topics can't be read");
                    continue;
                }
                seen = Some(newest);
                topics.wake_all();
            }
            Ok(_) => {}
            Err(LogError::Closed) => return,
            Err(error) => tracing::warn!(%error, "the log can't be read"),
        }
    }
}

/// A figure that is another after every append, truncation, and making or removing of a topic.
async fn newest(readers: &SqlitePool) -> Result<(i64, i64, i64), LogError> {
    sqlx::query_as(
        "select coalesce(sum(next_offset), 0), coalesce(sum(start_offset), 0), coalesce(max(slot), 0) from partitions",
    )
    .fetch_one(readers)
    .await
    .map_err(database::unavailable)
}

//! Bringing a log back from elsewhere: records keep their offsets and times.

use rossby_schemas::topic::TopicName;
use sqlx::SqliteConnection;

use super::{SqliteLog, headers};
use crate::error::LogError;
use crate::port::{Offset, StoredRecord};

impl SqliteLog {
    /// Writes records of a partition at their own offsets, with their own times: after those that were restored before without a
    /// hole, or as the first ones into a partition in which nothing was ever written, which then begins at the first's offset.
    ///
    /// # Errors
    /// [`LogError::Failed`] when they don't follow what is there, and nothing was written then; no such topic or partition; the log
    /// can't be written.
    pub async fn restore(&self, topic: &TopicName, partition: u32, records: Vec<StoredRecord>) -> Result<(), LogError> {
        let place = self.partition(topic, partition)?;
        let Some(first) = records.first().map(|record| record.offset) else { return Ok(()) };
        if let Some((record, _)) = records.iter().zip(first..).find(|(record, offset)| record.offset != *offset) {
            return Err(LogError::Failed(format!("there is a hole before offset {}", record.offset)));
        }
        for record in &records {
            record
                .record
                .check_size()
                .map_err(|error| LogError::Failed(format!("offset {}: {error}", record.offset)))?;
        }
        let write = self.writer()?.change(move |connection| Box::pin(write(connection, place.slot, first, records)));
        match write.await? {
            0 => Ok(()),
            _ => Err(LogError::Failed(format!("offset {first} does not follow what {topic}/{partition} holds"))),
        }
    }
}

/// Gives 1 if the records don't follow what is there.
async fn write(
    connection: &mut SqliteConnection,
    slot: i64,
    first: Offset,
    records: Vec<StoredRecord>,
) -> Result<i64, sqlx::Error> {
    let (first, count) = (signed(first), signed(records.len() as u64));
    let moved = sqlx::query(
        "update partitions set next_offset = ?2 + ?3, start_offset = case when next_offset = 0 then ?2 else start_offset end \
         where slot = ?1 and next_offset in (0, ?2)",
    )
    .bind(slot)
    .bind(first)
    .bind(count)
    .execute(&mut *connection)
    .await?;
    if moved.rows_affected() == 0 {
        return Ok(1);
    }
    for stored in records {
        let insert = "insert into records (slot, offset, appended_at, key, headers, value) values (?, ?, ?, ?, ?, ?)";
        sqlx::query(insert)
            .bind(slot)
            .bind(signed(stored.offset))
            .bind(stored.appended_at.signed_millis())
            .bind(stored.record.key.as_deref())
            .bind(headers::encode(&stored.record.headers))
            .bind(stored.record.value.as_deref())
            .execute(&mut *connection)
            .await?;
    }
    Ok(0)
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

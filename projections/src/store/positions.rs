//! Where each projection stands in each partition, and the records that it could not apply.

use bytes::Bytes;
use rossby_log::Offset;
use rossby_schemas::encoding::Sha256Digest;
use rossby_schemas::envelope::Header;
use rossby_schemas::time::Timestamp;
use rossby_schemas::topic::TopicName;
use sqlx::any::AnyRow;

use super::row::{Columns as _, signed};
use super::{Store, StoreError, Tx};
use crate::projection::Projection;

/// The query for all positions.
pub(super) const POSITIONS: &str =
    "select projection, topic, partition, next_offset from positions order by projection, topic, partition";
/// How many quarantined records are held in memory at once.
const QUARANTINE_PAGE: i64 = 50;

/// Which record a projection applied last, by which a topic made anew is recognised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LastRecord {
    pub(crate) offset: Offset,
    /// SHA-256 over the record.
    pub(crate) hash: Sha256Digest,
}

/// Where a projection stands in a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Position {
    /// The offset that it applies next.
    pub(crate) next_offset: Offset,
    pub(crate) last: Option<LastRecord>,
}

/// A row of all positions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PositionRow {
    /// The projection, by its name.
    pub projection: String,
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: u32,
    /// The offset that it applies next.
    pub next_offset: Offset,
}

/// A record that can't be applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Quarantined {
    pub(crate) offset: Offset,
    pub(crate) appended_at: Timestamp,
    pub(crate) event_type: String,
    pub(crate) reason: String,
    pub(crate) headers: Vec<Header>,
    pub(crate) value: Option<Bytes>,
}

impl Store {
    pub(crate) async fn position(
        &self,
        projection: Projection,
        topic: &TopicName,
        partition: u32,
    ) -> Result<Option<Position>, StoreError> {
        let row = sqlx::query(
            "select next_offset, last_offset, last_record from positions \
             where projection = $1 and topic = $2 and partition = $3",
        )
        .bind(projection.name())
        .bind(topic.to_string())
        .bind(i64::from(partition))
        .fetch_optional(&self.pool)
        .await?;
        row.map(|row| {
            let last = match row.maybe_number(1)? {
                Some(offset) => Some(LastRecord { offset, hash: row.fixed(2)? }),
                None => None,
            };
            Ok(Position { next_offset: row.number(0)?, last })
        })
        .transpose()
    }

    pub(crate) async fn positions(&self) -> Result<Vec<PositionRow>, StoreError> {
        let rows = sqlx::query(POSITIONS).fetch_all(&self.pool).await?;
        rows.iter().map(position_row).collect()
    }

    /// How many records lie in quarantine.
    pub(crate) async fn quarantined(&self) -> Result<u64, StoreError> {
        sqlx::query("select count(*) from quarantine").fetch_one(&self.pool).await?.number(0)
    }

    /// The quarantined records of a partition from an offset on, in order, some at a time.
    pub(crate) async fn quarantine(
        &self,
        projection: Projection,
        topic: &TopicName,
        partition: u32,
        from: Offset,
    ) -> Result<Vec<Quarantined>, StoreError> {
        let rows = sqlx::query(
            "select record_offset, event_type, reason, headers, value, appended_at from quarantine \
             where projection = $1 and topic = $2 and partition = $3 and record_offset >= $4 \
             order by record_offset limit $5",
        )
        .bind(projection.name())
        .bind(topic.to_string())
        .bind(i64::from(partition))
        .bind(signed(from))
        .bind(QUARANTINE_PAGE)
        .fetch_all(&self.pool)
        .await?;
        rows.iter()
            .map(|row| {
                Ok(Quarantined {
                    offset: row.number(0)?,
                    event_type: row.text(1)?,
                    reason: row.text(2)?,
                    headers: read_headers(row.octets(3)?.as_slice()).unwrap_or_default(),
                    value: row.maybe_octets(4)?.map(|value| value.0),
                    appended_at: row.time(5)?,
                })
            })
            .collect()
    }
}

impl Tx {
    /// Moves a partition's position by compare-and-set: only from where this projector knows it.
    pub(crate) async fn move_position(
        &mut self,
        projection: Projection,
        topic: &TopicName,
        partition: u32,
        from: Option<Offset>,
        to: Position,
    ) -> Result<(), StoreError> {
        let query = match from {
            None => sqlx::query(
                "insert into positions (projection, topic, partition, next_offset, last_offset, last_record) \
                 values ($1, $2, $3, $4, $5, $6) on conflict do nothing",
            ),
            // A batch may tell no record: what was applied last stays.
            Some(_) => sqlx::query(
                "update positions set next_offset = $4, last_offset = coalesce($5, last_offset), \
                 last_record = coalesce($6, last_record) \
                 where projection = $1 and topic = $2 and partition = $3 and next_offset = $7",
            ),
        };
        let query = query
            .bind(projection.name())
            .bind(topic.to_string())
            .bind(i64::from(partition))
            .bind(signed(to.next_offset))
            .bind(to.last.map(|last| signed(last.offset)))
            .bind(to.last.map(|last| last.hash.as_slice().to_vec()));
        let query = match from {
            None => query,
            Some(from) => query.bind(signed(from)),
        };
        let moved = query.execute(&mut *self.inner).await?.rows_affected();
        if moved == 1 { Ok(()) } else { Err(StoreError::Moved) }
    }

    /// Puts a record aside.
    pub(crate) async fn put_aside(
        &mut self,
        projection: Projection,
        topic: &TopicName,
        partition: u32,
        record: &Quarantined,
    ) -> Result<(), StoreError> {
        sqlx::query(
            "insert into quarantine \
             (projection, topic, partition, record_offset, event_type, reason, headers, value, appended_at) \
             values ($1, $2, $3, $4, $5, $6, $7, $8, $9) on conflict do nothing",
        )
        .bind(projection.name())
        .bind(topic.to_string())
        .bind(i64::from(partition))
        .bind(signed(record.offset))
        .bind(printable(&record.event_type))
        .bind(printable(&record.reason))
        .bind(write_headers(&record.headers))
        .bind(record.value.as_ref().map(|value| value.to_vec()))
        .bind(record.appended_at.signed_millis())
        .execute(&mut *self.inner)
        .await?;
        Ok(())
    }

    /// Takes a record out of quarantine.
    pub(crate) async fn take_back(
        &mut self,
        projection: Projection,
        topic: &TopicName,
        partition: u32,
        offset: Offset,
    ) -> Result<(), StoreError> {
        sqlx::query(
            "delete from quarantine where projection = $1 and topic = $2 and partition = $3 and record_offset = $4",
        )
        .bind(projection.name())
        .bind(topic.to_string())
        .bind(i64::from(partition))
        .bind(signed(offset))
        .execute(&mut *self.inner)
        .await?;
        Ok(())
    }
}

/// A row of projection, topic, partition and next offset.
pub(super) fn position_row(row: &AnyRow) -> Result<PositionRow, StoreError> {
    Ok(PositionRow {
        projection: row.text(0)?,
        topic: row.text(1)?,
        partition: row.small(2)?,
        next_offset: row.number(3)?,
    })
}

/// PostgreSQL's texts hold no NUL. The headers are kept as they came.
fn printable(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}

/// Each header as two fields of variable length.
fn write_headers(headers: &[Header]) -> Vec<u8> {
    let mut writer = rossby_crypto::layout::Writer::new();
    writer.count(headers.len());
    for (name, value) in headers {
        writer.variable(name.as_bytes()).variable(value);
    }
    writer.finish()
}

fn read_headers(octets: &[u8]) -> Result<Vec<Header>, rossby_crypto::layout::LayoutError> {
    let limit = octets.len();
    let mut reader = rossby_crypto::layout::Reader::new(octets, limit)?;
    let count = reader.count(limit)?;
    (0..count)
        .map(|_| {
            let name = reader.text(limit, "name")?.to_owned();
            Ok((name, Bytes::copy_from_slice(reader.variable(limit)?)))
        })
        .collect()
}

//! The tables of the projection `history`.

use rossby_crypto::history::data_hash;
use rossby_schemas::encoding::{Octets, Sha256Digest};
use rossby_schemas::envelope::Envelope;
use rossby_schemas::http::history::HistoryEntry;
use rossby_schemas::ids::{BoxId, DeviceId, EventId, RegionNumber};
use rossby_schemas::topic::Topic;
use sqlx::any::AnyRow;

use super::row::{Columns as _, signed, unreadable};
use super::{Store, StoreError, Tx};

/// What an event does to whose an identifier is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ownership {
    /// Nothing.
    Same,
    /// The box has it from now on.
    Gained,
    /// The box has it no more.
    Lost,
}

impl Ownership {
    const fn number(self) -> i64 {
        match self {
            Self::Same => 0,
            Self::Gained => 1,
            Self::Lost => 2,
        }
    }
}

/// An event, as it is kept for one box.
pub(crate) struct HistoryRow<'a> {
    pub(crate) box_id: BoxId,
    pub(crate) topic: Topic,
    pub(crate) envelope: &'a Envelope,
    /// The version that it gave its stream.
    pub(crate) version: u64,
    pub(crate) device_id: Option<DeviceId>,
    pub(crate) ownership: Ownership,
    /// Whether its data is kept, or its hash alone.
    pub(crate) is_whole: bool,
}

/// A part of a box's history to be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryPage {
    /// What comes after this topic, stream and version; none for the first page.
    pub after: Option<(Topic, String, u64)>,
    /// How many entries at most.
    pub limit: u32,
    /// How many octets of data, about; one entry is given however long it is.
    pub max_octets: u64,
}

/// A part of a box's history.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HistoryPart {
    /// The entries, in ascending order of topic, stream and version. Their hashes are not made yet: they are zeros.
    pub entries: Vec<HistoryEntry>,
    /// Whether there are more.
    pub more: bool,
}

/// The query for a page of a box's history. Only the data that the page gives is read.
pub(super) const HISTORY: &str = "select w.topic, w.stream, w.version, w.event_id, w.event_type, w.region, w.at, w.device_id, w.data_hash, w.octets, \
     w.total, d.data from (select q.*, cast(sum(q.octets) over (order by q.topic, q.stream, q.version) as bigint) as total \
     from (select h.topic, h.stream, h.version, h.event_id, h.event_type, h.region, h.at, h.device_id, h.data_hash, \
     cast(coalesce(length(h.data), 0) as bigint) as octets from account_history h where h.box_id = $1 \
     and (h.topic, h.stream, h.version) > ($2, $3, $4) \
     and not exists (select 1 from history_closed c where c.box_id = $1) \
     order by h.topic, h.stream, h.version limit $5) q) w \
     left join account_history d on d.box_id = $1 and d.topic = w.topic and d.stream = w.stream and d.version = w.version \
     and (w.total <= $6 or w.total = w.octets) order by w.topic, w.stream, w.version";

impl Store {
    /// A page of a box's history; nothing of a closed one.
    pub(crate) async fn account_history(&self, box_id: BoxId, page: &HistoryPage) -> Result<HistoryPart, StoreError> {
        let (topic, stream, version) = match &page.after {
            Some((topic, stream, version)) => (topic.name(), stream.as_str(), *version),
            None => ("", "", 0),
        };
        let rows = sqlx::query(HISTORY)
            .bind(box_id.as_bytes().to_vec())
            .bind(topic)
            .bind(stream.to_owned())
            .bind(signed(version))
            .bind(i64::from(page.limit) + 1)
            .bind(i64::try_from(page.max_octets).unwrap_or(i64::MAX))
            .fetch_all(&self.pool)
            .await?;
        let mut part = HistoryPart::default();
        for row in &rows {
            let given = part.entries.len();
            let is_full = given >= usize::try_from(page.limit).unwrap_or(usize::MAX);
            if is_full || (given > 0 && row.number(10)? > page.max_octets) {
                part.more = true;
                break;
            }
            part.entries.push(entry(row)?);
        }
        Ok(part)
    }

    /// The hashes of the identifiers that a box's history tells of.
    pub(crate) async fn history_identifiers(&self, box_id: BoxId) -> Result<Vec<String>, StoreError> {
        let rows = sqlx::query("select distinct stream from account_history where box_id = $1 and topic = $2")
            .bind(box_id.as_bytes().to_vec())
            .bind(Topic::Identifiers.name())
            .fetch_all(&self.pool)
            .await?;
        rows.iter().map(|row| row.text(0)).collect()
    }

    /// Deletes the histories of boxes that were closed.
    pub(super) async fn delete_closed_histories(&self) -> Result<u64, StoreError> {
        let mut tx = self.begin().await?;
        let deleted = sqlx::query("delete from account_history where box_id in (select box_id from history_closed)")
            .execute(&mut *tx.inner)
            .await?;
        tx.commit().await?;
        Ok(deleted.rows_affected())
    }
}

fn entry(row: &AnyRow) -> Result<HistoryEntry, StoreError> {
    let device_id = match row.maybe_octets(7)? {
        Some(octets) => Some(DeviceId::from_bytes(
            octets.as_slice().try_into().map_err(|error: std::array::TryFromSliceError| unreadable(7, error))?,
        )),
        None => None,
    };
    Ok(HistoryEntry {
        topic: row.text(0)?,
        stream: row.text(1)?,
        version: row.number(2)?,
        event_id: EventId::from_bytes(row.id(3)?),
        event_type: row.text(4)?,
        region: RegionNumber(u8::try_from(row.small(5)?).map_err(|error| unreadable(5, error))?),
        time: row.time(6)?,
        device_id,
        data_hash: row.fixed(8)?,
        data: row.maybe_octets(11)?,
        hash: Sha256Digest::from([0; 32]),
    })
}

impl Tx {
    /// Keeps an event for a box. One that is there already stays.
    pub(crate) async fn add_history(&mut self, row: HistoryRow<'_>) -> Result<(), StoreError> {
        let data = Octets(row.envelope.data.clone());
        sqlx::query(
            "insert into account_history (box_id, topic, stream, version, event_id, event_type, region, at, device_id, \
             ownership, data_hash, data) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) on conflict do nothing",
        )
        .bind(row.box_id.as_bytes().to_vec())
        .bind(row.topic.name())
        .bind(row.envelope.stream.clone())
        .bind(signed(row.version))
        .bind(row.envelope.id.as_bytes().to_vec())
        .bind(row.envelope.event_type.clone())
        .bind(i64::from(row.envelope.region.0))
        .bind(row.envelope.time.signed_millis())
        .bind(row.device_id.map(|id| id.as_bytes().to_vec()))
        .bind(row.ownership.number())
        .bind(data_hash(&data).as_slice().to_vec())
        .bind(row.is_whole.then(|| data.as_slice().to_vec()))
        .execute(&mut *self.inner)
        .await?;
        Ok(())
    }

    /// Whose the identifier of a stream is at a version, as far as the box is not closed and swept.
    pub(crate) async fn history_owner(
        &mut self,
        topic: Topic,
        stream: &str,
        version: u64,
    ) -> Result<Option<BoxId>, StoreError> {
        // A version at which one box lost it and another gained it has two rows.
        let row = sqlx::query(
            "select box_id, ownership from account_history where topic = $1 and stream = $2 and version <= $3 \
             and ownership > 0 order by version desc, ownership limit 1",
        )
        .bind(topic.name())
        .bind(stream.to_owned())
        .bind(signed(version))
        .fetch_optional(&mut *self.inner)
        .await?;
        match row {
            Some(row) if row.number(1)? == 1 => Ok(Some(BoxId::from_bytes(row.id(0)?))),
            _ => Ok(None),
        }
    }

    /// A box is closed: its history is given no more.
    pub(crate) async fn close_history(&mut self, box_id: BoxId) -> Result<(), StoreError> {
        sqlx::query("insert into history_closed (box_id) values ($1) on conflict do nothing")
            .bind(box_id.as_bytes().to_vec())
            .execute(&mut *self.inner)
            .await?;
        Ok(())
    }
}

//! A hash of each row of the derived tables, with its key and partition, for telling where two databases differ.

use std::collections::BTreeMap;

use futures::TryStreamExt as _;
use rossby_log::partition_for;
use rossby_schemas::encoding::Sha256Digest;
use rossby_schemas::ids::{BoxId, RendezvousId};
use rossby_schemas::time::Timestamp;
use sha2::{Digest as _, Sha256};
use sqlx::any::AnyRow;
use sqlx::{Column as _, Row as _};

use super::positions::{POSITIONS, PositionRow, position_row};
use super::row::Columns as _;
use super::snapshot::{rows_at, text, value};
use super::{Kind, Store, StoreError};

/// The derived tables and their primary keys: ids, hashes and numbers, nothing of what people said.
pub(super) const KEYS: &[(&str, &[&str])] = &[
    ("heads", &["projection", "topic", "stream"]),
    ("outcomes", &["projection", "topic", "stream", "expected_version"]),
    ("superseded", &["projection", "event_id", "expected_version"]),
    ("registrations", &["registration_id"]),
    ("codes", &["registration_id", "number"]),
    ("guesses", &["stream", "version"]),
    ("identifiers", &["identifier_hash"]),
    ("claims", &["claim_id"]),
    ("founded", &["box_id"]),
    ("closing", &["box_id"]),
    ("closed", &["box_id"]),
    ("removed", &["box_id", "device_id"]),
    ("enqueued", &["box_id", "outer_id", "content_hash"]),
    ("owed", &["box_id", "device_id", "outer_id", "content_hash"]),
    ("acknowledged", &["box_id", "device_id", "outer_id", "content_hash"]),
    ("rendezvous", &["rendezvous_id", "content_hash"]),
    ("membership", &["box_id", "number"]),
    ("devices", &["box_id", "device_id"]),
    ("key_boxes", &["box_id"]),
    ("profiles", &["box_id"]),
    ("profile_boxes", &["box_id"]),
    ("profile_tags", &["box_id", "list", "tag"]),
    ("account_history", &["box_id", "topic", "stream", "version"]),
    ("history_closed", &["box_id"]),
];

/// What is known of a row without its content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fingerprint {
    /// SHA-256 of the row.
    pub hash: Sha256Digest,
    /// The partition that its events stand in.
    pub partition: u32,
}

/// The fingerprints of a table's rows, by their keys.
pub type TableFingerprints = BTreeMap<String, Fingerprint>;

/// All rows of the derived tables at one moment, and where the projections stood then.
#[derive(Debug, Clone, Default)]
pub struct Fingerprints {
    /// Where the projections stood.
    pub positions: Vec<PositionRow>,
    /// The tables by their names.
    pub tables: BTreeMap<&'static str, TableFingerprints>,
}

impl Store {
    /// Reads positions and rows in one transaction, so that they belong together also where a projector writes meanwhile.
    pub(crate) async fn fingerprints(&self, at: Timestamp, partitions: u32) -> Result<Fingerprints, StoreError> {
        let begin = match self.kind {
            Kind::Sqlite => "begin",
            Kind::Postgres => "begin isolation level repeatable read read only",
        };
        let mut tx = self.pool.begin_with(begin).await?;
        let rows = sqlx::query(POSITIONS).fetch_all(&mut *tx).await?;
        let positions = rows.iter().map(position_row).collect::<Result<_, _>>()?;
        let mut tables = BTreeMap::new();
        for (table, key) in KEYS {
            let mut found = TableFingerprints::new();
            let mut rows = rows_at(table, at).fetch(&mut *tx);
            while let Some(row) = rows.try_next().await? {
                let hash = Sha256Digest::from(<[u8; 32]>::from(Sha256::digest(text(&row)?)));
                found.insert(key_text(&row, key)?, Fingerprint { hash, partition: partition(&row, partitions)? });
            }
            drop(rows);
            tables.insert(*table, found);
        }
        Ok(Fingerprints { positions, tables })
    }
}

/// A row's key, as `column=value` with spaces between. Ids of 16 octets as UUIDs are written.
fn key_text(row: &AnyRow, key: &[&str]) -> Result<String, StoreError> {
    let mut parts = Vec::with_capacity(key.len());
    for column in key {
        let index = row.column(*column).ordinal();
        let shown = match row.try_get::<Vec<u8>, _>(index) {
            Ok(octets) if octets.len() == 16 && column.ends_with("_id") => {
                BoxId::from_bytes(row.id(index)?).to_string()
            }
            _ => value(row, index)?,
        };
        parts.push(format!("{column}={shown}"));
    }
    Ok(parts.join(" "))
}

/// The partition of a row's events, by the key that they have in the log.
fn partition(row: &AnyRow, partitions: u32) -> Result<u32, StoreError> {
    let index = |name: &str| row.columns().iter().position(|column| column.name() == name);
    let key = if let Some(stream) = index("stream") {
        // A registrations stream is called HASH/DAY.
        row.text(stream)?.split('/').next().unwrap_or_default().to_owned()
    } else if let Some(hash) = index("identifier_hash") {
        row.text(hash)?
    } else if let Some(rendezvous) = index("rendezvous_id") {
        RendezvousId::from_bytes(row.id(rendezvous)?).to_string()
    } else if let Some(box_id) = index("box_id") {
        BoxId::from_bytes(row.id(box_id)?).to_string()
    } else {
        String::new()
    };
    Ok(partition_for(key.as_bytes(), partitions))
}

#[cfg(test)]
mod tests {
    use sqlx::AssertSqlSafe;

    use super::*;
    use crate::store::DERIVED_TABLES;

    #[tokio::test]
    async fn every_derived_table_is_listed_with_its_primary_key() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&format!("sqlite:{}", folder.path().join("tables").display()), 2).await.unwrap();
        let listed: Vec<&str> = KEYS.iter().map(|(table, _)| *table).collect();
        assert_eq!(listed, DERIVED_TABLES);
        for (table, key) in KEYS {
            let query = format!("select name from pragma_table_info('{table}') where pk > 0 order by pk");
            let rows = sqlx::query(AssertSqlSafe(query)).fetch_all(&store.pool).await.unwrap();
            let primary: Vec<String> = rows.iter().map(|row| row.text(0).unwrap()).collect();
            assert_eq!(primary, *key, "{table}");
        }
    }
}

//! The whole content of the derived tables, for comparing two databases at one moment.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use sqlx::any::AnyRow;
use sqlx::{AssertSqlSafe, Column as _, Row as _, TypeInfo as _, ValueRef as _};

use super::{Store, StoreError};

/// The tables that the log alone decides: two databases that have applied the same records and were swept at the same
/// moment have the same rows.
pub const DERIVED_TABLES: &[&str] = &[
    "heads",
    "outcomes",
    "superseded",
    "registrations",
    "codes",
    "guesses",
    "identifiers",
    "founded",
    "closing",
    "closed",
    "removed",
    "enqueued",
    "owed",
    "acknowledged",
    "membership",
    "devices",
    "key_boxes",
    "profiles",
    "profile_boxes",
    "profile_tags",
];

/// The tables that tell how one database came to where it is: not derived, and not compared.
pub const OPERATIONAL_TABLES: &[&str] = &["positions", "quarantine", "device_figures"];

/// The rows of each derived table, as text, sorted.
pub type Snapshot = BTreeMap<&'static str, Vec<String>>;

impl Store {
    pub(crate) async fn snapshot(&self) -> Result<Snapshot, StoreError> {
        let mut snapshot = Snapshot::new();
        for table in DERIVED_TABLES {
            let rows = sqlx::query(AssertSqlSafe(format!("select * from {table}"))).fetch_all(&self.pool).await?;
            let mut rows: Vec<String> = rows.iter().map(text).collect::<Result<_, _>>()?;
            rows.sort();
            snapshot.insert(table, rows);
        }
        Ok(snapshot)
    }
}

fn text(row: &AnyRow) -> Result<String, StoreError> {
    let mut text = String::new();
    for (index, column) in row.columns().iter().enumerate() {
        let value = row.try_get_raw(index)?;
        let shown = if value.is_null() {
            "null".to_owned()
        } else {
            match value.type_info().name() {
                "BLOB" => hex::encode(row.try_get::<Vec<u8>, _>(index)?),
                "TEXT" => row.try_get::<String, _>(index)?,
                _ => row.try_get::<i64, _>(index)?.to_string(),
            }
        };
        // A String takes everything.
        let _ = write!(text, "{}={shown} ", column.name());
    }
    Ok(text)
}

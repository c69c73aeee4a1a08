//! The whole content of the derived tables at one moment, for comparing two databases.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use rossby_schemas::time::Timestamp;
use sqlx::any::{AnyArguments, AnyRow};
use sqlx::query::Query;
use sqlx::{Any, AssertSqlSafe, Column as _, Row as _, TypeInfo as _, ValueRef as _};

use super::queue::still_waits;
use super::sweep::first_day;
use super::{Store, StoreError};

/// The tables that the log alone decides: two databases that have applied the same records have the same rows at one
/// moment, whether and whenever they were swept.
pub const DERIVED_TABLES: &[&str] = &[
    "heads",
    "outcomes",
    "superseded",
    "registrations",
    "codes",
    "guesses",
    "identifiers",
    "claims",
    "founded",
    "closing",
    "closed",
    "removed",
    "enqueued",
    "owed",
    "acknowledged",
    "rendezvous",
    "membership",
    "devices",
    "key_boxes",
    "profiles",
    "profile_boxes",
    "profile_tags",
    "account_history",
    "history_closed",
];

/// The tables that tell how one database came to where it is: not derived, and not compared.
pub const OPERATIONAL_TABLES: &[&str] = &[
    "positions",
    "quarantine",
    "device_figures",
    "uploaded",
    "sweep_hints",
    "founding_hints",
    "secret_check",
    "regions_check",
    "replayed",
];

/// The rows of each derived table, as text, sorted.
pub type Snapshot = BTreeMap<&'static str, Vec<String>>;

/// Which rows a sweep leaves, and how a query says so.
fn query(table: &str, at: Timestamp) -> (String, Bound) {
    let all = format!("select * from {table}");
    match table {
        // A body that nobody waits for may have been blanked or not.
        "enqueued" => (
            format!(
                "select e.box_id, e.outer_id, e.content_hash, e.accepted_at, e.expires_at, e.region, e.partition, \
                 e.record_offset, case when exists (select 1 from owed o where o.box_id = e.box_id \
                 and o.outer_id = e.outer_id and o.content_hash = e.content_hash and {}) then e.value end as value \
                 from enqueued e where e.expires_at > $1 \
                 and not exists (select 1 from closed c where c.box_id = e.box_id)",
                still_waits!()
            ),
            Bound::Time(at),
        ),
        // What was confirmed may have been deleted or not.
        "owed" => (format!("{all} o where o.expires_at > $1 and {}", still_waits!()), Bound::Time(at)),
        "acknowledged" => {
            (format!("{all} where expires_at > $1 and box_id not in (select box_id from closed)"), Bound::Time(at))
        }
        "rendezvous" => (format!("{all} where expires_at > $1"), Bound::Time(at)),
        "claims" => {
            let live = "(ended_at is null or ended_at > $1) and box_id not in (select box_id from closed)";
            (format!("{all} where {live}"), Bound::Time(at.minus(super::claims::REMEMBERED)))
        }
        "registrations" | "codes" | "guesses" => {
            (format!("{all} where substr(stream, 66) >= $1"), Bound::Day(first_day(at)))
        }
        "heads" | "outcomes" | "superseded" => (
            format!("{all} where topic <> 'rossby.registrations' or substr(stream, 66) >= $1"),
            Bound::Day(first_day(at)),
        ),
        "profiles" | "profile_tags" => (
            format!("{all} where box_id not in (select box_id from profile_boxes where state = 'closed')"),
            Bound::Nothing,
        ),
        "account_history" => (format!("{all} where box_id not in (select box_id from history_closed)"), Bound::Nothing),
        _ => (all, Bound::Nothing),
    }
}

enum Bound {
    Nothing,
    Time(Timestamp),
    Day(String),
}

/// Asks for the rows of a derived table at a moment.
pub(super) fn rows_at(table: &str, at: Timestamp) -> Query<'static, Any, AnyArguments> {
    let (query, bound) = query(table, at);
    let query = sqlx::query(AssertSqlSafe(query));
    match bound {
        Bound::Nothing => query,
        Bound::Time(at) => query.bind(at.signed_millis()),
        Bound::Day(day) => query.bind(day),
    }
}

impl Store {
    pub(crate) async fn snapshot(&self, at: Timestamp) -> Result<Snapshot, StoreError> {
        let mut snapshot = Snapshot::new();
        for table in DERIVED_TABLES {
            let rows = rows_at(table, at).fetch_all(&self.pool).await?;
            let mut rows: Vec<String> = rows.iter().map(text).collect::<Result<_, _>>()?;
            rows.sort();
            snapshot.insert(table, rows);
        }
        Ok(snapshot)
    }
}

pub(super) fn text(row: &AnyRow) -> Result<String, StoreError> {
    let mut text = String::new();
    for (index, column) in row.columns().iter().enumerate() {
        // A String takes everything.
        let _ = write!(text, "{}={} ", column.name(), value(row, index)?);
    }
    Ok(text)
}

/// A column of whatever type.
pub(super) fn value(row: &AnyRow, index: usize) -> Result<String, StoreError> {
    let value = row.try_get_raw(index)?;
    if value.is_null() {
        return Ok("null".to_owned());
    }
    Ok(match value.type_info().name() {
        "BLOB" => hex::encode(row.try_get::<Vec<u8>, _>(index)?),
        "TEXT" => row.try_get::<String, _>(index)?,
        _ => row.try_get::<i64, _>(index)?.to_string(),
    })
}

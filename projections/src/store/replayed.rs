//! Databases that a replay builds: fresh ones, or its own of before.

use std::path::Path;

use rossby_schemas::ids::{BoxId, RegionNumber};
use rossby_schemas::time::Timestamp;
use sqlx::{AnyConnection, AssertSqlSafe, Connection as _};

use super::row::{Columns as _, unreadable};
use super::snapshot::{DERIVED_TABLES, OPERATIONAL_TABLES};
use super::{Store, StoreError, damaged, sqlite_url};

/// What a replay builds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReplayOf {
    /// Up to when, if not to the log's end.
    pub until: Option<Timestamp>,
    /// As which region sees it.
    pub region: RegionNumber,
    /// What concerns this box alone.
    pub box_id: Option<BoxId>,
}

/// What was replayed into a database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Replayed {
    /// What of.
    pub of: ReplayOf,
    /// Whether it came to its end.
    pub is_whole: bool,
}

/// Why a database can't be replayed into.
#[derive(Debug, thiserror::Error)]
pub enum NotForReplay {
    /// It has tables of another origin.
    #[error("the database has tables already, and they are not of an interrupted replay; name one that is empty")]
    Taken,
    /// A replay has filled it, to its end.
    #[error("a replay has filled this database already; name one that is empty")]
    Whole,
    /// An interrupted replay of something else has begun to fill it.
    #[error("an interrupted replay of something else has begun to fill this database ({0}); name one that is empty")]
    Other(String),
    /// It can't be reached or used.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Store {
    /// Opens a database for a replay: an empty one, or one in which the same replay was interrupted, and says so.
    pub(crate) async fn open_for_replay(
        url: &str,
        max_connections: u32,
        of: ReplayOf,
    ) -> Result<(Self, bool), NotForReplay> {
        sqlx::any::install_default_drivers();
        if let Some(path) = url.strip_prefix("sqlite:").filter(|path| holds_anything(path)) {
            // Before it is opened for writing, which would change how a stranger's file is written.
            let mut connection = AnyConnection::connect(&format!("{}?mode=ro", sqlite_url(Path::new(path))))
                .await
                .map_err(|error| damaged(error, Path::new(path)))?;
            let rows = sqlx::query("select name from sqlite_master").fetch_all(&mut connection).await;
            let rows = rows.map_err(|error| damaged(error, Path::new(path)))?;
            let names = rows.iter().map(|row| row.text(0)).collect::<Result<Vec<_>, _>>()?;
            connection.close().await.map_err(StoreError::from)?;
            if !names.is_empty() && !names.iter().any(|name| name == "replayed") {
                return Err(NotForReplay::Taken);
            }
        }
        let store = Self::connect(url, max_connections).await?;
        let is_new = store.tables().await?.is_empty();
        if !is_new && !store.tables().await?.iter().any(|table| table == "replayed") {
            store.close().await;
            return Err(NotForReplay::Taken);
        }
        store.migrate(url).await?;
        match store.replayed().await? {
            Some(Replayed { is_whole: true, .. }) => Err(NotForReplay::Whole),
            Some(Replayed { of: begun, .. }) if begun == of => Ok((store, true)),
            Some(Replayed { of: begun, .. }) => Err(NotForReplay::Other(begun.to_string())),
            None if store.is_empty().await? => {
                store.begin_replay(of).await?;
                Ok((store, false))
            }
            None => Err(NotForReplay::Taken),
        }
    }

    pub(crate) async fn replayed(&self) -> Result<Option<Replayed>, StoreError> {
        let row =
            sqlx::query("select until, region, box_id, is_whole from replayed").fetch_optional(&self.pool).await?;
        let Some(row) = row else { return Ok(None) };
        let until = row.maybe_number(0)?.map(Timestamp::from_millis).transpose();
        let region = u8::try_from(row.number(1)?).map_err(|error| unreadable(1, error))?;
        let box_id = match row.maybe_octets(2)? {
            Some(_) => Some(BoxId::from_bytes(row.id(2)?)),
            None => None,
        };
        let until = until.map_err(|error| unreadable(0, error))?;
        Ok(Some(Replayed { of: ReplayOf { until, region: RegionNumber(region), box_id }, is_whole: row.flag(3)? }))
    }

    /// Keeps that a replay has come to its end.
    pub(crate) async fn finish_replay(&self) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        sqlx::query("update replayed set is_whole = 1").execute(&mut *tx.inner).await?;
        tx.commit().await
    }

    async fn begin_replay(&self, of: ReplayOf) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        sqlx::query("insert into replayed (one, until, region, box_id, is_whole) values (1, $1, $2, $3, 0)")
            .bind(of.until.map(Timestamp::signed_millis))
            .bind(i64::from(of.region.0))
            .bind(of.box_id.map(|id| id.as_bytes().to_vec()))
            .execute(&mut *tx.inner)
            .await?;
        tx.commit().await
    }

    /// The names of all tables.
    async fn tables(&self) -> Result<Vec<String>, StoreError> {
        let query = match self.is_postgres() {
            true => {
                "select cast(table_name as text) from information_schema.tables where table_schema = current_schema()"
            }
            false => {
                "select name from sqlite_master where type in ('table', 'view') and name not like 'sqlite!_%' escape '!'"
            }
        };
        sqlx::query(query).fetch_all(&self.pool).await?.iter().map(|row| row.text(0)).collect()
    }

    /// Whether no table has a row.
    async fn is_empty(&self) -> Result<bool, StoreError> {
        for table in DERIVED_TABLES.iter().chain(OPERATIONAL_TABLES) {
            let any = sqlx::query(AssertSqlSafe(format!("select 1 from {table} limit 1")));
            if any.fetch_optional(&self.pool).await?.is_some() {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// Whether a file is there and not empty.
fn holds_anything(path: &str) -> bool {
    std::fs::metadata(path).is_ok_and(|metadata| metadata.len() > 0)
}

impl std::fmt::Display for ReplayOf {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "region {}", self.region)?;
        if let Some(until) = self.until {
            write!(f, " until {until}")?;
        }
        match self.box_id {
            Some(box_id) => write!(f, ", the box {box_id} alone"),
            None => Ok(()),
        }
    }
}

//! The read-model store: PostgreSQL or SQLite, a closed set of two. All SQL of the read models stands in this folder.
//!
//! Both speak one dialect here, through sqlx's `Any` driver: what differs (octets' type, pragmas, how a write transaction
//! begins) stands in this file and in the two folders of migrations.

mod account;
mod account_history;
mod arrivals;
mod claims;
mod export;
mod fingerprints;
mod identifiers;
mod listed;
mod lost;
#[cfg(test)]
mod plans;
mod positions;
mod queue;
mod regions_check;
mod registrations;
mod rendezvous;
mod replayed;
mod row;
mod secret_check;
mod snapshot;
mod streams;
mod sweep;
mod sweep_hints;
mod uploads;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use sqlx::any::{Any, AnyPoolOptions};
use sqlx::migrate::{MigrateError, Migrator};
use sqlx::{AnyConnection, AnyPool, Connection as _, Executor as _, Transaction};
use tokio::sync::{Mutex, OwnedMutexGuard};

pub(crate) use self::account::{BoxState, Setting, TagList};
pub use self::account::{DeviceState, LinkedSince, Profile, StoredKeyRecord};
pub use self::account_history::{HistoryPage, HistoryPart};
pub(crate) use self::account_history::{HistoryRow, Ownership};
pub use self::arrivals::{Arrival, ArrivalLimits, Arrivals, Stretch, WatchedDevice, WatchedIdentifier};
pub use self::claims::{Claim, ClaimState};
pub use self::export::{HeldMessages, HeldPage};
pub use self::fingerprints::{Fingerprint, Fingerprints, TableFingerprints};
pub use self::identifiers::{BoxIdentifier, IdentifierOwner, IdentifierState};
pub use self::positions::PositionRow;
pub(crate) use self::positions::{LastRecord, Position, Quarantined};
pub use self::queue::{AcceptedMessage, DevicePointer, Permission, Waiting, WaitingMessage};
pub(crate) use self::queue::{BoxFact, Enqueued};
pub use self::regions_check::RegionsCheck;
pub use self::registrations::{IssuedCode, Purpose, Registration, RegistrationDay};
pub use self::replayed::{NotForReplay, ReplayOf, Replayed};
pub use self::secret_check::SecretCheck;
pub use self::snapshot::{DERIVED_TABLES, OPERATIONAL_TABLES, Snapshot};
pub use self::streams::{CommandEvent, EventStatus, Taken};
pub use self::sweep::Swept;

/// SQLite 3.7.0 to 3.51.2 can corrupt a WAL when it is reset.
const OLDEST_SQLITE: (u32, u32, u32) = (3, 51, 3);
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);

static SQLITE_MIGRATIONS: Migrator = sqlx::migrate!("migrations/sqlite");
static POSTGRES_MIGRATIONS: Migrator = sqlx::migrate!("migrations/postgres");

/// Why the read models could not answer or be written.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database can't be reached or can't do it now. It is worth trying again.
    #[error("the read models are unavailable: {0}")]
    Unavailable(String),
    /// Waiting won't cure it: the schema is another's, or a row can't be read.
    #[error("the read models failed: {0}")]
    Failed(String),
    /// The SQLite file is no database, or not whole. What it holds comes from the log.
    #[error(
        "{0} is damaged, or no database; delete it, and the files beside it that end in -wal and -shm, and start again: \
         all that was in it is made anew from the log, but for how much each account has uploaded today"
    )]
    Damaged(PathBuf),
    /// Another projector has moved the partition's position: this one is a zombie, and nothing was written.
    #[error("another projector has moved the position")]
    Moved,
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        match error {
            sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) | sqlx::Error::ColumnNotFound(_) => {
                Self::Failed(error.to_string())
            }
            sqlx::Error::Database(error) if error.code().is_some_and(|code| is_for_ever(&code)) => {
                Self::Failed(error.to_string())
            }
            error => Self::Unavailable(error.to_string()),
        }
    }
}

/// Whether a database's error is one that trying again doesn't cure. PostgreSQL's codes have five characters: 22 is bad
/// data, 42 a statement or a table that is not right. SQLite's: 1 is a statement, 11 a damaged file, 26 no database. A key
/// that is there already (23) is another projector's work, and goes away when its position is read again.
fn is_for_ever(code: &str) -> bool {
    match code.len() {
        5 => code.starts_with("22") || code.starts_with("42"),
        _ => code == "1" || is_damage(code),
    }
}

/// Whether a SQLite error says that the file is damaged (11) or no database (26). The low octet is the code, and the rest says more.
fn is_damage(code: &str) -> bool {
    code.parse::<u32>().is_ok_and(|code| matches!(code & 0xff, 11 | 26))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Sqlite,
    Postgres,
}

/// A connection pool to one of the two databases.
#[derive(Debug, Clone)]
pub(crate) struct Store {
    pool: AnyPool,
    kind: Kind,
    /// SQLite has one writer: whoever writes waits here in turn, instead of trying again and again.
    writer: Arc<Mutex<()>>,
}

/// A write transaction.
pub(crate) struct Tx {
    pub(super) inner: Transaction<'static, Any>,
    kind: Kind,
    _turn: Option<OwnedMutexGuard<()>>,
}

impl Store {
    /// Opens a database and brings its tables up to date.
    pub(crate) async fn open(url: &str, max_connections: u32) -> Result<Self, StoreError> {
        let store = Self::connect(url, max_connections).await?;
        store.migrate(url).await?;
        Ok(store)
    }

    /// Opens a database that is there and up to date, and changes nothing in it. A SQLite file may be open in a server meanwhile.
    pub(crate) async fn open_to_read(url: &str, max_connections: u32) -> Result<Self, StoreError> {
        sqlx::any::install_default_drivers();
        let options = AnyPoolOptions::new().max_connections(max_connections).acquire_timeout(ACQUIRE_TIMEOUT);
        let (kind, pool, migrations) = match url.strip_prefix("sqlite:") {
            Some(path) => {
                if !Path::new(path).is_file() {
                    return Err(StoreError::Failed(format!("there are none in {path}; the server makes them")));
                }
                let pragmas = "pragma query_only = on; pragma busy_timeout = 5000";
                let options = options.after_connect(move |connection, _| {
                    Box::pin(async move { connection.execute(pragmas).await.map(|_| ()) })
                });
                let pool =
                    options.connect(&sqlite_url(Path::new(path))).await.map_err(|e| damaged(e, Path::new(path)))?;
                (Kind::Sqlite, pool, &SQLITE_MIGRATIONS)
            }
            None => (Kind::Postgres, options.connect(url).await.map_err(hide_url)?, &POSTGRES_MIGRATIONS),
        };
        let query = "select cast(max(version) as bigint) from _sqlx_migrations";
        let found: Option<i64> = sqlx::query_scalar(query).fetch_one(&pool).await?;
        let newest = migrations.iter().map(|migration| migration.version).max();
        if found != newest {
            return Err(StoreError::Failed(
                "they were made by another version of Rossby; a server of this version brings older ones up to date"
                    .to_owned(),
            ));
        }
        Ok(Self { pool, kind, writer: Arc::default() })
    }

    /// Opens a database, whatever is in it.
    async fn connect(url: &str, max_connections: u32) -> Result<Self, StoreError> {
        sqlx::any::install_default_drivers();
        let options = AnyPoolOptions::new().max_connections(max_connections).acquire_timeout(ACQUIRE_TIMEOUT);
        let (kind, pool) = match url.strip_prefix("sqlite:") {
            Some(path) => (Kind::Sqlite, sqlite_pool(options, Path::new(path)).await?),
            None => (Kind::Postgres, options.connect(url).await.map_err(hide_url)?),
        };
        Ok(Self { pool, kind, writer: Arc::default() })
    }

    /// Brings its tables up to date.
    async fn migrate(&self, url: &str) -> Result<(), StoreError> {
        let migrations = match self.kind {
            Kind::Sqlite => &SQLITE_MIGRATIONS,
            Kind::Postgres => &POSTGRES_MIGRATIONS,
        };
        migrations.run(&self.pool).await.map_err(|error| match error {
            MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) if self.kind == Kind::Sqlite => {
                damaged(error, Path::new(url.strip_prefix("sqlite:").unwrap_or(url)))
            }
            error => not_migrated(error),
        })
    }

    pub(crate) fn is_postgres(&self) -> bool {
        self.kind == Kind::Postgres
    }

    /// Begins a write transaction. To be called from a task that is not cancelled: a `begin` that is dropped half-way
    /// leaves the pooled connection unusable (sqlx #4394).
    pub(crate) async fn begin(&self) -> Result<Tx, StoreError> {
        let (turn, begin) = match self.kind {
            Kind::Sqlite => (Some(Arc::clone(&self.writer).lock_owned().await), "begin immediate"),
            Kind::Postgres => (None, "begin"),
        };
        Ok(Tx { inner: self.pool.begin_with(begin).await?, kind: self.kind, _turn: turn })
    }

    pub(crate) async fn ping(&self) -> Result<(), StoreError> {
        sqlx::query("select 1").execute(&self.pool).await?;
        Ok(())
    }

    pub(crate) async fn close(&self) {
        self.pool.close().await;
    }
}

impl Tx {
    /// Tells other processes, once this commits, that a partition has moved. SQLite has no other process.
    pub(crate) async fn notify(&mut self, channel: &str, text: String) -> Result<(), StoreError> {
        if self.kind == Kind::Postgres {
            sqlx::query("select cast(pg_notify($1, $2) as text)")
                .bind(channel.to_owned())
                .bind(text)
                .execute(&mut *self.inner)
                .await?;
        }
        Ok(())
    }

    pub(crate) async fn commit(self) -> Result<(), StoreError> {
        Ok(self.inner.commit().await?)
    }
}

async fn sqlite_pool(options: AnyPoolOptions, path: &Path) -> Result<AnyPool, StoreError> {
    let failed = |error: std::io::Error| StoreError::Failed(format!("{}: {error}", path.display()));
    create_private(path).map_err(failed)?;
    let path = std::path::absolute(path).map_err(failed)?;
    let damaged = |error: sqlx::Error| damaged(error, &path);
    let url = sqlite_url(&path);
    // Once by itself first: a pool would try again and again, and not say what it met.
    let mut first = AnyConnection::connect(&url).await.map_err(damaged)?;
    prepare(&mut first).await.map_err(damaged)?;
    check_sqlite(&mut first).await?;
    first.close().await?;
    let options = options.after_connect(|connection, _| Box::pin(prepare(connection)));
    Ok(options.connect(&url).await?)
}

/// The URL of a file. `?` and `%` would be read as a part of it.
fn sqlite_url(path: &Path) -> String {
    format!("sqlite:{}", path.display().to_string().replace('%', "%25").replace('?', "%3F"))
}

/// An error of SQLite's, which may say that the file is damaged.
fn damaged(error: sqlx::Error, path: &Path) -> StoreError {
    match &error {
        sqlx::Error::Database(database) if database.code().is_some_and(|code| is_damage(&code)) => {
            StoreError::Damaged(path.to_owned())
        }
        _ => error.into(),
    }
}

/// Sets a connection to SQLite up.
async fn prepare(connection: &mut AnyConnection) -> Result<(), sqlx::Error> {
    let pragmas = "pragma journal_mode = wal; pragma synchronous = full; pragma busy_timeout = 5000";
    connection.execute(pragmas).await.map(|_| ())
}

fn not_migrated(error: MigrateError) -> StoreError {
    StoreError::Failed(error.to_string())
}

/// Makes the file, with access for its owner alone, if it is not there.
fn create_private(path: &Path) -> std::io::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map(|_| ())
}

async fn check_sqlite(connection: &mut AnyConnection) -> Result<(), StoreError> {
    let version: String = sqlx::query_scalar("select sqlite_version()").fetch_one(connection).await?;
    let mut parts = version.split('.').map(|part| part.parse().unwrap_or(0));
    let mut part = || parts.next().unwrap_or(0);
    if (part(), part(), part()) < OLDEST_SQLITE {
        return Err(StoreError::Failed(format!(
            "SQLite is {version}, and 3.51.3 is the oldest that does not corrupt its write-ahead log"
        )));
    }
    Ok(())
}

/// A connection's error may show the URL, which may hold a password.
fn hide_url(error: sqlx::Error) -> StoreError {
    match error {
        sqlx::Error::Configuration(_) => StoreError::Failed("the database's URL can't be used".to_owned()),
        error => error.into(),
    }
}

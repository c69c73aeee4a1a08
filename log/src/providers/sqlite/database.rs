//! The file: how it is opened, which SQLite it needs, its schema, and what its errors mean.

use std::fs::{self, File, OpenOptions};
use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions, SqliteConnection, SqlitePool};

use super::SqliteConfig;
use crate::error::LogError;

/// SQLite 3.7.0 to 3.51.2 can corrupt a WAL when it is reset.
const OLDEST_SQLITE: (u32, u32, u32) = (3, 51, 3);
/// `pragma user_version` of the schema below.
const SCHEMA_VERSION: i64 = 1;
const PAGE_BYTES: u64 = 4096;

/// A partition's row is its *slot*: records name it, so that removing and making a topic anew starts with fresh ones.
const SCHEMA: &str = "
create table topics (
    name text not null primary key,
    partitions integer not null,
    retention_millis integer
) strict;

create table partitions (
    slot integer primary key autoincrement,
    topic text not null references topics (name) on delete cascade,
    partition integer not null,
    start_offset integer not null default 0,
    next_offset integer not null default 0,
    unique (topic, partition)
) strict;

create table records (
    slot integer not null,
    offset integer not null,
    appended_at integer not null,
    key blob,
    headers blob not null,
    value blob,
    primary key (slot, offset)
) strict;
";

/// The path of the log's file, made with access for its owner alone if it is not there. SQLite gives the WAL the same.
pub(super) fn create_file(folder: &Path) -> Result<PathBuf, LogError> {
    let path = folder.join("log.sqlite");
    let create = || -> std::io::Result<()> {
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(false);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        options.open(&path)?.sync_all()?;
        // The folder's entry has to survive a loss of power as well as the file.
        File::open(folder)?.sync_all()
    };
    create().map_err(|error| LogError::Failed(format!("{}: {error}", path.display())))?;
    Ok(path)
}

/// The path of a log's file that is there.
pub(super) fn existing_file(folder: &Path) -> Result<PathBuf, LogError> {
    let path = folder.join("log.sqlite");
    match fs::metadata(&path) {
        Ok(_) => Ok(path),
        Err(error) => Err(LogError::Failed(format!("{}: {error}", path.display()))),
    }
}

fn options(file: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(file)
        .create_if_missing(false)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(Duration::from_secs(5))
        .disable_statement_logging()
}

/// The writer's connection.
pub(super) async fn connect(file: &Path, config: &SqliteConfig) -> Result<SqliteConnection, LogError> {
    let mut options = options(file)
        .page_size(u32::try_from(PAGE_BYTES).unwrap_or(4096))
        // A WAL that has grown under load is cut back when it is reset.
        .pragma("journal_size_limit", (64 * 1024 * 1024).to_string());
    if let Some(max) = config.max_bytes {
        options = options.pragma("max_page_count", (max / PAGE_BYTES).max(1).to_string());
    }
    options.connect().await.map_err(failed)
}

/// Connections for readers, which can't write.
pub(super) async fn reading_pool(file: &Path) -> Result<SqlitePool, LogError> {
    SqlitePoolOptions::new()
        .max_connections(4)
        .acquire_timeout(Duration::from_secs(10))
        .connect_with(options(file).pragma("query_only", "on"))
        .await
        .map_err(failed)
}

/// Refuses a SQLite that is too old.
pub(super) async fn check_version(connection: &mut SqliteConnection) -> Result<(), LogError> {
    let version: String = sqlx::query_scalar("select sqlite_version()").fetch_one(connection).await.map_err(failed)?;
    if parse_version(&version) < Some(OLDEST_SQLITE) {
        return Err(LogError::Failed(format!(
            "SQLite is {version}, and 3.51.3 is the oldest that does not corrupt its write-ahead log"
        )));
    }
    Ok(())
}

fn parse_version(text: &str) -> Option<(u32, u32, u32)> {
    let mut parts = text.split('.').map(str::parse);
    Some((parts.next()?.ok()?, parts.next()?.ok()?, parts.next()?.ok()?))
}

/// Makes the tables in a new file.
pub(super) async fn create_schema(connection: &mut SqliteConnection) -> Result<(), LogError> {
    if user_version(connection).await? == 0 {
        let create = async {
            sqlx::raw_sql("begin immediate").execute(&mut *connection).await?;
            sqlx::raw_sql(SCHEMA).execute(&mut *connection).await?;
            sqlx::raw_sql("pragma user_version = 1").execute(&mut *connection).await?;
            sqlx::raw_sql("commit").execute(&mut *connection).await
        };
        create.await.map_err(failed)?;
    }
    check_schema(connection).await
}

/// Refuses a file that is no log or a newer Rossby's.
pub(super) async fn check_schema(connection: &mut SqliteConnection) -> Result<(), LogError> {
    match user_version(connection).await? {
        SCHEMA_VERSION => Ok(()),
        0 => Err(LogError::Failed("the file holds no log".to_owned())),
        version => Err(LogError::Failed(format!("the log's layout is {version}, which a newer Rossby has made"))),
    }
}

async fn user_version(connection: &mut SqliteConnection) -> Result<i64, LogError> {
    sqlx::query_scalar("pragma user_version").fetch_one(connection).await.map_err(failed)
}

/// An error that trying again may cure.
pub(super) fn unavailable(error: sqlx::Error) -> LogError {
    match error {
        sqlx::Error::PoolClosed => LogError::Closed,
        // SQLITE_CORRUPT and SQLITE_NOTADB.
        sqlx::Error::Database(error) if matches!(primary_code(error.as_ref()), Some(11 | 26)) => {
            LogError::Failed(error.to_string())
        }
        // SQLITE_FULL.
        sqlx::Error::Database(error) if primary_code(error.as_ref()) == Some(13) => {
            LogError::Unavailable(format!("no room on the disk, or the log has reached its largest size: {error}"))
        }
        error => LogError::Unavailable(error.to_string()),
    }
}

fn failed(error: sqlx::Error) -> LogError {
    LogError::Failed(error.to_string())
}

/// The low octet of the extended result code.
fn primary_code(error: &dyn sqlx::error::DatabaseError) -> Option<i32> {
    error.code()?.parse::<i32>().ok().map(|code| code & 0xff)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_as_numbers() {
        assert!(parse_version("3.51.3") >= Some(OLDEST_SQLITE));
        assert!(parse_version("3.100.0") >= Some(OLDEST_SQLITE));
        assert!(parse_version("3.51.2") < Some(OLDEST_SQLITE));
        assert!(parse_version("3.7.0") < Some(OLDEST_SQLITE));
        assert!(parse_version("unknown") < Some(OLDEST_SQLITE));
    }
}

//! The local store: a SQLite database in the person's home, private to its owner.

pub(crate) mod about;
pub(crate) mod account_history;
pub(crate) mod contacts;
pub(crate) mod conversations;
pub(crate) mod device;
pub(crate) mod drafts;
mod erase;
pub(crate) mod groups;
pub(crate) mod history;
pub(crate) mod identifiers;
pub(crate) mod linking;
pub(crate) mod messages;
pub(crate) mod outbox;
pub(crate) mod own_devices;
pub(crate) mod peers;
pub(crate) mod profiles;
pub(crate) mod receipts;
pub(crate) mod records;
pub(crate) mod refresh;
pub(crate) mod transcripts;
pub(crate) mod uploads;
pub(crate) mod verified;
pub(crate) mod warnings;
pub(crate) mod wrapping_keys;

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::Path;
use std::time::Duration;

use rossby_schemas::encoding::{FixedOctets, Octets};
use rossby_schemas::time::Timestamp;
use sqlx::pool::PoolConnection;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{AssertSqlSafe, Connection as _, Sqlite, SqliteConnection, SqlitePool, Transaction};
use uuid::Uuid;

use crate::error::ClientError;
use crate::vault::{Costs, Lock, LockedBy};

const FILE: &str = "rossby.sqlite";
/// The schema, step by step; `pragma user_version` counts the steps that a store has taken. A step that was released never
/// changes.
const SCHEMA: [&str; 20] = [
    include_str!("schema/1_first.sql"),
    include_str!("schema/2_devices.sql"),
    include_str!("schema/3_conversations.sql"),
    include_str!("schema/4_wrapping_keys.sql"),
    include_str!("schema/5_content.sql"),
    include_str!("schema/6_verified.sql"),
    include_str!("schema/7_attachments.sql"),
    include_str!("schema/8_groups.sql"),
    include_str!("schema/9_profiles.sql"),
    include_str!("schema/10_identifiers.sql"),
    include_str!("schema/11_waiting.sql"),
    include_str!("schema/12_typing.sql"),
    include_str!("schema/13_group_versions.sql"),
    include_str!("schema/14_drafts.sql"),
    include_str!("schema/15_history.sql"),
    include_str!("schema/16_known_by.sql"),
    include_str!("schema/17_left_out.sql"),
    include_str!("schema/18_former_pins.sql"),
    include_str!("schema/19_attempts.sql"),
    include_str!("schema/20_account_history.sql"),
];
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// A person's store on this device.
#[derive(Debug)]
pub(crate) struct Store {
    pool: SqlitePool,
}

/// What the store says of itself.
pub(crate) struct Home {
    pub(crate) server: String,
    pub(crate) lock: Lock,
}

/// Makes the home's folder, for its owner alone.
pub(crate) fn make_folder(home: &Path) -> Result<(), ClientError> {
    refuse_file(home)?;
    let failed = |source| ClientError::File { path: home.to_owned(), source };
    DirBuilder::new().recursive(true).mode(0o700).create(home).map_err(failed)?;
    let mode = fs::metadata(home).map_err(failed)?.permissions().mode();
    if mode & 0o077 == 0 { Ok(()) } else { Err(ClientError::ReadableByOthers(home.to_owned())) }
}

fn refuse_file(home: &Path) -> Result<(), ClientError> {
    if home.is_file() { Err(ClientError::NotAHome(home.to_owned())) } else { Ok(()) }
}

impl Store {
    pub(crate) fn exists(home: &Path) -> bool {
        home.join(FILE).exists()
    }

    /// Makes the store. It gets its name only when it is whole, so that a start that dies here leaves none.
    pub(crate) async fn create(home: &Path, server: &str, lock: &Lock, now: Timestamp) -> Result<Self, ClientError> {
        let file = home.join(FILE);
        let failed = |source| ClientError::File { path: file.clone(), source };
        // For its owner alone, under a name of its own.
        let unfinished = tempfile::NamedTempFile::new_in(home).map_err(failed)?;
        let options = options(unfinished.path()).journal_mode(SqliteJournalMode::Delete);
        let pool = SqlitePoolOptions::new().max_connections(1).connect_with(options).await?;
        bring_up_to_date(&pool).await?;
        let mut transaction = pool.begin().await?;
        if let LockedBy::Keyring(id) = lock.by {
            wrapping_keys::insert(&mut transaction, id, None, now).await?;
        }
        sqlx::query("insert into home (one, server, wrapped_key) values (1, ?, x'')")
            .bind(server)
            .execute(&mut *transaction)
            .await?;
        set_lock(&mut transaction, lock).await?;
        transaction.commit().await?;
        pool.close().await;
        match unfinished.persist_noclobber(&file) {
            Ok(_) => {}
            Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => {
                return Err(ClientError::HomeExists(home.to_owned()));
            }
            Err(error) => return Err(failed(error.error)),
        }
        Self::open(home).await
    }

    /// Opens the store of a home.
    pub(crate) async fn open(home: &Path) -> Result<Self, ClientError> {
        refuse_file(home)?;
        let file = home.join(FILE);
        if !file.exists() {
            return Err(ClientError::NoHome(home.to_owned()));
        }
        let mode = fs::metadata(&file).map_err(|source| ClientError::File { path: file.clone(), source })?;
        if mode.permissions().mode() & 0o077 != 0 {
            return Err(ClientError::ReadableByOthers(file));
        }
        let options = options(&file).journal_mode(SqliteJournalMode::Wal);
        let pool = SqlitePoolOptions::new().max_connections(4).connect_with(options).await?;
        bring_up_to_date(&pool).await?;
        let store = Self { pool };
        if store.is_erased().await? {
            store.close().await;
            erase::remove(home)?;
            return Err(ClientError::NoHome(home.to_owned()));
        }
        Ok(store)
    }

    pub(crate) async fn close(self) {
        self.pool.close().await;
    }

    pub(crate) async fn home(&self) -> Result<Home, ClientError> {
        type Row = (String, Option<Vec<u8>>, Option<u32>, Option<u32>, Option<Vec<u8>>, Vec<u8>);
        let row: Row = sqlx::query_as("select server, salt, memory_kib, passes, keyring_key, wrapped_key from home")
            .fetch_one(&self.pool)
            .await?;
        let (server, salt, memory_kib, passes, keyring_key, wrapped) = row;
        let by = match (salt, memory_kib, passes, keyring_key) {
            (Some(salt), Some(memory_kib), Some(passes), _) => LockedBy::Passphrase(Costs { salt, memory_kib, passes }),
            (_, _, _, Some(id)) => LockedBy::Keyring(Uuid::from_bytes(fixed(&id)?)),
            _ => LockedBy::KeyFile,
        };
        Ok(Home { server, lock: Lock { by, wrapped } })
    }

    /// The server that has this person's account.
    pub(crate) async fn set_server(&self, url: &str) -> Result<(), ClientError> {
        sqlx::query("update home set server = ?").bind(url).execute(&self.pool).await?;
        Ok(())
    }

    /// A transaction that writes: it waits for others at its start, and not in its middle.
    pub(crate) async fn begin(&self) -> Result<Transaction<'static, Sqlite>, ClientError> {
        Ok(self.pool.begin_with("begin immediate").await?)
    }

    /// A connection to read with.
    pub(crate) async fn read(&self) -> Result<PoolConnection<Sqlite>, ClientError> {
        Ok(self.pool.acquire().await?)
    }

    /// Overwrites what was erased and is still in the files, the write-ahead log too. While another process reads, it is left for
    /// the next time.
    pub(crate) async fn scrub(&self) -> Result<(), ClientError> {
        let is_due: bool = sqlx::query_scalar("select scrub_due from home").fetch_one(&self.pool).await?;
        if !is_due {
            return Ok(());
        }
        // A connection of its own, which waits for others less long.
        let mut connection = self.pool.acquire().await?.detach();
        sqlx::raw_sql("pragma busy_timeout = 200").execute(&mut connection).await?;
        let (is_busy, _, _): (i64, i64, i64) =
            sqlx::query_as("pragma wal_checkpoint(truncate)").fetch_one(&mut connection).await?;
        connection.close().await?;
        if is_busy == 0 {
            sqlx::query("update home set scrub_due = 0").execute(&self.pool).await?;
        }
        Ok(())
    }
}

/// What is erased in this transaction is to be overwritten in the files.
pub(crate) async fn scrub_later(connection: &mut SqliteConnection) -> Result<(), ClientError> {
    sqlx::query("update home set scrub_due = 1").execute(connection).await?;
    Ok(())
}

/// Locks the home so. A keyring's key must have its row among the wrapping keys.
pub(crate) async fn set_lock(connection: &mut SqliteConnection, lock: &Lock) -> Result<(), ClientError> {
    let (costs, keyring_key) = match &lock.by {
        LockedBy::Passphrase(costs) => (Some(costs), None),
        LockedBy::KeyFile => (None, None),
        LockedBy::Keyring(id) => (None, Some(*id)),
    };
    sqlx::query("update home set salt = ?, memory_kib = ?, passes = ?, keyring_key = ?, wrapped_key = ?")
        .bind(costs.map(|costs| costs.salt.as_slice()))
        .bind(costs.map(|costs| i64::from(costs.memory_kib)))
        .bind(costs.map(|costs| i64::from(costs.passes)))
        .bind(keyring_key.as_ref().map(|id| id.as_bytes().as_slice()))
        .bind(lock.wrapped.as_slice())
        .execute(&mut *connection)
        .await?;
    if let Some(id) = keyring_key {
        wrapping_keys::used(connection, id).await?;
    }
    Ok(())
}

/// Takes the steps of the schema that a store has not taken yet, all or none.
async fn bring_up_to_date(pool: &SqlitePool) -> Result<(), ClientError> {
    let version = async |connection: &mut SqliteConnection| -> Result<usize, ClientError> {
        let found: i64 = sqlx::query_scalar("pragma user_version").fetch_one(connection).await?;
        match usize::try_from(found) {
            Ok(version) if version <= SCHEMA.len() => Ok(version),
            _ => Err(ClientError::NewerStore { found, known: i64::try_from(SCHEMA.len()).unwrap_or(i64::MAX) }),
        }
    };
    if version(&mut *pool.acquire().await?).await? == SCHEMA.len() {
        return Ok(());
    }
    let mut transaction = pool.begin_with("begin immediate").await?;
    // Another process may have taken them in between.
    for (step, number) in SCHEMA.iter().zip(1..).skip(version(&mut transaction).await?) {
        sqlx::raw_sql(*step).execute(&mut *transaction).await?;
        sqlx::raw_sql(AssertSqlSafe(format!("pragma user_version = {number}"))).execute(&mut *transaction).await?;
    }
    Ok(transaction.commit().await?)
}

fn options(file: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(file)
        .create_if_missing(false)
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(BUSY_TIMEOUT)
        .foreign_keys(true)
        // Erased keys are overwritten.
        .pragma("secure_delete", "on")
}

const DAMAGED: ClientError = ClientError::DamagedStore("a value has another form");

fn fixed<const N: usize>(octets: &[u8]) -> Result<[u8; N], ClientError> {
    octets.try_into().map_err(|_| DAMAGED)
}

fn digest(octets: &[u8]) -> Result<FixedOctets<32>, ClientError> {
    fixed(octets).map(FixedOctets)
}

fn octets(octets: Vec<u8>) -> Octets {
    octets.into()
}

fn time(millis: i64) -> Result<Timestamp, ClientError> {
    u64::try_from(millis).ok().and_then(|millis| Timestamp::from_millis(millis).ok()).ok_or(DAMAGED)
}

fn number(number: i64) -> Result<u64, ClientError> {
    u64::try_from(number).map_err(|_| DAMAGED)
}

/// Every count here is far below 2^63.
fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_store_of_before_is_brought_up_to_date_with_what_it_holds() {
        let folder = tempfile::tempdir().unwrap();
        let options = options(&folder.path().join(FILE)).create_if_missing(true);
        let pool = SqlitePoolOptions::new().max_connections(1).connect_with(options).await.unwrap();
        for step in &SCHEMA[..2] {
            sqlx::raw_sql(*step).execute(&pool).await.unwrap();
        }
        // One that waits for Ben, one that came from him, and one that the own devices told each other.
        sqlx::raw_sql(
            "insert into messages (id, peer, conversation, sender, sender_device, sequence, link, message_id, time,
                 accepted_at, kind, body, state)
             values (1, x'0b', x'cc', x'0a', x'01', 1, x'', x'11', 5, null, 1, x'', 'pending'),
                 (2, x'0b', x'cc', x'0b', x'02', 1, x'', x'12', 6, 7, 1, x'', 'new'),
                 (3, x'0a', x'aa', x'0a', x'01', 1, x'', x'13', 8, 9, 1001, x'', 'sent');
             insert into outbox (message, outer_id, expires_at, value) values (1, x'77', 1000, x'88');
             pragma user_version = 2",
        )
        .execute(&pool)
        .await
        .unwrap();

        bring_up_to_date(&pool).await.unwrap();
        let text =
            async |query: &'static str| -> Vec<String> { sqlx::query_scalar(query).fetch_all(&pool).await.unwrap() };
        let threads = "select m.id || ' ' || hex(c.peer) from messages m join conversations c on c.key = m.thread";
        assert_eq!(text(threads).await, ["1 0B", "2 0B", "3 0A"]);
        let recipients = "select message || ' ' || hex(box_id) || ' ' || state || ' ' || coalesce(accepted_at, '-')
            from recipients order by message";
        assert_eq!(text(recipients).await, ["1 0B pending -", "3 0A sent 9"]);
        let outbox =
            "select hex(box_id) || ' ' || message || ' ' || expires_at || ' ' || hex(outer_id) || ' ' || hex(value)
             || ' ' || attempts from outbox";
        assert_eq!(text(outbox).await, ["0B 1 1000 77 88 1"]);
    }
}

//! A store is erased with all that it holds.

use std::path::Path;
use std::{fs, io};

use rossby_schemas::time::Timestamp;
use sqlx::AssertSqlSafe;

use super::{FILE, Store, scrub_later};
use crate::error::ClientError;
use crate::vault::Vault;

impl Store {
    /// Erases every row, and what locks the store, so that nothing in the files opens any more; then takes the files away.
    pub(crate) async fn erase(self, home: &Path, vault: &Vault, now: Timestamp) -> Result<(), ClientError> {
        self.erase_rows(vault, now).await?;
        self.close().await;
        remove(home)
    }

    pub(super) async fn erase_rows(&self, vault: &Vault, now: Timestamp) -> Result<(), ClientError> {
        let mut transaction = self.begin().await?;
        sqlx::raw_sql("pragma defer_foreign_keys = on").execute(&mut *transaction).await?;
        let tables: Vec<String> = sqlx::query_scalar(
            "select name from sqlite_master where type = 'table' and name not like 'sqlite_%'
                 and name not in ('home', 'wrapping_keys')",
        )
        .fetch_all(&mut *transaction)
        .await?;
        for table in tables {
            sqlx::query(AssertSqlSafe(format!("delete from {table}"))).execute(&mut *transaction).await?;
        }
        scrub_later(&mut transaction).await?;
        transaction.commit().await?;
        // What the keyring has goes too; what it does not erase opens nothing that is left.
        self.erase_wrapping_keys(vault, now).await?;
        sqlx::query("update home set wrapped_key = x'', salt = null, scrub_due = 1").execute(&self.pool).await?;
        self.scrub().await
    }

    /// Whether a process has died after it had erased the rows, and before it took the files away.
    pub(super) async fn is_erased(&self) -> Result<bool, ClientError> {
        let left = "select exists (select 1 from home where length(wrapped_key) > 0)";
        Ok(!sqlx::query_scalar::<_, bool>(left).fetch_one(&self.pool).await?)
    }
}

/// Takes the files of a store away. The one that makes it a store goes last.
pub(super) fn remove(home: &Path) -> Result<(), ClientError> {
    for name in [format!("{FILE}-wal"), format!("{FILE}-shm"), FILE.to_owned()] {
        let path = home.join(name);
        match fs::remove_file(&path) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => {
                return Err(ClientError::File { path, source });
            }
            _ => {}
        }
    }
    Ok(())
}

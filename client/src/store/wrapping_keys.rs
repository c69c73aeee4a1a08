//! Wrapping keys: each wraps one sealing private key, in the store or in the system's keyring, so that it can be erased.
//!
//! A row comes before the keyring's entry and goes after it, so that no entry is forgotten. One that wraps nothing any more is
//! erased by [`Store::erase_wrapping_keys`], whatever took away what it wrapped.

use std::time::Duration;

use rossby_schemas::time::Timestamp;
use sqlx::SqliteConnection;
use uuid::Uuid;
use zeroize::Zeroizing;

use super::{Store, fixed};
use crate::error::ClientError;
use crate::vault::{Key, LockKind, Vault};

/// How long a wrapping key may wait for what it is to wrap.
const UNUSED: Duration = Duration::from_secs(3600);
/// How long it takes until the keyring is asked again to forget a key.
const TRIED_AGAIN: Duration = Duration::from_secs(24 * 3600);

/// A key that wraps one other.
pub(crate) struct WrappingKey {
    pub(crate) id: Uuid,
    key: Key,
}

impl std::fmt::Debug for WrappingKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("WrappingKey").field(&self.id).finish()
    }
}

impl WrappingKey {
    /// Seals under this key, and that under the store's: neither opens it alone.
    pub(super) fn seal(&self, vault: &Vault, label: &str, text: &[u8]) -> Vec<u8> {
        vault.seal(&outer_label(label), &self.key.seal(label, text))
    }

    pub(super) fn open(&self, vault: &Vault, label: &str, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, ClientError> {
        self.key.open(label, &vault.open(&outer_label(label), sealed)?)
    }
}

fn outer_label(label: &str) -> String {
    format!("wrapped {label}")
}

fn key_label(id: Uuid) -> String {
    format!("wrapping key {id}")
}

impl Store {
    /// A new wrapping key, kept where this home keeps them.
    pub(crate) async fn new_wrapping_key(&self, vault: &Vault, now: Timestamp) -> Result<WrappingKey, ClientError> {
        let wrapping = WrappingKey { id: Uuid::new_v4(), key: Key::generate() };
        let is_in_keyring = vault.kind == LockKind::Keyring;
        let wrapped = (!is_in_keyring).then(|| vault.seal(&key_label(wrapping.id), wrapping.key.as_slice()));
        insert(&mut *self.pool.acquire().await?, wrapping.id, wrapped, now).await?;
        if is_in_keyring {
            vault.keyring.put(wrapping.id, &wrapping.key).await?;
        }
        Ok(wrapping)
    }

    /// The wrapping key of this id, if it was not erased.
    pub(super) async fn wrapping_key(&self, vault: &Vault, id: &[u8]) -> Result<Option<WrappingKey>, ClientError> {
        let id = Uuid::from_bytes(fixed(id)?);
        let row: Option<Option<Vec<u8>>> = sqlx::query_scalar("select wrapped from wrapping_keys where id = ?")
            .bind(id.as_bytes().as_slice())
            .fetch_optional(&self.pool)
            .await?;
        let key = match row {
            None => None,
            Some(Some(wrapped)) => Some(opened(vault, id, &wrapped)?),
            Some(None) => vault.keyring.get(id).await?,
        };
        Ok(key.map(|key| WrappingKey { id, key }))
    }

    /// The keyring will have an entry of this id, and each wrapping key that is kept here now, unless that comes to nothing.
    pub(crate) async fn keyring_will_have(&self, id: Uuid, now: Timestamp) -> Result<(), ClientError> {
        let mut transaction = self.begin().await?;
        sqlx::query("update wrapping_keys set in_keyring = 1").execute(&mut *transaction).await?;
        insert(&mut transaction, id, None, now).await?;
        Ok(transaction.commit().await?)
    }

    /// Moves the wrapping keys to where a home keeps them that is locked so. What the keyring has erased stays away.
    pub(crate) async fn move_wrapping_keys(
        &self,
        connection: &mut SqliteConnection,
        vault: &Vault,
        to: LockKind,
    ) -> Result<(), ClientError> {
        let rows: Vec<(Vec<u8>, Option<Vec<u8>>)> = sqlx::query_as(
            "select id, wrapped from wrapping_keys
             where id in (select wrapping_key from sealing_keys union select wrapping_key from linking)",
        )
        .fetch_all(&mut *connection)
        .await?;
        for (id, wrapped) in rows {
            let id = Uuid::from_bytes(fixed(&id)?);
            let (wrapped, in_keyring) = match (wrapped, to) {
                (Some(wrapped), LockKind::Keyring) => {
                    vault.keyring.put(id, &opened(vault, id, &wrapped)?).await?;
                    (None, true)
                }
                (None, LockKind::Passphrase | LockKind::KeyFile) => {
                    let Some(key) = vault.keyring.get(id).await? else { continue };
                    // The keyring's entry goes when this is kept.
                    (Some(vault.seal(&key_label(id), key.as_slice())), true)
                }
                (Some(_), LockKind::Passphrase | LockKind::KeyFile) | (None, LockKind::Keyring) => continue,
            };
            sqlx::query("update wrapping_keys set wrapped = ?, in_keyring = ? where id = ?")
                .bind(wrapped)
                .bind(in_keyring)
                .bind(id.as_bytes().as_slice())
                .execute(&mut *connection)
                .await?;
        }
        Ok(())
    }

    /// Erases the wrapping keys that wrap nothing any more, and what the keyring holds of those that are kept here. Gives why the
    /// keyring didn't, if it didn't: it is asked again a day later.
    pub(crate) async fn erase_wrapping_keys(
        &self,
        vault: &Vault,
        now: Timestamp,
    ) -> Result<Option<ClientError>, ClientError> {
        if erasable(&mut *self.pool.acquire().await?, now).await?.is_empty() {
            return Ok(None);
        }
        // Nobody else decides in between where a key is kept.
        let mut transaction = self.begin().await?;
        let mut failure = None;
        for Erasable { id, is_in_keyring, is_used } in erasable(&mut transaction, now).await? {
            if is_in_keyring && let Err(error) = vault.keyring.erase(id).await {
                failure = Some(error.into());
                sqlx::query("update wrapping_keys set tried_at = ? where id = ?")
                    .bind(now.signed_millis())
                    .bind(id.as_bytes().as_slice())
                    .execute(&mut *transaction)
                    .await?;
                continue;
            }
            let erase = if is_used {
                "update wrapping_keys set in_keyring = 0 where id = ?"
            } else {
                "delete from wrapping_keys where id = ?"
            };
            sqlx::query(erase).bind(id.as_bytes().as_slice()).execute(&mut *transaction).await?;
        }
        super::scrub_later(&mut transaction).await?;
        transaction.commit().await?;
        Ok(failure)
    }

    /// Wraps the private keys of a home that was made before each had a wrapping key.
    pub(crate) async fn wrap_old_keys(&self, vault: &Vault, now: Timestamp) -> Result<(), ClientError> {
        let is_old = sqlx::query_scalar(
            "select exists (select 1 from sealing_keys where wrapping_key is null)
                 or exists (select 1 from linking where wrapping_key is null)",
        );
        if !is_old.fetch_one(&self.pool).await? {
            return Ok(());
        }
        let mut transaction = self.begin().await?;
        let keys: Vec<(i64, Vec<u8>)> =
            sqlx::query_as("select counter, secret_key from sealing_keys where wrapping_key is null")
                .fetch_all(&mut *transaction)
                .await?;
        for (counter, sealed) in keys {
            let label = super::device::sealing_label(super::number(counter)?);
            let (id, sealed) = wrap_old(&mut transaction, vault, &label, &sealed, now).await?;
            sqlx::query("update sealing_keys set secret_key = ?, wrapping_key = ? where counter = ?")
                .bind(sealed)
                .bind(id.as_bytes().as_slice())
                .bind(counter)
                .execute(&mut *transaction)
                .await?;
        }
        let linking: Option<Vec<u8>> = sqlx::query_scalar("select sealing_key from linking where wrapping_key is null")
            .fetch_optional(&mut *transaction)
            .await?;
        if let Some(sealed) = linking {
            let label = super::linking::SEALING_KEY;
            let (id, sealed) = wrap_old(&mut transaction, vault, label, &sealed, now).await?;
            sqlx::query("update linking set sealing_key = ?, wrapping_key = ?")
                .bind(sealed)
                .bind(id.as_bytes().as_slice())
                .execute(&mut *transaction)
                .await?;
        }
        super::scrub_later(&mut transaction).await?;
        Ok(transaction.commit().await?)
    }
}

/// A private key that was sealed under the store's key alone, wrapped. Gives the wrapping key's id, and what it seals.
async fn wrap_old(
    connection: &mut SqliteConnection,
    vault: &Vault,
    label: &str,
    sealed: &[u8],
    now: Timestamp,
) -> Result<(Uuid, Vec<u8>), ClientError> {
    let secret = vault.open(label, sealed)?;
    let wrapping = WrappingKey { id: Uuid::new_v4(), key: Key::generate() };
    let wrapped = vault.seal(&key_label(wrapping.id), wrapping.key.as_slice());
    insert(connection, wrapping.id, Some(wrapped), now).await?;
    used(connection, wrapping.id).await?;
    Ok((wrapping.id, wrapping.seal(vault, label, &secret)))
}

fn opened(vault: &Vault, id: Uuid, wrapped: &[u8]) -> Result<Key, ClientError> {
    Key::from_slice(&vault.open(&key_label(id), wrapped)?).ok_or(super::DAMAGED)
}

/// Keeps a wrapping key, or that the keyring has it.
pub(super) async fn insert(
    connection: &mut SqliteConnection,
    id: Uuid,
    wrapped: Option<Vec<u8>>,
    now: Timestamp,
) -> Result<(), ClientError> {
    sqlx::query("insert into wrapping_keys (id, wrapped, in_keyring, made_at) values (?, ?, ?, ?)")
        .bind(id.as_bytes().as_slice())
        .bind(wrapped.as_deref())
        .bind(wrapped.is_none())
        .bind(now.signed_millis())
        .execute(connection)
        .await?;
    Ok(())
}

/// A wrapping key wraps something from now on.
pub(super) async fn used(connection: &mut SqliteConnection, id: Uuid) -> Result<(), ClientError> {
    sqlx::query("update wrapping_keys set used = 1 where id = ?")
        .bind(id.as_bytes().as_slice())
        .execute(connection)
        .await?;
    Ok(())
}

/// A wrapping key of which something is to be erased.
struct Erasable {
    id: Uuid,
    is_in_keyring: bool,
    /// Whether it wraps something still: the keyring's entry goes, and the row stays.
    is_used: bool,
}

async fn erasable(connection: &mut SqliteConnection, now: Timestamp) -> Result<Vec<Erasable>, ClientError> {
    let rows: Vec<(Vec<u8>, bool, bool)> = sqlx::query_as(
        "with keys as (
             select *, exists (
                 select 1 from sealing_keys where wrapping_key = wrapping_keys.id
                 union all select 1 from linking where wrapping_key = wrapping_keys.id
                 union all select 1 from home where keyring_key = wrapping_keys.id
             ) as wraps from wrapping_keys
         )
         select id, in_keyring, wraps from keys
         where (wraps and in_keyring and wrapped is not null or not wraps and (used or made_at < ?))
             and (tried_at is null or tried_at < ? or tried_at > ?)",
    )
    .bind(now.minus(UNUSED).signed_millis())
    .bind(now.minus(TRIED_AGAIN).signed_millis())
    .bind(now.signed_millis())
    .fetch_all(connection)
    .await?;
    let read = |(id, is_in_keyring, is_used): (Vec<u8>, _, _)| {
        Ok(Erasable { id: Uuid::from_bytes(fixed(&id)?), is_in_keyring, is_used })
    };
    rows.into_iter().map(read).collect()
}

#[cfg(test)]
#[cfg(feature = "keyring")]
mod tests;

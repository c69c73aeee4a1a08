//! This device: its keys, its registration, its token.

use rossby_crypto::keyed_hash::{AclKey, HawkKey};
use rossby_crypto::sealing::SealingSecretKey;
use rossby_crypto::signing::SigningKey;
use rossby_crypto::token::DeviceToken;
use rossby_schemas::encoding::Octets;
use rossby_schemas::ids::{BoxId, CommandId, DeviceId, RegistrationId};
use rossby_schemas::time::Timestamp;
use sqlx::SqliteConnection;

use super::wrapping_keys::WrappingKey;
use super::{DAMAGED, Store, fixed, number, octets, signed, time};
use crate::error::ClientError;
use crate::http::Token;
use crate::vault::Vault;

const SIGNING_KEY: &str = "signing key";
const HAWK_KEY: &str = "hawk key";
const ACL_KEY: &str = "acl key";

/// This device.
#[derive(Debug)]
pub(crate) struct Device {
    pub(crate) identifier: String,
    pub(crate) box_id: BoxId,
    pub(crate) device_id: DeviceId,
    pub(crate) signing_key: SigningKey,
    pub(crate) register_command: CommandId,
    pub(crate) registration: Option<(RegistrationId, Timestamp)>,
    pub(crate) token: Option<Token>,
}

impl Device {
    /// What requests are signed with.
    pub(crate) fn token(&self) -> Result<&Token, ClientError> {
        self.token.as_ref().ok_or_else(|| ClientError::NotAuthorized(self.identifier.clone()))
    }
}

/// One of this device's sealing keys.
#[derive(Debug)]
pub(crate) struct SealingKey {
    pub(crate) counter: u64,
    pub(crate) statement: Octets,
    pub(crate) created: Timestamp,
    pub(crate) expires: Timestamp,
    pub(crate) command_id: CommandId,
    pub(crate) is_stated: bool,
}

pub(super) fn sealing_label(counter: u64) -> String {
    format!("sealing key {counter}")
}

impl Store {
    /// This device, if it has keys.
    pub(crate) async fn device(&self, vault: &Vault) -> Result<Option<Device>, ClientError> {
        type Row = (
            (String, Vec<u8>, Vec<u8>, Vec<u8>, Vec<u8>),
            (Option<Vec<u8>>, Option<i64>),
            (Option<String>, Option<Vec<u8>>),
        );
        let found = sqlx::query(
            "select identifier, box_id, device_id, signing_key, register_command, registration_id, code_expires_at,
                 token_id, hawk_key
             from device",
        )
        .try_map(|row: sqlx::sqlite::SqliteRow| -> Result<Row, sqlx::Error> {
            use sqlx::Row as _;
            Ok((
                (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?, row.try_get(3)?, row.try_get(4)?),
                (row.try_get(5)?, row.try_get(6)?),
                (row.try_get(7)?, row.try_get(8)?),
            ))
        })
        .fetch_optional(&self.pool)
        .await?;
        let Some((own, registration, token)) = found else { return Ok(None) };
        let (identifier, box_id, device_id, signing_key, register_command) = own;
        let seed = vault.open(SIGNING_KEY, &signing_key)?;
        let seed: &[u8; 32] = seed.as_slice().try_into().map_err(|_| DAMAGED)?;
        let registration = match registration {
            (Some(id), Some(expires)) => Some((RegistrationId::from_bytes(fixed(&id)?), time(expires)?)),
            _ => None,
        };
        let token = match token {
            (Some(id), Some(key)) => {
                let key = vault.open(HAWK_KEY, &key)?;
                let key = HawkKey::from_bytes(key.as_slice().try_into().map_err(|_| DAMAGED)?);
                Some(Token { id: id.parse().map_err(|_| DAMAGED)?, key })
            }
            _ => None,
        };
        Ok(Some(Device {
            identifier,
            box_id: BoxId::from_bytes(fixed(&box_id)?),
            device_id: DeviceId::from_bytes(fixed(&device_id)?),
            signing_key: SigningKey::from_seed(seed),
            register_command: CommandId::from_bytes(fixed(&register_command)?),
            registration,
            token,
        }))
    }

    pub(crate) async fn registration_accepted(
        &self,
        device: DeviceId,
        registration_id: RegistrationId,
        code_expires_at: Timestamp,
    ) -> Result<(), ClientError> {
        let query = sqlx::query("update device set registration_id = ?, code_expires_at = ? where device_id = ?")
            .bind(registration_id.as_bytes().as_slice())
            .bind(code_expires_at.signed_millis());
        self.of_device(query, device).await
    }

    /// Changes what is kept of a device, if the home has not begun anew with another in between.
    async fn of_device(
        &self,
        update: sqlx::query::Query<'_, sqlx::Sqlite, sqlx::sqlite::SqliteArguments>,
        device: DeviceId,
    ) -> Result<(), ClientError> {
        let changed = update.bind(device.as_bytes().to_vec()).execute(&self.pool).await?;
        if changed.rows_affected() == 1 { Ok(()) } else { Err(ClientError::StartedOver) }
    }

    /// The registration is gone: the next one is another command.
    pub(crate) async fn registration_lost(&self, device: DeviceId, command: CommandId) -> Result<(), ClientError> {
        let query = sqlx::query(
            "update device set registration_id = null, code_expires_at = null, register_command = ? where device_id = ?",
        )
        .bind(command.as_bytes().as_slice());
        self.of_device(query, device).await
    }

    /// The device has a token, or another one than before.
    pub(crate) async fn authorized(&self, vault: &Vault, token: &DeviceToken) -> Result<(), ClientError> {
        let mut transaction = self.begin().await?;
        set_token(&mut transaction, vault, token).await?;
        Ok(transaction.commit().await?)
    }

    /// The key of the box's contacts and blocks.
    pub(crate) async fn acl_key(&self, vault: &Vault) -> Result<AclKey, ClientError> {
        let sealed: Option<Vec<u8>> = sqlx::query_scalar("select acl_key from device").fetch_one(&self.pool).await?;
        let key = vault.open(ACL_KEY, &sealed.ok_or(ClientError::NotRegistered)?)?;
        Ok(AclKey::from_bytes(key.as_slice().try_into().map_err(|_| DAMAGED)?))
    }

    /// This device's sealing keys, the newest first.
    pub(crate) async fn sealing_keys(&self) -> Result<Vec<SealingKey>, ClientError> {
        type Row = (i64, Vec<u8>, i64, i64, Vec<u8>, bool);
        let rows: Vec<Row> = sqlx::query_as(
            "select counter, statement, created, expires, command_id, stated from sealing_keys order by counter desc",
        )
        .fetch_all(&self.pool)
        .await?;
        let read = |(counter, statement, created, expires, command_id, is_stated): (_, _, _, _, Vec<u8>, _)| {
            Ok(SealingKey {
                counter: number(counter)?,
                statement: octets(statement),
                created: time(created)?,
                expires: time(expires)?,
                command_id: CommandId::from_bytes(fixed(&command_id)?),
                is_stated,
            })
        };
        rows.into_iter().map(read).collect()
    }

    /// The sealing key with this counter, if neither it nor the key that wraps it has been erased.
    pub(crate) async fn sealing_secret(
        &self,
        vault: &Vault,
        counter: u64,
    ) -> Result<Option<SealingSecretKey>, ClientError> {
        let row: Option<(Vec<u8>, Option<Vec<u8>>)> =
            sqlx::query_as("select secret_key, wrapping_key from sealing_keys where counter = ?")
                .bind(signed(counter))
                .fetch_optional(&self.pool)
                .await?;
        let Some((sealed, wrapping)) = row else { return Ok(None) };
        let wrapping = wrapping.ok_or(ClientError::DamagedStore("a private key without one that wraps it"))?;
        let Some(wrapping) = self.wrapping_key(vault, &wrapping).await? else { return Ok(None) };
        let key = wrapping.open(vault, &sealing_label(counter), &sealed)?;
        SealingSecretKey::from_bytes(&key).map(Some).map_err(|_| DAMAGED)
    }

    pub(crate) async fn sealing_key_stated(&self, counter: u64) -> Result<(), ClientError> {
        sqlx::query("update sealing_keys set stated = 1 where counter = ?")
            .bind(signed(counter))
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// Takes away the sealing keys that expired before this time, but for the newest that others know. What wrapped them is to be
    /// erased then.
    pub(crate) async fn drop_sealing_keys(&self, expired_before: Timestamp) -> Result<u64, ClientError> {
        let mut transaction = self.begin().await?;
        let dropped = sqlx::query(
            "delete from sealing_keys where expires < ? and counter < (select max(counter) from sealing_keys where stated = 1)",
        )
        .bind(expired_before.signed_millis())
        .execute(&mut *transaction)
        .await?;
        if dropped.rows_affected() > 0 {
            super::scrub_later(&mut transaction).await?;
        }
        transaction.commit().await?;
        Ok(dropped.rows_affected())
    }
}

/// Keeps the token of this device.
pub(crate) async fn set_token(
    connection: &mut SqliteConnection,
    vault: &Vault,
    token: &DeviceToken,
) -> Result<(), ClientError> {
    let changed = sqlx::query("update device set token_id = ?, hawk_key = ?, acl_key = ? where device_id = ?")
        .bind(token.id.to_string())
        .bind(vault.seal(HAWK_KEY, token.hawk_key.as_bytes()))
        .bind(vault.seal(ACL_KEY, token.acl_key.as_bytes()))
        .bind(token.id.device_id.as_bytes().as_slice())
        .execute(connection)
        .await?;
    if changed.rows_affected() == 1 { Ok(()) } else { Err(ClientError::StartedOver) }
}

/// Counts what expired unfetched; true if it is more than what was told before.
pub(crate) async fn lost_more(connection: &mut SqliteConnection, messages: u64) -> Result<bool, ClientError> {
    let changed = sqlx::query("update device set lost_messages = ?1 where lost_messages < ?1")
        .bind(signed(messages))
        .execute(connection)
        .await?;
    Ok(changed.rows_affected() > 0)
}

/// A device with new keys, which isn't registered yet. One that was not authorized gives way.
pub(crate) async fn insert_device(
    connection: &mut SqliteConnection,
    vault: &Vault,
    device: &Device,
) -> Result<(), ClientError> {
    let authorized: Option<String> = sqlx::query_scalar("select identifier from device where token_id is not null")
        .fetch_optional(&mut *connection)
        .await?;
    if let Some(identifier) = authorized {
        return Err(ClientError::AlreadyRegistered(identifier));
    }
    for table in ["delete from device", "delete from sealing_keys"] {
        if sqlx::query(table).execute(&mut *connection).await?.rows_affected() > 0 {
            super::scrub_later(connection).await?;
        }
    }
    sqlx::query(
        "insert into device (one, identifier, box_id, device_id, signing_key, register_command) values (1, ?, ?, ?, ?, ?)",
    )
    .bind(&device.identifier)
    .bind(device.box_id.as_bytes().as_slice())
    .bind(device.device_id.as_bytes().as_slice())
    .bind(vault.seal(SIGNING_KEY, device.signing_key.to_seed().as_slice()))
    .bind(device.register_command.as_bytes().as_slice())
    .execute(connection)
    .await?;
    Ok(())
}

/// Keeps a sealing key, wrapped by a key of its own.
pub(crate) async fn insert_sealing_key(
    connection: &mut SqliteConnection,
    vault: &Vault,
    wrapping: &WrappingKey,
    key: &SealingKey,
    secret: &SealingSecretKey,
) -> Result<(), ClientError> {
    sqlx::query(
        "insert into sealing_keys (counter, secret_key, wrapping_key, statement, created, expires, command_id, stated)
         values (?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(signed(key.counter))
    .bind(wrapping.seal(vault, &sealing_label(key.counter), secret.to_bytes().as_slice()))
    .bind(wrapping.id.as_bytes().as_slice())
    .bind(key.statement.as_slice())
    .bind(key.created.signed_millis())
    .bind(key.expires.signed_millis())
    .bind(key.command_id.as_bytes().as_slice())
    .bind(key.is_stated)
    .execute(connection)
    .await?;
    Ok(())
}

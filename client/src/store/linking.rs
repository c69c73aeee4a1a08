//! A device that is to be linked: its keys, kept before anybody hears of it, so that one that dies in between goes on.

use rossby_crypto::linking::LinkSecret;
use rossby_crypto::sealing::SealingSecretKey;
use rossby_crypto::signing::SigningKey;
use rossby_schemas::ids::DeviceId;
use rossby_schemas::time::Timestamp;
use sqlx::SqliteConnection;

use super::wrapping_keys::WrappingKey;
use super::{DAMAGED, Store, fixed, time};
use crate::error::ClientError;
use crate::vault::Vault;

const SECRET: &str = "link secret";
const SIGNING_KEY: &str = "linking signing key";
pub(super) const SEALING_KEY: &str = "linking sealing key";

/// A device that is to be linked.
#[derive(Debug)]
pub(crate) struct Linking {
    pub(crate) secret: LinkSecret,
    pub(crate) device_id: DeviceId,
    pub(crate) signing_key: SigningKey,
    pub(crate) sealing_key: SealingSecretKey,
    /// What wraps the sealing key.
    pub(crate) wrapping_key: WrappingKey,
    pub(crate) name: String,
    pub(crate) created_at: Timestamp,
}

impl Store {
    /// The link that this home waits for, if any.
    pub(crate) async fn linking(&self, vault: &Vault) -> Result<Option<Linking>, ClientError> {
        type Row = (Vec<u8>, Vec<u8>, Vec<u8>, Vec<u8>, Option<Vec<u8>>, String, i64);
        let row: Option<Row> = sqlx::query_as(
            "select secret, device_id, signing_key, sealing_key, wrapping_key, name, created_at from linking",
        )
        .fetch_optional(&self.pool)
        .await?;
        let Some((secret, device_id, signing_key, sealing_key, wrapping_key, name, created_at)) = row else {
            return Ok(None);
        };
        let Some(wrapping_key) = self.wrapping_key(vault, &wrapping_key.ok_or(DAMAGED)?).await? else {
            return Ok(None);
        };
        let sealing_key = wrapping_key.open(vault, SEALING_KEY, &sealing_key)?;
        let opened = |label: &str, sealed: &[u8]| vault.open(label, sealed);
        let secret = opened(SECRET, &secret)?;
        let seed = opened(SIGNING_KEY, &signing_key)?;
        Ok(Some(Linking {
            secret: LinkSecret::from_bytes(secret.as_slice().try_into().map_err(|_| DAMAGED)?),
            device_id: DeviceId::from_bytes(fixed(&device_id)?),
            signing_key: SigningKey::from_seed(seed.as_slice().try_into().map_err(|_| DAMAGED)?),
            sealing_key: SealingSecretKey::from_bytes(&sealing_key).map_err(|_| DAMAGED)?,
            wrapping_key,
            name,
            created_at: time(created_at)?,
        }))
    }
}

/// Keeps a link that is to be waited for, in place of one before.
pub(crate) async fn keep_linking(
    connection: &mut SqliteConnection,
    vault: &Vault,
    linking: &Linking,
) -> Result<(), ClientError> {
    forget_linking(connection).await?;
    sqlx::query(
        "insert into linking (one, secret, device_id, signing_key, sealing_key, wrapping_key, name, created_at)
         values (1, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(vault.seal(SECRET, linking.secret.as_bytes()))
    .bind(linking.device_id.as_bytes().as_slice())
    .bind(vault.seal(SIGNING_KEY, linking.signing_key.to_seed().as_slice()))
    .bind(linking.wrapping_key.seal(vault, SEALING_KEY, linking.sealing_key.to_bytes().as_slice()))
    .bind(linking.wrapping_key.id.as_bytes().as_slice())
    .bind(&linking.name)
    .bind(linking.created_at.signed_millis())
    .execute(connection)
    .await?;
    Ok(())
}

/// The link has come about, or never will.
pub(crate) async fn forget_linking(connection: &mut SqliteConnection) -> Result<(), ClientError> {
    let forgotten = sqlx::query("delete from linking").execute(&mut *connection).await?;
    if forgotten.rows_affected() > 0 { super::scrub_later(connection).await } else { Ok(()) }
}

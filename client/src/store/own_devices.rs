//! The box's own devices: their names, and what the person was told of their coming and going.

use std::collections::HashMap;

use rossby_schemas::ids::DeviceId;
use rossby_schemas::time::Timestamp;
use sqlx::SqliteConnection;

use super::{DAMAGED, fixed, time};
use crate::error::ClientError;
use crate::vault::Vault;

fn label(device: DeviceId) -> String {
    format!("device name {device}")
}

/// What the devices are called, and since when.
pub(crate) async fn names(
    connection: &mut SqliteConnection,
    vault: &Vault,
) -> Result<HashMap<DeviceId, (String, Timestamp)>, ClientError> {
    let rows: Vec<(Vec<u8>, Vec<u8>, i64)> =
        sqlx::query_as("select device_id, name, named_at from device_names").fetch_all(connection).await?;
    let read = |(device, name, named_at): (Vec<u8>, Vec<u8>, i64)| {
        let device = DeviceId::from_bytes(fixed(&device)?);
        let name = String::from_utf8(vault.open(&label(device), &name)?.to_vec()).map_err(|_| DAMAGED)?;
        Ok((device, (name, time(named_at)?)))
    };
    rows.into_iter().map(read).collect()
}

/// Names a device. The latest name counts, whatever the order in which they come; of two at one time, the greater.
pub(crate) async fn name(
    connection: &mut SqliteConnection,
    vault: &Vault,
    device: DeviceId,
    name: &str,
    named_at: Timestamp,
) -> Result<(), ClientError> {
    let known = names(connection, vault).await?.remove(&device);
    if known.is_some_and(|(known, at)| (at, known.as_str()) >= (named_at, name)) {
        return Ok(());
    }
    sqlx::query(
        "insert into device_names (device_id, name, named_at) values (?, ?, ?)
         on conflict (device_id) do update set name = excluded.name, named_at = excluded.named_at",
    )
    .bind(device.as_bytes().as_slice())
    .bind(vault.seal(&label(device), name.as_bytes()))
    .bind(named_at.signed_millis())
    .execute(connection)
    .await?;
    Ok(())
}

/// The version of the own key record of which the person was told.
pub(crate) async fn told_version(connection: &mut SqliteConnection) -> Result<u32, ClientError> {
    let found: Option<u32> = sqlx::query_scalar("select told_version from device").fetch_optional(connection).await?;
    Ok(found.unwrap_or(1))
}

pub(crate) async fn set_told_version(connection: &mut SqliteConnection, version: u32) -> Result<(), ClientError> {
    sqlx::query("update device set told_version = ?1 where told_version < ?1")
        .bind(version)
        .execute(connection)
        .await?;
    Ok(())
}

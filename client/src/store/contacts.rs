//! Contacts, and which identifier led to which box.

use rossby_schemas::identifier::Identifier;
use rossby_schemas::ids::{BoxId, DeviceId};
use rossby_schemas::time::Timestamp;
use sqlx::SqliteConnection;

use super::{fixed, time};
use crate::error::ClientError;

/// The box that an identifier led to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Pin {
    pub(crate) box_id: BoxId,
    pub(crate) changed_to: Option<BoxId>,
}

pub(crate) async fn pin(
    connection: &mut SqliteConnection,
    identifier: &Identifier,
) -> Result<Option<Pin>, ClientError> {
    let row: Option<(Vec<u8>, Option<Vec<u8>>)> =
        sqlx::query_as("select box_id, changed_to from pins where identifier = ?")
            .bind(identifier.as_uri())
            .fetch_optional(connection)
            .await?;
    row.map(|(box_id, changed_to)| {
        let changed_to = changed_to.map(|octets| fixed(&octets).map(BoxId::from_bytes)).transpose()?;
        Ok(Pin { box_id: BoxId::from_bytes(fixed(&box_id)?), changed_to })
    })
    .transpose()
}

pub(crate) async fn set_pin(
    connection: &mut SqliteConnection,
    identifier: &Identifier,
    pin: Pin,
) -> Result<(), ClientError> {
    sqlx::query(
        "insert into pins (identifier, box_id, changed_to) values (?, ?, ?)
         on conflict (identifier) do update set box_id = excluded.box_id, changed_to = excluded.changed_to",
    )
    .bind(identifier.as_uri())
    .bind(pin.box_id.as_bytes().as_slice())
    .bind(pin.changed_to.as_ref().map(|box_id| box_id.as_bytes().as_slice()))
    .execute(connection)
    .await?;
    Ok(())
}

/// When this device last asked where an identifier leads.
pub(crate) async fn asked_for(
    connection: &mut SqliteConnection,
    identifier: &Identifier,
) -> Result<Option<Timestamp>, ClientError> {
    let found: Option<Option<i64>> = sqlx::query_scalar("select looked_up_at from pins where identifier = ?")
        .bind(identifier.as_uri())
        .fetch_optional(connection)
        .await?;
    found.flatten().map(time).transpose()
}

/// This device has just asked where a pinned identifier leads.
pub(crate) async fn set_asked_for(
    connection: &mut SqliteConnection,
    identifier: &Identifier,
    now: Timestamp,
) -> Result<(), ClientError> {
    sqlx::query("update pins set looked_up_at = ? where identifier = ?")
        .bind(now.signed_millis())
        .bind(identifier.as_uri())
        .execute(connection)
        .await?;
    Ok(())
}

/// An identifier leads elsewhere than to this box from now on, and the person has accepted that.
pub(crate) async fn leave(
    connection: &mut SqliteConnection,
    identifier: &Identifier,
    box_id: BoxId,
    now: Timestamp,
) -> Result<(), ClientError> {
    sqlx::query(
        "insert into former_pins (box_id, identifier, left_at) values (?, ?, ?)
         on conflict (box_id, identifier) do update set left_at = excluded.left_at",
    )
    .bind(box_id.as_bytes().as_slice())
    .bind(identifier.as_uri())
    .bind(now.signed_millis())
    .execute(connection)
    .await?;
    Ok(())
}

/// The identifiers that led to a box until the person accepted that they lead elsewhere, the last one first, and when that was: none
/// if one is pinned to it.
pub(crate) async fn left(
    connection: &mut SqliteConnection,
    box_id: BoxId,
) -> Result<Vec<(String, Timestamp)>, ClientError> {
    let rows: Vec<(String, i64)> = sqlx::query_as(
        "select identifier, left_at from former_pins where box_id = ?1
             and not exists (select 1 from pins where box_id = ?1)
         order by left_at desc, identifier",
    )
    .bind(box_id.as_bytes().as_slice())
    .fetch_all(connection)
    .await?;
    rows.into_iter().map(|(identifier, at)| Ok((identifier, time(at)?))).collect()
}

/// Every identifier that was looked up, and the box that it led to, but for those that lead elsewhere now.
pub(crate) async fn pins(connection: &mut SqliteConnection) -> Result<Vec<(String, BoxId)>, ClientError> {
    let rows: Vec<(String, Vec<u8>)> =
        sqlx::query_as("select identifier, box_id from pins where changed_to is null order by identifier")
            .fetch_all(connection)
            .await?;
    rows.into_iter().map(|(identifier, box_id)| Ok((identifier, BoxId::from_bytes(fixed(&box_id)?)))).collect()
}

/// Where a box's identifier leads now, if every identifier that led to the box leads elsewhere.
pub(crate) async fn moved(
    connection: &mut SqliteConnection,
    box_id: BoxId,
) -> Result<Option<(String, BoxId)>, ClientError> {
    let row: Option<(String, Vec<u8>)> = sqlx::query_as(
        "select identifier, changed_to from pins where box_id = ?1 and changed_to is not null
             and not exists (select 1 from pins where box_id = ?1 and changed_to is null)
         order by identifier limit 1",
    )
    .bind(box_id.as_bytes().as_slice())
    .fetch_optional(connection)
    .await?;
    row.map(|(identifier, found)| Ok((identifier, BoxId::from_bytes(fixed(&found)?)))).transpose()
}

/// The identifiers that are pinned to a box, wherever they lead now.
pub(crate) async fn pinned_to(connection: &mut SqliteConnection, box_id: BoxId) -> Result<Vec<String>, ClientError> {
    let found = sqlx::query_scalar("select identifier from pins where box_id = ? order by identifier")
        .bind(box_id.as_bytes().as_slice())
        .fetch_all(connection)
        .await?;
    Ok(found)
}

/// Whether an identifier is pinned to a box, wherever it leads now.
pub(crate) async fn is_pinned(connection: &mut SqliteConnection, box_id: BoxId) -> Result<bool, ClientError> {
    let found = sqlx::query_scalar("select exists (select 1 from pins where box_id = ?)")
        .bind(box_id.as_bytes().as_slice())
        .fetch_one(connection)
        .await?;
    Ok(found)
}

/// The identifiers that lead to a box by this device's own look-ups.
pub(crate) async fn identifiers_of(
    connection: &mut SqliteConnection,
    box_id: BoxId,
) -> Result<Vec<String>, ClientError> {
    let found =
        sqlx::query_scalar("select identifier from pins where box_id = ? and changed_to is null order by identifier")
            .bind(box_id.as_bytes().as_slice())
            .fetch_all(connection)
            .await?;
    Ok(found)
}

/// When a box was last looked up.
pub(crate) async fn looked_up_at(
    connection: &mut SqliteConnection,
    box_id: BoxId,
) -> Result<Option<Timestamp>, ClientError> {
    let found: Option<Option<i64>> = sqlx::query_scalar("select looked_up_at from contacts where box_id = ?")
        .bind(box_id.as_bytes().as_slice())
        .fetch_optional(connection)
        .await?;
    found.flatten().map(time).transpose()
}

pub(crate) async fn set_looked_up(
    connection: &mut SqliteConnection,
    box_id: BoxId,
    now: Timestamp,
) -> Result<(), ClientError> {
    sqlx::query(
        "insert into contacts (box_id, looked_up_at) values (?, ?)
         on conflict (box_id) do update set looked_up_at = excluded.looked_up_at",
    )
    .bind(box_id.as_bytes().as_slice())
    .bind(now.signed_millis())
    .execute(connection)
    .await?;
    Ok(())
}

/// The version of this box's own record that all these devices of a box are known to have; 0 if one has none.
pub(crate) async fn known_by_all(
    connection: &mut SqliteConnection,
    box_id: BoxId,
    devices: &[DeviceId],
) -> Result<u32, ClientError> {
    let known: Vec<(Vec<u8>, u32)> = sqlx::query_as("select device_id, version from known_by where box_id = ?")
        .bind(box_id.as_bytes().as_slice())
        .fetch_all(connection)
        .await?;
    let by =
        |device: &DeviceId| known.iter().find(|(id, _)| id == device.as_bytes()).map_or(0, |(_, version)| *version);
    Ok(devices.iter().map(by).min().unwrap_or_default())
}

/// A device of a box has named this version of the own record.
pub(crate) async fn set_known_by(
    connection: &mut SqliteConnection,
    (box_id, device): (BoxId, DeviceId),
    version: u32,
) -> Result<(), ClientError> {
    sqlx::query(
        "insert into known_by (box_id, device_id, version) values (?, ?, ?)
         on conflict (box_id, device_id) do update set version = max(version, excluded.version)",
    )
    .bind(box_id.as_bytes().as_slice())
    .bind(device.as_bytes().as_slice())
    .bind(version)
    .execute(connection)
    .await?;
    Ok(())
}

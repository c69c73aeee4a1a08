//! Key records, as far as they were verified, and what contradicted them.

use rossby_crypto::key_record::{KeyRecord, VerifiedSealingStatement};
use rossby_schemas::encoding::Octets;
use rossby_schemas::ids::BoxId;
use rossby_schemas::time::Timestamp;
use sqlx::SqliteConnection;

use super::octets;
use crate::error::ClientError;
use crate::vault::Vault;

/// The record that is known of a box.
pub(crate) async fn key_record(
    connection: &mut SqliteConnection,
    box_id: BoxId,
) -> Result<Option<KeyRecord>, ClientError> {
    let statements: Vec<Vec<u8>> =
        sqlx::query_scalar("select statement from membership_statements where box_id = ? order by version")
            .bind(box_id.as_bytes().as_slice())
            .fetch_all(connection)
            .await?;
    if statements.is_empty() {
        return Ok(None);
    }
    let statements: Vec<Octets> = statements.into_iter().map(octets).collect();
    let record = KeyRecord::verify_of(box_id, &statements);
    record.map(Some).map_err(|_| ClientError::DamagedStore("a key record does not verify"))
}

/// The record of this device's own box, which is there since it was founded.
pub(crate) async fn own_record(connection: &mut SqliteConnection, box_id: BoxId) -> Result<KeyRecord, ClientError> {
    key_record(connection, box_id).await?.ok_or(ClientError::NotRegistered)
}

/// Keeps a record. Gives false, and keeps nothing, if it contradicts the one that is known by now.
pub(crate) async fn keep_record(connection: &mut SqliteConnection, record: &KeyRecord) -> Result<bool, ClientError> {
    let box_id = record.box_id();
    let known: Vec<Vec<u8>> =
        sqlx::query_scalar("select statement from membership_statements where box_id = ? order by version")
            .bind(box_id.as_bytes().as_slice())
            .fetch_all(&mut *connection)
            .await?;
    if known.iter().zip(record.statements()).any(|(known, shown)| known.as_slice() != shown.as_slice()) {
        return Ok(false);
    }
    for (statement, version) in record.statements().iter().zip(1_i64..).skip(known.len()) {
        sqlx::query("insert into membership_statements (box_id, version, statement) values (?, ?, ?)")
            .bind(box_id.as_bytes().as_slice())
            .bind(version)
            .bind(statement.as_slice())
            .execute(&mut *connection)
            .await?;
    }
    Ok(true)
}

/// The sealing statements that are known of a box's devices; those of devices that were removed since are left out.
pub(crate) async fn sealing_statements(
    connection: &mut SqliteConnection,
    record: &KeyRecord,
) -> Result<Vec<VerifiedSealingStatement>, ClientError> {
    let statements: Vec<Vec<u8>> = sqlx::query_scalar("select statement from sealing_statements where box_id = ?")
        .bind(record.box_id().as_bytes().as_slice())
        .fetch_all(connection)
        .await?;
    Ok(statements.into_iter().filter_map(|statement| record.verify_sealing(&octets(statement), None).ok()).collect())
}

/// Keeps a sealing statement, which must be newer than the one that is known of its device.
pub(crate) async fn keep_sealing_statement(
    connection: &mut SqliteConnection,
    statement: &VerifiedSealingStatement,
) -> Result<(), ClientError> {
    let content = statement.content();
    sqlx::query(
        "insert into sealing_statements (box_id, device_id, statement) values (?, ?, ?)
         on conflict (box_id, device_id) do update set statement = excluded.statement",
    )
    .bind(content.box_id.as_bytes().as_slice())
    .bind(content.device_id.as_bytes().as_slice())
    .bind(statement.octets().as_slice())
    .execute(connection)
    .await?;
    Ok(())
}

/// Whether the box was ever shown with contradicting records.
pub(crate) async fn is_forked(connection: &mut SqliteConnection, box_id: BoxId) -> Result<bool, ClientError> {
    let found = sqlx::query_scalar("select exists (select 1 from forks where box_id = ?)")
        .bind(box_id.as_bytes().as_slice())
        .fetch_one(connection)
        .await?;
    Ok(found)
}

/// Keeps what contradicted the known record: the other statements, or a signed message that names another head.
pub(crate) async fn keep_fork(
    connection: &mut SqliteConnection,
    vault: &Vault,
    box_id: BoxId,
    evidence: &[&[u8]],
    now: Timestamp,
) -> Result<(), ClientError> {
    // A hostile server could fill the store with them; the first few say it all.
    sqlx::query(
        "insert into forks (box_id, seen_at, evidence) select ?1, ?2, ?3
         where (select count(*) from forks where box_id = ?1) < 8",
    )
    .bind(box_id.as_bytes().as_slice())
    .bind(now.signed_millis())
    .bind(vault.seal(&format!("fork {box_id}"), &evidence.concat()))
    .execute(connection)
    .await?;
    Ok(())
}

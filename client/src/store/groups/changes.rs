//! The changes of a group: those that were taken, in an order in which parents come first, and those that wait.

use rossby_crypto::group::{GroupId, SignedChange, VerifiedChange};
use rossby_crypto::layout::{Reader, Writer};
use rossby_schemas::encoding::{Octets, Sha256Digest};
use rossby_schemas::ids::DeviceId;
use rossby_schemas::time::Timestamp;
use sqlx::{AssertSqlSafe, SqliteConnection};
use uuid::Uuid;

use crate::error::ClientError;
use crate::store::{DAMAGED, fixed, number, signed};
use crate::vault::Vault;

/// How many changes of a group wait at most; the oldest go.
const MAX_WAITING: u32 = 1024;

/// A change as it is kept: with what its author's key record said, and whether the author was an admin as heir.
pub(crate) type KeptChange = (VerifiedChange, bool);

/// More than any device needs: a change, the devices that its author ever removed, an octet.
const MAX_KEPT_OCTETS: usize = 64 * 1024;

fn write((change, is_by_heir): &KeptChange) -> Vec<u8> {
    let mut writer = Writer::new();
    writer.u8(u8::from(*is_by_heir)).variable(change.signed().octets().as_slice());
    writer.count(change.removed_devices().len());
    change.removed_devices().iter().for_each(|device| {
        writer.fixed(device.as_bytes());
    });
    writer.finish()
}

fn read(octets: &[u8]) -> Result<KeptChange, ClientError> {
    let parse = || {
        let mut reader = Reader::new(octets, MAX_KEPT_OCTETS)?;
        let is_by_heir = reader.u8()? == 1;
        let change = SignedChange::parse(&Octets::from(reader.variable(MAX_KEPT_OCTETS)?))?;
        let count = reader.count(MAX_KEPT_OCTETS)?;
        let removed = (0..count).map(|_| reader.fixed().map(DeviceId::from_bytes)).collect::<Result<_, _>>()?;
        reader.finish()?;
        Ok::<_, rossby_crypto::layout::LayoutError>((VerifiedChange::kept(change, removed), is_by_heir))
    };
    parse().map_err(|_| DAMAGED)
}

fn label(id: GroupId, place: usize) -> String {
    format!("group change {id} {place}")
}

/// How many changes of a group were taken.
pub(crate) async fn count(connection: &mut SqliteConnection, id: GroupId) -> Result<usize, ClientError> {
    let count: i64 = sqlx::query_scalar("select count(*) from group_changes where group_id = ?")
        .bind(id.as_bytes().as_slice())
        .fetch_one(connection)
        .await?;
    usize::try_from(count).map_err(|_| DAMAGED)
}

/// What tells one state of a group's changes from all others.
pub(crate) type GroupVersion = Option<[u8; 16]>;

/// The version of a group's changes.
pub(crate) async fn version(connection: &mut SqliteConnection, id: GroupId) -> Result<GroupVersion, ClientError> {
    let version: Option<Option<Vec<u8>>> = sqlx::query_scalar("select version from groups where group_id = ?")
        .bind(id.as_bytes().as_slice())
        .fetch_optional(connection)
        .await?;
    version.flatten().map(|version| fixed(&version)).transpose()
}

/// A group's changes are another version from now on.
pub(crate) async fn set_version(
    connection: &mut SqliteConnection,
    id: GroupId,
    version: GroupVersion,
) -> Result<(), ClientError> {
    sqlx::query("update groups set version = ? where group_id = ?")
        .bind(version.as_ref().map(<[u8; 16]>::as_slice))
        .bind(id.as_bytes().as_slice())
        .execute(connection)
        .await?;
    Ok(())
}

/// The changes of a group that were taken, and when each came.
pub(crate) async fn changes(
    connection: &mut SqliteConnection,
    vault: &Vault,
    id: GroupId,
) -> Result<Vec<(KeptChange, Timestamp)>, ClientError> {
    let rows: Vec<(Vec<u8>, i64)> =
        sqlx::query_as("select change, taken_at from group_changes where group_id = ? order by place")
            .bind(id.as_bytes().as_slice())
            .fetch_all(connection)
            .await?;
    let open = |(place, (sealed, taken_at)): (usize, (Vec<u8>, i64))| {
        Ok((read(&vault.open(&label(id, place), &sealed)?)?, crate::store::time(taken_at)?))
    };
    rows.into_iter().enumerate().map(open).collect()
}

/// Adds a change in its place.
pub(crate) async fn add_change(
    connection: &mut SqliteConnection,
    vault: &Vault,
    id: GroupId,
    (place, change): (usize, &KeptChange),
    now: Timestamp,
) -> Result<(), ClientError> {
    sqlx::query("insert into group_changes (group_id, place, change, taken_at) values (?, ?, ?, ?)")
        .bind(id.as_bytes().as_slice())
        .bind(signed(place as u64))
        .bind(vault.seal(&label(id, place), &write(change)))
        .bind(now.signed_millis())
        .execute(connection)
        .await?;
    Ok(())
}

fn waiting_label(id: GroupId, hash: Sha256Digest) -> String {
    format!("waiting group change {id} {hash}")
}

/// Keeps a change that can't be taken yet.
pub(crate) async fn put_off(
    connection: &mut SqliteConnection,
    vault: &Vault,
    change: &SignedChange,
    now: Timestamp,
) -> Result<(), ClientError> {
    let id = change.group_id();
    sqlx::query(
        "insert into group_changes_waiting (group_id, hash, change, came_at) values (?, ?, ?, ?) on conflict do nothing",
    )
    .bind(id.as_bytes().as_slice())
    .bind(change.hash().as_slice())
    .bind(vault.seal(&waiting_label(id, change.hash()), change.octets().as_slice()))
    .bind(now.signed_millis())
    .execute(&mut *connection)
    .await?;
    sqlx::query(
        "delete from group_changes_waiting where group_id = ?1 and id <= (
             select id from group_changes_waiting where group_id = ?1 order by id desc limit 1 offset ?2
         )",
    )
    .bind(id.as_bytes().as_slice())
    .bind(MAX_WAITING)
    .execute(connection)
    .await?;
    Ok(())
}

/// The changes of a group that wait.
pub(crate) async fn put_off_of(
    connection: &mut SqliteConnection,
    vault: &Vault,
    id: GroupId,
) -> Result<Vec<SignedChange>, ClientError> {
    let rows: Vec<(Vec<u8>, Vec<u8>)> =
        sqlx::query_as("select hash, change from group_changes_waiting where group_id = ? order by id")
            .bind(id.as_bytes().as_slice())
            .fetch_all(connection)
            .await?;
    let open = |(hash, sealed): (Vec<u8>, Vec<u8>)| {
        let octets = vault.open(&waiting_label(id, crate::store::digest(&hash)?), &sealed)?;
        SignedChange::parse(&Octets::from(octets.as_slice())).map_err(|_| DAMAGED)
    };
    rows.into_iter().map(open).collect()
}

/// Whether a change waits.
pub(crate) async fn waits(
    connection: &mut SqliteConnection,
    id: GroupId,
    hash: Sha256Digest,
) -> Result<bool, ClientError> {
    let waits = "select exists (select 1 from group_changes_waiting where group_id = ? and hash = ?)";
    let waits = sqlx::query_scalar(waits).bind(id.as_bytes().as_slice()).bind(hash.as_slice());
    Ok(waits.fetch_one(connection).await?)
}

/// A change was taken, or refused.
pub(crate) async fn waits_no_more(
    connection: &mut SqliteConnection,
    id: GroupId,
    hash: Sha256Digest,
) -> Result<(), ClientError> {
    sqlx::query("delete from group_changes_waiting where group_id = ? and hash = ?")
        .bind(id.as_bytes().as_slice())
        .bind(hash.as_slice())
        .execute(connection)
        .await?;
    Ok(())
}

/// How many octets the changes take, those that wait too, of groups that the person takes no part in.
pub(crate) async fn unanswered_octets(connection: &mut SqliteConnection) -> Result<u64, ClientError> {
    let octets: i64 = sqlx::query_scalar(
        "select coalesce(sum(octets), 0) from (
             select length(change) as octets from groups join group_changes using (group_id) where standing <> 'joined'
             union all
             select length(change) from groups join group_changes_waiting using (group_id) where standing <> 'joined'
         )",
    )
    .fetch_one(connection)
    .await?;
    number(octets)
}

/// Erases the changes of a group, and what waits for others.
pub(crate) async fn erase_changes(connection: &mut SqliteConnection, id: GroupId) -> Result<(), ClientError> {
    for table in ["group_changes", "group_changes_waiting", "group_messages_waiting"] {
        sqlx::query(AssertSqlSafe(format!("delete from {table} where group_id = ?")))
            .bind(id.as_bytes().as_slice())
            .execute(&mut *connection)
            .await?;
    }
    set_version(connection, id, None).await
}

/// The groups that were declined and of which changes came all the same, the last of them before this.
pub(crate) async fn declined_with_changes(
    connection: &mut SqliteConnection,
    before: Timestamp,
) -> Result<Vec<GroupId>, ClientError> {
    let rows: Vec<Vec<u8>> = sqlx::query_scalar(
        "select group_id from (
             select group_id, taken_at as came_at from groups join group_changes using (group_id) where standing = 'declined'
             union all
             select group_id, came_at from groups join group_changes_waiting using (group_id) where standing = 'declined'
         ) group by group_id having max(came_at) < ?",
    )
    .bind(before.signed_millis())
    .fetch_all(connection)
    .await?;
    rows.iter().map(|id| Ok(GroupId(Uuid::from_bytes(fixed(id)?)))).collect()
}

/// The groups in which the person takes part and of which changes wait.
pub(crate) async fn joined_with_waiting_changes(
    connection: &mut SqliteConnection,
) -> Result<Vec<GroupId>, ClientError> {
    let rows: Vec<Vec<u8>> = sqlx::query_scalar(
        "select distinct group_id from groups join group_changes_waiting using (group_id) where standing = 'joined' order by 1",
    )
    .fetch_all(connection)
    .await?;
    rows.iter().map(|id| Ok(GroupId(Uuid::from_bytes(fixed(id)?)))).collect()
}

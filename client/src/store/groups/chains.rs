//! Which messages of a group are here, which others have seen, and which are missing.

use rossby_crypto::group::{GroupId, SeenMessage};
use rossby_schemas::encoding::Sha256Digest;
use rossby_schemas::ids::{BoxId, DeviceId};
use rossby_schemas::time::Timestamp;
use sqlx::SqliteConnection;
use uuid::Uuid;

use crate::error::ClientError;
use crate::store::messages::{At, Chain, link};
use crate::store::{digest, fixed, number, signed};
use crate::vault::Vault;

/// How many missing messages of a group are known at most.
const MAX_MISSING: u32 = 2000;

/// A message of a device in a group is here.
pub(crate) async fn note_message(
    connection: &mut SqliteConnection,
    chain: Chain,
    sequence: u64,
) -> Result<(), ClientError> {
    sqlx::query(
        "insert into group_chains (group_id, sender, device, last) values (?, ?, ?, ?)
         on conflict (group_id, sender, device) do update set last = max(last, excluded.last)",
    )
    .bind(chain.conversation.as_bytes().as_slice())
    .bind(chain.sender.as_bytes().as_slice())
    .bind(chain.device.as_bytes().as_slice())
    .bind(signed(sequence))
    .execute(connection)
    .await?;
    Ok(())
}

/// A message that is here, or goes out, refers to this one.
pub(crate) async fn note_reference(
    connection: &mut SqliteConnection,
    chain: Chain,
    sequence: u64,
) -> Result<(), ClientError> {
    sqlx::query(
        "insert into group_chains (group_id, sender, device, referred) values (?, ?, ?, ?)
         on conflict (group_id, sender, device) do update set referred = max(referred, excluded.referred)",
    )
    .bind(chain.conversation.as_bytes().as_slice())
    .bind(chain.sender.as_bytes().as_slice())
    .bind(chain.device.as_bytes().as_slice())
    .bind(signed(sequence))
    .execute(connection)
    .await?;
    Ok(())
}

/// No message refers to this one.
pub(crate) async fn unnote_reference(
    connection: &mut SqliteConnection,
    chain: Chain,
    sequence: u64,
) -> Result<(), ClientError> {
    sqlx::query(
        "update group_chains set referred = min(referred, ? - 1) where group_id = ? and sender = ? and device = ?",
    )
    .bind(signed(sequence))
    .bind(chain.conversation.as_bytes().as_slice())
    .bind(chain.sender.as_bytes().as_slice())
    .bind(chain.device.as_bytes().as_slice())
    .execute(connection)
    .await?;
    Ok(())
}

/// The last message of each other device in a group that no message refers to, `limit` at most.
pub(crate) async fn frontier(
    connection: &mut SqliteConnection,
    vault: &Vault,
    id: GroupId,
    own: (BoxId, DeviceId),
    limit: usize,
) -> Result<Vec<SeenMessage>, ClientError> {
    let rows: Vec<(Vec<u8>, Vec<u8>, i64)> = sqlx::query_as(
        "select sender, device, last from group_chains
         where group_id = ? and last > referred and not (sender = ? and device = ?) order by sender, device limit ?",
    )
    .bind(id.as_bytes().as_slice())
    .bind(own.0.as_bytes().as_slice())
    .bind(own.1.as_bytes().as_slice())
    .bind(signed(limit as u64))
    .fetch_all(&mut *connection)
    .await?;
    let mut seen = Vec::with_capacity(rows.len());
    for (sender, device, last) in rows {
        let (sender, device) = (BoxId::from_bytes(fixed(&sender)?), DeviceId::from_bytes(fixed(&device)?));
        let (chain, sequence) = (Chain { sender, device, conversation: id.0 }, number(last)?);
        if let Some(link) = link(connection, vault, chain, At::Exactly(sequence)).await? {
            seen.push(SeenMessage { sender, device, sequence, hash: link.hash });
        }
    }
    Ok(seen)
}

/// A message that somebody refers to and that has not come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Missing {
    pub(crate) message: SeenMessage,
    /// Who refers to it.
    pub(crate) by: BoxId,
}

fn missing_label(id: GroupId, by: BoxId, message: &SeenMessage) -> String {
    format!("missing {id} {} {} {} {by}", message.sender, message.device, message.sequence)
}

/// Keeps that a message is missing; `is_expected` if this box should have it.
pub(crate) async fn keep_missing(
    connection: &mut SqliteConnection,
    vault: &Vault,
    id: GroupId,
    missing: &Missing,
    is_expected: bool,
    now: Timestamp,
) -> Result<(), ClientError> {
    let Missing { message, by } = missing;
    sqlx::query(
        "insert into group_messages_missing (group_id, sender, device, sequence, by, hash, since, told)
         select ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8
         where (select count(*) from group_messages_missing where group_id = ?1) < ?9
         on conflict do nothing",
    )
    .bind(id.as_bytes().as_slice())
    .bind(message.sender.as_bytes().as_slice())
    .bind(message.device.as_bytes().as_slice())
    .bind(signed(message.sequence))
    .bind(by.as_bytes().as_slice())
    .bind(vault.seal(&missing_label(id, *by, message), message.hash.as_slice()))
    .bind(now.signed_millis())
    .bind(!is_expected)
    .bind(MAX_MISSING)
    .execute(connection)
    .await?;
    Ok(())
}

/// What others said of a message that was missing: who, and under which hash.
pub(crate) async fn missing_at(
    connection: &mut SqliteConnection,
    vault: &Vault,
    chain: Chain,
    sequence: u64,
) -> Result<Vec<(BoxId, Sha256Digest)>, ClientError> {
    let id = GroupId(chain.conversation);
    let rows: Vec<(Vec<u8>, Vec<u8>)> = sqlx::query_as(
        "select by, hash from group_messages_missing
         where group_id = ? and sender = ? and device = ? and sequence = ? order by by",
    )
    .bind(id.as_bytes().as_slice())
    .bind(chain.sender.as_bytes().as_slice())
    .bind(chain.device.as_bytes().as_slice())
    .bind(signed(sequence))
    .fetch_all(connection)
    .await?;
    let (sender, device) = (chain.sender, chain.device);
    let open = |(by, sealed): (Vec<u8>, Vec<u8>)| {
        let by = BoxId::from_bytes(fixed(&by)?);
        let place = SeenMessage { sender, device, sequence, hash: Sha256Digest::from([0; 32]) };
        Ok((by, digest(&vault.open(&missing_label(id, by, &place), &sealed)?)?))
    };
    rows.into_iter().map(open).collect()
}

/// A message that was missing is here.
pub(crate) async fn forget_missing(
    connection: &mut SqliteConnection,
    chain: Chain,
    sequence: u64,
) -> Result<(), ClientError> {
    sqlx::query("delete from group_messages_missing where group_id = ? and sender = ? and device = ? and sequence = ?")
        .bind(chain.conversation.as_bytes().as_slice())
        .bind(chain.sender.as_bytes().as_slice())
        .bind(chain.device.as_bytes().as_slice())
        .bind(signed(sequence))
        .execute(connection)
        .await?;
    Ok(())
}

/// How many messages of each author have been missing since before this, of which the person was not told.
pub(crate) async fn untold_missing(
    connection: &mut SqliteConnection,
    before: Timestamp,
) -> Result<Vec<(GroupId, BoxId, u64)>, ClientError> {
    let rows: Vec<(Vec<u8>, Vec<u8>, i64)> = sqlx::query_as(
        "select group_id, sender, count(distinct device || sequence) from group_messages_missing
         where told = 0 and since < ? group by group_id, sender",
    )
    .bind(before.signed_millis())
    .fetch_all(connection)
    .await?;
    let read = |(id, sender, count): (Vec<u8>, Vec<u8>, i64)| {
        let id = GroupId(Uuid::from_bytes(fixed(&id)?));
        Ok((id, BoxId::from_bytes(fixed(&sender)?), number(count)?))
    };
    rows.into_iter().map(read).collect()
}

/// The person was told of all that has been missing since before this.
pub(crate) async fn told_missing(connection: &mut SqliteConnection, before: Timestamp) -> Result<(), ClientError> {
    sqlx::query("update group_messages_missing set told = 1 where told = 0 and since < ?")
        .bind(before.signed_millis())
        .execute(connection)
        .await?;
    Ok(())
}

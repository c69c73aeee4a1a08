//! What is kept of a group's messages beside what people read: what they name, and how they were signed.

use rossby_crypto::group::GroupContent;
use rossby_schemas::encoding::Octets;
use rossby_schemas::time::Timestamp;
use sqlx::SqliteConnection;

use crate::error::ClientError;
use crate::store::messages::Chain;
use crate::store::{DAMAGED, signed};
use crate::vault::Vault;

/// What a group's message says beside its body: a content with an empty one.
pub(crate) type Frame = GroupContent;

/// What is kept of a message.
#[derive(Debug, Clone)]
pub(crate) struct FrameRow {
    pub(crate) frame: Frame,
    /// As its sender signed it, while that is kept.
    pub(crate) signed: Option<Octets>,
    /// Whether its author was known to be removed when it came.
    pub(crate) is_late: bool,
}

fn frame_label(message: i64) -> String {
    format!("group frame {message}")
}

fn signed_label(message: i64) -> String {
    format!("group message {message}")
}

/// Keeps what a stored message says beside its body.
pub(crate) async fn keep_frame(
    connection: &mut SqliteConnection,
    vault: &Vault,
    message: i64,
    row: &FrameRow,
    now: Timestamp,
) -> Result<(), ClientError> {
    let frame = Frame { body: Octets::default(), ..row.frame.clone() }.to_octets().map_err(|_| DAMAGED)?;
    sqlx::query("insert into group_messages (message, frame, signed, came_at, late) values (?, ?, ?, ?, ?)")
        .bind(message)
        .bind(vault.seal(&frame_label(message), frame.as_slice()))
        .bind(row.signed.as_ref().map(|octets| vault.seal(&signed_label(message), octets.as_slice())))
        .bind(now.signed_millis())
        .bind(row.is_late)
        .execute(connection)
        .await?;
    Ok(())
}

/// What a stored message says beside its body; none for one that is of no group, or brings changes.
pub(crate) async fn frame(
    connection: &mut SqliteConnection,
    vault: &Vault,
    message: i64,
) -> Result<Option<FrameRow>, ClientError> {
    let row: Option<(Vec<u8>, Option<Vec<u8>>, bool)> =
        sqlx::query_as("select frame, signed, late from group_messages where message = ?")
            .bind(message)
            .fetch_optional(connection)
            .await?;
    row.map(|(frame, signed, is_late)| {
        let frame = vault.open(&frame_label(message), &frame)?;
        let frame = Frame::parse(&frame.as_slice().into()).map_err(|_| DAMAGED)?;
        let signed = signed.map(|sealed| vault.open(&signed_label(message), &sealed)).transpose()?;
        Ok(FrameRow { frame, signed: signed.map(|octets| octets.as_slice().into()), is_late })
    })
    .transpose()
}

/// Erases the signed forms of messages that came before this.
pub(crate) async fn erase_old_signatures(
    connection: &mut SqliteConnection,
    before: Timestamp,
) -> Result<(), ClientError> {
    sqlx::query("update group_messages set signed = null where signed is not null and came_at < ?")
        .bind(before.signed_millis())
        .execute(connection)
        .await?;
    Ok(())
}

/// The message of a chain with the highest number before this one, or the lowest after it, that has a frame, and the frame.
pub(crate) async fn chain_heads(
    connection: &mut SqliteConnection,
    vault: &Vault,
    chain: Chain,
    sequence: u64,
) -> Result<[Option<FrameRow>; 2], ClientError> {
    let mut found = [None, None];
    let queries = [
        "select m.id from messages m join group_messages g on g.message = m.id
         where m.sender = ? and m.sender_device = ? and m.conversation = ? and m.sequence < ?
         order by m.sequence desc limit 1",
        "select m.id from messages m join group_messages g on g.message = m.id
         where m.sender = ? and m.sender_device = ? and m.conversation = ? and m.sequence > ?
         order by m.sequence limit 1",
    ];
    for (query, found) in queries.into_iter().zip(&mut found) {
        let id: Option<i64> = sqlx::query_scalar(query)
            .bind(chain.sender.as_bytes().as_slice())
            .bind(chain.device.as_bytes().as_slice())
            .bind(chain.conversation.as_bytes().as_slice())
            .bind(signed(sequence))
            .fetch_optional(&mut *connection)
            .await?;
        if let Some(id) = id {
            *found = frame(connection, vault, id).await?;
        }
    }
    Ok(found)
}

/// The message in this place of a chain as its sender signed it, while that is kept.
pub(crate) async fn signed_at(
    connection: &mut SqliteConnection,
    vault: &Vault,
    chain: Chain,
    sequence: u64,
) -> Result<Option<Octets>, ClientError> {
    let id: Option<i64> = sqlx::query_scalar(
        "select m.id from messages m join group_messages g on g.message = m.id
         where m.sender = ? and m.sender_device = ? and m.conversation = ? and m.sequence = ?",
    )
    .bind(chain.sender.as_bytes().as_slice())
    .bind(chain.device.as_bytes().as_slice())
    .bind(chain.conversation.as_bytes().as_slice())
    .bind(signed(sequence))
    .fetch_optional(&mut *connection)
    .await?;
    match id {
        Some(id) => Ok(frame(connection, vault, id).await?.and_then(|row| row.signed)),
        None => Ok(None),
    }
}

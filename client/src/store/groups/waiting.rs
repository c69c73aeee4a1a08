//! Verified messages that wait for the changes of their group that they name.

use rossby_crypto::group::GroupId;
use rossby_crypto::message::SignedContent;
use rossby_schemas::ids::{BoxId, DeviceId};
use rossby_schemas::time::Timestamp;
use sqlx::SqliteConnection;
use uuid::Uuid;

use crate::error::ClientError;
use crate::store::messages::Chain;
use crate::store::{DAMAGED, fixed, number, signed, time};
use crate::vault::Vault;

/// How many messages of one sender wait in a group at most.
const MAX_WAITING_OF_SENDER: u32 = 200;
/// How many wait in it when one comes that is no member's, as far as is known: others can't take the members' places.
const MAX_WAITING: u32 = 2000;

/// A verified message that waits for changes.
#[derive(Debug)]
pub(crate) struct Waiting {
    pub(crate) signed: SignedContent,
    pub(crate) accepted_at: Timestamp,
    pub(crate) came_at: Timestamp,
    /// Whether the person was told that it waits for long.
    pub(crate) is_told: bool,
}

fn waiting_label(chain: Chain, sequence: u64) -> String {
    format!("waiting group message {} {} {} {sequence}", chain.conversation, chain.sender, chain.device)
}

fn place(signed: &SignedContent) -> (Chain, u64) {
    let content = signed.content();
    let (sender, device, conversation) = (content.sender, content.sender_device, content.conversation);
    (Chain { sender, device, conversation }, content.sequence)
}

/// Keeps a message until the changes come that it names. Gives the one that waits in its place already, if one does; the inner
/// error says that too many wait.
pub(crate) async fn keep_waiting(
    connection: &mut SqliteConnection,
    vault: &Vault,
    waiting: &Waiting,
    is_member: bool,
) -> Result<Result<Option<SignedContent>, &'static str>, ClientError> {
    let (chain, sequence) = place(&waiting.signed);
    let label = waiting_label(chain, sequence);
    let held: Option<Vec<u8>> = sqlx::query_scalar(
        "select signed from group_messages_waiting where group_id = ? and sender = ? and device = ? and sequence = ?",
    )
    .bind(chain.conversation.as_bytes().as_slice())
    .bind(chain.sender.as_bytes().as_slice())
    .bind(chain.device.as_bytes().as_slice())
    .bind(signed(sequence))
    .fetch_optional(&mut *connection)
    .await?;
    if let Some(held) = held {
        let octets = vault.open(&label, &held)?;
        return Ok(Ok(Some(SignedContent::parse(octets.as_slice().into()).map_err(|_| DAMAGED)?)));
    }
    let (all, of_sender): (u32, u32) = sqlx::query_as(
        "select count(*), count(*) filter (where sender = ?2) from group_messages_waiting where group_id = ?1",
    )
    .bind(chain.conversation.as_bytes().as_slice())
    .bind(chain.sender.as_bytes().as_slice())
    .fetch_one(&mut *connection)
    .await?;
    if of_sender >= MAX_WAITING_OF_SENDER || (!is_member && all >= MAX_WAITING) {
        return Ok(Err("too many messages of the group wait for changes that have not come"));
    }
    sqlx::query(
        "insert into group_messages_waiting (group_id, sender, device, sequence, accepted_at, came_at, told, signed)
         values (?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(chain.conversation.as_bytes().as_slice())
    .bind(chain.sender.as_bytes().as_slice())
    .bind(chain.device.as_bytes().as_slice())
    .bind(signed(sequence))
    .bind(waiting.accepted_at.signed_millis())
    .bind(waiting.came_at.signed_millis())
    .bind(waiting.is_told)
    .bind(vault.seal(&label, waiting.signed.octets().as_slice()))
    .execute(connection)
    .await?;
    Ok(Ok(None))
}

/// The groups of which messages wait for changes, and who wrote those.
pub(crate) async fn waiting_for_changes(
    connection: &mut SqliteConnection,
) -> Result<Vec<(GroupId, BoxId)>, ClientError> {
    let rows: Vec<(Vec<u8>, Vec<u8>)> =
        sqlx::query_as("select distinct group_id, sender from group_messages_waiting order by 1, 2")
            .fetch_all(connection)
            .await?;
    let read = |(id, sender): (Vec<u8>, Vec<u8>)| {
        Ok((GroupId(Uuid::from_bytes(fixed(&id)?)), BoxId::from_bytes(fixed(&sender)?)))
    };
    rows.into_iter().map(read).collect()
}

/// Takes the messages of a group that wait out of the store, in the order of their places.
pub(crate) async fn take_waiting(
    connection: &mut SqliteConnection,
    vault: &Vault,
    id: GroupId,
) -> Result<Vec<Waiting>, ClientError> {
    type Row = (Vec<u8>, Vec<u8>, i64, i64, i64, bool, Vec<u8>);
    let rows: Vec<Row> = sqlx::query_as(
        "delete from group_messages_waiting where group_id = ?
         returning sender, device, sequence, accepted_at, came_at, told, signed",
    )
    .bind(id.as_bytes().as_slice())
    .fetch_all(connection)
    .await?;
    let open = |(sender, device, sequence, accepted_at, came_at, is_told, sealed): Row| {
        let (sender, device) = (BoxId::from_bytes(fixed(&sender)?), DeviceId::from_bytes(fixed(&device)?));
        let label = waiting_label(Chain { sender, device, conversation: id.0 }, number(sequence)?);
        let octets = vault.open(&label, &sealed)?;
        let signed = SignedContent::parse(octets.as_slice().into()).map_err(|_| DAMAGED)?;
        Ok(Waiting { signed, accepted_at: time(accepted_at)?, came_at: time(came_at)?, is_told })
    };
    let mut waiting = rows.into_iter().map(open).collect::<Result<Vec<_>, ClientError>>()?;
    waiting.sort_by_key(|waiting| {
        let content = waiting.signed.content();
        (content.sender, content.sender_device, content.sequence)
    });
    Ok(waiting)
}

/// How many messages of each sender have waited since before this, in groups that this box is in, of which the person was not told.
/// It is from now on.
pub(crate) async fn tell_waiting(
    connection: &mut SqliteConnection,
    before: Timestamp,
) -> Result<Vec<(GroupId, BoxId, u64)>, ClientError> {
    let rows: Vec<(Vec<u8>, Vec<u8>, i64)> = sqlx::query_as(
        "select waiting.group_id, waiting.sender, count(*)
         from group_messages_waiting waiting join groups on groups.group_id = waiting.group_id
         where waiting.told = 0 and waiting.came_at < ? and groups.standing = 'joined'
         group by waiting.group_id, waiting.sender",
    )
    .bind(before.signed_millis())
    .fetch_all(&mut *connection)
    .await?;
    sqlx::query(
        "update group_messages_waiting set told = 1
         where told = 0 and came_at < ? and group_id in (select group_id from groups where standing = 'joined')",
    )
    .bind(before.signed_millis())
    .execute(connection)
    .await?;
    let read = |(id, sender, count): (Vec<u8>, Vec<u8>, i64)| {
        Ok((GroupId(Uuid::from_bytes(fixed(&id)?)), BoxId::from_bytes(fixed(&sender)?), number(count)?))
    };
    rows.into_iter().map(read).collect()
}

/// Forgets what a box wrote that waits.
pub(crate) async fn forget_waiting_of(connection: &mut SqliteConnection, sender: BoxId) -> Result<(), ClientError> {
    sqlx::query("delete from group_messages_waiting where sender = ?")
        .bind(sender.as_bytes().as_slice())
        .execute(connection)
        .await?;
    Ok(())
}

/// Forgets what a box wrote that waits in groups in which the person takes no part, and that the server had by then.
pub(crate) async fn forget_declined_waiting(
    connection: &mut SqliteConnection,
    sender: BoxId,
    by: Timestamp,
) -> Result<(), ClientError> {
    sqlx::query(
        "delete from group_messages_waiting where sender = ? and accepted_at <= ?
             and group_id in (select group_id from groups where standing <> 'joined')",
    )
    .bind(sender.as_bytes().as_slice())
    .bind(by.signed_millis())
    .execute(connection)
    .await?;
    Ok(())
}

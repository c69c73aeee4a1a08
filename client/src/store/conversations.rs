//! Conversations: with one box, or in a group.

use rossby_schemas::ids::BoxId;
use sqlx::SqliteConnection;
use uuid::Uuid;

use super::{DAMAGED, fixed};
use crate::error::ClientError;
use crate::messages::Conversation;

/// What a conversation is called in the store, which learns of it here.
pub(crate) async fn key(connection: &mut SqliteConnection, conversation: Conversation) -> Result<i64, ClientError> {
    let (peer, group) = match &conversation {
        Conversation::Direct(peer) => (Some(peer.as_bytes().as_slice()), None),
        Conversation::Group(group) => (None, Some(group.as_bytes().as_slice())),
    };
    sqlx::query("insert into conversations (peer, group_id) values (?, ?) on conflict do nothing")
        .bind(peer)
        .bind(group)
        .execute(&mut *connection)
        .await?;
    let key = sqlx::query_scalar("select key from conversations where peer is ? and group_id is ?")
        .bind(peer)
        .bind(group)
        .fetch_one(connection)
        .await?;
    Ok(key)
}

/// A conversation, from the columns that say which it is.
pub(super) fn read(peer: Option<Vec<u8>>, group: Option<Vec<u8>>) -> Result<Conversation, ClientError> {
    match (peer, group) {
        (Some(peer), None) => Ok(Conversation::Direct(BoxId::from_bytes(fixed(&peer)?))),
        (None, Some(group)) => Ok(Conversation::Group(Uuid::from_bytes(fixed(&group)?))),
        _ => Err(DAMAGED),
    }
}

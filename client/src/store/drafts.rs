//! What a person is writing, for each conversation.

use rossby_schemas::ids::MessageId;
use serde::{Deserialize, Serialize};
use sqlx::SqliteConnection;
use zeroize::Zeroizing;

use super::{DAMAGED, conversations};
use crate::error::ClientError;
use crate::messages::{Conversation, Draft};
use crate::vault::Vault;

const LABEL: &str = "draft";

/// What is sealed of a draft.
#[derive(Serialize, Deserialize)]
struct Stored<'a> {
    text: std::borrow::Cow<'a, str>,
    reply_to: Option<MessageId>,
}

/// Keeps a draft in place of the conversation's last one. One that says nothing is forgotten.
pub(crate) async fn keep(connection: &mut SqliteConnection, vault: &Vault, draft: &Draft) -> Result<(), ClientError> {
    let thread = conversations::key(connection, draft.conversation).await?;
    if draft.text.is_empty() && draft.reply_to.is_none() {
        sqlx::query("delete from drafts where thread = ?").bind(thread).execute(connection).await?;
        return Ok(());
    }
    let stored = Stored { text: draft.text.as_str().into(), reply_to: draft.reply_to };
    // A text and an id, which JSON can hold.
    let json = Zeroizing::new(serde_json::to_vec(&stored).unwrap_or_default());
    sqlx::query(
        "insert into drafts (thread, draft) values (?, ?) on conflict (thread) do update set draft = excluded.draft",
    )
    .bind(thread)
    .bind(vault.seal(LABEL, &json))
    .execute(connection)
    .await?;
    Ok(())
}

/// All drafts.
pub(crate) async fn all(connection: &mut SqliteConnection, vault: &Vault) -> Result<Vec<Draft>, ClientError> {
    type Row = (Option<Vec<u8>>, Option<Vec<u8>>, Vec<u8>);
    let rows: Vec<Row> = sqlx::query_as(
        "select conversations.peer, conversations.group_id, drafts.draft
         from drafts join conversations on conversations.key = drafts.thread order by drafts.thread",
    )
    .fetch_all(connection)
    .await?;
    let read = |(peer, group, sealed): Row| {
        let conversation: Conversation = conversations::read(peer, group)?;
        let json = vault.open(LABEL, &sealed)?;
        let stored: Stored<'_> = serde_json::from_slice(&json).map_err(|_| DAMAGED)?;
        Ok(Draft { conversation, text: stored.text.into_owned(), reply_to: stored.reply_to })
    };
    rows.into_iter().map(read).collect()
}

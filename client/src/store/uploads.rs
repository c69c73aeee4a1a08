//! Attachments on their way to the server, and what takes them back.

use rossby_schemas::encoding::FixedOctets;
use rossby_schemas::http::blobs::{BlobId, UploadKey};
use rossby_schemas::time::Timestamp;
use sqlx::{FromRow, SqliteConnection};

use super::{Store, conversations, fixed, number, signed, time};
use crate::content::{Attachment, decode, encode};
use crate::error::ClientError;
use crate::messages::Conversation;
use crate::vault::Vault;

/// An attachment that is not on the server yet, or of which the conversation hasn't heard.
#[derive(Debug, Clone)]
pub(crate) struct StoredUpload {
    /// 0 for one that is not stored yet.
    pub(crate) id: i64,
    pub(crate) conversation: Conversation,
    /// The name of the file of ciphertext.
    pub(crate) spool: String,
    /// How many octets it has.
    pub(crate) octets: u64,
    pub(crate) begun_at: Timestamp,
    /// What the message will say. Its blob's id is known once the blob is on the server.
    pub(crate) attachment: Attachment,
    pub(crate) upload_key: UploadKey,
}

#[derive(FromRow)]
struct Row {
    id: i64,
    peer: Option<Vec<u8>>,
    group_id: Option<Vec<u8>>,
    spool: String,
    octets: i64,
    begun_at: i64,
    content: Vec<u8>,
    upload_key: Vec<u8>,
    expires_at: i64,
}

impl Row {
    fn read(self, vault: &Vault) -> Result<StoredUpload, ClientError> {
        let content = vault.open(&label("upload", &self.spool), &self.content)?;
        let mut attachment: Attachment = decode(&content.as_slice().into()).map_err(|_| super::DAMAGED)?;
        attachment.expires_at = time(self.expires_at)?;
        let key = vault.open(&label("upload key", &self.spool), &self.upload_key)?;
        Ok(StoredUpload {
            id: self.id,
            conversation: conversations::read(self.peer, self.group_id)?,
            spool: self.spool,
            octets: number(self.octets)?,
            begun_at: time(self.begun_at)?,
            attachment,
            upload_key: UploadKey(FixedOctets(fixed(&key)?)),
        })
    }
}

fn label(what: &str, spool: &str) -> String {
    format!("{what} {spool}")
}

/// Keeps an upload. Gives its id.
pub(crate) async fn insert(
    connection: &mut SqliteConnection,
    vault: &Vault,
    upload: &StoredUpload,
) -> Result<i64, ClientError> {
    let thread = conversations::key(connection, upload.conversation).await?;
    let content = encode(&upload.attachment)?;
    let inserted = sqlx::query(
        "insert into uploads (thread, spool, octets, begun_at, content, upload_key, expires_at)
         values (?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(thread)
    .bind(&upload.spool)
    .bind(signed(upload.octets))
    .bind(upload.begun_at.signed_millis())
    .bind(vault.seal(&label("upload", &upload.spool), content.as_slice()))
    .bind(vault.seal(&label("upload key", &upload.spool), upload.upload_key.0.as_slice()))
    .bind(upload.attachment.expires_at.signed_millis())
    .execute(connection)
    .await?;
    Ok(inserted.last_insert_rowid())
}

/// Takes an upload away. Gives whether it was there: of two processes one does what comes next.
pub(crate) async fn take(connection: &mut SqliteConnection, id: i64) -> Result<bool, ClientError> {
    let deleted = sqlx::query("delete from uploads where id = ?").bind(id).execute(connection).await?;
    Ok(deleted.rows_affected() > 0)
}

/// Keeps what takes a message's blob back.
pub(crate) async fn keep_blob(
    connection: &mut SqliteConnection,
    vault: &Vault,
    message: i64,
    upload: &StoredUpload,
    blob_id: BlobId,
) -> Result<(), ClientError> {
    sqlx::query("insert into own_blobs (message, blob_id, upload_key, expires_at) values (?, ?, ?, ?)")
        .bind(message)
        .bind(vault.seal(&format!("blob {message}"), blob_id.as_slice()))
        .bind(vault.seal(&format!("blob key {message}"), upload.upload_key.0.as_slice()))
        .bind(upload.attachment.expires_at.signed_millis())
        .execute(connection)
        .await?;
    Ok(())
}

impl Store {
    /// All uploads, the oldest first.
    pub(crate) async fn uploads(&self, vault: &Vault) -> Result<Vec<StoredUpload>, ClientError> {
        let rows: Vec<Row> = sqlx::query_as(
            "select uploads.*, conversations.peer, conversations.group_id
             from uploads join conversations on conversations.key = uploads.thread order by uploads.id",
        )
        .fetch_all(&self.pool)
        .await?;
        rows.into_iter().map(|row| row.read(vault)).collect()
    }

    /// An upload begins anew under another key, and with another expiry.
    pub(crate) async fn renew_upload(&self, vault: &Vault, upload: &StoredUpload) -> Result<(), ClientError> {
        sqlx::query("update uploads set upload_key = ?, expires_at = ? where id = ?")
            .bind(vault.seal(&label("upload key", &upload.spool), upload.upload_key.0.as_slice()))
            .bind(upload.attachment.expires_at.signed_millis())
            .bind(upload.id)
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// What takes a message's blob back, if this device has uploaded it.
    pub(crate) async fn own_blob(
        &self,
        vault: &Vault,
        message: i64,
    ) -> Result<Option<(BlobId, UploadKey)>, ClientError> {
        let row: Option<(Vec<u8>, Vec<u8>)> =
            sqlx::query_as("select blob_id, upload_key from own_blobs where message = ?")
                .bind(message)
                .fetch_optional(&self.pool)
                .await?;
        let Some((blob_id, upload_key)) = row else { return Ok(None) };
        let blob_id = vault.open(&format!("blob {message}"), &blob_id)?;
        let upload_key = vault.open(&format!("blob key {message}"), &upload_key)?;
        Ok(Some((FixedOctets(fixed(&blob_id)?), UploadKey(FixedOctets(fixed(&upload_key)?)))))
    }

    /// A message's blob is gone, or will be by itself.
    pub(crate) async fn forget_blobs(&self, message: i64, now: Timestamp) -> Result<(), ClientError> {
        sqlx::query("delete from own_blobs where message = ? or expires_at <= ?")
            .bind(message)
            .bind(now.signed_millis())
            .execute(&self.pool)
            .await?;
        Ok(())
    }
}

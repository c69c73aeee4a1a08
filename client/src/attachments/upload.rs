//! Uploading: a chunk at a time, from where the server has it, until all of it is there.

use std::time::Duration;

use rossby_schemas::encoding::FixedOctets;
use rossby_schemas::http::blobs::{BlobId, UPLOAD_KEY_HEADER, UploadKey, UploadRequest, UploadResponse};
use rossby_schemas::http::problem::ProblemType;
use rossby_schemas::time::Timestamp;

use super::off_the_runtime;
use super::progress::{Progress, Step, Tell};
use crate::Client;
use crate::content::{Content, Kind, Role};
use crate::error::ClientError;
use crate::http::Call;
use crate::messages::{Conversation, Sent};
use crate::random;
use crate::store::device::Device;
use crate::store::uploads::{self, StoredUpload};

/// A server that wants larger pieces is none that can be served.
const MAX_CHUNK_OCTETS: u32 = 8 * 1024 * 1024;
/// How often an upload is begun anew whose time was over, or that the server has lost a piece of.
const TRIES: u32 = 3;
/// A chunk may take so long, on a slow line.
const CHUNK_PATIENCE: Duration = Duration::from_secs(90);
/// How often, and how long, a server may let an upload pause.
const MOST_PAUSES: u32 = 10;
const LONGEST_PAUSE_SECONDS: u64 = 10;

/// An attachment that is encrypted and kept, and not on the server yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PendingUpload {
    /// Its number in the store.
    pub id: i64,
    /// Where it is to be said.
    pub conversation: Conversation,
    /// What it is for.
    pub role: Role,
    /// The file's name.
    pub name: String,
    /// How many octets the file has.
    pub size: u64,
    /// When it was kept.
    pub begun_at: Timestamp,
}

impl From<&StoredUpload> for PendingUpload {
    fn from(upload: &StoredUpload) -> Self {
        Self {
            id: upload.id,
            conversation: upload.conversation,
            role: upload.attachment.role,
            name: upload.attachment.name.clone(),
            size: upload.attachment.size,
            begun_at: upload.begun_at,
        }
    }
}

impl StoredUpload {
    /// Whether it is worth keeping after this error: what the server refuses now it may take later.
    pub(super) fn is_kept_after(&self, error: &ClientError) -> bool {
        match error {
            ClientError::Unreachable { .. } | ClientError::BadAnswer(_) => true,
            ClientError::Refused(problem) => !matches!(problem.status, 400 | 404 | 413 | 422),
            _ => false,
        }
    }
}

impl Client {
    /// What is kept and not on the server yet, the oldest first.
    ///
    /// # Errors
    /// The store's.
    pub async fn pending_uploads(&self) -> Result<Vec<PendingUpload>, ClientError> {
        Ok(self.store.uploads(&self.vault).await?.iter().map(PendingUpload::from).collect())
    }

    /// Goes on with what is not on the server yet, and says it. What fails for one leaves the others; what the server refuses for
    /// good is given up.
    ///
    /// # Errors
    /// The store's.
    pub async fn upload_pending(
        &self,
        tell: Option<Tell>,
    ) -> Result<Vec<(PendingUpload, Result<Sent, ClientError>)>, ClientError> {
        let mut done = Vec::new();
        for upload in self.store.uploads(&self.vault).await? {
            let pending = PendingUpload::from(&upload);
            let outcome = self.upload_and_say(upload.clone(), tell.clone()).await;
            if let Err(error) = &outcome
                && !upload.is_kept_after(error)
            {
                self.drop_upload(&upload).await?;
            }
            done.push((pending, outcome));
        }
        Ok(done)
    }

    /// Gives an upload up that was not finished.
    ///
    /// # Errors
    /// [`ClientError::NoSuchUpload`], and the store's.
    pub async fn cancel_upload(&self, id: i64) -> Result<PendingUpload, ClientError> {
        let uploads = self.store.uploads(&self.vault).await?;
        let upload = uploads.into_iter().find(|upload| upload.id == id).ok_or(ClientError::NoSuchUpload(id))?;
        self.drop_upload(&upload).await?;
        Ok((&upload).into())
    }

    /// What the server has of it by then, it sweeps by itself.
    pub(super) async fn drop_upload(&self, upload: &StoredUpload) -> Result<(), ClientError> {
        let mut transaction = self.store.begin().await?;
        uploads::take(&mut transaction, upload.id).await?;
        transaction.commit().await?;
        self.spool().remove(&upload.spool);
        Ok(())
    }

    /// Uploads what is kept, and says it in its conversation.
    pub(super) async fn upload_and_say(
        &self,
        mut upload: StoredUpload,
        tell: Option<Tell>,
    ) -> Result<Sent, ClientError> {
        let device = self.device().await?;
        let blob_id = self.upload(&device, &mut upload, tell.as_ref()).await?;
        let mut attachment = upload.attachment.clone();
        attachment.blob_id = blob_id;
        let body = Content::Attachment(Box::new(attachment)).encode()?;
        let mut transaction = self.store.begin().await?;
        if !uploads::take(&mut transaction, upload.id).await? {
            // Another process has said it, or the person has given it up.
            return Err(ClientError::NoSuchUpload(upload.id));
        }
        let said = (Kind::Attachment, body);
        let (to, written) = self.written_to(&mut transaction, &device, upload.conversation, said).await?;
        let (id, _) = self.compose(&mut transaction, &device, &to, written).await?;
        uploads::keep_blob(&mut transaction, &self.vault, id, &upload, blob_id).await?;
        transaction.commit().await?;
        self.spool().remove(&upload.spool);
        self.sent_away(id, &to).await
    }

    /// Uploads what is kept, from where the server has it.
    async fn upload(
        &self,
        device: &Device,
        upload: &mut StoredUpload,
        tell: Option<&Tell>,
    ) -> Result<BlobId, ClientError> {
        let mut tries = 0;
        loop {
            tries += 1;
            match self.upload_once(device, upload, tell).await {
                Ok(blob_id) => return Ok(blob_id),
                // It took too long, and the server has swept what it had; or the answer has set this device's clock right, which was
                // ahead when the file was kept.
                Err(error) if tries < TRIES && self.begins_anew_after(upload, &error) => {
                    upload.upload_key = UploadKey(FixedOctets(random::octets()));
                    upload.attachment.expires_at = self.expiry();
                    self.store.renew_upload(&self.vault, upload).await?;
                }
                Err(error) if tries < TRIES && error.problem() == Some(ProblemType::BlobIncomplete) => {}
                Err(ClientError::Refused(problem)) if problem.problem_type() == Some(ProblemType::TooLarge) => {
                    let attachment = &upload.attachment;
                    let (name, octets) = (attachment.name.clone(), attachment.size);
                    return Err(ClientError::FileTooLarge { name, octets, limit: problem.limit });
                }
                Err(error) => return Err(error),
            }
        }
    }

    fn begins_anew_after(&self, upload: &StoredUpload, error: &ClientError) -> bool {
        match error.problem() {
            Some(ProblemType::NoSuchBlob) => true,
            Some(ProblemType::InvalidRequest) => upload.attachment.expires_at > self.expiry(),
            _ => false,
        }
    }

    async fn upload_once(
        &self,
        device: &Device,
        upload: &StoredUpload,
        tell: Option<&Tell>,
    ) -> Result<BlobId, ClientError> {
        let request = UploadRequest {
            upload_key: upload.upload_key,
            octets: upload.octets,
            expires_at: upload.attachment.expires_at,
        };
        let state: UploadResponse = self.ask(device, &Call::post("/v1/blobs", &request)).await?;
        check(&state, upload.octets)?;
        let path = format!("/v1/blobs/{}", state.blob_id);
        let key = upload.upload_key.0.to_string();
        let chunk_octets = u64::from(state.chunk_octets);
        for number in state.next_chunk..state.chunks {
            let offset = u64::from(number) * chunk_octets;
            let octets = usize::try_from((upload.octets - offset).min(chunk_octets)).unwrap_or_default();
            let (spool, name) = (self.spool(), upload.spool.clone());
            let chunk = off_the_runtime(move || spool.read(&name, offset, octets)).await?;
            let call = Call::put(format!("{path}/chunks/{number}"), chunk).waiting(CHUNK_PATIENCE);
            self.put_chunk(device, &call.with_header(UPLOAD_KEY_HEADER, &key)).await?;
            if let Some(tell) = tell {
                tell(Progress { step: Step::Uploading, done: offset + octets as u64, total: upload.octets });
            }
        }
        let call = Call::post_nothing(format!("{path}/complete")).with_header(UPLOAD_KEY_HEADER, &key);
        let complete: UploadResponse = self.ask(device, &call).await?;
        if complete.complete && complete.blob_id == state.blob_id {
            Ok(state.blob_id)
        } else {
            Err(ClientError::bad_answer("it says that a complete upload is none"))
        }
    }

    /// A fast line asks more often than the server lets a device: that passes.
    async fn put_chunk(&self, device: &Device, call: &Call) -> Result<(), ClientError> {
        let mut tries = 0;
        loop {
            match self.ask(device, call).await {
                Err(ClientError::Refused(problem))
                    if problem.problem_type() == Some(ProblemType::RateLimited) && tries < MOST_PAUSES =>
                {
                    tries += 1;
                    let seconds = problem.retry_after.unwrap_or(1).clamp(1, LONGEST_PAUSE_SECONDS);
                    tokio::time::sleep(Duration::from_secs(seconds)).await;
                }
                other => return other,
            }
        }
    }

    /// Takes the blob of an own message back from the server, if it was uploaded here. What can't be reached is left to expire.
    pub(crate) async fn take_blob_back(&self, message: i64) -> Result<(), ClientError> {
        let Some((blob_id, key)) = self.store.own_blob(&self.vault, message).await? else { return Ok(()) };
        let device = self.device().await?;
        let call = Call::delete(format!("/v1/blobs/{blob_id}")).with_header(UPLOAD_KEY_HEADER, key.0.to_string());
        let gone: Result<(), ClientError> = self.ask(&device, &call).await;
        match gone {
            Ok(()) => {}
            Err(error) if error.problem() == Some(ProblemType::NoSuchBlob) => {}
            Err(error) => {
                tracing::debug!(%error, "a blob could not be taken back now");
                return Ok(());
            }
        }
        self.store.forget_blobs(message, self.now()).await
    }
}

/// Refuses what the server can't mean, before anything is done by it.
fn check(state: &UploadResponse, octets: u64) -> Result<(), ClientError> {
    let is_sound = state.octets == octets
        && (1..=MAX_CHUNK_OCTETS).contains(&state.chunk_octets)
        && u64::from(state.chunks) == octets.div_ceil(state.chunk_octets.into())
        && state.next_chunk <= state.chunks;
    if is_sound { Ok(()) } else { Err(ClientError::bad_answer("it is about another upload")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_means_another_upload_is_not_followed() {
        let now = "2026-11-24T09:00:00Z".parse().unwrap();
        let good = UploadResponse {
            blob_id: FixedOctets([1; 34]),
            octets: 100,
            chunk_octets: 40,
            chunks: 3,
            next_chunk: 3,
            complete: false,
            expires_at: now,
            upload_until: now,
        };
        assert!(check(&good, 100).is_ok());
        for bad in [
            UploadResponse { octets: 101, ..good.clone() },
            UploadResponse { chunk_octets: 0, ..good.clone() },
            UploadResponse { chunk_octets: u32::MAX, chunks: 1, next_chunk: 0, ..good.clone() },
            UploadResponse { chunks: 2, ..good.clone() },
            UploadResponse { next_chunk: 4, ..good.clone() },
        ] {
            assert!(check(&bad, 100).is_err(), "{bad:?}");
        }
    }
}

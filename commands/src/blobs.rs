//! Blobs: encrypted attachments, uploaded in chunks and downloaded by whoever knows the id. What is uploaded is counted for each
//! box and day, in octets alone; of a download nothing is kept.

use std::time::Duration;

use bytes::Bytes;
use futures::{Stream, TryStreamExt as _};
use rossby_blobs::{Blob, BlobError, Plan, SweptBlobs, Upload};
use rossby_schemas::http::blobs::{BlobId, CHUNK_OCTETS, MAX_BLOB_DAYS, UploadKey, UploadRequest, UploadResponse};
use rossby_schemas::time::Timestamp;

use crate::error::{CommandError, Refusal};
use crate::service::Service;
use crate::token::Caller;

const DAY: Duration = Duration::from_secs(24 * 3600);

/// A blob that can be downloaded.
#[derive(Debug)]
pub struct OpenBlob(Blob);

impl OpenBlob {
    /// How many octets it has.
    #[must_use]
    pub const fn octets(&self) -> u64 {
        self.0.octets()
    }

    /// The octets of a range, which must lie within the blob, in pieces of a chunk at most.
    pub fn read(self, range: std::ops::Range<u64>) -> impl Stream<Item = Result<Bytes, CommandError>> + Send + 'static {
        self.0.read(range).map_err(CommandError::from)
    }
}

impl From<BlobError> for CommandError {
    fn from(error: BlobError) -> Self {
        match error {
            BlobError::NotThere => Refusal::NoSuchBlob.into(),
            BlobError::OtherUpload => Refusal::IdReused { field: "/upload_key".to_owned() }.into(),
            BlobError::NoSuchChunk { .. } => Refusal::invalid("chunk", error).into(),
            BlobError::ChunkLength { .. } => Refusal::invalid("", error).into(),
            BlobError::ChunkDiffers => Refusal::IdReused { field: "chunk".to_owned() }.into(),
            BlobError::Incomplete { next_chunk } => Refusal::BlobIncomplete { next_chunk }.into(),
            BlobError::Full(reason) => Self::StorageFull(reason),
            BlobError::Away(reason) => Self::Unavailable(reason),
            BlobError::Damaged(_) | BlobError::Setup(_) => Self::Internal(error.to_string()),
        }
    }
}

impl Service {
    /// Begins an upload, or tells how far it is: the same request is the same upload. It is counted once.
    ///
    /// # Errors
    /// [`Refusal::Invalid`], [`Refusal::TooLarge`], [`Refusal::UploadsExhausted`], [`Refusal::IdReused`] if the key was used for
    /// another upload, [`Refusal::NoSuchBlob`] if its time is over.
    pub async fn begin_upload(&self, caller: Caller, request: &UploadRequest) -> Result<UploadResponse, CommandError> {
        let (now, limits) = (self.now(), &self.config.limits);
        check(request, now, limits.blob_octets, limits.clock_skew)?;
        let plan = Plan { key: request.upload_key, octets: request.octets, expires_at: request.expires_at };
        if let Some(begun) = self.blobs.begun(plan, now).await? {
            return Ok(begun.into());
        }
        // In whole chunks, so that the count tells less of what was uploaded.
        let counted = plan.octets.next_multiple_of(CHUNK_OCTETS.into());
        if !self.models.take_upload(caller.box_id, now, counted, limits.uploaded_per_day).await? {
            return Err(Refusal::UploadsExhausted { retry_after: until_next_day(now) }.into());
        }
        let upload_until = now.plus(limits.upload_lifetime).min(plan.expires_at);
        match self.blobs.begin(plan, upload_until, now).await {
            Ok(upload) => Ok(upload.into()),
            Err(error) => {
                self.models.give_upload_back(caller.box_id, now, counted).await?;
                Err(error.into())
            }
        }
    }

    /// How far an upload is.
    ///
    /// # Errors
    /// [`Refusal::NoSuchBlob`], also for another's key.
    pub async fn upload(&self, id: BlobId, key: UploadKey) -> Result<UploadResponse, CommandError> {
        Ok(self.blobs.progress(id, &key, self.now()).await.map(Upload::into)?)
    }

    /// Stores a chunk. The same again is harmless.
    ///
    /// # Errors
    /// [`Refusal::NoSuchBlob`], [`Refusal::Invalid`] for a number or a length that it can't have, [`Refusal::IdReused`] if
    /// there is another one.
    pub async fn put_chunk(&self, id: BlobId, key: UploadKey, chunk: u32, octets: Bytes) -> Result<(), CommandError> {
        Ok(self.blobs.put_chunk(id, &key, chunk, octets, self.now()).await?)
    }

    /// Completes an upload: from then on it can be downloaded. Again is harmless.
    ///
    /// # Errors
    /// [`Refusal::NoSuchBlob`], [`Refusal::BlobIncomplete`].
    pub async fn complete_upload(&self, id: BlobId, key: UploadKey) -> Result<UploadResponse, CommandError> {
        Ok(self.blobs.complete(id, &key, self.now()).await.map(Upload::into)?)
    }

    /// Deletes a blob, complete or not.
    ///
    /// # Errors
    /// [`Refusal::NoSuchBlob`], also for another's key.
    pub async fn delete_blob(&self, id: BlobId, key: UploadKey) -> Result<(), CommandError> {
        Ok(self.blobs.delete(id, &key, self.now()).await?)
    }

    /// A blob.
    ///
    /// # Errors
    /// [`Refusal::NoSuchBlob`].
    pub async fn blob(&self, id: BlobId) -> Result<OpenBlob, CommandError> {
        Ok(self.blobs.blob(id, self.now()).await.map(OpenBlob)?)
    }

    /// Deletes blobs that have expired, and uploads that were not completed in time.
    ///
    /// # Errors
    /// The store is away, or full.
    pub async fn sweep_blobs(&self) -> Result<SweptBlobs, CommandError> {
        Ok(self.blobs.sweep(self.now()).await?)
    }
}

fn check(request: &UploadRequest, now: Timestamp, largest: u64, clock_skew: Duration) -> Result<(), Refusal> {
    if request.octets == 0 {
        return Err(Refusal::invalid("/octets", "must be at least 1"));
    }
    if request.octets > largest {
        let limit = usize::try_from(largest).unwrap_or(usize::MAX);
        return Err(Refusal::TooLarge { field: "/octets".to_owned(), limit });
    }
    if request.expires_at <= now {
        return Err(Refusal::invalid("/expires_at", "is over"));
    }
    let days = Duration::from_secs(MAX_BLOB_DAYS * 24 * 3600);
    if request.expires_at > now.plus(days).plus(clock_skew) {
        return Err(Refusal::invalid("/expires_at", format!("must be at most {MAX_BLOB_DAYS} days ahead")));
    }
    Ok(())
}

fn until_next_day(now: Timestamp) -> u64 {
    let day = DAY.as_secs();
    day - now.millis() / 1000 % day
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_without_room_is_told_and_says_nothing_of_itself() {
        let full = CommandError::from(BlobError::Full("/srv/blobs: no space left".to_owned()));
        let problem = full.problem();
        assert_eq!(problem.status, 507);
        assert!(!format!("{problem:?}").contains("/srv"));
    }

    #[test]
    fn a_day_ends_at_midnight() {
        let until = |text: &str| until_next_day(text.parse().unwrap());
        assert_eq!((until("2026-11-24T23:59:59Z"), until("2026-11-24T00:00:00Z")), (1, 86_400));
    }
}

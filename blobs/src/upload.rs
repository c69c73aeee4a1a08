//! Uploads: begun, carried on by any process, completed, taken back.

use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _};
use metrics::counter;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt as _};
use rossby_schemas::http::blobs::{BlobId, CHUNK_OCTETS, UploadKey, UploadResponse};
use rossby_schemas::time::Timestamp;

use crate::about::About;
use crate::error::BlobError;
use crate::place::{Day, Place, blob_id, chunk_number, is_key_of};
use crate::store::BlobStore;

/// What is to be uploaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plan {
    /// The uploader's key.
    pub key: UploadKey,
    /// How many octets the blob has: one at least.
    pub octets: u64,
    /// When it expires.
    pub expires_at: Timestamp,
}

/// An upload, and how far it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upload {
    id: BlobId,
    about: About,
    next_chunk: u32,
}

impl From<Upload> for UploadResponse {
    fn from(upload: Upload) -> Self {
        let Upload { id, about, next_chunk } = upload;
        Self {
            blob_id: id,
            octets: about.octets,
            chunk_octets: about.chunk_octets,
            chunks: about.chunks(),
            next_chunk,
            complete: about.complete,
            expires_at: about.expires_at,
            upload_until: about.upload_until,
        }
    }
}

impl BlobStore {
    /// The upload of this plan, if it was begun.
    ///
    /// # Errors
    /// [`BlobError::OtherUpload`] if the key was used for another, [`BlobError::NotThere`] if its time is over, and the store's.
    pub async fn begun(&self, plan: Plan, now: Timestamp) -> Result<Option<Upload>, BlobError> {
        let id = blob_id(&plan.key, plan.expires_at);
        match self.about(&Place::of(id)).await {
            Ok(about) if (about.octets, about.expires_at) != (plan.octets, plan.expires_at) => {
                Err(BlobError::OtherUpload)
            }
            Ok(about) => self.upload(id, about, now).await.map(Some),
            Err(BlobError::NotThere) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Begins an upload, which must be complete by `upload_until`. Of two at the same moment both are the one that was first.
    ///
    /// # Errors
    /// As [`Self::begun`].
    pub async fn begin(&self, plan: Plan, upload_until: Timestamp, now: Timestamp) -> Result<Upload, BlobError> {
        let id = blob_id(&plan.key, plan.expires_at);
        let place = Place::of(id);
        let about = About::new(plan.octets, CHUNK_OCTETS, plan.expires_at, upload_until);
        // First, so that nothing is ever there that the sweeper doesn't find.
        self.objects.put(&place.upload(Day::of(upload_until)), Bytes::new().into()).await?;
        if self.create(&place.about(), about.write().into()).await? {
            return Ok(Upload { id, about, next_chunk: 0 });
        }
        let lost = || BlobError::Away("a store says that it has an object, and gives none".to_owned());
        self.begun(plan, now).await?.ok_or_else(lost)
    }

    /// How far an upload is.
    ///
    /// # Errors
    /// [`BlobError::NotThere`], and the store's.
    pub async fn progress(&self, id: BlobId, key: &UploadKey, now: Timestamp) -> Result<Upload, BlobError> {
        let about = self.open_upload(id, key, now).await?;
        self.upload(id, about, now).await
    }

    /// Stores a chunk. The same again is harmless.
    ///
    /// # Errors
    /// [`BlobError::NotThere`], [`BlobError::NoSuchChunk`], [`BlobError::ChunkLength`], [`BlobError::ChunkDiffers`], and the
    /// store's.
    pub async fn put_chunk(
        &self,
        id: BlobId,
        key: &UploadKey,
        number: u32,
        octets: Bytes,
        now: Timestamp,
    ) -> Result<(), BlobError> {
        let about = self.open_upload(id, key, now).await?;
        let expected = about.octets_of(number).ok_or(BlobError::NoSuchChunk { chunks: about.chunks() })?;
        if expected != octets.len() as u64 {
            return Err(BlobError::ChunkLength { expected });
        }
        let path = Place::of(id).chunk(number);
        if self.create(&path, octets.clone()).await? {
            counter!("rossby_blob_stored_octets_total").increment(expected);
            return Ok(());
        }
        let found = match self.objects.get(&path).await {
            // A store may say to both of two writers at the same moment that it exists, and keep neither's.
            Err(object_store::Error::NotFound { .. }) => {
                return Err(BlobError::Away("a chunk collided with another, and neither was kept".to_owned()));
            }
            found => found?,
        };
        if found.meta.size == expected && found.bytes().await? == octets {
            Ok(())
        } else {
            Err(BlobError::ChunkDiffers)
        }
    }

    /// Completes an upload: from then on it can be downloaded. Again is harmless.
    ///
    /// # Errors
    /// [`BlobError::NotThere`], [`BlobError::Incomplete`], and the store's.
    pub async fn complete(&self, id: BlobId, key: &UploadKey, now: Timestamp) -> Result<Upload, BlobError> {
        let about = self.open_upload(id, key, now).await?;
        let mut upload = self.upload(id, about, now).await?;
        if upload.about.complete {
            return Ok(upload);
        }
        if upload.next_chunk < upload.about.chunks() {
            return Err(BlobError::Incomplete { next_chunk: upload.next_chunk });
        }
        upload.about.complete = true;
        let place = Place::of(id);
        self.objects.put(&place.about(), upload.about.write().into()).await?;
        counter!("rossby_blobs_completed_total").increment(1);
        self.forget_upload(&place.upload(Day::of(upload.about.upload_until))).await;
        Ok(upload)
    }

    /// Deletes a blob, complete or not.
    ///
    /// # Errors
    /// [`BlobError::NotThere`], and the store's.
    pub async fn delete(&self, id: BlobId, key: &UploadKey, now: Timestamp) -> Result<(), BlobError> {
        let about = self.open_upload(id, key, now).await?;
        let place = Place::of(id);
        // First, so that nobody reads a part of it.
        self.objects.delete(&place.about()).await?;
        self.delete_below(&place.folder()).await?;
        self.forget_upload(&place.upload(Day::of(about.upload_until))).await;
        Ok(())
    }

    /// What is known of a blob, to one who has its key.
    async fn open_upload(&self, id: BlobId, key: &UploadKey, now: Timestamp) -> Result<About, BlobError> {
        if !is_key_of(key, id) {
            return Err(BlobError::NotThere);
        }
        let about = self.about(&Place::of(id)).await?;
        if about.is_open(now) { Ok(about) } else { Err(BlobError::NotThere) }
    }

    async fn upload(&self, id: BlobId, about: About, now: Timestamp) -> Result<Upload, BlobError> {
        if !about.is_open(now) {
            return Err(BlobError::NotThere);
        }
        let chunks = about.chunks();
        let next_chunk = if about.complete { chunks } else { self.next_chunk(&Place::of(id), &about).await? };
        Ok(Upload { id, about, next_chunk })
    }

    /// The first chunk that is not there as it must be.
    async fn next_chunk(&self, place: &Place, about: &About) -> Result<u32, BlobError> {
        let mut is_there = vec![false; usize::try_from(about.chunks()).unwrap_or_default()];
        let mut objects = self.objects.list(Some(&place.folder()));
        while let Some(object) = objects.try_next().await? {
            let Some(number) = chunk_number(&object.location) else { continue };
            if about.octets_of(number) == Some(object.size)
                && let Some(chunk) = usize::try_from(number).ok().and_then(|number| is_there.get_mut(number))
            {
                *chunk = true;
            }
        }
        let next = is_there.iter().position(|is_there| !is_there);
        Ok(next.map_or(about.chunks(), |next| u32::try_from(next).unwrap_or(u32::MAX)))
    }

    /// A marker that stays is found by the sweeper, which sees that the blob is complete.
    async fn forget_upload(&self, marker: &Path) {
        if let Err(error) = self.objects.delete(marker).await {
            tracing::debug!(%error, "the marker of an upload stays until it is swept");
        }
    }

    /// Deletes every object below a path. Gives how many there were.
    pub(crate) async fn delete_below(&self, path: &Path) -> Result<u64, BlobError> {
        let objects = self.objects.list(Some(path)).map_ok(|object| object.location).boxed();
        let mut deleted = self.objects.delete_stream(objects);
        let mut count = 0;
        while let Some(result) = deleted.next().await {
            match result {
                // Another process sweeps too.
                Ok(_) | Err(object_store::Error::NotFound { .. }) => count += 1,
                Err(error) => return Err(error.into()),
            }
        }
        Ok(count)
    }
}

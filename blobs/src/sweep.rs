//! The sweeper: deletes what has expired, and uploads that were not completed in time. Never needed for a right answer, since
//! what has expired is not given out.

use object_store::{ObjectStore, ObjectStoreExt as _};
use rossby_schemas::time::Timestamp;

use crate::error::BlobError;
use crate::place::{self, Place};
use crate::store::BlobStore;

/// What a sweep did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SweptBlobs {
    /// Days whose blobs have all expired.
    pub days: u64,
    /// Uploads that were not completed in time.
    pub uploads: u64,
    /// Objects that were deleted, all in all.
    pub objects: u64,
}

impl BlobStore {
    /// Sweeps. Two processes may do it at once.
    ///
    /// # Errors
    /// The store's; what was deleted stays deleted, and the next sweep goes on.
    pub async fn sweep(&self, now: Timestamp) -> Result<SweptBlobs, BlobError> {
        let mut swept = SweptBlobs::default();
        for folder in self.past_days(&place::uploads(), now).await? {
            self.sweep_uploads(&folder, &mut swept).await?;
            self.remove_leftovers(&folder).await?;
        }
        for folder in self.past_days(&place::blobs(), now).await? {
            swept.objects += self.delete_below(&folder).await?;
            swept.days += 1;
            self.remove_leftovers(&folder).await?;
        }
        Ok(swept)
    }

    /// The folders of the days below `path` that are over.
    async fn past_days(
        &self,
        path: &object_store::path::Path,
        now: Timestamp,
    ) -> Result<Vec<object_store::path::Path>, BlobError> {
        let found = self.objects.list_with_delimiter(Some(path)).await?;
        let is_past = |folder: &object_store::path::Path| place::day(folder).is_some_and(|day| day.is_past(now));
        Ok(found.common_prefixes.into_iter().filter(is_past).collect())
    }

    async fn sweep_uploads(&self, folder: &object_store::path::Path, swept: &mut SweptBlobs) -> Result<(), BlobError> {
        use futures::TryStreamExt as _;
        let mut markers = self.objects.list(Some(folder));
        while let Some(marker) = markers.try_next().await? {
            if let Some(place) = Place::of_upload(&marker.location) {
                let is_complete = match self.about(&place).await {
                    Ok(about) => about.complete,
                    Err(BlobError::NotThere) => false,
                    Err(error) => return Err(error),
                };
                if !is_complete {
                    swept.objects += self.delete_below(&place.folder()).await?;
                    swept.uploads += 1;
                }
            }
            match self.objects.delete(&marker.location).await {
                Ok(()) => swept.objects += 1,
                Err(object_store::Error::NotFound { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// A process that died while it wrote a file leaves one that no list shows.
    async fn remove_leftovers(&self, folder: &object_store::path::Path) -> Result<(), BlobError> {
        let Some(root) = &self.folder else { return Ok(()) };
        match tokio::fs::remove_dir_all(root.join(folder.as_ref())).await {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(BlobError::Away(error.to_string())),
            _ => Ok(()),
        }
    }
}

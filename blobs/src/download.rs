//! Downloads: a range of a blob, chunk by chunk.

use std::ops::Range;

use bytes::Bytes;
use futures::Stream;
use metrics::counter;
use object_store::ObjectStoreExt as _;
use rossby_schemas::http::blobs::BlobId;
use rossby_schemas::time::Timestamp;

use crate::about::About;
use crate::error::BlobError;
use crate::place::Place;
use crate::store::BlobStore;

/// A blob that can be downloaded.
#[derive(Debug)]
pub struct Blob {
    store: BlobStore,
    place: Place,
    about: About,
}

impl BlobStore {
    /// A blob that is complete and has not expired.
    ///
    /// # Errors
    /// [`BlobError::NotThere`], and the store's.
    pub async fn blob(&self, id: BlobId, now: Timestamp) -> Result<Blob, BlobError> {
        let place = Place::of(id);
        let about = self.about(&place).await?;
        if about.is_there(now) { Ok(Blob { store: self.clone(), place, about }) } else { Err(BlobError::NotThere) }
    }
}

impl Blob {
    /// How many octets it has.
    #[must_use]
    pub const fn octets(&self) -> u64 {
        self.about.octets
    }

    /// The octets of a range, which must lie within the blob, in pieces of a chunk at most. One piece is held at a time.
    pub fn read(self, range: Range<u64>) -> impl Stream<Item = Result<Bytes, BlobError>> + Send + 'static {
        futures::stream::try_unfold((self, range), |(blob, range)| async move {
            if range.is_empty() {
                return Ok(None);
            }
            let piece = blob.piece(range.clone()).await?;
            let rest = range.start + piece.len() as u64..range.end;
            Ok(Some((piece, (blob, rest))))
        })
    }

    /// The first octets of a range, as far as one chunk has them.
    async fn piece(&self, range: Range<u64>) -> Result<Bytes, BlobError> {
        let chunk_octets = u64::from(self.about.chunk_octets);
        let (chunk, begin) = (range.start / chunk_octets, range.start % chunk_octets);
        let end = chunk_octets.min(begin + (range.end - range.start));
        let path = self.place.chunk(u32::try_from(chunk).unwrap_or(u32::MAX));
        let piece = self.store.objects.get_range(&path, begin..end).await?;
        if piece.len() as u64 != end - begin {
            return Err(BlobError::Damaged(format!("a chunk has {} octets after {begin}", piece.len())));
        }
        counter!("rossby_blob_read_octets_total").increment(piece.len() as u64);
        Ok(piece)
    }
}

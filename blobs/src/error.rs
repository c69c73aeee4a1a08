//! What can go wrong with a blob.

use std::error::Error;
use std::io;

use metrics::counter;

/// Why something can't be done with a blob.
#[derive(Debug, thiserror::Error)]
pub enum BlobError {
    /// It is unknown, not complete, expired or deleted, or the upload key is another's.
    #[error("there is no such blob")]
    NotThere,
    /// The key was used for an upload of another size or expiry.
    #[error("the key was used for another upload")]
    OtherUpload,
    /// The blob has no chunk with this number.
    #[error("the blob has {chunks} chunks")]
    NoSuchChunk {
        /// How many it has.
        chunks: u32,
    },
    /// The chunk has another length.
    #[error("the chunk has {expected} octets")]
    ChunkLength {
        /// How many it must have.
        expected: u64,
    },
    /// The chunk is there already, with other octets.
    #[error("the chunk is there already, and another one")]
    ChunkDiffers,
    /// Chunks are missing.
    #[error("chunks are missing, the first is {next_chunk}")]
    Incomplete {
        /// The first that is missing.
        next_chunk: u32,
    },
    /// The store has no room left. Nothing was changed.
    #[error("the store is full: {0}")]
    Full(String),
    /// The store can't be reached, or refuses. Nothing was changed.
    #[error("the store is away: {0}")]
    Away(String),
    /// What the store has is not as it was written.
    #[error("a blob is damaged: {0}")]
    Damaged(String),
    /// The store can't be set up.
    #[error("the blob store can't be opened: {0}")]
    Setup(String),
}

impl From<object_store::Error> for BlobError {
    fn from(error: object_store::Error) -> Self {
        if matches!(error, object_store::Error::NotFound { .. }) {
            return Self::NotThere;
        }
        counter!("rossby_blob_store_failures_total").increment(1);
        if is_full(&error) { Self::Full(error.to_string()) } else { Self::Away(error.to_string()) }
    }
}

/// Whether a store says that it has no room: a file system by its error, a store by its status (507 of RFC 4918), which the crate
/// gives only as text.
fn is_full(error: &object_store::Error) -> bool {
    let mut inner: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(error) = inner {
        let kind = error.downcast_ref::<io::Error>().map(io::Error::kind);
        if matches!(kind, Some(io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)) {
            return true;
        }
        inner = error.source();
    }
    error.to_string().contains("507 Insufficient Storage")
}

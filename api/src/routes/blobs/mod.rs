//! Blobs: encrypted attachments, uploaded in chunks and downloaded by ranges.

mod download;
mod range;
mod upload;

pub(super) use download::*;
use rossby_schemas::http::blobs::BlobId;
pub(super) use upload::*;

use super::invalid;
use crate::error::ApiError;

/// A blob's id in a path.
fn blob_id(text: &str) -> Result<BlobId, ApiError> {
    text.parse().map_err(|error| invalid("blob_id", format!("{error}")))
}

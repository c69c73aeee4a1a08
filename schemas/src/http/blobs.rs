//! Attachments: what a device uploads in chunks, and whoever knows its id can download until it expires. The server can't read
//! it and doesn't keep whose it is.

use std::fmt;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::encoding::FixedOctets;
use crate::time::Timestamp;

/// How many octets a chunk has, but for the last of a blob.
pub const CHUNK_OCTETS: u32 = 1024 * 1024;
/// How many days a blob lives at most.
pub const MAX_BLOB_DAYS: u64 = 30;
/// The header that carries an [`UploadKey`].
pub const UPLOAD_KEY_HEADER: &str = "rossby-upload-key";

/// The id of a blob: the day on which it expires (u16, days since 1970) and 32 octets that nobody can guess. Whoever has it can
/// download the blob.
pub type BlobId = FixedOctets<34>;

/// 32 random octets of the uploader's, from which the blob's id is computed. Whoever has it can upload the blob and delete it.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(transparent)]
pub struct UploadKey(pub FixedOctets<32>);

impl fmt::Debug for UploadKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("UploadKey(secret)")
    }
}

/// Begins an upload, or asks how far it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UploadRequest {
    /// The uploader's key: 32 random octets, made for this upload. The same request again is the same upload.
    pub upload_key: UploadKey,
    /// How many octets the blob has.
    #[schema(minimum = 1)]
    pub octets: u64,
    /// When it expires, at most 30 days ahead.
    pub expires_at: Timestamp,
}

/// How far an upload is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct UploadResponse {
    /// The blob's id.
    pub blob_id: BlobId,
    /// How many octets the blob has.
    pub octets: u64,
    /// How many octets each chunk has, but for the last.
    pub chunk_octets: u32,
    /// How many chunks it has.
    pub chunks: u32,
    /// The first chunk that is not there yet, counted from 0; `chunks` if all are there.
    pub next_chunk: u32,
    /// Whether it is complete, and can be downloaded.
    pub complete: bool,
    /// When it expires.
    pub expires_at: Timestamp,
    /// Until when it must be complete.
    pub upload_until: Timestamp,
}

//! Kind 6: a file, a picture, or a voice message: what opens the blob that it is, and what is shown before it is fetched.

use std::fmt;

use rossby_crypto::attachment::{AttachmentKey, MAX_FILE_OCTETS};
use rossby_schemas::encoding::{FixedOctets, Octets, Sha256Digest};
use rossby_schemas::http::blobs::BlobId;
use rossby_schemas::time::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Body, ContentError};

/// How many octets a file's name has at most.
pub(crate) const MAX_NAME_OCTETS: usize = 255;
const MAX_MEDIA_TYPE_OCTETS: usize = 127;
/// How many octets a caption has at most, in UTF-8.
pub const MAX_CAPTION_OCTETS: usize = 4096;
/// How many octets a preview has at most.
pub(crate) const MAX_PREVIEW_OCTETS: usize = 16 * 1024;
/// How wide and how high a preview is at most.
pub(crate) const MAX_PREVIEW_SIDE: u32 = 512;
/// The media type of every preview.
pub(crate) const PREVIEW_TYPE: &str = "image/jpeg";
/// A week; a number that means no duration is refused.
const MAX_DURATION_MS: u64 = 7 * 24 * 3600 * 1000;

/// A file, a picture, or a voice message.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Attachment {
    /// What it is for.
    pub role: Role,
    /// The file's name, as its sender says: nothing to be used as a path.
    pub name: String,
    /// Its media type, as its sender says.
    pub media_type: String,
    /// How many octets the file has.
    pub size: u64,
    /// The blob.
    pub(crate) blob_id: BlobId,
    /// What opens it.
    pub(crate) key: SecretKey,
    /// The SHA-256 of the whole blob.
    pub(crate) digest: Sha256Digest,
    /// Until when it can be fetched.
    pub expires_at: Timestamp,
    /// What its sender says of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caption: Option<String>,
    /// How many milliseconds a voice message takes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<u64>,
    /// A picture's small likeness.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preview: Option<Preview>,
}

/// What an attachment is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// To be kept.
    File,
    /// To be looked at.
    Picture,
    /// To be listened to.
    Voice,
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::File => "file",
            Self::Picture => "picture",
            Self::Voice => "voice",
        })
    }
}

/// A picture's small likeness: a JPEG that a stranger may have made. `picture::pixels` decodes it within limits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Preview {
    /// `image/jpeg`.
    pub(crate) media_type: String,
    /// How many pixels it is wide.
    pub width: u32,
    /// How many pixels it is high.
    pub height: u32,
    /// The octets.
    pub(crate) data: Octets,
}

/// An attachment's key within a message: never shown, written as octets are.
#[derive(Debug, Clone)]
pub(crate) struct SecretKey(pub(crate) AttachmentKey);

impl PartialEq for SecretKey {
    fn eq(&self, other: &Self) -> bool {
        use subtle::ConstantTimeEq as _;
        self.0.as_bytes().ct_eq(other.0.as_bytes()).into()
    }
}

impl Serialize for SecretKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        FixedOctets(*self.0.as_bytes()).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for SecretKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        FixedOctets::<32>::deserialize(deserializer).map(|octets| Self(AttachmentKey::from_bytes(octets.0)))
    }
}

impl Body for Attachment {
    fn check(&self) -> Result<(), ContentError> {
        check_octets("name", self.name.len(), MAX_NAME_OCTETS)?;
        check_octets("media_type", self.media_type.len(), MAX_MEDIA_TYPE_OCTETS)?;
        if !is_media_type(&self.media_type) {
            return Err(ContentError::field("media_type", "is no media type, such as image/jpeg"));
        }
        if self.size > MAX_FILE_OCTETS {
            return Err(ContentError::field("size", format!("is over {MAX_FILE_OCTETS}")));
        }
        if let Some(caption) = &self.caption {
            check_octets("caption", caption.len(), MAX_CAPTION_OCTETS)?;
        }
        match self.duration_ms {
            Some(_) if self.role != Role::Voice => {
                return Err(ContentError::field("duration_ms", "is for voice messages alone"));
            }
            Some(milliseconds) if milliseconds > MAX_DURATION_MS => {
                return Err(ContentError::field("duration_ms", format!("is over {MAX_DURATION_MS}")));
            }
            _ => {}
        }
        let Some(preview) = &self.preview else { return Ok(()) };
        if self.role != Role::Picture {
            return Err(ContentError::field("preview", "is for pictures alone"));
        }
        if preview.media_type != PREVIEW_TYPE {
            return Err(ContentError::field("preview", format!("must be {PREVIEW_TYPE}")));
        }
        check_octets("preview", preview.data.as_slice().len(), MAX_PREVIEW_OCTETS)?;
        let is_side = |pixels| (1..=MAX_PREVIEW_SIDE).contains(&pixels);
        if !is_side(preview.width) || !is_side(preview.height) {
            return Err(ContentError::field("preview", format!("must have sides of 1 to {MAX_PREVIEW_SIDE} pixels")));
        }
        Ok(())
    }
}

fn check_octets(field: &'static str, octets: usize, limit: usize) -> Result<(), ContentError> {
    match octets {
        0 => Err(ContentError::field(field, "is empty")),
        octets if octets > limit => {
            Err(ContentError::field(field, format!("has {octets} octets; at most {limit} can be sent")))
        }
        _ => Ok(()),
    }
}

/// Two tokens of RFC 9110 with a slash between; parameters have no use here.
fn is_media_type(text: &str) -> bool {
    let is_token = |part: &str| {
        !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b))
    };
    text.split_once('/').is_some_and(|(kind, name)| is_token(kind) && is_token(name))
}

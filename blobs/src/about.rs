//! What is known of a blob, as its store keeps it.

use rossby_schemas::time::Timestamp;
use serde::{Deserialize, Serialize};

use crate::error::BlobError;

/// The object `about` of a blob.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct About {
    /// The form of the blob's objects: 1.
    version: u32,
    pub(crate) octets: u64,
    pub(crate) chunk_octets: u32,
    pub(crate) expires_at: Timestamp,
    pub(crate) upload_until: Timestamp,
    pub(crate) complete: bool,
}

const VERSION: u32 = 1;

impl About {
    pub(crate) fn new(octets: u64, chunk_octets: u32, expires_at: Timestamp, upload_until: Timestamp) -> Self {
        Self { version: VERSION, octets, chunk_octets, expires_at, upload_until, complete: false }
    }

    pub(crate) fn read(octets: &[u8]) -> Result<Self, BlobError> {
        let about: Self = serde_json::from_slice(octets).map_err(|error| BlobError::Damaged(error.to_string()))?;
        if about.version != VERSION || about.octets == 0 || about.chunk_octets == 0 {
            return Err(BlobError::Damaged(format!("{about:?}")));
        }
        Ok(about)
    }

    pub(crate) fn write(&self) -> Vec<u8> {
        // Numbers, times and a flag, all of which JSON can hold.
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// Whether it can be downloaded at `now`.
    pub(crate) fn is_there(&self, now: Timestamp) -> bool {
        self.complete && now < self.expires_at
    }

    /// Whether its upload can go on at `now`, or be repeated.
    pub(crate) fn is_open(&self, now: Timestamp) -> bool {
        now < self.expires_at && (self.complete || now < self.upload_until)
    }

    pub(crate) fn chunks(&self) -> u32 {
        u32::try_from(self.octets.div_ceil(self.chunk_octets.into())).unwrap_or(u32::MAX)
    }

    /// How many octets a chunk has; none if there is no such chunk.
    pub(crate) fn octets_of(&self, chunk: u32) -> Option<u64> {
        let begin = u64::from(chunk) * u64::from(self.chunk_octets);
        (begin < self.octets).then(|| (self.octets - begin).min(self.chunk_octets.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_chunk_has_what_is_left() {
        let time = "2026-11-24T09:00:00Z".parse().unwrap();
        for (octets, chunks, last) in [(1, 1, 1), (10, 1, 10), (11, 2, 1), (30, 3, 10)] {
            let about = About::new(octets, 10, time, time);
            assert_eq!(
                (about.chunks(), about.octets_of(chunks - 1), about.octets_of(chunks)),
                (chunks, Some(last), None)
            );
            assert_eq!((0..chunks).filter_map(|chunk| about.octets_of(chunk)).sum::<u64>(), octets);
        }
    }
}

//! Ids, and where the objects of a blob are.

use std::time::Duration;

use object_store::path::Path;
use rossby_schemas::encoding::FixedOctets;
use rossby_schemas::http::blobs::{BlobId, UploadKey};
use rossby_schemas::time::Timestamp;
use sha2::{Digest as _, Sha256};

const DAY_MILLIS: u64 = 24 * 3600 * 1000;
/// How long after its end a day is swept: clocks differ, and someone may still be reading.
const GRACE: Duration = Duration::from_secs(3600);

/// A day (UTC), counted from 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Day(u16);

impl Day {
    pub(crate) fn of(time: Timestamp) -> Self {
        Self(u16::try_from(time.millis() / DAY_MILLIS).unwrap_or(u16::MAX))
    }

    /// Whether it is over for so long that what stands under it can go.
    pub(crate) fn is_past(self, now: Timestamp) -> bool {
        now.minus(GRACE).millis() >= (u64::from(self.0) + 1) * DAY_MILLIS
    }

    /// The day as it stands in a path.
    fn name(self) -> String {
        // A number of 16 bits is far below the year 9999.
        Timestamp::from_millis(u64::from(self.0) * DAY_MILLIS).map(Timestamp::utc_day).unwrap_or_default()
    }

    fn parse(name: &str) -> Option<Self> {
        let day = Self::of(format!("{name}T00:00:00Z").parse().ok()?);
        (day.name() == name).then_some(day)
    }
}

/// The id of the blob that is uploaded with this key and expires then.
pub(crate) fn blob_id(key: &UploadKey, expires_at: Timestamp) -> BlobId {
    id_of(key, Day::of(expires_at))
}

/// Whether a blob is the one that is uploaded with this key.
pub(crate) fn is_key_of(key: &UploadKey, id: BlobId) -> bool {
    id_of(key, day_of(id)) == id
}

/// Both sides are hashes, so that comparing them tells nothing of the key.
fn id_of(key: &UploadKey, day: Day) -> BlobId {
    let day = day.0.to_be_bytes();
    let mut hash = Sha256::new();
    hash.update(b"rossby/v1/blob\0");
    hash.update(day);
    hash.update(key.0.as_slice());
    let mut id = [0; 34];
    id[..2].copy_from_slice(&day);
    id[2..].copy_from_slice(&hash.finalize());
    FixedOctets(id)
}

fn day_of(id: BlobId) -> Day {
    Day(u16::from_be_bytes([id.0[0], id.0[1]]))
}

/// Where a blob's objects are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    day: Day,
    name: String,
}

impl Place {
    pub(crate) fn of(id: BlobId) -> Self {
        let mut hash = Sha256::new();
        hash.update(b"rossby/v1/blob-name\0");
        hash.update(id.as_slice());
        Self { day: day_of(id), name: hex::encode(hash.finalize()) }
    }

    pub(crate) fn folder(&self) -> Path {
        blobs().join(self.day.name()).join(self.name.as_str())
    }

    pub(crate) fn about(&self) -> Path {
        self.folder().join("about")
    }

    pub(crate) fn chunk(&self, number: u32) -> Path {
        self.folder().join(format!("{number:08x}"))
    }

    /// The marker of an upload that must be complete on a day.
    pub(crate) fn upload(&self, day: Day) -> Path {
        uploads().join(day.name()).join(format!("{}-{}", self.day.name(), self.name))
    }

    /// The blob that the marker of an upload is about.
    pub(crate) fn of_upload(marker: &Path) -> Option<Self> {
        let (day, name) = marker.filename()?.split_at_checked("2026-11-24".len())?;
        let name = name.strip_prefix('-').filter(|name| name.len() == 64)?;
        Some(Self { day: Day::parse(day)?, name: name.to_owned() })
    }
}

/// The number of a chunk, by its path.
pub(crate) fn chunk_number(path: &Path) -> Option<u32> {
    path.filename().filter(|name| name.len() == 8).and_then(|name| u32::from_str_radix(name, 16).ok())
}

pub(crate) fn blobs() -> Path {
    Path::from("blobs")
}

pub(crate) fn uploads() -> Path {
    Path::from("uploads")
}

/// The day of a folder right below [`blobs`] or [`uploads`].
pub(crate) fn day(folder: &Path) -> Option<Day> {
    Day::parse(folder.filename()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn an_id_is_computed_from_the_key_and_the_day_and_from_nothing_else() {
        let key = UploadKey(FixedOctets([7; 32]));
        let id = blob_id(&key, time("2026-11-24T09:00:00Z"));
        assert_eq!(id.to_string(), "US1dedGUNJOLrdlsACaFxBoXWnZwbi9dhdUgKXZ7irfvyA");
        assert_eq!(id, blob_id(&key, time("2026-11-24T23:59:59Z")));
        assert_ne!(id, blob_id(&key, time("2026-11-25T00:00:00Z")));
        assert_ne!(id, blob_id(&UploadKey(FixedOctets([8; 32])), time("2026-11-24T09:00:00Z")));
        assert!(is_key_of(&key, id));
        for n in 0..34 {
            let mut other = id;
            other.0[n] ^= 1;
            assert!(!is_key_of(&key, other), "{n}");
        }
    }

    #[test]
    fn a_path_tells_the_day_and_not_the_id() {
        let id = blob_id(&UploadKey(FixedOctets([7; 32])), time("2026-11-24T09:00:00Z"));
        let place = Place::of(id);
        let chunk = place.chunk(17);
        assert!(chunk.as_ref().starts_with("blobs/2026-11-24/") && chunk.as_ref().ends_with("/00000011"), "{chunk}");
        assert_eq!(chunk_number(&chunk), Some(17));
        assert_eq!(chunk_number(&place.about()), None);
        assert!(!chunk.as_ref().contains(&hex::encode(&id.0[2..])));
        let marker = place.upload(Day::of(time("2026-10-26T09:00:00Z")));
        assert!(marker.as_ref().starts_with("uploads/2026-10-26/"), "{marker}");
        assert_eq!(Place::of_upload(&marker), Some(place));
        for bad in ["uploads/2026-10-26/x", "uploads/2026-10-26/2026-13-24-00", "é/ééééééééé"] {
            assert_eq!(Place::of_upload(&Path::from(bad)), None, "{bad}");
        }
    }

    #[test]
    fn a_day_is_past_an_hour_after_its_end() {
        let day = day(&Path::from("blobs/2026-11-24")).unwrap();
        assert_eq!(day, Day::of(time("2026-11-24T23:00:00Z")));
        assert!(!day.is_past(time("2026-11-25T00:59:59Z")));
        assert!(day.is_past(time("2026-11-25T01:00:00Z")));
    }
}

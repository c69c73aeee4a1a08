//! The chain over an account's history: each entry's hash covers the one before it in its stream, so that nothing of what
//! somebody has seen can be left out, changed or put elsewhere without the last hash being another.
//!
//! What is hashed is `"rossby/v1/history" ‖ 0x00 ‖ body`. The body: the hash of the stream's entry before it (32 octets, zeros
//! for the first), the topic's name (text), the stream (text), the version (u64), the event's id (16), its type (text), its
//! region (u8), its time, and SHA-256 of its data. The data stands in it by its hash, so that an entry whose data is nobody's
//! business is in the chain all the same.

use rossby_schemas::encoding::{FixedOctets, Octets, Sha256Digest};
use rossby_schemas::http::history::HistoryEntry;
use sha2::{Digest as _, Sha256};

use crate::layout::{Writer, of_kind};

const KIND: &str = "history";

/// What stands in place of the hash before a stream's first entry.
pub const NO_ENTRY: Sha256Digest = FixedOctets([0; 32]);

/// SHA-256 of an event's data, as it is in the log.
#[must_use]
pub fn data_hash(data: &Octets) -> Sha256Digest {
    FixedOctets(Sha256::digest(data.as_slice()).into())
}

/// The hash of an entry that follows in its stream after the one with the hash `before`. What the entry says its own hash to be
/// does not matter.
#[must_use]
pub fn chain_hash(before: Sha256Digest, entry: &HistoryEntry) -> Sha256Digest {
    let mut writer = Writer::new();
    writer
        .fixed(before.as_slice())
        .variable(entry.topic.as_bytes())
        .variable(entry.stream.as_bytes())
        .u64(entry.version)
        .fixed(entry.event_id.as_bytes())
        .variable(entry.event_type.as_bytes())
        .u8(entry.region.0)
        .time(entry.time)
        .fixed(entry.data_hash.as_slice());
    FixedOctets(Sha256::digest(of_kind(KIND, &writer.finish())).into())
}

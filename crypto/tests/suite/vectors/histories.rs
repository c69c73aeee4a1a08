//! The chain over an account's history.

use rossby_crypto::history::{NO_ENTRY, chain_hash, data_hash};
use rossby_schemas::encoding::Octets;
use rossby_schemas::http::history::HistoryEntry;
use rossby_schemas::ids::{DeviceId, EventId, RegionNumber};
use rossby_schemas::topic::Topic;
use serde_json::json;

use crate::world::{DAY, time};

fn entry(topic: Topic, stream: &str, version: u64, event_type: &str, data: &[u8]) -> HistoryEntry {
    let n = u8::try_from(version).unwrap();
    HistoryEntry {
        topic: topic.name().to_owned(),
        stream: stream.to_owned(),
        version,
        event_id: EventId::from_bytes([n; 16]),
        event_type: event_type.to_owned(),
        region: RegionNumber(1),
        time: time(DAY * version),
        device_id: Some(DeviceId::from_bytes([n; 16])),
        data_hash: data_hash(&Octets::from(data)),
        data: None,
        hash: NO_ENTRY,
    }
}

#[test]
fn histories() {
    let own = "01020304-0506-8708-890a-0b0c0d0e0f10";
    let streams = [
        (
            Topic::Keys,
            own.to_owned(),
            vec![
                (1, "org.rossby.keys.box-founded.v1", &b"{\"founded\":true}"[..]),
                (2, "org.rossby.keys.device-linked.v1", b"{}"),
            ],
        ),
        (
            Topic::Identifiers,
            "ab".repeat(32),
            vec![
                (3, "org.rossby.identifiers.identifier-verified.v2", b"{}"),
                (7, "org.rossby.identifiers.identifier-released.v2", b""),
            ],
        ),
    ];
    let mut vectors = Vec::new();
    for (topic, stream, events) in streams {
        let mut before = NO_ENTRY;
        for (version, event_type, data) in events {
            let entry = entry(topic, &stream, version, event_type, data);
            let hash = chain_hash(before, &entry);
            vectors.push(json!({
                "before": super::hex(before), "topic": entry.topic, "stream": entry.stream, "version": version,
                "event_id": super::hex(entry.event_id.as_bytes()), "event_type": event_type, "region": entry.region,
                "time": entry.time.millis(), "data": super::hex(data), "hash": super::hex(hash),
            }));
            before = hash;
        }
    }
    let about = "The chain over the entries of a stream of an account's history: SHA-256(\"rossby/v1/history\" ‖ 0x00 ‖ the hash of the \
                 entry before (32; zeros for the first) ‖ topic (text) ‖ stream (text) ‖ version (u64) ‖ event id (16) ‖ type (text) ‖ \
                 region (u8) ‖ time (u64) ‖ SHA-256 of the data).";
    super::check("history.json", about, &vectors.into());
}

#[test]
fn everything_that_an_entry_says_is_in_its_hash() {
    let one = entry(Topic::Keys, "01", 1, "a", b"data");
    let hash = chain_hash(NO_ENTRY, &one);
    for changed in [
        HistoryEntry { topic: Topic::Profiles.name().to_owned(), ..one.clone() },
        HistoryEntry { stream: "02".to_owned(), ..one.clone() },
        HistoryEntry { version: 2, ..one.clone() },
        HistoryEntry { event_id: EventId::from_bytes([9; 16]), ..one.clone() },
        HistoryEntry { event_type: "b".to_owned(), ..one.clone() },
        HistoryEntry { region: RegionNumber(2), ..one.clone() },
        HistoryEntry { time: time(1), ..one.clone() },
        HistoryEntry { data_hash: data_hash(&Octets::from(&b"date"[..])), ..one.clone() },
    ] {
        assert_ne!(chain_hash(NO_ENTRY, &changed), hash, "{changed:?}");
    }
    assert_ne!(chain_hash(hash, &one), hash);
    // What the server says its hash to be, and who did it, are not in it: both are checked otherwise.
    assert_eq!(chain_hash(NO_ENTRY, &HistoryEntry { hash, device_id: None, ..one }), hash);
}

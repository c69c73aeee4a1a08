//! What is verified anew when a record changes.

use rossby_crypto::signing::SigningKey;
use rossby_crypto::statements::{Remover, found, link, remove, request_link};
use rossby_schemas::ids::{DeviceId, RegionNumber};
use rossby_schemas::time::Timestamp;

use super::*;

const PHONE: DeviceId = DeviceId::from_bytes([1; 16]);
const LAPTOP: DeviceId = DeviceId::from_bytes([2; 16]);

fn stored(version: u64, record: &KeyRecord) -> StoredKeyRecord {
    let statements = record.statements().to_vec();
    StoredKeyRecord { version, statements, sealing_statements: Vec::new(), closing: false, closed: false }
}

/// A record of a phone, and what it is with a laptop, linked under this key.
fn grown(phone: &SigningKey, laptop: u8) -> (KeyRecord, KeyRecord) {
    let now: Timestamp = "2026-11-24T09:00:00Z".parse().unwrap();
    let founding = found(phone, PHONE, RegionNumber(1), [7; 32], None, now);
    let founded = KeyRecord::verify(std::slice::from_ref(founding.octets())).unwrap();
    let laptop = SigningKey::from_seed(&[laptop; 32]);
    let (box_id, head) = (founded.box_id(), founded.head());
    let request = request_link(&laptop, LAPTOP, box_id, head);
    let mut linked = founded.clone();
    linked.append(link(phone, PHONE, box_id, head, &request, now).octets()).unwrap();
    (founded, linked)
}

#[tokio::test]
async fn only_what_came_since_is_verified() {
    let phone = SigningKey::from_seed(&[1; 32]);
    let (founded, linked) = grown(&phone, 2);
    let records = KeyRecords::new();
    let known = Arc::new(records.verify(stored(1, &founded), None).await.unwrap().unwrap());
    let newer = Arc::new(records.verify(stored(2, &linked), Some(known.clone())).await.unwrap().unwrap());
    assert_eq!((&newer.record, newer.version), (&linked, 2));
    assert_eq!(records.verified.load(Ordering::Relaxed), 2, "each statement once");
    // Of a record that doesn't go on from what is known, everything is verified; nothing of the known one stays.
    let (_, other) = grown(&phone, 3);
    let replaced = records.verify(stored(3, &other), Some(newer.clone())).await.unwrap().unwrap();
    assert_eq!(replaced.record, other);
    assert_eq!(records.verified.load(Ordering::Relaxed), 4);
    // One statement that is wrong makes all of it unreadable, and so does a closing, after which none is left.
    let now: Timestamp = "2026-11-24T09:00:00Z".parse().unwrap();
    let foreign = remove(&phone, Remover::Device(PHONE), founded.box_id(), founded.head(), LAPTOP, now);
    let mut wrong = stored(4, &linked);
    wrong.statements.push(foreign.octets().clone());
    assert!(records.verify(wrong, Some(newer.clone())).await.unwrap().is_none());
    let closed = StoredKeyRecord { statements: Vec::new(), closed: true, ..stored(5, &linked) };
    assert!(records.verify(closed, Some(newer)).await.unwrap().is_none());
}

//! Encrypted profiles.

use rossby_crypto::profile::ProfileKey;
use rossby_schemas::ids::BoxId;
use serde_json::json;

use super::{check, hex};
use crate::world::Given;

#[test]
fn profiles() {
    let vectors = [(1, r#"{"revision":1,"name":"Ann"}"#), (2, "{}")].map(|(version, text)| {
        let key = ProfileKey::from_bytes(version, &[7; 32]);
        let box_id = BoxId::from_bytes([1; 16]);
        let blob = key.seal(&mut Given(vec![0x24; 24]), box_id, text.as_bytes()).unwrap();
        json!({
            "key": hex(key.as_bytes()), "version": version, "box_id": hex(box_id.as_bytes()), "nonce": hex([0x24; 24]),
            "text": text, "blob": hex(blob),
        })
    });
    check(
        "profile.json",
        "A profile's text, and the blob that it is sealed to under a key of this version.",
        &json!(vectors),
    );
}

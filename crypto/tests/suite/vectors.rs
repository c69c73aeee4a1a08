//! The checked-in vectors of every layout, for whoever writes it in another language: made again from the same inputs, and
//! compared. `ROSSBY_BLESS=1` writes them; a changed file is a changed protocol.
//!
//! Octets are hexadecimal, times milliseconds since 1970, and a device named n has the id, signing seed and sealing secret key
//! that are n in every octet.

mod account;
mod archives;
mod attachments;
mod conversations;
mod groups;
mod histories;
mod keyed_hashes;
mod linking;
mod messages;
mod profiles;
mod records;

use std::path::Path;

use serde_json::{Value, json};

/// Compares the file of this name with what the code makes now.
fn check(name: &str, about: &str, vectors: &Value) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors").join(name);
    let text = serde_json::to_string_pretty(&json!({ "about": about, "vectors": vectors })).unwrap() + "\n";
    if std::env::var_os("ROSSBY_BLESS").is_some_and(|value| value == "1") {
        std::fs::write(&path, &text).unwrap();
    }
    let checked_in = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(checked_in == text, "vectors/{name} is not what the code makes now; ROSSBY_BLESS=1 writes it");
}

fn hex(octets: impl AsRef<[u8]>) -> Value {
    Value::String(hex::encode(octets))
}

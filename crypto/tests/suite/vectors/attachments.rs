//! Attachments.

use serde_json::json;

use super::{check, hex};
use crate::attachments::{file, seal};

#[test]
fn attachments() {
    let vectors: Vec<_> = [0, 5, 65_528, 65_529, 200_000]
        .into_iter()
        .map(|length| {
            let (ciphertext, sealed) = seal(7, 0x24, &file(length));
            json!({
                "key": hex([7; 32]), "prefix": hex([0x24; 19]), "file_octets": length,
                "ciphertext_octets": sealed.octets, "ciphertext_sha256": hex(sealed.digest.0),
                "begins": hex(&ciphertext[..64]), "ends": hex(&ciphertext[ciphertext.len() - 32..]),
            })
        })
        .collect();
    check(
        "attachment.json",
        "Files whose octet n is n mod 251, encrypted with prefixes of 19 times 0x24: the ciphertext's length, SHA-256, first 64 \
         and last 32 octets.",
        &json!(vectors),
    );
}

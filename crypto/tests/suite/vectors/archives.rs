//! Archives.

use rossby_crypto::archive::ARCHIVE_HEADER_OCTETS;
use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::{check, hex};
use crate::archives::seal;
use crate::attachments::file;

#[test]
fn archives() {
    let vectors: Vec<_> = [0, 5, 65_536, 65_537, 200_000]
        .into_iter()
        .map(|length| {
            let sealed = seal(7, &file(length));
            json!({
                "key": hex([7; 32]), "text_octets": length, "header": hex(&sealed[..ARCHIVE_HEADER_OCTETS]),
                "archive_octets": sealed.len(), "archive_sha256": hex(Sha256::digest(&sealed)),
                "ends": hex(&sealed[sealed.len() - 16..]),
            })
        })
        .collect();
    check(
        "archive.json",
        "Texts whose octet n is n mod 251, as encrypted archives whose salt and prefix are 0x24 in every octet: header, length, \
         SHA-256, and the last 16 octets. The key is what Argon2id would give.",
        &json!(vectors),
    );
}

//! The id of a conversation between two boxes: both sides compute it, so that none has to tell the other.

use rossby_schemas::ids::BoxId;
use sha2::{Digest as _, Sha256};
use uuid::{Builder, Uuid};

/// The conversation between two boxes, the same from either side: the first 16 octets of
/// SHA-256("rossby/v1/conversation" ‖ the lower BoxID ‖ the higher BoxID), as a UUIDv8 (RFC 9562, section 5.8). It stands only
/// inside of what is sealed.
#[must_use]
pub fn direct_conversation(one: BoxId, other: BoxId) -> Uuid {
    let (lower, higher) = if one <= other { (one, other) } else { (other, one) };
    let digest = Sha256::new()
        .chain_update(b"rossby/v1/conversation")
        .chain_update(lower.as_bytes())
        .chain_update(higher.as_bytes())
        .finalize();
    let mut octets = [0; 16];
    octets.copy_from_slice(&digest[..16]);
    Builder::from_custom_bytes(octets).into_uuid()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_sides_name_it_alike() {
        let [ann, ben, eve] = [1, 2, 3].map(|n| BoxId::from_bytes([n; 16]));
        assert_eq!(direct_conversation(ann, ben), direct_conversation(ben, ann));
        assert_ne!(direct_conversation(ann, ben), direct_conversation(ann, eve));
        // Computed by hand, so that it never changes: sha256sum of the label, sixteen 01 and sixteen 02.
        assert_eq!(direct_conversation(ann, ben).to_string(), "8d4d4ef5-8db7-8c22-96f0-deec3463b050");
    }
}

//! The ids of conversations between two boxes: both sides compute them, so that none has to tell the other.

use rossby_schemas::ids::BoxId;
use sha2::{Digest as _, Sha256};
use uuid::{Builder, Uuid};

use crate::group::GroupId;

/// The conversation between two boxes, the same from either side: the first 16 octets of
/// SHA-256("rossby/v1/conversation" ‖ the lower BoxID ‖ the higher BoxID), as a UUIDv8 (RFC 9562, section 5.8). It stands only
/// inside of what is sealed.
#[must_use]
pub fn direct_conversation(one: BoxId, other: BoxId) -> Uuid {
    id(b"rossby/v1/conversation", one, other, &[])
}

/// The conversation in which two boxes bring each other what one of them lacks of a group, the same from either side: the first 16
/// octets of SHA-256("rossby/v1/conversation-beside-group" ‖ the lower BoxID ‖ the higher BoxID ‖ the group's id), as a UUIDv8. It
/// is neither the group's nor that of the two, whose numbers it leaves alone.
#[must_use]
pub fn conversation_beside_group(one: BoxId, other: BoxId, group: GroupId) -> Uuid {
    id(b"rossby/v1/conversation-beside-group", one, other, group.0.as_bytes())
}

fn id(label: &[u8], one: BoxId, other: BoxId, about: &[u8]) -> Uuid {
    let (lower, higher) = if one <= other { (one, other) } else { (other, one) };
    let digest = Sha256::new()
        .chain_update(label)
        .chain_update(lower.as_bytes())
        .chain_update(higher.as_bytes())
        .chain_update(about)
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

    #[test]
    fn each_group_has_one_beside_it_for_any_two() {
        let [ann, ben, eve] = [1, 2, 3].map(|n| BoxId::from_bytes([n; 16]));
        let [garden, choir] = [7, 8].map(|n| GroupId(Uuid::from_bytes([n; 16])));
        let beside = conversation_beside_group(ann, ben, garden);
        assert_eq!(beside, conversation_beside_group(ben, ann, garden));
        assert_ne!(beside, conversation_beside_group(ann, eve, garden));
        assert_ne!(beside, conversation_beside_group(ann, ben, choir));
        // Computed by hand: sha256sum of the label, sixteen 01, sixteen 02 and sixteen 07.
        assert_eq!(beside.to_string(), "ad7bbf22-ab3b-8b39-b786-0d33ebfe795b");
    }
}

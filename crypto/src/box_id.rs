//! The BoxID: computed from the founding statement, so that anyone can recompute it and no server can choose it.

use rossby_schemas::ids::{BoxId, RegionNumber};
use sha2::{Digest as _, Sha256};
use uuid::Builder;

/// The BoxID of the box that a founding statement founds: the first 16 octets of
/// SHA-256("rossby/v1/box" ‖ founding statement with its signature), octet 0 replaced by the region's number, then the
/// version and variant bits of a UUIDv8 (RFC 9562, section 5.8).
#[must_use]
pub fn box_id(region: RegionNumber, founding_statement: &[u8]) -> BoxId {
    let digest = Sha256::new().chain_update(b"rossby/v1/box").chain_update(founding_statement).finalize();
    let mut octets = [0; 16];
    octets.copy_from_slice(&digest[..16]);
    octets[0] = region.0;
    BoxId(Builder::from_custom_bytes(octets).into_uuid())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_names_its_region_and_is_a_uuid_of_version_8() {
        let id = box_id(RegionNumber(7), b"a founding statement");
        assert_eq!(id.region(), RegionNumber(7));
        assert_eq!(id.0.get_version_num(), 8);
        assert_eq!(id.0.get_variant(), uuid::Variant::RFC4122);
        assert_ne!(id, box_id(RegionNumber(7), b"another founding statement"));
        assert_eq!(id.as_bytes()[1..], box_id(RegionNumber(8), b"a founding statement").as_bytes()[1..]);
    }
}

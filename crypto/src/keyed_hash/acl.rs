//! The key under which a box's contacts and blocks are written down: derived for each box from the server's secret, and
//! told to the box's devices, who compute and sign the tags.

use std::fmt;

use rossby_schemas::events::profiles::AclTag;
use rossby_schemas::ids::BoxId;
use zeroize::{Zeroize, ZeroizeOnDrop};

use super::{MasterSecret, hmac};

/// A box's acl key: 32 octets. Zeroized when dropped, never shown.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct AclKey(Box<[u8; 32]>);

impl AclKey {
    /// The key with these octets, as a device keeps it.
    #[must_use]
    pub fn from_bytes(octets: &[u8; 32]) -> Self {
        Self(Box::new(*octets))
    }

    /// The key's octets.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Another box as this box's lists know it: HMAC-SHA-256(acl key, the other BoxID's 16 octets).
    #[must_use]
    pub fn tag(&self, other: BoxId) -> AclTag {
        hmac(&self.0, &[other.as_bytes()]).into()
    }
}

impl fmt::Debug for AclKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AclKey(secret)")
    }
}

impl MasterSecret {
    /// A box's acl key: HKDF-SHA-256 of the secret with info `rossby/v1/acl` ‖ box id.
    #[must_use]
    pub fn acl_key(&self, box_id: BoxId) -> AclKey {
        AclKey(Box::new(*self.derive(b"rossby/v1/acl", &[box_id.as_bytes()])))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_say_nothing_across_boxes() {
        let secret = MasterSecret::new(1, &[7; 32]);
        let [ann, ben, eve] = [1, 2, 3].map(|n| BoxId::from_bytes([n; 16]));
        assert_eq!(secret.acl_key(ann).tag(eve), secret.acl_key(ann).tag(eve));
        assert_ne!(secret.acl_key(ann).tag(eve), secret.acl_key(ben).tag(eve));
        assert_ne!(secret.acl_key(ann).tag(eve), secret.acl_key(ann).tag(ben));
        assert_eq!(format!("{:?}", secret.acl_key(ann)), "AclKey(secret)");
    }
}

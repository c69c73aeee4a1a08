//! The token by which a device authenticates: derived from the master secret, stored nowhere on the server.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rossby_schemas::ids::{BoxId, DeviceId};
use zeroize::{Zeroize, ZeroizeOnDrop};

use super::MasterSecret;
use crate::layout::{Reader, Writer};

/// The Hawk id: which device's token it is, of which epoch, under which master secret. No secret itself.
///
/// As text: base64url of box id ‖ device id ‖ epoch (u32) ‖ the secret's number (u32), 54 characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TokenId {
    /// The box.
    pub box_id: BoxId,
    /// The device.
    pub device_id: DeviceId,
    /// The device's epoch; revoking raises it.
    pub epoch: u32,
    /// The number of the master secret that the token comes from.
    pub secret_number: u32,
}

/// A text that is no Hawk id of Rossby's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is no token id")]
pub struct NotATokenId;

const TOKEN_ID_OCTETS: usize = 40;
const TOKEN_ID_CHARACTERS: usize = 54;

impl fmt::Display for TokenId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut writer = Writer::new();
        writer.fixed(self.box_id.as_bytes()).fixed(self.device_id.as_bytes()).u32(self.epoch).u32(self.secret_number);
        f.write_str(&URL_SAFE_NO_PAD.encode(writer.finish()))
    }
}

impl FromStr for TokenId {
    type Err = NotATokenId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.len() != TOKEN_ID_CHARACTERS {
            return Err(NotATokenId);
        }
        let octets = URL_SAFE_NO_PAD.decode(text).map_err(|_| NotATokenId)?;
        let read = || {
            let mut reader = Reader::new(&octets, TOKEN_ID_OCTETS)?;
            let id = Self {
                box_id: BoxId::from_bytes(reader.fixed()?),
                device_id: DeviceId::from_bytes(reader.fixed()?),
                epoch: reader.u32()?,
                secret_number: reader.u32()?,
            };
            reader.finish().map(|()| id)
        };
        read().map_err(|_| NotATokenId)
    }
}

/// The Hawk key of one device's token: 32 octets. Zeroized when dropped, never shown.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct HawkKey(Box<[u8; 32]>);

impl HawkKey {
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
}

impl fmt::Debug for HawkKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HawkKey(secret)")
    }
}

impl MasterSecret {
    /// The id of a device's token under this secret.
    #[must_use]
    pub const fn token_id(&self, box_id: BoxId, device_id: DeviceId, epoch: u32) -> TokenId {
        TokenId { box_id, device_id, epoch, secret_number: self.number }
    }

    /// A device's Hawk key: HKDF-SHA-256 of the secret with info `rossby/v1/hawk` ‖ box id ‖ device id ‖ epoch (u32).
    #[must_use]
    pub fn hawk_key(&self, box_id: BoxId, device_id: DeviceId, epoch: u32) -> HawkKey {
        let bound_to: [&[u8]; 3] = [box_id.as_bytes(), device_id.as_bytes(), &epoch.to_be_bytes()];
        HawkKey(Box::new(*self.derive(b"rossby/v1/hawk", &bound_to)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_read_back_and_nothing_else_is() {
        let secret = MasterSecret::new(3, &[7; 32]);
        let id = secret.token_id(BoxId::from_bytes([1; 16]), DeviceId::from_bytes([2; 16]), 5);
        let text = id.to_string();
        assert_eq!((text.len(), text.parse()), (TOKEN_ID_CHARACTERS, Ok(id)));
        for bad in ["", "AAAA", &text[1..], &format!("{text}A"), &text.replace('A', "!")] {
            assert_eq!(bad.parse::<TokenId>(), Err(NotATokenId), "{bad}");
        }
    }

    #[test]
    fn each_device_and_epoch_has_a_key_of_its_own() {
        let (one, other) = (MasterSecret::new(1, &[7; 32]), MasterSecret::new(1, &[8; 32]));
        let (ann, ben) = (BoxId::from_bytes([1; 16]), BoxId::from_bytes([2; 16]));
        let (phone, desk) = (DeviceId::from_bytes([1; 16]), DeviceId::from_bytes([2; 16]));
        let keys = [
            one.hawk_key(ann, phone, 1),
            one.hawk_key(ann, desk, 1),
            one.hawk_key(ben, phone, 1),
            one.hawk_key(ann, phone, 2),
            other.hawk_key(ann, phone, 1),
        ];
        let distinct: std::collections::HashSet<_> = keys.iter().map(|key| *key.as_bytes()).collect();
        assert_eq!(distinct.len(), keys.len());
        assert_eq!(format!("{:?}", keys[0]), "HawkKey(secret)");
    }
}

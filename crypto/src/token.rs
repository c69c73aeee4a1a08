//! A device's token, as the server seals it to the device: the Hawk id and key, and the box's acl key.

use rand_core::CryptoRng;
use rossby_schemas::encoding::{FixedOctets, Octets};
use zeroize::Zeroizing;

use crate::keyed_hash::{AclKey, HawkKey, MasterSecret, TokenId};
use crate::sealing::{self, BadPublicKey, DoesNotOpen, ENC_OCTETS, SealedFor, SealingPublicKey, SealingSecretKey};

/// A device's token.
///
/// Sealed: enc (1120) ‖ HPKE(info `rossby/v1/token`, aad the token id's text, Hawk key (32) ‖ acl key (32)).
#[derive(Debug)]
pub struct DeviceToken {
    /// The Hawk id.
    pub id: TokenId,
    /// The Hawk key.
    pub hawk_key: HawkKey,
    /// The key under which the box's contacts and blocks are written down.
    pub acl_key: AclKey,
}

impl DeviceToken {
    /// The token of this id, derived from the secret that the id names.
    #[must_use]
    pub fn derive(secret: &MasterSecret, id: TokenId) -> Self {
        Self { id, hawk_key: secret.hawk_key(id.box_id, id.device_id, id.epoch), acl_key: secret.acl_key(id.box_id) }
    }

    /// Seals the token to its device.
    ///
    /// # Errors
    /// [`BadPublicKey`].
    pub fn seal(&self, rng: &mut impl CryptoRng, key: &SealingPublicKey) -> Result<Octets, BadPublicKey> {
        let text = Zeroizing::new([self.hawk_key.as_bytes().as_slice(), self.acl_key.as_bytes()].concat());
        let (enc, sealed) = sealing::seal(rng, SealedFor::Token, key, self.id.to_string().as_bytes(), &text)?;
        Ok([enc.as_slice(), &sealed].concat().into())
    }

    /// Opens a token with the device's sealing key.
    ///
    /// # Errors
    /// [`DoesNotOpen`] for one that was sealed to another key, for another id, or changed.
    pub fn open(id: TokenId, sealed: &Octets, key: &SealingSecretKey) -> Result<Self, DoesNotOpen> {
        let (enc, sealed) = sealed.as_slice().split_first_chunk::<ENC_OCTETS>().ok_or(DoesNotOpen)?;
        let text = sealing::open(SealedFor::Token, key, &FixedOctets(*enc), id.to_string().as_bytes(), sealed)?;
        let (hawk_key, acl_key) = text.split_first_chunk::<32>().ok_or(DoesNotOpen)?;
        let acl_key = acl_key.try_into().map_err(|_| DoesNotOpen)?;
        Ok(Self { id, hawk_key: HawkKey::from_bytes(hawk_key), acl_key: AclKey::from_bytes(acl_key) })
    }
}

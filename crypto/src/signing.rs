//! Ed25519 signatures (RFC 8032), verified by the rule of ZIP 215, with keys of small order refused.
//!
//! Verifiers of Ed25519 disagree on crafted keys and signatures. If two clients judged one signature differently, a hostile
//! device could show them different histories; so there is one rule, ZIP 215's, which every implementation can follow
//! exactly. It accepts keys of small order, under which a signature proves nothing; those are refused as keys.

use std::fmt;

use curve25519_dalek::edwards::CompressedEdwardsY;
use rand_core::CryptoRng;
use rossby_schemas::encoding::FixedOctets;
use zeroize::{Zeroize as _, Zeroizing};

use crate::layout::of_kind;

/// How many octets a verification key has.
pub const VERIFICATION_KEY_OCTETS: usize = 32;
/// How many octets a signature has.
pub const SIGNATURE_OCTETS: usize = 64;

/// An Ed25519 signature.
pub type Signature = FixedOctets<SIGNATURE_OCTETS>;

/// Octets that are no verification key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum VerificationKeyError {
    /// Not 32 octets.
    #[error("a verification key has 32 octets")]
    Length,
    /// No point of the curve.
    #[error("the verification key is no point of the curve")]
    NotOnCurve,
    /// A point of small order, under which signatures prove nothing.
    #[error("the verification key is a point of small order")]
    SmallOrder,
}

/// A signature that does not verify.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the signature does not verify")]
pub struct BadSignature;

/// A device's or a recovery key's public half: a point of the curve, not of small order.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VerificationKey([u8; VERIFICATION_KEY_OCTETS]);

impl VerificationKey {
    /// The key with these octets.
    ///
    /// # Errors
    /// [`VerificationKeyError::NotOnCurve`] or [`VerificationKeyError::SmallOrder`].
    pub fn from_bytes(octets: [u8; VERIFICATION_KEY_OCTETS]) -> Result<Self, VerificationKeyError> {
        let point = CompressedEdwardsY(octets).decompress().ok_or(VerificationKeyError::NotOnCurve)?;
        if point.is_small_order() { Err(VerificationKeyError::SmallOrder) } else { Ok(Self(octets)) }
    }

    /// The key's octets.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; VERIFICATION_KEY_OCTETS] {
        &self.0
    }

    /// Checks a signature over `octets`, which begin with their kind.
    pub(crate) fn verify(&self, octets: &[u8], signature: &Signature) -> Result<(), BadSignature> {
        ed25519_zebra::VerificationKey::try_from(self.0)
            .and_then(|key| key.verify(&ed25519_zebra::Signature::from_bytes(&signature.0), octets))
            .map_err(|_| BadSignature)
    }
}

impl TryFrom<&[u8]> for VerificationKey {
    type Error = VerificationKeyError;

    fn try_from(octets: &[u8]) -> Result<Self, Self::Error> {
        octets.try_into().map_err(|_| VerificationKeyError::Length).and_then(Self::from_bytes)
    }
}

impl fmt::Debug for VerificationKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VerificationKey({})", FixedOctets(self.0))
    }
}

/// A device's or a recovery key's private half. Zeroized when dropped, never shown.
pub struct SigningKey(Box<ed25519_zebra::SigningKey>);

impl SigningKey {
    /// A new key.
    pub fn generate(rng: &mut impl CryptoRng) -> Self {
        let mut seed = Zeroizing::new([0; 32]);
        rng.fill_bytes(seed.as_mut_slice());
        Self::from_seed(&seed)
    }

    /// The key with this seed (the private key of RFC 8032, section 5.1.5).
    #[must_use]
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        Self(Box::new(ed25519_zebra::SigningKey::from_bytes(seed)))
    }

    /// The key's seed, to be kept in an encrypted store.
    #[must_use]
    pub fn to_seed(&self) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(*self.0.as_bytes())
    }

    /// The public half.
    #[must_use]
    pub fn verification_key(&self) -> VerificationKey {
        VerificationKey(self.0.verification_key().into())
    }

    /// Signs octets that begin with their kind.
    pub(crate) fn sign(&self, octets: &[u8]) -> Signature {
        FixedOctets(self.0.sign(octets).to_bytes())
    }

    /// Octets of `kind` with the signature behind them, and the signature.
    pub(crate) fn sign_behind(&self, kind: &str, body: &[u8]) -> (Vec<u8>, Signature) {
        let mut octets = of_kind(kind, body);
        let signature = self.sign(&octets);
        octets.extend_from_slice(signature.as_slice());
        (octets, signature)
    }
}

impl Drop for SigningKey {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKey(secret)")
    }
}

//! Sealing to one device: HPKE (RFC 9180) in base mode with X-Wing (KEM 0x647a, X25519 and ML-KEM-768), HKDF-SHA-256 and
//! ChaCha20-Poly1305.
//!
//! Base mode says nothing of who sealed: what is sealed carries a signature inside. Each use has its own `info`, so nothing
//! sealed for one use opens in another.

use std::fmt;

use hpke::aead::ChaCha20Poly1305;
use hpke::kdf::HkdfSha256;
use hpke::kem::XWing;
use hpke::{Deserializable as _, Kem as _, OpModeR, OpModeS, Serializable as _};
use rand_core::CryptoRng;
use rossby_schemas::encoding::FixedOctets;
use zeroize::Zeroizing;

/// How many octets a sealing public key has (X-Wing: 1184 of ML-KEM-768, 32 of X25519).
pub const PUBLIC_KEY_OCTETS: usize = 1216;
/// How many octets HPKE's encapsulated key has (X-Wing: 1088 of ML-KEM-768, 32 of X25519).
pub const ENC_OCTETS: usize = 1120;
/// How many octets a sealing secret key has: the seed from which both its halves come.
pub const SECRET_KEY_OCTETS: usize = 32;
/// By how many octets the sealed text is longer than the text.
pub const TAG_OCTETS: usize = 16;

/// HPKE's encapsulated key.
pub type Enc = FixedOctets<ENC_OCTETS>;

type Kem = XWing;
type PublicKey = <Kem as hpke::Kem>::PublicKey;
type PrivateKey = <Kem as hpke::Kem>::PrivateKey;

/// What something is sealed for. Each use has its own `info`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SealedFor {
    /// A message's content key: `rossby/v1/wrap`.
    Wrap,
    /// A device's token: `rossby/v1/token`.
    Token,
}

impl SealedFor {
    const fn info(self) -> &'static [u8] {
        match self {
            Self::Wrap => b"rossby/v1/wrap",
            Self::Token => b"rossby/v1/token",
        }
    }
}

/// Octets that are no sealing public key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is no X-Wing public key")]
pub struct BadPublicKey;

/// Octets that are no sealing secret key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is no X-Wing secret key")]
pub struct BadSecretKey;

/// A sealed text that doesn't open: sealed to another key, for another use, with other data beside it, or changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the sealed text does not open")]
pub struct DoesNotOpen;

/// A sealing key's public half: an X-Wing public key whose ML-KEM part passed the checks of FIPS 203, section 7.2.
#[derive(Clone, PartialEq, Eq)]
pub struct SealingPublicKey(Box<[u8; PUBLIC_KEY_OCTETS]>);

impl SealingPublicKey {
    /// The key with these octets.
    ///
    /// # Errors
    /// [`BadPublicKey`].
    pub fn from_bytes(octets: [u8; PUBLIC_KEY_OCTETS]) -> Result<Self, BadPublicKey> {
        PublicKey::from_bytes(&octets).map_err(|_| BadPublicKey)?;
        Ok(Self(Box::new(octets)))
    }

    /// The key's octets.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; PUBLIC_KEY_OCTETS] {
        &self.0
    }
}

impl fmt::Debug for SealingPublicKey {
    /// Shows the first octets, which tell keys apart.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, ..] = *self.0;
        write!(f, "SealingPublicKey({}..)", FixedOctets([a, b, c, d]))
    }
}

/// A sealing key's private half. Zeroized when dropped (by the `x-wing` crate), never shown; to be erased once every message
/// sealed to it has expired.
pub struct SealingSecretKey(Box<PrivateKey>);

impl SealingSecretKey {
    /// A new key.
    pub fn generate(rng: &mut impl CryptoRng) -> Self {
        Self(Box::new(Kem::gen_keypair_with_rng(rng).0))
    }

    /// The key with these octets, which [`SealingSecretKey::to_bytes`] gave.
    ///
    /// # Errors
    /// [`BadSecretKey`] if they are not [`SECRET_KEY_OCTETS`].
    pub fn from_bytes(octets: &[u8]) -> Result<Self, BadSecretKey> {
        PrivateKey::from_bytes(octets).map(|key| Self(Box::new(key))).map_err(|_| BadSecretKey)
    }

    /// The key's octets, to be kept in an encrypted store.
    #[must_use]
    pub fn to_bytes(&self) -> Zeroizing<[u8; SECRET_KEY_OCTETS]> {
        let mut octets = Zeroizing::new([0; SECRET_KEY_OCTETS]);
        self.0.write_exact(octets.as_mut_slice());
        octets
    }

    /// The public half.
    #[must_use]
    pub fn public_key(&self) -> SealingPublicKey {
        let mut octets = Box::new([0; PUBLIC_KEY_OCTETS]);
        Kem::sk_to_pk(&self.0).write_exact(octets.as_mut_slice());
        SealingPublicKey(octets)
    }
}

impl fmt::Debug for SealingSecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SealingSecretKey(secret)")
    }
}

/// Seals `text` to `key`; `aad` must be given again to open it. Gives the encapsulated key and the sealed text, which is
/// longer by [`TAG_OCTETS`].
///
/// # Errors
/// [`BadPublicKey`] if the encapsulation fails, which no key that was read with [`SealingPublicKey::from_bytes`] makes it.
pub fn seal(
    rng: &mut impl CryptoRng,
    sealed_for: SealedFor,
    key: &SealingPublicKey,
    aad: &[u8],
    text: &[u8],
) -> Result<(Enc, Vec<u8>), BadPublicKey> {
    let key = PublicKey::from_bytes(key.as_bytes()).map_err(|_| BadPublicKey)?;
    let (enc, sealed) = hpke::single_shot_seal_with_rng::<ChaCha20Poly1305, HkdfSha256, Kem>(
        &OpModeS::Base,
        &key,
        sealed_for.info(),
        text,
        aad,
        rng,
    )
    .map_err(|_| BadPublicKey)?;
    let mut octets = [0; ENC_OCTETS];
    enc.write_exact(&mut octets);
    Ok((FixedOctets(octets), sealed))
}

/// Opens what [`seal`] sealed.
///
/// # Errors
/// [`DoesNotOpen`].
pub fn open(
    sealed_for: SealedFor,
    key: &SealingSecretKey,
    enc: &Enc,
    aad: &[u8],
    sealed: &[u8],
) -> Result<Zeroizing<Vec<u8>>, DoesNotOpen> {
    let enc = <Kem as hpke::Kem>::EncappedKey::from_bytes(enc.as_slice()).map_err(|_| DoesNotOpen)?;
    hpke::single_shot_open::<ChaCha20Poly1305, HkdfSha256, Kem>(
        &OpModeR::Base,
        &key.0,
        &enc,
        sealed_for.info(),
        sealed,
        aad,
    )
    .map(Zeroizing::new)
    .map_err(|_| DoesNotOpen)
}

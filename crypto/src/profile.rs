//! A profile: what its owner calls themselves, encrypted for those whom they have accepted.
//!
//! The key is 32 random octets with a version, which its owner gives to each of them, and changes when one of them is not to
//! read what comes. The server keeps the encrypted profile as a blob:
//!
//! ```text
//! 1 (u8) ‖ version of the key (u32) ‖ c (32) ‖ nonce (24) ‖ XChaCha20-Poly1305(k, nonce, no associated data, padded text)
//! k ‖ c = HKDF-SHA-256(key, no salt, "rossby/v1/profile" ‖ 0x00 ‖ BoxID ‖ version of the key, 64)
//! ```
//!
//! c commits to the key, so that one blob can't open to two profiles. The padded text is the text's length (u32), the text, and
//! zeros, up to a power of two from 512, or as long as a blob can be.

use std::fmt;

use chacha20poly1305::aead::{Aead as _, KeyInit as _};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use rand_core::CryptoRng;
use rossby_schemas::encoding::Octets;
use rossby_schemas::ids::BoxId;
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use crate::account::MAX_PROFILE_BLOB;
use crate::keyed_hash::hkdf_64;

const FORMAT: u8 = 1;
const KEY_OCTETS: usize = 32;
const COMMITMENT_OCTETS: usize = 32;
const NONCE_OCTETS: usize = 24;
const TAG_OCTETS: usize = 16;
const LENGTH_OCTETS: usize = 4;
/// What stands before the ciphertext.
const HEADER_OCTETS: usize = 1 + 4 + COMMITMENT_OCTETS + NONCE_OCTETS;
/// The smallest padded text, and the largest.
const MIN_PADDED: usize = 512;
const MAX_PADDED: usize = MAX_PROFILE_BLOB - HEADER_OCTETS - TAG_OCTETS;

/// How many octets a profile's text has at most.
pub const MAX_PROFILE_TEXT: usize = MAX_PADDED - LENGTH_OCTETS;

/// Why a blob is no profile that this key opens, or a text none that can be one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ProfileError {
    /// The text is too long.
    #[error("a profile has {MAX_PROFILE_TEXT} octets at most")]
    TooLong,
    /// It is not in the layout.
    #[error("the profile is malformed")]
    Malformed,
    /// It is sealed under another version of the key.
    #[error("the profile is sealed under version {found} of the key, and this is version {known}")]
    OtherVersion {
        /// The version that it needs.
        found: u32,
        /// The version of this key.
        known: u32,
    },
    /// It was sealed with another key, or for another box, or was changed.
    #[error("the profile does not open with its key")]
    DoesNotOpen,
}

/// What opens a profile.
#[derive(Clone, PartialEq, Eq)]
pub struct ProfileKey {
    version: u32,
    key: Zeroizing<[u8; KEY_OCTETS]>,
}

impl fmt::Debug for ProfileKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ProfileKey(version {}, secret)", self.version)
    }
}

impl ProfileKey {
    /// A new key of this version.
    pub fn generate(rng: &mut impl CryptoRng, version: u32) -> Self {
        let mut key = Zeroizing::new([0; KEY_OCTETS]);
        rng.fill_bytes(key.as_mut_slice());
        Self { version, key }
    }

    /// The key with these octets.
    #[must_use]
    pub fn from_bytes(version: u32, key: &[u8; KEY_OCTETS]) -> Self {
        Self { version, key: Zeroizing::new(*key) }
    }

    /// Which of its box's keys it is: a later one has a higher version.
    #[must_use]
    pub const fn version(&self) -> u32 {
        self.version
    }

    /// Its octets, for a message and for the vault.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; KEY_OCTETS] {
        &self.key
    }

    /// Encrypts the profile of a box.
    ///
    /// # Errors
    /// [`ProfileError::TooLong`].
    pub fn seal(&self, rng: &mut impl CryptoRng, box_id: BoxId, text: &[u8]) -> Result<Octets, ProfileError> {
        let padded = pad(text)?;
        let mut nonce = [0; NONCE_OCTETS];
        rng.fill_bytes(&mut nonce);
        let keys = self.derived(box_id);
        let (key, commitment) = keys.split_at(KEY_OCTETS);
        let sealed = cipher(key).encrypt(&XNonce::from(nonce), padded.as_slice()).map_err(|_| ProfileError::TooLong)?;
        Ok([&[FORMAT], self.version.to_be_bytes().as_slice(), commitment, &nonce, &sealed].concat().into())
    }

    /// Decrypts the profile of a box.
    ///
    /// # Errors
    /// [`ProfileError`].
    pub fn open(&self, box_id: BoxId, blob: &Octets) -> Result<Zeroizing<Vec<u8>>, ProfileError> {
        let found = key_version(blob)?;
        if found != self.version {
            return Err(ProfileError::OtherVersion { found, known: self.version });
        }
        let (header, sealed) = blob.as_slice().split_at_checked(HEADER_OCTETS).ok_or(ProfileError::Malformed)?;
        let (committed, nonce) = header[5..].split_at(COMMITMENT_OCTETS);
        let nonce: [u8; NONCE_OCTETS] = nonce.try_into().map_err(|_| ProfileError::Malformed)?;
        let keys = self.derived(box_id);
        let (key, commitment) = keys.split_at(KEY_OCTETS);
        if !bool::from(commitment.ct_eq(committed)) {
            return Err(ProfileError::DoesNotOpen);
        }
        let padded = cipher(key).decrypt(&XNonce::from(nonce), sealed).map_err(|_| ProfileError::DoesNotOpen)?;
        unpad(&Zeroizing::new(padded))
    }

    fn derived(&self, box_id: BoxId) -> Zeroizing<[u8; 64]> {
        let info = [b"rossby/v1/profile\0", box_id.as_bytes().as_slice(), &self.version.to_be_bytes()].concat();
        hkdf_64(self.key.as_slice(), &info)
    }
}

/// The version of the key that a blob needs.
///
/// # Errors
/// [`ProfileError::Malformed`].
pub fn key_version(blob: &Octets) -> Result<u32, ProfileError> {
    match blob.as_slice() {
        [FORMAT, a, b, c, d, ..] if blob.as_slice().len() <= MAX_PROFILE_BLOB => {
            Ok(u32::from_be_bytes([*a, *b, *c, *d]))
        }
        _ => Err(ProfileError::Malformed),
    }
}

fn cipher(key: &[u8]) -> XChaCha20Poly1305 {
    let mut octets = chacha20poly1305::Key::default();
    octets.copy_from_slice(key);
    XChaCha20Poly1305::new(&octets)
}

fn pad(text: &[u8]) -> Result<Zeroizing<Vec<u8>>, ProfileError> {
    let length =
        u32::try_from(text.len()).ok().filter(|_| text.len() <= MAX_PROFILE_TEXT).ok_or(ProfileError::TooLong)?;
    let size = (LENGTH_OCTETS + text.len()).next_power_of_two().clamp(MIN_PADDED, MAX_PADDED);
    let mut padded = Zeroizing::new(Vec::with_capacity(size));
    padded.extend_from_slice(&length.to_be_bytes());
    padded.extend_from_slice(text);
    padded.resize(size, 0);
    Ok(padded)
}

fn unpad(padded: &[u8]) -> Result<Zeroizing<Vec<u8>>, ProfileError> {
    let (length, rest) = padded.split_first_chunk::<LENGTH_OCTETS>().ok_or(ProfileError::Malformed)?;
    let length = usize::try_from(u32::from_be_bytes(*length)).map_err(|_| ProfileError::Malformed)?;
    let (text, zeros) = rest.split_at_checked(length).ok_or(ProfileError::Malformed)?;
    let is_padded = (MIN_PADDED..=MAX_PADDED).contains(&padded.len())
        && pad(text).is_ok_and(|again| again.len() == padded.len())
        && zeros.iter().all(|octet| *octet == 0);
    if is_padded { Ok(Zeroizing::new(text.to_vec())) } else { Err(ProfileError::Malformed) }
}

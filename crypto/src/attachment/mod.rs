//! Attachments: files encrypted under a key of their own, in chunks, so that neither side ever holds a whole one.
//!
//! A ciphertext is a header of 24 octets and then the chunks. The header: the version (1), how many octets of text a chunk has
//! (u32, 65536), a random prefix of the nonces (19 octets). The text: the length of the file (u64), the file, zeros. It has
//! 65536 octets at least, and otherwise a length of the scheme PADMÉ (Nikitin and others, "Reducing Metadata Leakage from Encrypted
//! Files and Communication with PURBs", 2019): a file grows by 12 % at most, and by less the larger it is.
//!
//! The chunks are encrypted by XChaCha20-Poly1305 in the construction STREAM (Hoang, Reyhanitabar, Rogaway and Vizár, "Online
//! Authenticated-Encryption and its Nonce-Reuse Misuse-Resistance", 2015): the nonce is prefix ‖ number of the chunk (u32) ‖ 1 for
//! the last chunk, else 0. Beside each stands `rossby/v1/attachment` ‖ 0x00 ‖ header as associated data. So no chunk can be left
//! out, moved, repeated or cut off, and none can come from elsewhere.
//!
//! The SHA-256 of the whole ciphertext stands in the message, and is checked before anything is decrypted.

mod open;
mod seal;

use std::fmt;
use std::io;

use aead_stream::{NewStream as _, Nonce, StreamBE32, StreamPrimitive as _};
use chacha20poly1305::{Key, XChaCha20Poly1305};
pub use open::{digest, open};
use rand_core::CryptoRng;
use rossby_schemas::encoding::Sha256Digest;
pub use seal::seal;
use zeroize::Zeroizing;

/// How many octets a key has.
pub const KEY_OCTETS: usize = 32;
/// How many octets a file has at most, for the sake of numbers that fit.
pub const MAX_FILE_OCTETS: u64 = 1 << 40;

const VERSION: u8 = 1;
/// Octets of text in a chunk.
const CHUNK_OCTETS: usize = 64 * 1024;
const CHUNK_OCTETS_BE: [u8; 4] = [0, 1, 0, 0];
const TAG_OCTETS: usize = 16;
const PREFIX_OCTETS: usize = 19;
const HEADER_OCTETS: usize = 1 + 4 + PREFIX_OCTETS;
const LENGTH_OCTETS: usize = 8;
const DOMAIN: &[u8] = b"rossby/v1/attachment\0";

/// The key of one attachment. Zeroized when dropped, never shown.
#[derive(Clone)]
pub struct AttachmentKey(Zeroizing<[u8; KEY_OCTETS]>);

impl fmt::Debug for AttachmentKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AttachmentKey(secret)")
    }
}

impl AttachmentKey {
    /// A new key. It is used for one file, once.
    pub fn generate(rng: &mut impl CryptoRng) -> Self {
        let mut key = Zeroizing::new([0; KEY_OCTETS]);
        rng.fill_bytes(key.as_mut_slice());
        Self(key)
    }

    /// The key with these octets.
    #[must_use]
    pub fn from_bytes(octets: [u8; KEY_OCTETS]) -> Self {
        Self(Zeroizing::new(octets))
    }

    /// Its octets, for the message and for the vault.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; KEY_OCTETS] {
        &self.0
    }
}

/// The cipher of one attachment.
struct Stream {
    stream: StreamBE32<XChaCha20Poly1305>,
    /// The associated data of every chunk.
    aad: Vec<u8>,
}

impl Stream {
    fn new(key: &AttachmentKey, header: &[u8; HEADER_OCTETS]) -> Self {
        let mut octets = Key::default();
        octets.copy_from_slice(key.0.as_slice());
        let mut prefix = Nonce::<XChaCha20Poly1305, StreamBE32<XChaCha20Poly1305>>::default();
        prefix.copy_from_slice(&header[HEADER_OCTETS - PREFIX_OCTETS..]);
        Self { stream: StreamBE32::new(&octets, &prefix), aad: [DOMAIN, header].concat() }
    }

    fn seal(&self, number: u32, is_last: bool, chunk: &mut Vec<u8>) -> Result<(), AttachmentError> {
        self.stream.encrypt_in_place(number, is_last, &self.aad, chunk).map_err(|_| AttachmentError::TooLong)
    }

    fn open(&self, number: u32, is_last: bool, chunk: &mut Vec<u8>) -> Result<(), AttachmentError> {
        self.stream.decrypt_in_place(number, is_last, &self.aad, chunk).map_err(|_| AttachmentError::DoesNotOpen)
    }
}

/// What an encrypted file came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sealed {
    /// How many octets the ciphertext has.
    pub octets: u64,
    /// Its SHA-256.
    pub digest: Sha256Digest,
}

/// Why a file can't be encrypted or decrypted. What has been written by then is worth nothing.
#[derive(Debug, thiserror::Error)]
pub enum AttachmentError {
    /// It can't be read or written.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The file has more octets than can be encrypted.
    #[error("a file has at most {MAX_FILE_OCTETS} octets")]
    TooLong,
    /// The file has another length than it had.
    #[error("the file changed while it was read")]
    Changed,
    /// The header is of a version or has a size of chunks that is not known here.
    #[error("the attachment is of a version that is not known here")]
    OtherVersion,
    /// There are fewer or more octets than there must be.
    #[error("the attachment has another length than it should")]
    OtherLength,
    /// A chunk does not open: another key, or the ciphertext was changed, cut or put together anew.
    #[error("the attachment does not open")]
    DoesNotOpen,
    /// The length within is not the one that was stated, or something else than zeros follows the file.
    #[error("the attachment is not padded as it must be")]
    BadPadding,
}

/// How many octets the ciphertext of a file has.
#[must_use]
pub fn ciphertext_octets(file_octets: u64) -> u64 {
    let text = text_octets(file_octets);
    let chunks = text.div_ceil(CHUNK_OCTETS as u64);
    HEADER_OCTETS as u64 + text + chunks * TAG_OCTETS as u64
}

/// How many octets the text of a file has: its length, the file, and the padding.
fn text_octets(file_octets: u64) -> u64 {
    padme(file_octets.min(MAX_FILE_OCTETS) + LENGTH_OCTETS as u64).max(CHUNK_OCTETS as u64)
}

/// The smallest length of the scheme that is not below `length`: of `E` binary digits after the first, only as many as are
/// needed to write `E` may be ones.
fn padme(length: u64) -> u64 {
    let Some(exponent) = length.checked_ilog2() else { return length };
    let Some(digits) = exponent.checked_ilog2() else { return length };
    let zeros = exponent - (digits + 1);
    length.next_multiple_of(1 << zeros)
}

/// The header of a ciphertext.
fn header(prefix: &[u8; PREFIX_OCTETS]) -> [u8; HEADER_OCTETS] {
    let mut header = [0; HEADER_OCTETS];
    header[0] = VERSION;
    header[1..5].copy_from_slice(&CHUNK_OCTETS_BE);
    header[5..].copy_from_slice(prefix);
    header
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_those_of_the_scheme() {
        // From the definition: E = floor(log2 L), S = floor(log2 E) + 1, and the last E - S binary digits are zeros.
        for (length, padded) in [
            (1, 1),
            (2, 2),
            (8, 8),
            (9, 10),
            (15, 16),
            (100, 104),
            (1000, 1024),
            (1025, 1088),
            (100_000, 100_352),
            (100_000_008, 100_663_296),
        ] {
            assert_eq!(padme(length), padded, "{length}");
        }
        for length in (1..2_000_u64).chain([(1 << 30) - 1, 1 << 30, (1 << 30) + 1, 1 << 40]) {
            let padded = padme(length);
            assert!(padded >= length && (padded - length) * 100 <= length * 12, "{length} {padded}");
            assert_eq!(padme(padded), padded, "{length}");
        }
    }

    #[test]
    fn small_files_are_all_alike_and_lengths_follow_from_the_files() {
        let least = (HEADER_OCTETS + CHUNK_OCTETS + TAG_OCTETS) as u64;
        assert_eq!((ciphertext_octets(0), ciphertext_octets(65_528)), (least, least));
        assert!(ciphertext_octets(65_529) > least);
        assert_eq!(ciphertext_octets(100_000_000), 24 + 100_663_296 + 1536 * 16);
        assert_eq!(ciphertext_octets(u64::MAX), ciphertext_octets(MAX_FILE_OCTETS), "no number runs over");
    }
}

//! A symmetric key that seals what is private at rest.

use chacha20poly1305::aead::{Aead as _, KeyInit as _, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use zeroize::Zeroizing;

use crate::error::ClientError;
use crate::random;

/// How many octets each key has.
pub(crate) const KEY_OCTETS: usize = 32;
const NONCE_OCTETS: usize = 24;

/// A key of XChaCha20-Poly1305.
#[derive(Clone)]
pub(crate) struct Key(Zeroizing<[u8; KEY_OCTETS]>);

impl Key {
    pub(crate) fn generate() -> Self {
        Self(Zeroizing::new(random::octets()))
    }

    pub(crate) const fn new(octets: Zeroizing<[u8; KEY_OCTETS]>) -> Self {
        Self(octets)
    }

    /// None if these are not as many as a key has.
    pub(crate) fn from_slice(octets: &[u8]) -> Option<Self> {
        octets.try_into().ok().map(|octets| Self(Zeroizing::new(octets)))
    }

    pub(crate) fn as_slice(&self) -> &[u8] {
        self.0.as_slice()
    }

    /// Encrypts what stands under `label`, with a random nonce before the ciphertext.
    pub(crate) fn seal(&self, label: &str, text: &[u8]) -> Vec<u8> {
        let nonce: [u8; NONCE_OCTETS] = random::octets();
        let payload = Payload { msg: text, aad: label.as_bytes() };
        // Only a text of more than 256 GiB can fail.
        let sealed = self.cipher().encrypt(&XNonce::from(nonce), payload).unwrap_or_default();
        [nonce.as_slice(), &sealed].concat()
    }

    /// Decrypts what was sealed under `label`.
    pub(crate) fn open(&self, label: &str, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, ClientError> {
        let damaged = ClientError::DamagedStore("a secret does not open");
        let Some((nonce, sealed)) = sealed.split_first_chunk::<NONCE_OCTETS>() else { return Err(damaged) };
        let payload = Payload { msg: sealed, aad: label.as_bytes() };
        self.cipher().decrypt(&XNonce::from(*nonce), payload).map(Zeroizing::new).map_err(|_| damaged)
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new((&*self.0).into())
    }
}

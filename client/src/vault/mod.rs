//! What is private at rest: each private key, token and message body is encrypted under the store's key, and that under a
//! passphrase or a key file.
//!
//! The store's key is 32 random octets. It is wrapped by XChaCha20-Poly1305 under Argon2id (RFC 9106) of the passphrase, or
//! under the 32 octets of the key file; everything else by XChaCha20-Poly1305 under the store's key, with a random nonce
//! before the ciphertext and a label as associated data, so that one ciphertext can't stand in another's place.

mod key_file;

use std::fmt;
use std::path::PathBuf;

use argon2::{Algorithm, Argon2, Params, Version};
use chacha20poly1305::aead::{Aead as _, KeyInit as _, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use secrecy::{ExposeSecret as _, SecretString};
use zeroize::Zeroizing;

use crate::error::ClientError;
use crate::random;

const KEY_OCTETS: usize = 32;
const SALT_OCTETS: usize = 16;
const NONCE_OCTETS: usize = 24;
/// The second of the two choices that RFC 9106, section 4, recommends: 64 MiB, three passes.
const MEMORY_KIB: u32 = 64 * 1024;
const PASSES: u32 = 3;
const LANES: u32 = 1;
/// A store that asks for more was made to use the memory up.
const MAX_MEMORY_KIB: u32 = 1024 * 1024;
const MAX_PASSES: u32 = 64;

/// What opens the private keys.
#[derive(Clone)]
pub enum Unlock {
    /// A passphrase.
    Passphrase(SecretString),
    /// A file with a key, made with the home if it is not there.
    KeyFile(PathBuf),
}

impl fmt::Debug for Unlock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Passphrase(_) => f.write_str("Passphrase(secret)"),
            Self::KeyFile(path) => f.debug_tuple("KeyFile").field(path).finish(),
        }
    }
}

/// Why the private keys can't be opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UnlockError {
    /// The passphrase is wrong.
    #[error("the passphrase is wrong")]
    WrongPassphrase,
    /// The key file is another home's.
    #[error("the key file is not this home's")]
    WrongKeyFile,
    /// The home needs a passphrase.
    #[error("this home is locked with a passphrase: give --passphrase, --passphrase-file or ROSSBY_PASSPHRASE")]
    NeedsPassphrase,
    /// The home needs its key file.
    #[error("this home is locked with a key file, not with a passphrase: give --key-file if it was moved")]
    NeedsKeyFile,
    /// A passphrase is empty.
    #[error("the passphrase is empty")]
    EmptyPassphrase,
    /// The file holds no key.
    #[error("the key file holds no key: it has 32 octets")]
    NotAKeyFile,
    /// What the store says of its lock can't be.
    #[error("what the store says of its lock can't be")]
    Damaged,
}

/// How the store's key is wrapped, as the store keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Lock {
    /// Argon2id's salt and costs, for a passphrase.
    pub(crate) argon2: Option<Costs>,
    /// The store's key, wrapped.
    pub(crate) wrapped: Vec<u8>,
}

/// Argon2id's salt and costs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Costs {
    pub(crate) salt: Vec<u8>,
    pub(crate) memory_kib: u32,
    pub(crate) passes: u32,
}

impl Lock {
    pub(crate) const fn is_passphrase(&self) -> bool {
        self.argon2.is_some()
    }
}

/// The store's key.
pub(crate) struct Vault(Zeroizing<[u8; KEY_OCTETS]>);

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Vault(secret)")
    }
}

impl Vault {
    /// A new key, and how it is wrapped. A key file is made if it is not there.
    pub(crate) async fn create(unlock: Unlock) -> Result<(Self, Lock), ClientError> {
        let vault = Self(Zeroizing::new(random::octets()));
        let (outer, argon2) = match unlock {
            Unlock::Passphrase(passphrase) => {
                let costs =
                    Costs { salt: random::octets::<SALT_OCTETS>().to_vec(), memory_kib: MEMORY_KIB, passes: PASSES };
                (stretch(passphrase, costs.clone()).await?, Some(costs))
            }
            Unlock::KeyFile(path) => (Self(key_file::read_or_make(&path)?), None),
        };
        let wrapped = outer.seal("store key", vault.0.as_slice());
        Ok((vault, Lock { argon2, wrapped }))
    }

    /// The key of a store with this lock.
    pub(crate) async fn unlock(unlock: Unlock, lock: Lock) -> Result<Self, ClientError> {
        let (outer, wrong) = match (unlock, lock.argon2) {
            (Unlock::Passphrase(passphrase), Some(costs)) => {
                (stretch(passphrase, costs).await?, UnlockError::WrongPassphrase)
            }
            (Unlock::KeyFile(path), None) => (Self(key_file::read(&path)?), UnlockError::WrongKeyFile),
            (Unlock::KeyFile(_), Some(_)) => return Err(UnlockError::NeedsPassphrase.into()),
            (Unlock::Passphrase(_), None) => return Err(UnlockError::NeedsKeyFile.into()),
        };
        let key = outer.open("store key", &lock.wrapped).map_err(|_| wrong)?;
        let key = key.as_slice().try_into().map_err(|_| UnlockError::Damaged)?;
        Ok(Self(Zeroizing::new(key)))
    }

    /// Encrypts what stands under `label`.
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

/// The key that a passphrase gives. It takes a while, on a thread of its own.
async fn stretch(passphrase: SecretString, costs: Costs) -> Result<Vault, ClientError> {
    if passphrase.expose_secret().is_empty() {
        return Err(UnlockError::EmptyPassphrase.into());
    }
    if costs.memory_kib > MAX_MEMORY_KIB || costs.passes > MAX_PASSES {
        return Err(UnlockError::Damaged.into());
    }
    let stretched = tokio::task::spawn_blocking(move || {
        let params = Params::new(costs.memory_kib, costs.passes, LANES, Some(KEY_OCTETS)).ok()?;
        let mut key = Zeroizing::new([0; KEY_OCTETS]);
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        argon2.hash_password_into(passphrase.expose_secret().as_bytes(), &costs.salt, key.as_mut_slice()).ok()?;
        Some(Vault(key))
    });
    stretched.await.ok().flatten().ok_or_else(|| UnlockError::Damaged.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passphrase(text: &str) -> Unlock {
        Unlock::Passphrase(SecretString::from(text))
    }

    #[tokio::test]
    async fn a_passphrase_opens_what_it_locked_and_no_other_does() {
        let (vault, lock) = Vault::create(passphrase("correct horse")).await.unwrap();
        let sealed = vault.seal("a label", b"a secret");
        let again = Vault::unlock(passphrase("correct horse"), lock.clone()).await.unwrap();
        assert_eq!(again.open("a label", &sealed).unwrap().as_slice(), b"a secret");
        assert!(again.open("another label", &sealed).is_err());
        let wrong = Vault::unlock(passphrase("correct house"), lock.clone()).await.unwrap_err();
        assert!(matches!(wrong, ClientError::Unlock(UnlockError::WrongPassphrase)), "{wrong}");
        let wrong = Vault::unlock(passphrase(""), lock.clone()).await.unwrap_err();
        assert!(matches!(wrong, ClientError::Unlock(UnlockError::EmptyPassphrase)), "{wrong}");
        let wrong = Vault::unlock(Unlock::KeyFile("/nowhere".into()), lock.clone()).await.unwrap_err();
        assert!(matches!(wrong, ClientError::Unlock(UnlockError::NeedsPassphrase)), "{wrong}");
        let mut greedy = lock;
        greedy.argon2.as_mut().unwrap().memory_kib = u32::MAX;
        let wrong = Vault::unlock(passphrase("correct horse"), greedy).await.unwrap_err();
        assert!(matches!(wrong, ClientError::Unlock(UnlockError::Damaged)), "{wrong}");
    }

    #[tokio::test]
    async fn a_key_file_opens_what_it_locked_and_no_other_does() {
        let folder = tempfile::tempdir().unwrap();
        let [one, two] = ["one", "two"].map(|name| Unlock::KeyFile(folder.path().join(name)));
        let (vault, lock) = Vault::create(one.clone()).await.unwrap();
        let (_, _) = Vault::create(two.clone()).await.unwrap();
        let sealed = vault.seal("a label", b"a secret");
        assert_ne!(sealed, vault.seal("a label", b"a secret"), "nonces are random");
        let again = Vault::unlock(one, lock.clone()).await.unwrap();
        assert_eq!(again.open("a label", &sealed).unwrap().as_slice(), b"a secret");
        let wrong = Vault::unlock(two, lock.clone()).await.unwrap_err();
        assert!(matches!(wrong, ClientError::Unlock(UnlockError::WrongKeyFile)), "{wrong}");
        let wrong = Vault::unlock(passphrase("x"), lock).await.unwrap_err();
        assert!(matches!(wrong, ClientError::Unlock(UnlockError::NeedsKeyFile)), "{wrong}");
        for n in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[n] ^= 1;
            assert!(again.open("a label", &changed).is_err());
        }
        assert!(again.open("a label", &[]).is_err());
    }

    #[test]
    fn secrets_are_not_shown() {
        let vault = Vault(Zeroizing::new([7; 32]));
        assert_eq!(format!("{vault:?} {:?}", passphrase("hidden")), "Vault(secret) Passphrase(secret)");
    }
}

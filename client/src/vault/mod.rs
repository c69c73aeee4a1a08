//! What is private at rest: each private key, token and message body is encrypted under the store's key, and that under a
//! passphrase, a key file or a key in the system's keyring.
//!
//! The store's key is 32 random octets. It is wrapped by XChaCha20-Poly1305 under Argon2id (RFC 9106) of the passphrase, or
//! under the 32 octets of the key file or of the keyring's entry; everything else by XChaCha20-Poly1305 under the store's key,
//! with a random nonce before the ciphertext and a label as associated data, so that one ciphertext can't stand in another's
//! place.
//!
//! Each sealing private key is sealed under a wrapping key of its own before that (`store/wrapping_keys.rs`): where that key is
//! erased, no copy of the sealed private key opens any more.

mod key;
mod key_file;
#[cfg_attr(not(feature = "keyring"), path = "no_keyring.rs")]
pub(crate) mod keyring;
mod passphrase;

use std::fmt;
use std::path::PathBuf;

pub(crate) use key::Key;
pub use key_file::erase as erase_key_file;
pub use keyring::Keyring;
pub(crate) use passphrase::{Costs, stretch};
use secrecy::SecretString;
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::error::ClientError;

const STORE_KEY: &str = "store key";

/// What opens the private keys.
#[derive(Clone)]
pub enum Unlock {
    /// A passphrase.
    Passphrase(SecretString),
    /// A file with a key, made with the home if it is not there.
    KeyFile(PathBuf),
    /// A key in the system's keyring.
    Keyring,
}

impl fmt::Debug for Unlock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Passphrase(_) => f.write_str("Passphrase(secret)"),
            Self::KeyFile(path) => f.debug_tuple("KeyFile").field(path).finish(),
            Self::Keyring => f.write_str("Keyring"),
        }
    }
}

/// By what a home is locked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LockKind {
    /// A passphrase.
    Passphrase,
    /// A key file.
    KeyFile,
    /// A key in the system's keyring.
    Keyring,
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
    /// The keyring's key is not there any more, or another.
    #[error("the keyring does not have this home's key: it was erased there, or this is another person's keyring")]
    NotInKeyring,
    /// The home needs a passphrase.
    #[error("this home is locked with a passphrase: give --passphrase, --passphrase-file or ROSSBY_PASSPHRASE")]
    NeedsPassphrase,
    /// The home needs its key file.
    #[error("this home is locked with a key file, not otherwise: give --key-file if it was moved")]
    NeedsKeyFile,
    /// The home needs the keyring.
    #[error(
        "this home is locked with the system's keyring, not otherwise: leave the options out that say how it is locked"
    )]
    NeedsKeyring,
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

/// Why the system's keyring is of no use.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyringError {
    /// There is none.
    #[error(
        "the system has no keyring that can be used here: {0}. Run it in a session that has one; a new home can be locked with \
         --passphrase or a key file instead"
    )]
    None(String),
    /// It didn't do as it was asked.
    #[error("the system's keyring refuses: {0}")]
    Refused(String),
    /// An entry of ours holds something else.
    #[error("what the system's keyring holds is no key of this program")]
    NotAKey,
}

/// How the store's key is wrapped, as the store keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Lock {
    pub(crate) by: LockedBy,
    /// The store's key, wrapped.
    pub(crate) wrapped: Vec<u8>,
}

/// What wraps the store's key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum LockedBy {
    Passphrase(Costs),
    KeyFile,
    /// The keyring's entry of this id.
    Keyring(Uuid),
}

impl LockedBy {
    pub(crate) const fn kind(&self) -> LockKind {
        match self {
            Self::Passphrase(_) => LockKind::Passphrase,
            Self::KeyFile => LockKind::KeyFile,
            Self::Keyring(_) => LockKind::Keyring,
        }
    }
}

/// The store's key, and the keyring beside it.
pub(crate) struct Vault {
    key: Key,
    pub(crate) keyring: Keyring,
    /// How the home was locked when it was opened.
    pub(crate) kind: LockKind,
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Vault(secret)")
    }
}

impl Vault {
    /// A new key, and how it is wrapped. A key file is made if it is not there.
    pub(crate) async fn create(unlock: Unlock, keyring: Keyring) -> Result<(Self, Lock), ClientError> {
        let key = Key::generate();
        let lock = lock(&key, unlock, &keyring, Uuid::new_v4()).await?;
        Ok((Self { key, keyring, kind: lock.by.kind() }, lock))
    }

    /// The key of a store with this lock.
    pub(crate) async fn unlock(unlock: Unlock, lock: Lock, keyring: Keyring) -> Result<Self, ClientError> {
        let kind = lock.by.kind();
        let (outer, wrong) = match (unlock, lock.by) {
            (Unlock::Passphrase(passphrase), LockedBy::Passphrase(costs)) => {
                (stretch(passphrase, costs).await?, UnlockError::WrongPassphrase)
            }
            (Unlock::KeyFile(path), LockedBy::KeyFile) => (key_file::read(&path)?, UnlockError::WrongKeyFile),
            (Unlock::Keyring, LockedBy::Keyring(id)) => {
                let outer = keyring.get(id).await?.ok_or(UnlockError::NotInKeyring)?;
                (outer, UnlockError::NotInKeyring)
            }
            (_, LockedBy::Passphrase(_)) => return Err(UnlockError::NeedsPassphrase.into()),
            (_, LockedBy::KeyFile) => return Err(UnlockError::NeedsKeyFile.into()),
            (_, LockedBy::Keyring(_)) => return Err(UnlockError::NeedsKeyring.into()),
        };
        let key = outer.open(STORE_KEY, &lock.wrapped).map_err(|_| wrong)?;
        let key = Key::from_slice(&key).ok_or(UnlockError::Damaged)?;
        Ok(Self { key, keyring, kind })
    }

    /// The lock is that of no store: the keyring needn't keep it.
    pub(crate) async fn forget(&self, lock: &Lock) {
        if let LockedBy::Keyring(id) = lock.by
            && let Err(error) = self.keyring.erase(id).await
        {
            tracing::debug!(%error, "a key that locks nothing stays in the keyring");
        }
    }

    /// Wraps the same key anew. A key in the keyring gets this id.
    pub(crate) async fn lock_anew(&self, unlock: Unlock, id: Uuid) -> Result<Lock, ClientError> {
        lock(&self.key, unlock, &self.keyring, id).await
    }

    /// Encrypts what stands under `label`.
    pub(crate) fn seal(&self, label: &str, text: &[u8]) -> Vec<u8> {
        self.key.seal(label, text)
    }

    /// Decrypts what was sealed under `label`.
    pub(crate) fn open(&self, label: &str, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, ClientError> {
        self.key.open(label, sealed)
    }
}

async fn lock(key: &Key, unlock: Unlock, keyring: &Keyring, id: Uuid) -> Result<Lock, ClientError> {
    let (outer, by) = match unlock {
        Unlock::Passphrase(passphrase) => {
            let costs = Costs::new();
            (stretch(passphrase, costs.clone()).await?, LockedBy::Passphrase(costs))
        }
        Unlock::KeyFile(path) => (key_file::read_or_make(&path)?, LockedBy::KeyFile),
        Unlock::Keyring => {
            let outer = Key::generate();
            keyring.put(id, &outer).await?;
            (outer, LockedBy::Keyring(id))
        }
    };
    Ok(Lock { by, wrapped: outer.seal(STORE_KEY, key.as_slice()) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passphrase(text: &str) -> Unlock {
        Unlock::Passphrase(SecretString::from(text))
    }

    async fn unlock(unlock: Unlock, lock: Lock) -> Result<Vault, ClientError> {
        Vault::unlock(unlock, lock, Keyring::of_system()).await
    }

    #[tokio::test]
    async fn a_passphrase_opens_what_it_locked_and_no_other_does() {
        let (vault, lock) = Vault::create(passphrase("correct horse"), Keyring::of_system()).await.unwrap();
        let sealed = vault.seal("a label", b"a secret");
        let again = unlock(passphrase("correct horse"), lock.clone()).await.unwrap();
        assert_eq!(again.open("a label", &sealed).unwrap().as_slice(), b"a secret");
        assert!(again.open("another label", &sealed).is_err());
        let wrong = unlock(passphrase("correct house"), lock.clone()).await.unwrap_err();
        assert!(matches!(wrong, ClientError::Unlock(UnlockError::WrongPassphrase)), "{wrong}");
        let wrong = unlock(passphrase(""), lock.clone()).await.unwrap_err();
        assert!(matches!(wrong, ClientError::Unlock(UnlockError::EmptyPassphrase)), "{wrong}");
        let wrong = unlock(Unlock::KeyFile("/nowhere".into()), lock.clone()).await.unwrap_err();
        assert!(matches!(wrong, ClientError::Unlock(UnlockError::NeedsPassphrase)), "{wrong}");
        let LockedBy::Passphrase(costs) = lock.by else { panic!("{lock:?}") };
        let greedy = LockedBy::Passphrase(Costs { memory_kib: u32::MAX, ..costs });
        let wrong = unlock(passphrase("correct horse"), Lock { by: greedy, ..lock }).await.unwrap_err();
        assert!(matches!(wrong, ClientError::Unlock(UnlockError::Damaged)), "{wrong}");
    }

    #[tokio::test]
    async fn a_key_file_opens_what_it_locked_and_no_other_does() {
        let folder = tempfile::tempdir().unwrap();
        let [one, two] = ["one", "two"].map(|name| Unlock::KeyFile(folder.path().join(name)));
        let (vault, lock) = Vault::create(one.clone(), Keyring::of_system()).await.unwrap();
        let (_, _) = Vault::create(two.clone(), Keyring::of_system()).await.unwrap();
        let sealed = vault.seal("a label", b"a secret");
        assert_ne!(sealed, vault.seal("a label", b"a secret"), "nonces are random");
        let again = unlock(one, lock.clone()).await.unwrap();
        assert_eq!(again.open("a label", &sealed).unwrap().as_slice(), b"a secret");
        let wrong = unlock(two, lock.clone()).await.unwrap_err();
        assert!(matches!(wrong, ClientError::Unlock(UnlockError::WrongKeyFile)), "{wrong}");
        let wrong = unlock(passphrase("x"), lock).await.unwrap_err();
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
        let vault = Vault { key: Key::generate(), keyring: Keyring::of_system(), kind: LockKind::KeyFile };
        assert_eq!(format!("{vault:?} {:?}", passphrase("hidden")), "Vault(secret) Passphrase(secret)");
    }
}

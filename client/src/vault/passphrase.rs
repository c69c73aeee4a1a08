//! The key that a passphrase gives, by Argon2id (RFC 9106).

use argon2::{Algorithm, Argon2, Params, Version};
use secrecy::{ExposeSecret as _, SecretString};
use zeroize::Zeroizing;

use super::UnlockError;
use super::key::{KEY_OCTETS, Key};
use crate::error::ClientError;
use crate::random;

const SALT_OCTETS: usize = 16;
/// The second of the two choices that RFC 9106, section 4, recommends: 64 MiB, three passes.
const MEMORY_KIB: u32 = 64 * 1024;
const PASSES: u32 = 3;
const LANES: u32 = 1;
/// A store that asks for more was made to use the memory up.
const MAX_MEMORY_KIB: u32 = 1024 * 1024;
const MAX_PASSES: u32 = 64;

/// Argon2id's salt and costs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Costs {
    pub(crate) salt: Vec<u8>,
    pub(crate) memory_kib: u32,
    pub(crate) passes: u32,
}

impl Costs {
    /// A new salt, and what Argon2id costs today.
    pub(crate) fn new() -> Self {
        Self { salt: random::octets::<SALT_OCTETS>().to_vec(), memory_kib: MEMORY_KIB, passes: PASSES }
    }
}

/// Stretches a passphrase. It takes a while, on a thread of its own.
pub(crate) async fn stretch(passphrase: SecretString, costs: Costs) -> Result<Key, ClientError> {
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
        Some(Key::new(key))
    });
    stretched.await.ok().flatten().ok_or_else(|| UnlockError::Damaged.into())
}

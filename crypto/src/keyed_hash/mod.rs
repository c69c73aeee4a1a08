//! Keyed hashes: what the server derives from its master secret instead of storing it.
//!
//! Each use has a key of its own, HKDF-SHA-256(master secret, no salt, info), where info is `rossby/v1/` and the use's name,
//! with what the key is bound to behind it. So no output for one use says anything of another, and neither log nor tables
//! hold a secret.

mod acl;
mod code;
mod cursor;
mod given;
mod handle;
mod hawk;
mod history_cursor;

use std::fmt;

pub use acl::AclKey;
pub use code::{CODE_DIGITS, Code, NotACode};
pub use cursor::{CursorError, EXPORT_CURSOR_OCTETS, ExportCursor};
pub use handle::{HandleError, MESSAGE_HANDLE_OCTETS, MessageHandle};
pub use hawk::{HawkKey, NotATokenId, TokenId};
pub use history_cursor::HistoryCursor;
use hkdf::Hkdf;
use hmac::{Hmac, KeyInit as _, Mac as _};
use rossby_schemas::identifier::Identifier;
use rossby_schemas::ids::IdentifierHash;
use sha2::Sha256;
use subtle::ConstantTimeEq as _;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

type HmacSha256 = Hmac<Sha256>;

/// The server's master secret, with its number. Zeroized when dropped, never shown.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct MasterSecret {
    #[zeroize(skip)]
    number: u32,
    key: Box<[u8; 32]>,
}

impl MasterSecret {
    /// The secret with this number and key.
    #[must_use]
    pub fn new(number: u32, key: &[u8; 32]) -> Self {
        Self { number, key: Box::new(*key) }
    }

    /// Its number, which tokens, handles and identifier hashes carry.
    #[must_use]
    pub const fn number(&self) -> u32 {
        self.number
    }

    /// The identifier's hash: HMAC-SHA-256(key `rossby/v1/identifier`, the identifier as a URI).
    #[must_use]
    pub fn identifier_hash(&self, identifier: &Identifier) -> IdentifierHash {
        IdentifierHash(hmac(&self.derive(b"rossby/v1/identifier", &[]), &[identifier.as_uri().as_bytes()]))
    }

    /// A MAC for the server's own opaque tokens: HMAC-SHA-256(key `rossby/v1/mac/` ‖ label, data). `label` names the use.
    #[must_use]
    pub fn mac(&self, label: &str, data: &[u8]) -> [u8; 32] {
        hmac(&self.derive(b"rossby/v1/mac/", &[label.as_bytes()]), &[data])
    }

    /// Whether [`MasterSecret::mac`] gives this MAC, in a time that doesn't tell how much of it is right.
    #[must_use]
    pub fn mac_matches(&self, label: &str, data: &[u8], mac: &[u8]) -> bool {
        self.mac(label, data).ct_eq(mac).into()
    }

    /// What it is known again by: HKDF-SHA-256 of the secret with info `rossby/v1/secret-check`. It may stand where the secret must
    /// not: it says nothing of the secret, nor of anything else that comes from it.
    #[must_use]
    pub fn check_value(&self) -> [u8; 32] {
        *self.derive(b"rossby/v1/secret-check", &[])
    }

    /// The key for one use: HKDF-SHA-256 with the concatenation of `info` and `bound_to`, 32 octets.
    fn derive(&self, info: &[u8], bound_to: &[&[u8]]) -> Zeroizing<[u8; 32]> {
        let info = [info, &bound_to.concat()].concat();
        hkdf_32(self.key.as_slice(), &info)
    }
}

impl fmt::Debug for MasterSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MasterSecret(number {}, secret)", self.number)
    }
}

/// All master secrets that a server accepts, the highest number being the current one.
#[derive(Debug)]
pub struct MasterSecrets(Vec<MasterSecret>);

/// Secrets that are none, or of which two have the same number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("there must be a master secret, and each must have a number that no other has")]
pub struct BadMasterSecrets;

impl MasterSecrets {
    /// These secrets, in any order.
    ///
    /// # Errors
    /// [`BadMasterSecrets`] if there is none, or two have one number.
    pub fn new(mut secrets: Vec<MasterSecret>) -> Result<Self, BadMasterSecrets> {
        secrets.sort_by_key(MasterSecret::number);
        let distinct = secrets.is_sorted_by(|a, b| a.number < b.number);
        if secrets.is_empty() || !distinct { Err(BadMasterSecrets) } else { Ok(Self(secrets)) }
    }

    /// The current secret.
    #[must_use]
    pub fn current(&self) -> &MasterSecret {
        // Never empty: `new` sees to it.
        &self.0[self.0.len() - 1]
    }

    /// The secret with this number.
    #[must_use]
    pub fn by_number(&self, number: u32) -> Option<&MasterSecret> {
        self.0.iter().find(|secret| secret.number == number)
    }
}

/// HMAC-SHA-256 over the concatenation of `parts`.
fn hmac(key: &[u8; 32], parts: &[&[u8]]) -> [u8; 32] {
    // HMAC itself pads a shorter key to its block with zeros (RFC 2104, section 2).
    let mut block = Zeroizing::new([0; 64]);
    block[..32].copy_from_slice(key);
    let mut mac = HmacSha256::new((&*block).into());
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

/// HKDF-SHA-256 without salt, 32 octets.
pub(crate) fn hkdf_32(secret: &[u8], info: &[u8]) -> Zeroizing<[u8; 32]> {
    let mut key = Zeroizing::new([0; 32]);
    hkdf(secret, info, &mut *key);
    key
}

/// HKDF-SHA-256 (RFC 5869) without salt, 64 octets.
pub(crate) fn hkdf_64(secret: &[u8], info: &[u8]) -> Zeroizing<[u8; 64]> {
    let mut key = Zeroizing::new([0; 64]);
    hkdf(secret, info, &mut *key);
    key
}

fn hkdf(secret: &[u8], info: &[u8], output: &mut [u8]) {
    let expanded = Hkdf::<Sha256>::new(None, secret).expand(info, output);
    debug_assert!(expanded.is_ok(), "HKDF-SHA-256 gives up to 8160 octets");
}

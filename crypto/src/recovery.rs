//! The recovery key: made at founding if the person wants one, shown once as words, kept by the person. It can do one thing:
//! remove a device.

use std::fmt;

use bip39::{Language, Mnemonic};
use rand_core::CryptoRng;
use zeroize::{Zeroize as _, Zeroizing};

use crate::keyed_hash::hkdf_32;
use crate::signing::SigningKey;

/// How many words a recovery key has.
pub const RECOVERY_WORDS: usize = 12;

const ENTROPY_OCTETS: usize = 16;

/// Why words are no recovery key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotRecoveryWords {
    /// Not [`RECOVERY_WORDS`] words.
    #[error("a recovery key has {RECOVERY_WORDS} words, not {found}")]
    Count {
        /// How many there were.
        found: usize,
    },
    /// A word that is not in the list.
    #[error("word {place} is not one of the list")]
    UnknownWord {
        /// Its place, the first being 1.
        place: usize,
    },
    /// All words are in the list, but they don't fit together: one of them is wrong, or their order.
    #[error("the words don't fit together: one of them is wrong, or their order")]
    Checksum,
}

/// A recovery key's 128 bits, from which its words and its signing key come. Zeroized when dropped, never shown but as words.
///
/// Words: those of BIP 39, in English. Signing key: its seed is HKDF-SHA-256(the 128 bits, `rossby/v1/recovery`), 32 octets.
pub struct RecoveryKey(Zeroizing<[u8; ENTROPY_OCTETS]>);

impl RecoveryKey {
    /// A new key.
    pub fn generate(rng: &mut impl CryptoRng) -> Self {
        let mut entropy = Zeroizing::new([0; ENTROPY_OCTETS]);
        rng.fill_bytes(entropy.as_mut_slice());
        Self(entropy)
    }

    /// The words, with a space between, to be shown once and written down.
    #[must_use]
    pub fn words(&self) -> Zeroizing<String> {
        // 16 octets always make 12 words, so there is always a text.
        let mnemonic = Mnemonic::from_entropy(self.0.as_slice());
        Zeroizing::new(mnemonic.map(|mnemonic| mnemonic.to_string()).unwrap_or_default())
    }

    /// The key with these words, as a person types them: in any case, with any space between.
    ///
    /// # Errors
    /// [`NotRecoveryWords`] says what is wrong.
    pub fn from_words(words: &str) -> Result<Self, NotRecoveryWords> {
        let words = Zeroizing::new(words.to_lowercase());
        let found = words.split_whitespace().count();
        if found != RECOVERY_WORDS {
            return Err(NotRecoveryWords::Count { found });
        }
        let mnemonic = Mnemonic::parse_in_normalized(Language::English, &words).map_err(|error| match error {
            bip39::Error::UnknownWord(place) => NotRecoveryWords::UnknownWord { place: place + 1 },
            _ => NotRecoveryWords::Checksum,
        })?;
        let (mut octets, _) = mnemonic.to_entropy_array();
        let mut entropy = Zeroizing::new([0; ENTROPY_OCTETS]);
        entropy.copy_from_slice(&octets[..ENTROPY_OCTETS]);
        octets.zeroize();
        Ok(Self(entropy))
    }

    /// The key that signs removals; its public half stands in the founding statement.
    #[must_use]
    pub fn signing_key(&self) -> SigningKey {
        SigningKey::from_seed(&hkdf_32(self.0.as_slice(), b"rossby/v1/recovery"))
    }
}

impl fmt::Debug for RecoveryKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RecoveryKey(secret)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From the test vectors of BIP 39: https://github.com/trezor/python-mnemonic/blob/master/vectors.json
    const ZERO: &str = "abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon about";

    fn zero() -> RecoveryKey {
        RecoveryKey(Zeroizing::new([0; ENTROPY_OCTETS]))
    }

    #[test]
    fn words_are_those_of_bip_39() {
        assert_eq!(*zero().words(), ZERO);
        let ones = RecoveryKey(Zeroizing::new([0xff; ENTROPY_OCTETS]));
        assert_eq!(*ones.words(), "zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo wrong");
    }

    #[test]
    fn words_are_read_as_people_type_them() {
        let typed = ZERO.replace(' ', " \n ").to_uppercase();
        let read = RecoveryKey::from_words(&typed).unwrap();
        assert_eq!(read.signing_key().verification_key(), zero().signing_key().verification_key());
    }

    #[test]
    fn what_is_wrong_with_words_is_said() {
        let wrong = |words: &str| RecoveryKey::from_words(words).err();
        assert_eq!(wrong(""), Some(NotRecoveryWords::Count { found: 0 }));
        assert_eq!(wrong(&format!("{ZERO} about")), Some(NotRecoveryWords::Count { found: 13 }));
        assert_eq!(wrong(&ZERO.replace("about", "abuot")), Some(NotRecoveryWords::UnknownWord { place: 12 }));
        assert_eq!(wrong(&ZERO.replace("about", "abandon")), Some(NotRecoveryWords::Checksum));
    }
}

//! The safety number: what two people compare, by voice or side by side, to know that no one stands between them.
//!
//! It comes from the founding statements alone, so it stays the same when devices come and go, and it is the same for both.

use std::fmt;

use sha2::{Digest as _, Sha256};

use crate::key_record::KeyRecord;

/// How many decimal digits a safety number has: 30 of each box.
pub const SAFETY_NUMBER_DIGITS: usize = 60;

/// How often each box's half is hashed. Finding another founding statement with the same 30 digits takes 2^99 tries, and
/// each try as many hashes.
const ROUNDS: usize = 5200;

const GROUP_DIGITS: usize = 5;
const GROUPS_OF_A_BOX: usize = 6;

/// The safety number of two boxes. `Display` shows it as twelve groups of five digits with a space between.
///
/// Each box has 30 digits: h = SHA-256(`rossby/v1/safety-number` ‖ 0x00 ‖ F), then 5199 times h = SHA-256(h ‖ F), F being
/// the box's founding statement with its signature; six times 5 octets of h, big-endian, modulo 100000. The lower 30 digits
/// come first.
#[derive(Clone, PartialEq, Eq)]
pub struct SafetyNumber(String);

impl SafetyNumber {
    /// The safety number of the boxes with these key records, in either order.
    #[must_use]
    pub fn of(one: &KeyRecord, other: &KeyRecord) -> Self {
        let (one, other) = (digits(one), digits(other));
        Self(if one <= other { one + &other } else { other + &one })
    }

    /// The 60 digits, without spaces.
    #[must_use]
    pub fn digits(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SafetyNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, digit) in self.0.chars().enumerate() {
            if i > 0 && i % GROUP_DIGITS == 0 {
                f.write_str(" ")?;
            }
            write!(f, "{digit}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for SafetyNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SafetyNumber({self})")
    }
}

fn digits(record: &KeyRecord) -> String {
    let founded = record.founded().octets().as_slice();
    let mut hash = Sha256::new().chain_update(b"rossby/v1/safety-number\0").chain_update(founded).finalize();
    for _ in 1..ROUNDS {
        hash = Sha256::new().chain_update(hash).chain_update(founded).finalize();
    }
    let groups = hash.chunks_exact(GROUP_DIGITS).take(GROUPS_OF_A_BOX);
    groups
        .map(|group| format!("{:05}", group.iter().fold(0, |n, octet| n << 8 | u64::from(*octet)) % 100_000))
        .collect()
}

#[cfg(test)]
mod tests {
    use rossby_schemas::ids::{DeviceId, RegionNumber};
    use rossby_schemas::time::Timestamp;

    use super::*;
    use crate::signing::SigningKey;
    use crate::statements::{Remover, found, remove};

    fn record(seed: u8, random: u8) -> KeyRecord {
        let (key, device) = (SigningKey::from_seed(&[seed; 32]), DeviceId::from_bytes([seed; 16]));
        let time = Timestamp::from_millis(1).unwrap();
        let founded = found(&key, device, RegionNumber(1), [random; 32], None, time);
        KeyRecord::verify(std::slice::from_ref(founded.octets())).unwrap()
    }

    #[test]
    fn both_sides_see_the_same_sixty_digits() {
        let (ann, ben) = (record(1, 1), record(2, 2));
        let number = SafetyNumber::of(&ann, &ben);
        assert_eq!(number, SafetyNumber::of(&ben, &ann));
        assert_eq!(number.digits().len(), SAFETY_NUMBER_DIGITS);
        assert!(number.digits().chars().all(|c| c.is_ascii_digit()));
        let shown = number.to_string();
        assert_eq!(shown.split(' ').map(str::len).collect::<Vec<_>>(), [5; 12]);
        assert_eq!(shown.replace(' ', ""), number.digits());
    }

    #[test]
    fn another_founding_changes_it_and_a_device_does_not() {
        let (ann, mut ben) = (record(1, 1), record(2, 2));
        let number = SafetyNumber::of(&ann, &ben);
        assert_ne!(number, SafetyNumber::of(&ann, &record(2, 3)));
        let (key, device) = (SigningKey::from_seed(&[2; 32]), DeviceId::from_bytes([2; 16]));
        let time = Timestamp::from_millis(2).unwrap();
        let removed = remove(&key, Remover::Device(device), ben.box_id(), ben.head(), device, time);
        ben.append(removed.octets()).unwrap();
        assert_eq!(number, SafetyNumber::of(&ann, &ben));
    }
}

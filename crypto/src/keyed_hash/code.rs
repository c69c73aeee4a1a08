//! The codes that show that an identifier is someone's: derived, stored nowhere, compared in constant time.

use std::fmt;
use std::str::FromStr;

use rossby_schemas::ids::{DeviceId, RegistrationId};
use subtle::ConstantTimeEq as _;
use zeroize::{Zeroize, ZeroizeOnDrop};

use super::{MasterSecret, hmac};

/// How many decimal digits a code has.
pub const CODE_DIGITS: usize = 8;

/// A code: 8 decimal digits. Zeroized when dropped, shown only where [`Code::digits`] is asked for.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct Code([u8; CODE_DIGITS]);

/// A text that is no code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is not {CODE_DIGITS} digits")]
pub struct NotACode;

impl Code {
    /// The digits, to be sent to the identifier or signed.
    #[must_use]
    pub fn digits(&self) -> &str {
        // Digits are ASCII: both ways in see to it.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// Whether it is the other code, in a time that doesn't tell how much of it is right.
    #[must_use]
    pub fn matches(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl FromStr for Code {
    type Err = NotACode;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digits: [u8; CODE_DIGITS] = text.as_bytes().try_into().map_err(|_| NotACode)?;
        if digits.iter().all(u8::is_ascii_digit) { Ok(Self(digits)) } else { Err(NotACode) }
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Code(secret)")
    }
}

impl MasterSecret {
    /// A registration's code with this number: HMAC-SHA-256(key `rossby/v1/code`, registration id ‖ device id ‖ number),
    /// its first 16 octets as a number modulo 10^8.
    #[must_use]
    pub fn code(&self, registration_id: RegistrationId, device_id: DeviceId, number: u32) -> Code {
        let key = self.derive(b"rossby/v1/code", &[]);
        let digest = hmac(&key, &[registration_id.as_bytes(), device_id.as_bytes(), &number.to_be_bytes()]);
        let (first, _) = digest.split_at(16);
        let mut rest = first.iter().fold(0_u128, |number, octet| number << 8 | u128::from(*octet));
        let mut digits = [b'0'; CODE_DIGITS];
        for digit in digits.iter_mut().rev() {
            *digit += u8::try_from(rest % 10).unwrap_or_default();
            rest /= 10;
        }
        Code(digits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_registration_device_and_number_has_a_code_of_its_own() {
        let secret = MasterSecret::new(1, &[7; 32]);
        let [one, two] = [1, 2].map(|n| RegistrationId::from_bytes([n; 16]));
        let [phone, desk] = [1, 2].map(|n| DeviceId::from_bytes([n; 16]));
        let code = secret.code(one, phone, 1);
        assert!(code.matches(&code.digits().parse().unwrap()));
        for other in [secret.code(two, phone, 1), secret.code(one, desk, 1), secret.code(one, phone, 2)] {
            assert!(!code.matches(&other));
        }
        assert_eq!(format!("{code:?}"), "Code(secret)");
    }

    #[test]
    fn a_code_is_eight_digits() {
        for bad in ["", "1234567", "123456789", "1234567a", " 1234567", "１２３４５６７８"] {
            assert!(bad.parse::<Code>().is_err(), "{bad}");
        }
        assert_eq!("00000001".parse::<Code>().unwrap().digits(), "00000001");
    }
}

//! Phone numbers and email addresses, normalised, written as URIs.

use std::fmt;
use std::str::FromStr;

use email_address::{EmailAddress, Options};

/// A normalised phone number (`tel:+15551234567`, RFC 3966 with E.164) or email address (`mailto:ann@example.org`,
/// RFC 6068).
///
/// Two texts that name the same phone or mailbox give the same identifier: phone numbers lose their formatting, email
/// addresses are lowercased and their domain is in its ASCII form (IDNA 2008, UTS #46).
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Identifier {
    uri: String,
}

/// What kind of identifier it is, which decides how a code reaches it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IdentifierKind {
    /// A phone number.
    Phone,
    /// An email address.
    Email,
}

/// Why a text is no identifier. Never holds the text itself, which is personal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum IdentifierError {
    /// Neither a phone number in international form nor an email address.
    #[error("is neither tel: with a phone number in international form nor mailto: with an email address")]
    UnknownForm,
    /// A phone number that no numbering plan has.
    #[error("is not a possible phone number in international form, such as tel:+15551234567")]
    BadPhone,
    /// Not an email address.
    #[error("is not an email address, such as mailto:ann@example.org")]
    BadEmail,
}

/// RFC 5321, section 4.5.3.1.3, less the angle brackets.
const MAX_EMAIL_OCTETS: usize = 254;

impl Identifier {
    /// The identifier as a URI.
    #[must_use]
    pub fn as_uri(&self) -> &str {
        &self.uri
    }

    /// The phone number or email address without its scheme.
    #[must_use]
    pub fn address(&self) -> &str {
        self.uri.split_once(':').map_or("", |(_, address)| address)
    }

    /// Whether it is a phone number or an email address.
    #[must_use]
    pub fn kind(&self) -> IdentifierKind {
        if self.uri.starts_with("tel:") { IdentifierKind::Phone } else { IdentifierKind::Email }
    }

    fn phone(text: &str) -> Result<Self, IdentifierError> {
        // The library also reads vanity letters and extensions, which would make two people's numbers one.
        if text.len() > 40
            || !text.starts_with('+')
            || text.chars().any(|c| !matches!(c, '0'..='9' | '+' | ' ' | '-' | '.' | '(' | ')'))
        {
            return Err(IdentifierError::BadPhone);
        }
        let number = phonenumber::parse(None, text).map_err(|_| IdentifierError::BadPhone)?;
        let e164 = number.format().mode(phonenumber::Mode::E164).to_string();
        if is_possible(&number, &e164) {
            Ok(Self { uri: format!("tel:{e164}") })
        } else {
            Err(IdentifierError::BadPhone)
        }
    }

    fn email(text: &str) -> Result<Self, IdentifierError> {
        let options = Options::default().without_display_text().without_domain_literal().with_required_tld();
        let address = EmailAddress::parse_with_options(text, options).map_err(|_| IdentifierError::BadEmail)?;
        let local = address.local_part();
        // A quoted local part can hold anything; no one's mailbox is lost by refusing it.
        if local.starts_with('"') || !local.is_ascii() {
            return Err(IdentifierError::BadEmail);
        }
        let domain = idna::domain_to_ascii_strict(address.domain()).map_err(|_| IdentifierError::BadEmail)?;
        let uri = format!("mailto:{}@{domain}", local.to_ascii_lowercase());
        if uri.len() - "mailto:".len() > MAX_EMAIL_OCTETS {
            return Err(IdentifierError::BadEmail);
        }
        Ok(Self { uri })
    }
}

/// Whether the country exists and E.164 has room for the number. No more is asked: numbering plans grow faster than
/// their descriptions, and 555 numbers are for examples.
fn is_possible(number: &phonenumber::PhoneNumber, e164: &str) -> bool {
    let known_country = phonenumber::metadata::DATABASE.by_code(&number.country().code()).is_some();
    known_country && (8..=16).contains(&e164.len())
}

impl FromStr for Identifier {
    type Err = IdentifierError;

    /// Reads a URI, or a bare phone number (`+1 555 123 4567`) or email address.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        if let Some(phone) = text.strip_prefix("tel:") {
            Self::phone(phone)
        } else if let Some(email) = text.strip_prefix("mailto:") {
            Self::email(email)
        } else if text.starts_with('+') {
            Self::phone(text)
        } else if text.contains('@') {
            Self::email(text)
        } else {
            Err(IdentifierError::UnknownForm)
        }
    }
}

impl fmt::Debug for Identifier {
    /// Says only the kind: an identifier is personal and must not reach a log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Identifier({:?})", self.kind())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_phone_one_identifier() {
        for text in ["+1 555 123 4567", "tel:+15551234567", "+1 (555) 123-4567", "tel:+1-555-123-4567"] {
            assert_eq!(text.parse::<Identifier>().unwrap().as_uri(), "tel:+15551234567", "{text}");
        }
    }

    #[test]
    fn one_mailbox_one_identifier() {
        for text in ["Ann@Example.org", "mailto:ann@example.org", " ann@EXAMPLE.ORG "] {
            assert_eq!(text.parse::<Identifier>().unwrap().as_uri(), "mailto:ann@example.org", "{text}");
        }
        assert_eq!("ann@bücher.example".parse::<Identifier>().unwrap().as_uri(), "mailto:ann@xn--bcher-kva.example");
    }

    #[test]
    fn what_is_neither_is_refused() {
        for (text, why) in [
            ("", IdentifierError::UnknownForm),
            ("ann", IdentifierError::UnknownForm),
            ("5551234567", IdentifierError::UnknownForm),
            ("https://example.org", IdentifierError::UnknownForm),
            ("tel:5551234567", IdentifierError::BadPhone),
            ("+1", IdentifierError::BadPhone),
            ("+1-800-FLOWERS", IdentifierError::BadPhone),
            ("+15551234567;ext=5", IdentifierError::BadPhone),
            ("+999999999999999999999999", IdentifierError::BadPhone),
            ("+999 1234567", IdentifierError::BadPhone),
            ("mailto:ann", IdentifierError::BadEmail),
            ("ann@", IdentifierError::BadEmail),
            ("@example.org", IdentifierError::BadEmail),
            ("ann@localhost", IdentifierError::BadEmail),
            ("ann@[127.0.0.1]", IdentifierError::BadEmail),
            ("Ann <ann@example.org>", IdentifierError::BadEmail),
            ("\"a b\"@example.org", IdentifierError::BadEmail),
            ("ann@example.org\r\nBcc: eve@example.org", IdentifierError::BadEmail),
            ("ann@exa mple.org", IdentifierError::BadEmail),
        ] {
            assert_eq!(text.parse::<Identifier>(), Err(why), "{text:?}");
        }
    }

    #[test]
    fn debug_hides_the_address() {
        let identifier: Identifier = "ann@example.org".parse().unwrap();
        assert_eq!(format!("{identifier:?}"), "Identifier(Email)");
    }
}

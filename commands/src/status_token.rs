//! The token by which any process settles an outcome that another could not tell.
//!
//! It names the stream and the version that a command's event expects, sealed under a key of the server's: the name of a
//! stream holds an identifier hash, which strangers must not be able to ask for.

use std::fmt;
use std::str::FromStr;

use chacha20poly1305::aead::{Aead as _, KeyInit as _, Payload};
use chacha20poly1305::{Key, XChaCha20Poly1305, XNonce};
use hmac::{Hmac, Mac as _};
use rossby_crypto::layout::{Reader, Writer};
use rossby_schemas::encoding::Octets;
use rossby_schemas::ids::CommandId;
use rossby_schemas::topic::Topic;
use sha2::Sha256;
use zeroize::Zeroizing;

/// A token as clients carry it. Opaque to them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatusToken(Octets);

impl fmt::Display for StatusToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl FromStr for StatusToken {
    type Err = rossby_schemas::encoding::EncodingError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

/// Where a command's event belongs: which step of the command, on which stream, on which version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) topic: Topic,
    pub(crate) stream: String,
    pub(crate) step: u32,
    pub(crate) expected_version: u64,
}

/// Issues and reads tokens.
pub(crate) struct StatusTokens {
    key: Zeroizing<[u8; 32]>,
}

const NONCE_OCTETS: usize = 24;
const MAX_TOKEN_OCTETS: usize = 512;
const MAX_STREAM_OCTETS: usize = 128;

impl StatusTokens {
    pub(crate) fn new(key: Zeroizing<[u8; 32]>) -> Self {
        Self { key }
    }

    /// The token for a command that belongs at `place`. The same place gives the same token: the nonce is a MAC of what is
    /// sealed, so it repeats only with the whole.
    pub(crate) fn issue(&self, command: CommandId, place: &Place) -> StatusToken {
        let mut writer = Writer::new();
        writer
            .u8(topic_number(place.topic))
            .u32(place.step)
            .u64(place.expected_version)
            .variable(place.stream.as_bytes());
        let text = writer.finish();
        let nonce = self.nonce(command, &text);
        let payload = Payload { msg: &text, aad: command.as_bytes() };
        // Fails only for texts of many gigabytes.
        let sealed = self.cipher().encrypt(&XNonce::from(nonce), payload).unwrap_or_default();
        StatusToken(Octets::from([nonce.as_slice(), &sealed].concat()))
    }

    /// The place that a token names; none if it is not ours, or not this command's.
    pub(crate) fn read(&self, command: CommandId, token: &StatusToken) -> Option<Place> {
        let octets = token.0.as_slice();
        if octets.len() > MAX_TOKEN_OCTETS {
            return None;
        }
        let (nonce, sealed) = octets.split_first_chunk::<NONCE_OCTETS>()?;
        let payload = Payload { msg: sealed, aad: command.as_bytes() };
        let text = self.cipher().decrypt(&XNonce::from(*nonce), payload).ok()?;
        let mut reader = Reader::new(&text, MAX_TOKEN_OCTETS).ok()?;
        let topic = topic_with_number(reader.u8().ok()?)?;
        let (step, expected_version) = (reader.u32().ok()?, reader.u64().ok()?);
        let stream = reader.text(MAX_STREAM_OCTETS, "stream").ok()?.to_owned();
        reader.finish().ok()?;
        Some(Place { topic, stream, step, expected_version })
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new(&Key::from(*self.key))
    }

    fn nonce(&self, command: CommandId, text: &[u8]) -> [u8; NONCE_OCTETS] {
        let Ok(mut mac) = <Hmac<Sha256> as hmac::KeyInit>::new_from_slice(self.key.as_slice()) else {
            return [0; NONCE_OCTETS];
        };
        mac.update(b"nonce");
        mac.update(command.as_bytes());
        mac.update(text);
        let digest = mac.finalize().into_bytes();
        let mut nonce = [0; NONCE_OCTETS];
        nonce.copy_from_slice(&digest[..NONCE_OCTETS]);
        nonce
    }
}

impl fmt::Debug for StatusTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StatusTokens(secret)")
    }
}

const fn topic_number(topic: Topic) -> u8 {
    match topic {
        Topic::Registrations => 1,
        Topic::Identifiers => 2,
        Topic::Keys => 3,
        Topic::Profiles => 4,
        Topic::Inbox => 5,
        Topic::Signals => 6,
    }
}

fn topic_with_number(number: u8) -> Option<Topic> {
    Topic::ALL.into_iter().find(|topic| topic_number(*topic) == number)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place() -> Place {
        Place {
            topic: Topic::Registrations,
            stream: format!("{}/2026-11-24", "ab".repeat(32)),
            step: 1,
            expected_version: 7,
        }
    }

    #[test]
    fn tokens_are_read_back_for_their_own_command_only() {
        let tokens = StatusTokens::new(Zeroizing::new([7; 32]));
        let command = CommandId::from_bytes([1; 16]);
        let token = tokens.issue(command, &place());
        assert_eq!(token.to_string().parse(), Ok(token.clone()));
        assert_eq!(tokens.read(command, &token), Some(place()));
        assert_eq!(tokens.read(CommandId::from_bytes([2; 16]), &token), None);
        assert_eq!(StatusTokens::new(Zeroizing::new([8; 32])).read(command, &token), None);
    }

    #[test]
    fn a_changed_token_is_not_read() {
        let tokens = StatusTokens::new(Zeroizing::new([7; 32]));
        let command = CommandId::from_bytes([1; 16]);
        let octets = tokens.issue(command, &place()).0.as_slice().to_vec();
        for i in 0..octets.len() {
            let mut changed = octets.clone();
            changed[i] ^= 1;
            assert_eq!(tokens.read(command, &StatusToken(changed.into())), None, "{i}");
        }
        for length in 0..octets.len() {
            assert_eq!(tokens.read(command, &StatusToken(octets[..length].into())), None, "{length}");
        }
    }

    #[test]
    fn a_token_does_not_show_the_stream() {
        let tokens = StatusTokens::new(Zeroizing::new([7; 32]));
        let token = tokens.issue(CommandId::from_bytes([1; 16]), &place());
        let octets = token.0.as_slice();
        assert!(!octets.windows(8).any(|window| window == b"abababab"));
    }
}

//! Messages: what is signed, how it is sealed for one box, and the value that the server keeps.
//!
//! The content is signed, padded, and sealed under a fresh key K with a commitment to that key; K is sealed to each device.
//! Everything is bound to the recipient and the outer id, so nothing opens anywhere else.

mod content;
mod value;

use std::collections::BTreeSet;

pub use content::{ContentError, MAX_BODY_OCTETS, MAX_PADDED_OCTETS, MIN_PADDED_OCTETS, MessageContent, SignedContent};
pub use value::{
    COMMITMENT_OCTETS, MAX_CIPHERTEXT_OCTETS, MAX_RECIPIENT_DEVICES, MAX_VALUE_OCTETS, MessageValue, VALUE_VERSION,
    WRAPPED_KEY_OCTETS, Wrap, content_hash,
};

use chacha20poly1305::aead::{Aead as _, KeyInit as _, Payload};
use chacha20poly1305::{ChaCha20Poly1305, Key, Nonce};
use rand_core::CryptoRng;
use rossby_schemas::encoding::{FixedOctets, Octets};
use rossby_schemas::ids::{BoxId, DeviceId, Head, OuterId};
use rossby_schemas::time::Timestamp;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use crate::key_record::VerifiedSealingStatement;
use crate::keyed_hash::hkdf_64;
use crate::layout::{LayoutError, Writer};
use crate::sealing::{self, SealedFor, SealingPublicKey, SealingSecretKey};

/// A device to seal to.
#[derive(Debug, Clone)]
pub struct RecipientDevice<'a> {
    /// The device.
    pub device_id: DeviceId,
    /// The counter of its sealing statement.
    pub sealing_counter: u64,
    /// The sealing key that it stated.
    pub key: &'a SealingPublicKey,
}

impl<'a> From<&'a VerifiedSealingStatement> for RecipientDevice<'a> {
    fn from(statement: &'a VerifiedSealingStatement) -> Self {
        let stated = statement.content();
        Self { device_id: stated.device_id, sealing_counter: stated.counter, key: &stated.key }
    }
}

/// Why a message can't be sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// The content is too long.
    #[error("the message is too long: {0}")]
    TooLong(#[from] LayoutError),
    /// There is no device to seal to, or too many, or one of them twice.
    #[error("a message is sealed to between 1 and {MAX_RECIPIENT_DEVICES} devices, each once")]
    Devices,
    /// A sealing key can't be sealed to.
    #[error("a device's sealing key is not valid")]
    BadKey,
}

/// Why a message does not open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// The content's key was not sealed to this key, or for another place.
    #[error("the message was not sealed to this device's key")]
    NotSealedToThisKey,
    /// The ciphertext belongs to another key than the one that was sealed.
    #[error("the message's ciphertext does not belong to its key")]
    BadCommitment,
    /// The ciphertext was changed or moved.
    #[error("the message's ciphertext does not open")]
    BadCiphertext,
    /// What was sealed is no message.
    #[error("what was sealed is no message: {0}")]
    Malformed(#[from] LayoutError),
    /// It says that it is for another box or head than the one that it was sealed for.
    #[error("the message was written for another recipient")]
    OtherRecipient,
}

/// Seals a signed content for its recipient's devices, which [`KeyRecord::sealable`](crate::key_record::KeyRecord::sealable)
/// tells. Gives the value for the queue.
///
/// # Errors
/// [`SealError`].
pub fn seal(
    rng: &mut impl CryptoRng,
    content: &SignedContent,
    outer_id: OuterId,
    expires_at: Timestamp,
    devices: &[RecipientDevice<'_>],
) -> Result<Octets, SealError> {
    let (recipient, head) = (content.content().recipient, content.content().recipient_head);
    let distinct: BTreeSet<DeviceId> = devices.iter().map(|device| device.device_id).collect();
    if devices.is_empty() || devices.len() > MAX_RECIPIENT_DEVICES || distinct.len() < devices.len() {
        return Err(SealError::Devices);
    }
    let padded = content.padded()?;
    let mut content_key = Zeroizing::new([0; 32]);
    rng.fill_bytes(content_key.as_mut_slice());
    let ciphertext = encrypt(&content_key, recipient, outer_id, &padded)?;
    let mut wraps = Vec::with_capacity(devices.len());
    for device in devices {
        let aad = wrap_aad(recipient, device.device_id, device.sealing_counter, head, outer_id, &ciphertext);
        let (enc, sealed) = sealing::seal(rng, SealedFor::Wrap, device.key, &aad, content_key.as_slice())
            .map_err(|_| SealError::BadKey)?;
        let wrapped_key = FixedOctets::try_from(sealed.as_slice()).map_err(|_| SealError::BadKey)?;
        wraps.push(Wrap { device_id: device.device_id, sealing_counter: device.sealing_counter, enc, wrapped_key });
    }
    Ok(MessageValue { recipient_head: head, expires_at, content: ciphertext.into(), wraps }.to_octets())
}

/// One device's part of a message, as the server gives it.
#[derive(Debug, Clone, Copy)]
pub struct SealedMessage<'a> {
    /// The box in whose queue it lay.
    pub recipient: BoxId,
    /// The device that opens it.
    pub device_id: DeviceId,
    /// The recipient's head that the sender stated.
    pub recipient_head: Head,
    /// The message's id in the queue.
    pub outer_id: OuterId,
    /// The ciphertext with its commitment.
    pub content: &'a Octets,
    /// The counter of the sealing statement.
    pub sealing_counter: u64,
    /// HPKE's encapsulated key.
    pub enc: &'a sealing::Enc,
    /// The content's key, sealed.
    pub wrapped_key: &'a Octets,
}

/// Opens a message with the device's sealing key. The result is not verified yet: [`SignedContent::verify`] does that with
/// the sender's key record.
///
/// # Errors
/// [`OpenError`].
pub fn open(sealed: &SealedMessage<'_>, key: &SealingSecretKey) -> Result<SignedContent, OpenError> {
    let ciphertext = sealed.content.as_slice();
    let aad = wrap_aad(
        sealed.recipient,
        sealed.device_id,
        sealed.sealing_counter,
        sealed.recipient_head,
        sealed.outer_id,
        ciphertext,
    );
    let content_key = sealing::open(SealedFor::Wrap, key, sealed.enc, &aad, sealed.wrapped_key.as_slice())
        .map_err(|_| OpenError::NotSealedToThisKey)?;
    let content_key: &[u8; 32] = content_key.as_slice().try_into().map_err(|_| OpenError::NotSealedToThisKey)?;
    let padded = decrypt(content_key, sealed.recipient, sealed.outer_id, ciphertext)?;
    let signed = SignedContent::from_padded(&padded)?;
    let content = signed.content();
    if content.recipient != sealed.recipient || content.recipient_head != sealed.recipient_head {
        return Err(OpenError::OtherRecipient);
    }
    Ok(signed)
}

/// c ‖ ChaCha20-Poly1305(k, nonce 0, aad recipient ‖ outer id, text), where k ‖ c = HKDF-SHA-256(K, `rossby/v1/content`).
/// The nonce may be 0 because every message has a key of its own.
fn encrypt(content_key: &[u8; 32], recipient: BoxId, outer_id: OuterId, text: &[u8]) -> Result<Vec<u8>, LayoutError> {
    let keys = hkdf_64(content_key, b"rossby/v1/content");
    let (key, commitment) = keys.split_at(32);
    let aad = [recipient.as_bytes().as_slice(), outer_id.as_bytes()].concat();
    let sealed = cipher(key).encrypt(&Nonce::default(), Payload { msg: text, aad: &aad });
    let sealed = sealed.map_err(|_| LayoutError::TooLong { limit: MAX_PADDED_OCTETS })?;
    Ok([commitment, &sealed].concat())
}

fn decrypt(
    content_key: &[u8; 32],
    recipient: BoxId,
    outer_id: OuterId,
    ciphertext: &[u8],
) -> Result<Zeroizing<Vec<u8>>, OpenError> {
    let keys = hkdf_64(content_key, b"rossby/v1/content");
    let (key, commitment) = keys.split_at(32);
    let (stated, sealed) = ciphertext.split_at_checked(COMMITMENT_OCTETS).ok_or(OpenError::BadCommitment)?;
    if !bool::from(commitment.ct_eq(stated)) {
        return Err(OpenError::BadCommitment);
    }
    let aad = [recipient.as_bytes().as_slice(), outer_id.as_bytes()].concat();
    let text = cipher(key).decrypt(&Nonce::default(), Payload { msg: sealed, aad: &aad });
    text.map(Zeroizing::new).map_err(|_| OpenError::BadCiphertext)
}

fn cipher(key: &[u8]) -> ChaCha20Poly1305 {
    let mut octets = Key::default();
    octets.copy_from_slice(key);
    ChaCha20Poly1305::new(&octets)
}

/// recipient ‖ device ‖ sealing counter ‖ recipient's head ‖ outer id ‖ SHA-256(ciphertext).
fn wrap_aad(
    recipient: BoxId,
    device_id: DeviceId,
    sealing_counter: u64,
    head: Head,
    outer_id: OuterId,
    ciphertext: &[u8],
) -> Vec<u8> {
    let mut writer = Writer::new();
    writer
        .fixed(recipient.as_bytes())
        .fixed(device_id.as_bytes())
        .u64(sealing_counter)
        .head(head)
        .fixed(outer_id.as_bytes())
        .fixed(&Sha256::digest(ciphertext));
    writer.finish()
}

#[cfg(test)]
mod tests;

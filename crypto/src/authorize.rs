//! What a device signs to get its token: that it, which asked for a registration, has the code; that it belongs to its box
//! already; or that a claim is its own.

use rossby_schemas::ids::{BoxId, DeviceId, RegistrationId};

use crate::keyed_hash::Code;
use crate::layout::{Writer, of_kind};
use crate::signing::{BadSignature, Signature, SigningKey, VerificationKey};

const KIND: &str = "authorize";
const TOKEN_KIND: &str = "token";
const CLAIM_KIND: &str = "claim";

/// A device says that it has a registration's code.
///
/// Signed: `"rossby/v1/authorize" ‖ 0x00 ‖ registration id ‖ device id ‖ code`, the code as text of 8 digits.
#[derive(Debug)]
pub struct AuthorizeProof<'a> {
    /// The registration.
    pub registration_id: RegistrationId,
    /// The registration's device.
    pub device_id: DeviceId,
    /// The code.
    pub code: &'a Code,
}

impl AuthorizeProof<'_> {
    /// Signs with the device's key.
    #[must_use]
    pub fn sign(&self, key: &SigningKey) -> Signature {
        key.sign(&self.to_octets())
    }

    /// Checks the signature with the key of the registration's founding statement. Whether the code is right is another
    /// question.
    ///
    /// # Errors
    /// [`BadSignature`].
    pub fn verify(&self, key: &VerificationKey, signature: &Signature) -> Result<(), BadSignature> {
        key.verify(&self.to_octets(), signature)
    }

    fn to_octets(&self) -> zeroize::Zeroizing<Vec<u8>> {
        let mut writer = Writer::new();
        writer
            .fixed(self.registration_id.as_bytes())
            .fixed(self.device_id.as_bytes())
            .variable(self.code.digits().as_bytes());
        zeroize::Zeroizing::new(of_kind(KIND, &writer.finish()))
    }
}

/// A device of a box asks for its token: once it is linked, and again when the one that it has is no longer good.
///
/// Signed: `"rossby/v1/token" ‖ 0x00 ‖ BoxID ‖ device id`. It holds no time: the answer is sealed to the device's key, so
/// whoever repeats the request gains nothing by it.
#[derive(Debug, Clone, Copy)]
pub struct TokenProof {
    /// The box.
    pub box_id: BoxId,
    /// The device.
    pub device_id: DeviceId,
}

impl TokenProof {
    /// Signs with the device's key.
    #[must_use]
    pub fn sign(&self, key: &SigningKey) -> Signature {
        key.sign(&self.to_octets())
    }

    /// Checks the signature with the key that the box's record has for the device.
    ///
    /// # Errors
    /// [`BadSignature`].
    pub fn verify(&self, key: &VerificationKey, signature: &Signature) -> Result<(), BadSignature> {
        key.verify(&self.to_octets(), signature)
    }

    fn to_octets(self) -> Vec<u8> {
        let mut writer = Writer::new();
        writer.fixed(self.box_id.as_bytes()).fixed(self.device_id.as_bytes());
        of_kind(TOKEN_KIND, &writer.finish())
    }
}

/// A device asks what became of its claim of an identifier, and goes on with it.
///
/// Signed: `"rossby/v1/claim" ‖ 0x00 ‖ claim id ‖ device id`. It holds no time, for the same reason.
#[derive(Debug, Clone, Copy)]
pub struct ClaimProof {
    /// The claim.
    pub claim_id: RegistrationId,
    /// The device that claims.
    pub device_id: DeviceId,
}

impl ClaimProof {
    /// Signs with the device's key.
    #[must_use]
    pub fn sign(&self, key: &SigningKey) -> Signature {
        key.sign(&self.to_octets())
    }

    /// Checks the signature with the device's key: that of the claim's founding statement, or of the box's record.
    ///
    /// # Errors
    /// [`BadSignature`].
    pub fn verify(&self, key: &VerificationKey, signature: &Signature) -> Result<(), BadSignature> {
        key.verify(&self.to_octets(), signature)
    }

    fn to_octets(self) -> Vec<u8> {
        let mut writer = Writer::new();
        writer.fixed(self.claim_id.as_bytes()).fixed(self.device_id.as_bytes());
        of_kind(CLAIM_KIND, &writer.finish())
    }
}

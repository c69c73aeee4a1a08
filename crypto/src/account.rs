//! Signed account commands: what changes an account and is no statement.
//!
//! The device signs (stream, expected version, body), and the signature stays in the event, so that neither server nor
//! operator can make a change up, and the account's owner can check its history. What is signed is
//! `"rossby/v1/account" ‖ 0x00 ‖ body`; it is sent and kept with the signature beside it.

use rossby_schemas::encoding::{FixedOctets, Octets};
use rossby_schemas::events::SignedCommand;
use rossby_schemas::events::profiles::{AclTag, Audience};
use rossby_schemas::ids::{BoxId, CommandId, DeviceId, IdentifierHash, RegistrationId};
use rossby_schemas::time::Timestamp;
use rossby_schemas::topic::Topic;

use crate::key_record::KeyRecord;
use crate::layout::{LayoutError, Reader, Writer, body_of_kind, of_kind};
use crate::signing::{BadSignature, Signature, SigningKey, VerificationKey};

const KIND: &str = "account";
const OBJECTION_KIND: &str = "objection";

/// How many octets an encrypted profile has at most.
pub const MAX_PROFILE_BLOB: usize = 32 * 1024;
/// How many identifiers a closing names at most.
pub const MAX_IDENTIFIERS: usize = 64;
/// How many octets a signed account command has at most.
pub const MAX_ACCOUNT_COMMAND: usize = MAX_PROFILE_BLOB + 1024;

const MAX_TEXT: usize = 64;

/// A command that changes an account.
///
/// Body: command id, topic's name (text), stream (text), expected version (u64), device id, time, the change's number (1
/// octet), the change. A stream of `rossby.keys` or `rossby.profiles` is a BoxID, in its usual text; one of
/// `rossby.identifiers` is an identifier's hash, in lowercase hexadecimal, and the change begins with the BoxID.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountCommand {
    /// The command's id, made by the client at random.
    pub command_id: CommandId,
    /// The box whose account changes.
    pub box_id: BoxId,
    /// The version of the stream that the change is meant for.
    pub expected_version: u64,
    /// The device that signs.
    pub device_id: DeviceId,
    /// When it signed, by its own clock.
    pub time: Timestamp,
    /// What changes.
    pub change: AccountChange,
}

/// What an account command changes. The numbers never change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AccountChange {
    /// 1: who may find the box. An octet: 0 everyone, 1 contacts, 2 nobody.
    SetDiscoverable(Audience),
    /// 2: from whom the box accepts messages. An octet as above.
    SetAcceptFrom(Audience),
    /// 3: blocks another box, by its tag (32 octets).
    Block(AclTag),
    /// 4: takes a block away.
    Unblock(AclTag),
    /// 5: makes another box a contact, by its tag.
    AddContact(AclTag),
    /// 6: takes a contact away.
    RemoveContact(AclTag),
    /// 7: sets the encrypted profile (variable length); empty to take it away.
    SetProfileBlob(Octets),
    /// 8: refuses the device's tokens of earlier epochs than this: device id, epoch (u32).
    RevokeToken {
        /// The device.
        device_id: DeviceId,
        /// Its epoch from now on.
        epoch: u32,
    },
    /// 9: closes the box and frees its identifiers: their number (u32) and their hashes (32 octets each), in ascending order.
    CloseBox(Vec<IdentifierHash>),
    /// 10: adds the stream's identifier to the box: registration id, whose code was shown.
    AddIdentifier {
        /// The identifier.
        identifier: IdentifierHash,
        /// The registration.
        registration_id: RegistrationId,
    },
    /// 11: takes the stream's identifier away from the box.
    RemoveIdentifier(IdentifierHash),
    /// 12: objects to a claim of the stream's identifier: claim id, and an octet with what follows it, 0 and a registration
    /// id, or 1 and a signature of the recovery key.
    ObjectToClaim {
        /// The identifier.
        identifier: IdentifierHash,
        /// The claim.
        claim_id: RegistrationId,
        /// What shows that the device may object.
        proof: Objection,
    },
}

/// What shows that a device may object to a claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Objection {
    /// The code of this registration, which was asked for after the claim.
    Code(RegistrationId),
    /// A signature of the box's recovery key, by [`RecoveryObjection`].
    RecoveryKey(Signature),
}

/// The box's recovery key objects to a claim.
///
/// Signed: `"rossby/v1/objection" ‖ 0x00 ‖ BoxID ‖ identifier hash (32) ‖ claim id`.
#[derive(Debug, Clone, Copy)]
pub struct RecoveryObjection {
    /// The box that the identifier belongs to.
    pub box_id: BoxId,
    /// The identifier.
    pub identifier: IdentifierHash,
    /// The claim.
    pub claim_id: RegistrationId,
}

impl RecoveryObjection {
    /// Signs with the recovery key.
    #[must_use]
    pub fn sign(&self, key: &SigningKey) -> Signature {
        key.sign(&self.to_octets())
    }

    /// Checks the signature with the recovery key of the box's founding statement.
    ///
    /// # Errors
    /// [`BadSignature`].
    pub fn verify(&self, key: &VerificationKey, signature: &Signature) -> Result<(), BadSignature> {
        key.verify(&self.to_octets(), signature)
    }

    fn to_octets(self) -> Vec<u8> {
        let mut writer = Writer::new();
        writer.fixed(self.box_id.as_bytes()).fixed(&self.identifier.0).fixed(self.claim_id.as_bytes());
        of_kind(OBJECTION_KIND, &writer.finish())
    }
}

impl AccountChange {
    /// The topic in whose stream the change stands.
    #[must_use]
    pub const fn topic(&self) -> Topic {
        match self {
            Self::RevokeToken { .. } | Self::CloseBox(_) => Topic::Keys,
            Self::AddIdentifier { .. } | Self::RemoveIdentifier(_) | Self::ObjectToClaim { .. } => Topic::Identifiers,
            Self::SetDiscoverable(_)
            | Self::SetAcceptFrom(_)
            | Self::Block(_)
            | Self::Unblock(_)
            | Self::AddContact(_)
            | Self::RemoveContact(_)
            | Self::SetProfileBlob(_) => Topic::Profiles,
        }
    }

    /// The stream that the change stands in, for an account of this box.
    fn stream(&self, box_id: BoxId) -> String {
        match self {
            Self::AddIdentifier { identifier, .. }
            | Self::RemoveIdentifier(identifier)
            | Self::ObjectToClaim { identifier, .. } => identifier.to_string(),
            _ => box_id.to_string(),
        }
    }

    fn write(&self, box_id: BoxId, writer: &mut Writer) {
        match self {
            Self::SetDiscoverable(audience) => writer.u8(1).u8(audience_number(*audience)),
            Self::SetAcceptFrom(audience) => writer.u8(2).u8(audience_number(*audience)),
            Self::Block(tag) => writer.u8(3).fixed(tag.as_slice()),
            Self::Unblock(tag) => writer.u8(4).fixed(tag.as_slice()),
            Self::AddContact(tag) => writer.u8(5).fixed(tag.as_slice()),
            Self::RemoveContact(tag) => writer.u8(6).fixed(tag.as_slice()),
            Self::SetProfileBlob(blob) => writer.u8(7).variable(blob.as_slice()),
            Self::RevokeToken { device_id, epoch } => writer.u8(8).fixed(device_id.as_bytes()).u32(*epoch),
            Self::CloseBox(identifiers) => {
                writer.u8(9).count(identifiers.len());
                identifiers.iter().fold(writer, |writer, hash| writer.fixed(&hash.0))
            }
            Self::AddIdentifier { identifier: _, registration_id } => {
                writer.u8(10).fixed(box_id.as_bytes()).fixed(registration_id.as_bytes())
            }
            Self::RemoveIdentifier(_) => writer.u8(11).fixed(box_id.as_bytes()),
            Self::ObjectToClaim { identifier: _, claim_id, proof } => {
                let writer = writer.u8(12).fixed(box_id.as_bytes()).fixed(claim_id.as_bytes());
                match proof {
                    Objection::Code(registration_id) => writer.u8(0).fixed(registration_id.as_bytes()),
                    Objection::RecoveryKey(signature) => writer.u8(1).fixed(signature.as_slice()),
                }
            }
        };
    }

    /// Reads a change that stands in this stream, and whose account it changes.
    fn read(reader: &mut Reader<'_>, stream: &str) -> Result<(BoxId, Self), LayoutError> {
        let number = reader.u8()?;
        if !(10..=12).contains(&number) {
            let box_id = stream.parse().map_err(|_| LayoutError::Field("stream"))?;
            return Ok((box_id, Self::read_of_box(reader, number)?));
        }
        let identifier = stream.parse().map_err(|_| LayoutError::Field("stream"))?;
        let box_id = BoxId::from_bytes(reader.fixed()?);
        let registration = |octets| RegistrationId::from_bytes(octets);
        let change = match number {
            10 => Self::AddIdentifier { identifier, registration_id: registration(reader.fixed()?) },
            11 => Self::RemoveIdentifier(identifier),
            _ => {
                let claim_id = registration(reader.fixed()?);
                let proof = match reader.u8()? {
                    0 => Objection::Code(registration(reader.fixed()?)),
                    1 => Objection::RecoveryKey(FixedOctets(reader.fixed()?)),
                    _ => return Err(LayoutError::Field("proof")),
                };
                Self::ObjectToClaim { identifier, claim_id, proof }
            }
        };
        Ok((box_id, change))
    }

    fn read_of_box(reader: &mut Reader<'_>, number: u8) -> Result<Self, LayoutError> {
        Ok(match number {
            1 => Self::SetDiscoverable(read_audience(reader)?),
            2 => Self::SetAcceptFrom(read_audience(reader)?),
            3 => Self::Block(FixedOctets(reader.fixed()?)),
            4 => Self::Unblock(FixedOctets(reader.fixed()?)),
            5 => Self::AddContact(FixedOctets(reader.fixed()?)),
            6 => Self::RemoveContact(FixedOctets(reader.fixed()?)),
            7 => Self::SetProfileBlob(reader.variable(MAX_PROFILE_BLOB)?.into()),
            8 => Self::RevokeToken { device_id: DeviceId::from_bytes(reader.fixed()?), epoch: reader.u32()? },
            9 => {
                let count = reader.count(MAX_IDENTIFIERS)?;
                let hashes: Vec<_> =
                    (0..count).map(|_| reader.fixed().map(IdentifierHash)).collect::<Result<_, _>>()?;
                if !hashes.is_sorted_by(|a, b| a < b) {
                    return Err(LayoutError::Field("identifiers"));
                }
                Self::CloseBox(hashes)
            }
            _ => return Err(LayoutError::Field("change")),
        })
    }
}

const fn audience_number(audience: Audience) -> u8 {
    match audience {
        Audience::Everyone => 0,
        Audience::Contacts => 1,
        Audience::Nobody => 2,
    }
}

fn read_audience(reader: &mut Reader<'_>) -> Result<Audience, LayoutError> {
    match reader.u8()? {
        0 => Ok(Audience::Everyone),
        1 => Ok(Audience::Contacts),
        2 => Ok(Audience::Nobody),
        _ => Err(LayoutError::Field("audience")),
    }
}

/// Why a signed account command is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AccountCommandError {
    /// It is not in the layout, or its change doesn't belong into the stream that it names.
    #[error("the account command is malformed: {0}")]
    Malformed(#[from] LayoutError),
    /// It is for another box.
    #[error("the account command is for another box")]
    ForeignBox,
    /// Its device is none of the box's, or was removed.
    #[error("the account command is of a device that does not belong to the box")]
    NotAMember,
    /// It is of another device than the one whose key it was checked with.
    #[error("the account command is of another device")]
    OtherDevice,
    /// The signature does not verify.
    #[error("the account command's signature does not verify")]
    BadSignature,
}

impl From<BadSignature> for AccountCommandError {
    fn from(_: BadSignature) -> Self {
        Self::BadSignature
    }
}

impl AccountCommand {
    /// The octets that are signed, and the device's signature over them, as they stand in the event. A closing's hashes are
    /// put in order.
    #[must_use]
    pub fn sign(&self, key: &SigningKey) -> SignedCommand {
        let command = self.to_octets();
        let signature = key.sign(&command);
        SignedCommand { device_id: self.device_id, command: command.into(), signature }
    }

    fn to_octets(&self) -> Vec<u8> {
        let mut writer = Writer::new();
        writer
            .fixed(self.command_id.as_bytes())
            .variable(self.change.topic().name().as_bytes())
            .variable(self.change.stream(self.box_id).as_bytes())
            .u64(self.expected_version)
            .fixed(self.device_id.as_bytes())
            .time(self.time);
        match &self.change {
            AccountChange::CloseBox(hashes) => {
                let mut hashes = hashes.clone();
                hashes.sort_unstable();
                hashes.dedup();
                AccountChange::CloseBox(hashes).write(self.box_id, &mut writer);
            }
            change => change.write(self.box_id, &mut writer),
        }
        of_kind(KIND, &writer.finish())
    }

    /// Reads a command without checking its signature: to find out whose it says it is.
    ///
    /// # Errors
    /// [`LayoutError`] for anything that is not exactly in the layout.
    pub fn parse(octets: &Octets) -> Result<Self, LayoutError> {
        let mut reader = body_of_kind(KIND, octets.as_slice(), MAX_ACCOUNT_COMMAND)?;
        let command_id = CommandId::from_bytes(reader.fixed()?);
        let topic = reader.text(MAX_TEXT, "topic")?;
        let stream = reader.text(MAX_TEXT, "stream")?;
        let expected_version = reader.u64()?;
        let device_id = DeviceId::from_bytes(reader.fixed()?);
        let time = reader.time("time")?;
        let (box_id, change) = AccountChange::read(&mut reader, stream)?;
        reader.finish()?;
        if change.stream(box_id) != stream {
            return Err(LayoutError::Field("stream"));
        }
        if change.topic().name() != topic {
            return Err(LayoutError::Field("topic"));
        }
        Ok(Self { command_id, box_id, expected_version, device_id, time, change })
    }

    /// Reads a command and checks it with the key of this device of this box, which the caller knows to be a member.
    ///
    /// # Errors
    /// [`AccountCommandError`], but for `NotAMember`.
    pub fn verify(
        octets: &Octets,
        signature: &Signature,
        box_id: BoxId,
        device_id: DeviceId,
        key: &VerificationKey,
    ) -> Result<Self, AccountCommandError> {
        let command = Self::parse(octets)?;
        if command.box_id != box_id {
            return Err(AccountCommandError::ForeignBox);
        }
        if command.device_id != device_id {
            return Err(AccountCommandError::OtherDevice);
        }
        key.verify(octets.as_slice(), signature)?;
        Ok(command)
    }

    /// Reads a command and checks it against the box's key record: it must be signed by a device that belongs to the box now.
    ///
    /// # Errors
    /// [`AccountCommandError`] says what is wrong.
    pub fn verify_by(record: &KeyRecord, octets: &Octets, signature: &Signature) -> Result<Self, AccountCommandError> {
        let device_id = Self::parse(octets)?.device_id;
        match record.device(device_id).filter(|device| device.is_member()) {
            Some(device) => Self::verify(octets, signature, record.box_id(), device_id, &device.signing_key),
            None => Err(AccountCommandError::NotAMember),
        }
    }
}

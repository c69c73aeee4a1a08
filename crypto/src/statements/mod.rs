//! Statements: the signed lines of a key record, in a fixed binary layout, kept and sent byte for byte.
//!
//! A statement is `"rossby/v1/" ‖ kind ‖ 0x00 ‖ body ‖ signature`, the signature being Ed25519 over all that stands before
//! it. The kinds are `founded`, `linked` and `removed`, which make the chain of membership, and `sealing`, of which each
//! device has one beside the chain. Parsing says only that a statement is well formed; [`crate::key_record`] says whether it
//! is true.

mod founded;
mod linked;
mod removed;
mod sealing_key;

pub use founded::{Founded, found};
pub use linked::{LinkRequest, Linked, link, request_link};
pub use removed::{Removed, Remover, remove};
use rossby_schemas::encoding::{FixedOctets, Octets, Sha256Digest};
use rossby_schemas::ids::{BoxId, DeviceId};
pub use sealing_key::{
    MAX_CLOCK_DIFFERENCE, MAX_SEALING_COUNTER, NotUsable, SEALING_KEY_LIFETIME, SealingKeyStated, state_sealing_key,
};
use sha2::{Digest as _, Sha256};

use crate::layout::{LayoutError, Reader, Writer, body_of_kind};
use crate::signing::{BadSignature, SIGNATURE_OCTETS, Signature, SigningKey, VerificationKey};

/// How many octets a statement has at most.
pub const MAX_STATEMENT_OCTETS: usize = 2048;

/// What a statement of one kind says. Private: the kinds are those of this module.
pub(crate) trait Content: Sized {
    /// The kind, as it stands in the octets.
    const KIND: &'static str;

    fn write(&self, writer: &mut Writer);

    fn read(reader: &mut Reader<'_>) -> Result<Self, LayoutError>;
}

/// A statement of one kind: what it says, its signature, and the octets as they came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement<T> {
    content: T,
    signature: Signature,
    octets: Octets,
}

impl<T> Statement<T> {
    /// What the statement says.
    #[must_use]
    pub const fn content(&self) -> &T {
        &self.content
    }

    /// The statement as it was signed and is kept and sent.
    #[must_use]
    pub const fn octets(&self) -> &Octets {
        &self.octets
    }

    /// SHA-256 of the statement with its signature: the head's hash, if it is a membership statement and the last one.
    #[must_use]
    pub fn hash(&self) -> Sha256Digest {
        FixedOctets(Sha256::digest(self.octets.as_slice()).into())
    }

    pub(crate) fn verify(&self, key: &VerificationKey) -> Result<(), BadSignature> {
        let (signed, _) = self.octets.as_slice().split_last_chunk::<SIGNATURE_OCTETS>().ok_or(BadSignature)?;
        key.verify(signed, &self.signature)
    }
}

/// Reads a statement of this kind. Its signature is not checked: who may sign, the key record knows.
pub(crate) fn parse<T: Content>(octets: &Octets) -> Result<Statement<T>, LayoutError> {
    let mut reader = body_of_kind(T::KIND, octets.as_slice(), MAX_STATEMENT_OCTETS)?;
    let content = T::read(&mut reader)?;
    let signature = FixedOctets(reader.fixed()?);
    reader.finish()?;
    Ok(Statement { content, signature, octets: octets.clone() })
}

fn sign<T: Content>(content: T, key: &SigningKey) -> Statement<T> {
    let mut writer = Writer::new();
    content.write(&mut writer);
    let (octets, signature) = key.sign_behind(T::KIND, &writer.finish());
    Statement { content, signature, octets: octets.into() }
}

macro_rules! parsers {
    ($($content:ty),*) => {
        $(impl TryFrom<&Octets> for Statement<$content> {
            type Error = LayoutError;

            /// Reads a statement of this kind. Its signature is not checked.
            fn try_from(octets: &Octets) -> Result<Self, LayoutError> {
                parse(octets)
            }
        })*
    };
}

parsers!(Founded, Linked, Removed, SealingKeyStated);

/// A statement of the chain of membership.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MembershipStatement {
    /// The box was founded: always the first, and only the first.
    Founded(Statement<Founded>),
    /// A device was linked.
    Linked(Statement<Linked>),
    /// A device was removed.
    Removed(Statement<Removed>),
}

impl MembershipStatement {
    /// Reads a membership statement. Signatures are not checked.
    ///
    /// # Errors
    /// [`LayoutError::OtherKind`] for any other kind, [`LayoutError`] for anything that is not exactly in the layout.
    pub fn parse(octets: &Octets) -> Result<Self, LayoutError> {
        match parse(octets).map(Self::Founded) {
            Err(LayoutError::OtherKind) => {}
            read => return read,
        }
        match parse(octets).map(Self::Linked) {
            Err(LayoutError::OtherKind) => parse(octets).map(Self::Removed),
            read => read,
        }
    }

    /// The statement as it was signed and is kept and sent.
    #[must_use]
    pub const fn octets(&self) -> &Octets {
        match self {
            Self::Founded(statement) => statement.octets(),
            Self::Linked(statement) => statement.octets(),
            Self::Removed(statement) => statement.octets(),
        }
    }

    /// The device that says to have signed it; none if the recovery key does. Signatures are not checked.
    #[must_use]
    pub fn signer(&self) -> Option<DeviceId> {
        match self {
            Self::Founded(founded) => Some(founded.content().device_id),
            Self::Linked(linked) => Some(linked.content().signer),
            Self::Removed(removed) => match removed.content().signer {
                Remover::Device(device_id) => Some(device_id),
                Remover::RecoveryKey => None,
            },
        }
    }

    /// The record's version once the statement is in it, as it says itself.
    #[must_use]
    pub const fn version(&self) -> u32 {
        match self {
            Self::Founded(_) => 1,
            Self::Linked(statement) => statement.content().place.version,
            Self::Removed(statement) => statement.content().place.version,
        }
    }

    /// SHA-256 of the statement with its signature.
    #[must_use]
    pub fn hash(&self) -> Sha256Digest {
        match self {
            Self::Founded(statement) => statement.hash(),
            Self::Linked(statement) => statement.hash(),
            Self::Removed(statement) => statement.hash(),
        }
    }
}

/// Where a statement after the founding one stands: in which box's chain, as which version, after which statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// The box.
    pub box_id: BoxId,
    /// The record's version once the statement is in it; the founding statement has 1.
    pub version: u32,
    /// SHA-256 of the statement before.
    pub previous: Sha256Digest,
}

impl Place {
    fn write(&self, writer: &mut Writer) {
        writer.fixed(self.box_id.as_bytes()).u32(self.version).fixed(self.previous.as_slice());
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, LayoutError> {
        Ok(Self {
            box_id: BoxId::from_bytes(reader.fixed()?),
            version: reader.u32()?,
            previous: FixedOctets(reader.fixed()?),
        })
    }
}

fn read_key(reader: &mut Reader<'_>, field: &'static str) -> Result<VerificationKey, LayoutError> {
    VerificationKey::from_bytes(reader.fixed()?).map_err(|_| LayoutError::Field(field))
}

//! What a message says, as its sender signs it and before it is sealed.

use std::fmt;

use rossby_schemas::encoding::{FixedOctets, Octets, Sha256Digest};
use rossby_schemas::ids::{BoxId, DeviceId, Head, MessageId};
use rossby_schemas::time::Timestamp;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::key_record::{HeadRelation, KeyRecord, KeyRecordError, MAX_MEMBERSHIP_STATEMENTS};
use crate::layout::{LayoutError, Reader, Writer, body_of_kind};
use crate::signing::{BadSignature, SIGNATURE_OCTETS, Signature, SigningKey, VerificationKey};
use crate::statements::MAX_STATEMENT_OCTETS;

const KIND: &str = "message";

/// The smallest padded size.
pub const MIN_PADDED_OCTETS: usize = 512;
/// The largest padded size.
pub const MAX_PADDED_OCTETS: usize = 256 * 1024;
/// How many octets a message's body has at most. The rest is for the sender's statements.
pub const MAX_BODY_OCTETS: usize = 128 * 1024;

/// What a message says. Signed by the sending device, sealed for each recipient box anew.
///
/// Signed body: sender box, sender device, sender's head, recipient box, recipient's head, conversation, message id, sequence
/// (u64), hash of the sender's previous message in this conversation (optional), time, kind (u32), body (variable), and the
/// sender's membership statements that the recipient may not have: their number (u32), and each (variable).
#[derive(Clone, PartialEq, Eq)]
pub struct MessageContent {
    /// The sender's box.
    pub sender: BoxId,
    /// The device that signs.
    pub sender_device: DeviceId,
    /// The head of the sender's key record.
    pub sender_head: Head,
    /// The recipient's box.
    pub recipient: BoxId,
    /// The head of the recipient's key record that it was sealed to.
    pub recipient_head: Head,
    /// The conversation.
    pub conversation: Uuid,
    /// The message's id, the same for every recipient.
    pub message_id: MessageId,
    /// The message's number among the device's in this conversation, from 1.
    pub sequence: u64,
    /// The hash of the device's message before it in this conversation; none for its first.
    pub previous: Option<Sha256Digest>,
    /// When it was written, by the sender's clock.
    pub time: Timestamp,
    /// What the body is. Unknown kinds are kept, and shown as such.
    pub kind: u32,
    /// The body, as the kind says.
    pub body: Octets,
    /// The sender's membership statements that the recipient may not have, in their order.
    pub statements: Vec<Octets>,
}

impl fmt::Debug for MessageContent {
    /// Leaves out the body: it is what nobody else may read.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MessageContent")
            .field("sender", &self.sender)
            .field("sender_device", &self.sender_device)
            .field("recipient", &self.recipient)
            .field("message_id", &self.message_id)
            .field("sequence", &self.sequence)
            .field("kind", &self.kind)
            .finish_non_exhaustive()
    }
}

/// Why a message's content is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ContentError {
    /// It is not in the layout.
    #[error("the message is malformed: {0}")]
    Malformed(#[from] LayoutError),
    /// It is another box's key record than the sender's.
    #[error("the key record is not the sender's")]
    OtherRecord,
    /// The sending device is not in the sender's record.
    #[error("the sending device is not in the sender's key record")]
    UnknownDevice,
    /// The sender's record has another statement than the head that the message states, which a device of the record has
    /// signed all the same.
    #[error("the sender's key record has forked")]
    Fork,
    /// The sender's record is older than the message: more of it is needed.
    #[error("more of the sender's key record is needed")]
    HeadAhead,
    /// The device did not belong to the sender's box at the head that the message states.
    #[error("the sending device did not belong to the box at the stated head")]
    NotAMember,
    /// The signature does not verify.
    #[error("the message's signature does not verify")]
    BadSignature,
}

impl From<BadSignature> for ContentError {
    fn from(_: BadSignature) -> Self {
        Self::BadSignature
    }
}

/// A message's content with its signature, as it stands in the ciphertext.
#[derive(Clone, PartialEq, Eq)]
pub struct SignedContent {
    content: MessageContent,
    signature: Signature,
    octets: Octets,
}

impl fmt::Debug for SignedContent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SignedContent").field(&self.content).finish()
    }
}

impl SignedContent {
    /// What the message says. Nobody has checked that its sender wrote it.
    #[must_use]
    pub const fn content(&self) -> &MessageContent {
        &self.content
    }

    /// The content as it was signed, with the signature behind it.
    #[must_use]
    pub const fn octets(&self) -> &Octets {
        &self.octets
    }

    /// What the device's next message in the conversation names as the one before: SHA-256 of sender box, sender device,
    /// conversation, message id, sequence, previous, time, kind and body, as they stand in the signed body. It is the same
    /// for every recipient.
    #[must_use]
    pub fn link_hash(&self) -> Sha256Digest {
        self.content.link_hash()
    }

    /// The sender's key record, with the statements that the message brings: what [`SignedContent::verify`] needs. `known` is
    /// what is known of the record already, if anything is; the result extends it.
    ///
    /// # Errors
    /// [`KeyRecordError`] if the statements don't make a record of the sender's box, or contradict the known one.
    pub fn sender_record(&self, known: Option<&KeyRecord>) -> Result<KeyRecord, KeyRecordError> {
        let (sender, statements) = (self.content.sender, &self.content.statements);
        match known {
            Some(known) if known.box_id() != sender => Err(KeyRecordError::OtherBox { found: known.box_id() }),
            Some(known) => known.merge(statements),
            None => KeyRecord::verify_of(sender, statements),
        }
    }

    /// Checks that the sender wrote it, by the sender's key record, which must be as new as the message.
    ///
    /// # Errors
    /// [`ContentError`] says what doesn't fit.
    pub fn verify(&self, sender: &KeyRecord) -> Result<(), ContentError> {
        if sender.box_id() != self.content.sender {
            return Err(ContentError::OtherRecord);
        }
        // Only what a device of the box has signed is a fork: anyone can write down a head.
        let relation = sender.relation(self.content.sender_head);
        if relation == HeadRelation::Ahead {
            return Err(ContentError::HeadAhead);
        }
        let device = sender.device(self.content.sender_device).ok_or(ContentError::UnknownDevice)?;
        self.check_signature(&device.signing_key)?;
        if relation == HeadRelation::Fork {
            return Err(ContentError::Fork);
        }
        if device.was_member_at(self.content.sender_head.version) { Ok(()) } else { Err(ContentError::NotAMember) }
    }

    fn check_signature(&self, key: &VerificationKey) -> Result<(), ContentError> {
        let (signed, _) = self.octets.as_slice().split_last_chunk::<SIGNATURE_OCTETS>().ok_or(BadSignature)?;
        Ok(key.verify(signed, &self.signature)?)
    }

    /// The text that is sealed: its length, itself, and zeros up to the next power of two from 512.
    pub(super) fn padded(&self) -> Result<Zeroizing<Vec<u8>>, LayoutError> {
        let signed = self.octets.as_slice();
        let length = (signed.len() + 4).next_power_of_two().max(MIN_PADDED_OCTETS);
        if length > MAX_PADDED_OCTETS {
            return Err(LayoutError::TooLong { limit: MAX_PADDED_OCTETS });
        }
        let mut writer = Writer::new();
        writer.variable(signed);
        let mut padded = Zeroizing::new(Vec::with_capacity(length));
        padded.extend_from_slice(&Zeroizing::new(writer.finish()));
        padded.resize(length, 0);
        Ok(padded)
    }

    /// Reads what [`SignedContent::padded`] wrote, and nothing else.
    pub(super) fn from_padded(padded: &[u8]) -> Result<Self, LayoutError> {
        let mut reader = Reader::new(padded, MAX_PADDED_OCTETS)?;
        let octets = Octets::from(reader.variable(MAX_PADDED_OCTETS)?);
        let rest = reader.slice(padded.len() - 4 - octets.as_slice().len())?;
        let is_padded = (octets.as_slice().len() + 4).next_power_of_two().max(MIN_PADDED_OCTETS) == padded.len();
        if !is_padded || rest.iter().any(|octet| *octet != 0) {
            return Err(LayoutError::Field("padding"));
        }
        Self::parse(octets)
    }

    /// Reads a content that was opened before and kept. Its signature is not checked.
    ///
    /// # Errors
    /// [`LayoutError`] for anything that is not exactly in the layout.
    pub fn parse(octets: Octets) -> Result<Self, LayoutError> {
        let mut reader = body_of_kind(KIND, octets.as_slice(), MAX_PADDED_OCTETS)?;
        let content = MessageContent::read(&mut reader)?;
        let signature = FixedOctets(reader.fixed()?);
        reader.finish()?;
        Ok(Self { content, signature, octets })
    }
}

impl MessageContent {
    /// What [`SignedContent::link_hash`] gives once it is signed.
    #[must_use]
    pub fn link_hash(&self) -> Sha256Digest {
        let mut writer = Writer::new();
        writer.fixed(self.sender.as_bytes()).fixed(self.sender_device.as_bytes());
        self.write_linked(&mut writer);
        FixedOctets(Sha256::digest(Zeroizing::new(writer.finish())).into())
    }

    /// Signs with the sending device's key.
    ///
    /// # Errors
    /// [`LayoutError::TooLong`] for a body over [`MAX_BODY_OCTETS`] or for too many statements, [`LayoutError::Field`] for a
    /// sequence of 0, and for a previous hash where there is no message before, or none where there is one.
    pub fn sign(self, key: &SigningKey) -> Result<SignedContent, LayoutError> {
        let longest = self.statements.iter().map(|statement| statement.as_slice().len()).max().unwrap_or_default();
        let bounded = [
            (self.body.as_slice().len(), MAX_BODY_OCTETS),
            (self.statements.len(), MAX_MEMBERSHIP_STATEMENTS),
            (longest, MAX_STATEMENT_OCTETS),
        ];
        if let Some((_, limit)) = bounded.into_iter().find(|(length, limit)| length > limit) {
            return Err(LayoutError::TooLong { limit });
        }
        self.check_sequence()?;
        let mut writer = Writer::new();
        self.write(&mut writer);
        let (octets, signature) = key.sign_behind(KIND, &Zeroizing::new(writer.finish()));
        Ok(SignedContent { content: self, signature, octets: octets.into() })
    }

    fn write(&self, writer: &mut Writer) {
        writer
            .fixed(self.sender.as_bytes())
            .fixed(self.sender_device.as_bytes())
            .head(self.sender_head)
            .fixed(self.recipient.as_bytes())
            .head(self.recipient_head);
        self.write_linked(writer);
        writer.count(self.statements.len());
        for statement in &self.statements {
            writer.variable(statement.as_slice());
        }
    }

    /// What is the same for every recipient.
    fn write_linked(&self, writer: &mut Writer) {
        writer
            .fixed(self.conversation.as_bytes())
            .fixed(self.message_id.as_bytes())
            .u64(self.sequence)
            .optional(self.previous.as_ref().map(FixedOctets::as_slice))
            .time(self.time)
            .u32(self.kind)
            .variable(self.body.as_slice());
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, LayoutError> {
        let content = Self {
            sender: BoxId::from_bytes(reader.fixed()?),
            sender_device: DeviceId::from_bytes(reader.fixed()?),
            sender_head: reader.head()?,
            recipient: BoxId::from_bytes(reader.fixed()?),
            recipient_head: reader.head()?,
            conversation: Uuid::from_bytes(reader.fixed()?),
            message_id: MessageId::from_bytes(reader.fixed()?),
            sequence: reader.u64()?,
            previous: reader.optional("previous")?.map(FixedOctets),
            time: reader.time("time")?,
            kind: reader.u32()?,
            body: reader.variable(MAX_BODY_OCTETS)?.into(),
            statements: {
                let count = reader.count(MAX_MEMBERSHIP_STATEMENTS)?;
                let statement = |_| reader.variable(MAX_STATEMENT_OCTETS).map(Octets::from);
                (0..count).map(statement).collect::<Result<_, _>>()?
            },
        };
        content.check_sequence()?;
        Ok(content)
    }

    /// The first message of a device in a conversation names none before it, and every other one does.
    const fn check_sequence(&self) -> Result<(), LayoutError> {
        if self.sequence == 0 || (self.sequence == 1) != self.previous.is_none() {
            Err(LayoutError::Field("sequence"))
        } else {
            Ok(())
        }
    }
}

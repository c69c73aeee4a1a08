//! What one person's device shows to another's camera, so that both know that no one stands between them: the safety number's
//! question, and the key records as each side has them.
//!
//! A code has version (1 octet, 1), and twice founding hash (32 octets) and head: first of the box that shows it, then of the box
//! that it is shown to, as the showing device knows it. As text it is `ROSSBY:VERIFY:` and its octets in base32 (RFC 4648,
//! section 6) without padding: letters and digits that a QR code packs densely.

use std::fmt;
use std::str::FromStr;

use data_encoding::BASE32_NOPAD;
use rossby_schemas::encoding::{FixedOctets, Sha256Digest};
use rossby_schemas::ids::Head;

use crate::key_record::{HeadRelation, KeyRecord};
use crate::layout::{LayoutError, Reader, Writer};

const SCHEME: &str = "ROSSBY:VERIFY:";
const VERSION: u8 = 1;
/// No code of this version has as many characters.
const MAX_CHARACTERS: usize = 512;

/// A text that is no code of this version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotAVerificationCode {
    /// It is something else, or was cut off.
    #[error("that is no code of `rossby verify`, or not the whole of it")]
    Malformed,
    /// A newer program made it.
    #[error(
        "the code is of version {0}, and this program knows version {VERSION}: use a newer one, or compare the digits"
    )]
    Newer(u8),
}

impl From<LayoutError> for NotAVerificationCode {
    fn from(_: LayoutError) -> Self {
        Self::Malformed
    }
}

/// Why a code does not confirm what is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Mismatch {
    /// The box that shows it is another one.
    #[error("it was made by another account than the one that you have for them")]
    Theirs,
    /// It was made for another box than this one.
    #[error("it was made for another account than yours: they have somebody else for you, or show it to somebody else")]
    Ours,
    /// It is what this side itself shows.
    #[error("it is the code that your own device shows; take the one that theirs shows")]
    OwnCode,
    /// Their device has a record of its box that contradicts the known one.
    #[error("their device has another list of their devices than the one that was shown to yours")]
    TheirRecord,
    /// Their device has a record of this box that contradicts the own one.
    #[error("their device has another list of your devices than yours has")]
    OurRecord,
}

/// A box, as a device knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KnownBox {
    /// The hash of its founding statement.
    pub founding_hash: Sha256Digest,
    /// The head of its key record.
    pub head: Head,
}

impl KnownBox {
    /// A box with this record.
    #[must_use]
    pub fn of(record: &KeyRecord) -> Self {
        Self { founding_hash: record.founded().hash(), head: record.head() }
    }

    fn write(&self, writer: &mut Writer) {
        writer.fixed(self.founding_hash.as_slice()).head(self.head);
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, LayoutError> {
        Ok(Self { founding_hash: FixedOctets(reader.fixed()?), head: reader.head()? })
    }

    fn is(&self, record: &KeyRecord) -> bool {
        self.founding_hash == record.founded().hash()
    }
}

/// What one device shows and another reads. `Display` writes it as text, which `FromStr` reads in either case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VerificationCode {
    /// The box of the device that shows it.
    pub by: KnownBox,
    /// The box that it is shown to.
    pub to: KnownBox,
}

/// How the records that a code names stand to the known ones. Where one is ahead, more of the record is needed to tell whether it
/// extends the known one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Comparison {
    /// How the head that their device has of their own box stands to the record that is known of it.
    pub theirs: HeadRelation,
    /// How the head that their device has of this box stands to its own record.
    pub ours: HeadRelation,
}

impl VerificationCode {
    /// What a device of a box shows to the other one's.
    #[must_use]
    pub fn new(own: &KeyRecord, other: &KeyRecord) -> Self {
        Self { by: KnownBox::of(own), to: KnownBox::of(other) }
    }

    /// Compares a code that the other box's device showed with what is known.
    ///
    /// # Errors
    /// [`Mismatch`] says what differs.
    pub fn compare(&self, own: &KeyRecord, other: &KeyRecord) -> Result<Comparison, Mismatch> {
        if self.by.is(own) && self.to.is(other) {
            return Err(Mismatch::OwnCode);
        }
        if !self.by.is(other) {
            return Err(Mismatch::Theirs);
        }
        if !self.to.is(own) {
            return Err(Mismatch::Ours);
        }
        match (other.relation(self.by.head), own.relation(self.to.head)) {
            (HeadRelation::Fork, _) => Err(Mismatch::TheirRecord),
            (_, HeadRelation::Fork) => Err(Mismatch::OurRecord),
            (theirs, ours) => Ok(Comparison { theirs, ours }),
        }
    }

    fn to_octets(self) -> Vec<u8> {
        let mut writer = Writer::new();
        writer.u8(VERSION);
        self.by.write(&mut writer);
        self.to.write(&mut writer);
        writer.finish()
    }
}

impl fmt::Display for VerificationCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(SCHEME)?;
        f.write_str(&BASE32_NOPAD.encode(&self.to_octets()))
    }
}

impl FromStr for VerificationCode {
    type Err = NotAVerificationCode;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.len() > MAX_CHARACTERS {
            return Err(NotAVerificationCode::Malformed);
        }
        // Whoever copies it from a screen may break its line.
        let text: String = text.split_whitespace().collect::<String>().to_uppercase();
        let characters = text.strip_prefix(SCHEME).ok_or(NotAVerificationCode::Malformed)?;
        let octets = BASE32_NOPAD.decode(characters.as_bytes()).map_err(|_| NotAVerificationCode::Malformed)?;
        let mut reader = Reader::new(&octets, MAX_CHARACTERS)?;
        match reader.u8()? {
            VERSION => {}
            newer if newer > VERSION => return Err(NotAVerificationCode::Newer(newer)),
            _ => return Err(NotAVerificationCode::Malformed),
        }
        let code = Self { by: KnownBox::read(&mut reader)?, to: KnownBox::read(&mut reader)? };
        reader.finish()?;
        Ok(code)
    }
}

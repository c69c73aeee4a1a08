//! The fixed binary layout of everything that is signed, hashed or sealed.
//!
//! Numbers are big-endian. A field of variable length is a `u32` length and its octets; a field of fixed length stands as it
//! is, ids as their 16 octets. Times are `u64` milliseconds since 1970. An optional field is an octet, 0 or 1, and the field
//! if it is 1. There is exactly one way to write a value, and the reader takes no other: nothing may be missing, nothing may
//! follow, and no length may pass the field's limit.

use std::fmt;

use rossby_schemas::encoding::Sha256Digest;
use rossby_schemas::ids::Head;
use rossby_schemas::time::Timestamp;

/// Why octets are not in the layout.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LayoutError {
    /// The octets end within a field.
    #[error("the octets end too early")]
    Short,
    /// Octets follow after the last field.
    #[error("octets follow after the end")]
    Trailing,
    /// A field, or the whole, is longer than it may be.
    #[error("a field is longer than {limit} octets or entries")]
    TooLong {
        /// How many octets or entries it may have.
        limit: usize,
    },
    /// The octets are of another kind, or of a version that is not known here.
    #[error("the octets are of another kind or version")]
    OtherKind,
    /// A field holds what it cannot mean.
    #[error("the field {0} is not valid")]
    Field(&'static str),
}

/// Writes the layout. `Debug` shows how much was written and not what, which may be secret.
#[derive(Default)]
pub struct Writer(Vec<u8>);

impl fmt::Debug for Writer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Writer({} octets)", self.0.len())
    }
}

impl Writer {
    /// A writer that has written nothing.
    #[must_use]
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// Writes one octet.
    pub fn u8(&mut self, value: u8) -> &mut Self {
        self.fixed(&[value])
    }

    /// Writes 4 octets.
    pub fn u32(&mut self, value: u32) -> &mut Self {
        self.fixed(&value.to_be_bytes())
    }

    /// Writes 8 octets.
    pub fn u64(&mut self, value: u64) -> &mut Self {
        self.fixed(&value.to_be_bytes())
    }

    /// Writes a field of fixed length as it is: an id, a key, a hash.
    pub fn fixed(&mut self, octets: &[u8]) -> &mut Self {
        self.0.extend_from_slice(octets);
        self
    }

    /// Writes a field of variable length: its length and itself. Callers have bounded it: lengths over `u32::MAX` would
    /// be written as `u32::MAX` and no reader would take them.
    pub fn variable(&mut self, octets: &[u8]) -> &mut Self {
        self.count(octets.len()).fixed(octets)
    }

    /// Writes how many entries follow, under the same condition as [`Writer::variable`].
    pub fn count(&mut self, entries: usize) -> &mut Self {
        self.u32(u32::try_from(entries).unwrap_or(u32::MAX))
    }

    /// Writes a point in time.
    pub fn time(&mut self, time: Timestamp) -> &mut Self {
        self.u64(time.millis())
    }

    /// Writes a key record's head: its version and its hash.
    pub fn head(&mut self, head: Head) -> &mut Self {
        self.u32(head.version).fixed(head.hash.as_slice())
    }

    /// Writes a field of fixed length that may be absent.
    pub fn optional(&mut self, octets: Option<&[u8]>) -> &mut Self {
        match octets {
            None => self.u8(0),
            Some(octets) => self.u8(1).fixed(octets),
        }
    }

    /// What was written.
    #[must_use]
    pub fn finish(self) -> Vec<u8> {
        self.0
    }
}

/// Reads the layout, strictly. `Debug` shows how much is left and not what.
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl fmt::Debug for Reader<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Reader({} octets)", self.rest.len())
    }
}

impl<'a> Reader<'a> {
    /// A reader of `octets`, which may be `limit` at most.
    ///
    /// # Errors
    /// [`LayoutError::TooLong`].
    pub const fn new(octets: &'a [u8], limit: usize) -> Result<Self, LayoutError> {
        if octets.len() > limit { Err(LayoutError::TooLong { limit }) } else { Ok(Self { rest: octets }) }
    }

    /// Reads `length` octets.
    ///
    /// # Errors
    /// [`LayoutError::Short`].
    pub fn slice(&mut self, length: usize) -> Result<&'a [u8], LayoutError> {
        let (field, rest) = self.rest.split_at_checked(length).ok_or(LayoutError::Short)?;
        self.rest = rest;
        Ok(field)
    }

    /// Reads a field of fixed length.
    ///
    /// # Errors
    /// [`LayoutError::Short`].
    pub fn fixed<const N: usize>(&mut self) -> Result<[u8; N], LayoutError> {
        self.slice(N)?.try_into().map_err(|_| LayoutError::Short)
    }

    /// Reads one octet.
    ///
    /// # Errors
    /// [`LayoutError::Short`].
    pub fn u8(&mut self) -> Result<u8, LayoutError> {
        self.fixed::<1>().map(|[octet]| octet)
    }

    /// Reads 4 octets.
    ///
    /// # Errors
    /// [`LayoutError::Short`].
    pub fn u32(&mut self) -> Result<u32, LayoutError> {
        self.fixed().map(u32::from_be_bytes)
    }

    /// Reads 8 octets.
    ///
    /// # Errors
    /// [`LayoutError::Short`].
    pub fn u64(&mut self) -> Result<u64, LayoutError> {
        self.fixed().map(u64::from_be_bytes)
    }

    /// Reads a field of variable length, of `limit` octets at most.
    ///
    /// # Errors
    /// [`LayoutError::TooLong`] or [`LayoutError::Short`].
    pub fn variable(&mut self, limit: usize) -> Result<&'a [u8], LayoutError> {
        let length = self.count(limit)?;
        self.slice(length)
    }

    /// Reads how many entries follow, `limit` at most.
    ///
    /// # Errors
    /// [`LayoutError::TooLong`] or [`LayoutError::Short`].
    pub fn count(&mut self, limit: usize) -> Result<usize, LayoutError> {
        let count = usize::try_from(self.u32()?).unwrap_or(usize::MAX);
        if count > limit { Err(LayoutError::TooLong { limit }) } else { Ok(count) }
    }

    /// Reads a text in UTF-8, of `limit` octets at most; `field` names it in the error.
    ///
    /// # Errors
    /// [`LayoutError::TooLong`], [`LayoutError::Short`], or [`LayoutError::Field`] for what is not UTF-8.
    pub fn text(&mut self, limit: usize, field: &'static str) -> Result<&'a str, LayoutError> {
        std::str::from_utf8(self.variable(limit)?).map_err(|_| LayoutError::Field(field))
    }

    /// Reads a point in time; `field` names it in the error.
    ///
    /// # Errors
    /// [`LayoutError::Short`], or [`LayoutError::Field`] for points after the year 9999.
    pub fn time(&mut self, field: &'static str) -> Result<Timestamp, LayoutError> {
        Timestamp::from_millis(self.u64()?).map_err(|_| LayoutError::Field(field))
    }

    /// Reads a key record's head.
    ///
    /// # Errors
    /// [`LayoutError::Short`], or [`LayoutError::Field`] for version 0, which no record has.
    pub fn head(&mut self) -> Result<Head, LayoutError> {
        let (version, hash) = (self.u32()?, Sha256Digest::from(self.fixed::<32>()?));
        if version == 0 { Err(LayoutError::Field("head")) } else { Ok(Head { version, hash }) }
    }

    /// Reads a field of fixed length that may be absent; `field` names it in the error.
    ///
    /// # Errors
    /// [`LayoutError::Short`], or [`LayoutError::Field`] if the octet before it is neither 0 nor 1.
    pub fn optional<const N: usize>(&mut self, field: &'static str) -> Result<Option<[u8; N]>, LayoutError> {
        match self.u8()? {
            0 => Ok(None),
            1 => self.fixed().map(Some),
            _ => Err(LayoutError::Field(field)),
        }
    }

    /// Ends the reading.
    ///
    /// # Errors
    /// [`LayoutError::Trailing`] if anything is left.
    pub const fn finish(self) -> Result<(), LayoutError> {
        if self.rest.is_empty() { Ok(()) } else { Err(LayoutError::Trailing) }
    }
}

/// What every signed layout begins with; the kind and a zero octet follow.
const PROTOCOL: &[u8] = b"rossby/v1/";

/// Octets of one kind as they are signed: `"rossby/v1/" ‖ kind ‖ 0x00 ‖ body`. No two kinds begin alike, so a signature
/// over one can never pass as a signature over another.
pub(crate) fn of_kind(kind: &str, body: &[u8]) -> Vec<u8> {
    [PROTOCOL, kind.as_bytes(), &[0], body].concat()
}

/// A reader of the body of octets of `kind`, `limit` octets at most in all.
pub(crate) fn body_of_kind<'a>(kind: &str, octets: &'a [u8], limit: usize) -> Result<Reader<'a>, LayoutError> {
    let mut reader = Reader::new(octets, limit)?;
    let starts_alike = reader.slice(PROTOCOL.len() + kind.len() + 1).is_ok_and(|start| start == of_kind(kind, &[]));
    if starts_alike { Ok(reader) } else { Err(LayoutError::OtherKind) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_signed_begins_with_its_kind() {
        assert_eq!(of_kind("linked", b"body"), b"rossby/v1/linked\0body");
        assert!(body_of_kind("linked", b"rossby/v1/linked\0body", 100).is_ok());
        for other in [&b"rossby/v1/linked"[..], b"rossby/v1/linkedbody", b"rossby/v2/linked\0", b""] {
            assert_eq!(body_of_kind("linked", other, 100).err(), Some(LayoutError::OtherKind));
        }
        let too_long = body_of_kind("linked", b"rossby/v1/linked\0body", 20).err();
        assert_eq!(too_long, Some(LayoutError::TooLong { limit: 20 }));
    }

    #[test]
    fn lengths_are_big_endian() {
        let mut writer = Writer::new();
        writer.u8(1).u32(2).u64(3).variable(b"ab").optional(None).optional(Some(b"c"));
        assert_eq!(writer.finish(), b"\x01\0\0\0\x02\0\0\0\0\0\0\0\x03\0\0\0\x02ab\0\x01c");
    }

    #[test]
    fn a_length_that_lies_is_refused() {
        assert_eq!(Reader::new(b"\0\0\0\x05abc", 99).unwrap().variable(99), Err(LayoutError::Short));
        assert_eq!(Reader::new(b"\xff\xff\xff\xff", 99).unwrap().variable(99), Err(LayoutError::TooLong { limit: 99 }));
        assert_eq!(Reader::new(b"\x02", 99).unwrap().optional::<1>("x"), Err(LayoutError::Field("x")));
        assert_eq!(Reader::new(b"\0\0\0\x01\xff", 99).unwrap().text(9, "t"), Err(LayoutError::Field("t")));
        assert_eq!(Reader::new(&[0xff; 8], 99).unwrap().time("at"), Err(LayoutError::Field("at")));
        assert_eq!(Reader::new(&[0; 36], 99).unwrap().head(), Err(LayoutError::Field("head")));
    }

    proptest! {
        #[test]
        fn fields_are_read_back_and_nothing_else_is(
            a in any::<u32>(), b in any::<u64>(), c in proptest::collection::vec(any::<u8>(), 0..40),
            d in any::<Option<[u8; 16]>>(), extra in any::<u8>(),
        ) {
            let mut writer = Writer::new();
            writer.u32(a).u64(b).variable(&c).optional(d.as_ref().map(|d| &d[..]));
            let octets = writer.finish();
            let read = |octets: &[u8]| -> Result<_, LayoutError> {
                let mut reader = Reader::new(octets, 200)?;
                let fields = (reader.u32()?, reader.u64()?, reader.variable(40)?.to_vec(), reader.optional::<16>("d")?);
                reader.finish()?;
                Ok(fields)
            };
            prop_assert_eq!(read(&octets), Ok((a, b, c, d)));
            for shorter in 0..octets.len() {
                prop_assert_eq!(read(&octets[..shorter]), Err(LayoutError::Short));
            }
            prop_assert_eq!(read(&[octets, vec![extra]].concat()), Err(LayoutError::Trailing));
        }
    }
}

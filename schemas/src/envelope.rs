//! The envelope of an event on the log: CloudEvents 1.0 in the binary mode of its Kafka binding.
//!
//! Attributes are record headers named `ce_*`, `content-type` says what the value is, and the value is the data alone, so
//! that any Kafka tool can read it. See the CloudEvents specification 1.0.2 and its Kafka protocol binding 1.0.2.

use std::str::FromStr;

use bytes::Bytes;

use crate::encoding::Sha256Digest;
use crate::ids::{CommandId, EventId, OuterId, RegionNumber};
use crate::time::Timestamp;

/// The media type of control events.
pub const JSON: &str = "application/json";
/// The media type of message ciphertext.
pub const OCTETS: &str = "application/octet-stream";

/// A header of a log record.
pub type Header = (String, Bytes);

/// What a control event says of its place in its stream and of the command behind it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Control {
    /// The version of the stream that the event was decided on; it is admitted exactly on that.
    pub expected_version: u64,
    /// The command that made the event.
    pub command: CommandId,
    /// Which of the command's events it is, from 0.
    pub step: u32,
    /// SHA-256 of the command's body, by which a command id used again with another body is known.
    pub command_hash: Sha256Digest,
}

/// An event with its attributes, the data still encoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    /// `ce_id`.
    pub id: EventId,
    /// `ce_type`, such as `org.rossby.keys.device-linked.v1`.
    pub event_type: String,
    /// `ce_source`, as `/regions/1`: the region that wrote it.
    pub region: RegionNumber,
    /// `ce_subject`: the stream. A BoxID, an identifier hash, or an identifier hash and a day.
    pub stream: String,
    /// `ce_time`: when the API accepted it.
    pub time: Timestamp,
    /// For events of control streams.
    pub control: Option<Control>,
    /// For messages: their id in the queue (`ce_outerid`).
    pub outer_id: Option<OuterId>,
    /// `content-type`.
    pub content_type: String,
    /// The record's value.
    pub data: Bytes,
}

/// A record that is no CloudEvent of Rossby's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EnvelopeError {
    /// A header that every event has is not there.
    #[error("the record has no header {0}")]
    Missing(&'static str),
    /// A header that cannot be read.
    #[error("the record's header {0} cannot be read")]
    Unreadable(&'static str),
    /// A header that stands twice.
    #[error("the record has the header {0} twice")]
    Repeated(&'static str),
    /// A record without a value: Kafka's tombstone, which Rossby never writes.
    #[error("the record has no value")]
    NoValue,
}

const SPEC_VERSION: &str = "ce_specversion";
const ID: &str = "ce_id";
const TYPE: &str = "ce_type";
const SOURCE: &str = "ce_source";
const SUBJECT: &str = "ce_subject";
const TIME: &str = "ce_time";
const EXPECTED_VERSION: &str = "ce_expectedversion";
const COMMAND_ID: &str = "ce_commandid";
const COMMAND_STEP: &str = "ce_commandstep";
const COMMAND_HASH: &str = "ce_commandhash";
const OUTER_ID: &str = "ce_outerid";
const CONTENT_TYPE: &str = "content-type";

impl Envelope {
    /// The headers of the record that carries the event.
    #[must_use]
    pub fn headers(&self) -> Vec<Header> {
        let mut headers: Vec<(&str, String)> = vec![
            (SPEC_VERSION, "1.0".to_owned()),
            (ID, self.id.to_string()),
            (TYPE, self.event_type.clone()),
            (SOURCE, format!("/regions/{}", self.region)),
            (SUBJECT, self.stream.clone()),
            (TIME, self.time.to_string()),
            (CONTENT_TYPE, self.content_type.clone()),
        ];
        if let Some(control) = &self.control {
            headers.extend([
                (EXPECTED_VERSION, control.expected_version.to_string()),
                (COMMAND_ID, control.command.to_string()),
                (COMMAND_STEP, control.step.to_string()),
                (COMMAND_HASH, control.command_hash.to_string()),
            ]);
        }
        if let Some(outer_id) = self.outer_id {
            headers.push((OUTER_ID, outer_id.to_string()));
        }
        headers.into_iter().map(|(name, value)| (name.to_owned(), Bytes::from(value))).collect()
    }

    /// Reads a record. Headers that Rossby does not know are passed over, as CloudEvents asks.
    ///
    /// # Errors
    /// [`EnvelopeError`] says which header is missing, unreadable or repeated.
    pub fn from_record(headers: &[Header], value: Option<&Bytes>) -> Result<Self, EnvelopeError> {
        let headers = Headers(headers);
        if headers.required(SPEC_VERSION)? != "1.0" {
            return Err(EnvelopeError::Unreadable(SPEC_VERSION));
        }
        let source = headers.required(SOURCE)?;
        let region = source.strip_prefix("/regions/").and_then(|number| number.parse().ok());
        let control = match headers.parsed(EXPECTED_VERSION)? {
            None => None,
            Some(expected_version) => Some(Control {
                expected_version,
                command: headers.parsed(COMMAND_ID)?.ok_or(EnvelopeError::Missing(COMMAND_ID))?,
                step: headers.parsed(COMMAND_STEP)?.ok_or(EnvelopeError::Missing(COMMAND_STEP))?,
                command_hash: headers.parsed(COMMAND_HASH)?.ok_or(EnvelopeError::Missing(COMMAND_HASH))?,
            }),
        };
        Ok(Self {
            id: headers.parsed(ID)?.ok_or(EnvelopeError::Missing(ID))?,
            event_type: headers.required(TYPE)?.to_owned(),
            region: RegionNumber(region.ok_or(EnvelopeError::Unreadable(SOURCE))?),
            stream: headers.required(SUBJECT)?.to_owned(),
            time: headers.parsed(TIME)?.ok_or(EnvelopeError::Missing(TIME))?,
            control,
            outer_id: headers.parsed(OUTER_ID)?,
            content_type: headers.required(CONTENT_TYPE)?.to_owned(),
            data: value.ok_or(EnvelopeError::NoValue)?.clone(),
        })
    }
}

/// A record's headers, of which each name that Rossby reads may stand once.
struct Headers<'a>(&'a [Header]);

impl<'a> Headers<'a> {
    fn optional(&self, name: &'static str) -> Result<Option<&'a str>, EnvelopeError> {
        let mut found = self.0.iter().filter(|(n, _)| n == name);
        let Some((_, value)) = found.next() else { return Ok(None) };
        if found.next().is_some() {
            return Err(EnvelopeError::Repeated(name));
        }
        std::str::from_utf8(value).map(Some).map_err(|_| EnvelopeError::Unreadable(name))
    }

    fn required(&self, name: &'static str) -> Result<&'a str, EnvelopeError> {
        self.optional(name)?.ok_or(EnvelopeError::Missing(name))
    }

    fn parsed<T: FromStr>(&self, name: &'static str) -> Result<Option<T>, EnvelopeError> {
        self.optional(name)?.map(|text| text.parse().map_err(|_| EnvelopeError::Unreadable(name))).transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn envelope() -> Envelope {
        Envelope {
            id: EventId::from_bytes([1; 16]),
            event_type: "org.rossby.keys.box-founded.v1".into(),
            region: RegionNumber(1),
            stream: "01".into(),
            time: Timestamp::from_millis(1_700_000_000_000).unwrap(),
            control: Some(Control {
                expected_version: 3,
                command: CommandId::from_bytes([2; 16]),
                step: 0,
                command_hash: Sha256Digest::from([3; 32]),
            }),
            outer_id: None,
            content_type: JSON.into(),
            data: Bytes::from_static(b"{}"),
        }
    }

    #[test]
    fn records_are_read_back() {
        let with_control = envelope();
        let message = Envelope { control: None, outer_id: Some(OuterId::from_bytes([9; 16])), ..envelope() };
        for envelope in [with_control, message] {
            assert_eq!(Envelope::from_record(&envelope.headers(), Some(&envelope.data)), Ok(envelope));
        }
    }

    #[test]
    fn each_header_is_needed_once() {
        let envelope = envelope();
        let headers = envelope.headers();
        for skipped in 0..headers.len() {
            let mut some = headers.clone();
            let (name, value) = some.remove(skipped);
            let read = Envelope::from_record(&some, Some(&envelope.data));
            if name == EXPECTED_VERSION {
                assert_eq!(read.map(|e| e.control), Ok(None), "{name}");
            } else {
                assert!(matches!(read, Err(EnvelopeError::Missing(missing)) if missing == name), "{name}");
            }
            let twice: Vec<_> = headers.iter().cloned().chain([(name.clone(), value)]).collect();
            let read = Envelope::from_record(&twice, Some(&envelope.data));
            assert!(matches!(read, Err(EnvelopeError::Repeated(repeated)) if repeated == name), "{name}");
        }
        assert_eq!(Envelope::from_record(&headers, None), Err(EnvelopeError::NoValue));
    }
}

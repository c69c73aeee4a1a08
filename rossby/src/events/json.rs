//! A record as a CloudEvent in the JSON format, and back: key, headers, value, place and time come out as they were.
//!
//! Attributes of the headers `ce_*` are strings. The place stands in extension attributes. Headers that would not come out the
//! same from the attributes stand whole in `rawheaders`.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use rossby_log::{LogRecord, Offset, StoredRecord};
use rossby_schemas::envelope::{Header, JSON};
use rossby_schemas::time::Timestamp;
use rossby_schemas::topic::TopicName;
use serde::de::DeserializeOwned;
use serde::ser::SerializeMap as _;
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

const PREFIX: &str = "ce_";
const CONTENT_TYPE: &str = "content-type";
/// The attributes in the order in which Rossby writes their headers. Others follow by name.
const ORDER: [&str; 12] = [
    "specversion",
    "id",
    "type",
    "source",
    "subject",
    "time",
    "datacontenttype",
    "expectedversion",
    "commandid",
    "commandstep",
    "commandhash",
    "outerid",
];
/// What stands beside the attributes of the headers.
const PLACE: [&str; 9] = [
    "topic",
    "partition",
    "partitions",
    "offset",
    "appendedat",
    "partitionkey",
    "partitionkeybase64",
    "rawheaders",
    "data",
];
const DATA_BASE64: &str = "data_base64";
/// The type of a record that is no CloudEvent, whose headers stand in `rawheaders`.
const NO_EVENT: &str = "org.rossby.log.record";

/// A record with its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Placed {
    pub(super) topic: TopicName,
    pub(super) partition: u32,
    /// How many partitions the topic has.
    pub(super) partitions: u32,
    pub(super) stored: StoredRecord,
}

/// A line that is no event of an exported log.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct BadLine(String);

/// An event's type, if the record has one.
pub(super) fn event_type(record: &LogRecord) -> Option<String> {
    let header = record.headers.iter().find(|(name, _)| name == "ce_type");
    header.and_then(|(_, value)| String::from_utf8(value.to_vec()).ok())
}

/// What an event is about, if the record says it.
pub(super) fn subject(record: &LogRecord) -> Option<String> {
    let header = record.headers.iter().find(|(name, _)| name == "ce_subject");
    header.and_then(|(_, value)| String::from_utf8(value.to_vec()).ok())
}

impl Placed {
    /// The event as one line without its end.
    pub(super) fn line(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string(self)
    }

    /// Reads a line.
    pub(super) fn from_line(line: &str) -> Result<Self, BadLine> {
        let members: BTreeMap<String, Box<RawValue>> =
            serde_json::from_str(line).map_err(|error| BadLine(format!("is no JSON object: {error}")))?;
        let members = Members(members);
        let topic: String = members.required("topic")?;
        let key = match members.optional::<String>("partitionkey")? {
            Some(key) => Some(Bytes::from(key)),
            None => members.octets("partitionkeybase64")?,
        };
        let headers = match members.optional::<String>("rawheaders")? {
            Some(raw) => raw_headers(&raw)?,
            None => headers(&members.attributes()?),
        };
        let value = match members.0.get("data") {
            Some(data) => Some(Bytes::copy_from_slice(data.get().as_bytes())),
            None => members.octets(DATA_BASE64)?,
        };
        let offset: String = members.required("offset")?;
        Ok(Self {
            topic: topic.parse().map_err(|_| BadLine(format!("is of {topic:?}, which is no topic of Rossby's")))?,
            partition: members.required("partition")?,
            partitions: members.required("partitions")?,
            stored: StoredRecord {
                offset: offset.parse::<Offset>().map_err(|_| BadLine("has an offset that is no number".to_owned()))?,
                appended_at: members.required::<Timestamp>("appendedat")?,
                record: LogRecord { key, headers, value },
            },
        })
    }
}

impl Serialize for Placed {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let StoredRecord { offset, appended_at, record } = &self.stored;
        let (mut attributes, place) = (attributes(&record.headers), format!("{}/{}", self.topic, self.partition));
        // What every CloudEvent has.
        for (name, value) in [("specversion", "1.0"), ("type", NO_EVENT), ("source", &place)] {
            attributes.entry(name.to_owned()).or_insert_with(|| value.to_owned());
        }
        attributes.entry("id".to_owned()).or_insert_with(|| format!("{place}/{offset}"));
        let is_exact = headers(&attributes) == record.headers;
        let mut map = serializer.serialize_map(None)?;
        for (name, value) in ordered(&attributes) {
            map.serialize_entry(name, value)?;
        }
        map.serialize_entry("topic", &self.topic.to_string())?;
        map.serialize_entry("partition", &self.partition)?;
        map.serialize_entry("partitions", &self.partitions)?;
        // CloudEvents' integers have 32 bits.
        map.serialize_entry("offset", &offset.to_string())?;
        map.serialize_entry("appendedat", appended_at)?;
        match record.key.as_deref().map(|key| (key, std::str::from_utf8(key))) {
            None => {}
            Some((_, Ok(key))) => map.serialize_entry("partitionkey", key)?,
            Some((key, Err(_))) => map.serialize_entry("partitionkeybase64", &BASE64.encode(key))?,
        }
        if !is_exact {
            let raw: Vec<(&str, String)> =
                record.headers.iter().map(|(name, value)| (name.as_str(), BASE64.encode(value))).collect();
            map.serialize_entry("rawheaders", &serde_json::to_string(&raw).map_err(serde::ser::Error::custom)?)?;
        }
        let is_json = attributes.get("datacontenttype").is_some_and(|content_type| content_type == JSON);
        match &record.value {
            None => {}
            Some(value) => match raw_json(value).filter(|_| is_json) {
                Some(data) => map.serialize_entry("data", &data)?,
                None => map.serialize_entry(DATA_BASE64, &BASE64.encode(value))?,
            },
        }
        map.end()
    }
}

/// A value that can stand in a line as it is.
fn raw_json(value: &Bytes) -> Option<Box<RawValue>> {
    let text = std::str::from_utf8(value).ok().filter(|text| !text.contains(['\n', '\r']))?;
    RawValue::from_string(text.to_owned()).ok().filter(|raw| raw.get() == text)
}

/// The attributes that headers say; of those that stand twice or can't be read, what comes first.
fn attributes(headers: &[Header]) -> BTreeMap<String, String> {
    let mut attributes = BTreeMap::new();
    for (name, value) in headers {
        let name = match name.strip_prefix(PREFIX) {
            Some("datacontenttype") | None if name != CONTENT_TYPE => continue,
            Some(name) => name,
            None => "datacontenttype",
        };
        let is_name = !name.is_empty() && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
        if let (true, false, Ok(value)) = (is_name, PLACE.contains(&name), std::str::from_utf8(value)) {
            attributes.entry(name.to_owned()).or_insert_with(|| value.to_owned());
        }
    }
    attributes
}

/// Attributes in the order of their headers.
fn ordered(attributes: &BTreeMap<String, String>) -> impl Iterator<Item = (&str, &str)> {
    let known = ORDER.iter().filter_map(|name| attributes.get_key_value(*name));
    let others = attributes.iter().filter(|(name, _)| !ORDER.contains(&name.as_str()));
    known.chain(others).map(|(name, value)| (name.as_str(), value.as_str()))
}

/// The headers that Rossby writes for attributes.
fn headers(attributes: &BTreeMap<String, String>) -> Vec<Header> {
    let header = |(name, value): (&str, &str)| match name {
        "datacontenttype" => (CONTENT_TYPE.to_owned(), Bytes::copy_from_slice(value.as_bytes())),
        name => (format!("{PREFIX}{name}"), Bytes::copy_from_slice(value.as_bytes())),
    };
    ordered(attributes).map(header).collect()
}

fn raw_headers(text: &str) -> Result<Vec<Header>, BadLine> {
    let bad = || BadLine("has rawheaders that can't be read".to_owned());
    let raw: Vec<(String, String)> = serde_json::from_str(text).map_err(|_| bad())?;
    raw.into_iter().map(|(name, value)| Ok((name, BASE64.decode(value).map_err(|_| bad())?.into()))).collect()
}

/// The members of a line's object.
struct Members(BTreeMap<String, Box<RawValue>>);

impl Members {
    fn optional<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, BadLine> {
        let Some(raw) = self.0.get(name) else { return Ok(None) };
        serde_json::from_str(raw.get()).map(Some).map_err(|error| BadLine(format!("has a {name} that {error}")))
    }

    fn required<T: DeserializeOwned>(&self, name: &str) -> Result<T, BadLine> {
        self.optional(name)?
            .ok_or_else(|| BadLine(format!("has no {name}; `rossby events export` writes it beside each event")))
    }

    fn octets(&self, name: &str) -> Result<Option<Bytes>, BadLine> {
        let Some(text) = self.optional::<String>(name)? else { return Ok(None) };
        let octets = BASE64.decode(text).map_err(|_| BadLine(format!("has a {name} that is no base64")))?;
        Ok(Some(octets.into()))
    }

    fn attributes(&self) -> Result<BTreeMap<String, String>, BadLine> {
        let names = self.0.keys().filter(|name| !PLACE.contains(&name.as_str()) && *name != DATA_BASE64);
        names.map(|name| Ok((name.clone(), self.required(name)?))).collect()
    }
}

#[cfg(test)]
mod tests {
    use rossby_schemas::encoding::Sha256Digest;
    use rossby_schemas::envelope::{Control, Envelope, OCTETS};
    use rossby_schemas::ids::{CommandId, EventId, OuterId, RegionNumber};
    use rossby_schemas::topic::Topic;

    use super::*;

    fn placed(record: LogRecord) -> Placed {
        let appended_at = Timestamp::from_millis(1_700_000_000_123).unwrap();
        let stored = StoredRecord { offset: 5_000_000_000, appended_at, record };
        Placed { topic: TopicName::local(Topic::Keys), partition: 3, partitions: 12, stored }
    }

    fn envelope(data: &'static [u8], content_type: &str) -> Envelope {
        Envelope {
            id: EventId::from_bytes([1; 16]),
            event_type: "org.rossby.keys.box-closed.v1".into(),
            region: RegionNumber(1),
            stream: "01".into(),
            time: Timestamp::from_millis(1_700_000_000_000).unwrap(),
            control: Some(Control {
                expected_version: 3,
                command: CommandId::from_bytes([2; 16]),
                step: 0,
                command_hash: Sha256Digest::from([3; 32]),
            }),
            outer_id: Some(OuterId::from_bytes([9; 16])),
            content_type: content_type.into(),
            data: Bytes::from_static(data),
        }
    }

    #[test]
    fn an_event_is_a_cloud_event_in_one_line() {
        let envelope = envelope(br#"{"z":1,"a":[2.50]}"#, JSON);
        let key = Some(Bytes::from_static(b"01"));
        let event = placed(LogRecord { key, headers: envelope.headers(), value: Some(envelope.data.clone()) });
        assert_eq!(
            event.line().unwrap(),
            concat!(
                r#"{"specversion":"1.0","id":"01010101-0101-0101-0101-010101010101","#,
                r#""type":"org.rossby.keys.box-closed.v1","source":"/regions/1","subject":"01","#,
                r#""time":"2023-11-14T22:13:20.000Z","datacontenttype":"application/json","expectedversion":"3","#,
                r#""commandid":"02020202-0202-0202-0202-020202020202","commandstep":"0","#,
                r#""commandhash":"AwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwM","#,
                r#""outerid":"09090909-0909-0909-0909-090909090909","topic":"rossby.keys","partition":3,"partitions":12,"#,
                r#""offset":"5000000000","appendedat":"2023-11-14T22:13:20.123Z","partitionkey":"01","#,
                r#""data":{"z":1,"a":[2.50]}}"#,
            )
        );
    }

    #[test]
    fn whatever_stands_in_the_log_comes_out_the_same() {
        let header = |name: &str, value: &'static [u8]| (name.to_owned(), Bytes::from_static(value));
        let event = envelope(b"{}", JSON).headers();
        let octets = envelope(b"\xff\n", OCTETS).headers();
        let reversed = event.iter().rev().cloned().collect();
        let more = |header: Header| event.iter().cloned().chain([header]).collect::<Vec<_>>();
        for (headers, value) in [
            (event.clone(), Some(&b"{}"[..])),
            (event.clone(), Some(b"{ \"a\" :\t1 }")),
            (event.clone(), Some(b" {}")),
            (event.clone(), Some(b"{\n}")),
            (event.clone(), Some(b"no json")),
            (event.clone(), Some(b"")),
            (event.clone(), None),
            (octets, Some(b"\xff\n")),
            (reversed, Some(b"{}")),
            (more(header("ce_traceparent", b"00")), Some(b"{}")),
            (more(header("ce_partition", b"7")), Some(b"{}")),
            (more(header("ce_datacontenttype", b"x")), Some(b"{}")),
            (more(header("ce_id", b"again")), Some(b"{}")),
            (more(header("ce_other", b"\xff")), Some(b"{}")),
            (more(header("no cloud event's", b"\n")), Some(b"{}")),
            (Vec::new(), Some(b"{}")),
        ] {
            for key in [None, Some(&b"key"[..]), Some(b"\xff\x00"), Some(b"")] {
                let record = LogRecord {
                    key: key.map(Bytes::from_static),
                    headers: headers.clone(),
                    value: value.map(Bytes::from_static),
                };
                let event = placed(record);
                let line = event.line().unwrap();
                assert!(!line.contains('\n'), "{line}");
                assert_eq!(Placed::from_line(&line).unwrap(), event, "{line}");
                let members: serde_json::Value = serde_json::from_str(&line).unwrap();
                for needed in ["specversion", "id", "type", "source"] {
                    assert!(members[needed].is_string(), "{line}");
                }
            }
        }
    }

    #[test]
    fn lines_that_are_no_events_are_refused_with_what_is_wrong() {
        let envelope = envelope(b"{}", JSON);
        let good = placed(LogRecord { key: None, headers: envelope.headers(), value: Some(envelope.data.clone()) });
        let good = good.line().unwrap();
        for (line, says) in [
            ("", "no JSON object"),
            ("[1]", "no JSON object"),
            ("{}", "no topic"),
            (&good.replace("rossby.keys\"", "mail\""), "no topic of Rossby's"),
            (&good.replace("5000000000", "-1"), "no number"),
            (&good.replace("\"partition\":3", "\"partition\":\"x\""), "partition"),
            (&good.replace("2023-11-14T22:13:20.123Z", "yesterday"), "appendedat"),
            (&good.replace("\"data\":{}", "\"data_base64\":\"?\""), "no base64"),
            (&good.replace("\"topic\"", "\"rawheaders\":\"x\",\"topic\""), "rawheaders"),
        ] {
            let error = Placed::from_line(line).unwrap_err().to_string();
            assert!(error.contains(says), "{line}: {error}");
        }
    }
}

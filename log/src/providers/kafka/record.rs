//! Records to Kafka's and back.

use std::panic::{AssertUnwindSafe, catch_unwind};

use bytes::Bytes;
use rdkafka::Timestamp as KafkaTimestamp;
use rdkafka::message::{BorrowedMessage, Header as KafkaHeader, Headers, Message, OwnedHeaders};
use rdkafka::producer::FutureRecord;
use rossby_schemas::envelope::Header;
use rossby_schemas::time::Timestamp;

use crate::error::{AppendError, LogError};
use crate::port::{LogRecord, MAX_RECORD_BYTES, StoredRecord};

/// What Kafka's framing may add to a record's own octets.
const FRAMING: usize = 64 * 1024;
/// The most octets that a record may have as Kafka counts them, for producers and topics alike.
pub const MAX_ENCODED_BYTES: usize = MAX_RECORD_BYTES + FRAMING;
/// Of the batch and the record around keys and values, generously.
const AROUND_RECORD: usize = 256;
/// Two lengths of five octets at most.
const AROUND_HEADER: usize = 10;

/// Refuses what would be too large, or what can't be said in Kafka's format.
pub(super) fn check(record: &LogRecord) -> Result<(), AppendError> {
    record.check_size()?;
    let size = record.size() + AROUND_RECORD + AROUND_HEADER * record.headers.len();
    if size > MAX_ENCODED_BYTES {
        return Err(AppendError::TooLarge { size, limit: MAX_ENCODED_BYTES });
    }
    // librdkafka's names end at the first zero octet.
    if record.headers.iter().any(|(name, _)| name.contains('\0')) {
        return Err(LogError::Failed("a header's name has a zero octet".to_owned()).into());
    }
    Ok(())
}

/// The record as the producer takes it.
pub(super) fn outgoing<'a>(topic: &'a str, partition: i32, record: &'a LogRecord) -> FutureRecord<'a, [u8], [u8]> {
    let mut outgoing = FutureRecord::to(topic).partition(partition);
    outgoing.key = record.key.as_deref();
    outgoing.payload = record.value.as_deref();
    if !record.headers.is_empty() {
        let empty = OwnedHeaders::new_with_capacity(record.headers.len());
        let headers = record.headers.iter().fold(empty, |headers, (name, value)| {
            headers.insert(KafkaHeader { key: name, value: Some(value.as_ref()) })
        });
        outgoing = outgoing.headers(headers);
    }
    outgoing
}

/// The record as the consumer gave it. None when its offset is none, which no broker sends.
pub(super) fn incoming(message: &BorrowedMessage<'_>) -> Option<StoredRecord> {
    let millis = match message.timestamp() {
        KafkaTimestamp::CreateTime(millis) | KafkaTimestamp::LogAppendTime(millis) => u64::try_from(millis).ok(),
        KafkaTimestamp::NotAvailable => None,
    };
    let appended_at = millis.and_then(|millis| Timestamp::from_millis(millis).ok());
    Some(StoredRecord {
        offset: u64::try_from(message.offset()).ok()?,
        // A record that another tool wrote with a time that is none counts as the oldest.
        appended_at: appended_at.or_else(|| Timestamp::from_millis(0).ok())?,
        record: LogRecord {
            key: message.key().map(Bytes::copy_from_slice),
            headers: headers(message),
            value: message.payload().map(Bytes::copy_from_slice),
        },
    })
}

fn headers(message: &BorrowedMessage<'_>) -> Vec<Header> {
    let Some(headers) = message.headers() else { return Vec::new() };
    let read = |index| {
        let header = headers.try_get(index)?;
        Some((header.key.to_owned(), header.value.map_or_else(Bytes::new, Bytes::copy_from_slice)))
    };
    // rdkafka panics at a name that is not UTF-8, which any other tool can write. None of Rossby's is: it is left out.
    let each = |index| catch_unwind(AssertUnwindSafe(|| read(index))).ok().flatten();
    (0..headers.count()).filter_map(each).collect()
}

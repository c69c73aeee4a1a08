//! The port itself: the traits that providers implement, and the records that cross them.

use std::fmt;

use async_trait::async_trait;
use bytes::Bytes;
use rossby_schemas::envelope::Header;
use rossby_schemas::time::Timestamp;
use rossby_schemas::topic::TopicName;

use crate::error::{AppendError, LogError, ReadError};
use crate::topics::{TopicReport, TopicSpec};

/// A record's place in its partition.
pub type Offset = u64;

/// The most octets that a record may have, by [`LogRecord::size`]; the same on every provider.
pub const MAX_RECORD_BYTES: usize = 1024 * 1024;

/// What is appended.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LogRecord {
    /// What the partition is computed from; Rossby's keys are text.
    pub key: Option<Bytes>,
    /// Headers in order; a name may stand more than once.
    pub headers: Vec<Header>,
    /// The data. None is Kafka's tombstone, which Rossby never writes but others may.
    pub value: Option<Bytes>,
}

impl LogRecord {
    /// The octets of key, value, header names and header values.
    #[must_use]
    pub fn size(&self) -> usize {
        let headers: usize = self.headers.iter().map(|(name, value)| name.len() + value.len()).sum();
        self.key.as_ref().map_or(0, Bytes::len) + self.value.as_ref().map_or(0, Bytes::len) + headers
    }

    pub(crate) fn check_size(&self) -> Result<(), AppendError> {
        match self.size() {
            size if size > MAX_RECORD_BYTES => Err(AppendError::TooLarge { size, limit: MAX_RECORD_BYTES }),
            _ => Ok(()),
        }
    }
}

/// A record as it stands in a partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredRecord {
    /// Its place.
    pub offset: Offset,
    /// When the log took it; for mirrored topics, when the log of its own region did.
    pub appended_at: Timestamp,
    /// The record.
    pub record: LogRecord,
}

/// What a partition has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// The lowest offset that can still be there.
    pub start: Offset,
    /// The next offset to be written.
    pub end: Offset,
}

/// How much a reader gives at once, at most. A single record larger than `bytes` is given all the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchLimit {
    /// Records, at least 1.
    pub records: usize,
    /// The sum of [`LogRecord::size`].
    pub bytes: usize,
}

impl Default for BatchLimit {
    fn default() -> Self {
        Self { records: 500, bytes: 8 * MAX_RECORD_BYTES }
    }
}

/// What a reader has to tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// Records in order. Empty only when `caught_up`.
    pub records: Vec<StoredRecord>,
    /// Where the reader stands now: from here a new reader gives what comes after this batch.
    pub next_offset: Offset,
    /// Whether nothing came after this batch when it was read.
    pub caught_up: bool,
}

/// A log of partitioned topics. See the [contract](crate#the-contract).
#[async_trait]
pub trait Log: Send + Sync + fmt::Debug + 'static {
    /// How many partitions a topic has. Cheap: providers remember the answer.
    ///
    /// # Errors
    /// [`LogError::NoSuchTopic`], or the log can't be asked.
    async fn partitions(&self, topic: &TopicName) -> Result<u32, LogError>;

    /// Appends a record and waits until it is durable. Gives its offset.
    ///
    /// # Errors
    /// [`AppendError`] says whether anything may have changed.
    async fn append(&self, topic: &TopicName, partition: u32, record: LogRecord) -> Result<Offset, AppendError>;

    /// Where a partition starts and ends at this moment.
    ///
    /// # Errors
    /// No such topic or partition, or the log can't be asked.
    async fn bounds(&self, topic: &TopicName, partition: u32) -> Result<Bounds, LogError>;

    /// A reader of one partition that stands at `from`.
    ///
    /// # Errors
    /// [`ReadError::OutOfRange`] when `from` is outside the bounds (their end is inside), no such topic or partition, or
    /// the log can't be asked.
    async fn read(
        &self,
        topic: &TopicName,
        partition: u32,
        from: Offset,
    ) -> Result<Box<dyn PartitionReader>, ReadError>;

    /// Whether the log answers now and appends would be tried.
    ///
    /// # Errors
    /// Says why not.
    async fn health(&self) -> Result<(), LogError>;

    /// Refuses further appends and waits for the outcome of those under way. May be called again.
    async fn close(&self);
}

/// A reader of one partition, at its own pace.
#[async_trait]
pub trait PartitionReader: Send + fmt::Debug {
    /// Waits for records, or for the news that the reader has caught up, and moves past them. May be dropped at any
    /// point without losing records.
    ///
    /// # Errors
    /// [`ReadError::OutOfRange`] when retention overtook the reader or the topic was made anew; else what waiting
    /// doesn't cure. The reader stays where it was.
    async fn next(&mut self, limit: BatchLimit) -> Result<Batch, ReadError>;
}

/// What an operator does to topics, through the same provider as [`Log`].
#[async_trait]
pub trait TopicAdmin: Send + Sync + fmt::Debug + 'static {
    /// Makes the topics that are missing, gives those that are there their settings, and reports what differs and can't
    /// be changed: a topic's number of partitions decides where its keys are, and is never touched.
    ///
    /// # Errors
    /// The log can't be asked, or refuses.
    async fn ensure_topics(&self, topics: &[TopicSpec]) -> Result<Vec<TopicReport>, LogError>;

    /// Reports what [`ensure_topics`](Self::ensure_topics) would do, and does nothing.
    ///
    /// # Errors
    /// The log can't be asked.
    async fn check_topics(&self, topics: &[TopicSpec]) -> Result<Vec<TopicReport>, LogError>;

    /// Removes every record of a partition below an offset, as retention does. Gives the partition's new start. An offset
    /// beyond the end removes everything up to the end.
    ///
    /// # Errors
    /// No such topic or partition, or the log can't be asked.
    async fn truncate(&self, topic: &TopicName, partition: u32, before: Offset) -> Result<Offset, LogError>;

    /// Removes a topic with all that is in it.
    ///
    /// # Errors
    /// No such topic, or the log can't be asked.
    async fn remove_topic(&self, topic: &TopicName) -> Result<(), LogError>;
}

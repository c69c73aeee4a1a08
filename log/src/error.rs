//! What can go wrong with the log, told apart by what the caller may conclude from it.

use rossby_schemas::topic::TopicName;

use crate::port::{Bounds, Offset};

/// Why the log could not answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LogError {
    /// The topic is not there; `rossby topics apply` makes topics.
    #[error("the log has no topic {0}")]
    NoSuchTopic(TopicName),
    /// The topic has fewer partitions.
    #[error("the topic {topic} has no partition {partition}, only {partitions}")]
    NoSuchPartition {
        /// The topic.
        topic: TopicName,
        /// The partition asked for.
        partition: u32,
        /// How many there are.
        partitions: u32,
    },
    /// The log can't be reached or can't do it now. It is worth trying again.
    #[error("the log is unavailable: {0}")]
    Unavailable(String),
    /// Waiting won't cure it: settings, permissions, a damaged file.
    #[error("the log failed: {0}")]
    Failed(String),
    /// [`Log::close`](crate::Log::close) was called.
    #[error("the log is closed")]
    Closed,
}

/// Why a record was not acknowledged.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AppendError {
    /// The record was never handed to the log: nothing changed, and nothing will.
    #[error("nothing was appended: {0}")]
    Refused(#[source] LogError),
    /// The record is larger than the log takes. Nothing changed.
    #[error("the record has {size} octets, and the log takes {limit}")]
    TooLarge {
        /// Its size by [`LogRecord::size`](crate::LogRecord::size).
        size: usize,
        /// The most that a record may have.
        limit: usize,
    },
    /// The record was handed over and its outcome is not known: it may be written, now or later, or not.
    #[error("it is not known whether the record was appended: {0}")]
    Unknown(String),
}

impl From<LogError> for AppendError {
    fn from(error: LogError) -> Self {
        Self::Refused(error)
    }
}

/// Why a reader can't begin or can't go on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// The offset is before the partition's start (retention has removed it) or beyond its end (it is of another topic
    /// by the same name). The reader does not move by itself.
    #[error("offset {from} is not between {} and {}", bounds.start, bounds.end)]
    OutOfRange {
        /// Where the reader stands or was to stand.
        from: Offset,
        /// What the partition has.
        bounds: Bounds,
    },
    /// Anything else.
    #[error(transparent)]
    Log(#[from] LogError),
}

//! What the log counts, for whoever has installed a recorder of the `metrics` crate.

use std::time::Instant;

use rossby_schemas::topic::TopicName;

use crate::error::AppendError;
use crate::port::{Batch, Offset};

/// Counts appends by topic and outcome.
pub const APPENDS: &str = "rossby_log_appends_total";
/// How long appends took, in seconds, by topic.
pub const APPEND_SECONDS: &str = "rossby_log_append_seconds";
/// Counts the batches that readers gave, by topic.
pub const READ_BATCHES: &str = "rossby_log_read_batches_total";
/// Counts the records that readers gave, by topic.
pub const READ_RECORDS: &str = "rossby_log_read_records_total";
/// How many logs, this region's or others', have their appends refused at once because they did not take one in time.
pub const BREAKER_OPEN: &str = "rossby_log_breaker_open";

/// Tells the recorder what the figures are. To be called once, after the recorder was installed.
pub fn describe() {
    metrics::describe_counter!(APPENDS, "Appends to the log by topic and outcome");
    metrics::describe_histogram!(APPEND_SECONDS, metrics::Unit::Seconds, "How long appends to the log took");
    metrics::describe_counter!(READ_BATCHES, "Batches given by the log's readers");
    metrics::describe_counter!(READ_RECORDS, "Records given by the log's readers");
    metrics::describe_gauge!(BREAKER_OPEN, "Logs of regions whose appends are refused at once because they take none");
}

pub(crate) fn appended(topic: &TopicName, started: Instant, result: &Result<Offset, AppendError>) {
    let outcome = match result {
        Ok(_) => "appended",
        Err(AppendError::Refused(_)) => "refused",
        Err(AppendError::TooLarge { .. }) => "too_large",
        Err(AppendError::Unknown(_)) => "unknown",
    };
    metrics::counter!(APPENDS, "topic" => topic.to_string(), "outcome" => outcome).increment(1);
    metrics::histogram!(APPEND_SECONDS, "topic" => topic.to_string()).record(started.elapsed());
}

pub(crate) fn read(topic: &TopicName, batch: &Batch) {
    metrics::counter!(READ_BATCHES, "topic" => topic.to_string()).increment(1);
    metrics::counter!(READ_RECORDS, "topic" => topic.to_string()).increment(batch.records.len() as u64);
}

/// A log's breaker was opened, or was closed; or is there, closed.
pub(crate) fn breaker(opened: f64) {
    metrics::gauge!(BREAKER_OPEN).increment(opened);
}

//! What the port's contract promises, asked of every provider alike. `tests/sqlite.rs` and `tests/kafka.rs` run it.

// Each test binary uses its own part of this.
#![allow(dead_code)]

pub(crate) mod appending;
pub(crate) mod durability;
pub(crate) mod positions;
pub(crate) mod reading;
pub(crate) mod topics;

use std::any::Any;
use std::collections::BTreeSet;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use rossby_log::{BatchLimit, Log, LogRecord, Offset, PartitionReader, StoredRecord, TopicAdmin};
use rossby_schemas::topic::{Topic, TopicName};

/// The topic that most cases use.
pub(crate) static KEYS: TopicName = TopicName::local(Topic::Keys);
/// Another one.
pub(crate) static INBOX: TopicName = TopicName::local(Topic::Inbox);

/// A log with topics of its own.
pub(crate) struct Fixture {
    pub(crate) log: Arc<dyn Log>,
    pub(crate) admin: Arc<dyn TopicAdmin>,
    /// What has to live as long: a folder.
    pub(crate) keep: Box<dyn Any + Send + Sync>,
}

/// Makes the tests of a provider. `$fixture` is an async function from topics and their numbers of partitions.
macro_rules! conformance {
    ($fixture:path) => {
        $crate::conformance::conformance!(@cases $fixture,
            appending::order_of_one_appender,
            appending::concurrent_appenders_keep_their_orders,
            appending::records_come_back_as_they_were,
            appending::large_records,
            appending::nothing_is_appended_where_there_is_no_place,
            appending::closing_refuses_and_finishes,
            positions::resuming_at_every_position,
            positions::bounds_follow_appends_and_truncation,
            positions::outside_the_bounds_is_an_error,
            positions::truncation_is_never_skipped,
            positions::truncation_of_everything_is_told,
            positions::offsets_are_not_used_again,
            positions::a_topic_made_anew_starts_anew,
            reading::keys_go_to_kafkas_partitions,
            reading::many_partitions_at_once,
            reading::slow_readers_miss_nothing,
            reading::limits_are_kept,
            reading::caught_up_is_told_once_and_then_waited,
            reading::dropping_next_loses_nothing,
            reading::readers_are_woken,
            topics::making_topics_twice_changes_nothing,
            topics::other_partition_numbers_are_reported,
        );
    };
    (@cases $fixture:path, $($module:ident::$case:ident,)*) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                let fixture = $fixture($crate::conformance::$module::TOPICS).await;
                $crate::conformance::within_a_minute($crate::conformance::$module::$case(&fixture)).await;
                fixture.log.close().await;
            }
        )*
    };
}
pub(crate) use conformance;

/// Nothing here takes a minute, unless it hangs.
pub(crate) async fn within_a_minute<F: Future>(what: F) -> F::Output {
    tokio::time::timeout(Duration::from_secs(60), what).await.expect("it hangs")
}

/// A record whose value says its number.
pub(crate) fn record(key: &str, number: usize) -> LogRecord {
    LogRecord {
        key: Some(Bytes::copy_from_slice(key.as_bytes())),
        headers: vec![("ce_specversion".into(), Bytes::from_static(b"1.0"))],
        value: Some(Bytes::from(number.to_string())),
    }
}

/// The number that [`record`] put in.
pub(crate) fn number(stored: &StoredRecord) -> usize {
    std::str::from_utf8(stored.record.value.as_ref().unwrap()).unwrap().parse().unwrap()
}

/// Octets that don't compress, the same on every run.
pub(crate) fn noise(length: usize, seed: u64) -> Bytes {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let octets = std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[3]
    });
    octets.take(length).collect()
}

/// Appends records numbered `range`, one after the other. Gives their offsets.
pub(crate) async fn append_all(log: &dyn Log, topic: &TopicName, range: std::ops::Range<usize>) -> Vec<Offset> {
    let mut offsets = Vec::new();
    for n in range {
        offsets.push(log.append(topic, 0, record("k", n)).await.expect("appended"));
    }
    assert!(offsets.is_sorted_by(|a, b| a < b), "offsets grow: {offsets:?}");
    offsets
}

/// Reads until `count` records have come.
pub(crate) async fn read_count(reader: &mut dyn PartitionReader, count: usize) -> Vec<StoredRecord> {
    let mut records = Vec::new();
    while records.len() < count {
        records.extend(reader.next(BatchLimit::default()).await.expect("a batch").records);
    }
    records
}

/// Reads until the reader says that it has caught up.
pub(crate) async fn read_to_end(reader: &mut dyn PartitionReader) -> Vec<StoredRecord> {
    let mut records = Vec::new();
    loop {
        let batch = reader.next(BatchLimit::default()).await.expect("a batch");
        records.extend(batch.records);
        if batch.caught_up {
            check_order(&records);
            return records;
        }
    }
}

pub(crate) fn check_order(records: &[StoredRecord]) {
    assert!(records.is_sorted_by(|a, b| a.offset < b.offset), "records come in the order of their offsets");
}

pub(crate) fn distinct<T: Ord>(items: impl IntoIterator<Item = T>) -> usize {
    items.into_iter().collect::<BTreeSet<_>>().len()
}

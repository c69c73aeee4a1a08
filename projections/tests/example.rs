//! The example of docs/REPLAY.md, over a log with a history.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../examples/messages_by_day.rs"]
#[allow(dead_code, missing_docs, reason = "an example with a main of its own")]
mod messages_by_day;

use std::sync::Arc;

use rossby_log::providers::sqlite::{SqliteConfig, SqliteLog};
use rossby_log::topics::TopicSpec;
use rossby_log::{Log as _, LogRecord, TopicAdmin as _};
use rossby_schemas::envelope::{Envelope, OCTETS};
use rossby_schemas::events::inbox::MessageEnqueuedV1;
use rossby_schemas::ids::{BoxId, EventId, OuterId, RegionNumber};
use rossby_schemas::time::SystemClock;
use rossby_schemas::topic::{Topic, TopicName};

fn message(number: u8, day: &str) -> LogRecord {
    let envelope = Envelope {
        id: EventId::from_bytes([number; 16]),
        event_type: MessageEnqueuedV1::TYPE.to_owned(),
        region: RegionNumber(1),
        stream: BoxId::from_bytes([1; 16]).to_string(),
        time: format!("{day}T12:00:00Z").parse().unwrap(),
        control: None,
        outer_id: Some(OuterId::from_bytes([number; 16])),
        content_type: OCTETS.to_owned(),
        data: "sealed".into(),
    };
    LogRecord { key: None, headers: envelope.headers(), value: Some(envelope.data.clone()) }
}

#[tokio::test]
async fn a_new_projection_is_built_from_history_and_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let log = SqliteLog::open(SqliteConfig::new(folder.path().join("log")), Arc::new(SystemClock)).await.unwrap();
    log.ensure_topics(&TopicSpec::local(2)).await.unwrap();
    let (inbox, database) =
        (TopicName::local(Topic::Inbox), format!("sqlite:{}", folder.path().join("days").display()));
    let append = async |partition, number, day| {
        log.append(&inbox, partition, message(number, day)).await.unwrap();
    };
    append(0, 1, "2026-11-24").await;
    append(1, 2, "2026-11-24").await;
    append(0, 3, "2026-11-25").await;
    // A record that a mirror repeats, and one that is no event.
    append(0, 1, "2026-11-24").await;
    log.append(&inbox, 1, LogRecord::default()).await.unwrap();
    let days = messages_by_day::messages_by_day(&log, &database).await.unwrap();
    assert_eq!(days, [("2026-11-24".to_owned(), 2), ("2026-11-25".to_owned(), 1)]);

    append(1, 4, "2026-11-25").await;
    append(1, 2, "2026-11-24").await;
    for _ in 0..2 {
        let days = messages_by_day::messages_by_day(&log, &database).await.unwrap();
        assert_eq!(days, [("2026-11-24".to_owned(), 2), ("2026-11-25".to_owned(), 2)]);
    }
}

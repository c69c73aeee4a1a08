//! Positions: resuming, bounds, retention, and topics made anew.

use bytes::Bytes;
use rossby_log::topics::TopicSpec;
use rossby_log::{BatchLimit, Bounds, LogError, LogRecord, MAX_RECORD_BYTES, ReadError};
use rossby_schemas::topic::Topic;

use super::{Fixture, INBOX, KEYS, append_all, noise, number, read_count, read_to_end, record};

pub(crate) const TOPICS: &[(Topic, u32)] = &[(Topic::Keys, 1), (Topic::Inbox, 1)];

pub(crate) async fn resuming_at_every_position(fixture: &Fixture) {
    append_all(&*fixture.log, &KEYS, 0..12).await;
    for taken in 1..12 {
        let mut position = 0;
        let mut numbers = Vec::new();
        while numbers.len() < 12 {
            // A new reader for each batch, as after a restart.
            let mut reader = fixture.log.read(&KEYS, 0, position).await.unwrap();
            let limit = BatchLimit { records: taken, ..BatchLimit::default() };
            let batch = reader.next(limit).await.unwrap();
            assert!(batch.records.len() <= taken);
            numbers.extend(batch.records.iter().map(number));
            position = batch.next_offset;
        }
        assert_eq!(numbers, (0..12).collect::<Vec<_>>());
    }
}

pub(crate) async fn bounds_follow_appends_and_truncation(fixture: &Fixture) {
    assert_eq!(fixture.log.bounds(&KEYS, 0).await, Ok(Bounds { start: 0, end: 0 }));
    append_all(&*fixture.log, &KEYS, 0..5).await;
    assert_eq!(fixture.log.bounds(&KEYS, 0).await, Ok(Bounds { start: 0, end: 5 }));
    assert_eq!(fixture.admin.truncate(&KEYS, 0, 3).await, Ok(3));
    assert_eq!(fixture.log.bounds(&KEYS, 0).await, Ok(Bounds { start: 3, end: 5 }));
    // Backwards is without effect, and so is beyond the end.
    assert_eq!(fixture.admin.truncate(&KEYS, 0, 1).await, Ok(3));
    assert_eq!(fixture.admin.truncate(&KEYS, 0, 99).await, Ok(5));
    assert_eq!(fixture.log.bounds(&KEYS, 0).await, Ok(Bounds { start: 5, end: 5 }));
}

pub(crate) async fn outside_the_bounds_is_an_error(fixture: &Fixture) {
    append_all(&*fixture.log, &KEYS, 0..5).await;
    fixture.admin.truncate(&KEYS, 0, 3).await.unwrap();
    let bounds = Bounds { start: 3, end: 5 };
    for from in [0, 2, 6, 1_000_000] {
        let refused = fixture.log.read(&KEYS, 0, from).await.map(|_| ());
        assert_eq!(refused, Err(ReadError::OutOfRange { from, bounds }));
    }
    for from in 3..=5_usize {
        let mut reader = fixture.log.read(&KEYS, 0, from as u64).await.unwrap();
        let numbers: Vec<_> = read_to_end(&mut *reader).await.iter().map(number).collect();
        assert_eq!(numbers, (from..5).collect::<Vec<_>>());
    }
}

/// A reader may still give what it has fetched before, but it never goes past what it hasn't given.
pub(crate) async fn truncation_is_never_skipped(fixture: &Fixture) {
    let count = 40_u64;
    // Incompressible and more than a reader fetches ahead.
    for seed in 0..count {
        let record = LogRecord { value: Some(noise(MAX_RECORD_BYTES - 100, seed)), ..LogRecord::default() };
        fixture.log.append(&INBOX, 0, record).await.expect("appended");
    }
    let mut reader = fixture.log.read(&INBOX, 0, 0).await.unwrap();
    let first = reader.next(BatchLimit { records: 1, bytes: 1 }).await.unwrap();
    assert_eq!(first.next_offset, 1);
    fixture.admin.truncate(&INBOX, 0, count).await.unwrap();
    fixture.log.append(&INBOX, 0, record("k", 0)).await.expect("appended");

    let mut position = 1;
    let overtaken = loop {
        match reader.next(BatchLimit::default()).await {
            Ok(batch) => {
                for stored in &batch.records {
                    assert_eq!(stored.offset, position, "skipped");
                    position += 1;
                }
                assert_eq!(batch.next_offset, position, "skipped");
            }
            Err(error) => break error,
        }
    };
    assert!(position < count, "nothing was read ahead of the truncation, so it says nothing");
    let bounds = Bounds { start: count, end: count + 1 };
    assert_eq!(overtaken, ReadError::OutOfRange { from: position, bounds });
    // And stays so: there is no reset.
    let again = reader.next(BatchLimit::default()).await;
    assert_eq!(again, Err(ReadError::OutOfRange { from: position, bounds }));
}

/// Nothing is left, so that nothing but the bounds can tell.
pub(crate) async fn truncation_of_everything_is_told(fixture: &Fixture) {
    append_all(&*fixture.log, &KEYS, 0..5).await;
    let mut behind = fixture.log.read(&KEYS, 0, 0).await.unwrap();
    let mut at_the_end = fixture.log.read(&KEYS, 0, 5).await.unwrap();
    assert_eq!(read_to_end(&mut *at_the_end).await, []);
    fixture.admin.truncate(&KEYS, 0, 5).await.unwrap();
    // What was fetched ahead may still come.
    let mut position = 0;
    let told = loop {
        match behind.next(BatchLimit::default()).await {
            Ok(batch) if batch.records.is_empty() => break None,
            Ok(batch) => position = batch.next_offset,
            Err(error) => break Some(error),
        }
    };
    let bounds = Bounds { start: 5, end: 5 };
    match told {
        None => assert_eq!(position, 5, "skipped"),
        Some(error) => assert_eq!(error, ReadError::OutOfRange { from: position, bounds }),
    }
    assert_eq!(append_all(&*fixture.log, &KEYS, 5..6).await, [5]);
    assert_eq!(read_count(&mut *at_the_end, 1).await.iter().map(number).collect::<Vec<_>>(), [5]);
}

pub(crate) async fn offsets_are_not_used_again(fixture: &Fixture) {
    append_all(&*fixture.log, &KEYS, 0..4).await;
    fixture.admin.truncate(&KEYS, 0, 4).await.unwrap();
    assert_eq!(append_all(&*fixture.log, &KEYS, 4..6).await, [4, 5]);
    let mut reader = fixture.log.read(&KEYS, 0, 4).await.unwrap();
    assert_eq!(read_to_end(&mut *reader).await.iter().map(number).collect::<Vec<_>>(), [4, 5]);
}

pub(crate) async fn a_topic_made_anew_starts_anew(fixture: &Fixture) {
    append_all(&*fixture.log, &KEYS, 0..5).await;
    let mut reader = fixture.log.read(&KEYS, 0, 0).await.unwrap();
    read_count(&mut *reader, 5).await;
    fixture.admin.remove_topic(&KEYS).await.unwrap();
    // Kafka takes a moment to forget a topic.
    while fixture.log.bounds(&KEYS, 0).await != Err(LogError::NoSuchTopic(KEYS.clone())) {
        tokio::task::yield_now().await;
    }
    assert_eq!(fixture.log.partitions(&KEYS).await, Err(LogError::NoSuchTopic(KEYS.clone())));

    let spec = TopicSpec { name: KEYS.clone(), partitions: 3 };
    fixture.admin.ensure_topics(&[spec]).await.unwrap();
    assert_eq!(fixture.log.partitions(&KEYS).await, Ok(3));
    assert_eq!(fixture.log.bounds(&KEYS, 0).await, Ok(Bounds { start: 0, end: 0 }));
    let stale = fixture.log.read(&KEYS, 0, 5).await.map(|_| ());
    assert_eq!(stale, Err(ReadError::OutOfRange { from: 5, bounds: Bounds { start: 0, end: 0 } }));

    // What is appended now is found by readers that begin now, with offsets from 0.
    let value = Some(Bytes::from_static(b"77"));
    let offset = fixture.log.append(&KEYS, 0, LogRecord { value, ..LogRecord::default() }).await.unwrap();
    assert_eq!(offset, 0);
    let mut reader = fixture.log.read(&KEYS, 0, 0).await.unwrap();
    assert_eq!(read_to_end(&mut *reader).await.iter().map(number).collect::<Vec<_>>(), [77]);
}

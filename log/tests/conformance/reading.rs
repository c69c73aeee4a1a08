//! Reading: partitions, slow readers, limits, waiting, and dropped futures.

use std::time::Duration;

use futures::FutureExt;
use rossby_log::{BatchLimit, LogRecord, partition_for};
use rossby_schemas::topic::Topic;

use super::{Fixture, INBOX, KEYS, append_all, check_order, noise, number, read_count, read_to_end, record};

pub(crate) const TOPICS: &[(Topic, u32)] = &[(Topic::Keys, 1), (Topic::Inbox, 24)];

pub(crate) async fn keys_go_to_kafkas_partitions(fixture: &Fixture) {
    let partitions = fixture.log.partitions(&INBOX).await.unwrap();
    let keys: Vec<String> = (0..60).map(|n| format!("key-{n}")).collect();
    for n in 0..3 {
        let appends = keys.iter().map(|key| {
            let partition = partition_for(key.as_bytes(), partitions);
            fixture.log.append(&INBOX, partition, record(key, n))
        });
        futures::future::try_join_all(appends).await.expect("appended");
    }
    let mut found = 0;
    for partition in 0..partitions {
        let records = read_to_end(&mut *fixture.log.read(&INBOX, partition, 0).await.unwrap()).await;
        found += records.len();
        for key in &keys {
            let own: Vec<_> = records.iter().filter(|r| r.record.key.as_deref() == Some(key.as_bytes())).collect();
            let here = partition_for(key.as_bytes(), partitions) == partition;
            let expected: &[usize] = if here { &[0, 1, 2] } else { &[] };
            assert_eq!(own.iter().map(|r| number(r)).collect::<Vec<_>>(), expected, "{key} in {partition}");
        }
    }
    assert_eq!(found, 180);
}

/// Readers of all partitions are there first, and each gets its own records and no others.
pub(crate) async fn many_partitions_at_once(fixture: &Fixture) {
    const EACH: usize = 20;
    let mut readers = Vec::new();
    for partition in 0..24 {
        let mut reader = fixture.log.read(&INBOX, partition, 0).await.unwrap();
        readers.push(tokio::spawn(async move { read_count(&mut *reader, EACH).await }));
    }
    let appends = (0..24).flat_map(|partition| {
        (0..EACH).map(move |n| fixture.log.append(&INBOX, partition, record(&partition.to_string(), n)))
    });
    futures::future::try_join_all(appends).await.expect("appended");
    for (partition, reader) in readers.into_iter().enumerate() {
        let records = reader.await.unwrap();
        check_order(&records);
        assert_eq!(records.len(), EACH);
        assert!(records.iter().all(|r| r.record.key.as_deref() == Some(partition.to_string().as_bytes())));
    }
}

pub(crate) async fn slow_readers_miss_nothing(fixture: &Fixture) {
    let mut slow = fixture.log.read(&INBOX, 0, 0).await.unwrap();
    let value = noise(20_000, 7);
    let mut taken = Vec::new();
    // The slow one takes one record for every 50 that are appended; in the end it is 15 MB behind.
    for round in 0..16 {
        let appends = (0..50).map(|n| {
            let record = LogRecord {
                key: Some((round * 50 + n).to_string().into()),
                value: Some(value.clone()),
                ..LogRecord::default()
            };
            fixture.log.append(&INBOX, 0, record)
        });
        futures::future::try_join_all(appends).await.expect("appended");
        taken.extend(slow.next(BatchLimit { records: 1, bytes: usize::MAX }).await.unwrap().records);
    }
    assert!(taken.len() <= 16);
    let quick = read_to_end(&mut *fixture.log.read(&INBOX, 0, 0).await.unwrap()).await;
    assert_eq!(quick.len(), 800);
    taken.extend(read_to_end(&mut *slow).await);
    assert_eq!(taken.len(), 800);
    assert_eq!(taken, quick);
}

pub(crate) async fn limits_are_kept(fixture: &Fixture) {
    for seed in 0..10 {
        let record = LogRecord { value: Some(noise(1_000, seed)), ..LogRecord::default() };
        fixture.log.append(&KEYS, 0, record).await.expect("appended");
    }
    for (limit, most) in [
        (BatchLimit { records: 3, bytes: usize::MAX }, 3),
        (BatchLimit { records: 100, bytes: 2_500 }, 2),
        // A record larger than the limit still comes, alone.
        (BatchLimit { records: 100, bytes: 10 }, 1),
        (BatchLimit { records: 0, bytes: 0 }, 1),
    ] {
        let mut reader = fixture.log.read(&KEYS, 0, 0).await.unwrap();
        let (mut count, mut position) = (0, 0);
        while count < 10 {
            let batch = reader.next(limit).await.unwrap();
            assert!(batch.records.len() <= most, "{limit:?} gave {}", batch.records.len());
            assert_eq!(batch.records.first().map_or(position, |r| r.offset), position);
            position = batch.next_offset;
            count += batch.records.len();
            assert!(!batch.caught_up || count == 10, "caught up with {count} of 10");
        }
        assert_eq!(position, 10);
    }
}

pub(crate) async fn caught_up_is_told_once_and_then_waited(fixture: &Fixture) {
    let mut reader = fixture.log.read(&KEYS, 0, 0).await.unwrap();
    let empty = reader.next(BatchLimit::default()).await.unwrap();
    assert!(empty.caught_up && empty.records.is_empty());
    assert_eq!(empty.next_offset, 0);
    for n in 0..3 {
        // Having told, it waits, however often it is asked.
        assert!(reader.next(BatchLimit::default()).now_or_never().is_none(), "there is nothing to tell");
        fixture.log.append(&KEYS, 0, record("k", n)).await.expect("appended");
        let records = read_to_end(&mut *reader).await;
        assert_eq!(records.iter().map(number).collect::<Vec<_>>(), [n]);
    }
    // A new reader at the end tells so as well.
    let mut reader = fixture.log.read(&KEYS, 0, 3).await.unwrap();
    assert_eq!(read_to_end(&mut *reader).await, []);
}

pub(crate) async fn dropping_next_loses_nothing(fixture: &Fixture) {
    const COUNT: usize = 300;
    let log = fixture.log.clone();
    let appender = tokio::spawn(async move { append_all(&*log, &KEYS, 0..COUNT).await });
    let mut reader = fixture.log.read(&KEYS, 0, 0).await.unwrap();
    let (mut numbers, mut dropped) = (Vec::new(), 0_u64);
    let limit = BatchLimit { records: 7, ..BatchLimit::default() };
    while numbers.len() < COUNT {
        // Dropped at its first, second, third... wait, and now and then after a time that ends anywhere.
        let patience = Duration::from_micros(dropped * 37 % 2_000);
        match tokio::time::timeout(patience, reader.next(limit)).await {
            Ok(batch) => numbers.extend(batch.unwrap().records.iter().map(number)),
            Err(_) => dropped += 1,
        }
    }
    assert_eq!(numbers, (0..COUNT).collect::<Vec<_>>());
    assert!(dropped > 0, "nothing was dropped, so it says nothing");
    appender.await.unwrap();
}

/// Each append waits for the reader, and the reader for the append: a wake-up that gets lost makes this hang.
pub(crate) async fn readers_are_woken(fixture: &Fixture) {
    let mut reader = fixture.log.read(&KEYS, 0, 0).await.unwrap();
    for n in 0..200 {
        fixture.log.append(&KEYS, 0, record("k", n)).await.expect("appended");
        assert_eq!(read_count(&mut *reader, 1).await.iter().map(number).collect::<Vec<_>>(), [n]);
    }
}

//! Appending: orders, what comes back, and what is refused.

use bytes::Bytes;
use rossby_log::{AppendError, LogError, LogRecord, MAX_RECORD_BYTES};
use rossby_schemas::time::{Clock, SystemClock};
use rossby_schemas::topic::{Topic, TopicName};

use super::{Fixture, INBOX, KEYS, append_all, distinct, noise, number, read_to_end, record};

pub(crate) const TOPICS: &[(Topic, u32)] = &[(Topic::Keys, 2), (Topic::Inbox, 1)];

pub(crate) async fn order_of_one_appender(fixture: &Fixture) {
    let before = SystemClock.now();
    let offsets = append_all(&*fixture.log, &KEYS, 0..100).await;
    let mut reader = fixture.log.read(&KEYS, 0, 0).await.unwrap();
    let records = read_to_end(&mut *reader).await;
    assert_eq!(records.iter().map(|r| r.offset).collect::<Vec<_>>(), offsets);
    assert_eq!(records.iter().map(number).collect::<Vec<_>>(), (0..100).collect::<Vec<_>>());
    let minute = std::time::Duration::from_secs(60);
    assert!(records.iter().all(|r| r.appended_at > before.minus(minute) && r.appended_at < before.plus(minute)));
    assert_eq!(fixture.log.health().await, Ok(()));
}

pub(crate) async fn concurrent_appenders_keep_their_orders(fixture: &Fixture) {
    const APPENDERS: usize = 16;
    const EACH: usize = 50;
    let appenders = (0..APPENDERS).map(|appender| {
        let log = fixture.log.clone();
        tokio::spawn(async move {
            let key = appender.to_string();
            let mut offsets = Vec::new();
            for n in 0..EACH {
                offsets.push(log.append(&KEYS, 0, record(&key, n)).await.expect("appended"));
            }
            offsets
        })
    });
    let mut acknowledged = Vec::new();
    for appender in appenders.collect::<Vec<_>>() {
        let offsets = appender.await.unwrap();
        assert!(offsets.is_sorted_by(|a, b| a < b));
        acknowledged.push(offsets);
    }
    assert_eq!(distinct(acknowledged.iter().flatten()), APPENDERS * EACH);

    let records = read_to_end(&mut *fixture.log.read(&KEYS, 0, 0).await.unwrap()).await;
    assert_eq!(records.len(), APPENDERS * EACH);
    for (appender, offsets) in acknowledged.iter().enumerate() {
        let key = appender.to_string();
        let own: Vec<_> = records.iter().filter(|r| r.record.key.as_deref() == Some(key.as_bytes())).collect();
        assert_eq!(own.iter().map(|r| number(r)).collect::<Vec<_>>(), (0..EACH).collect::<Vec<_>>());
        assert_eq!(&own.iter().map(|r| r.offset).collect::<Vec<_>>(), offsets);
    }
}

pub(crate) async fn records_come_back_as_they_were(fixture: &Fixture) {
    let header = |name: &str, value: &[u8]| (name.to_owned(), Bytes::copy_from_slice(value));
    let records = [
        LogRecord { key: None, headers: vec![], value: Some(Bytes::from_static(b"neither key nor headers")) },
        LogRecord { key: Some(Bytes::from_static(b"k")), headers: vec![], value: None },
        LogRecord { key: Some(Bytes::new()), headers: vec![], value: Some(Bytes::new()) },
        LogRecord {
            key: Some(Bytes::from_static(&[0, 0xff, 0x80])),
            headers: vec![
                header("twice", b"1"),
                header("other", &[0, 1, 0xff]),
                header("twice", b"2"),
                header("empty", b""),
                header("ümlaut", "wert ☃".as_bytes()),
            ],
            value: Some(noise(10_000, 1)),
        },
        LogRecord { headers: (0..200).map(|n| header(&format!("h{n}"), b"v")).collect(), ..LogRecord::default() },
    ];
    for record in &records {
        fixture.log.append(&KEYS, 1, record.clone()).await.expect("appended");
    }
    let stored = read_to_end(&mut *fixture.log.read(&KEYS, 1, 0).await.unwrap()).await;
    assert_eq!(stored.into_iter().map(|s| s.record).collect::<Vec<_>>(), records);
}

pub(crate) async fn large_records(fixture: &Fixture) {
    let sized = |size: usize, seed| LogRecord {
        key: Some(Bytes::from_static(b"key!")),
        headers: vec![("name".into(), Bytes::from_static(b"data"))],
        value: Some(noise(size - 12, seed)),
    };
    let largest: Vec<_> = (0..5).map(|seed| sized(MAX_RECORD_BYTES, seed)).collect();
    let appends = largest.iter().map(|record| fixture.log.append(&INBOX, 0, record.clone()));
    let offsets = futures::future::try_join_all(appends).await.expect("the largest records are taken");
    let before = fixture.log.bounds(&INBOX, 0).await.unwrap();

    let size = MAX_RECORD_BYTES + 1;
    let refused = fixture.log.append(&INBOX, 0, sized(size, 9)).await;
    assert_eq!(refused, Err(AppendError::TooLarge { size, limit: MAX_RECORD_BYTES }));
    assert_eq!(fixture.log.bounds(&INBOX, 0).await.unwrap(), before);

    let records = read_to_end(&mut *fixture.log.read(&INBOX, 0, 0).await.unwrap()).await;
    assert_eq!(records.len(), largest.len());
    for (offset, record) in offsets.iter().zip(largest) {
        assert!(records.iter().any(|stored| stored.offset == *offset && stored.record == record));
    }
}

pub(crate) async fn nothing_is_appended_where_there_is_no_place(fixture: &Fixture) {
    let missing = TopicName::local(Topic::Profiles);
    let no_topic = LogError::NoSuchTopic(missing.clone());
    assert_eq!(fixture.log.partitions(&missing).await, Err(no_topic.clone()));
    assert_eq!(fixture.log.bounds(&missing, 0).await, Err(no_topic.clone()));
    assert_eq!(fixture.log.append(&missing, 0, record("k", 0)).await, Err(AppendError::Refused(no_topic)));

    let no_partition = LogError::NoSuchPartition { topic: KEYS.clone(), partition: 2, partitions: 2 };
    assert_eq!(fixture.log.partitions(&KEYS).await, Ok(2));
    assert_eq!(fixture.log.bounds(&KEYS, 2).await, Err(no_partition.clone()));
    assert_eq!(fixture.log.append(&KEYS, 2, record("k", 0)).await, Err(AppendError::Refused(no_partition)));
    // What was refused was about the place, and not about the log.
    assert!(fixture.log.append(&KEYS, 1, record("k", 0)).await.is_ok());
}

pub(crate) async fn closing_refuses_and_finishes(fixture: &Fixture) {
    let under_way: Vec<_> = (0..50)
        .map(|n| {
            let log = fixture.log.clone();
            tokio::spawn(async move { log.append(&KEYS, 0, record("k", n)).await })
        })
        .collect();
    // One is through, so the others are not all still before their first step.
    fixture.log.append(&KEYS, 0, record("first", 0)).await.expect("appended");
    fixture.log.close().await;
    fixture.log.close().await;
    let refused = fixture.log.append(&KEYS, 0, record("k", 0)).await;
    assert_eq!(refused, Err(AppendError::Refused(LogError::Closed)));
    assert!(fixture.log.health().await.is_err());
    for append in under_way {
        let outcome = append.await.unwrap();
        assert!(matches!(outcome, Ok(_) | Err(AppendError::Refused(LogError::Closed))), "{outcome:?}");
    }
}

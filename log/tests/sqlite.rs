//! The SQLite provider: the port's conformance suite, and what is its own.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod conformance;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use conformance::{Fixture, INBOX, KEYS, append_all, noise, number, read_count, read_to_end, record};
use rossby_log::providers::sqlite::{SqliteConfig, SqliteLog, Swept};
use rossby_log::topics::TopicSpec;
use rossby_log::{
    AppendError, BatchLimit, Bounds, Log, LogError, LogRecord, Offset, ReadError, StoredRecord, TopicAdmin,
};
use rossby_schemas::time::{Clock, ManualClock, SystemClock, Timestamp};
use rossby_schemas::topic::{Topic, TopicName};

async fn open(folder: &Path) -> Arc<SqliteLog> {
    Arc::new(SqliteLog::open(SqliteConfig::new(folder), Arc::new(SystemClock)).await.expect("the log opens"))
}

async fn make(log: &SqliteLog, topics: &[(Topic, u32)]) {
    let spec =
        |(topic, partitions): &(Topic, u32)| TopicSpec { name: TopicName::local(*topic), partitions: *partitions };
    log.ensure_topics(&topics.iter().map(spec).collect::<Vec<_>>()).await.expect("topics are made");
}

async fn fixture(topics: &[(Topic, u32)]) -> Fixture {
    let folder = tempfile::tempdir().unwrap();
    let log = open(folder.path()).await;
    make(&log, topics).await;
    Fixture { admin: log.clone(), log, keep: Box::new(folder) }
}

conformance::conformance!(fixture);

#[tokio::test(flavor = "multi_thread")]
async fn acknowledged_records_survive_kills() {
    let folder = tempfile::tempdir().unwrap();
    let log = open(folder.path()).await;
    make(&log, conformance::durability::TOPICS).await;
    log.close().await;
    drop(log);
    conformance::durability::survives_kills(folder.path().to_str().unwrap(), 0x5eed_0001, || async {
        open(folder.path()).await as Arc<dyn Log>
    })
    .await;
}

/// Not a test by itself: what [`acknowledged_records_survive_kills`] kills.
#[tokio::test(flavor = "multi_thread")]
async fn durability_child() {
    let Ok(child) = std::env::var(conformance::durability::CHILD) else { return };
    let (round, folder) = child.split_once(' ').unwrap();
    conformance::durability::append_until_killed(open(Path::new(folder)).await, round.parse().unwrap()).await;
}

#[tokio::test]
async fn everything_is_there_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    for restart in 0..3 {
        let log = open(folder.path()).await;
        make(&log, &[(Topic::Keys, 1)]).await;
        assert_eq!(append_all(&*log, &KEYS, restart..restart + 1).await, [restart as Offset]);
        let records = read_to_end(&mut *log.read(&KEYS, 0, 0).await.unwrap()).await;
        assert_eq!(records.iter().map(number).collect::<Vec<_>>(), (0..=restart).collect::<Vec<_>>());
        // Once closed, once only dropped.
        if restart != 1 {
            log.close().await;
        }
        drop(log);
        until_unlocked(folder.path()).await;
    }
}

/// The writing task gives up the lock when it has seen that its log was dropped.
async fn until_unlocked(folder: &Path) {
    let lock = std::fs::File::open(folder.join("log.lock")).unwrap();
    while lock.try_lock().is_err() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_folder_has_one_writer() {
    let folder = tempfile::tempdir().unwrap();
    let log = open(folder.path()).await;
    let second = SqliteLog::open(SqliteConfig::new(folder.path()), Arc::new(SystemClock)).await;
    let Err(LogError::Failed(why)) = second else { panic!("{second:?}") };
    assert!(why.contains("in use by another process"), "{why}");
    assert!(why.contains(&std::process::id().to_string()), "{why}");
    log.close().await;
    open(folder.path()).await;
}

#[tokio::test]
async fn others_may_read_along() {
    let folder = tempfile::tempdir().unwrap();
    let nothing = SqliteLog::open_read_only(SqliteConfig::new(folder.path()), Arc::new(SystemClock)).await;
    assert!(matches!(nothing, Err(LogError::Failed(_))), "{nothing:?}");

    let log = open(folder.path()).await;
    make(&log, &[(Topic::Keys, 1)]).await;
    let other = SqliteLog::open_read_only(SqliteConfig::new(folder.path()), Arc::new(SystemClock)).await.unwrap();
    let mut reader = other.read(&KEYS, 0, 0).await.unwrap();
    assert!(reader.next(BatchLimit::default()).await.unwrap().caught_up);
    // The reader waits, and nobody in its own process wakes it.
    let waiting = tokio::spawn(async move { read_count(&mut *reader, 1).await });
    append_all(&*log, &KEYS, 7..8).await;
    let records = conformance::within_a_minute(waiting).await.unwrap();
    assert_eq!(records.iter().map(number).collect::<Vec<_>>(), [7]);

    let refused = other.append(&KEYS, 0, record("k", 0)).await;
    assert!(matches!(refused, Err(AppendError::Refused(LogError::Failed(_)))), "{refused:?}");
    assert!(other.truncate(&KEYS, 0, 1).await.is_err());
    // Topics made later are found too.
    make(&log, &[(Topic::Inbox, 1)]).await;
    conformance::within_a_minute(async {
        while other.partitions(&INBOX).await.is_err() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    other.close().await;
    assert_eq!(log.health().await, Ok(()));
}

#[tokio::test]
async fn files_are_their_owners_alone() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let log = open(folder.path()).await;
    make(&log, &[(Topic::Keys, 1)]).await;
    append_all(&*log, &KEYS, 0..1).await;
    for file in ["log.sqlite", "log.sqlite-wal", "log.sqlite-shm"] {
        let mode = std::fs::metadata(folder.path().join(file)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{file}");
    }
}

#[tokio::test]
async fn a_newer_layout_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let log = open(folder.path()).await;
    log.close().await;
    // The schema version is the big-endian number at offset 60 of the file.
    let path = folder.path().join("log.sqlite");
    let mut file = std::fs::read(&path).unwrap();
    assert_eq!(file[60..64], [0, 0, 0, 1]);
    file[63] = 2;
    std::fs::write(&path, file).unwrap();
    let newer = SqliteLog::open(SqliteConfig::new(folder.path()), Arc::new(SystemClock)).await;
    let Err(LogError::Failed(why)) = newer else { panic!("{newer:?}") };
    assert!(why.contains("newer"), "{why}");
}

#[tokio::test]
async fn a_full_disk_refuses_and_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let config = SqliteConfig { max_bytes: Some(2 * 1024 * 1024), ..SqliteConfig::new(folder.path()) };
    let log = SqliteLog::open(config, Arc::new(SystemClock)).await.unwrap();
    make(&log, &[(Topic::Keys, 1)]).await;
    let large = |seed| LogRecord { value: Some(noise(300_000, seed)), ..LogRecord::default() };
    let mut taken = 0;
    let refused = loop {
        match log.append(&KEYS, 0, large(taken)).await {
            Ok(offset) => assert_eq!(offset, taken),
            Err(error) => break error,
        }
        taken += 1;
    };
    assert!(taken >= 4, "{taken}");
    let AppendError::Refused(LogError::Unavailable(why)) = &refused else { panic!("{refused:?}") };
    assert!(why.contains("no room"), "{why}");
    assert_eq!(log.health().await, Err(LogError::Unavailable(why.clone())));
    // Nothing of what was refused is there, reads go on, and room makes it go on, without the refused offset having been lost.
    assert_eq!(log.bounds(&KEYS, 0).await, Ok(Bounds { start: 0, end: taken }));
    assert_eq!(read_to_end(&mut *log.read(&KEYS, 0, 0).await.unwrap()).await.len() as u64, taken);
    log.truncate(&KEYS, 0, taken).await.unwrap();
    assert_eq!(log.append(&KEYS, 0, large(99)).await, Ok(taken));
    assert_eq!(log.health().await, Ok(()));
}

#[tokio::test]
async fn retention_removes_what_is_old_and_nothing_else() {
    const DAY: Duration = Duration::from_secs(24 * 3600);
    let folder = tempfile::tempdir().unwrap();
    let clock = Arc::new(ManualClock::new(Timestamp::from_millis(1_795_512_600_000).unwrap()));
    let log = SqliteLog::open(SqliteConfig::new(folder.path()), clock.clone()).await.unwrap();
    make(&log, &[(Topic::Keys, 1), (Topic::Registrations, 1)]).await;
    let registrations = TopicName::local(Topic::Registrations);
    // More than a sweep removes in one transaction.
    let first = (0..2_500).map(|n| log.append(&registrations, 0, record("k", n)));
    futures::future::try_join_all(first).await.unwrap();
    append_all(&log, &KEYS, 0..3).await;
    clock.advance(DAY);
    append_all(&log, &registrations, 2_500..2_503).await;
    assert_eq!(log.sweep().await, Ok(Swept { records: 0 }));

    let appended = read_to_end(&mut *log.read(&registrations, 0, 2_500).await.unwrap()).await;
    assert!(appended.iter().all(|r| r.appended_at == clock.now()));

    // Kept for two days; the first ones are now just that old, and a moment later older.
    clock.advance(DAY);
    assert_eq!(log.sweep().await, Ok(Swept { records: 0 }));
    clock.advance(Duration::from_millis(1));
    let mut reader = log.read(&registrations, 0, 0).await.unwrap();
    assert_eq!(log.sweep().await, Ok(Swept { records: 2_500 }));
    let bounds = Bounds { start: 2_500, end: 2_503 };
    assert_eq!(log.bounds(&registrations, 0).await, Ok(bounds));
    assert_eq!(log.bounds(&KEYS, 0).await, Ok(Bounds { start: 0, end: 3 }));
    assert_eq!(reader.next(BatchLimit::default()).await, Err(ReadError::OutOfRange { from: 0, bounds }));
    clock.advance(DAY * 400);
    assert_eq!(log.sweep().await, Ok(Swept { records: 3 }));
    assert_eq!(log.sweep().await, Ok(Swept { records: 0 }));
    assert_eq!(append_all(&log, &registrations, 0..1).await, [2_503]);
    assert_eq!(log.bounds(&KEYS, 0).await, Ok(Bounds { start: 0, end: 3 }));
}

#[tokio::test]
async fn a_damaged_partition_is_reported() {
    let folder = tempfile::tempdir().unwrap();
    let log = open(folder.path()).await;
    make(&log, &[(Topic::Keys, 1)]).await;
    append_all(&*log, &KEYS, 0..5).await;
    log.close().await;
    drop(log);
    let url = format!("sqlite:{}", folder.path().join("log.sqlite").display());
    let pool = sqlx::SqlitePool::connect(&url).await.unwrap();
    let log = open(folder.path()).await;
    // In the middle, at the reader's place, and at the end with nothing after it.
    for (lost, from) in [(2, 0), (0, 0), (4, 4)] {
        sqlx::query("delete from records where offset = ?").bind(lost).execute(&pool).await.unwrap();
        let mut reader = log.read(&KEYS, 0, from).await.unwrap();
        let damaged = conformance::within_a_minute(reader.next(BatchLimit::default())).await;
        let Err(ReadError::Log(LogError::Failed(why))) = damaged else { panic!("{damaged:?}") };
        assert!(why.contains("damaged") && why.contains(&format!("lost offsets {lost} to {lost}")), "{why}");
    }
    pool.close().await;
}

#[tokio::test]
async fn a_log_is_brought_back_with_its_offsets_and_times() {
    let folder = tempfile::tempdir().unwrap();
    let log = open(folder.path()).await;
    make(&log, &[(Topic::Keys, 2), (Topic::Inbox, 1)]).await;
    let (keys, inbox) = (TopicName::local(Topic::Keys), TopicName::local(Topic::Inbox));
    let record = |offset: u64| StoredRecord {
        offset,
        appended_at: Timestamp::from_millis(1_000 + offset).unwrap(),
        record: LogRecord { key: None, headers: vec![("a".into(), "1".into())], value: Some("v".into()) },
    };
    log.restore(&keys, 0, (500..503).map(record).collect()).await.unwrap();
    log.restore(&keys, 0, vec![record(503)]).await.unwrap();
    log.restore(&keys, 0, Vec::new()).await.unwrap();
    assert_eq!(log.bounds(&keys, 0).await.unwrap(), Bounds { start: 500, end: 504 });
    let mut reader = log.read(&keys, 0, 500).await.unwrap();
    let batch = reader.next(BatchLimit::default()).await.unwrap();
    assert_eq!(batch.records, (500..504).map(record).collect::<Vec<_>>());
    // Its next record is the next offset's.
    assert_eq!(log.append(&keys, 0, record(0).record).await, Ok(504));

    // Nothing is written over, before or with a hole after what is there, also after an append.
    log.append(&inbox, 0, record(0).record).await.unwrap();
    for (topic, records) in [
        (&keys, vec![record(504)]),
        (&keys, vec![record(0)]),
        (&keys, vec![record(507)]),
        (&keys, vec![record(505), record(507)]),
        (&inbox, vec![record(0)]),
    ] {
        let refused = log.restore(topic, 0, records).await;
        assert!(matches!(refused, Err(LogError::Failed(_))), "{refused:?}");
    }
    assert_eq!(log.bounds(&keys, 0).await.unwrap(), Bounds { start: 500, end: 505 });
    assert_eq!(log.bounds(&inbox, 0).await.unwrap(), Bounds { start: 0, end: 1 });
}

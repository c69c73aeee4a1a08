//! The Kafka provider: the port's conformance suite, and what is its own. Needs `ROSSBY_TEST_KAFKA`, the bootstrap servers
//! of a cluster of one broker; `cargo xtask test` starts one.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod conformance;
mod outages;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use conformance::{Fixture, INBOX, KEYS, append_all, number, read_to_end, record, within_a_minute};
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, AlterConfig, ResourceSpecifier};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::message::{Headers as _, Message as _};
use rdkafka::producer::{FutureProducer, FutureRecord, Producer as _};
use rdkafka::{Offset as KafkaOffset, TopicPartitionList};
use rossby_log::providers::kafka::{KafkaConfig, KafkaLog};
use rossby_log::topics::{SettingDrift, TopicSpec, TopicState};
use rossby_log::{
    AppendError, BatchLimit, Bounds, Log, LogError, LogRecord, PartitionReader, ReadError, StoredRecord, TopicAdmin,
};
use rossby_schemas::topic::{Topic, TopicName};

fn brokers() -> String {
    std::env::var("ROSSBY_TEST_KAFKA").expect("ROSSBY_TEST_KAFKA names a running Kafka")
}

/// Topics of its own for each test.
fn prefix() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let millis = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis();
    format!("t{}-{millis}-{}-", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed))
}

fn config(prefix: &str) -> KafkaConfig {
    let mut config = KafkaConfig::new(brokers());
    (config.replication, config.min_insync_replicas) = (1, 1);
    config.topic_prefix = prefix.to_owned();
    // The machine has other work; what is about time says its own.
    config.delivery_timeout = Duration::from_secs(20);
    config
}

fn open(prefix: &str) -> Arc<KafkaLog> {
    Arc::new(KafkaLog::connect(config(prefix)).expect("the log opens"))
}

async fn make(log: &KafkaLog, topics: &[(Topic, u32)]) {
    let spec =
        |(topic, partitions): &(Topic, u32)| TopicSpec { name: TopicName::local(*topic), partitions: *partitions };
    log.ensure_topics(&topics.iter().map(spec).collect::<Vec<_>>()).await.expect("topics are made");
}

async fn fixture(topics: &[(Topic, u32)]) -> Fixture {
    let log = open(&prefix());
    make(&log, topics).await;
    Fixture { admin: log.clone(), log, keep: Box::new(()) }
}

conformance::conformance!(fixture);

#[tokio::test(flavor = "multi_thread")]
async fn acknowledged_records_survive_kills() {
    let prefix = prefix();
    let log = open(&prefix);
    make(&log, conformance::durability::TOPICS).await;
    log.close().await;
    conformance::durability::survives_kills(&prefix, 0x5eed_0002, || async { open(&prefix) as Arc<dyn Log> }).await;
}

/// Not a test by itself: what [`acknowledged_records_survive_kills`] kills.
#[tokio::test(flavor = "multi_thread")]
async fn durability_child() {
    let Ok(child) = std::env::var(conformance::durability::CHILD) else { return };
    let (round, prefix) = child.split_once(' ').unwrap();
    conformance::durability::append_until_killed(open(prefix), round.parse().unwrap()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn dropping_without_closing_frees_everything() {
    let log = open(&prefix());
    make(&log, &[(Topic::Keys, 1)]).await;
    let mut reader = log.read(&KEYS, 0, 0).await.unwrap();
    append_all(&*log, &KEYS, 0..3).await;
    drop(log);
    let ended = within_a_minute(reader.next(BatchLimit::default())).await;
    assert!(matches!(ended, Err(ReadError::Log(LogError::Closed))), "{ended:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn any_kafka_client_reads_the_events() {
    let prefix = prefix();
    let log = open(&prefix);
    make(&log, &[(Topic::Keys, 1)]).await;
    let headers: Vec<(String, Bytes)> = [
        ("ce_specversion", "1.0"),
        ("ce_id", "0f8fad5b-d9cb-469f-a165-70867728950e"),
        ("ce_type", "org.rossby.keys.device-linked.v1"),
        ("ce_source", "/regions/1"),
        ("content-type", "application/json"),
    ]
    .map(|(name, value)| (name.to_owned(), Bytes::from(value)))
    .to_vec();
    let value = Bytes::from_static(br#"{"box":"b"}"#);
    let event = LogRecord { key: Some("b".into()), headers: headers.clone(), value: Some(value.clone()) };
    let offset = log.append(&KEYS, 0, event).await.unwrap();

    let topic = format!("{prefix}rossby.keys");
    let found = tokio::task::spawn_blocking(move || {
        let mut config = ClientConfig::new();
        let consumer: BaseConsumer =
            config.set("bootstrap.servers", brokers()).set("group.id", "a-plain-client").create().unwrap();
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(&topic, 0, KafkaOffset::Beginning).unwrap();
        consumer.assign(&list).unwrap();
        let message = consumer.poll(Duration::from_secs(30)).expect("it comes").unwrap();
        message.detach()
    })
    .await
    .unwrap();
    assert_eq!(found.offset(), i64::try_from(offset).unwrap());
    assert_eq!((found.key(), found.payload()), (Some(b"b".as_slice()), Some(&value[..])));
    let seen = found.headers().unwrap().iter();
    let seen: Vec<_> = seen.map(|h| (h.key.to_owned(), Bytes::copy_from_slice(h.value.unwrap()))).collect();
    assert_eq!(seen, headers);
    log.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn marks_of_transactions_hold_up_nobody() {
    let prefix = prefix();
    let log = open(&prefix);
    make(&log, &[(Topic::Keys, 1)]).await;
    let topic = format!("{prefix}rossby.keys");
    let mut settings = ClientConfig::new();
    settings.set("bootstrap.servers", brokers()).set("transactional.id", &prefix);
    let mirror: FutureProducer = settings.create().unwrap();
    let mirror = Arc::new(mirror);
    let patience = Duration::from_secs(30);
    let starting = Arc::clone(&mirror);
    tokio::task::spawn_blocking(move || starting.init_transactions(patience)).await.unwrap().unwrap();
    let mut reader = log.read(&KEYS, 0, 0).await.unwrap();
    let mut expected = 0;
    for is_committed in [true, false, true, false, false] {
        mirror.begin_transaction().unwrap();
        for n in 0..3 {
            let value = (expected + n).to_string();
            mirror.send(FutureRecord::to(&topic).partition(0).key("k").payload(&value), patience).await.unwrap();
        }
        let ending = Arc::clone(&mirror);
        let end = move || {
            if is_committed { ending.commit_transaction(patience) } else { ending.abort_transaction(patience) }
        };
        tokio::task::spawn_blocking(end).await.unwrap().unwrap();

        // A commit is answered before its mark is written, so that the end may come once or twice without the records.
        let awaited = if is_committed { 3 } else { 0 };
        let records = within_a_minute(read_until(&mut *reader, awaited)).await;
        assert_eq!(records.iter().map(number).collect::<Vec<_>>(), (expected..expected + awaited).collect::<Vec<_>>());
        expected += awaited;

        // A new reader from the start, and one from where this one stands.
        let all = within_a_minute(read_to_end(&mut *log.read(&KEYS, 0, 0).await.unwrap())).await;
        assert_eq!(all.len(), expected);
        let last = all.last().unwrap().offset;
        assert!(log.bounds(&KEYS, 0).await.unwrap().end > last + 1, "a mark follows");
        assert_eq!(within_a_minute(read_to_end(&mut *log.read(&KEYS, 0, last + 1).await.unwrap())).await, []);
    }
    assert_eq!(append_all(&*log, &KEYS, expected..expected + 1).await.len(), 1);
    let records = within_a_minute(read_until(&mut *reader, 1)).await;
    assert_eq!(records.iter().map(number).collect::<Vec<_>>(), [expected]);
    log.close().await;
}

/// Reads to the end, again and again, until `count` records have come.
async fn read_until(reader: &mut dyn PartitionReader, count: usize) -> Vec<StoredRecord> {
    let mut records = Vec::new();
    while records.len() < count {
        records.extend(read_to_end(reader).await);
    }
    records
}

#[tokio::test(flavor = "multi_thread")]
async fn caught_up_is_about_this_call() {
    let fixture = fixture(&[(Topic::Keys, 1)]).await;
    let mut reader = fixture.log.read(&KEYS, 0, 0).await.unwrap();
    // Time for the event of the end to come while nobody asks; then more is appended.
    tokio::time::sleep(Duration::from_millis(400)).await;
    append_all(&*fixture.log, &KEYS, 0..5).await;
    let records = within_a_minute(read_to_end(&mut *reader)).await;
    assert_eq!(records.iter().map(number).collect::<Vec<_>>(), (0..5).collect::<Vec<_>>());
    fixture.log.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_others_do_to_topics_is_seen() {
    let prefix = prefix();
    let (log, other) = (open(&prefix), open(&prefix));
    make(&log, &[(Topic::Keys, 1)]).await;
    append_all(&*other, &KEYS, 0..5).await;
    let mut reader = other.read(&KEYS, 0, 0).await.unwrap();
    read_to_end(&mut *reader).await;
    log.remove_topic(&KEYS).await.unwrap();

    // The first that comes after it may have been handed over.
    let gone = AppendError::Refused(LogError::NoSuchTopic(KEYS.clone()));
    within_a_minute(async { while other.append(&KEYS, 0, record("k", 9)).await != Err(gone.clone()) {} }).await;
    let told = within_a_minute(reader.next(BatchLimit::default())).await;
    assert_eq!(told, Err(ReadError::Log(LogError::NoSuchTopic(KEYS.clone()))));

    make(&log, &[(Topic::Keys, 1)]).await;
    append_all(&*log, &KEYS, 0..2).await;
    let bounds = Bounds { start: 0, end: 2 };
    let told = within_a_minute(async {
        loop {
            match reader.next(BatchLimit::default()).await {
                Err(ReadError::Log(LogError::NoSuchTopic(_))) => tokio::task::yield_now().await,
                told => break told,
            }
        }
    });
    assert_eq!(told.await, Err(ReadError::OutOfRange { from: 5, bounds }));
    log.close().await;
    other.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_that_drifted_are_corrected() {
    let prefix = prefix();
    let log = open(&prefix);
    let inbox = TopicSpec { name: INBOX.clone(), partitions: 2 };
    let mirrored = TopicName { mirrored_from: Some("east".into()), topic: Topic::Inbox };
    let specs = [inbox, TopicSpec { name: mirrored, partitions: 2 }];
    log.ensure_topics(&specs).await.unwrap();
    let admin: AdminClient<DefaultClientContext> =
        ClientConfig::new().set("bootstrap.servers", brokers()).create().unwrap();
    let (local, mirrored) = (format!("{prefix}rossby.inbox"), format!("east.{prefix}rossby.inbox"));
    let setting = |topic: String, name: &'static str| {
        let admin = &admin;
        async move {
            let asked = [&ResourceSpecifier::Topic(&topic)];
            let found = admin.describe_configs(asked, &AdminOptions::new()).await.unwrap().remove(0).unwrap();
            found.get(name).unwrap().value.clone().unwrap()
        }
    };
    let month = (32_u64 * 24 * 3600 * 1000).to_string();
    for topic in [&local, &mirrored] {
        assert_eq!(setting(topic.clone(), "retention.ms").await, month);
        assert_eq!(setting(topic.clone(), "min.insync.replicas").await, "1");
        assert_eq!(setting(topic.clone(), "cleanup.policy").await, "delete");
    }
    assert_eq!(setting(local.clone(), "message.timestamp.type").await, "LogAppendTime");
    assert_eq!(setting(mirrored.clone(), "message.timestamp.type").await, "CreateTime");

    // Someone changes a setting of Rossby's, resets the others, and adds one of their own.
    let change = AlterConfig::new(ResourceSpecifier::Topic(&local)).set("retention.ms", "5000").set("flush.ms", "777");
    admin.alter_configs([&change], &AdminOptions::new()).await.unwrap().remove(0).unwrap();
    let check = within_a_minute(async {
        loop {
            let reports = log.check_topics(&specs).await.unwrap();
            match &reports[0].state {
                TopicState::SettingsDiffer(drift) => break drift.clone(),
                state => assert_eq!(state, &TopicState::Right),
            }
        }
    });
    let drift = check.await;
    assert_eq!(drift["retention.ms"], SettingDrift { was: Some("5000".into()), should_be: month.clone() });
    assert!(drift.contains_key("message.timestamp.type"), "{drift:?}");

    let reports = log.ensure_topics(&specs).await.unwrap();
    assert_eq!(reports[0].state, TopicState::SettingsDiffer(drift));
    assert_eq!(reports[1].state, TopicState::Right);
    let reports = log.check_topics(&specs).await.unwrap();
    assert!(reports.iter().all(|report| report.state == TopicState::Right), "{reports:?}");
    assert_eq!(setting(local.clone(), "retention.ms").await, month);
    assert_eq!(setting(local.clone(), "flush.ms").await, "777");
    log.close().await;
}

#[tokio::test]
async fn wrong_settings_are_refused_without_showing_them() {
    let mut wrong = config("x-");
    wrong.settings.insert("security.protocol".into(), "s3cret".to_owned().into());
    let Err(LogError::Failed(why)) = KafkaLog::connect(wrong) else { panic!("it opens") };
    assert!(why.contains("security.protocol") && !why.contains("s3cret"), "{why}");
}

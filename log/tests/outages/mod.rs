//! What the Kafka provider does when the cluster can't be reached, or sends what no client of Rossby's would write.

mod proxy;

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use rossby_log::providers::kafka::{KafkaConfig, KafkaLog};
use rossby_log::{AppendError, BatchLimit, Log, LogError, LogRecord};
use rossby_schemas::topic::Topic;

use self::proxy::{Network, Proxy};
use super::conformance::{INBOX, KEYS, append_all, distinct, number, read_count, read_to_end, record, within_a_minute};
use super::{brokers, config, make, open, prefix};

const SHORT: Duration = Duration::from_secs(1);

/// A log behind a proxy, and one with a connection of its own, with the same topics.
async fn behind_a_proxy() -> (Proxy, Arc<KafkaLog>, Arc<KafkaLog>) {
    let prefix = prefix();
    let proxy = Proxy::before(&brokers()).await;
    let direct = open(&prefix);
    make(&direct, &[(Topic::Keys, 1)]).await;
    let config = KafkaConfig { brokers: proxy.address().to_owned(), delivery_timeout: SHORT, ..config(&prefix) };
    let proxied = Arc::new(KafkaLog::connect(config).unwrap());
    // It knows the topic and has its connections.
    append_when_possible(&proxied, 0).await;
    (proxy, proxied, direct)
}

/// Appends until it is neither refused nor unknown. Gives how often it was unknown.
async fn append_when_possible(log: &KafkaLog, n: usize) -> usize {
    let mut unknown = 0;
    within_a_minute(async {
        loop {
            match log.append(&KEYS, 0, record("k", n)).await {
                Ok(_) => return unknown,
                Err(AppendError::Unknown(_)) => unknown += 1,
                Err(AppendError::Refused(LogError::Unavailable(_))) => tokio::time::sleep(SHORT / 50).await,
                Err(error) => panic!("{error:?}"),
            }
        }
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_that_is_asked_first_refuses_what_it_cannot_answer_and_has_none_of_it() {
    let prefix = prefix();
    let proxy = Proxy::before(&brokers()).await;
    let direct = open(&prefix);
    make(&direct, &[(Topic::Keys, 1)]).await;
    let config = KafkaConfig { brokers: proxy.address().to_owned(), delivery_timeout: SHORT, ..config(&prefix) };
    let log = KafkaLog::connect(KafkaConfig { ask_first: true, ..config }).unwrap();
    append_when_possible(&log, 0).await;
    let before = direct.bounds(&KEYS, 0).await.unwrap().end;
    proxy.network(Network::LosesAnswers);
    // It was there a moment ago, and the record is not even sent; then it is known at once.
    for n in 0..3 {
        let outcome = log.append(&KEYS, 0, record("k", n)).await;
        assert!(matches!(outcome, Err(AppendError::Refused(LogError::Unavailable(_)))), "{outcome:?}");
    }
    proxy.network(Network::Works);
    append_when_possible(&log, 9).await;
    let mut reader = direct.read(&KEYS, 0, before).await.unwrap();
    let numbers: Vec<_> = read_to_end(&mut *reader).await.iter().map(number).collect();
    assert_eq!(numbers, [9]);
    log.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_acknowledgement_is_unknown_and_opens_the_breaker() {
    let (proxy, log, direct) = behind_a_proxy().await;
    let before = direct.bounds(&KEYS, 0).await.unwrap().end;
    proxy.network(Network::LosesAnswers);
    let started = Instant::now();
    let outcome = log.append(&KEYS, 0, record("k", 1)).await;
    let took = started.elapsed();
    assert!(matches!(outcome, Err(AppendError::Unknown(_))), "{outcome:?}");
    assert!(took >= SHORT / 2 && took < SHORT * 2, "{took:?}");

    // It knows now, and says so at once.
    let started = Instant::now();
    for n in 0..100 {
        let outcome = log.append(&KEYS, 0, record("k", 100 + n)).await;
        assert!(matches!(outcome, Err(AppendError::Refused(LogError::Unavailable(_)))), "{outcome:?}");
    }
    assert!(started.elapsed() < SHORT / 2, "{:?}", started.elapsed());
    assert!(log.health().await.is_err());
    // What is wrong with the request itself is told all the same, or the breaker's word: never *unknown*.
    let outcome = log.append(&INBOX, 0, record("k", 1)).await;
    assert!(matches!(outcome, Err(AppendError::Refused(_))), "{outcome:?}");

    proxy.network(Network::Works);
    append_when_possible(&log, 2).await;
    assert_eq!(log.health().await, Ok(()));
    // What was unknown had been written, what was refused had not.
    let mut reader = direct.read(&KEYS, 0, before).await.unwrap();
    let numbers: Vec<_> = read_to_end(&mut *reader).await.iter().map(number).collect();
    assert_eq!(numbers.iter().filter(|n| **n == 1).count(), 1, "{numbers:?}");
    assert!(numbers.iter().all(|n| *n < 100), "{numbers:?}");
    assert_eq!(numbers.last(), Some(&2));
    log.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_appends_into_an_outage_are_answered_in_time() {
    let (proxy, log, direct) = behind_a_proxy().await;
    proxy.network(Network::Holds);
    let started = Instant::now();
    let appends = (0..200).map(|n| {
        let log = log.clone();
        tokio::spawn(async move { (n, log.append(&KEYS, 0, record("k", 1_000 + n)).await) })
    });
    let mut refused = Vec::new();
    for append in appends.collect::<Vec<_>>() {
        match append.await.unwrap() {
            (_, Err(AppendError::Unknown(_))) => {}
            (n, Err(AppendError::Refused(LogError::Unavailable(_)))) => refused.push(1_000 + n),
            (_, outcome) => panic!("{outcome:?}"),
        }
    }
    assert!(started.elapsed() < SHORT * 2, "{:?}", started.elapsed());
    proxy.network(Network::Works);
    append_when_possible(&log, 2).await;
    let numbers: Vec<_> = read_to_end(&mut *direct.read(&KEYS, 0, 0).await.unwrap()).await.iter().map(number).collect();
    assert!(refused.iter().all(|n| !numbers.contains(n)), "refused, and yet there");
    assert_eq!(distinct(&numbers), numbers.len(), "written twice: {numbers:?}");
    log.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn readers_wait_for_the_cluster_and_go_on() {
    let (proxy, log, direct) = behind_a_proxy().await;
    let mut reader = log.read(&KEYS, 0, 0).await.unwrap();
    read_to_end(&mut *reader).await;
    proxy.network(Network::Holds);
    append_all(&*direct, &KEYS, 500..510).await;
    assert!(tokio::time::timeout(SHORT, reader.next(BatchLimit::default())).await.is_err(), "nothing can have come");
    proxy.network(Network::Works);
    let numbers: Vec<_> = within_a_minute(read_count(&mut *reader, 10)).await.iter().map(number).collect();
    assert_eq!(numbers, (500..510).collect::<Vec<_>>());
    assert!(within_a_minute(reader.next(BatchLimit::default())).await.unwrap().caught_up);
    log.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_that_was_never_there_refuses() {
    // Bound and never accepted from: connections are made, and nobody answers.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for address in [silent.local_addr().unwrap(), gone] {
        let config = KafkaConfig { brokers: address.to_string(), delivery_timeout: SHORT, ..config("none-") };
        let log = KafkaLog::connect(config).unwrap();
        let started = Instant::now();
        let outcome = log.append(&KEYS, 0, record("k", 0)).await;
        assert!(matches!(outcome, Err(AppendError::Refused(LogError::Unavailable(_)))), "{outcome:?}");
        assert!(started.elapsed() < SHORT * 2, "{:?}", started.elapsed());
        let started = Instant::now();
        let outcome = log.append(&KEYS, 0, record("k", 0)).await;
        assert!(matches!(outcome, Err(AppendError::Refused(LogError::Unavailable(_)))), "{outcome:?}");
        assert!(started.elapsed() < SHORT / 4, "{:?}", started.elapsed());
        assert!(matches!(log.partitions(&KEYS).await, Err(LogError::Unavailable(_))));
        assert!(log.health().await.is_err());
        within_a_minute(log.close()).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_header_that_is_no_text_stops_nobody() {
    let prefix = prefix();
    // The proxy changes a name on its way, so it has to stand there in clear, and without its checksum.
    let plain = |mut config: KafkaConfig| {
        config.settings.insert("compression.type".into(), "none".to_owned().into());
        config.settings.insert("check.crcs".into(), "false".to_owned().into());
        KafkaLog::connect(config).unwrap()
    };
    let direct = plain(config(&prefix));
    make(&direct, &[(Topic::Keys, 1)]).await;
    let headers = [("ce_id", "1"), ("from-elsewhere", "2"), ("ce_type", "3")]
        .map(|(name, value)| (name.to_owned(), Bytes::from(value)))
        .to_vec();
    direct.append(&KEYS, 0, LogRecord { headers: headers.clone(), ..record("k", 0) }).await.unwrap();
    append_all(&direct, &KEYS, 1..2).await;

    let proxy = Proxy::before(&brokers()).await;
    proxy.replace(b"from-elsewhere", b"from-\xff\xfe\xfdewhere");
    let log = plain(KafkaConfig { brokers: proxy.address().to_owned(), ..config(&prefix) });
    let records = within_a_minute(read_to_end(&mut *log.read(&KEYS, 0, 0).await.unwrap())).await;
    assert_eq!(records.iter().map(number).collect::<Vec<_>>(), [0, 1]);
    assert_eq!(records[0].record.headers, [headers[0].clone(), headers[2].clone()]);
    log.close().await;
    direct.close().await;
}

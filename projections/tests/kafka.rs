//! The contract on Kafka with PostgreSQL, in topics and databases of their own on servers that run already.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod contract;
#[path = "contract/postgres_tables.rs"]
mod postgres_tables;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use contract::{Appended, TestLog};
use rossby_log::TopicAdmin as _;
use rossby_log::providers::kafka::{KafkaConfig, KafkaLog};
use rossby_schemas::time::{ManualClock, Timestamp};
use rossby_schemas::topic::{Retention, TopicName};

#[async_trait]
impl TestLog for KafkaLog {
    /// Kafka goes by its own clock, so what it would remove by the test's is removed for it.
    async fn retire(&self, appended: &[Appended], now: Timestamp) -> usize {
        let mut before = BTreeMap::new();
        for record in appended {
            if matches!(record.topic.retention(), Retention::For(kept) if record.at.plus(kept) < now) {
                let end = before.entry((record.topic, record.partition)).or_insert((0, 0));
                *end = (record.offset + 1, end.1 + 1);
            }
        }
        for ((topic, partition), (end, _)) in &before {
            self.truncate(&TopicName::local(*topic), *partition, *end).await.unwrap();
        }
        before.values().map(|(_, records)| records).sum()
    }
}

/// The folder's name is in the topics' names: the same folder is the same log.
fn open_log(folder: PathBuf, _: Arc<ManualClock>) -> Pin<Box<dyn Future<Output = Arc<dyn TestLog>> + Send>> {
    let brokers = std::env::var("ROSSBY_TEST_KAFKA").expect("ROSSBY_TEST_KAFKA is set by `cargo xtask test`");
    let mut config = KafkaConfig::new(brokers);
    (config.replication, config.min_insync_replicas) = (1, 1);
    let names = folder.iter().rev().take(2).map(|name| name.to_string_lossy().replace('.', ""));
    config.topic_prefix = format!("projections-{}-{}-", std::process::id(), names.collect::<Vec<_>>().join("-"));
    // The machine has other work.
    config.delivery_timeout = Duration::from_secs(20);
    Box::pin(async { Arc::new(KafkaLog::connect(config).unwrap()) as Arc<dyn TestLog> })
}

contract::contract!(postgres_tables::new_database, open_log);

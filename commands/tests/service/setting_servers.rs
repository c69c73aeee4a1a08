//! The log on Kafka and the read models on PostgreSQL: topics and a database of its own for each test.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rossby_log::providers::kafka::{KafkaConfig, KafkaLog};
use rossby_log::topics::TopicSpec;
use rossby_log::{Log, TopicAdmin as _};
use rossby_schemas::time::Clock;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use uuid::Uuid;

/// Where a world keeps its data.
pub(crate) struct Setting {
    database: String,
    prefix: String,
}

impl Setting {
    /// Whether processes hear of what others apply.
    pub(crate) const TELLS_OTHER_PROCESSES: bool = true;

    pub(crate) async fn new() -> Self {
        let admin = std::env::var("ROSSBY_TEST_POSTGRES").expect("ROSSBY_TEST_POSTGRES is set by `cargo xtask test`");
        let own = Uuid::new_v4().simple();
        let mut connection = PgConnection::connect(&admin).await.unwrap();
        let create = format!("create database commands_{own}");
        sqlx::query(AssertSqlSafe(create)).execute(&mut connection).await.unwrap();
        let (server, _) = admin.rsplit_once('/').unwrap();
        Self { database: format!("{server}/commands_{own}"), prefix: format!("commands-{own}-") }
    }

    pub(crate) fn read_models(&self, _: &Path) -> String {
        self.database.clone()
    }

    pub(crate) async fn log(&self, _: &Path, _: Arc<dyn Clock>) -> Arc<dyn Log> {
        let brokers = std::env::var("ROSSBY_TEST_KAFKA").expect("ROSSBY_TEST_KAFKA is set by `cargo xtask test`");
        let mut config = KafkaConfig::new(brokers);
        (config.replication, config.min_insync_replicas) = (1, 1);
        config.topic_prefix = self.prefix.clone();
        // The machine has other work.
        config.delivery_timeout = Duration::from_secs(20);
        let log = KafkaLog::connect(config).unwrap();
        log.ensure_topics(&TopicSpec::local(2)).await.unwrap();
        Arc::new(log)
    }
}

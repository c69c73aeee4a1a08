//! What a server keeps its data in: SQLite in a folder, or topics and a database of this test's own on servers that run.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use rossby_log::Log;
use rossby_schemas::time::SystemClock;

use crate::process::Server;

/// How many partitions each topic has.
pub(crate) const PARTITIONS: u32 = 2;

/// A set-up.
#[derive(Debug, Clone)]
pub(crate) struct SetUp {
    pub(crate) settings: Vec<(String, String)>,
    /// The brokers and the topics' prefix, unless it is embedded.
    kafka: Option<(String, String)>,
    /// The database, unless it is embedded.
    pub(crate) postgres: Option<String>,
}

impl SetUp {
    #[allow(dead_code, reason = "not used by the tests on servers")]
    pub(crate) fn embedded() -> Self {
        let settings = vec![("ROSSBY_LOG__PARTITIONS".to_owned(), PARTITIONS.to_string())];
        Self { settings, kafka: None, postgres: None }
    }

    /// Topics and a database that no one else has.
    #[allow(dead_code, reason = "used by the tests on servers alone")]
    pub(crate) async fn on_servers() -> Self {
        use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
        let variable = |name: &str| std::env::var(name).expect("`cargo xtask test` sets it");
        let (brokers, admin) = (variable("ROSSBY_TEST_KAFKA"), variable("ROSSBY_TEST_POSTGRES"));
        let name = format!("person_{}", uuid::Uuid::new_v4().simple());
        let mut connection = PgConnection::connect(&admin).await.unwrap();
        sqlx::query(AssertSqlSafe(format!("create database {name}"))).execute(&mut connection).await.unwrap();
        let database = format!("{}/{name}", admin.rsplit_once('/').unwrap().0);
        let prefix = format!("{name}-");
        let settings = [
            ("ROSSBY_LOG__PROVIDER", "kafka"),
            ("ROSSBY_LOG__PARTITIONS", &PARTITIONS.to_string()),
            ("ROSSBY_LOG__KAFKA_BROKERS", &brokers),
            ("ROSSBY_LOG__KAFKA_REPLICATION", "1"),
            ("ROSSBY_LOG__KAFKA_MIN_INSYNC_REPLICAS", "1"),
            ("ROSSBY_LOG__KAFKA_TOPIC_PREFIX", &prefix),
            // The machine has other work.
            ("ROSSBY_LOG__KAFKA_DELIVERY_TIMEOUT_MS", "20000"),
            ("ROSSBY_READ_MODELS__URL", &database),
        ];
        let settings = settings.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
        Self { settings, kafka: Some((brokers, prefix)), postgres: Some(database) }
    }

    /// The same, with blobs in a store that speaks S3.
    pub(crate) fn with_blobs_in(mut self, s3: &rossby_testing::S3) -> Self {
        use rossby_testing::S3;
        let settings = [
            ("IN", "s3"),
            ("S3_ENDPOINT", &s3.endpoint()),
            ("S3_BUCKET", S3::BUCKET),
            ("S3_REGION", S3::REGION),
            ("S3_ACCESS_KEY_ID", S3::ACCESS_KEY_ID),
            ("S3_SECRET_ACCESS_KEY", S3::SECRET_ACCESS_KEY),
        ];
        self.settings.extend(settings.map(|(name, value)| (format!("ROSSBY_BLOBS__{name}"), value.to_owned())));
        self
    }

    /// A server with this set-up, its data or secrets in `data_dir`.
    pub(crate) fn start(&self, data_dir: &Path, port: u16) -> Server {
        if self.kafka.is_some() && !self.secrets(data_dir).exists() {
            new_secrets(&self.secrets(data_dir));
        }
        Server::start(&self.settings_in(data_dir), data_dir, port)
    }

    /// The file of its master secret.
    pub(crate) fn secrets(&self, data_dir: &Path) -> PathBuf {
        if self.kafka.is_some() { data_dir.with_extension("secrets.toml") } else { data_dir.join("secrets.toml") }
    }

    fn settings_in(&self, data_dir: &Path) -> Vec<(String, String)> {
        let mut settings = self.settings.clone();
        if self.kafka.is_some() {
            settings.push(("ROSSBY_SECRETS__FILE".to_owned(), self.secrets(data_dir).display().to_string()));
        }
        settings
    }

    /// What a server that does not start says.
    pub(crate) fn refused(&self, data_dir: &Path) -> String {
        let mut command = Command::new(env!("CARGO_BIN_EXE_rossby"));
        command.args(["serve", "--listen", "127.0.0.1:0", "--data-dir"]).arg(data_dir);
        command.env("ROSSBY_SERVER__OPERATOR_LISTEN", "127.0.0.1:0").envs(self.settings_in(data_dir));
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        String::from_utf8(output.stderr).unwrap()
    }

    /// The log, once the server has stopped.
    pub(crate) async fn open_log(&self, data_dir: &Path) -> Arc<dyn Log> {
        match &self.kafka {
            None => {
                use rossby_log::providers::sqlite::{SqliteConfig, SqliteLog};
                let config = SqliteConfig::new(data_dir.join("log"));
                Arc::new(SqliteLog::open(config, Arc::new(SystemClock)).await.unwrap())
            }
            Some((brokers, prefix)) => {
                use rossby_log::providers::kafka::{KafkaConfig, KafkaLog};
                let mut config = KafkaConfig::new(brokers);
                config.topic_prefix.clone_from(prefix);
                Arc::new(KafkaLog::connect(config).unwrap())
            }
        }
    }
}

/// Makes a file with a master secret that is like no other.
pub(crate) fn new_secrets(file: &Path) {
    let made = Command::new(env!("CARGO_BIN_EXE_rossby")).args(["secrets", "new"]).arg(file).output().unwrap();
    assert!(made.status.success(), "{made:?}");
}

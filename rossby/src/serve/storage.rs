//! What a server keeps its data in: the log with its topics, the read models, the secrets. The two seams are chosen here.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use rossby_blobs::{BlobStore, S3Config};
use rossby_log::providers::kafka::{KafkaConfig, KafkaLog};
use rossby_log::providers::sqlite::{SqliteConfig, SqliteLog};
use rossby_log::topics::{TopicReport, TopicSpec, TopicState};
use rossby_log::{Log, TopicAdmin};
use rossby_projections::ReadModels;
use rossby_schemas::ids::RegionNumber;
use rossby_schemas::time::Clock;

use super::data_dir;
use crate::config::{BlobsIn, LogProvider, Settings};

/// The log, by what each of its users needs of it.
pub(crate) struct OpenLog {
    pub(crate) log: Arc<dyn Log>,
    pub(crate) admin: Arc<dyn TopicAdmin>,
    /// The logs of other regions.
    pub(super) others: BTreeMap<RegionNumber, Arc<dyn Log>>,
    /// The embedded log, whose old records this process removes; Kafka does that by itself.
    pub(super) embedded: Option<Arc<SqliteLog>>,
}

impl OpenLog {
    /// Closes this region's log and the others'.
    pub(crate) async fn close(&self) {
        self.log.close().await;
        for other in self.others.values() {
            other.close().await;
        }
    }
}

/// Opens the log that the settings name, and what writes to the logs of other regions: they need not be reachable.
///
/// # Errors
/// It can't be opened, or another process has the embedded one.
pub(super) async fn open_log(settings: &Settings, clock: Arc<dyn Clock>) -> anyhow::Result<OpenLog> {
    let mut log = open_log_of(settings, &settings.region.name, clock).await?;
    for other in settings.regions.iter().filter(|other| other.name != settings.region.name) {
        // Far away, and perhaps cut off: that is found out before a record is handed over.
        let config = KafkaConfig { ask_first: true, ..kafka_config(settings, &other.name) };
        let other_log = KafkaLog::connect(config);
        let other_log = other_log.with_context(|| format!("the log of region {} can't be opened", other.name))?;
        log.others.insert(RegionNumber(other.number), Arc::new(other_log));
    }
    Ok(log)
}

/// Opens the log of one region alone.
///
/// # Errors
/// It can't be opened, or another process has the embedded one.
pub(crate) async fn open_log_of(settings: &Settings, region: &str, clock: Arc<dyn Clock>) -> anyhow::Result<OpenLog> {
    match settings.log.provider {
        LogProvider::Sqlite => {
            data_dir::prepare(&settings.server.data_dir)?;
            let config = SqliteConfig::new(settings.server.data_dir.join("log"));
            let log = Arc::new(SqliteLog::open(config, clock).await.context("the log can't be opened")?);
            Ok(OpenLog { log: log.clone(), admin: log.clone(), others: BTreeMap::new(), embedded: Some(log) })
        }
        LogProvider::Kafka => {
            let log = KafkaLog::connect(kafka_config(settings, region)).context("the log can't be opened")?;
            let log = Arc::new(log);
            Ok(OpenLog { log: log.clone(), admin: log, others: BTreeMap::new(), embedded: None })
        }
    }
}

/// Opens the log that the settings name for reading alone. An embedded server may be running on it.
///
/// # Errors
/// It can't be opened, or there is none.
pub(crate) async fn open_log_for_reading(settings: &Settings, clock: Arc<dyn Clock>) -> anyhow::Result<Arc<dyn Log>> {
    match settings.log.provider {
        LogProvider::Sqlite => {
            let folder = settings.server.data_dir.join("log");
            if !folder.join("log.sqlite").exists() {
                bail!(
                    "there is no log in {}; --data-dir names the folder of an embedded server, --config the settings of another",
                    settings.server.data_dir.display()
                );
            }
            let log = SqliteLog::open_read_only(SqliteConfig::new(folder), clock).await;
            Ok(Arc::new(log.context("the log can't be opened")?))
        }
        LogProvider::Kafka => {
            let log = KafkaLog::connect(kafka_config(settings, &settings.region.name));
            Ok(Arc::new(log.context("the log can't be opened")?))
        }
    }
}

/// Makes the data folder, with access for its owner alone.
///
/// # Errors
/// It can't be made, or others may enter it.
pub(crate) fn prepare_data_dir(settings: &Settings) -> anyhow::Result<()> {
    data_dir::prepare(&settings.server.data_dir)
}

/// How a region's cluster is reached, and its topics are kept.
fn kafka_config(settings: &Settings, region: &str) -> KafkaConfig {
    let (log, (brokers, more)) = (&settings.log, settings.cluster(region));
    let mut config = KafkaConfig::new(brokers);
    config.replication = log.kafka_replication;
    config.min_insync_replicas = log.kafka_min_insync_replicas;
    config.delivery_timeout = Duration::from_millis(log.kafka_delivery_timeout_ms);
    config.topic_prefix.clone_from(&log.kafka_topic_prefix);
    config.settings = more.into_iter().map(|(name, value)| (name, value.0.into())).collect();
    config
}

/// The topics of this region's log: those that it writes, and those that a mirror brings from others.
pub(crate) fn topics(settings: &Settings) -> Vec<TopicSpec> {
    topics_in(settings, &settings.region.name)
}

/// The topics of a region's log.
pub(crate) fn topics_in(settings: &Settings, region: &str) -> Vec<TopicSpec> {
    let mut topics = TopicSpec::local(settings.log.partitions);
    for other in settings.regions.iter().filter(|other| other.name != region) {
        topics.extend(TopicSpec::mirrored(&other.name, settings.log.partitions));
    }
    topics
}

/// Makes missing topics and corrects the settings of those that are there.
///
/// # Errors
/// The log can't be asked, or a topic has another number of partitions: keys would move.
pub(super) async fn ensure_topics(log: &OpenLog, settings: &Settings) -> anyhow::Result<()> {
    let reports = log.admin.ensure_topics(&topics(settings)).await.context("the log's topics can't be made")?;
    refuse_other_partitions(&reports)
}

fn refuse_other_partitions(reports: &[TopicReport]) -> anyhow::Result<()> {
    for report in reports {
        if let TopicState::PartitionsDiffer { has, should_have } = &report.state {
            bail!(
                "the topic {} has {has} partitions, and the setting log.partitions says {should_have}; set it to what the \
                 topics were made with",
                report.name
            );
        }
    }
    Ok(())
}

/// The read models that the settings name.
pub(crate) fn read_models_url(settings: &Settings) -> String {
    match settings.read_models.url.0.as_str() {
        "" => format!("sqlite:{}", settings.server.data_dir.join("read-models.sqlite").display()),
        url => url.to_owned(),
    }
}

/// Opens the read models that the settings name, and brings their tables up to date.
///
/// # Errors
/// They can't be reached, or were made by a newer Rossby.
pub(crate) async fn open_read_models(settings: &Settings) -> anyhow::Result<ReadModels> {
    let url = read_models_url(settings);
    if url.starts_with("sqlite:") {
        data_dir::prepare(&settings.server.data_dir)?;
    }
    ReadModels::open(&url, settings.read_models.max_connections).await.context("the read models can't be opened")
}

/// Opens the store of blobs that the settings name. A folder is made if it is not there; a store that speaks S3 is not asked yet.
///
/// # Errors
/// The folder can't be made, or others may enter it; the settings name no store.
pub(super) fn open_blobs(settings: &Settings) -> anyhow::Result<BlobStore> {
    let blobs = &settings.blobs;
    let opened = match blobs.kept_in {
        BlobsIn::Folder => {
            let named = !blobs.folder.as_os_str().is_empty();
            let folder = if named { blobs.folder.clone() } else { settings.server.data_dir.join("blobs") };
            data_dir::prepare(&folder)?;
            BlobStore::folder(&folder)
        }
        BlobsIn::S3 => BlobStore::s3(&S3Config {
            endpoint: blobs.s3_endpoint.0.clone(),
            bucket: blobs.s3_bucket.clone(),
            region: blobs.s3_region.clone(),
            access_key_id: blobs.s3_access_key_id.clone(),
            secret_access_key: blobs.s3_secret_access_key.0.clone(),
        }),
    };
    opened.context("blobs can't be kept")
}

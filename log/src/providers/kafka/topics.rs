//! What an operator does to topics.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use async_trait::async_trait;
use rdkafka::admin::{
    AdminClient, AdminOptions, AlterConfig, ConfigResource, NewTopic, OwnedResourceSpecifier, ResourceSpecifier,
    TopicReplication,
};
use rdkafka::error::RDKafkaErrorCode as Code;
use rdkafka::{Offset as KafkaOffset, TopicPartitionList};
use rossby_schemas::topic::TopicName;
use tokio::time::Instant;

use super::KafkaLog;
use super::config::KafkaConfig;
use super::consumers::blocking;
use super::context::Context;
use super::errors::{code_error, is_gone, log_error};
use super::settings::{Settings, complete, drift, wanted};
use crate::error::LogError;
use crate::port::{Offset, TopicAdmin};
use crate::topics::{TopicReport, TopicSpec, TopicState};

/// How long the cluster may take for a change.
const PATIENCE: Duration = Duration::from_secs(15);
/// How often it is asked whether a change is there.
const LOOK: Duration = Duration::from_millis(20);

type Client = AdminClient<Context>;

/// The client for changes of topics.
pub(super) struct Admin(RwLock<Option<Arc<Client>>>);

impl Admin {
    pub(super) fn new(config: &KafkaConfig) -> Result<Self, LogError> {
        let client = config.admin().create_with_context(Context { client: "admin" });
        Ok(Self(RwLock::new(Some(Arc::new(client.map_err(|e| log_error(&e))?)))))
    }

    fn client(&self) -> Result<Arc<Client>, LogError> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone().ok_or(LogError::Closed)
    }

    fn take(&self) -> Option<Arc<Client>> {
        self.0.write().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Refuses what comes after it.
    pub(super) async fn close(&self) {
        let client = self.take();
        let _ = blocking(move || drop(client)).await;
    }
}

impl Drop for Admin {
    fn drop(&mut self) {
        let client = self.take();
        // It waits for its thread, and this may be a thread that others wait for.
        std::thread::spawn(move || drop(client));
    }
}

fn options() -> AdminOptions {
    AdminOptions::new().request_timeout(Some(PATIENCE)).operation_timeout(Some(PATIENCE))
}

/// A topic compared with what it should be.
struct Found {
    report: TopicReport,
    /// All settings that it is to have; none for a topic that is not there.
    settings: Option<Settings>,
}

impl KafkaLog {
    async fn compare(&self, spec: &TopicSpec) -> Result<Found, LogError> {
        let of = |state| TopicReport { name: spec.name.clone(), state };
        let has = match self.lookups.ask_partitions(&spec.name).await {
            Ok(has) => has,
            Err(LogError::NoSuchTopic(_)) => return Ok(Found { report: of(TopicState::Missing), settings: None }),
            Err(error) => return Err(error),
        };
        let should_have = spec.partitions;
        if has != should_have {
            return Ok(Found { report: of(TopicState::PartitionsDiffer { has, should_have }), settings: None });
        }
        let found = self.describe(&spec.name).await?;
        let wanted = wanted(spec, &self.config);
        let drift = drift(&wanted, &found.entries);
        let state = if drift.is_empty() { TopicState::Right } else { TopicState::SettingsDiffer(drift) };
        Ok(Found { report: of(state), settings: Some(complete(wanted, &found.entries)) })
    }

    async fn describe(&self, topic: &TopicName) -> Result<ConfigResource, LogError> {
        let (client, name) = (self.admin.client()?, self.config.topic(topic));
        let topics = [&ResourceSpecifier::Topic(&name)];
        let answers = client.describe_configs(topics, &options()).await.map_err(|e| log_error(&e))?;
        let mut found = answers.into_iter().map(|answer| answer.map_err(|code| topic_error(topic, code)));
        let found = found.next().unwrap_or_else(|| Err(LogError::Unavailable("Kafka gave no settings".to_owned())))?;
        match found.specifier {
            OwnedResourceSpecifier::Topic(_) => Ok(found),
            _ => Err(LogError::Failed(format!("asked for the settings of {name}, Kafka gave others"))),
        }
    }

    async fn make(&self, spec: &TopicSpec) -> Result<(), LogError> {
        let (client, name) = (self.admin.client()?, self.config.topic(&spec.name));
        let partitions = i32::try_from(spec.partitions).unwrap_or(i32::MAX);
        let settings = wanted(spec, &self.config);
        let replication = TopicReplication::Fixed(self.config.replication);
        let topic = settings
            .iter()
            .fold(NewTopic::new(&name, partitions, replication), |topic, (name, value)| topic.set(name, value));
        let made = client.create_topics([&topic], &options()).await.map_err(|e| log_error(&e))?;
        match made.into_iter().find_map(Result::err) {
            // Another process has made it at the same moment.
            None | Some((_, Code::TopicAlreadyExists)) => {}
            Some((_, code)) => return Err(code_error(code)),
        }
        self.until(|| async { Ok(self.is_ready(spec).await?.then_some(())) }).await
    }

    /// Whether the brokers know the topic and its partitions can be asked: they learn of it after the controller.
    async fn is_ready(&self, spec: &TopicSpec) -> Result<bool, LogError> {
        match self.lookups.ask_partitions(&spec.name).await {
            Ok(partitions) => {
                for partition in 0..partitions {
                    match self.lookups.bounds(&spec.name, partition).await {
                        Ok(_) => {}
                        Err(error @ (LogError::Failed(_) | LogError::Closed)) => return Err(error),
                        Err(_) => return Ok(false),
                    }
                }
                Ok(true)
            }
            Err(LogError::NoSuchTopic(_) | LogError::Unavailable(_)) => Ok(false),
            Err(error) => Err(error),
        }
    }

    async fn set(&self, spec: &TopicSpec, settings: &Settings) -> Result<(), LogError> {
        let (client, name) = (self.admin.client()?, self.config.topic(&spec.name));
        let change = settings
            .iter()
            .fold(AlterConfig::new(ResourceSpecifier::Topic(&name)), |change, (name, value)| change.set(name, value));
        let changed = client.alter_configs([&change], &options()).await.map_err(|e| log_error(&e))?;
        if let Some((_, code)) = changed.into_iter().find_map(Result::err) {
            return Err(topic_error(&spec.name, code));
        }
        self.until(|| async {
            let found = self.describe(&spec.name).await?;
            Ok(drift(&wanted(spec, &self.config), &found.entries).is_empty().then_some(()))
        })
        .await
    }

    /// Asks until there is an answer, for as long as a change may take.
    async fn until<T, F>(&self, ask: impl Fn() -> F) -> Result<T, LogError>
    where
        F: Future<Output = Result<Option<T>, LogError>>,
    {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(answer) = ask().await? {
                return Ok(answer);
            }
            if Instant::now() > deadline {
                return Err(LogError::Unavailable("the brokers don't have the change yet".to_owned()));
            }
            tokio::time::sleep(LOOK).await;
        }
    }
}

#[async_trait]
impl TopicAdmin for KafkaLog {
    async fn ensure_topics(&self, topics: &[TopicSpec]) -> Result<Vec<TopicReport>, LogError> {
        let mut reports = Vec::with_capacity(topics.len());
        for spec in topics {
            let found = self.compare(spec).await?;
            match (&found.report.state, &found.settings) {
                (TopicState::Missing, _) => self.make(spec).await?,
                (TopicState::SettingsDiffer(_), Some(settings)) => self.set(spec, settings).await?,
                _ => {}
            }
            reports.push(found.report);
        }
        Ok(reports)
    }

    async fn check_topics(&self, topics: &[TopicSpec]) -> Result<Vec<TopicReport>, LogError> {
        let mut reports = Vec::with_capacity(topics.len());
        for spec in topics {
            reports.push(self.compare(spec).await?.report);
        }
        Ok(reports)
    }

    async fn truncate(&self, topic: &TopicName, partition: u32, before: Offset) -> Result<Offset, LogError> {
        let bounds = self.lookups.bounds(topic, partition).await?;
        let before = before.min(bounds.end);
        if before <= bounds.start {
            return Ok(bounds.start);
        }
        let (client, name) = (self.admin.client()?, self.config.topic(topic));
        let number = self.lookups.partition(topic, partition).await?;
        let mut list = TopicPartitionList::new();
        let offset = KafkaOffset::Offset(i64::try_from(before).unwrap_or(i64::MAX));
        list.add_partition_offset(&name, number, offset).map_err(|e| log_error(&e))?;
        let removed = client.delete_records(&list, &options()).await.map_err(|e| log_error(&e))?;
        if let Some(Err(error)) = removed.elements().first().map(|element| element.error()) {
            return Err(log_error(&error));
        }
        self.lookups.bounds(topic, partition).await.map(|bounds| bounds.start)
    }

    async fn remove_topic(&self, topic: &TopicName) -> Result<(), LogError> {
        let (client, name) = (self.admin.client()?, self.config.topic(topic));
        let removed = client.delete_topics(&[&name], &options()).await.map_err(|e| log_error(&e))?;
        self.lookups.forget(topic);
        if let Some((_, code)) = removed.into_iter().find_map(Result::err) {
            return Err(topic_error(topic, code));
        }
        self.until(|| async {
            match self.lookups.ask_partitions(topic).await {
                Ok(_) | Err(LogError::Unavailable(_)) => Ok(None),
                Err(LogError::NoSuchTopic(_)) => Ok(Some(())),
                Err(error) => Err(error),
            }
        })
        .await
    }
}

fn topic_error(topic: &TopicName, code: Code) -> LogError {
    if is_gone(code) { LogError::NoSuchTopic(topic.clone()) } else { code_error(code) }
}

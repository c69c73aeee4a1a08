//! Questions to the cluster: which topics there are, and where their partitions start and end.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use rdkafka::consumer::Consumer as _;
use rdkafka::error::RDKafkaErrorCode as Code;
use rossby_schemas::topic::TopicName;

use super::config::KafkaConfig;
use super::consumers::{Consumer, blocking};
use super::errors::{code_error, is_gone, log_error};
use crate::error::LogError;
use crate::port::{Bounds, Offset};

/// Asks, and remembers how many partitions topics have. Cheap to clone.
#[derive(Clone)]
pub(super) struct Lookups(Arc<Inner>);

struct Inner {
    /// None after it was closed. It fetches nothing: a broker answers a connection's requests one after the other, and
    /// questions would wait for a fetch that waits for records.
    client: RwLock<Option<Arc<Consumer>>>,
    config: KafkaConfig,
    partitions: RwLock<HashMap<TopicName, u32>>,
}

impl Lookups {
    /// Must be called in a runtime.
    pub(super) fn new(config: KafkaConfig) -> Result<Self, LogError> {
        let client = RwLock::new(Some(Consumer::start(&config.consumer())?));
        Ok(Self(Arc::new(Inner { client, config, partitions: RwLock::default() })))
    }

    fn client(&self) -> Result<Arc<Consumer>, LogError> {
        self.0.client.read().unwrap_or_else(PoisonError::into_inner).clone().ok_or(LogError::Closed)
    }

    /// Refuses what comes after it.
    pub(super) fn close(&self) {
        self.0.client.write().unwrap_or_else(PoisonError::into_inner).take();
    }

    /// How many partitions a topic has, as remembered or else as the cluster says.
    pub(super) async fn partitions(&self, topic: &TopicName) -> Result<u32, LogError> {
        let known = self.0.partitions.read().unwrap_or_else(PoisonError::into_inner).get(topic).copied();
        match known {
            Some(partitions) => Ok(partitions),
            None => self.ask_partitions(topic).await,
        }
    }

    /// The partition's number for Kafka, if the topic has it.
    pub(super) async fn partition(&self, topic: &TopicName, partition: u32) -> Result<i32, LogError> {
        let partitions = self.partitions(topic).await?;
        match i32::try_from(partition) {
            Ok(number) if partition < partitions => Ok(number),
            _ => Err(LogError::NoSuchPartition { topic: topic.clone(), partition, partitions }),
        }
    }

    /// Asks the cluster, and remembers the answer.
    pub(super) async fn ask_partitions(&self, topic: &TopicName) -> Result<u32, LogError> {
        let (client, name, asked) = (self.client()?, self.0.config.topic(topic), topic.clone());
        let timeout = self.timeout();
        let answer = blocking(move || {
            let metadata = client.client.fetch_metadata(Some(&name), timeout).map_err(|e| log_error(&e))?;
            let found = metadata.topics().iter().find(|topic| topic.name() == name);
            let Some(found) = found else { return Err(LogError::NoSuchTopic(asked)) };
            match found.error().map(Code::from) {
                None => Ok(u32::try_from(found.partitions().len()).unwrap_or(0)),
                Some(code) if is_gone(code) => Err(LogError::NoSuchTopic(asked)),
                Some(code) => Err(code_error(code)),
            }
        });
        let answer = answer.await?.and_then(|partitions| match partitions {
            0 => Err(LogError::Unavailable(format!("the topic {topic} has no partitions yet"))),
            partitions => Ok(partitions),
        });
        let mut known = self.0.partitions.write().unwrap_or_else(PoisonError::into_inner);
        match &answer {
            Ok(partitions) => drop(known.insert(topic.clone(), *partitions)),
            Err(LogError::NoSuchTopic(_)) => drop(known.remove(topic)),
            Err(_) => {}
        }
        answer
    }

    /// Forgets a topic that may be gone.
    pub(super) fn forget(&self, topic: &TopicName) {
        self.0.partitions.write().unwrap_or_else(PoisonError::into_inner).remove(topic);
    }

    /// Where a partition starts and ends, for readers of committed records.
    pub(super) async fn bounds(&self, topic: &TopicName, partition: u32) -> Result<Bounds, LogError> {
        let number = self.partition(topic, partition).await?;
        let (client, name, timeout) = (self.client()?, self.0.config.topic(topic), self.timeout());
        match blocking(move || client.client.fetch_watermarks(&name, number, timeout)).await? {
            Ok((start, end)) => Ok(Bounds { start: offset(start), end: offset(end) }),
            Err(error) => {
                // A topic that has just gone is told in more than one way.
                let partitions = self.ask_partitions(topic).await?;
                if partition >= partitions {
                    return Err(LogError::NoSuchPartition { topic: topic.clone(), partition, partitions });
                }
                Err(log_error(&error))
            }
        }
    }

    /// Whether the cluster answers.
    pub(super) async fn answers(&self) -> Result<(), LogError> {
        let (client, timeout) = (self.client()?, self.timeout().min(Duration::from_secs(2)));
        let name = self.0.config.topic(&TopicName::local(rossby_schemas::topic::Topic::Keys));
        let asked =
            blocking(move || client.client.fetch_metadata(Some(&name), timeout).map(drop).map_err(|e| log_error(&e)));
        asked.await?
    }

    fn timeout(&self) -> Duration {
        self.0.config.delivery_timeout.min(Duration::from_secs(5))
    }
}

fn offset(offset: i64) -> Offset {
    u64::try_from(offset).unwrap_or(0)
}

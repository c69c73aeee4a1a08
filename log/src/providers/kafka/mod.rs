//! The log on Kafka: many processes, many brokers, records replicated.
//!
//! **Appending.** One idempotent producer with `acks=all`. Everything that goes wrong after librdkafka has taken a record
//! is *unknown*, whatever the error says: an attempt that timed out may still be written. After one delivery time-out a
//! circuit breaker refuses appends at once, until the cluster answers the producer's own question again.
//!
//! **Reading.** Partitions are assigned with explicit offsets, without a group and without a reset to either end, and only
//! committed records are given. Readers share consumers, each with its partition's own bounded queue.
//!
//! **How durable.** An acknowledged record is with all replicas that were in sync, and those are at least
//! [`KafkaConfig::min_insync_replicas`]. Kafka does not flush to disk before it acknowledges: the replicas are what a
//! record's life depends on.
//!
//! rdkafka's types stay in this folder.

mod breaker;
mod config;
mod consumers;
mod context;
mod errors;
mod lookups;
mod producer;
mod reader;
mod record;
mod settings;
mod topics;

use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use async_trait::async_trait;
use rossby_schemas::topic::TopicName;
use tokio_util::sync::CancellationToken;

pub use self::config::KafkaConfig;
use self::consumers::Consumers;
use self::lookups::Lookups;
use self::producer::Producer;
use self::reader::KafkaReader;
pub use self::record::MAX_ENCODED_BYTES;
use self::topics::Admin;
use crate::error::{AppendError, LogError, ReadError};
use crate::metrics;
use crate::port::{Bounds, Log, LogRecord, Offset, PartitionReader};

/// The log on Kafka.
pub struct KafkaLog {
    config: KafkaConfig,
    producer: Producer,
    consumers: Arc<Consumers>,
    lookups: Lookups,
    admin: Admin,
    closed: CancellationToken,
}

impl fmt::Debug for KafkaLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KafkaLog").field("config", &self.config).finish_non_exhaustive()
    }
}

impl KafkaLog {
    /// Makes the clients of a cluster. It need not be reachable yet: [`Log::health`] says whether it is. Must be called
    /// within a Tokio runtime.
    ///
    /// # Errors
    /// [`LogError::Failed`] when a setting is wrong or is one that can't be set.
    pub fn connect(config: KafkaConfig) -> Result<Self, LogError> {
        config.check()?;
        let closed = CancellationToken::new();
        let consumers = Consumers::new(config.consumer());
        let lookups = Lookups::new(config.clone())?;
        let producer = Producer::new(config.clone(), lookups.clone(), closed.clone())?;
        let admin = Admin::new(&config)?;
        Ok(Self { config, producer, consumers: Arc::new(consumers), lookups, admin, closed })
    }
}

#[async_trait]
impl Log for KafkaLog {
    async fn partitions(&self, topic: &TopicName) -> Result<u32, LogError> {
        self.lookups.partitions(topic).await
    }

    async fn append(&self, topic: &TopicName, partition: u32, record: LogRecord) -> Result<Offset, AppendError> {
        let started = Instant::now();
        let result = self.producer.append(topic, partition, &record).await;
        metrics::appended(topic, started, &result);
        result
    }

    async fn bounds(&self, topic: &TopicName, partition: u32) -> Result<Bounds, LogError> {
        self.lookups.bounds(topic, partition).await
    }

    async fn read(
        &self,
        topic: &TopicName,
        partition: u32,
        from: Offset,
    ) -> Result<Box<dyn PartitionReader>, ReadError> {
        let bounds = self.lookups.bounds(topic, partition).await?;
        if from < bounds.start || from > bounds.end {
            return Err(ReadError::OutOfRange { from, bounds });
        }
        let number = self.lookups.partition(topic, partition).await?;
        let assignment = self.consumers.assign((self.config.topic(topic), number), from).await?;
        let (lookups, closed) = (self.lookups.clone(), self.closed.clone());
        let place = (topic.clone(), partition);
        Ok(Box::new(KafkaReader::new(place, lookups, assignment, closed, from, bounds.end)))
    }

    async fn health(&self) -> Result<(), LogError> {
        self.producer.health()?;
        self.lookups.answers().await
    }

    async fn close(&self) {
        self.producer.close().await;
        self.closed.cancel();
        self.consumers.close();
        self.lookups.close();
        self.admin.close().await;
    }
}

impl Drop for KafkaLog {
    fn drop(&mut self) {
        self.closed.cancel();
    }
}

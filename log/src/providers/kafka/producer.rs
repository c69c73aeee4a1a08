//! Appending: one producer for the process, which is made anew when librdkafka gives it up.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::producer::{FutureProducer, Producer as _};
use rossby_schemas::topic::TopicName;
use tokio::sync::RwLock as Gate;
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;

use super::breaker::Breaker;
use super::config::KafkaConfig;
use super::consumers::blocking;
use super::context::Context;
use super::errors::{is_gone, log_error};
use super::lookups::Lookups;
use super::record;
use crate::error::{AppendError, LogError};
use crate::port::{LogRecord, Offset};

/// How long a probe may take.
const PROBE: Duration = Duration::from_secs(1);

type Client = FutureProducer<Context>;

/// Cheap to clone.
#[derive(Clone)]
pub(super) struct Producer(Arc<Inner>);

struct Inner {
    config: KafkaConfig,
    settings: ClientConfig,
    /// None after it was closed.
    client: RwLock<Option<Client>>,
    /// Appends under way have it shared; closing takes it alone.
    gate: Gate<()>,
    breaker: Breaker,
    lookups: Lookups,
}

impl Producer {
    pub(super) fn new(config: KafkaConfig, lookups: Lookups, closed: CancellationToken) -> Result<Self, LogError> {
        let settings = config.producer();
        let client = RwLock::new(Some(create(&settings)?));
        Ok(Self(Arc::new(Inner {
            config,
            settings,
            client,
            gate: Gate::new(()),
            breaker: Breaker::new(closed),
            lookups,
        })))
    }

    fn client(&self) -> Result<Client, LogError> {
        self.0.client.read().unwrap_or_else(PoisonError::into_inner).clone().ok_or(LogError::Closed)
    }

    /// Whether appends are tried.
    pub(super) fn health(&self) -> Result<(), LogError> {
        drop(self.client()?);
        self.0.breaker.check()
    }

    pub(super) async fn append(
        &self,
        topic: &TopicName,
        partition: u32,
        record: &LogRecord,
    ) -> Result<Offset, AppendError> {
        let deadline = Instant::now() + self.0.config.delivery_timeout;
        drop(self.client()?);
        let _under_way = self.0.gate.read().await;
        let client = self.client()?;
        self.0.breaker.check()?;
        record::check(record)?;
        let name = self.0.config.topic(topic);
        let number = match timeout_at(deadline, self.number(topic, partition)).await {
            Ok(Ok(number)) => number,
            Ok(Err(error)) => {
                if matches!(error, LogError::Unavailable(_)) {
                    self.open_breaker(error.to_string(), &name);
                }
                return Err(error.into());
            }
            Err(_) => {
                let why = format!("the cluster did not say in {:?} where {topic} is", self.0.config.delivery_timeout);
                self.open_breaker(why.clone(), &name);
                return Err(LogError::Unavailable(why).into());
            }
        };
        // Refused by librdkafka itself: it has not taken the record.
        let delivery = match client.send_result(record::outgoing(&name, number, record)) {
            Ok(delivery) => delivery,
            Err((error, _)) => return Err(self.not_taken(&error, topic, &name).into()),
        };
        // It is handed over: from here on nothing is certain but its acknowledgement.
        match timeout_at(deadline, delivery).await {
            Ok(Ok(Ok(delivered))) => match u64::try_from(delivered.offset) {
                Ok(offset) => Ok(offset),
                Err(_) => Err(AppendError::Unknown("Kafka acknowledged it without an offset".to_owned())),
            },
            Ok(Ok(Err((error, _)))) => {
                self.not_delivered(&error, topic, &name);
                Err(AppendError::Unknown(error.to_string()))
            }
            Ok(Err(_)) => Err(AppendError::Unknown("the producer ended".to_owned())),
            Err(_) => {
                let why = format!("no acknowledgement in {:?}", self.0.config.delivery_timeout);
                self.open_breaker(why.clone(), &name);
                Err(AppendError::Unknown(why))
            }
        }
    }

    /// The partition's number for Kafka.
    async fn number(&self, topic: &TopicName, partition: u32) -> Result<i32, LogError> {
        if self.0.config.ask_first {
            self.0.lookups.ask_partitions(topic).await?;
        }
        self.0.lookups.partition(topic, partition).await
    }

    fn not_taken(&self, error: &KafkaError, topic: &TopicName, name: &str) -> LogError {
        match error.rdkafka_error_code() {
            Some(Code::QueueFull) => LogError::Unavailable("too many appends are waiting".to_owned()),
            Some(code) if is_gone(code) => {
                self.0.lookups.forget(topic);
                LogError::Unavailable(format!("{topic}: {code}"))
            }
            Some(Code::Fatal) => {
                self.open_breaker(error.to_string(), name);
                LogError::Unavailable(error.to_string())
            }
            _ => log_error(error),
        }
    }

    fn not_delivered(&self, error: &KafkaError, topic: &TopicName, name: &str) {
        match error.rdkafka_error_code() {
            Some(code) if is_gone(code) => self.0.lookups.forget(topic),
            // The record's own time-out is librdkafka's word for a cluster that doesn't take it.
            Some(Code::MessageTimedOut | Code::Fatal) => self.open_breaker(error.to_string(), name),
            _ => {}
        }
    }

    fn open_breaker(&self, why: String, topic: &str) {
        let (producer, topic) = (self.clone(), topic.to_owned());
        self.0.breaker.open(why, move || {
            let (producer, topic) = (producer.clone(), topic.clone());
            async move { producer.probe(topic).await }
        });
    }

    /// Whether the producer's own connections reach the cluster. Replaces a producer that was given up.
    async fn probe(&self, topic: String) -> Result<(), LogError> {
        let client = self.client()?;
        if let Some((code, why)) = client.client().fatal_error() {
            tracing::error!(%code, why, "the log's producer is made anew");
            self.replace().await?;
        }
        let client = self.client()?;
        blocking(move || client.client().fetch_metadata(Some(&topic), PROBE).map(drop).map_err(|e| log_error(&e)))
            .await?
    }

    async fn replace(&self) -> Result<(), LogError> {
        let fresh = create(&self.0.settings)?;
        let old = {
            let mut client = self.0.client.write().unwrap_or_else(PoisonError::into_inner);
            match client.as_mut() {
                Some(client) => std::mem::replace(client, fresh),
                None => return Err(LogError::Closed),
            }
        };
        blocking(move || drop(old)).await
    }

    /// Refuses what comes after it, and waits for the outcome of what was handed over.
    pub(super) async fn close(&self) {
        let client = self.0.client.write().unwrap_or_else(PoisonError::into_inner).take();
        let _nobody = self.0.gate.write().await;
        let Some(client) = client else { return };
        // What is left is of appends that were dropped. Each record has its own time-out, so that this ends.
        let patience = self.0.config.delivery_timeout + Duration::from_secs(2);
        let flushed = blocking(move || client.flush(patience)).await;
        if let Ok(Err(error)) = flushed {
            tracing::warn!(%error, "not everything that was handed over has its outcome");
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        let client = self.client.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        // It waits for its threads, and this may be a thread that others wait for.
        std::thread::spawn(move || drop(client));
    }
}

fn create(settings: &ClientConfig) -> Result<Client, LogError> {
    settings.create_with_context(Context { client: "producer" }).map_err(|e| log_error(&e))
}

//! Which topics there are: the tables' rows, and what a process remembers of them.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, PoisonError, RwLock};

use async_trait::async_trait;
use rossby_schemas::topic::{Retention, TopicName};
use sqlx::{SqliteConnection, SqlitePool};
use tokio::sync::watch;

use super::retention::{self, Before};
use super::{SqliteLog, Wake, database};
use crate::error::LogError;
use crate::port::{Log, Offset, TopicAdmin};
use crate::topics::{SettingDrift, TopicReport, TopicSpec, TopicState};

/// A partition as this process knows it.
#[derive(Debug, Clone)]
pub(super) struct Partition {
    /// Its row.
    pub(super) slot: i64,
    /// Wakes its readers.
    pub(super) wake: Wake,
}

/// The topics that are there, each with its partitions in order.
#[derive(Debug, Clone, Default)]
pub(super) struct Topics(Arc<RwLock<HashMap<TopicName, Vec<Partition>>>>);

impl Topics {
    pub(super) fn partitions(&self, topic: &TopicName) -> Result<u32, LogError> {
        let topics = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let partitions = topics.get(topic).ok_or_else(|| LogError::NoSuchTopic(topic.clone()))?;
        Ok(u32::try_from(partitions.len()).unwrap_or(u32::MAX))
    }

    pub(super) fn partition(&self, topic: &TopicName, partition: u32) -> Result<Partition, LogError> {
        let partitions = self.partitions(topic)?;
        let topics = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let found = topics.get(topic).and_then(|all| all.get(usize::try_from(partition).ok()?));
        found.cloned().ok_or_else(|| LogError::NoSuchPartition { topic: topic.clone(), partition, partitions })
    }

    /// Wakes the readers of every partition.
    pub(super) fn wake_all(&self) {
        for partition in self.0.read().unwrap_or_else(PoisonError::into_inner).values().flatten() {
            partition.wake.send_replace(());
        }
    }

    /// Reads the topics from their tables, and wakes the readers of those that are gone.
    pub(super) async fn load(&self, readers: &SqlitePool) -> Result<(), LogError> {
        let rows: Vec<(String, i64)> = sqlx::query_as("select topic, slot from partitions order by topic, partition")
            .fetch_all(readers)
            .await
            .map_err(database::unavailable)?;
        let mut topics = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let mut known: HashMap<i64, Wake> = topics.drain().flat_map(|(_, all)| all).map(|p| (p.slot, p.wake)).collect();
        for (topic, slot) in rows {
            // A name that this version does not know belongs to a newer one, and is left alone.
            if let Ok(name) = topic.parse() {
                let wake = known.remove(&slot).unwrap_or_else(|| Arc::new(watch::Sender::new(())));
                topics.entry(name).or_default().push(Partition { slot, wake });
            }
        }
        for gone in known.values() {
            gone.send_replace(());
        }
        Ok(())
    }
}

/// The retention as its column has it: none for ever.
fn retention_millis(spec: &TopicSpec) -> Option<i64> {
    match spec.retention() {
        Retention::Forever => None,
        Retention::For(duration) => Some(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)),
    }
}

const RETENTION: &str = "retention.ms";

/// What Kafka says for ever with, so that reports read alike.
fn shown(retention: Option<i64>) -> String {
    retention.unwrap_or(-1).to_string()
}

#[async_trait]
impl TopicAdmin for SqliteLog {
    async fn ensure_topics(&self, topics: &[TopicSpec]) -> Result<Vec<TopicReport>, LogError> {
        let reports = self.check_topics(topics).await?;
        for (report, spec) in reports.iter().zip(topics) {
            let (name, partitions, retention) = (spec.name.to_string(), spec.partitions, retention_millis(spec));
            match report.state {
                TopicState::Right | TopicState::PartitionsDiffer { .. } => {}
                TopicState::Missing => {
                    let make = self
                        .writer()?
                        .change(move |connection| Box::pin(make_topic(connection, name, partitions, retention)));
                    make.await?;
                }
                TopicState::SettingsDiffer(_) => {
                    let set = self.writer()?.change(move |connection| {
                        Box::pin(async move {
                            sqlx::query("update topics set retention_millis = ? where name = ?")
                                .bind(retention)
                                .bind(name)
                                .execute(connection)
                                .await
                                .map(|_| 0)
                        })
                    });
                    set.await?;
                }
            }
        }
        self.topics.load(&self.readers).await?;
        Ok(reports)
    }

    async fn check_topics(&self, topics: &[TopicSpec]) -> Result<Vec<TopicReport>, LogError> {
        let mut reports = Vec::with_capacity(topics.len());
        for spec in topics {
            let row: Option<(u32, Option<i64>)> =
                sqlx::query_as("select partitions, retention_millis from topics where name = ?")
                    .bind(spec.name.to_string())
                    .fetch_optional(&self.readers)
                    .await
                    .map_err(database::unavailable)?;
            let state = match row {
                None => TopicState::Missing,
                Some((has, _)) if has != spec.partitions => {
                    TopicState::PartitionsDiffer { has, should_have: spec.partitions }
                }
                Some((_, retention)) if retention != retention_millis(spec) => {
                    let drift = SettingDrift { was: Some(shown(retention)), should_be: shown(retention_millis(spec)) };
                    TopicState::SettingsDiffer(BTreeMap::from([(RETENTION.to_owned(), drift)]))
                }
                Some(_) => TopicState::Right,
            };
            reports.push(TopicReport { name: spec.name.clone(), state });
        }
        Ok(reports)
    }

    async fn truncate(&self, topic: &TopicName, partition: u32, before: Offset) -> Result<Offset, LogError> {
        let slot = self.partition(topic, partition)?.slot;
        retention::remove(self.writer()?, slot, Before::Offset(before)).await?;
        self.bounds(topic, partition).await.map(|bounds| bounds.start)
    }

    async fn remove_topic(&self, topic: &TopicName) -> Result<(), LogError> {
        self.topics.partitions(topic)?;
        let name = topic.to_string();
        let remove = self.writer()?.change(move |connection| {
            Box::pin(async move {
                sqlx::query("delete from records where slot in (select slot from partitions where topic = ?)")
                    .bind(&name)
                    .execute(&mut *connection)
                    .await?;
                // Its partitions go with it.
                sqlx::query("delete from topics where name = ?").bind(&name).execute(connection).await.map(|_| 0)
            })
        });
        remove.await?;
        self.topics.load(&self.readers).await
    }
}

async fn make_topic(
    connection: &mut SqliteConnection,
    name: String,
    partitions: u32,
    retention: Option<i64>,
) -> Result<i64, sqlx::Error> {
    let made = sqlx::query(
        "insert into topics (name, partitions, retention_millis) values (?, ?, ?) on conflict (name) do nothing",
    )
    .bind(&name)
    .bind(partitions)
    .bind(retention)
    .execute(&mut *connection)
    .await?;
    if made.rows_affected() == 0 {
        return Ok(0);
    }
    for partition in 0..partitions {
        sqlx::query("insert into partitions (topic, partition) values (?, ?)")
            .bind(&name)
            .bind(partition)
            .execute(&mut *connection)
            .await?;
    }
    Ok(0)
}

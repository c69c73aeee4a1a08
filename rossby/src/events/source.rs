//! The log of a server, opened for reading.

use std::sync::Arc;

use anyhow::{Context as _, bail};
use rossby_log::{BatchLimit, Bounds, Log, LogError, Offset, StoredRecord};
use rossby_schemas::time::SystemClock;
use rossby_schemas::topic::TopicName;

use super::progress;
use crate::config::Settings;
use crate::serve::storage;

/// A log with the topics that are in it.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) log: Arc<dyn Log>,
    /// This region's topics and those that a mirror brings, with their partitions.
    pub(crate) topics: Vec<(TopicName, u32)>,
}

/// A stretch of a partition.
#[derive(Debug, Clone)]
pub(crate) struct Stretch {
    pub(crate) topic: TopicName,
    pub(crate) partition: u32,
    /// How many partitions the topic has.
    pub(crate) partitions: u32,
    pub(crate) from: Offset,
    /// The first offset after it.
    pub(crate) end: Offset,
}

impl Source {
    /// Opens the log that the settings name. A server may be running on it.
    ///
    /// # Errors
    /// It is not there or can't be reached.
    pub(crate) async fn open(settings: &Settings) -> anyhow::Result<Self> {
        let log = storage::open_log_for_reading(settings, Arc::new(SystemClock)).await?;
        let mut topics = Vec::new();
        for topic in storage::topics(settings) {
            match log.partitions(&topic.name).await {
                Ok(partitions) => topics.push((topic.name, partitions)),
                Err(LogError::NoSuchTopic(_)) => {}
                Err(error) => return Err(error).context("the log can't be asked for its topics"),
            }
        }
        if topics.is_empty() {
            bail!("the log has no topics yet; `rossby topics apply` makes them, and so does the server when it starts");
        }
        Ok(Self { log, topics })
    }

    /// All partitions as far as they go now.
    ///
    /// # Errors
    /// The log can't be asked.
    pub(crate) async fn stretches(&self, takes: impl Fn(&TopicName) -> bool) -> anyhow::Result<Vec<Stretch>> {
        let mut stretches = Vec::new();
        for (topic, partitions) in self.topics.iter().filter(|(topic, _)| takes(topic)) {
            for partition in 0..*partitions {
                let bounds = self.log.bounds(topic, partition).await?;
                let (from, end) = (bounds.start, bounds.end);
                stretches.push(Stretch { topic: topic.clone(), partition, partitions: *partitions, from, end });
            }
        }
        Ok(stretches)
    }

    /// Gives the records of several stretches, one after the other, and shows how far it is.
    ///
    /// # Errors
    /// The log can't be read, or `each` fails.
    pub(crate) async fn scan(
        &self,
        stretches: &[Stretch],
        doing: &'static str,
        mut each: impl FnMut(&Stretch, &StoredRecord) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let bar = progress::records(stretches.iter().map(|stretch| stretch.end - stretch.from).sum(), doing);
        for stretch in stretches {
            let each = |record: &StoredRecord| {
                bar.inc(1);
                each(stretch, record)
            };
            let bounds = Bounds { start: stretch.from, end: stretch.end };
            scan(&*self.log, &stretch.topic, stretch.partition, bounds, each).await?;
        }
        bar.finish_and_clear();
        Ok(())
    }
}

/// Gives the records of a part of a partition in order.
///
/// # Errors
/// The log can't be read, or `each` fails.
pub(crate) async fn scan(
    log: &dyn Log,
    topic: &TopicName,
    partition: u32,
    Bounds { start, end }: Bounds,
    mut each: impl FnMut(&StoredRecord) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    if start == end {
        return Ok(());
    }
    let failed = || format!("partition {partition} of {topic} can't be read");
    let mut reader = log.read(topic, partition, start).await.with_context(failed)?;
    loop {
        let batch = reader.next(BatchLimit::default()).await.with_context(failed)?;
        for record in batch.records.iter().take_while(|record| record.offset < end) {
            each(record)?;
        }
        // The last offsets may be the log's own marks, which no reader is given.
        if batch.caught_up || batch.next_offset >= end {
            return Ok(());
        }
    }
}

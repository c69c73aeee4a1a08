//! A log of which only a part is there for its readers: each partition up to some point, and of that what concerns a box.

use std::collections::BTreeMap;
use std::future::pending;
use std::sync::Arc;

use async_trait::async_trait;
use rossby_log::{
    AppendError, Batch, BatchLimit, Bounds, Log, LogError, LogRecord, Offset, PartitionReader, ReadError, StoredRecord,
};
use rossby_schemas::time::Timestamp;
use rossby_schemas::topic::TopicName;

use crate::events::scope::Scope;
use crate::events::source::Source;

/// Up to where partitions are read.
#[derive(Debug, Clone)]
pub(super) enum Cut {
    /// Up to the first record that the log took after this time: what stands before it is what stood there then.
    After(Timestamp),
    /// Up to these offsets, and nothing of other partitions.
    At(BTreeMap<(TopicName, u32), Offset>),
}

impl Cut {
    /// Up to where the log goes now.
    ///
    /// # Errors
    /// The log can't be asked.
    pub(super) async fn here(source: &Source) -> anyhow::Result<Self> {
        let stretches = source.stretches(|_| true).await?;
        Ok(Self::At(stretches.into_iter().map(|stretch| ((stretch.topic, stretch.partition), stretch.end)).collect()))
    }
}

/// A part of a log, for reading.
#[derive(Debug)]
pub(super) struct Part {
    log: Arc<dyn Log>,
    cut: Cut,
    scope: Option<Scope>,
}

impl Part {
    pub(super) fn new(log: Arc<dyn Log>, cut: Cut, scope: Option<Scope>) -> Self {
        Self { log, cut, scope }
    }
}

#[async_trait]
impl Log for Part {
    async fn partitions(&self, topic: &TopicName) -> Result<u32, LogError> {
        self.log.partitions(topic).await
    }

    async fn append(&self, _: &TopicName, _: u32, _: LogRecord) -> Result<Offset, AppendError> {
        Err(LogError::Failed("it is read only".to_owned()).into())
    }

    async fn bounds(&self, topic: &TopicName, partition: u32) -> Result<Bounds, LogError> {
        self.log.bounds(topic, partition).await
    }

    async fn read(
        &self,
        topic: &TopicName,
        partition: u32,
        from: Offset,
    ) -> Result<Box<dyn PartitionReader>, ReadError> {
        let inner = self.log.read(topic, partition, from).await?;
        let cut = match &self.cut {
            Cut::After(until) => PartitionCut::After(*until),
            Cut::At(offsets) => PartitionCut::At(offsets.get(&(topic.clone(), partition)).copied().unwrap_or(0)),
        };
        let (topic, scope) = (topic.clone(), self.scope.clone());
        Ok(Box::new(PartReader { inner, topic, cut, scope, position: from, is_told: false }))
    }

    async fn health(&self) -> Result<(), LogError> {
        self.log.health().await
    }

    async fn close(&self) {
        self.log.close().await;
    }
}

#[derive(Debug, Clone, Copy)]
enum PartitionCut {
    After(Timestamp),
    At(Offset),
}

impl PartitionCut {
    fn is_beyond(self, record: &StoredRecord) -> bool {
        match self {
            Self::After(until) => record.appended_at > until,
            Self::At(end) => record.offset >= end,
        }
    }

    /// Whether nothing that is to be read can stand at an offset or after it.
    fn is_reached(self, offset: Offset) -> bool {
        matches!(self, Self::At(end) if offset >= end)
    }
}

#[derive(Debug)]
struct PartReader {
    inner: Box<dyn PartitionReader>,
    topic: TopicName,
    cut: PartitionCut,
    scope: Option<Scope>,
    position: Offset,
    /// Whether it was told that the end is reached: nothing comes any more.
    is_told: bool,
}

#[async_trait]
impl PartitionReader for PartReader {
    async fn next(&mut self, limit: BatchLimit) -> Result<Batch, ReadError> {
        loop {
            if self.is_told {
                return pending().await;
            }
            if self.cut.is_reached(self.position) {
                self.is_told = true;
                return Ok(Batch { records: Vec::new(), next_offset: self.position, caught_up: true });
            }
            let mut batch = self.inner.next(limit).await?;
            if let Some(beyond) = batch.records.iter().position(|record| self.cut.is_beyond(record)) {
                batch.next_offset = batch.records.get(beyond).map_or(batch.next_offset, |record| record.offset);
                batch.records.truncate(beyond);
                batch.caught_up = true;
            }
            // Where the log ends the part ends as well, even if something comes meanwhile.
            batch.caught_up |= self.cut.is_reached(batch.next_offset);
            self.is_told = batch.caught_up;
            self.position = batch.next_offset;
            if let Some(scope) = &self.scope {
                batch.records.retain(|record| scope.takes(&self.topic, &record.record));
            }
            if batch.caught_up || !batch.records.is_empty() {
                return Ok(batch);
            }
        }
    }
}

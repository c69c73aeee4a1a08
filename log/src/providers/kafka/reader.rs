//! Readers: one partition's queue each, and what has to be known to say that a reader has caught up.
//!
//! A reader has caught up when the partition's end, asked after the call began, is where it stands. Marks of transactions
//! take offsets too and are never delivered, so that it may stand below the end for ever. Then librdkafka's event of the
//! partition's end decides: one that comes for an assignment made after the end was known says that up to there nothing
//! is left.

use std::fmt;
use std::future::Future;
use std::time::Duration;

use async_trait::async_trait;
use futures::FutureExt;
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rossby_schemas::topic::TopicName;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::consumers::Assignment;
use super::errors::{code_error, is_gone};
use super::lookups::Lookups;
use super::record;
use crate::error::{LogError, ReadError};
use crate::metrics;
use crate::port::{Batch, BatchLimit, Bounds, Offset, PartitionReader, StoredRecord};

/// How long an empty queue stays empty before the partition's end is asked for.
const GRACE: Duration = Duration::from_millis(10);
/// How often is asked again what could not be answered.
const RETRY: Duration = Duration::from_millis(500);
/// How long records below the end may take after the event of the end, at first and at most.
const PATIENCE: (Duration, Duration) = (Duration::from_millis(300), Duration::from_secs(10));

/// A reader of one partition.
pub(super) struct KafkaReader {
    topic: TopicName,
    partition: u32,
    lookups: Lookups,
    assignment: Assignment,
    closed: CancellationToken,
    position: Offset,
    /// A record that was taken from the queue and not given yet.
    held: Option<StoredRecord>,
    /// Why nothing comes any more.
    fault: Option<Fault>,
    /// Whether the caller knows already that it has caught up.
    told: bool,
    /// The partition's end before it was assigned.
    assigned_end: Offset,
    /// Nothing undelivered is below this.
    hollow_to: Offset,
    /// Whether the event of the end came after the last record.
    is_at_end: bool,
    patience: Duration,
}

#[derive(Debug, Clone)]
enum Fault {
    /// The offset is not there any more, or the topic is another one: the bounds decide.
    Moved,
    /// What waiting doesn't cure.
    Failed(LogError),
}

impl fmt::Debug for KafkaReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KafkaReader")
            .field("topic", &self.topic)
            .field("partition", &self.partition)
            .field("position", &self.position)
            .finish_non_exhaustive()
    }
}

impl KafkaReader {
    /// A reader at `from`, which is what was assigned. `end` was the partition's end before that.
    pub(super) fn new(
        (topic, partition): (TopicName, u32),
        lookups: Lookups,
        assignment: Assignment,
        closed: CancellationToken,
        from: Offset,
        end: Offset,
    ) -> Self {
        Self {
            topic,
            partition,
            lookups,
            assignment,
            closed,
            position: from,
            held: None,
            fault: None,
            told: false,
            assigned_end: end,
            hollow_to: from,
            is_at_end: false,
            patience: PATIENCE.0,
        }
    }

    async fn advance(&mut self, limit: BatchLimit) -> Result<Batch, ReadError> {
        loop {
            // Nothing is awaited between taking records and giving them.
            let records = self.take(limit);
            if let Some(last) = records.last() {
                self.position = last.offset + 1;
                self.told = false;
                self.patience = PATIENCE.0;
                return Ok(Batch { records, next_offset: self.position, caught_up: false });
            }
            if self.fault.is_some() {
                self.settle().await?;
            } else if self.told {
                self.receive().await;
            } else if let Some(end) = self.caught_up().await? {
                self.position = self.position.max(end);
                self.told = true;
                return Ok(Batch { records, next_offset: self.position, caught_up: true });
            }
        }
    }

    /// What the queue has now, within the limit.
    fn take(&mut self, limit: BatchLimit) -> Vec<StoredRecord> {
        let (mut records, mut bytes) = (Vec::new(), 0_usize);
        while self.fault.is_none() || self.held.is_some() {
            if self.held.is_none() && self.receive().now_or_never().is_none() {
                break;
            }
            let Some(record) = self.held.take() else { continue };
            bytes = bytes.saturating_add(record.record.size());
            if !records.is_empty() && (records.len() >= limit.records || bytes > limit.bytes) {
                self.held = Some(record);
                break;
            }
            records.push(record);
        }
        records
    }

    /// Waits for the next event and keeps what it says. May be dropped: the event then stays in the queue.
    async fn receive(&mut self) {
        let Some(queue) = self.assignment.queue() else {
            self.fault = Some(Fault::Failed(LogError::Closed));
            return;
        };
        match queue.recv().await {
            Ok(message) => match record::incoming(&message) {
                // An assignment that was made anew may give again what is behind the reader.
                Some(record) if record.offset >= self.position => {
                    self.held = Some(record);
                    self.is_at_end = false;
                }
                _ => {}
            },
            Err(KafkaError::PartitionEOF(_)) => {
                self.is_at_end = true;
                self.hollow_to = self.hollow_to.max(self.assigned_end);
            }
            Err(error) => self.fault = self.fault_of(&error),
        }
    }

    /// What an error means for this reader; none when librdkafka tries again by itself.
    fn fault_of(&self, error: &KafkaError) -> Option<Fault> {
        let code = error.rdkafka_error_code()?;
        tracing::debug!(topic = %self.topic, partition = self.partition, %error, "a reader's partition reports");
        match code {
            Code::AutoOffsetReset | Code::OffsetOutOfRange => Some(Fault::Moved),
            code if is_gone(code) => {
                self.lookups.forget(&self.topic);
                Some(Fault::Moved)
            }
            Code::BadMessage | Code::BadCompression | Code::InvalidMessage | Code::InvalidMessageSize => {
                let why = format!("{} {} can't be read from {}: {code}", self.topic, self.partition, self.position);
                Some(Fault::Failed(LogError::Failed(why)))
            }
            code => match code_error(code) {
                failed @ LogError::Failed(_) => Some(Fault::Failed(failed)),
                _ => None,
            },
        }
    }

    /// Finds out whether the reader can go on, and goes on.
    async fn settle(&mut self) -> Result<(), ReadError> {
        if let Some(Fault::Failed(error)) = &self.fault {
            let error = error.clone();
            // Asked once more, it tries once more.
            self.fault = Some(Fault::Moved);
            return Err(error.into());
        }
        match self.lookups.bounds(&self.topic, self.partition).await {
            Ok(bounds) => {
                self.check(bounds)?;
                self.restart(bounds).await?;
                self.fault = None;
                Ok(())
            }
            Err(LogError::Unavailable(_)) => {
                tokio::time::sleep(RETRY).await;
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
    }

    fn check(&self, bounds: Bounds) -> Result<(), ReadError> {
        if self.position.max(self.hollow_to) < bounds.start || self.position > bounds.end {
            return Err(ReadError::OutOfRange { from: self.position, bounds });
        }
        Ok(())
    }

    /// Fetches anew from where the reader stands, whose bounds are these.
    async fn restart(&mut self, bounds: Bounds) -> Result<(), LogError> {
        let from = self.position.max(bounds.start);
        // Known before the assignment; if this is dropped meanwhile, an old event must not count for it.
        self.is_at_end = false;
        self.assigned_end = 0;
        self.assignment.restart(from).await?;
        self.assigned_end = bounds.end;
        Ok(())
    }

    /// The partition's end if the reader has caught up with it. None when something else has come, or may yet.
    async fn caught_up(&mut self) -> Result<Option<Offset>, ReadError> {
        if self.receives_within(GRACE).await {
            return Ok(None);
        }
        let (lookups, topic, partition) = (self.lookups.clone(), self.topic.clone(), self.partition);
        let bounds = async move { lookups.bounds(&topic, partition).await };
        let Some(bounds) = self.unless_received(bounds).await else { return Ok(None) };
        match bounds {
            Ok(bounds) if self.check(bounds).is_err() => self.fault = Some(Fault::Moved),
            Ok(bounds) if bounds.end <= self.position.max(self.hollow_to) => return Ok(Some(bounds.end)),
            // The event of the end has come, and yet there is more: either it is on its way, or it is marks.
            Ok(bounds) if self.is_at_end => {
                if !self.receives_within(self.patience).await {
                    self.patience = (self.patience * 2).min(PATIENCE.1);
                    self.restart(bounds).await?;
                }
            }
            Err(LogError::NoSuchTopic(_) | LogError::NoSuchPartition { .. }) => self.fault = Some(Fault::Moved),
            Err(error @ LogError::Failed(_)) => self.fault = Some(Fault::Failed(error)),
            Err(LogError::Closed) => return Err(LogError::Closed.into()),
            Ok(_) | Err(LogError::Unavailable(_)) => {
                self.receives_within(RETRY).await;
            }
        }
        Ok(None)
    }

    async fn receives_within(&mut self, patience: Duration) -> bool {
        timeout(patience, self.receive()).await.is_ok()
    }

    /// The outcome of `what`, or none when an event came first.
    async fn unless_received<T>(&mut self, what: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            () = self.receive() => None,
            outcome = what => Some(outcome),
        }
    }
}

#[async_trait]
impl PartitionReader for KafkaReader {
    async fn next(&mut self, limit: BatchLimit) -> Result<Batch, ReadError> {
        let closed = self.closed.clone();
        let batch = closed.run_until_cancelled(self.advance(limit)).await.unwrap_or(Err(LogError::Closed.into()))?;
        metrics::read(&self.topic, &batch);
        Ok(batch)
    }
}

//! One projection at work on one partition.

use std::sync::Arc;

use backon::Retryable as _;
use rossby_log::{Batch, Log, Offset};
use rossby_schemas::time::Clock;
use rossby_schemas::topic::TopicName;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::admission::{Admission, Applying};
use super::start::Start;
use super::status::{PartitionStatus, StatusHandle};
use super::{ProjectorConfig, backoff, status};
use crate::projection::Projection;
use crate::read_models::ReadModels;
use crate::store::StoreError;
use crate::wake::{Applied, CHANNEL};

/// Why a worker does not go on.
#[derive(Debug)]
pub(super) enum Interruption {
    /// Waiting may cure it.
    Retry(String),
    /// It needs a person.
    Stop(String),
}

impl From<StoreError> for Interruption {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Unavailable(_) | StoreError::Moved => Self::Retry(error.to_string()),
            StoreError::Failed(_) => Self::Stop(error.to_string()),
        }
    }
}

/// One projection at work on one partition.
#[derive(Debug, Clone)]
pub(super) struct Worker {
    pub(super) models: ReadModels,
    pub(super) log: Arc<dyn Log>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) config: Arc<ProjectorConfig>,
    pub(super) status: StatusHandle,
    /// Transactions run in tasks of their own, which nobody cancels (sqlx #4394).
    pub(super) transactions: TaskTracker,
    pub(super) projection: Projection,
    pub(super) topic: TopicName,
    pub(super) partition: u32,
}

impl Worker {
    /// Works until `stop` is cancelled.
    pub(super) async fn run(self, stop: CancellationToken) {
        let work = || self.work();
        let working = work.retry(backoff()).when(|interruption| matches!(interruption, Interruption::Retry(_))).notify(
            |interruption, _| {
                tracing::warn!(
                    projection = %self.projection, topic = %self.topic, partition = self.partition,
                    reason = ?interruption, "a projection was interrupted; it is tried again"
                );
            },
        );
        let interrupted = tokio::select! {
            () = stop.cancelled() => return,
            interrupted = working => interrupted,
        };
        if let Err(Interruption::Stop(reason) | Interruption::Retry(reason)) = interrupted {
            tracing::error!(
                projection = %self.projection, topic = %self.topic, partition = self.partition, reason,
                "a projection has stopped on a partition"
            );
            self.change_status(|status| status.stopped = Some(reason));
        }
    }

    /// Applies batch after batch; ends only when it is interrupted.
    async fn work(&self) -> Result<(), Interruption> {
        let Start { mut reader, mut stored } = self.start().await?;
        self.apply_quarantined().await?;
        loop {
            let batch = reader.next(self.config.batch).await?;
            let (next_offset, caught_up) = (batch.next_offset, batch.caught_up);
            if !batch.records.is_empty() || stored.is_none() {
                stored = Some(self.apply(batch, stored).await?);
            }
            self.change_status(|status| {
                status.next_offset = next_offset;
                status.end = status.end.max(next_offset);
                status.caught_up |= caught_up;
            });
        }
    }

    /// Applies a batch and moves the position in one transaction. Gives the new position.
    async fn apply(&self, batch: Batch, stored: Option<Offset>) -> Result<Offset, Interruption> {
        let worker = self.clone();
        let applied = self.transactions.spawn(async move { worker.transact(batch, stored).await }).await;
        let (next_offset, stop) = applied.map_err(|error| Interruption::Stop(error.to_string()))??;
        self.models.wakes.wake(self.applied());
        stop.map_or(Ok(next_offset), |reason| Err(Interruption::Stop(reason)))
    }

    async fn transact(&self, batch: Batch, stored: Option<Offset>) -> Result<(Offset, Option<String>), StoreError> {
        let mut tx = self.models.store.begin().await?;
        let applying = Applying {
            projection: self.projection,
            topic: &self.topic,
            partition: self.partition,
            region: self.config.region,
            homes: &self.config.homes,
        };
        let Admission { position, stop, counts } = applying.batch(&mut tx, &batch).await?;
        if stored == Some(position.next_offset) {
            // Nothing before the record that stops it: nothing to commit.
            return Ok((position.next_offset, stop));
        }
        tx.move_position(self.projection, &self.topic, self.partition, stored, position).await?;
        tx.notify(CHANNEL, self.applied().text()).await?;
        tx.commit().await?;
        for (outcome, records) in counts {
            status::count(self.projection, outcome, records);
        }
        Ok((position.next_offset, stop))
    }

    /// Applies records of the inbox that an older version of Rossby did not know, and takes them out of quarantine.
    async fn apply_quarantined(&self) -> Result<(), Interruption> {
        let worker = self.clone();
        let applied = self.transactions.spawn(async move {
            let records = worker.models.store.quarantine(worker.projection, &worker.topic, worker.partition).await?;
            if records.is_empty() {
                return Ok(0);
            }
            let mut tx = worker.models.store.begin().await?;
            let mut applied = 0_u64;
            for record in records {
                if super::admission::apply_known(&mut tx, &worker.topic, worker.partition, &record).await? {
                    tx.take_back(worker.projection, &worker.topic, worker.partition, record.offset).await?;
                    applied += 1;
                }
            }
            tx.commit().await?;
            Ok::<_, StoreError>(applied)
        });
        match applied.await.map_err(|error| Interruption::Stop(error.to_string()))?? {
            0 => {}
            records => {
                tracing::info!(topic = %self.topic, partition = self.partition, records, "applied from quarantine");
                self.models.wakes.wake(self.applied());
            }
        }
        Ok(())
    }

    fn applied(&self) -> Applied {
        Applied { projection: self.projection, topic: self.topic.clone(), partition: self.partition }
    }

    pub(super) fn change_status(&self, change: impl FnOnce(&mut PartitionStatus)) {
        self.status.change(self.projection, &self.topic, self.partition, change);
    }
}

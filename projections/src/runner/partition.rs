//! One projection at work on one partition.

use std::convert::Infallible;
use std::sync::Arc;

use backon::BackoffBuilder as _;
use rossby_log::{Batch, Log, Offset, partition_for};
use rossby_schemas::ids::RegionNumber;
use rossby_schemas::time::Clock;
use rossby_schemas::topic::{Topic, TopicName};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::admission::{Admission, Applying};
use super::start::Start;
use super::status::{PartitionStatus, StatusHandle};
use super::{LONGEST_DELAY, ProjectorConfig, backoff, status};
use crate::projection::Projection;
use crate::read_models::ReadModels;
use crate::store::{Position, StoreError};
use crate::wake::{Applied, CHANNEL};

/// Why a worker does not go on.
#[derive(Debug)]
pub(super) enum Interruption {
    /// Waiting may cure it.
    Retry(String),
    /// It needs a person.
    Stop(String),
    /// The topic is not there. Of a mirrored one this is waited for: a mirror or `rossby topics apply` makes it anew.
    NoTopic(String),
}

impl From<StoreError> for Interruption {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Unavailable(_) | StoreError::Moved => Self::Retry(error.to_string()),
            StoreError::Failed(_) | StoreError::Damaged(_) => Self::Stop(error.to_string()),
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
    /// The region that writes the topic.
    pub(super) source: RegionNumber,
    pub(super) topic: TopicName,
    pub(super) partition: u32,
}

impl Worker {
    /// Works until `stop` is cancelled.
    pub(super) async fn run(self, stop: CancellationToken) {
        let reason = tokio::select! {
            () = stop.cancelled() => return,
            reason = self.until_stopped() => reason,
        };
        tracing::error!(
            projection = %self.projection, topic = %self.topic, partition = self.partition, reason,
            "a projection has stopped on a partition"
        );
        self.change_status(|status| status.stopped = Some(reason));
    }

    /// Tries again what waiting may cure, soon after each progress and later and later without. Gives what needs a person.
    async fn until_stopped(&self) -> String {
        let mut delays = backoff().build();
        loop {
            let mut has_progressed = false;
            let Err(interruption) = self.work(&mut has_progressed).await;
            let reason = match interruption {
                Interruption::Stop(reason) => return reason,
                Interruption::NoTopic(reason) if self.topic.mirrored_from.is_none() => return reason,
                Interruption::Retry(reason) | Interruption::NoTopic(reason) => reason,
            };
            tracing::warn!(
                projection = %self.projection, topic = %self.topic, partition = self.partition, reason,
                "a projection was interrupted; it is tried again"
            );
            if has_progressed {
                delays = backoff().build();
            }
            tokio::time::sleep(delays.next().unwrap_or(LONGEST_DELAY)).await;
        }
    }

    /// Applies batch after batch; ends only when it is interrupted.
    async fn work(&self, has_progressed: &mut bool) -> Result<Infallible, Interruption> {
        let Start { mut reader, mut stored } = self.start().await?;
        self.apply_quarantined().await?;
        loop {
            let batch = reader.next(self.config.batch).await?;
            let (next_offset, caught_up) = (batch.next_offset, batch.caught_up);
            // Without records the position moves too, past what retention took and past the log's own marks.
            if !batch.records.is_empty() || stored != Some(next_offset) {
                stored = Some(self.apply(batch, stored).await?);
            }
            *has_progressed = true;
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
        self.models.wakes.wake(self.applied(Some(next_offset)));
        stop.map_or(Ok(next_offset), |reason| Err(Interruption::Stop(reason)))
    }

    async fn transact(&self, batch: Batch, stored: Option<Offset>) -> Result<(Offset, Option<String>), StoreError> {
        let mut tx = self.models.store.begin().await?;
        let applying = Applying {
            projection: self.projection,
            topic: &self.topic,
            partition: self.partition,
            source: self.source,
            homes: &self.config.homes,
        };
        let Admission { position, stop, counts } = applying.batch(&mut tx, &batch).await?;
        if let (Some(at), None, Some(_)) = (stored, position.last, &stop) {
            // The first record stops it: nothing to commit.
            return Ok((at, stop));
        }
        tx.move_position(self.projection, &self.topic, self.partition, stored, position).await?;
        tx.notify(CHANNEL, self.applied(Some(position.next_offset)).text()).await?;
        tx.commit().await?;
        for (outcome, records) in counts {
            status::count(self.projection, outcome, records);
        }
        Ok((position.next_offset, stop))
    }

    /// Forgets the registrations of the partition, all of them at home in the region that writes it, of which retention took a part before it was applied, and moves the
    /// position to what is left: so the tables are those that an empty database would come to.
    pub(super) async fn forget_registrations(&self, stored: Offset, start: Offset) -> Result<(), Interruption> {
        let partitions = self.log.partitions(&self.topic).await?;
        let worker = self.clone();
        let forgotten = self.transactions.spawn(async move {
            let mut tx = worker.models.store.begin().await?;
            for stream in tx.registration_streams(worker.projection).await? {
                let key = stream.split('/').next().unwrap_or_default();
                let is_of_source = worker.config.homes.of(Topic::Registrations, &stream) == Some(worker.source);
                if is_of_source && partition_for(key.as_bytes(), partitions) == worker.partition {
                    tx.forget_registrations(worker.projection, &stream).await?;
                }
            }
            let position = Position { next_offset: start, last: None };
            tx.move_position(worker.projection, &worker.topic, worker.partition, Some(stored), position).await?;
            tx.commit().await
        });
        Ok(forgotten.await.map_err(|error| Interruption::Stop(error.to_string()))??)
    }

    /// Applies records of the inbox that an older version of Rossby did not know, and takes them out of quarantine.
    async fn apply_quarantined(&self) -> Result<(), Interruption> {
        if self.topic.topic != Topic::Inbox {
            return Ok(());
        }
        let worker = self.clone();
        let applied = self.transactions.spawn(async move {
            let (mut from, mut applied) = (0, 0_u64);
            loop {
                let store = &worker.models.store;
                let records = store.quarantine(worker.projection, &worker.topic, worker.partition, from).await?;
                let Some(last) = records.last() else { return Ok(applied) };
                from = last.offset + 1;
                let mut tx = store.begin().await?;
                let mut known = 0;
                for record in records {
                    if super::admission::apply_known(&mut tx, (worker.source, worker.partition), &record).await? {
                        tx.take_back(worker.projection, &worker.topic, worker.partition, record.offset).await?;
                        known += 1;
                    }
                }
                if known > 0 {
                    tx.notify(CHANNEL, worker.applied(None).text()).await?;
                    tx.commit().await?;
                    applied += known;
                }
            }
        });
        let applied: Result<u64, StoreError> = applied.await.map_err(|error| Interruption::Stop(error.to_string()))?;
        match applied? {
            0 => {}
            records => {
                tracing::info!(topic = %self.topic, partition = self.partition, records, "applied from quarantine");
                self.models.wakes.wake(self.applied(None));
            }
        }
        Ok(())
    }

    fn applied(&self, next_offset: Option<Offset>) -> Applied {
        let (projection, topic) = (self.projection, self.topic.clone());
        Applied { projection, topic, partition: self.partition, next_offset }
    }

    pub(super) fn change_status(&self, change: impl FnOnce(&mut PartitionStatus)) {
        self.status.change(self.projection, &self.topic, self.partition, change);
    }
}

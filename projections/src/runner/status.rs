//! Where a projector stands, for operators: `/readyz`, metrics, logs.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use metrics::{counter, gauge};
use rossby_log::{Log, Offset};
use rossby_schemas::topic::TopicName;
use tokio_util::sync::CancellationToken;

use crate::projection::Projection;

const MONITOR: Duration = Duration::from_secs(5);

/// Where one projection stands in one partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartitionStatus {
    /// The projection.
    pub projection: Projection,
    /// The topic.
    pub topic: TopicName,
    /// The partition.
    pub partition: u32,
    /// The offset that it applies next.
    pub next_offset: Offset,
    /// Where the partition ended when it was last asked for; no more than `next_offset` says that nothing is left.
    pub end: Offset,
    /// Whether it has caught up once since it started.
    pub caught_up: bool,
    /// Why it has stopped, if it has: it goes on after a restart, once a person has mended the cause.
    pub stopped: Option<String>,
}

impl PartitionStatus {
    /// How many records it has not applied yet, at most.
    #[must_use]
    pub const fn lag(&self) -> u64 {
        self.end.saturating_sub(self.next_offset)
    }
}

/// Where a projector stands in every partition.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProjectorStatus {
    /// The partitions, by projection, topic and number. Empty before the projector has begun.
    pub partitions: Vec<PartitionStatus>,
}

impl ProjectorStatus {
    /// Whether it has begun, has caught up everywhere once, and has stopped nowhere.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        !self.partitions.is_empty() && self.partitions.iter().all(|p| p.caught_up && p.stopped.is_none())
    }
}

type Key = (Projection, TopicName, u32);

/// Tells where a projector stands.
#[derive(Debug, Clone, Default)]
pub struct StatusHandle(Arc<Mutex<BTreeMap<Key, PartitionStatus>>>);

impl StatusHandle {
    /// Where the projector stands now.
    #[must_use]
    pub fn get(&self) -> ProjectorStatus {
        let partitions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        ProjectorStatus { partitions: partitions.values().cloned().collect() }
    }

    /// A partition that is going to be read.
    pub(super) fn expect(&self, projection: Projection, topic: &TopicName, partition: u32) {
        self.change(projection, topic, partition, |_| {});
    }

    pub(super) fn change(
        &self,
        projection: Projection,
        topic: &TopicName,
        partition: u32,
        change: impl FnOnce(&mut PartitionStatus),
    ) {
        let mut partitions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let status = partitions.entry((projection, topic.clone(), partition)).or_insert_with(|| PartitionStatus {
            projection,
            topic: topic.clone(),
            partition,
            next_offset: 0,
            end: 0,
            caught_up: false,
            stopped: None,
        });
        change(status);
    }
}

/// Counts what became of records.
pub(super) fn count(projection: Projection, outcome: &'static str, records: u64) {
    if records > 0 {
        counter!("rossby_projection_records_total", "projection" => projection.name(), "outcome" => outcome)
            .increment(records);
    }
}

/// Asks now and then where partitions end, and sets the gauges.
pub(super) async fn monitor(status: StatusHandle, log: Arc<dyn Log>, stop: CancellationToken) {
    loop {
        for partition in status.get().partitions {
            if let Ok(bounds) = log.bounds(&partition.topic, partition.partition).await {
                status.change(partition.projection, &partition.topic, partition.partition, |p| p.end = bounds.end);
            }
        }
        let mut lags: BTreeMap<(Projection, TopicName), (u64, u64)> = BTreeMap::new();
        for partition in status.get().partitions {
            let (lag, stopped) = lags.entry((partition.projection, partition.topic.clone())).or_default();
            *lag += partition.lag();
            *stopped += u64::from(partition.stopped.is_some());
        }
        for ((projection, topic), (lag, stopped)) in lags {
            let labels = [("projection", projection.name().to_owned()), ("topic", topic.to_string())];
            {
                gauge!("rossby_projection_lag_records", &labels).set(lag as f64);
                gauge!("rossby_projection_stopped_partitions", &labels).set(stopped as f64);
            }
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(MONITOR) => {}
        }
    }
}

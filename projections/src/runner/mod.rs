//! The runner: reads each partition for each projection, admits, applies, and moves the position, all in one transaction.

mod admission;
mod homes;
mod partition;
mod regions;
mod start;
mod status;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use backon::{ExponentialBuilder, Retryable as _};
use rossby_log::{BatchLimit, Log, LogError};
use rossby_schemas::ids::RegionNumber;
use rossby_schemas::time::Clock;
use rossby_schemas::topic::TopicName;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use self::homes::Homes;
use self::partition::Worker;
pub use self::regions::OtherRegion;
pub use self::status::{PartitionStatus, ProjectorStatus, StatusHandle};
use crate::projection::Projection;
use crate::read_models::ReadModels;

const LONGEST_DELAY: Duration = Duration::from_secs(5);

/// How a projector works.
#[derive(Debug, Clone)]
pub struct ProjectorConfig {
    /// This region.
    pub region: RegionNumber,
    /// The other regions, whose mirrored topics are read beside this one's.
    pub others: Vec<OtherRegion>,
    /// Which region is home to which stream.
    pub homes: Homes,
    /// Which projections this process builds.
    pub projections: Vec<Projection>,
    /// How much it applies in one transaction at most.
    pub batch: BatchLimit,
}

impl ProjectorConfig {
    /// All projections of the only region that there is.
    #[must_use]
    pub fn single_region(region: RegionNumber) -> Self {
        Self {
            region,
            others: Vec::new(),
            homes: Homes::all_in(region),
            projections: Projection::ALL.to_vec(),
            batch: BatchLimit::default(),
        }
    }

    /// What is read for which projection, and which region wrote it.
    fn reads(&self) -> Vec<(Projection, RegionNumber, TopicName)> {
        let mut reads = Vec::new();
        for projection in &self.projections {
            for topic in projection.topics() {
                reads.push((*projection, self.region, TopicName::local(*topic)));
                reads.extend(self.others.iter().map(|other| (*projection, other.number, other.topic(*topic))));
            }
        }
        reads
    }
}

/// Why a projector ended by itself.
#[derive(Debug, thiserror::Error)]
pub enum ProjectorError {
    /// The log has not the topics that the projections read.
    #[error(transparent)]
    Log(#[from] LogError),
    /// A partition's task has failed: a defect.
    #[error("the task of a partition has failed: {0}")]
    Task(String),
}

/// Builds the read models from the log.
#[derive(Debug)]
pub struct Projector {
    models: ReadModels,
    log: Arc<dyn Log>,
    clock: Arc<dyn Clock>,
    config: Arc<ProjectorConfig>,
    status: StatusHandle,
}

impl Projector {
    /// A projector that has not begun.
    #[must_use]
    pub fn new(models: ReadModels, log: Arc<dyn Log>, clock: Arc<dyn Clock>, config: ProjectorConfig) -> Self {
        let config = Arc::new(config);
        Self { models, log, clock, config, status: StatusHandle::default() }
    }

    /// Tells at any time where the projector stands.
    #[must_use]
    pub fn status(&self) -> StatusHandle {
        self.status.clone()
    }

    /// Works until `stop` is cancelled, and ends the transactions under way. A partition that meets what it may not apply
    /// stops alone and says so in the status; the others go on. What waiting may cure is tried again.
    ///
    /// # Errors
    /// [`ProjectorError`]: a topic is missing, or a task failed.
    pub async fn run(self, stop: CancellationToken) -> Result<(), ProjectorError> {
        let transactions = TaskTracker::new();
        let mut tasks = JoinSet::new();
        for (projection, source, topic) in self.config.reads() {
            let Some(partitions) = self.partitions(&topic, &stop).await? else { return Ok(()) };
            for partition in 0..partitions {
                self.status.expect(projection, &topic, partition);
                let worker = Worker {
                    models: self.models.clone(),
                    log: Arc::clone(&self.log),
                    clock: Arc::clone(&self.clock),
                    config: Arc::clone(&self.config),
                    status: self.status.clone(),
                    transactions: transactions.clone(),
                    projection,
                    source,
                    topic: topic.clone(),
                    partition,
                };
                tasks.spawn(worker.run(stop.clone()));
            }
        }
        let monitor = tokio::spawn(status::monitor(self.status.clone(), Arc::clone(&self.log), stop.clone()));
        let mut failed = None;
        while let Some(ended) = tasks.join_next().await {
            if let Err(error) = ended {
                failed = Some(ProjectorError::Task(error.to_string()));
                stop.cancel();
            }
        }
        transactions.close();
        transactions.wait().await;
        monitor.abort();
        failed.map_or(Ok(()), Err)
    }

    /// How many partitions a topic has; none if the projector is stopped before the log answers.
    async fn partitions(&self, topic: &TopicName, stop: &CancellationToken) -> Result<Option<u32>, LogError> {
        let ask = || self.log.partitions(topic);
        let asking = ask
            .retry(backoff())
            .when(|error| matches!(error, LogError::Unavailable(_)))
            .notify(|error, _| tracing::warn!(%error, "the log can't be asked for its topics; trying again"));
        tokio::select! {
            () = stop.cancelled() => Ok(None),
            partitions = asking => partitions.map(Some),
        }
    }
}

/// What waiting may cure is tried again for ever, after a moment at first and every five seconds at last.
fn backoff() -> ExponentialBuilder {
    ExponentialBuilder::default()
        .with_min_delay(Duration::from_millis(50))
        .with_max_delay(LONGEST_DELAY)
        .with_jitter()
        .without_max_times()
}

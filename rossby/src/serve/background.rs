//! What a server does now and then by itself: finish half-done registrations, sweep tables, blobs and the embedded log.

use std::convert::Infallible;
use std::fmt::Display;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use rossby_commands::{Live, Service};
use rossby_log::providers::sqlite::SqliteLog;
use rossby_projections::ReadModels;
use rossby_schemas::time::Clock;
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

const RECONCILE: Duration = Duration::from_secs(5);
const MEASURE: Duration = Duration::from_secs(15);
const SWEEP_TABLES: Duration = Duration::from_secs(60);
const SWEEP_BLOBS: Duration = Duration::from_secs(10 * 60);
const SWEEP_LOG: Duration = Duration::from_secs(10 * 60);

/// The tasks that go on until the server stops.
pub(super) struct Background {
    tasks: JoinSet<()>,
    stop: CancellationToken,
}

impl Background {
    pub(super) fn new() -> Self {
        Self { tasks: JoinSet::new(), stop: CancellationToken::new() }
    }

    /// Founds boxes whose identifier was verified by a process that died before it had founded them.
    pub(super) fn reconcile(&mut self, service: Service) {
        self.every("reconcile", RECONCILE, move || {
            let service = service.clone();
            async move { service.reconcile().await.map(|_| ()) }
        });
    }

    /// Blanks bodies that nobody waits for and removes what has expired.
    pub(super) fn sweep_tables(&mut self, models: ReadModels, clock: Arc<dyn Clock>) {
        self.every("sweep the read models", SWEEP_TABLES, move || {
            let (models, now) = (models.clone(), clock.now());
            async move { models.sweep(now).await.map(|swept| tracing::debug!(?swept, "swept the read models")) }
        });
    }

    /// Deletes blobs that have expired.
    pub(super) fn sweep_blobs(&mut self, service: Service) {
        self.every("sweep the blobs", SWEEP_BLOBS, move || {
            let service = service.clone();
            async move { service.sweep_blobs().await.map(|swept| tracing::debug!(?swept, "swept the blobs")) }
        });
    }

    /// Counts what waits, for the figures.
    pub(super) fn measure_queue(&mut self, models: ReadModels, clock: Arc<dyn Clock>) {
        self.every("measure the queue", MEASURE, move || {
            let (models, now) = (models.clone(), clock.now());
            async move {
                models
                    .queue_depth(now)
                    .await
                    .map(|depth| metrics::gauge!("rossby_queue_depth_messages").set(depth as f64))
            }
        });
    }

    /// Counts what is in memory for streams, for the figures.
    pub(super) fn measure_streams(&mut self, live: Live) {
        self.every("measure the streams", MEASURE, move || {
            metrics::gauge!("rossby_live_queued_octets").set(live.queued_octets() as f64);
            std::future::ready(Ok::<_, Infallible>(()))
        });
    }

    /// Removes the embedded log's records that have been kept long enough.
    pub(super) fn sweep_log(&mut self, log: Arc<SqliteLog>) {
        self.every("sweep the log", SWEEP_LOG, move || {
            let log = Arc::clone(&log);
            async move { log.sweep().await.map(|swept| tracing::debug!(records = swept.records, "swept the log")) }
        });
    }

    /// Stops every task once it has done what it is doing.
    pub(super) async fn stop(mut self) {
        self.stop.cancel();
        while self.tasks.join_next().await.is_some() {}
    }

    fn every<E, Fut>(&mut self, name: &'static str, period: Duration, work: impl Fn() -> Fut + Send + 'static)
    where
        E: Display + Send,
        Fut: Future<Output = Result<(), E>> + Send,
    {
        let stop = self.stop.clone();
        self.tasks.spawn(async move {
            let mut ticks = tokio::time::interval(period);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                tokio::select! {
                    () = stop.cancelled() => return,
                    _ = ticks.tick() => {}
                }
                if let Err(error) = work().await {
                    tracing::warn!(task = name, %error, "a background task failed; it is tried again");
                }
            }
        });
    }
}

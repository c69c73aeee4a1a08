//! The projections' own runner, until it has applied what there is.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use rossby_log::Log;
use rossby_projections::{Projector, ProjectorConfig, ProjectorStatus, ReadModels};
use rossby_schemas::time::SystemClock;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use super::{Built, CONNECTIONS};
use crate::events::progress;

/// How often it is looked how far the projections are.
const LOOK: Duration = Duration::from_millis(50);

/// Empty read models that are gone with the folder that they are in.
///
/// # Errors
/// There is no room.
pub(super) async fn temporary() -> anyhow::Result<(ReadModels, TempDir)> {
    let folder = tempfile::tempdir().context("a temporary folder can't be made")?;
    let url = format!("sqlite:{}", folder.path().join("replayed.sqlite").display());
    Ok((ReadModels::open(&url, CONNECTIONS).await?, folder))
}

/// Applies a log to its end, or in each partition to what stops it.
///
/// # Errors
/// The log or the database can't be used.
pub(super) async fn run(
    models: &ReadModels,
    log: &Arc<dyn Log>,
    config: ProjectorConfig,
    what: &'static str,
) -> anyhow::Result<Built> {
    let projector = Projector::new(models.clone(), Arc::clone(log), Arc::new(SystemClock), config);
    let (status, stop) = (projector.status(), CancellationToken::new());
    let mut running = tokio::spawn(projector.run(stop.clone()));
    let bar = progress::records(0, what);
    loop {
        tokio::select! {
            ended = &mut running => {
                ended.context("the projections have failed")?.context("the projections have ended")?;
                anyhow::bail!("the projections have ended too early");
            }
            () = tokio::time::sleep(LOOK) => {}
        }
        let status = status.get();
        bar.set_length(status.partitions.iter().map(|partition| partition.end).sum());
        bar.set_position(done(&status));
        let is_over = status.partitions.iter().all(|partition| partition.caught_up || partition.stopped.is_some());
        if is_over && !status.partitions.is_empty() {
            break;
        }
    }
    stop.cancel();
    running.await.context("the projections have failed")?.context("the projections have ended")?;
    bar.finish_and_clear();
    let status = status.get();
    let stopped = status.partitions.iter().filter_map(|partition| {
        let reason = partition.stopped.as_ref()?;
        Some(format!("{} in partition {} of {}: {reason}", partition.projection, partition.partition, partition.topic))
    });
    let records = status.partitions.iter().map(|partition| partition.next_offset).sum();
    Ok(Built { records, stopped: stopped.collect() })
}

/// How many records are behind; of a partition that has come as far as it should, all.
fn done(status: &ProjectorStatus) -> u64 {
    let of = |partition: &rossby_projections::PartitionStatus| match partition.caught_up {
        true => partition.end,
        false => partition.next_offset,
    };
    status.partitions.iter().map(of).sum()
}

//! A server's tables against its log.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rossby_log::Log;
use rossby_projections::{Projector, ProjectorConfig, ReadModels};
use rossby_schemas::ids::RegionNumber;
use rossby_schemas::time::{Clock as _, SystemClock};
use tokio_util::sync::CancellationToken;

/// The URL of read models in a file.
pub(crate) fn sqlite(file: &Path) -> String {
    format!("sqlite:{}", file.display())
}

/// An empty database that is built from the log has the rows of the live one. Gives the live read models.
pub(crate) async fn compare(log: Arc<dyn Log>, live: &str, folder: &Path) -> ReadModels {
    let clock = Arc::new(SystemClock);
    let live = ReadModels::open(live, 4).await.unwrap();
    let rebuilt = ReadModels::open(&sqlite(&folder.join("rebuilt.sqlite")), 4).await.unwrap();
    for models in [&live, &rebuilt] {
        let config = ProjectorConfig::single_region(RegionNumber(1));
        let projector = Projector::new(models.clone(), log.clone(), clock.clone(), config);
        let (status, stop) = (projector.status(), CancellationToken::new());
        let running = tokio::spawn(projector.run(stop.clone()));
        let deadline = tokio::time::Instant::now() + crate::process::PATIENCE;
        while !status.get().is_ready() {
            assert!(tokio::time::Instant::now() < deadline, "{:?}", status.get());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        stop.cancel();
        running.await.unwrap().unwrap();
    }
    let now = clock.now();
    live.sweep(now).await.unwrap();
    rebuilt.sweep(now).await.unwrap();
    let (rows, rebuilt) = (live.snapshot(now).await.unwrap(), rebuilt.snapshot(now).await.unwrap());
    for (table, rows) in &rows {
        assert!(rows == &rebuilt[table], "{table} differs: {} and {} rows", rows.len(), rebuilt[table].len());
    }
    log.close().await;
    live
}

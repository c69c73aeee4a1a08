//! A service on a real log and real read models, with a projector at work, and people for it.

use std::sync::Arc;
use std::time::Duration;

use rossby_blobs::BlobStore;
use rossby_commands::{Service, ServiceConfig};
use rossby_crypto::keyed_hash::{MasterSecret, MasterSecrets};
use rossby_log::TopicAdmin as _;
use rossby_log::providers::sqlite::{SqliteConfig, SqliteLog};
use rossby_log::topics::TopicSpec;
use rossby_projections::{Projector, ProjectorConfig, ReadModels};
use rossby_schemas::time::{Clock as _, ManualClock, Timestamp};
use rossby_testing::{FaultyLog, HOME, Mailboxes};
use tokio_util::sync::CancellationToken;

pub(crate) struct World {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) log: Arc<FaultyLog>,
    pub(crate) models: ReadModels,
    pub(crate) mailboxes: Arc<Mailboxes>,
    pub(crate) service: Service,
    stop: CancellationToken,
}

impl Drop for World {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl World {
    pub(crate) async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualClock::new("2026-11-24T09:00:00Z".parse::<Timestamp>().unwrap()));
        let log = SqliteLog::open(SqliteConfig::new(folder.path().join("log")), clock.clone()).await.unwrap();
        log.ensure_topics(&TopicSpec::local(2)).await.unwrap();
        let log = Arc::new(FaultyLog::new(Arc::new(log)));
        let url = format!("sqlite:{}", folder.path().join("read-models.sqlite").display());
        let models = ReadModels::open(&url, 10).await.unwrap();
        let stop = CancellationToken::new();
        let config = ProjectorConfig::single_region(HOME);
        let projector = Projector::new(models.clone(), log.clone(), clock.clone(), config);
        tokio::spawn(projector.run(stop.clone()));
        let mailboxes = Arc::new(Mailboxes::default());
        let blobs = BlobStore::folder(folder.path()).unwrap();
        let service = service(&models, &log, &blobs, &clock, &mailboxes);
        Self { folder, clock, log, models, mailboxes, service, stop }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Waits until a code has been sent that is not among the first `known`.
    pub(crate) async fn code(&self, identifier: &str, known: usize) -> String {
        self.mailboxes.code(identifier, known).await
    }
}

fn service(
    models: &ReadModels,
    log: &Arc<FaultyLog>,
    blobs: &BlobStore,
    clock: &Arc<ManualClock>,
    mailboxes: &Arc<Mailboxes>,
) -> Service {
    let secrets = MasterSecrets::new(vec![MasterSecret::new(1, &[7; 32])]).unwrap();
    let mut config = ServiceConfig::single_region(HOME);
    config.timeouts.newer_head = Duration::from_millis(50);
    config.timeouts.refusal = Duration::from_millis(5);
    Service::new(config, models.clone(), log.clone(), blobs.clone(), secrets, clock.clone(), mailboxes.clone())
}

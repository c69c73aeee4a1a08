//! A service on a real log and real read models, with a projector at work, and people who use it.

use std::sync::Arc;
use std::time::Duration;

use rossby_blobs::BlobStore;
use rossby_commands::{Service, ServiceConfig, Timeouts};
use rossby_crypto::keyed_hash::{MasterSecret, MasterSecrets};
use rossby_log::Log as _;
use rossby_projections::{Projector, ProjectorConfig, ProjectorError, ReadModels};
use rossby_schemas::time::{Clock as _, ManualClock, Timestamp};
use rossby_testing::{FaultyLog, HOME, Mailboxes, Person};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::setting::Setting;

pub(crate) struct World {
    folder: tempfile::TempDir,
    setting: Setting,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) log: Arc<FaultyLog>,
    pub(crate) models: ReadModels,
    pub(crate) blobs: BlobStore,
    pub(crate) mailboxes: Arc<Mailboxes>,
    pub(crate) service: Service,
    configure: fn(&mut ServiceConfig),
    stop: CancellationToken,
    projector: JoinHandle<Result<(), ProjectorError>>,
}

impl Drop for World {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with(|_| {}).await
    }

    /// With other rules than the default.
    pub(crate) async fn with(configure: fn(&mut ServiceConfig)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let setting = Setting::new().await;
        let clock = Arc::new(ManualClock::new("2026-11-24T09:00:00Z".parse::<Timestamp>().unwrap()));
        let mailboxes = Arc::new(Mailboxes::default());
        let (log, models) = open(&folder, &setting, &clock).await;
        let (stop, projector) = project(&models, &log, &clock);
        let timeouts = Timeouts { newer_head: Duration::from_millis(50), ..Timeouts::default() };
        let blobs = BlobStore::folder(folder.path()).unwrap();
        let service = service(&models, &log, &blobs, &clock, &mailboxes, timeouts, configure);
        Self { folder, setting, clock, log, models, blobs, mailboxes, service, configure, stop, projector }
    }

    /// Another process: it knows what the log and the tables hold, and nothing else.
    pub(crate) fn other_process(&self) -> Service {
        self.process(Timeouts { newer_head: Duration::from_millis(50), ..Timeouts::default() })
    }

    /// Another process that waits otherwise.
    pub(crate) fn process(&self, timeouts: Timeouts) -> Service {
        service(&self.models, &self.log, &self.blobs, &self.clock, &self.mailboxes, timeouts, self.configure)
    }

    /// Another process, which does not hear of what is applied here.
    pub(crate) async fn deaf_process(&self) -> Service {
        let models = ReadModels::open(&self.setting.read_models(self.folder.path()), 4).await.unwrap();
        service(&models, &self.log, &self.blobs, &self.clock, &self.mailboxes, Timeouts::default(), self.configure)
    }

    /// The projector stands still until the restart.
    pub(crate) async fn stop_projector(&mut self) {
        self.stop.cancel();
        (&mut self.projector).await.unwrap().unwrap();
    }

    /// The projector goes on where it stood.
    pub(crate) fn go_on(&mut self) {
        (self.stop, self.projector) = project(&self.models, &self.log, &self.clock);
    }

    /// Ends everything, and starts it again on the same data.
    pub(crate) async fn restart(&mut self) {
        if !self.stop.is_cancelled() {
            self.stop_projector().await;
        }
        self.service.finish().await;
        self.models.close().await;
        self.log.close().await;
        (self.log, self.models) = open(&self.folder, &self.setting, &self.clock).await;
        (self.stop, self.projector) = project(&self.models, &self.log, &self.clock);
        self.service = self.other_process();
    }

    /// The blob store fails: a file stands where it would make a folder.
    pub(crate) fn break_blobs(&self) {
        std::fs::write(self.folder.path().join("uploads"), "").unwrap();
    }

    pub(crate) fn mend_blobs(&self) {
        std::fs::remove_file(self.folder.path().join("uploads")).unwrap();
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Waits until a code has been sent that is not among the first `known`.
    pub(crate) async fn code(&self, identifier: &str, known: usize) -> String {
        self.mailboxes.code(identifier, known).await
    }

    /// A person who has joined.
    pub(crate) async fn person(&self, identifier: &str) -> Person {
        self.person_known(identifier, 0).await
    }

    /// A person who has joined with an identifier to which so many codes were sent before.
    pub(crate) async fn person_known(&self, identifier: &str, known: usize) -> Person {
        let person = Person::new(self.now());
        let registered = person.register(&self.service, identifier).await.unwrap();
        let code = self.code(identifier, known).await;
        person.authorize(&self.service, &registered, &code).await.unwrap();
        person
    }
}

async fn open(folder: &tempfile::TempDir, setting: &Setting, clock: &Arc<ManualClock>) -> (Arc<FaultyLog>, ReadModels) {
    let log = setting.log(folder.path(), clock.clone()).await;
    let models = ReadModels::open(&setting.read_models(folder.path()), 10).await.unwrap();
    (Arc::new(FaultyLog::new(log)), models)
}

fn project(
    models: &ReadModels,
    log: &Arc<FaultyLog>,
    clock: &Arc<ManualClock>,
) -> (CancellationToken, JoinHandle<Result<(), ProjectorError>>) {
    let stop = CancellationToken::new();
    let config = ProjectorConfig::single_region(HOME);
    let projector = Projector::new(models.clone(), log.clone(), clock.clone(), config);
    (stop.clone(), tokio::spawn(projector.run(stop)))
}

fn service(
    models: &ReadModels,
    log: &Arc<FaultyLog>,
    blobs: &BlobStore,
    clock: &Arc<ManualClock>,
    mailboxes: &Arc<Mailboxes>,
    timeouts: Timeouts,
    configure: fn(&mut ServiceConfig),
) -> Service {
    let secrets = MasterSecrets::new(vec![MasterSecret::new(1, &[7; 32])]).unwrap();
    let mut config = ServiceConfig { timeouts, ..ServiceConfig::single_region(HOME) };
    configure(&mut config);
    Service::new(config, models.clone(), log.clone(), blobs.clone(), secrets, clock.clone(), mailboxes.clone())
}

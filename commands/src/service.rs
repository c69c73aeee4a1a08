//! What all verbs share.

use std::collections::BTreeMap;
use std::sync::Arc;

use rossby_blobs::BlobStore;
use rossby_crypto::keyed_hash::{MasterSecret, MasterSecrets};
use rossby_log::Log;
use rossby_projections::ReadModels;
use rossby_schemas::ids::RegionNumber;
use rossby_schemas::time::{Clock, Timestamp};
use tokio_util::task::TaskTracker;
use zeroize::Zeroizing;

use crate::append::Appender;
use crate::budgets::Budgets;
use crate::codes::{CodeSender, SentCodes};
use crate::config::ServiceConfig;
use crate::count::Count;
use crate::error::CommandError;
use crate::executor::Executor;
use crate::key_records::KeyRecords;
use crate::status_token::StatusTokens;

/// The service behind the API: a method for each verb. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Service {
    pub(crate) config: Arc<ServiceConfig>,
    pub(crate) models: ReadModels,
    pub(crate) blobs: BlobStore,
    pub(crate) appender: Appender,
    pub(crate) executor: Executor,
    pub(crate) secrets: Arc<MasterSecrets>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) sender: Arc<dyn CodeSender>,
    pub(crate) sent: SentCodes,
    pub(crate) tokens: Arc<StatusTokens>,
    /// Questions for what waits for a device, or at a rendezvous.
    pub(crate) looks: Arc<Count>,
    pub(crate) key_records: KeyRecords,
    pub(crate) budgets: Budgets,
    /// Codes on their way, which a stopping server lets arrive.
    pub(crate) sending: TaskTracker,
}

impl Service {
    /// A service on this log, these read models and these blobs.
    #[must_use]
    pub fn new(
        config: ServiceConfig,
        models: ReadModels,
        log: Arc<dyn Log>,
        blobs: BlobStore,
        secrets: MasterSecrets,
        clock: Arc<dyn Clock>,
        sender: Arc<dyn CodeSender>,
    ) -> Self {
        let appender = Appender::new(&config, log, BTreeMap::new(), Arc::clone(&clock));
        let key = secrets.current().mac("status-token", b"");
        let tokens = Arc::new(StatusTokens::new(Zeroizing::new(key)));
        let executor = Executor::new(models.clone(), appender.clone(), Arc::clone(&tokens), config.timeouts.outcome);
        Self {
            sent: SentCodes::new(config.limits.code_lifetime),
            config: Arc::new(config),
            models,
            blobs,
            appender,
            executor,
            secrets: Arc::new(secrets),
            clock,
            sender,
            tokens,
            looks: Arc::new(Count::new("rossby_fetch_looks_total")),
            key_records: KeyRecords::new(),
            budgets: Budgets::new(),
            sending: TaskTracker::new(),
        }
    }

    /// The same, with the logs of the other regions, to which control events of what is at home there go.
    #[must_use]
    pub fn with_logs_of(mut self, others: BTreeMap<RegionNumber, Arc<dyn Log>>) -> Self {
        self.appender = Appender::new(&self.config, self.appender.log(), others, Arc::clone(&self.clock));
        let (models, tokens, patience) = (self.models.clone(), Arc::clone(&self.tokens), self.config.timeouts.outcome);
        self.executor = Executor::new(models, self.appender.clone(), tokens, patience);
        self
    }

    /// The read models that the service answers from.
    #[must_use]
    pub const fn models(&self) -> &ReadModels {
        &self.models
    }

    /// Waits until the codes on their way have been handed over. Called once no request is left.
    pub async fn finish(&self) {
        self.sending.close();
        self.sending.wait().await;
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// The secret with this number.
    pub(crate) fn secret(&self, number: u32) -> Result<&MasterSecret, CommandError> {
        let missing = || CommandError::Internal(format!("there is no master secret with number {number}"));
        self.secrets.by_number(number).ok_or_else(missing)
    }
}

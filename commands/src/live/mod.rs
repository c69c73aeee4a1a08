//! Live delivery: what arrives for the devices that are connected to this process.
//!
//! Messages come from the tables. A *feeder* for each partition hears of each batch that was applied, asks once what it brought
//! to all connected boxes of the partition, and offers it to their streams; a *pump* for each stream gives its device what was
//! offered, and what the tables hold, within a window of what is not confirmed. Signals come from the log, and are kept nowhere.

mod account;
mod feeder;
mod figures;
mod gate;
mod hub;
mod pump;
mod signals;
mod subscription;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use rossby_crypto::keyed_hash::TokenId;
use rossby_log::LogError;
use rossby_schemas::topic::{Topic, TopicName};
use tokio::sync::{Notify, mpsc, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::feeder::Feeder;
use self::figures::Figures;
pub use self::figures::{Queries, describe_metrics};
use self::gate::{Gate, Window};
use self::hub::{Hub, Line, Seen};
use self::pump::{Ends, Pump};
use self::signals::SignalReader;
pub use self::subscription::{Confirmer, Delivery, Subscription};
use crate::error::CommandError;
use crate::service::Service;
use crate::token::Caller;

/// How many boxes one query asks for: what both databases take as parameters.
const MOST_BOXES: usize = 16_384;
/// How many octets of messages wait in memory for one stream; one message waits whatever its length.
const QUEUE_OCTETS: usize = 256 * 1024;
/// How many signals wait for one stream. Further ones are dropped.
const QUEUED_SIGNALS: usize = 8;

/// How live delivery works.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LiveConfig {
    /// Messages that a device has been given and not confirmed, at most.
    pub window_messages: usize,
    /// The sum of their octets, at most, or one message.
    pub window_octets: usize,
    /// How often the tables are asked where they stand, whether wake-ups come or not.
    pub poll: Duration,
    /// How often each stream asks the tables for what nobody offers: records that were applied out of their order.
    pub look_again: Duration,
}

impl Default for LiveConfig {
    fn default() -> Self {
        Self {
            window_messages: 100,
            window_octets: 4 * 1024 * 1024,
            poll: Duration::from_secs(1),
            look_again: Duration::from_secs(5 * 60),
        }
    }
}

/// Live delivery in this process. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Live {
    service: Service,
    config: LiveConfig,
    hub: Arc<Hub>,
    figures: Arc<Figures>,
    tasks: TaskTracker,
    stop: CancellationToken,
}

impl Live {
    /// Begins: a feeder and a reader of signals for each partition.
    ///
    /// # Errors
    /// [`LogError`]: the log can't be asked how many partitions there are.
    pub async fn start(service: Service, config: LiveConfig) -> Result<Self, LogError> {
        let log = service.appender.log();
        // Topics with the same key have the same number of partitions, in every region, and what is keyed by boxes is found by one
        // of them.
        let partitions = log.partitions(&TopicName::local(Topic::Inbox)).await?;
        let (hub, figures) = (Arc::new(Hub::new(partitions)), Arc::new(Figures::new()));
        let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
        for number in 0..partitions {
            let feeder = Feeder::new(service.clone(), Arc::clone(&hub), Arc::clone(&figures), number, config.poll);
            tasks.spawn(feeder.run(stop.clone()));
            let others = service.config.others.iter().map(|other| other.topic(Topic::Signals));
            for topic in std::iter::once(TopicName::local(Topic::Signals)).chain(others) {
                let (log, hub, clock) = (Arc::clone(&log), Arc::clone(&hub), Arc::clone(&service.clock));
                tasks.spawn(SignalReader { log, hub, clock, topic, number }.run(stop.clone()));
            }
        }
        let (models, watched) = (service.models.clone(), Arc::clone(&hub));
        tasks.spawn(account::watch_identifiers(models, watched, Arc::clone(&figures), config.poll, stop.clone()));
        Ok(Self { service, config, hub, figures, tasks, stop })
    }

    /// Connects a device that has shown its token. It is given what waits for it, in order, and then what arrives.
    ///
    /// # Errors
    /// [`CommandError::Unavailable`]: the log can't be asked.
    pub async fn connect(&self, token: TokenId) -> Result<Subscription, CommandError> {
        let caller = Caller { box_id: token.box_id, device_id: token.device_id };
        let unavailable = |error: rossby_log::AppendError| CommandError::Unavailable(error.to_string());
        let number = self.service.appender.partition(Topic::Inbox, &token.box_id.to_string()).await;
        let number = number.map_err(unavailable)?;
        let no_partition = || CommandError::Internal(format!("there was no partition {number} at the start"));
        let partition = self.hub.partition(number).ok_or_else(no_partition)?;
        let window = Window {
            messages: self.config.window_messages.max(1),
            octets: self.config.window_octets,
            queue_octets: QUEUE_OCTETS,
        };
        let (arrivals, arriving) = mpsc::unbounded_channel();
        let (signals, signalled) = mpsc::channel(QUEUED_SIGNALS);
        let (confirmed, confirming) = mpsc::unbounded_channel();
        let (out, deliveries) = mpsc::channel(1);
        let line = Arc::new(Line {
            device_id: token.device_id,
            epoch: token.epoch,
            gate: Mutex::new(Gate::new(window)),
            arrivals,
            signals,
            seen: watch::Sender::new(Seen::default()),
            fell_behind: Notify::new(),
            revoked: CancellationToken::new(),
        });
        let ends =
            Ends { out, arrivals: arriving, signals: signalled, confirmed: confirming, fed: partition.fed.subscribe() };
        let (service, figures) = (self.service.clone(), Arc::clone(&self.figures));
        let pump = Pump::new(service.clone(), figures, caller, Arc::clone(&line), ends, self.config.look_again);
        // Joined first and asked then, so that nothing is missed between the two.
        partition.join(token.box_id, &line);
        let pump = self.tasks.spawn(pump.run()).abort_handle();
        let hub = Arc::clone(&self.hub);
        Ok(Subscription { service, caller, deliveries, confirmed, line, hub, partition: number, pump })
    }

    /// How often the tables were asked.
    #[must_use]
    pub fn queries(&self) -> Queries {
        self.figures.queries()
    }

    /// How many octets of messages are in memory for devices that have yet to take them.
    #[must_use]
    pub fn queued_octets(&self) -> usize {
        let lines = self.hub.partitions.iter().flat_map(hub::Partition::all_lines);
        lines.map(|line| line.gate().queued_octets()).sum()
    }

    /// Ends, once no device is connected any more.
    pub async fn stop(&self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}

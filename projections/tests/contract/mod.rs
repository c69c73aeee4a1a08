//! What the projections promise, asked of both databases and of both logs alike. `tests/sqlite.rs`, `tests/postgres.rs` and
//! `tests/kafka.rs` run it.

pub(crate) mod admission;
pub(crate) mod arrivals;
pub(crate) mod events;
pub(crate) mod history;
pub(crate) mod identifiers;
pub(crate) mod mirrored;
pub(crate) mod positions;
pub(crate) mod queue;
pub(crate) mod rebuild;

use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use rossby_log::topics::TopicSpec;
use rossby_log::{Log, LogRecord, Offset, TopicAdmin, partition_for};
use rossby_projections::{Projection, Projector, ProjectorConfig, ProjectorStatus, ReadModels};
use rossby_schemas::envelope::Envelope;
use rossby_schemas::ids::RegionNumber;
use rossby_schemas::time::{Clock, ManualClock, Timestamp};
use rossby_schemas::topic::{Topic, TopicName};
use tokio_util::sync::CancellationToken;

/// The region of all that these tests write.
pub(crate) const HOME: RegionNumber = RegionNumber(1);
pub(crate) const PARTITIONS: u32 = 2;
/// How long anything may take that isn't a failure.
const PATIENCE: Duration = Duration::from_secs(60);

/// A new database's URL, and what has to live as long.
pub(crate) type Opening = Pin<Box<dyn Future<Output = (String, Box<dyn Send>)> + Send>>;
/// Makes a new database.
pub(crate) type NewDatabase = fn() -> Opening;

/// A log of its own.
#[async_trait]
pub(crate) trait TestLog: Log + TopicAdmin {
    /// Removes what has been kept long enough, and gives how many records that were.
    async fn retire(&self, appended: &[Appended], now: Timestamp) -> usize;
}

/// A record that a test appended, and when by its clock.
#[derive(Debug, Clone, Copy)]
#[allow(dead_code, reason = "a log that knows the test's clock needs none of it")]
pub(crate) struct Appended {
    pub(crate) topic: Topic,
    pub(crate) partition: u32,
    pub(crate) offset: Offset,
    pub(crate) at: Timestamp,
}

/// Opens the log of a folder, which stays the same log when it is opened again.
pub(crate) type OpenLog = fn(PathBuf, Arc<ManualClock>) -> Pin<Box<dyn Future<Output = Arc<dyn TestLog>> + Send>>;

/// A log, a clock and read models of its own.
pub(crate) struct World {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) log: Arc<dyn TestLog>,
    appended: Mutex<Vec<Appended>>,
    open_log: OpenLog,
    pub(crate) models: ReadModels,
    /// The read models' database.
    pub(crate) url: String,
    new_database: NewDatabase,
    _keep: Vec<Box<dyn Send>>,
}

impl World {
    pub(crate) async fn new(new_database: NewDatabase, open_log: OpenLog) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualClock::new("2026-11-24T09:00:00Z".parse::<Timestamp>().unwrap()));
        let log = open(open_log, folder.path().join("log"), &clock).await;
        let appended = Mutex::default();
        let (url, keep) = new_database().await;
        let models = ReadModels::open(&url, 10).await.unwrap();
        Self { folder, clock, log, appended, open_log, models, url, new_database, _keep: vec![keep] }
    }

    /// Read models with nothing in them.
    pub(crate) async fn empty_models(&mut self) -> ReadModels {
        let (url, keep) = (self.new_database)().await;
        self._keep.push(keep);
        ReadModels::open(&url, 10).await.unwrap()
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Closes the log and the read models, and opens them again.
    pub(crate) async fn restart(&mut self) {
        self.log.close().await;
        self.models.close().await;
        self.models = ReadModels::open(&self.url, 10).await.unwrap();
        // The lock of a folder goes with the last reference.
        self.log = (self.open_log)(self.folder.path().join("other"), Arc::clone(&self.clock)).await;
        self.log = open(self.open_log, self.folder.path().join("log"), &self.clock).await;
    }

    /// Removes from the log what has been kept long enough.
    pub(crate) async fn retire(&self) -> usize {
        let appended = self.appended.lock().unwrap().clone();
        self.log.retire(&appended, self.now()).await
    }

    /// Appends an event to the topic that it belongs to.
    pub(crate) async fn append(&self, topic: Topic, envelope: &Envelope) {
        let offset = append(&*self.log, topic, envelope).await;
        let appended = Appended { topic, partition: partition(envelope), offset, at: self.now() };
        self.appended.lock().unwrap().push(appended);
    }

    /// Applies everything that the log has, and gives where the projector stood then.
    pub(crate) async fn project(&self) -> ProjectorStatus {
        self.project_into(&self.models).await
    }

    pub(crate) async fn project_into(&self, models: &ReadModels) -> ProjectorStatus {
        let running = Running::start(models, self.log.clone(), &self.clock);
        running.until_idle(&*self.log).await;
        running.stop().await
    }
}

async fn open(open_log: OpenLog, folder: PathBuf, clock: &Arc<ManualClock>) -> Arc<dyn TestLog> {
    let log = open_log(folder, Arc::clone(clock)).await;
    log.ensure_topics(&TopicSpec::local(PARTITIONS)).await.unwrap();
    log
}

/// Where an envelope goes: keyed by the identifier's hash or the BoxID.
pub(crate) fn partition(envelope: &Envelope) -> u32 {
    let key = envelope.stream.split('/').next().unwrap();
    partition_for(key.as_bytes(), PARTITIONS)
}

pub(crate) async fn append(log: &dyn TestLog, topic: Topic, envelope: &Envelope) -> Offset {
    append_to(log, &TopicName::local(topic), envelope).await
}

pub(crate) async fn append_to(log: &dyn TestLog, topic: &TopicName, envelope: &Envelope) -> Offset {
    let key = envelope.stream.split('/').next().unwrap().to_owned();
    let record =
        LogRecord { key: Some(Bytes::from(key)), headers: envelope.headers(), value: Some(envelope.data.clone()) };
    log.append(topic, partition(envelope), record).await.unwrap()
}

/// A projector at work.
pub(crate) struct Running {
    stop: CancellationToken,
    status: rossby_projections::StatusHandle,
    task: tokio::task::JoinHandle<Result<(), rossby_projections::ProjectorError>>,
    /// How many regions' topics it reads.
    regions: usize,
}

impl Running {
    pub(crate) fn start(models: &ReadModels, log: Arc<dyn Log>, clock: &Arc<ManualClock>) -> Self {
        Self::with(models, log, clock, ProjectorConfig::single_region(HOME))
    }

    pub(crate) fn with(
        models: &ReadModels,
        log: Arc<dyn Log>,
        clock: &Arc<ManualClock>,
        config: ProjectorConfig,
    ) -> Self {
        let regions = 1 + config.others.len();
        let projector = Projector::new(models.clone(), log, clock.clone(), config);
        let (stop, status) = (CancellationToken::new(), projector.status());
        let task = tokio::spawn(projector.run(stop.clone()));
        Self { stop, status, task, regions }
    }

    /// Waits until every partition has applied all that the log has, or has stopped.
    pub(crate) async fn until_idle(&self, log: &dyn TestLog) {
        let idle = async || {
            let partitions = self.status.get().partitions;
            for partition in &partitions {
                let bounds = log.bounds(&partition.topic, partition.partition).await.unwrap();
                let is_done = partition.caught_up && partition.next_offset == bounds.end;
                if !is_done && partition.stopped.is_none() {
                    return false;
                }
            }
            // Each projection reads its own topics of each region.
            let topics: usize = Projection::ALL.iter().map(|projection| projection.topics().len()).sum();
            partitions.len() == self.regions * topics * usize::try_from(PARTITIONS).unwrap()
        };
        eventually(idle).await;
    }

    /// Stops it, and gives where it stood.
    pub(crate) async fn stop(self) -> ProjectorStatus {
        self.stop.cancel();
        self.task.await.unwrap().unwrap();
        self.status.get()
    }
}

/// Waits until something holds.
pub(crate) async fn eventually(holds: impl AsyncFn() -> bool) {
    let waiting = async {
        while !holds().await {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, waiting).await.expect("it does not come to hold");
}

/// The reasons for which partitions have stopped.
pub(crate) fn stops(status: &ProjectorStatus) -> Vec<String> {
    status.partitions.iter().filter_map(|partition| partition.stopped.clone()).collect()
}

/// Makes the tests of a database.
macro_rules! contract {
    ($new_database:path, $open_log:path) => {
        $crate::contract::contract!(@cases $new_database, $open_log;
            queue::every_order_of_facts_gives_the_same,
            queue::a_removal_and_a_closing_take_the_share_whenever_they_come,
            queue::two_projectors_at_once_apply_each_record_once,
            queue::what_expires_is_left_out_counted_and_swept,
            queue::a_repeated_record_brings_nothing_back,
            queue::a_fetch_gives_no_more_than_asked,
            queue::what_was_confirmed_is_swept_and_leaves_the_rest_in_order,
            arrivals::a_stretch_gives_what_it_brought_to_these_boxes,
            arrivals::what_waits_is_told_without_what_is_known,
            arrivals::what_changed_of_boxes_is_told_in_one_query_each,
            admission::versions_decide,
            admission::a_lost_record_stops_its_partition_alone,
            admission::what_cannot_be_read_stops_control_streams_and_is_put_aside_in_the_queue,
            admission::checkpoints_are_passed_over,
            admission::a_stream_at_home_elsewhere_is_put_aside,
            admission::any_interleaving_gives_one_history,
            admission::an_identifier_has_one_owner,
            admission::the_rest_of_an_expired_day_is_ignored,
            admission::waiting_ends_when_the_version_is_passed,
            identifiers::a_box_has_the_identifiers_that_were_verified_for_it,
            identifiers::codes_for_objections_are_counted_apart,
            identifiers::one_claim_waits_and_the_others_have_ended,
            identifiers::claims_that_can_take_no_effect_take_no_place,
            identifiers::what_is_half_done_is_found_until_it_is_done,
            positions::a_restart_goes_on_where_it_stood,
            positions::a_projector_that_wakes_late_does_nothing,
            positions::a_topic_made_anew_is_recognised,
            positions::lost_records_stop_control_topics,
            positions::a_truncated_queue_goes_on,
            positions::a_quiet_partition_moves_past_what_retention_took,
            positions::a_truncated_day_of_registrations_is_no_error,
            positions::a_log_that_comes_back_is_read_on,
            positions::what_the_secret_is_known_by_is_kept_once,
            mirrored::the_logs_of_all_regions_are_read,
            mirrored::a_mirrored_topic_made_anew_is_read_again,
            mirrored::a_mirrored_topic_that_is_gone_is_waited_for,
            mirrored::a_record_that_a_mirror_lost_stops_its_partition_alone,
            mirrored::a_truncated_day_of_one_region_leaves_the_others,
            mirrored::the_regions_are_kept_once,
            history::a_box_has_what_happened_to_it_and_nothing_of_others,
            history::a_page_goes_on_where_the_one_before_ended,
            history::it_is_built_from_the_logs_beginning_beside_tables_that_live,
            rebuild::a_rebuild_gives_the_same_tables,
            rebuild::keys_and_profiles_say_what_was_admitted,
        );
    };
    (@cases $new_database:path, $open_log:path; $($module:ident::$case:ident,)*) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                $crate::contract::$module::$case($crate::contract::World::new($new_database, $open_log).await).await;
            }
        )*
    };
}
pub(crate) use contract;

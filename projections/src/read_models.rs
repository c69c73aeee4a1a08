//! The queries, and waiting for what a projection has yet to apply.

use std::future::Future;
use std::time::Duration;

use rossby_log::Offset;
use rossby_schemas::encoding::{Octets, Sha256Digest};
use rossby_schemas::events::profiles::AclTag;
use rossby_schemas::http::export::{HeldRegistration, HeldUploads};
use rossby_schemas::http::messages::Lost;
use rossby_schemas::ids::{
    BoxId, CommandId, DeviceId, IdentifierHash, OuterId, RegionNumber, RegistrationId, RendezvousId,
};
use rossby_schemas::time::Timestamp;
use rossby_schemas::topic::{Topic, TopicName};
use tokio::sync::broadcast;
use tokio::time::Instant;

use crate::projection::Projection;
pub use crate::store::{
    AcceptedMessage, Arrival, ArrivalLimits, Arrivals, BoxIdentifier, Claim, ClaimState, DevicePointer, DeviceState,
    HeldMessages, HeldPage, HistoryPage, HistoryPart, IdentifierOwner, IdentifierState, IssuedCode, LinkedSince,
    Profile, Purpose, RegionsCheck, Registration, RegistrationDay, SecretCheck, Stretch, Waiting, WaitingMessage,
    WatchedDevice, WatchedIdentifier,
};
use crate::store::{CommandEvent, Permission, PositionRow, Snapshot, Store, StoreError, StoredKeyRecord, Swept, Taken};
use crate::store::{Fingerprints, NotForReplay, ReplayOf, Replayed};
use crate::wake::{Applied, Wakes};

/// Who waits looks after so long at first, whether a wake-up comes or not, and then less and less often.
const FIRST_POLL: Duration = Duration::from_millis(50);
/// Who waits looks at least so often.
const LAST_POLL: Duration = Duration::from_secs(1);

/// The read models of one database.
#[derive(Debug, Clone)]
pub struct ReadModels {
    pub(crate) store: Store,
    pub(crate) wakes: Wakes,
}

impl ReadModels {
    /// Opens `postgres://…` or `sqlite:PATH`, and brings the tables up to date. A SQLite file is made with access for its
    /// owner alone; one process may open it.
    ///
    /// # Errors
    /// [`StoreError`]: it can't be reached, or was made by a newer Rossby.
    pub async fn open(url: &str, max_connections: u32) -> Result<Self, StoreError> {
        let store = Store::open(url, max_connections).await?;
        let wakes = if store.is_postgres() { Wakes::listening(url.to_owned()) } else { Wakes::new() };
        Ok(Self { store, wakes })
    }

    /// Opens read models that are there and of this version, and changes nothing in them. A server may be at work on them.
    ///
    /// # Errors
    /// [`StoreError`]: they can't be reached, are not there, or of another version.
    pub async fn open_to_read(url: &str, max_connections: u32) -> Result<Self, StoreError> {
        Ok(Self { store: Store::open_to_read(url, max_connections).await?, wakes: Wakes::new() })
    }

    /// Opens an empty database for a replay, or one in which the same replay was interrupted. Says whether it was.
    ///
    /// # Errors
    /// [`NotForReplay`]: it has tables of another origin, or can't be used.
    pub async fn open_for_replay(url: &str, max_connections: u32, of: ReplayOf) -> Result<(Self, bool), NotForReplay> {
        let (store, was_begun) = Store::open_for_replay(url, max_connections, of).await?;
        Ok((Self { store, wakes: Wakes::new() }, was_begun))
    }

    /// Keeps that the replay into this database has come to its end.
    ///
    /// # Errors
    /// [`StoreError`]: the database can't be reached.
    pub async fn finish_replay(&self) -> Result<(), StoreError> {
        let store = self.store.clone();
        to_its_end(async move { store.finish_replay().await }).await
    }

    /// Closes the connections once they are idle.
    pub async fn close(&self) {
        self.store.close().await;
    }

    /// Whether the database answers.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn health(&self) -> Result<(), StoreError> {
        self.store.ping().await
    }

    /// Hears of each batch that is committed from now on, in any process. Who falls behind is told so, and should look.
    #[must_use]
    pub fn subscribe(&self) -> broadcast::Receiver<Applied> {
        self.wakes.subscribe()
    }

    /// Waits until a projection has carried a stream past `expected_version`; false if it has not in time.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn wait_past(
        &self,
        projection: Projection,
        topic: Topic,
        stream: &str,
        expected_version: u64,
        patience: Duration,
    ) -> Result<bool, StoreError> {
        let concerns = |applied: &Applied| applied.projection == projection && applied.topic.topic == topic;
        self.wait(patience, concerns, || async move {
            Ok(self.store.stream_version(projection, topic, stream).await? > expected_version)
        })
        .await
    }

    /// Waits until a projection has applied a record; false if it has not in time.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn wait_offset(
        &self,
        projection: Projection,
        topic: &TopicName,
        partition: u32,
        offset: Offset,
        patience: Duration,
    ) -> Result<bool, StoreError> {
        let concerns = |applied: &Applied| {
            applied.projection == projection && applied.topic == *topic && applied.partition == partition
        };
        self.wait(patience, concerns, || async move {
            let position = self.store.position(projection, topic, partition).await?;
            Ok(position.is_some_and(|position| position.next_offset > offset))
        })
        .await
    }

    /// Subscribes first and looks then, so that nothing is missed between the two.
    async fn wait<Fut>(
        &self,
        patience: Duration,
        concerns: impl Fn(&Applied) -> bool,
        look: impl Fn() -> Fut,
    ) -> Result<bool, StoreError>
    where
        Fut: Future<Output = Result<bool, StoreError>>,
    {
        let mut wakes = self.subscribe();
        let deadline = Instant::now() + patience;
        let mut poll = FIRST_POLL;
        loop {
            if look().await? {
                return Ok(true);
            }
            let now = Instant::now();
            if now >= deadline {
                return Ok(false);
            }
            let until = deadline.min(now + poll);
            // Goes on at a wake-up that concerns it, a backlog that overflowed, or the time to look again.
            while let Ok(Ok(applied)) = tokio::time::timeout_at(until, wakes.recv()).await {
                if concerns(&applied) {
                    break;
                }
            }
            poll = LAST_POLL.min(poll * 2);
        }
    }

    /// Counts octets as uploaded by a box, unless it has uploaded more than `limit` in the day (UTC) of `now` then. Gives whether
    /// they were counted. Goes on to its end when it is dropped.
    ///
    /// # Errors
    /// [`StoreError`]: the database can't be reached.
    pub async fn take_upload(
        &self,
        box_id: BoxId,
        now: Timestamp,
        octets: u64,
        limit: u64,
    ) -> Result<bool, StoreError> {
        let store = self.store.clone();
        to_its_end(async move { store.take_upload(box_id, now, octets, limit).await }).await
    }

    /// Takes back what [`Self::take_upload`] counted at `counted_at`. Goes on to its end when it is dropped.
    ///
    /// # Errors
    /// [`StoreError`]: the database can't be reached.
    pub async fn give_upload_back(&self, box_id: BoxId, counted_at: Timestamp, octets: u64) -> Result<(), StoreError> {
        let store = self.store.clone();
        to_its_end(async move { store.give_upload_back(box_id, counted_at, octets).await }).await
    }

    /// Keeps what the current master secret is known again by, unless one is kept already. Gives the one that is kept. Goes on to its
    /// end when it is dropped.
    ///
    /// # Errors
    /// [`StoreError`]: the database can't be reached.
    pub async fn keep_secret_check(&self, check: SecretCheck) -> Result<SecretCheck, StoreError> {
        let store = self.store.clone();
        to_its_end(async move { store.keep_secret_check(check).await }).await
    }

    /// Keeps with which regions these tables were founded, unless that is kept already. Gives what is kept. Goes on to its end when
    /// it is dropped.
    ///
    /// # Errors
    /// [`StoreError`]: the database can't be reached.
    pub async fn keep_regions_check(&self, check: RegionsCheck) -> Result<RegionsCheck, StoreError> {
        let store = self.store.clone();
        to_its_end(async move { store.keep_regions_check(check).await }).await
    }

    /// Puts another text in the place of the regions that are kept, if they are still the same. Gives what is kept then. Goes on to
    /// its end when it is dropped.
    ///
    /// # Errors
    /// [`StoreError`]: the database can't be reached.
    pub async fn replace_regions_check(&self, kept: RegionsCheck, regions: String) -> Result<RegionsCheck, StoreError> {
        let store = self.store.clone();
        to_its_end(async move { store.replace_regions_check(kept, regions).await }).await
    }

    /// Blanks bodies that nobody waits for, and deletes what has expired at `now`. Goes on to its end when it is dropped.
    ///
    /// # Errors
    /// [`StoreError`]: the database can't be reached.
    pub async fn sweep(&self, now: Timestamp) -> Result<Swept, StoreError> {
        let store = self.store.clone();
        to_its_end(async move { store.sweep(now).await }).await
    }
}

/// Runs a write in a task of its own, which is not cancelled.
async fn to_its_end<T: Send + 'static>(
    write: impl Future<Output = Result<T, StoreError>> + Send + 'static,
) -> Result<T, StoreError> {
    tokio::spawn(write).await.unwrap_or_else(|error| Err(StoreError::Failed(error.to_string())))
}

/// Queries that only pass on to the store.
macro_rules! queries {
    ($($(#[$doc:meta])* $name:ident($($argument:ident: $type:ty),*) -> $answer:ty;)*) => {
        impl ReadModels {
            $(
                $(#[$doc])*
                ///
                /// # Errors
                /// [`StoreError`]: the database can't be reached, or a row can't be read.
                pub async fn $name(&self, $($argument: $type),*) -> Result<$answer, StoreError> {
                    self.store.$name($($argument),*).await
                }
            )*
        }
    };
}

queries! {
    /// The version of a stream, as a projection knows it; 0 for one that is unknown.
    stream_version(projection: Projection, topic: Topic, stream: &str) -> u64;
    /// Which event took a version of a stream, if one has.
    taken(projection: Projection, topic: Topic, stream: &str, expected_version: u64) -> Option<Taken>;
    /// The events of a command that any projection knows, each once.
    command(id: CommandId) -> Vec<CommandEvent>;
    /// A registration, if it is known and its day is not over for long.
    registration(id: RegistrationId) -> Option<Registration>;
    /// What an identifier has used up of a day, codes for objections apart; `stream` is `rossby_schemas::events::registrations::stream`.
    registration_day(stream: &str) -> RegistrationDay;
    /// What a box's device has used up of a day's codes for objections to claims of an identifier.
    objection_day(stream: &str, box_id: BoxId, device: DeviceId) -> RegistrationDay;
    /// An identifier, and whom it belongs to.
    identifier(hash: IdentifierHash) -> IdentifierState;
    /// A box's identifiers, in the order in which they were verified.
    identifiers_of(box_id: BoxId) -> Vec<BoxIdentifier>;
    /// A claim, open or ended not long ago.
    claim(id: RegistrationId) -> Option<Claim>;
    /// The claim of an identifier that waits, if one does.
    open_claim(identifier: IdentifierHash) -> Option<Claim>;
    /// The open claims of identifiers that belong to a box.
    claims_on(box_id: BoxId) -> Vec<Claim>;
    /// What was claimed for a box not long ago, in the order in which it was.
    claims_for(box_id: BoxId) -> Vec<Claim>;
    /// Open claims that may take effect at `now`: their time has come, or the identifier is free; and their box was not founded
    /// yet, or has the device that claimed and fewer than so many identifiers. Of these slots, or of all if none are given.
    due_claims(now: Timestamp, limit: u32, identifiers: u64, slots: Option<&[u16]>) -> Vec<Claim>;
    /// Verified identifiers whose box, at home in this region, nobody has founded yet: half-done commands.
    unfounded_identifiers(region: RegionNumber, limit: u32) -> Vec<(IdentifierHash, IdentifierState)>;
    /// What waits for a device at `now`: `limit` messages and about `max_octets` at most, but always one.
    waiting(box_id: BoxId, device_id: DeviceId, now: Timestamp, limit: u32, max_octets: usize) -> Waiting;
    /// The same without the messages under these ids.
    waiting_besides(
        box_id: BoxId, device_id: DeviceId, now: Timestamp, besides: &[OuterId], limit: u32, max_octets: usize
    ) -> Waiting;
    /// Which of these messages wait for a device at `now`.
    still_waiting(
        box_id: BoxId, device_id: DeviceId, now: Timestamp, messages: &[OuterId]
    ) -> Vec<(OuterId, Sha256Digest)>;
    /// What entered the queues of these boxes in a stretch of a partition of a region's, and waits at `now`: one query.
    arrivals(
        place: (RegionNumber, u32), stretch: Stretch, boxes: &[BoxId], now: Timestamp, limits: ArrivalLimits
    ) -> Arrivals;
    /// The devices of these boxes, removed ones too: one query.
    watched_devices(boxes: &[BoxId]) -> Vec<WatchedDevice>;
    /// The versions of these boxes' profiles, without boxes that have set nothing: one query.
    profile_versions(boxes: &[BoxId]) -> Vec<(BoxId, u64)>;
    /// The identifiers of these boxes: one query.
    watched_identifiers(boxes: &[BoxId]) -> Vec<WatchedIdentifier>;
    /// Where the projections stand in the partitions with this number, of whatever topic.
    positions_in(partition: u32) -> Vec<PositionRow>;
    /// The messages that were accepted under an id, as long as they live.
    accepted(box_id: BoxId, outer_id: OuterId) -> Vec<AcceptedMessage>;
    /// A device and its part of the queue at `now`.
    device_pointer(box_id: BoxId, device_id: DeviceId, now: Timestamp) -> DevicePointer;
    /// What expired before a device fetched it.
    lost(box_id: BoxId, device_id: DeviceId) -> Option<Lost>;
    /// The pointers of all devices of a box that were not removed: one query.
    device_pointers(box_id: BoxId, now: Timestamp) -> Vec<(DeviceId, DevicePointer)>;
    /// The messages that were left at a rendezvous and live at `now`, `limit` at most.
    rendezvous(id: RendezvousId, now: Timestamp, limit: u32) -> Vec<Octets>;
    /// How many messages wait in a box at `now`, `limit` at most.
    queued(box_id: BoxId, now: Timestamp, limit: u64) -> u64;
    /// How many messages the queues of all boxes hold.
    queue_depth(now: Timestamp) -> u64;
    /// A page of a box's queue at `now`, for all of its devices: what waits, and what is remembered of what was confirmed.
    held_messages(box_id: BoxId, now: Timestamp, page: HeldPage) -> HeldMessages;
    /// What a box or its devices have asked codes for, `limit` at most, the last first.
    held_registrations(box_id: BoxId, limit: u32) -> Vec<HeldRegistration>;
    /// How much a box has uploaded on each day that is remembered.
    held_uploads(box_id: BoxId) -> Vec<HeldUploads>;
    /// A page of a box's history; nothing of a closed one. The hashes of its chains are not made.
    account_history(box_id: BoxId, page: &HistoryPage) -> HistoryPart;
    /// The streams of identifiers that a box's history tells of.
    history_identifiers(box_id: BoxId) -> Vec<String>;
    /// A box's key record, if it was ever founded.
    key_record(box_id: BoxId) -> Option<StoredKeyRecord>;
    /// A box's devices, removed ones too, in ascending order.
    devices(box_id: BoxId) -> Vec<(DeviceId, DeviceState)>;
    /// One of a box's devices.
    device(box_id: BoxId, device_id: DeviceId) -> Option<DeviceState>;
    /// How many devices were linked to a box since then, those that were removed meanwhile too.
    linked_since(box_id: BoxId, since: Timestamp) -> LinkedSince;
    /// Boxes at home in this region whose closing is not finished, with the command that closes them: they are not closed, or were closing since then and
    /// have an identifier still.
    half_closed_boxes(region: RegionNumber, since: Timestamp, limit: u32) -> Vec<(BoxId, CommandId)>;
    /// A box's settings; the defaults if it has set none.
    profile(box_id: BoxId) -> Profile;
    /// What a box allows the one that has this tag in its lists. The same work whatever the answer.
    permission(asked: BoxId, tag: AclTag) -> Permission;
    /// Where every projection stands.
    positions() -> Vec<PositionRow>;
    /// With which regions these tables were founded, if that was kept.
    regions_check() -> Option<RegionsCheck>;
    /// What a replay has built these tables of, if one has.
    replayed() -> Option<Replayed>;
    /// What the current master secret is known again by, if one was kept.
    secret_check() -> Option<SecretCheck>;
    /// How many records lie in quarantine.
    quarantined() -> u64;
    /// The hash of each row of the derived tables that lives at `at`, by its key, and where the projections stood in that very state;
    /// topics have so many partitions.
    fingerprints(at: Timestamp, partitions: u32) -> Fingerprints;
    /// All rows of the derived tables that live at `at`, for comparing two databases, swept or not.
    snapshot(at: Timestamp) -> Snapshot;
}

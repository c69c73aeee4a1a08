//! From topics to tables: the runner, what each projection applies, and the queries.
//!
//! A [`Projector`] reads the log's partitions and writes tables; [`ReadModels`] answers from them. Rows and the position of
//! the partition commit in one transaction, so a record is applied exactly once however often it is read. Projections check
//! only versions, never rules: a replay gives the same tables for ever.

mod history;
mod inbox;
mod keys;
mod profiles;
mod projection;
mod read_models;
mod runner;
mod store;
mod wake;

pub use history::{acting_device, named_boxes};
pub use projection::Projection;
pub use read_models::{
    AcceptedMessage, Arrival, ArrivalLimits, Arrivals, BoxIdentifier, Claim, ClaimState, DevicePointer, DeviceState,
    HeldMessages, HeldPage, HistoryPage, HistoryPart, IdentifierOwner, IdentifierState, IssuedCode, LinkedSince,
    Profile, Purpose, ReadModels, RegionsCheck, Registration, RegistrationDay, SecretCheck, Stretch, Waiting,
    WaitingMessage, WatchedDevice, WatchedIdentifier,
};
pub use runner::{
    Homes, OtherRegion, PartitionStatus, Projector, ProjectorConfig, ProjectorError, ProjectorStatus, StatusHandle,
};
pub use store::{
    CommandEvent, DERIVED_TABLES, EventStatus, Fingerprint, Fingerprints, NotForReplay, OPERATIONAL_TABLES, Permission,
    PositionRow, ReplayOf, Replayed, Snapshot, StoreError, StoredKeyRecord, Swept, TableFingerprints, Taken,
};
pub use wake::Applied;

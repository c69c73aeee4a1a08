//! What a person should know, though it stops nothing.

mod names;
mod text;

use rossby_schemas::http::messages::Lost;
use rossby_schemas::ids::{BoxId, DeviceId, OuterId};
use rossby_schemas::time::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::account_history::HistoryFault;

/// A warning that waits to be shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// Its number in the store.
    pub id: i64,
    /// What it is about.
    pub warning: Warning,
    /// What it says to the person, with what they call those whom it is about.
    pub text: String,
    /// When it came first.
    pub seen_at: Timestamp,
    /// How often it came, or others of its kind for which there was no room.
    pub times: u64,
}

/// What a person should know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Warning {
    /// The server showed a shorter key record than it did before. The longer one is kept.
    ShorterRecord(BoxId),
    /// A sealing statement was refused; the one that is known is kept.
    RefusedSealingStatement {
        /// The box.
        box_id: BoxId,
        /// Why.
        reason: String,
    },
    /// A key record that the server showed was refused; the one that is known is kept.
    RefusedRecord {
        /// The box.
        box_id: BoxId,
        /// Why.
        reason: String,
    },
    /// The box was shown with two contradicting key records.
    Fork(BoxId),
    /// The identifier leads to another box now.
    RootChanged {
        /// The identifier.
        identifier: String,
        /// Whether the person had verified the box before.
        #[serde(default)]
        was_verified: bool,
    },
    /// A box that the person has verified has got new devices.
    NewDevices {
        /// The box.
        box_id: BoxId,
        /// An identifier that leads there.
        identifier: Option<String>,
        /// How many, since it was verified.
        devices: usize,
    },
    /// The device of somebody who was verified just now knows more of a record than the server shows here.
    BehindTheirs(BoxId),
    /// A device of the recipient will not get the message.
    LeftOut {
        /// The device.
        device_id: DeviceId,
        /// Why.
        reason: String,
    },
    /// The server shows an older profile of a box than before. The later one is kept.
    OldProfile(BoxId),
    /// The profile that the server shows of a box does not open with the key that its owner gave.
    BadProfile(BoxId),
    /// What another of the own devices had put into the own profile could not be read, and was replaced.
    ProfileReplaced,
    /// Messages of the sender before this one haven't come.
    Gap {
        /// The sender.
        sender: BoxId,
        /// How many are missing.
        missing: u64,
    },
    /// The message does not follow after the one that came before it: one of them was shown to us alone.
    BrokenChain {
        /// The sender.
        sender: BoxId,
    },
    /// The sender has sent two different messages under one number; the first is kept.
    TwoBodies {
        /// The sender.
        sender: BoxId,
    },
    /// A message that waited in the outbox will not be sent.
    NotSent {
        /// The recipient.
        recipient: BoxId,
        /// Why.
        reason: String,
    },
    /// Somebody edits or deletes a message that another has written: nothing came of it.
    NotTheirs {
        /// Who.
        sender: BoxId,
        /// The kind's number.
        kind: u32,
    },
    /// A message was refused.
    RefusedMessage {
        /// Its id in the queue.
        outer_id: OuterId,
        /// When the server accepted it, as it says.
        accepted_at: Timestamp,
        /// Why.
        reason: String,
    },
    /// The server shows a sealing key for this device that this device did not make: whoever did, has its signing key, or the
    /// home was restored from a copy. It is replaced by a new one.
    StrangeSealingKey {
        /// Its counter.
        counter: u64,
    },
    /// This device's clock is far ahead of the server's: no key is made or erased by it.
    ClockAhead,
    /// The server did not take this device's new sealing key.
    SealingKeyNotTaken {
        /// Why.
        reason: String,
    },
    /// The system's keyring didn't erase a key that is no longer needed.
    NotErased {
        /// Why.
        reason: String,
    },
    /// Messages expired before this device fetched them.
    Lost(Lost),
    /// This account was removed from a group.
    RemovedFromGroup {
        /// The group.
        group: Uuid,
        /// Its name.
        name: String,
        /// Who removed it.
        by: Option<BoxId>,
    },
    /// A message of a group was refused that had waited for changes.
    RefusedGroupMessage {
        /// The group.
        group: Uuid,
        /// Who wrote it.
        sender: BoxId,
        /// Why.
        reason: String,
    },
    /// A change of a group was refused.
    RefusedGroupChange {
        /// The group.
        group: Uuid,
        /// Who made it, if that is sure.
        author: Option<BoxId>,
        /// Why.
        reason: String,
    },
    /// A device of a member has signed two changes of a group of which neither knows the other.
    GroupFork {
        /// The group.
        group: Uuid,
        /// The member.
        author: BoxId,
    },
    /// A change of a group has come that a device signed which was removed from its account. It counts.
    GroupChangedByRemovedDevice {
        /// The group.
        group: Uuid,
        /// Whose device it was.
        author: BoxId,
    },
    /// A member has seen another message under a number than this device.
    GroupDiffers {
        /// The group.
        group: Uuid,
        /// Who wrote the messages.
        author: BoxId,
        /// Who has seen the other one, as it says.
        by: BoxId,
    },
    /// A member has signed different messages for different members under one number.
    GroupEquivocation {
        /// The group.
        group: Uuid,
        /// The member.
        author: BoxId,
    },
    /// A member said that it had seen another message than it has.
    GroupMisreport {
        /// The group.
        group: Uuid,
        /// The member.
        by: BoxId,
    },
    /// Messages wait for changes of their group that have not come for long: the member who wrote them knows another group.
    GroupWaiting {
        /// The group.
        group: Uuid,
        /// Who wrote them.
        sender: BoxId,
        /// How many.
        waiting: u64,
    },
    /// Other members have seen messages that have not come here.
    GroupMissing {
        /// The group.
        group: Uuid,
        /// Who wrote them.
        author: BoxId,
        /// How many.
        missing: u64,
    },
    /// Another of the box's devices has linked a new one.
    DeviceLinked {
        /// The new device.
        device_id: DeviceId,
        /// When it was linked, by the clock of the device that linked it.
        at: Timestamp,
    },
    /// A device of the box was removed, not by this one.
    DeviceRemoved {
        /// The device.
        device_id: DeviceId,
        /// When it was removed, by the clock of whoever removed it.
        at: Timestamp,
    },
    /// One of the account's identifiers is claimed for another account.
    IdentifierClaimed {
        /// The identifier.
        identifier: String,
        /// From when on it is that account's.
        effective_at: Timestamp,
    },
    /// Another of the box's devices has added an identifier.
    IdentifierAdded {
        /// The identifier.
        identifier: String,
        /// The device.
        device_id: DeviceId,
    },
    /// Another of the box's devices has taken an identifier away.
    IdentifierRemoved {
        /// The identifier.
        identifier: String,
        /// The device.
        device_id: DeviceId,
    },
    /// An identifier is no longer the account's, as the server says.
    IdentifierGone {
        /// The identifier.
        identifier: String,
    },
    /// The server lists an identifier that no device of the box has added.
    StrangeIdentifier {
        /// The identifier, or its hash.
        identifier: String,
    },
    /// The history of the account that the server gives is not what it must be.
    HistoryDiffers(HistoryFault),
    /// The claim of an identifier for this account has come to nothing.
    ClaimEnded {
        /// The identifier.
        identifier: String,
        /// Whether the account that has it objected; else somebody has shown a code later.
        was_objected: bool,
    },
}

impl Warning {
    /// The group that it is about.
    const fn group(&self) -> Option<Uuid> {
        match self {
            Self::RefusedGroupMessage { group, .. }
            | Self::RefusedGroupChange { group, .. }
            | Self::GroupFork { group, .. }
            | Self::GroupChangedByRemovedDevice { group, .. }
            | Self::GroupDiffers { group, .. }
            | Self::GroupEquivocation { group, .. }
            | Self::GroupMisreport { group, .. }
            | Self::GroupWaiting { group, .. }
            | Self::GroupMissing { group, .. } => Some(*group),
            _ => None,
        }
    }

    /// A short stable name, for scripts.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::ShorterRecord(_) => "shorter-record",
            Self::RefusedSealingStatement { .. } => "refused-sealing-statement",
            Self::RefusedRecord { .. } => "refused-record",
            Self::Fork(_) => "fork",
            Self::RootChanged { .. } => "root-changed",
            Self::NewDevices { .. } => "new-devices",
            Self::BehindTheirs(_) => "behind-theirs",
            Self::LeftOut { .. } => "left-out",
            Self::OldProfile(_) => "old-profile",
            Self::BadProfile(_) => "bad-profile",
            Self::ProfileReplaced => "profile-replaced",
            Self::Gap { .. } => "gap",
            Self::BrokenChain { .. } => "broken-chain",
            Self::TwoBodies { .. } => "two-bodies",
            Self::NotSent { .. } => "not-sent",
            Self::NotTheirs { .. } => "not-theirs",
            Self::RefusedMessage { .. } => "refused-message",
            Self::StrangeSealingKey { .. } => "strange-sealing-key",
            Self::ClockAhead => "clock-ahead",
            Self::SealingKeyNotTaken { .. } => "sealing-key-not-taken",
            Self::NotErased { .. } => "not-erased",
            Self::Lost(_) => "lost",
            Self::RemovedFromGroup { .. } => "removed-from-group",
            Self::RefusedGroupMessage { .. } => "refused-group-message",
            Self::RefusedGroupChange { .. } => "refused-group-change",
            Self::GroupFork { .. } => "group-fork",
            Self::GroupChangedByRemovedDevice { .. } => "group-changed-by-removed-device",
            Self::GroupDiffers { .. } => "group-differs",
            Self::GroupEquivocation { .. } => "group-equivocation",
            Self::GroupMisreport { .. } => "group-misreport",
            Self::GroupWaiting { .. } => "group-waiting",
            Self::GroupMissing { .. } => "group-missing",
            Self::DeviceLinked { .. } => "device-linked",
            Self::DeviceRemoved { .. } => "device-removed",
            Self::IdentifierClaimed { .. } => "identifier-claimed",
            Self::IdentifierAdded { .. } => "identifier-added",
            Self::IdentifierRemoved { .. } => "identifier-removed",
            Self::IdentifierGone { .. } => "identifier-gone",
            Self::StrangeIdentifier { .. } => "strange-identifier",
            Self::ClaimEnded { .. } => "claim-ended",
            Self::HistoryDiffers(_) => "history-differs",
        }
    }
}

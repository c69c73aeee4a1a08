//! What a person reads of a warning.

use std::fmt;

use super::{Notice, Warning};
use crate::account::address;
use crate::content::Kind;

/// So many messages.
fn messages(count: u64) -> String {
    if count == 1 { "1 message".to_owned() } else { format!("{count} messages") }
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.warning, f)?;
        match self.times {
            0 | 1 => Ok(()),
            times => write!(f, " (and {} more of this kind)", times - 1),
        }
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ShorterRecord(box_id) => {
                write!(f, "the server showed an older key record of box {box_id} than before; the newer one is kept")
            }
            Self::RefusedSealingStatement { box_id, reason } => {
                write!(f, "a sealing key of box {box_id} was refused: {reason}")
            }
            Self::RefusedRecord { box_id, reason } => {
                write!(f, "a key record that the server showed of box {box_id} was refused: {reason}")
            }
            Self::Fork(box_id) => write!(
                f,
                "box {box_id} was shown with two key records that contradict each other; nothing is sent to it any more"
            ),
            Self::RootChanged { identifier, was_verified: false } => write!(
                f,
                "{identifier} leads to another box than before, with other keys; nothing is sent to it until you accept that"
            ),
            Self::RootChanged { identifier, was_verified: true } => write!(
                f,
                "{identifier}, whom you had verified, leads to another box than before, with other keys: the mark is gone, and \
                 nothing is sent until you verify or accept the new one"
            ),
            Self::NewDevices { box_id, identifier, devices } => {
                let who = identifier.clone().unwrap_or_else(|| format!("box {box_id}"));
                let devices = if *devices == 1 { "1 new device".to_owned() } else { format!("{devices} new devices") };
                write!(f, "{who} has {devices} since you verified them; ask them whether that is theirs")
            }
            Self::BehindTheirs(box_id) => write!(
                f,
                "the device that box {box_id} was verified with knows of devices of theirs, or of yours, that the server does not \
                 show here; look again later"
            ),
            Self::LeftOut { device_id, reason } => write!(f, "device {device_id} will not get it: {reason}"),
            Self::OldProfile(box_id) => {
                write!(
                    f,
                    "the server showed an older profile of box {box_id} than before, or none; the later one is kept"
                )
            }
            Self::BadProfile(box_id) => write!(
                f,
                "the profile that the server shows of box {box_id} does not open with the key that its owner gave; what was known \
                 is kept"
            ),
            Self::ProfileReplaced => f.write_str(
                "what another of your devices had put into your profile could not be read here; it is replaced",
            ),
            Self::Gap { sender, missing } => {
                write!(f, "{missing} of the messages that box {sender} sent before haven't come")
            }
            Self::BrokenChain { sender } => {
                write!(f, "a message of box {sender} does not follow after the one before it")
            }
            Self::TwoBodies { sender } => {
                write!(f, "box {sender} sent two different messages under one number; the first is kept")
            }
            Self::NotSent { recipient, reason } => {
                write!(f, "a message to box {recipient} was not sent: {reason}")
            }
            Self::NotTheirs { sender, kind } => {
                let what = if Kind::of(*kind) == Kind::Edit { "edit" } else { "delete" };
                write!(f, "box {sender} tried to {what} a message of somebody else; it stays as it was")
            }
            Self::RefusedMessage { accepted_at, reason, .. } => {
                write!(f, "a message, accepted at {accepted_at}, was refused: {reason}")
            }
            Self::StrangeSealingKey { counter } => write!(
                f,
                "the server shows a sealing key of this device, number {counter}, that this device did not make. If you did not \
                 restore it from a copy, somebody has its keys; it is replaced by a new one"
            ),
            Self::ClockAhead => f.write_str(
                "this device's clock is more than a day ahead of the server's: its keys are neither renewed nor erased by it. Set \
                 the clock; if it is right, the server's is wrong, and old keys stay for longer than they should",
            ),
            Self::SealingKeyNotTaken { reason } => {
                write!(f, "the server did not take this device's new sealing key: {reason}")
            }
            Self::NotErased { reason } => write!(
                f,
                "a key that is no longer needed is still in the system's keyring ({reason}); it is asked again to erase it"
            ),
            Self::Lost(lost) => write!(
                f,
                "{} expired before this device fetched them; they were accepted from {} to {}",
                messages(lost.messages),
                lost.from,
                lost.until
            ),
            Self::RemovedFromGroup { name, by, .. } => match by {
                Some(by) => write!(f, "you were removed from the group {name:?} by box {by}"),
                None => write!(f, "you were removed from the group {name:?}"),
            },
            Self::RefusedGroupMessage { group, sender, reason } => {
                write!(f, "a message of box {sender} in group {group} was refused: {reason}")
            }
            Self::RefusedGroupChange { group, author: Some(author), reason } => {
                write!(f, "a change of group {group} by box {author} was refused: {reason}")
            }
            Self::RefusedGroupChange { group, author: None, reason } => {
                write!(f, "a change of group {group} was refused: {reason}")
            }
            Self::GroupFork { group, author } => write!(
                f,
                "a device of box {author} has signed two changes of group {group} of which neither knows the other: it tells \
                 members different things, or it was put back to an earlier state; both are kept as evidence"
            ),
            Self::GroupChangedByRemovedDevice { group, author } => write!(
                f,
                "group {group} was changed by a device that had been removed from box {author} when you heard of it: it did so \
                 before, or whoever has it says so; look at `rossby group history`"
            ),
            Self::GroupDiffers { group, author, by } => write!(
                f,
                "in group {group}, box {by} says that box {author} sent it another message than you under one number; it is \
                 asked to show it"
            ),
            Self::GroupEquivocation { group, author } => write!(
                f,
                "in group {group}, box {author} has signed different messages for different members under one number; what \
                 shows it is kept as evidence"
            ),
            Self::GroupMisreport { group, by } => {
                write!(f, "in group {group}, box {by} said that it had seen another message than you, and has the same")
            }
            Self::GroupWaiting { group, sender, waiting } => write!(
                f,
                "in group {group}, {waiting} messages of box {sender} name changes that have not come here; they are shown once \
                 those do"
            ),
            Self::GroupMissing { group, author, missing } => write!(
                f,
                "in group {group}, others have seen messages of box {author} that have not come here: {missing} of them"
            ),
            Self::DeviceLinked { device_id, at } => write!(
                f,
                "a new device was linked to your account, {device_id}, at {at}. If that was not you, remove it: rossby devices \
                 remove {device_id}"
            ),
            Self::DeviceRemoved { device_id, at } => {
                write!(f, "device {device_id} was removed from your account, at {at}")
            }
            Self::IdentifierClaimed { identifier, effective_at } => {
                let address = address(identifier);
                write!(
                    f,
                    "somebody has shown a code that was sent to {address}, and claims it for another account: from {effective_at} \
                     on it leads to that one. If that is not you, object before: rossby identifiers object {address}"
                )
            }
            Self::IdentifierAdded { identifier, device_id } => {
                let address = address(identifier);
                write!(
                    f,
                    "device {device_id} has added {address} to your account. If that was not you, take it away: rossby \
                     identifiers remove {address}, and the device: rossby devices remove {device_id}"
                )
            }
            Self::IdentifierRemoved { identifier, device_id } => {
                write!(f, "device {device_id} has taken {} away from your account", address(identifier))
            }
            Self::IdentifierGone { identifier } => {
                let address = address(identifier);
                write!(
                    f,
                    "{address} is no longer your account's, as the server says: another of your devices took it away, or \
                     somebody has claimed it. To have it again: rossby identifiers add {address}"
                )
            }
            Self::StrangeIdentifier { identifier } => {
                let address = address(identifier);
                write!(
                    f,
                    "the server says that {address} is one of your account's identifiers, and none of your devices has added it. \
                     To take it away: rossby identifiers remove {address}"
                )
            }
            Self::ClaimEnded { identifier, was_objected } => {
                let why = if *was_objected {
                    "the account that has it objected"
                } else {
                    "somebody has shown a code of it later"
                };
                write!(f, "{} does not become your account's: {why}", address(identifier))
            }
        }
    }
}

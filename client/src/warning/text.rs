//! What a person reads of a warning.

use std::fmt;

use super::names::{Named, Names};
use super::{Notice, Warning};
use crate::content::Kind;

/// So many messages.
fn messages(count: u64) -> String {
    if count == 1 { "1 message".to_owned() } else { format!("{count} messages") }
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)?;
        match self.times {
            0 | 1 => Ok(()),
            times => write!(f, " (and {} more of this kind)", times - 1),
        }
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Named { warning: self, names: &Names::default() }.fmt(f)
    }
}

impl fmt::Display for Named<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.names;
        match self.warning {
            Warning::ShorterRecord(box_id) => {
                write!(
                    f,
                    "the server showed an older key record of {box_id} than before; the newer one is kept",
                    box_id = names.who(box_id)
                )
            }
            Warning::RefusedSealingStatement { box_id, reason } => {
                write!(f, "a sealing key of {box_id} was refused: {reason}", box_id = names.who(box_id))
            }
            Warning::RefusedRecord { box_id, reason } => {
                write!(
                    f,
                    "a key record that the server showed of {box_id} was refused: {reason}",
                    box_id = names.who(box_id)
                )
            }
            Warning::Fork(box_id) => write!(
                f,
                "{box_id} was shown with two key records that contradict each other; nothing is sent to it any more",
                box_id = names.who(box_id)
            ),
            Warning::RootChanged { identifier, was_verified: false } => write!(
                f,
                "{} leads to another box than before, with other keys; nothing is sent to it until you accept that",
                names.address(identifier)
            ),
            Warning::RootChanged { identifier, was_verified: true } => write!(
                f,
                "{}, whom you had verified, leads to another box than before, with other keys: the mark is gone, and nothing is \
                 sent until you verify or accept the new one",
                names.address(identifier)
            ),
            Warning::NewDevices { box_id, identifier, devices } => {
                let known = identifier.as_deref().map(|identifier| names.address(identifier).to_owned());
                let who = known.unwrap_or_else(|| names.who(box_id));
                let devices = if *devices == 1 { "1 new device".to_owned() } else { format!("{devices} new devices") };
                write!(f, "{who} has {devices} since you verified them; ask them whether that is theirs")
            }
            Warning::BehindTheirs(box_id) => write!(
                f,
                "the device that {box_id} was verified with knows of devices of theirs, or of yours, that the server does not \
                 show here; look again later",
                box_id = names.who(box_id)
            ),
            Warning::LeftOut { device_id, reason } => write!(f, "device {device_id} will not get it: {reason}"),
            Warning::OldProfile(box_id) => {
                write!(
                    f,
                    "the server showed an older profile of {box_id} than before, or none; the later one is kept",
                box_id = names.who(box_id)
            )
            }
            Warning::BadProfile(box_id) => write!(
                f,
                "the profile that the server shows of {box_id} does not open with the key that its owner gave; what was known \
                 is kept",
                box_id = names.who(box_id)
            ),
            Warning::ProfileReplaced => f.write_str(
                "what another of your devices had put into your profile could not be read here; it is replaced",
            ),
            Warning::Gap { sender, missing } => {
                write!(
                    f,
                    "{missing} of the messages that {sender} sent before haven't come: the server keeps them back, or what you \
                     have set refused them",
                    sender = names.who(sender)
                )
            }
            Warning::BrokenChain { sender } => {
                write!(f, "a message of {sender} does not follow after the one before it", sender = names.who(sender))
            }
            Warning::TwoBodies { sender } => {
                write!(
                    f,
                    "{sender} sent two different messages under one number; the first is kept",
                    sender = names.who(sender)
                )
            }
            Warning::NotSent { recipient, reason } => {
                write!(f, "a message to {recipient} was not sent: {reason}", recipient = names.who(recipient))
            }
            Warning::NotTheirs { sender, kind } => {
                let what = if Kind::of(*kind) == Kind::Edit { "edit" } else { "delete" };
                write!(
                    f,
                    "{sender} tried to {what} a message of somebody else; it stays as it was",
                    sender = names.who(sender)
                )
            }
            Warning::RefusedMessage { accepted_at, reason, .. } => {
                write!(f, "a message, accepted at {}, was refused: {reason}", accepted_at.utc_minute())
            }
            Warning::StrangeSealingKey { counter } => write!(
                f,
                "the server shows a sealing key of this device, number {counter}, that this device did not make. If you did not \
                 restore it from a copy, somebody has its keys; it is replaced by a new one"
            ),
            Warning::ClockAhead => f.write_str(
                "this device's clock is more than a day ahead of the server's: its keys are neither renewed nor erased by it. Set \
                 the clock; if it is right, the server's is wrong, and old keys stay for longer than they should",
            ),
            Warning::SealingKeyNotTaken { reason } => {
                write!(f, "the server did not take this device's new sealing key: {reason}")
            }
            Warning::NotErased { reason } => write!(
                f,
                "a key that is no longer needed is still in the system's keyring ({reason}); it is asked again to erase it"
            ),
            Warning::Lost(lost) => write!(
                f,
"{} expired before this device fetched them; they were accepted from {} to {}",
                messages(lost.messages),
                lost.from.utc_minute(),
                lost.until.utc_minute()
            ),
            Warning::RemovedFromGroup { name, by, .. } => match by {
                Some(by) => write!(f, "you were removed from the group {name:?} by {by}", by = names.who(by)),
                None => write!(f, "you were removed from the group {name:?}"),
            },
            Warning::RefusedGroupMessage { group, sender, reason } => {
                write!(
                    f,
                    "a message of {sender} in {group} was refused: {reason}",
                    sender = names.who(sender),
                    group = names.group(group)
                )
            }
            Warning::RefusedGroupChange { group, author: Some(author), reason } => {
                write!(
                    f,
                    "a change of {group} by {author} was refused: {reason}",
                    author = names.who(author),
                    group = names.group(group)
                )
            }
            Warning::RefusedGroupChange { group, author: None, reason } => {
                write!(f, "a change of {group} was refused: {reason}", group = names.group(group))
            }
            Warning::GroupFork { group, author } => write!(
                f,
                "a device of {author} has signed two changes of {group} of which neither knows the other: it tells \
                 members different things, or it was put back to an earlier state; both are kept as evidence",
                author = names.who(author),
                group = names.group(group)
            ),
            Warning::GroupChangedByRemovedDevice { group, author } => write!(
                f,
                "{group} was changed by a device that had been removed from {author} when you heard of it: it did so \
                 before, or whoever has it says so; look at `rossby group history`",
                author = names.who(author),
                group = names.group(group)
            ),
            Warning::GroupDiffers { group, author, by } => write!(
                f,
                "in {group}, {by} says that {author} sent it another message than you under one number; it is \
                 asked to show it",
                by = names.who(by),
                author = names.who(author),
                group = names.group(group)
            ),
            Warning::GroupEquivocation { group, author } => write!(
                f,
                "in {group}, {author} has signed different messages for different members under one number; what \
                 shows it is kept as evidence",
                author = names.who(author),
                group = names.group(group)
            ),
            Warning::GroupMisreport { group, by } => {
                write!(
                    f,
                    "in {group}, {by} said that it had seen another message than you, and has the same",
                    by = names.who(by),
                    group = names.group(group)
                )
            }
            Warning::GroupWaiting { group, sender, waiting } => write!(
                f,
                "in {group}, {waiting} messages of {sender} name changes that have not come here; they are shown once \
                 those do",
                sender = names.who(sender),
                group = names.group(group)
            ),
            Warning::GroupMissing { group, author, missing } => write!(
                f,
                "in {group}, others have seen messages of {author} that have not come here: {missing} of them",
                author = names.who(author),
                group = names.group(group)
            ),
            Warning::DeviceLinked { device_id, at } => write!(
                f,
                "a new device was linked to your account, {device}, at {at}. If that was not you, remove it: rossby devices \
                 remove {device_id}",
                device = names.device(device_id),
                at = at.utc_minute()
            ),
            Warning::DeviceRemoved { device_id, at } => {
                write!(f, "device {} was removed from your account, at {}", names.device(device_id), at.utc_minute())
            }
            Warning::IdentifierClaimed { identifier, effective_at } => {
                let address = names.address(identifier);
                write!(
                    f,
                    "somebody has shown a code that was sent to {address}, and claims it for another account: from {} on it \
                     leads to that one. If that is not you, object before: rossby identifiers object {address}",
                    effective_at.utc_minute()
                )
            }
            Warning::IdentifierAdded { identifier, device_id } => {
                let address = names.address(identifier);
                write!(
                    f,
                    "device {device} has added {address} to your account. If that was not you, take it away: rossby \
                     identifiers remove {address}, and the device: rossby devices remove {device_id}",
                    device = names.device(device_id)
                )
            }
            Warning::IdentifierRemoved { identifier, device_id } => {
                write!(f, "device {} has taken {} away from your account", names.device(device_id), names.address(identifier))
            }
            Warning::IdentifierGone { identifier } => {
                let address = names.address(identifier);
                write!(
                    f,
                    "{address} is no longer your account's, as the server says: another of your devices took it away, or \
                     somebody has claimed it. To have it again: rossby identifiers add {address}"
                )
            }
            Warning::StrangeIdentifier { identifier } => {
                let address = names.address(identifier);
                write!(
                    f,
                    "the server says that {address} is one of your account's identifiers, and none of your devices has added it. \
                     To take it away: rossby identifiers remove {address}"
                )
            }
            Warning::HistoryDiffers(fault) => write!(
                f,
                "the history of your account, as the server gives it, is not what it must be: {fault}. Look at it: rossby history"
            ),
            Warning::ClaimEnded { identifier, was_objected } => {
                let why = if *was_objected {
                    "the account that has it objected"
                } else {
                    "somebody has shown a code of it later"
                };
                write!(f, "{} does not become your account's: {why}", names.address(identifier))
            }
        }
    }
}

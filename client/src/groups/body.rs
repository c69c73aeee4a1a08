//! What members tell each other of a group beside its messages: changes with what is needed to verify them, and requests for
//! what is missing. The bodies are JSON; fields that are not known are passed over.

use std::collections::BTreeSet;

use rossby_crypto::group::{GroupId, SignedChange};
use rossby_crypto::key_record::MAX_MEMBERSHIP_STATEMENTS;
use rossby_schemas::encoding::{Octets, Sha256Digest};
use rossby_schemas::ids::{BoxId, DeviceId};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The kind of a message that brings changes.
pub(crate) const GROUP_CHANGES: u32 = 20;
/// The kind of a group's message.
pub(crate) const GROUP_CONTENT: u32 = 21;
/// The kind of a request for what is missing.
pub(crate) const GROUP_REQUEST: u32 = 22;

/// How many changes one message brings at most.
pub(super) const MAX_CHANGES_BROUGHT: usize = 512;
/// How many key records.
pub(super) const MAX_RECORDS: usize = 300;
/// How many sealing statements of one box: one of each device.
const MAX_SEALING_STATEMENTS: usize = 64;
/// How many messages, or names of messages.
pub(super) const MAX_MESSAGES: usize = 8;
/// How many heads a request names.
const MAX_HEADS: usize = 64;
/// How large a part of a graph one message brings: with what stands around it, it is padded to 64 KiB.
const PART_OCTETS: usize = 44 * 1024;

/// Kind 20: changes of a group.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct GroupChanges {
    /// The group.
    pub(super) group: Uuid,
    /// Signed changes, each after its parents as far as they are here.
    #[serde(default)]
    pub(super) changes: Vec<Octets>,
    /// Key records of their authors, and others that were asked for.
    #[serde(default)]
    pub(super) records: Vec<RecordPart>,
    /// Others' messages as they were signed for the sender, that were asked for.
    #[serde(default)]
    pub(super) messages: Vec<Octets>,
}

/// A box's key record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct RecordPart {
    pub(super) box_id: BoxId,
    pub(super) statements: Vec<Octets>,
    #[serde(default)]
    pub(super) sealing_statements: Vec<Octets>,
}

/// Kind 22: asks another member for what it has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct GroupRequest {
    /// The group.
    pub(super) group: Uuid,
    /// The heads of the sender's graph; none if it has no graph. It wants the changes that it lacks.
    pub(super) heads: Vec<Sha256Digest>,
    /// Boxes whose key records it wants, with their sealing keys.
    #[serde(default)]
    pub(super) records: Vec<BoxId>,
    /// Messages that it wants as they were signed.
    #[serde(default)]
    pub(super) messages: Vec<MessagePlace>,
}

/// A message, by its place in its author's chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct MessagePlace {
    pub(super) sender: BoxId,
    pub(super) device: DeviceId,
    pub(super) sequence: u64,
}

impl GroupChanges {
    pub(super) fn write(&self) -> Octets {
        // Ids and octets, which JSON can hold.
        serde_json::to_vec(self).unwrap_or_default().into()
    }

    /// Reads a body; the error says what is wrong with it.
    pub(super) fn read(body: &Octets) -> Result<Self, String> {
        let read: Self = serde_json::from_slice(body.as_slice()).map_err(|error| error.to_string())?;
        check("changes", read.changes.len(), MAX_CHANGES_BROUGHT)?;
        check("records", read.records.len(), MAX_RECORDS)?;
        check("messages", read.messages.len(), MAX_MESSAGES)?;
        for record in &read.records {
            check("statements", record.statements.len(), MAX_MEMBERSHIP_STATEMENTS)?;
            check("sealing_statements", record.sealing_statements.len(), MAX_SEALING_STATEMENTS)?;
        }
        Ok(read)
    }

    /// The changes that it brings, which are to be of its group.
    pub(super) fn signed_changes(&self) -> Result<Vec<SignedChange>, String> {
        let read = |octets: &Octets| {
            let change = SignedChange::parse(octets).map_err(|error| format!("a change is malformed: {error}"))?;
            if change.group_id() == GroupId(self.group) {
                Ok(change)
            } else {
                Err("a change is of another group".to_owned())
            }
        };
        self.changes.iter().map(read).collect()
    }

    /// All of it in parts of which each fits into a message: first the records, then the changes in their order.
    pub(super) fn in_parts(self) -> Vec<Self> {
        let group = self.group;
        let empty = || Self { group, ..Self::default() };
        let (mut parts, mut part, mut octets) = (Vec::new(), empty(), 0);
        let mut add = |size: usize, put: &mut dyn FnMut(&mut Self)| {
            let is_full = part.changes.len() >= MAX_CHANGES_BROUGHT || part.records.len() >= MAX_RECORDS;
            if octets > 0 && (octets + size > PART_OCTETS || is_full) {
                parts.push(std::mem::replace(&mut part, empty()));
                octets = 0;
            }
            octets += size;
            put(&mut part);
        };
        for record in self.records {
            let size = 64 + record.statements.iter().chain(&record.sealing_statements).map(encoded).sum::<usize>();
            if size > PART_OCTETS {
                // It is that of somebody who changes devices hourly. The server has it too.
                continue;
            }
            let mut record = Some(record);
            add(size, &mut |part| part.records.extend(record.take()));
        }
        for change in self.changes {
            add(encoded(&change), &mut |part| part.changes.push(change.clone()));
        }
        for message in self.messages {
            add(encoded(&message), &mut |part| part.messages.push(message.clone()));
        }
        parts.push(part);
        parts
    }
}

/// The group of which a message brings something to one box, or asks it; none for another message, and for one that can't be read.
pub(crate) fn beside(kind: u32, body: &Octets) -> Option<GroupId> {
    #[derive(Deserialize)]
    struct OfGroup {
        group: Uuid,
    }
    let read = || serde_json::from_slice(body.as_slice()).ok().map(|OfGroup { group }| GroupId(group));
    if matches!(kind, GROUP_CHANGES | GROUP_REQUEST) { read() } else { None }
}

impl GroupRequest {
    pub(super) fn write(&self) -> Octets {
        serde_json::to_vec(self).unwrap_or_default().into()
    }

    /// Reads a body; the error says what is wrong with it.
    pub(super) fn read(body: &Octets) -> Result<Self, String> {
        let read: Self = serde_json::from_slice(body.as_slice()).map_err(|error| error.to_string())?;
        check("heads", read.heads.len(), MAX_HEADS)?;
        check("records", read.records.len(), MAX_RECORDS)?;
        check("messages", read.messages.len(), MAX_MESSAGES)?;
        Ok(read)
    }

    /// The heads that a request names of a graph with these: not more than it may.
    pub(super) fn heads_of(heads: impl Iterator<Item = Sha256Digest>) -> Vec<Sha256Digest> {
        heads.take(MAX_HEADS).collect::<BTreeSet<_>>().into_iter().collect()
    }
}

/// How long octets are in JSON, with what stands around them.
fn encoded(octets: &Octets) -> usize {
    octets.as_slice().len().div_ceil(3) * 4 + 3
}

fn check(field: &str, count: usize, limit: usize) -> Result<(), String> {
    if count > limit { Err(format!("{field} has {count} entries; at most {limit} are taken")) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use rossby_crypto::message::MAX_BODY_OCTETS;

    use super::*;

    fn record(octets: usize) -> RecordPart {
        let box_id = BoxId::from_bytes([1; 16]);
        RecordPart { box_id, statements: vec![vec![1; octets].into()], sealing_statements: Vec::new() }
    }

    #[test]
    fn a_large_graph_goes_in_parts_that_fit_and_have_everything_in_order() {
        let whole = GroupChanges {
            group: Uuid::from_bytes([7; 16]),
            changes: (0..1000_u32).map(|n| [n.to_be_bytes().to_vec(), vec![0; 300]].concat().into()).collect(),
            records: (0..10).map(|_| record(5000)).collect(),
            messages: vec![vec![9; 100].into()],
        };
        let parts = whole.clone().in_parts();
        assert!(parts.len() > 8);
        assert!(parts.iter().all(|part| part.write().as_slice().len() < 48 * 1024));
        assert!(parts.iter().all(|part| GroupChanges::read(&part.write()).as_ref() == Ok(part)));
        let joined = |field: fn(&GroupChanges) -> Vec<Octets>| parts.iter().flat_map(field).collect::<Vec<_>>();
        assert_eq!(joined(|part| part.changes.clone()), whole.changes);
        assert_eq!(joined(|part| part.messages.clone()), whole.messages);
        assert_eq!(parts.iter().map(|part| part.records.len()).sum::<usize>(), 10);
        // What doesn't fit is left out if it is a record, and fits if it is a change.
        let too_large = GroupChanges { records: vec![record(60_000)], ..whole.clone() };
        assert!(too_large.in_parts().iter().all(|part| part.records.is_empty()));
        let largest = GroupChanges { changes: vec![vec![0; 8192].into()], ..whole.clone() };
        assert!(largest.in_parts().iter().all(|part| part.write().as_slice().len() < MAX_BODY_OCTETS));
        // Nothing is a part as well: a request is answered.
        assert_eq!(GroupChanges { group: whole.group, ..GroupChanges::default() }.in_parts().len(), 1);
    }

    #[test]
    fn what_is_too_much_or_of_another_group_is_refused() {
        let empty = GroupChanges { group: Uuid::from_bytes([7; 16]), ..GroupChanges::default() };
        let reads = |changes: &GroupChanges| GroupChanges::read(&changes.write()).map(|_| ());
        assert_eq!(reads(&empty), Ok(()));
        let many = |n| vec![Octets::default(); n];
        let too_many = [
            GroupChanges { changes: many(513), ..empty.clone() },
            GroupChanges { records: vec![record(1); 301], ..empty.clone() },
            GroupChanges { messages: many(9), ..empty.clone() },
            GroupChanges { records: vec![RecordPart { statements: many(1025), ..record(1) }], ..empty.clone() },
            GroupChanges { records: vec![RecordPart { sealing_statements: many(65), ..record(1) }], ..empty.clone() },
        ];
        for changes in too_many {
            assert!(reads(&changes).unwrap_err().contains("at most"));
        }
        assert!(GroupChanges::read(&b"[]".as_slice().into()).is_err());
        assert!(GroupChanges { changes: many(1), ..empty }.signed_changes().unwrap_err().contains("malformed"));

        let place =
            MessagePlace { sender: BoxId::from_bytes([1; 16]), device: DeviceId::from_bytes([1; 16]), sequence: 1 };
        let request =
            GroupRequest { group: Uuid::nil(), heads: Vec::new(), records: Vec::new(), messages: vec![place] };
        assert_eq!(GroupRequest::read(&request.write()), Ok(request.clone()));
        let too_many = [
            GroupRequest { heads: vec![[0; 32].into(); 65], ..request.clone() },
            GroupRequest { records: vec![BoxId::from_bytes([1; 16]); 301], ..request.clone() },
            GroupRequest { messages: vec![place; 9], ..request },
        ];
        assert!(too_many.iter().all(|request| GroupRequest::read(&request.write()).is_err()));
        let later = br#"{"group":"00000000-0000-0000-0000-000000000000","heads":[],"later":1}"#;
        assert!(GroupRequest::read(&later.as_slice().into()).is_ok());
    }
}

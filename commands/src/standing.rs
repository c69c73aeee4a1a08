//! Whether a message is sealed to what its recipient's key record says now.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rossby_crypto::key_record::HeadRelation;
use rossby_crypto::message::MessageValue;
use rossby_schemas::encoding::Octets;
use rossby_schemas::ids::{BoxId, DeviceId, Head};
use rossby_schemas::time::Timestamp;

use crate::key_records::BoxRecord;
use crate::token::Caller;

/// Whether a value may be sent to a box whose record is this.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// It is sealed to the devices of the current head.
    Current,
    /// The head is older, or the devices or their keys are others: seal it anew.
    Stale(Stale),
    /// The head, or a sealing key, is one that hasn't arrived here yet.
    Ahead,
    /// There is no record that can be read: a box that is closed or unknown, or a defect.
    None,
}

/// What a sender has to know to seal anew.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Stale {
    /// The recipient's current head.
    pub(crate) head: Head,
    /// The membership statements since the stated head, or all of them.
    pub(crate) statements: Vec<Octets>,
    /// The current sealing statements.
    pub(crate) sealing_statements: Vec<Octets>,
}

/// Compares what a value says with the record.
pub(crate) fn standing(value: &MessageValue, known: &BoxRecord, caller: Caller, now: Timestamp) -> Standing {
    let record = &known.record;
    let stale = || {
        let since = record.statements_since(value.recipient_head).unwrap_or_else(|| record.statements());
        Standing::Stale(Stale {
            head: record.head(),
            statements: since.to_vec(),
            sealing_statements: known.sealing_statements(),
        })
    };
    match record.relation(value.recipient_head) {
        HeadRelation::Ahead => return Standing::Ahead,
        HeadRelation::Older | HeadRelation::Fork => return stale(),
        HeadRelation::Same => {}
    }
    let except = (record.box_id() == caller.box_id).then_some(caller.device_id);
    let due: BTreeMap<DeviceId, u64> = record
        .sealable(&known.sealing, except, now)
        .devices
        .iter()
        .map(|statement| (statement.content().device_id, statement.content().counter))
        .collect();
    let stated: BTreeMap<DeviceId, u64> =
        value.wraps.iter().map(|wrap| (wrap.device_id, wrap.sealing_counter)).collect();
    let is_ahead = stated.iter().any(|(device, counter)| due.get(device).is_some_and(|known| counter > known));
    if stated == due {
        Standing::Current
    } else if is_ahead {
        Standing::Ahead
    } else {
        stale()
    }
}

/// What a request's sender is told of its recipients: once of each, whose record may be long, however many messages are stale.
#[derive(Clone, Default)]
pub(crate) struct Told(Arc<Mutex<BTreeMap<BoxId, Stale>>>);

impl Told {
    /// Keeps what one of the messages has to be told, or what another one has to be if that goes back to an older head. Gives the
    /// current head.
    pub(crate) fn keep(&self, recipient: BoxId, stale: Stale) -> Head {
        let head = stale.head;
        match self.kept().entry(recipient) {
            Entry::Occupied(mut kept) if kept.get().statements.len() < stale.statements.len() => {
                kept.insert(stale);
            }
            Entry::Occupied(_) => {}
            Entry::Vacant(free) => {
                free.insert(stale);
            }
        }
        head
    }

    /// What is told of a recipient, with the first of its messages that are stale: none the next time.
    pub(crate) fn tell(&self, recipient: BoxId) -> Option<Stale> {
        self.kept().remove(&recipient)
    }

    fn kept(&self) -> MutexGuard<'_, BTreeMap<BoxId, Stale>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;

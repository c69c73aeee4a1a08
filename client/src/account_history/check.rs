//! A history, checked: the chain, the order, what was seen before, and who has signed what.

use std::collections::BTreeMap;

use rossby_crypto::history::{NO_ENTRY, chain_hash, data_hash};
use rossby_crypto::key_record::KeyRecord;
use rossby_schemas::encoding::Sha256Digest;
use rossby_schemas::envelope::{Envelope, JSON};
use rossby_schemas::events::Event;
use rossby_schemas::http::history::HistoryEntry;
use rossby_schemas::ids::{DeviceId, IdentifierHash};
use rossby_schemas::topic::Topic;

use super::fault::{FaultKind, HistoryFault};
use super::signatures::Signatures;
use crate::store::account_history::Heads;

/// What the history must at least have, by what this device knows otherwise.
pub(super) struct Known<'a> {
    /// The own key record.
    pub(super) record: &'a KeyRecord,
    /// The versions that the server has said of the key record's stream and of the profile's.
    pub(super) keys_version: u64,
    pub(super) profile_version: u64,
    /// What was seen the last time.
    pub(super) seen: &'a Heads,
}

/// An entry, checked.
#[derive(Debug)]
pub(super) struct Checked {
    pub(super) entry: HistoryEntry,
    /// What it says; none if that is kept back, or can't be read.
    pub(super) event: Option<Event>,
    /// The device that has signed it.
    pub(super) signed_by: Option<DeviceId>,
    /// Whether it is signed at all: by a device, or by the recovery key.
    pub(super) is_signed: bool,
    /// Whether it came after what was seen the last time.
    pub(super) is_new: bool,
    pub(super) faults: Vec<FaultKind>,
}

/// A history, checked.
#[derive(Debug)]
pub(super) struct CheckedHistory {
    pub(super) entries: Vec<Checked>,
    /// All that is wrong, in the order of the entries, and then what is missing.
    pub(super) faults: Vec<HistoryFault>,
    /// Up to where it was seen now, without streams that are not what was seen before.
    pub(super) heads: Heads,
    /// The key record that it makes.
    pub(super) record: Option<KeyRecord>,
}

/// Where a stream stands.
#[derive(Debug, Clone, Copy)]
struct Place {
    version: u64,
    hash: Sha256Digest,
    /// Whether what was seen of it before is still there.
    is_as_seen: bool,
}

/// Checks a whole history.
pub(super) fn check(known: &Known<'_>, entries: Vec<HistoryEntry>) -> CheckedHistory {
    let own = known.record.box_id().to_string();
    let mut places: BTreeMap<(String, String), Place> = BTreeMap::new();
    let mut signatures = Signatures::new(known.record);
    let (mut checked, mut all) = (Vec::new(), Vec::new());
    for entry in entries {
        let mut faults = Vec::new();
        let key = (entry.topic.clone(), entry.stream.clone());
        let seen = known.seen.get(&key).copied();
        let before = places.get(&key).copied();
        let last = before.map_or(0, |place| place.version);
        let is_whole = !is_of_identifier(&entry);
        if !has_place(&entry, &own) || entry.version <= last {
            faults.push(FaultKind::Misplaced);
        } else if is_whole {
            all.extend((last + 1..entry.version).take(MOST_MISSING).map(|version| missing(&key, version)));
        }
        let hash = chain_hash(before.map_or(NO_ENTRY, |place| place.hash), &entry);
        let is_of_data = entry.data.as_ref().is_none_or(|data| data_hash(data) == entry.data_hash);
        if hash != entry.hash || !is_of_data {
            faults.push(FaultKind::BadHash);
        }
        let mut is_as_seen = before.map_or(seen.is_none(), |place| place.is_as_seen);
        if let Some((version, seen_hash)) = seen {
            if entry.version == version {
                is_as_seen = hash == seen_hash;
                if !is_as_seen {
                    faults.push(FaultKind::OtherThanSeen);
                }
            } else if last < version && entry.version > version && !all.contains(&missing(&key, version)) {
                all.push(missing(&key, version));
            }
        }
        let event = event(&entry);
        let mut by = None;
        match &event {
            Some(event) => match signatures.check(&entry, event) {
                Ok(signer) => by = signer,
                Err(reason) => faults.push(FaultKind::NotSigned { reason }),
            },
            // Of an identifier, an entry may be another account's affair too.
            None if is_whole || entry.data.is_some() => faults.push(FaultKind::BadContent),
            None => {}
        }
        let at = |kind: &FaultKind| fault(&key, entry.version, kind.clone());
        all.extend(faults.iter().map(at));
        let is_new = !known.seen.is_empty() && seen.is_none_or(|(version, _)| entry.version > version);
        places.insert(key, Place { version: entry.version.max(last), hash, is_as_seen });
        checked.push(Checked {
            event,
            signed_by: by.and_then(|signer| signer.device()),
            is_signed: by.is_some(),
            is_new,
            faults,
            entry,
        });
    }
    for (topic, least) in [(Topic::Keys, known.keys_version), (Topic::Profiles, known.profile_version)] {
        let key = (topic.name().to_owned(), own.clone());
        let last = places.get(&key).map_or(0, |place| place.version);
        all.extend((last + 1..=least).take(MOST_MISSING).map(|version| missing(&key, version)));
    }
    let is_told = |key: &(String, String), version| all.contains(&missing(key, version));
    let gone: Vec<_> = known
        .seen
        .iter()
        .filter(|(key, (version, _))| places.get(*key).is_none_or(|place| place.version < *version))
        .filter(|(key, (version, _))| !is_told(key, *version))
        .map(|(key, (version, _))| missing(key, *version))
        .collect();
    all.extend(gone);
    let heads = places.into_iter().filter(|(_, place)| place.is_as_seen);
    CheckedHistory {
        entries: checked,
        faults: all,
        heads: heads.map(|(key, place)| (key, (place.version, place.hash))).collect(),
        record: signatures.into_record(),
    }
}

/// How many missing entries in a row are told of one by one.
const MOST_MISSING: usize = 16;

pub(super) fn fault((topic, stream): &(String, String), version: u64, kind: FaultKind) -> HistoryFault {
    HistoryFault { topic: topic.clone(), stream: stream.clone(), version, kind }
}

fn missing(key: &(String, String), version: u64) -> HistoryFault {
    fault(key, version, FaultKind::LeftOut)
}

fn is_of_identifier(entry: &HistoryEntry) -> bool {
    entry.topic == Topic::Identifiers.name()
}

/// Whether an entry's stream is one that a history of this box can have.
fn has_place(entry: &HistoryEntry, own: &str) -> bool {
    if is_of_identifier(entry) {
        return entry.stream.parse::<IdentifierHash>().is_ok();
    }
    [Topic::Keys, Topic::Profiles].iter().any(|topic| topic.name() == entry.topic) && entry.stream == own
}

/// What an entry's data says, if it is there and of the entry's topic.
fn event(entry: &HistoryEntry) -> Option<Event> {
    let envelope = Envelope {
        id: entry.event_id,
        event_type: entry.event_type.clone(),
        region: entry.region,
        stream: entry.stream.clone(),
        time: entry.time,
        control: None,
        outer_id: None,
        content_type: JSON.to_owned(),
        data: entry.data.as_ref()?.0.clone(),
    };
    let event = Event::decode(&envelope).ok()?;
    event.topic().is_some_and(|topic| topic.name() == entry.topic).then_some(event)
}

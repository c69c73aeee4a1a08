//! What happened to the account: asked for, checked against what this device knows and has seen, and told by the names that it
//! knows.

mod check;
mod fault;
mod named;
mod signatures;
#[cfg(test)]
mod tests;

pub use fault::{FaultKind, HistoryFault};
use named::Names;
pub use named::{HistoryAction, NamedBox, NamedDevice};
use rossby_crypto::key_record::KeyRecord;
use rossby_schemas::encoding::Sha256Digest;
use rossby_schemas::http::history::{HistoryEntry, HistoryResponse, MAX_HISTORY};
use rossby_schemas::ids::EventId;
use rossby_schemas::time::Timestamp;
use rossby_schemas::topic::Topic;

use self::check::{CheckedHistory, Known, check};
use crate::Client;
use crate::account::{AccountList, Own};
use crate::error::ClientError;
use crate::http::Call;
use crate::store::account_history;
use crate::store::device::Device;
use crate::warning::Warning;

/// How many entries a history has at most that is read: far more than an account comes to, and what one can hold in memory.
const MOST_ENTRIES: usize = 100_000;
/// How many faults are told as warnings. The rest is in the list.
const MOST_TOLD: usize = 8;

/// Something that happened to the account.
#[derive(Debug, Clone)]
pub struct AccountEvent {
    /// The topic of its stream.
    pub topic: String,
    /// Its stream: the box, or the hash of an identifier.
    pub stream: String,
    /// The version that it gave its stream.
    pub version: u64,
    /// The event's id.
    pub event_id: EventId,
    /// Its type.
    pub event_type: String,
    /// When the server accepted it, as it says.
    pub at: Timestamp,
    /// What happened.
    pub action: HistoryAction,
    /// The device that did it, by its signature.
    pub by: Option<NamedDevice>,
    /// Whether it is signed, by a device or the recovery key. What isn't, is the server's word.
    pub is_signed: bool,
    /// Whether it came after this device looked the last time.
    pub is_new: bool,
    /// What is wrong with it.
    pub faults: Vec<FaultKind>,
    /// The hash of the chain up to it, as the server says.
    pub hash: Sha256Digest,
}

/// What happened to the account, in the order of the times that the server says.
#[derive(Debug, Clone)]
pub struct AccountHistory {
    /// The events.
    pub events: Vec<AccountEvent>,
    /// All that is wrong, with what is missing.
    pub faults: Vec<HistoryFault>,
}

impl Client {
    /// Asks for the account's history and checks it: its chain, its order, that it has all that this device knows and has seen
    /// before, and that the devices have signed what they are said to have done. What is wrong is in it, and is a warning too.
    ///
    /// # Errors
    /// [`ClientError::Forked`] if it has another key record than the one that is known; what the server says, and the store.
    pub async fn account_history(&self) -> Result<AccountHistory, ClientError> {
        let (own, list) = self.audit_and_list().await?;
        let entries = self.all_of_history(&own.device).await?;
        let checked = self.check_history(&own, &list, entries).await?;
        let names = Names::load(self).await?;
        let mut events: Vec<AccountEvent> = checked.entries.into_iter().map(|entry| names.event(entry)).collect();
        in_order(&mut events);
        Ok(AccountHistory { events, faults: checked.faults })
    }

    /// Reads page after page.
    async fn all_of_history(&self, device: &Device) -> Result<Vec<HistoryEntry>, ClientError> {
        let mut entries: Vec<HistoryEntry> = Vec::new();
        let mut path = format!("/v1/account/history?limit={MAX_HISTORY}");
        loop {
            let page: HistoryResponse = self.ask(device, &Call::get(&path)).await?;
            if page.box_id != device.box_id {
                return Err(ClientError::bad_answer("it is about another account"));
            }
            let is_empty = page.entries.is_empty();
            entries.extend(page.entries);
            let Some(next) = page.next else { return Ok(entries) };
            if is_empty || entries.len() > MOST_ENTRIES {
                return Err(ClientError::bad_answer("the history has no end"));
            }
            path = format!("/v1/account/history?limit={MAX_HISTORY}&cursor={next}");
        }
    }

    /// Checks a history, keeps up to where it was seen, and warns of what is wrong.
    async fn check_history(
        &self,
        own: &Own,
        list: &AccountList,
        entries: Vec<HistoryEntry>,
    ) -> Result<CheckedHistory, ClientError> {
        let seen = account_history::heads(&mut *self.store.read().await?).await?;
        let (keys_version, profile_version) = (list.keys_version, list.profile_version);
        let known = Known { record: &own.record, keys_version, profile_version, seen: &seen };
        let mut checked = check(&known, entries);
        // The history may know more than the audit a moment ago: then it is kept as if it had been shown. If it contradicts what is
        // known, that is a fork.
        let shown = checked.record.as_ref().map(KeyRecord::statements).unwrap_or_default();
        let record = match shown {
            [] => own.record.clone(),
            shown => self.keep_record(own.device.box_id, shown, &[]).await?.record,
        };
        if shown.len() < record.statements().len() {
            let key = (Topic::Keys.name().to_owned(), own.device.box_id.to_string());
            let is_told = |fault: &HistoryFault| fault.topic == key.0;
            if !checked.faults.iter().any(is_told) {
                let version = u64::try_from(shown.len()).unwrap_or_default() + 1;
                checked.faults.push(check::fault(&key, version, FaultKind::LeftOut));
            }
        }
        let mut transaction = self.store.begin().await?;
        account_history::keep_heads(&mut transaction, &checked.heads).await?;
        for fault in checked.faults.iter().take(MOST_TOLD) {
            self.warn(&mut transaction, &Warning::HistoryDiffers(fault.clone())).await?;
        }
        transaction.commit().await?;
        Ok(checked)
    }
}

/// Puts the events in the order of their times; those of one stream stay as they are, whatever their times say.
fn in_order(events: &mut Vec<AccountEvent>) {
    let mut latest = std::collections::BTreeMap::new();
    let mut timed: Vec<(Timestamp, AccountEvent)> = Vec::with_capacity(events.len());
    for event in events.drain(..) {
        let last = latest.entry((event.topic.clone(), event.stream.clone())).or_insert(event.at);
        *last = event.at.max(*last);
        timed.push((*last, event));
    }
    timed.sort_by_key(|(at, _)| *at);
    events.extend(timed.into_iter().map(|(_, event)| event));
}

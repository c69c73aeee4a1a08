//! An account's history, page by page, chained, for its devices to check.

use std::time::Instant;

use rossby_crypto::history::{NO_ENTRY, chain_hash};
use rossby_crypto::keyed_hash::HistoryCursor;
use rossby_projections::{HistoryPage, Projection};
use rossby_schemas::encoding::Octets;
use rossby_schemas::http::history::{HistoryResponse, MAX_HISTORY};
use rossby_schemas::topic::{Topic, TopicName};

use crate::error::{CommandError, Refusal};
use crate::service::Service;
use crate::token::Caller;

/// How many octets of data one page has, about.
const MAX_OCTETS: u64 = 1024 * 1024;
/// How many entries a page has if it is not said.
const ENTRIES: u32 = 100;

/// Which page of a history.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HistoryQuery {
    /// What the page before gave; none for the first.
    pub cursor: Option<Octets>,
    /// How many entries at most, 1 to 500.
    pub limit: Option<u32>,
}

impl Service {
    /// A page of the history of the caller's account. The first waits until the history knows all that the other read models
    /// know of the account, so that no answer of before has said more.
    ///
    /// # Errors
    /// [`Refusal::Invalid`] for a limit out of its range and a cursor that this device was not given;
    /// [`CommandError::Unavailable`] while the history is built, or far behind.
    pub async fn account_history(&self, caller: Caller, query: &HistoryQuery) -> Result<HistoryResponse, CommandError> {
        let limit = query.limit.unwrap_or(ENTRIES);
        if !(1..=MAX_HISTORY).contains(&limit) {
            return Err(Refusal::invalid("limit", format!("must be between 1 and {MAX_HISTORY}")).into());
        }
        let from = match &query.cursor {
            None => {
                self.history_caught_up(caller).await?;
                None
            }
            Some(cursor) => Some(
                HistoryCursor::take(&self.secrets, caller.box_id, caller.device_id, cursor)
                    .map_err(|error| Refusal::invalid("cursor", error))?,
            ),
        };
        let after = from.as_ref().map(|from| (from.topic, from.stream.clone(), from.version));
        let page = HistoryPage { after, limit, max_octets: MAX_OCTETS };
        let part = self.models.account_history(caller.box_id, &page).await?;
        let mut entries = part.entries;
        let mut before = from.map(|from| (from.topic.name().to_owned(), from.stream, from.hash));
        for entry in &mut entries {
            let linked = before.as_ref().filter(|(topic, stream, _)| (topic, stream) == (&entry.topic, &entry.stream));
            entry.hash = chain_hash(linked.map_or(NO_ENTRY, |(_, _, hash)| *hash), entry);
            before = Some((entry.topic.clone(), entry.stream.clone(), entry.hash));
        }
        let last = entries.last().filter(|_| part.more);
        let next = last.and_then(|last| {
            let topic = last.topic.parse::<TopicName>().ok()?.topic;
            let cursor = HistoryCursor { topic, stream: last.stream.clone(), version: last.version, hash: last.hash };
            Some(cursor.give(self.secrets.current(), caller.box_id, caller.device_id))
        });
        Ok(HistoryResponse { box_id: caller.box_id, entries, next })
    }

    /// Waits until the history has come as far as the tables that answer everything else about the account.
    async fn history_caught_up(&self, caller: Caller) -> Result<(), CommandError> {
        let own = caller.box_id.to_string();
        let mut streams =
            vec![(Projection::Keys, Topic::Keys, own.clone()), (Projection::Profiles, Topic::Profiles, own)];
        let mut identifiers = self.models.history_identifiers(caller.box_id).await?;
        let owned = self.models.identifiers_of(caller.box_id).await?;
        identifiers.extend(owned.iter().map(|identifier| identifier.hash.to_string()));
        identifiers.sort_unstable();
        identifiers.dedup();
        streams.extend(identifiers.into_iter().map(|hash| (Projection::Inbox, Topic::Identifiers, hash)));
        let deadline = Instant::now() + self.config.timeouts.position;
        for (projection, topic, stream) in streams {
            let Some(last) = self.models.stream_version(projection, topic, &stream).await?.checked_sub(1) else {
                continue;
            };
            let patience = deadline.saturating_duration_since(Instant::now());
            if !self.models.wait_past(Projection::History, topic, &stream, last, patience).await? {
                let reason = "the account's history is not up to date; it is being built".to_owned();
                return Err(CommandError::Unavailable(reason));
            }
        }
        Ok(())
    }
}

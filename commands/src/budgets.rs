//! How much a box may send: a minute's messages in all, a day's to one box, and as much as a queue holds.
//!
//! What one box sends to another is counted before anything is looked up, for boxes that aren't there too, so that the answer at the
//! limit says nothing of the recipient. Counted in memory, by each process for itself: who wrote to whom is kept nowhere.

use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use moka::sync::Cache;
use rossby_schemas::ids::BoxId;
use rossby_schemas::time::Timestamp;

use crate::error::{CommandError, Refusal};
use crate::service::Service;
use crate::token::Caller;

const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(24 * 3600);
/// How many senders, and pairs of sender and recipient, are counted at once.
const COUNTED: u64 = 200_000;
/// For so long nobody asks again how much waits in a box.
const FULL_FOR: Duration = Duration::from_secs(5);

/// What was taken of an allowance since its time began.
#[derive(Debug)]
struct Window {
    begun: Timestamp,
    taken: u64,
}

/// An allowance for each key, which begins anew when its time is over.
#[derive(Debug, Clone)]
struct Allowance<K: Hash + Eq + Send + Sync + 'static> {
    span: Duration,
    windows: Cache<K, Arc<Mutex<Window>>>,
}

impl<K: Hash + Eq + Send + Sync + 'static> Allowance<K> {
    fn new(span: Duration) -> Self {
        // What nobody has taken from for so long has begun anew.
        Self { span, windows: Cache::builder().max_capacity(COUNTED).time_to_idle(2 * span).build() }
    }

    /// Takes so many, or says how long there are none.
    fn take(&self, key: K, count: u64, limit: u64, now: Timestamp) -> Result<(), Duration> {
        let window = self.windows.get_with(key, || Arc::new(Mutex::new(Window { begun: now, taken: 0 })));
        let mut window = window.lock().unwrap_or_else(PoisonError::into_inner);
        let ends = window.begun.plus(self.span);
        if now >= ends || now < window.begun {
            *window = Window { begun: now, taken: 0 };
        }
        if window.taken.saturating_add(count) > limit {
            return Err(window.begun.plus(self.span).since(now));
        }
        window.taken += count;
        Ok(())
    }
}

/// What boxes have sent, as this process knows it.
#[derive(Debug, Clone)]
pub(crate) struct Budgets {
    of_sender: Allowance<BoxId>,
    to_recipient: Allowance<(BoxId, BoxId)>,
    /// Whether a box's queue was full a moment ago.
    full: moka::future::Cache<BoxId, bool>,
}

impl Budgets {
    pub(crate) fn new() -> Self {
        let full = moka::future::Cache::builder().max_capacity(COUNTED).time_to_live(FULL_FOR).build();
        Self { of_sender: Allowance::new(MINUTE), to_recipient: Allowance::new(DAY), full }
    }
}

impl Service {
    /// Counts the messages of a request.
    pub(crate) fn take_messages(&self, caller: Caller, count: usize) -> Result<(), Refusal> {
        let (count, limit) = (u64::try_from(count).unwrap_or(u64::MAX), self.config.limits.messages_per_minute);
        let taken = self.budgets.of_sender.take(caller.box_id, count, limit, self.now());
        taken.map_err(|left| Refusal::TooManyMessages { retry_after: left.as_secs().max(1) })
    }

    /// Counts a message to a box, and gives whether it may go there. One's own box is everyone's own affair.
    pub(crate) fn take_message_to(&self, caller: Caller, recipient: BoxId) -> bool {
        let limit = self.config.limits.messages_to_one_per_day;
        caller.box_id == recipient
            || self.budgets.to_recipient.take((caller.box_id, recipient), 1, limit, self.now()).is_ok()
    }

    /// Whether a box's queue takes no more.
    pub(crate) async fn is_full(&self, box_id: BoxId) -> Result<bool, CommandError> {
        let limit = self.config.limits.queued_messages;
        let ask = async { Ok(self.models.queued(box_id, self.now(), limit).await? >= limit) };
        let asked = self.budgets.full.try_get_with(box_id, ask).await;
        asked.map_err(|error: Arc<CommandError>| CommandError::Unavailable(error.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_allowance_is_for_a_while_and_begins_anew() {
        let begun: Timestamp = "2026-11-24T09:00:00Z".parse().unwrap();
        let at = |seconds| begun.plus(Duration::from_secs(seconds));
        let allowance = Allowance::new(MINUTE);
        assert_eq!(allowance.take(1, 3, 4, at(0)), Ok(()));
        assert_eq!(allowance.take(1, 2, 4, at(20)), Err(Duration::from_secs(40)), "all or nothing");
        assert_eq!(allowance.take(1, 1, 4, at(20)), Ok(()));
        assert_eq!(allowance.take(1, 1, 4, at(59)), Err(Duration::from_secs(1)));
        assert_eq!(allowance.take(2, 4, 4, at(59)), Ok(()), "another has its own");
        assert_eq!(allowance.take(1, 4, 4, at(60)), Ok(()));
        assert!(allowance.take(1, 1, 4, at(119)).is_err());
        // A clock that was set back keeps nobody waiting for longer than a minute.
        assert_eq!(allowance.take(1, 4, 4, at(0)), Ok(()));
    }
}

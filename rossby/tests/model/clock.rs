//! The clock of all devices. It never shows one moment twice, so that what is written later has a later time, and goes behind
//! the server's, so that it can be put forward.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rossby_schemas::time::{Clock, SystemClock, Timestamp};

/// By how much it is behind at first, and at least.
const AT_FIRST: Duration = Duration::from_secs(23 * 3600);
const AT_LEAST: Duration = Duration::from_secs(5);

#[derive(Debug)]
pub(crate) struct TownClock {
    behind_ms: AtomicU64,
    last_ms: AtomicU64,
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap()
}

impl TownClock {
    pub(crate) fn new() -> Self {
        Self { behind_ms: AtomicU64::new(millis(AT_FIRST)), last_ms: AtomicU64::new(0) }
    }

    /// Lets this time pass.
    pub(crate) fn pass(&self, time: Duration) {
        let behind = self.behind_ms.load(Ordering::SeqCst).saturating_sub(millis(time));
        assert!(behind >= millis(AT_LEAST), "no more time can pass");
        self.behind_ms.store(behind, Ordering::SeqCst);
    }
}

impl Clock for TownClock {
    fn now(&self) -> Timestamp {
        let now = SystemClock.now().millis() - self.behind_ms.load(Ordering::SeqCst);
        let later = |last: u64| Some(now.max(last + 1));
        let last = self.last_ms.fetch_update(Ordering::SeqCst, Ordering::SeqCst, later).unwrap();
        Timestamp::from_millis(now.max(last + 1)).unwrap()
    }
}

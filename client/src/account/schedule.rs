//! When sealing keys are made anew, and when old ones are erased.

use std::time::Duration;

use rossby_crypto::statements::SEALING_KEY_LIFETIME;

const DAY: Duration = Duration::from_secs(24 * 3600);

/// When sealing keys are made anew, and when old ones are erased.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SealingSchedule {
    /// How old a key becomes before there is another.
    pub rotate_after: Duration,
    /// For how long a key is sealed to at most; 30 days is the longest that others take. A key of which the next one can't be
    /// stated is sealed to until then.
    pub lifetime: Duration,
    /// How long after that a key is erased: when every message that was sealed to it has expired.
    pub erase_after: Duration,
}

impl Default for SealingSchedule {
    /// A week; 30 days; 30 days more for the messages, and two for clocks and late mirrors.
    fn default() -> Self {
        Self { rotate_after: 7 * DAY, lifetime: SEALING_KEY_LIFETIME, erase_after: 32 * DAY }
    }
}

impl SealingSchedule {
    /// The lifetime, as far as others take it.
    pub(super) fn lifetime(&self) -> Duration {
        self.lifetime.min(SEALING_KEY_LIFETIME)
    }
}

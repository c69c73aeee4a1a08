//! When a refusal is answered: *unknown*, *undiscoverable* and *blocked* must not be told apart by time.
//!
//! The work behind them is the same, but for what a database does to find a row or none. That difference is microseconds; an
//! answer that comes only at the next tick of a coarse clock, which began with the request, hides it.

use std::time::Duration;

use tokio::time::Instant;

use crate::service::Service;

/// The next tick after `elapsed`.
fn next_tick(elapsed: Duration, tick: Duration) -> Duration {
    let ticks = elapsed.as_nanos().checked_div(tick.as_nanos()).unwrap_or_default();
    tick.saturating_mul(u32::try_from(ticks).unwrap_or(u32::MAX).saturating_add(1))
}

impl Service {
    /// Waits until an answer may go out that says *no such recipient*, to a request that began at `begun`.
    pub(crate) async fn until_refusal(&self, begun: Instant) {
        let tick = self.config.timeouts.refusal;
        if !tick.is_zero() {
            tokio::time::sleep_until(begun + next_tick(begun.elapsed(), tick)).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_come_at_ticks() {
        let tick = Duration::from_millis(20);
        let at = |micros| next_tick(Duration::from_micros(micros), tick).as_millis();
        assert_eq!([at(0), at(1), at(19_999), at(20_000), at(45_000)], [20, 20, 20, 40, 60]);
        assert_eq!(next_tick(Duration::from_secs(1), Duration::ZERO), Duration::ZERO);
    }
}

//! What live delivery counts.

use crate::count::Count;

/// What the parts of live delivery have counted.
#[derive(Debug)]
pub(super) struct Figures {
    /// Queries for what batches brought.
    pub(super) feeds: Count,
    /// Queries for what waits for one device.
    pub(super) catch_ups: Count,
    /// Queries for whether a full window's messages wait still.
    pub(super) checks: Count,
    /// Queries for what changed of boxes.
    pub(super) looks: Count,
}

/// How often the tables were asked for live delivery since it began.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Queries {
    /// For what batches brought to connected devices: one for a batch.
    pub feeds: u64,
    /// For what waits for one device: at its connection, and when its window was full.
    pub catch_ups: u64,
    /// For whether the messages of a full window were confirmed elsewhere.
    pub checks: u64,
    /// For what changed of connected devices' boxes.
    pub looks: u64,
}

impl Figures {
    pub(super) const fn new() -> Self {
        Self {
            feeds: Count::new("rossby_live_feeds_total"),
            catch_ups: Count::new("rossby_live_catch_ups_total"),
            checks: Count::new("rossby_live_checks_total"),
            looks: Count::new("rossby_live_looks_total"),
        }
    }

    pub(super) fn queries(&self) -> Queries {
        Queries {
            feeds: self.feeds.get(),
            catch_ups: self.catch_ups.get(),
            checks: self.checks.get(),
            looks: self.looks.get(),
        }
    }
}

/// A signal was given to nobody, for this reason.
pub(super) fn dropped(reason: &'static str) {
    metrics::counter!("rossby_signals_dropped_total", "reason" => reason).increment(1);
}

/// Says what the figures are, once a recorder is installed.
pub fn describe_metrics() {
    metrics::describe_counter!("rossby_fetch_looks_total", "Queries for what waits for a device, or at a rendezvous");
    metrics::describe_counter!("rossby_live_feeds_total", "Queries for what batches brought to connected devices");
    metrics::describe_counter!("rossby_live_catch_ups_total", "Queries for what waits for one connected device");
    metrics::describe_counter!("rossby_live_checks_total", "Queries for whether a full window's messages wait still");
    metrics::describe_counter!("rossby_live_looks_total", "Queries for what changed of connected devices' boxes");
    metrics::describe_gauge!("rossby_live_queued_octets", "Octets of messages in memory for streams to take");
    metrics::describe_counter!("rossby_signals_dropped_total", "Signals that no device got, by reason");
}

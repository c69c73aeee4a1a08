//! Times as people read them, by the clock on their wall.

use chrono::{DateTime, Datelike as _, Local, NaiveDateTime, Utc};
use rossby_schemas::time::Timestamp;

/// Where the clock hangs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::person::chat) enum Zone {
    /// Where the machine says that it is.
    Local,
    #[cfg(test)]
    Utc,
}

impl Zone {
    fn wall(self, time: Timestamp) -> NaiveDateTime {
        let utc = DateTime::<Utc>::from_timestamp_millis(time.signed_millis()).unwrap_or_default();
        match self {
            Self::Local => utc.with_timezone(&Local).naive_local(),
            #[cfg(test)]
            Self::Utc => utc.naive_utc(),
        }
    }

    /// Hour and minute.
    pub(super) fn minute(self, time: Timestamp) -> String {
        self.wall(time).format("%H:%M").to_string()
    }

    /// Day and minute.
    pub(super) fn full(self, time: Timestamp) -> String {
        self.wall(time).format("%Y-%m-%d %H:%M").to_string()
    }

    /// The day with its weekday.
    pub(super) fn day(self, time: Timestamp) -> String {
        self.wall(time).format("%A %-d %B %Y").to_string()
    }

    /// As short as it is clear: the minute today, the day this year, else the month.
    pub(super) fn short(self, time: Timestamp, now: Timestamp) -> String {
        let (time, now) = (self.wall(time), self.wall(now));
        let form = if time.date() == now.date() {
            "%H:%M"
        } else if time.year() == now.year() {
            "%-d %b"
        } else {
            "%b %Y"
        };
        time.format(form).to_string()
    }
}

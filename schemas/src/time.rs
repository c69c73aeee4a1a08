//! Points in time, and the clock that everything takes instead of asking the system.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use chrono::{DateTime, SecondsFormat, Utc};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use utoipa::ToSchema;

/// A point in time: milliseconds since 1970-01-01T00:00:00Z, RFC 3339 with milliseconds in JSON.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, ToSchema)]
#[schema(value_type = String, format = DateTime, example = "2026-11-24T09:30:00.000Z")]
pub struct Timestamp(u64);

/// The last millisecond of the year 9999, which is as far as RFC 3339 goes.
const MAX_MILLIS: u64 = 253_402_300_799_999;

/// A point in time that cannot be said in RFC 3339, or a text that is not RFC 3339.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is not a time of RFC 3339 between the years 1970 and 9999")]
pub struct NotATime;

impl Timestamp {
    /// The point `millis` milliseconds after 1970-01-01T00:00:00Z.
    ///
    /// # Errors
    /// [`NotATime`] for points after the year 9999.
    pub const fn from_millis(millis: u64) -> Result<Self, NotATime> {
        if millis > MAX_MILLIS { Err(NotATime) } else { Ok(Self(millis)) }
    }

    /// Milliseconds since 1970-01-01T00:00:00Z.
    #[must_use]
    pub const fn millis(self) -> u64 {
        self.0
    }

    /// Milliseconds as the signed number that the databases keep. Never negative.
    #[must_use]
    pub const fn signed_millis(self) -> i64 {
        self.0.cast_signed()
    }

    /// This point and `duration` more, at most the end of the year 9999.
    #[must_use]
    pub fn plus(self, duration: Duration) -> Self {
        let millis = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        Self(self.0.saturating_add(millis).min(MAX_MILLIS))
    }

    /// This point less `duration`, at least 1970.
    #[must_use]
    pub fn minus(self, duration: Duration) -> Self {
        let millis = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        Self(self.0.saturating_sub(millis))
    }

    /// How long after `earlier` this is; zero if it is before.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }

    /// The day in UTC, as `2026-11-24`.
    #[must_use]
    pub fn utc_day(self) -> String {
        self.to_chrono().format("%Y-%m-%d").to_string()
    }

    /// The minute in UTC, as people read it: `2026-11-24 20:16Z`.
    #[must_use]
    pub fn utc_minute(self) -> String {
        self.to_chrono().format("%Y-%m-%d %H:%MZ").to_string()
    }

    fn to_chrono(self) -> DateTime<Utc> {
        DateTime::from_timestamp_millis(self.signed_millis()).unwrap_or(DateTime::<Utc>::MAX_UTC)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_chrono().to_rfc3339_opts(SecondsFormat::Millis, true))
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Timestamp {
    type Err = NotATime;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let time = DateTime::parse_from_rfc3339(text).map_err(|_| NotATime)?;
        u64::try_from(time.timestamp_millis()).map_err(|_| NotATime).and_then(Self::from_millis)
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

impl JsonSchema for Timestamp {
    fn schema_name() -> Cow<'static, str> {
        "Timestamp".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "format": "date-time" })
    }
}

/// Where the time comes from. Everything that needs the time takes one, so that no test waits for it.
pub trait Clock: Send + Sync + fmt::Debug + 'static {
    /// The time now.
    fn now(&self) -> Timestamp;
}

/// The system's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp(u64::try_from(Utc::now().timestamp_millis()).unwrap_or(0).min(MAX_MILLIS))
    }
}

/// A clock that stands still until it is moved.
#[derive(Debug)]
pub struct ManualClock(AtomicU64);

impl ManualClock {
    /// A clock that shows `now`.
    #[must_use]
    pub const fn new(now: Timestamp) -> Self {
        Self(AtomicU64::new(now.0))
    }

    /// Moves the clock forwards.
    pub fn advance(&self, by: Duration) {
        self.set(self.now().plus(by));
    }

    /// Moves the clock to `now`, backwards too.
    pub fn set(&self, now: Timestamp) {
        self.0.store(now.0, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::SeqCst))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_rfc_3339_with_milliseconds() {
        let time = Timestamp::from_millis(1_795_512_600_123).unwrap();
        assert_eq!(time.to_string().parse(), Ok(time));
        assert!(time.to_string().ends_with(".123Z"), "{time}");
        assert_eq!("1970-01-01T01:00:00+01:00".parse(), Ok(Timestamp(0)));
        for bad in ["", "1969-12-31T23:59:59Z", "2026-11-24", "12026-11-24T00:00:00Z"] {
            assert_eq!(bad.parse::<Timestamp>(), Err(NotATime), "{bad}");
        }
    }

    #[test]
    fn arithmetic_saturates() {
        let end = Timestamp::from_millis(MAX_MILLIS).unwrap();
        assert_eq!(end.plus(Duration::from_secs(1)), end);
        assert_eq!(Timestamp(5).minus(Duration::from_secs(1)), Timestamp(0));
        assert_eq!(Timestamp(5).since(Timestamp(9)), Duration::ZERO);
    }
}

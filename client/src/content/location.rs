//! Kind 7: a place.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{Body, ContentError};

const MAX_LABEL_OCTETS: usize = 256;
/// Half of the equator: what is less exact says nothing.
const MAX_ACCURACY_M: f64 = 20_100_000.0;

/// A place on the earth (WGS 84).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Location {
    /// Degrees to the north of the equator, -90 to 90.
    pub latitude: f64,
    /// Degrees to the east of Greenwich, -180 to 180.
    pub longitude: f64,
    /// By how many metres it may be off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accuracy_m: Option<f64>,
    /// What the sender calls it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
}

impl Body for Location {
    fn check(&self) -> Result<(), ContentError> {
        let within = |field, value: f64, limit: f64| {
            let is_within = value.is_finite() && value.abs() <= limit;
            if is_within { Ok(()) } else { Err(ContentError::field(field, format!("is not within {limit} degrees"))) }
        };
        within("latitude", self.latitude, 90.0)?;
        within("longitude", self.longitude, 180.0)?;
        if self.accuracy_m.is_some_and(|metres| !(0.0..=MAX_ACCURACY_M).contains(&metres)) {
            return Err(ContentError::field("accuracy_m", format!("is not between 0 and {MAX_ACCURACY_M}")));
        }
        match self.label.as_ref().map(String::len) {
            Some(0) => Err(ContentError::field("label", "is empty")),
            Some(octets) if octets > MAX_LABEL_OCTETS => Err(ContentError::field(
                "label",
                format!("has {octets} octets; at most {MAX_LABEL_OCTETS} can be sent"),
            )),
            _ => Ok(()),
        }
    }
}

impl FromStr for Location {
    type Err = ContentError;

    /// Reads `LATITUDE,LONGITUDE`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let number = |field, text: Option<&str>| {
            let parsed = text.and_then(|text| text.trim().parse::<f64>().ok());
            parsed.ok_or_else(|| ContentError::field(field, "is no number; write LATITUDE,LONGITUDE in degrees"))
        };
        let mut parts = text.splitn(2, ',');
        let (latitude, longitude) = (number("latitude", parts.next())?, number("longitude", parts.next())?);
        let location = Self { latitude, longitude, accuracy_m: None, label: None };
        location.check()?;
        Ok(location)
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{},{}", self.latitude, self.longitude)?;
        if let Some(metres) = self.accuracy_m {
            write!(f, " (within {metres} m)")?;
        }
        match &self.label {
            Some(label) => write!(f, " {label}"),
            None => Ok(()),
        }
    }
}

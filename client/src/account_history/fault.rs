//! What is not as it must be in a history.

use std::fmt;

use rossby_schemas::topic::Topic;
use serde::{Deserialize, Serialize};

/// What is wrong at one place of the account's history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HistoryFault {
    /// The topic of the stream.
    pub topic: String,
    /// The stream: the box, or the hash of an identifier.
    pub stream: String,
    /// The version of the stream.
    pub version: u64,
    /// What is wrong there.
    pub kind: FaultKind,
}

/// What is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum FaultKind {
    /// There must be an entry, and there is none.
    LeftOut,
    /// This device has seen another one there before.
    OtherThanSeen,
    /// It stands where it can't.
    Misplaced,
    /// Its hash, or that of its content, is not the one that the server says.
    BadHash,
    /// Its content is kept back, or can't be read.
    BadContent,
    /// No device of the account has signed it.
    NotSigned {
        /// Why the signature doesn't count.
        reason: String,
    },
}

impl FaultKind {
    /// A short stable name, for scripts.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::LeftOut => "left-out",
            Self::OtherThanSeen => "other-than-seen",
            Self::Misplaced => "misplaced",
            Self::BadHash => "bad-hash",
            Self::BadContent => "bad-content",
            Self::NotSigned { .. } => "not-signed",
        }
    }
}

impl fmt::Display for FaultKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LeftOut => f.write_str("it is left out"),
            Self::OtherThanSeen => f.write_str("this device has seen another one there before"),
            Self::Misplaced => f.write_str("it stands where it can't"),
            Self::BadHash => f.write_str("its hash is not that of what the server says"),
            Self::BadContent => f.write_str("its content is kept back, or can't be read"),
            Self::NotSigned { reason } => write!(f, "no device of the account has signed it: {reason}"),
        }
    }
}

impl fmt::Display for HistoryFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.topic.as_str() {
            topic if topic == Topic::Keys.name() => "keys".to_owned(),
            topic if topic == Topic::Profiles.name() => "settings".to_owned(),
            _ => format!("identifier {}", self.stream.get(..8).unwrap_or(&self.stream)),
        };
        write!(f, "entry {} of its {what}: {}", self.version, self.kind)
    }
}

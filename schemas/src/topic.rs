//! The topics of the log, and what holds for each.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// A topic by what it holds, wherever it was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Topic {
    /// Registrations asked, codes issued and guessed.
    Registrations,
    /// Identifiers verified and released.
    Identifiers,
    /// Key records: membership and sealing statements, revocations, closing.
    Keys,
    /// Profiles: settings, blocks, contacts.
    Profiles,
    /// Messages enqueued and acknowledged.
    Inbox,
    /// Ephemeral signals, in no table.
    Signals,
}

/// How long the log keeps a topic's records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retention {
    /// For ever.
    Forever,
    /// At least this long.
    For(Duration),
}

/// How long a message may wait at most: its sender states when it expires, no further ahead than this.
pub const MESSAGE_LIFETIME: Duration = Duration::from_secs(30 * 24 * 3600);

impl Topic {
    /// Every topic.
    pub const ALL: [Self; 6] =
        [Self::Registrations, Self::Identifiers, Self::Keys, Self::Profiles, Self::Inbox, Self::Signals];

    /// The name in the region where it is written, such as `rossby.keys`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Registrations => "rossby.registrations",
            Self::Identifiers => "rossby.identifiers",
            Self::Keys => "rossby.keys",
            Self::Profiles => "rossby.profiles",
            Self::Inbox => "rossby.inbox",
            Self::Signals => "rossby.signals",
        }
    }

    /// Whether its streams are versioned, so that projections admit events by their expected version.
    #[must_use]
    pub const fn is_control(self) -> bool {
        matches!(self, Self::Registrations | Self::Identifiers | Self::Keys | Self::Profiles)
    }

    /// How long its records are kept.
    #[must_use]
    pub const fn retention(self) -> Retention {
        const DAY: u64 = 24 * 3600;
        match self {
            Self::Registrations => Retention::For(Duration::from_secs(2 * DAY)),
            Self::Identifiers | Self::Keys | Self::Profiles => Retention::Forever,
            Self::Inbox => Retention::For(Duration::from_secs(MESSAGE_LIFETIME.as_secs() + 2 * DAY)),
            Self::Signals => Retention::For(Duration::from_secs(60)),
        }
    }
}

impl fmt::Display for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A topic as one region's cluster names it: the topic itself where it is written, and with the other region's name
/// before it where a mirror wrote it (`east.rossby.inbox`).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TopicName {
    /// The region from which it is mirrored; none for the region's own.
    pub mirrored_from: Option<String>,
    /// What it holds.
    pub topic: Topic,
}

impl TopicName {
    /// The region's own topic.
    #[must_use]
    pub const fn local(topic: Topic) -> Self {
        Self { mirrored_from: None, topic }
    }

    /// Another region's topic, as a mirror names it here.
    #[must_use]
    pub fn mirrored(region: impl Into<String>, topic: Topic) -> Self {
        Self { mirrored_from: Some(region.into()), topic }
    }
}

impl fmt::Display for TopicName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(region) = &self.mirrored_from {
            write!(f, "{region}.")?;
        }
        f.write_str(self.topic.name())
    }
}

/// A text that names no topic of Rossby's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is no topic of Rossby's")]
pub struct NotATopic;

impl FromStr for TopicName {
    type Err = NotATopic;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        for topic in Topic::ALL {
            match text.strip_suffix(topic.name()) {
                Some("") => return Ok(Self::local(topic)),
                Some(prefix) => {
                    let region = prefix.strip_suffix('.').filter(|r| !r.is_empty() && !r.contains('.'));
                    return region.map(|r| Self { mirrored_from: Some(r.to_owned()), topic }).ok_or(NotATopic);
                }
                None => {}
            }
        }
        Err(NotATopic)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back() {
        for topic in Topic::ALL {
            for name in [TopicName::local(topic), TopicName { mirrored_from: Some("east".into()), topic }] {
                assert_eq!(name.to_string().parse(), Ok(name));
            }
        }
        for bad in ["rossby", "rossby.keys.east", "west.east.rossby.inbox", ".rossby.inbox", "xrossby.inbox"] {
            assert_eq!(bad.parse::<TopicName>(), Err(NotATopic), "{bad}");
        }
    }
}

//! The projections, and what each reads.

use std::fmt;

use rossby_schemas::topic::Topic;

/// A projection: a set of tables with positions of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Projection {
    /// Registrations, the lookup from identifiers to boxes, the message queue.
    Inbox,
    /// Key records.
    Keys,
    /// Profiles and permissions.
    Profiles,
    /// What happened to each account.
    History,
}

impl Projection {
    /// Every projection.
    pub const ALL: [Self; 4] = [Self::Inbox, Self::Keys, Self::Profiles, Self::History];

    /// Its name, as tables and metrics carry it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Inbox => "inbox",
            Self::Keys => "keys",
            Self::Profiles => "profiles",
            Self::History => "history",
        }
    }

    /// The topics that it reads.
    #[must_use]
    pub const fn topics(self) -> &'static [Topic] {
        match self {
            Self::Inbox => &[Topic::Registrations, Topic::Identifiers, Topic::Keys, Topic::Inbox],
            Self::Keys => &[Topic::Keys],
            Self::Profiles => &[Topic::Keys, Topic::Profiles],
            Self::History => &[Topic::Identifiers, Topic::Keys, Topic::Profiles],
        }
    }

    /// The projection with this name.
    #[must_use]
    pub fn by_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|projection| projection.name() == name)
    }
}

impl fmt::Display for Projection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

//! How topics are to be: their partitions, and the settings that follow from what they hold.

use std::collections::BTreeMap;
use std::time::Duration;

use rossby_schemas::topic::{Retention, Topic, TopicName};

/// How a topic is to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicSpec {
    /// Its name in this region.
    pub name: TopicName,
    /// How many partitions it has. Topics with the same key have the same number.
    pub partitions: u32,
}

impl TopicSpec {
    /// Every topic that a region writes itself, with `partitions` each.
    #[must_use]
    pub fn local(partitions: u32) -> Vec<Self> {
        Topic::ALL.into_iter().map(|topic| Self { name: TopicName::local(topic), partitions }).collect()
    }

    /// Every topic of another region, as a mirror writes it here: with as many partitions as it has there.
    #[must_use]
    pub fn mirrored(region: &str, partitions: u32) -> Vec<Self> {
        Topic::ALL.into_iter().map(|topic| Self { name: TopicName::mirrored(region, topic), partitions }).collect()
    }

    /// How long its records are kept.
    #[must_use]
    pub const fn retention(&self) -> Retention {
        self.name.topic.retention()
    }

    /// How long a stretch of records grows old together before it can be removed: signals each minute, the rest daily.
    #[must_use]
    pub const fn segment(&self) -> Duration {
        match self.name.topic {
            Topic::Signals => Duration::from_secs(60),
            _ => Duration::from_secs(24 * 3600),
        }
    }
}

/// What was found of a topic, and what was done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicReport {
    /// The topic.
    pub name: TopicName,
    /// What was found.
    pub state: TopicState,
}

/// The state of a topic compared with its [`TopicSpec`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TopicState {
    /// It was as it should be.
    Right,
    /// It was not there; `ensure_topics` made it.
    Missing,
    /// These settings differed, each with what it was and what it should be; `ensure_topics` changed them.
    SettingsDiffer(BTreeMap<String, SettingDrift>),
    /// It has another number of partitions. Nothing was changed: keys would move to other partitions, and the order of
    /// their records with them. It needs a person.
    PartitionsDiffer {
        /// How many it has.
        has: u32,
        /// How many it should have.
        should_have: u32,
    },
}

/// A setting that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettingDrift {
    /// What it was; none if it had no value.
    pub was: Option<String>,
    /// What it should be.
    pub should_be: String,
}

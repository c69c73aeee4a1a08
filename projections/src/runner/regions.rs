//! The regions whose logs are read here.

use rossby_schemas::ids::RegionNumber;
use rossby_schemas::topic::{Topic, TopicName};

/// Another region of the service, whose topics a mirror brings here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OtherRegion {
    /// Its number.
    pub number: RegionNumber,
    /// Its name, which the mirror puts before its topics.
    pub name: String,
}

impl OtherRegion {
    /// One of its topics, as it is named here.
    #[must_use]
    pub fn topic(&self, topic: Topic) -> TopicName {
        TopicName::mirrored(self.name.clone(), topic)
    }
}

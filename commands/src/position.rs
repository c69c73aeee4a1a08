//! Where a record stands in the log, as reads carry it: `REGION/TOPIC/PARTITION/OFFSET`.

use std::str::FromStr;

use rossby_log::Offset;
use rossby_schemas::http::messages::PositionToken;
use rossby_schemas::ids::RegionNumber;
use rossby_schemas::topic::{Topic, TopicName};

/// Where a record stands in the log of one region.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// The region that wrote it.
    pub region: RegionNumber,
    /// The topic, as that region names it.
    pub topic: Topic,
    /// The partition.
    pub partition: u32,
    /// The offset.
    pub offset: Offset,
}

/// A text that is no position.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is not REGION/TOPIC/PARTITION/OFFSET")]
pub struct NotAPosition;

impl Position {
    /// The position as a response carries it.
    #[must_use]
    pub fn token(&self) -> PositionToken {
        PositionToken(format!("{}/{}/{}/{}", self.region, self.topic, self.partition, self.offset))
    }
}

impl FromStr for Position {
    type Err = NotAPosition;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut parts = text.split('/');
        let mut part = || parts.next().ok_or(NotAPosition);
        let region = part()?.parse().map(RegionNumber).map_err(|_| NotAPosition)?;
        let name: TopicName = part()?.parse().map_err(|_| NotAPosition)?;
        let partition = part()?.parse().map_err(|_| NotAPosition)?;
        let offset = part()?.parse().map_err(|_| NotAPosition)?;
        if name.mirrored_from.is_some() || parts.next().is_some() {
            return Err(NotAPosition);
        }
        Ok(Self { region, topic: name.topic, partition, offset })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_are_read_back() {
        let position = Position { region: RegionNumber(1), topic: Topic::Inbox, partition: 3, offset: 42 };
        assert_eq!(position.token().0, "1/rossby.inbox/3/42");
        assert_eq!(position.token().0.parse(), Ok(position));
        for bad in [
            "",
            "1/rossby.inbox/3",
            "1/rossby.inbox/3/42/",
            "1/east.rossby.inbox/3/42",
            "1/inbox/3/42",
            "300/rossby.inbox/3/4",
        ] {
            assert_eq!(bad.parse::<Position>(), Err(NotAPosition), "{bad}");
        }
    }
}

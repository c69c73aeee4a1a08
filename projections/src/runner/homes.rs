//! Which region's log decides for which stream.

use rossby_schemas::ids::{BoxId, IDENTIFIER_SLOTS, IdentifierHash, RegionNumber};
use rossby_schemas::topic::Topic;

/// Which region is home to which stream: a box's is its birth region, an identifier's comes from a table of slots.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Homes {
    slots: Vec<RegionNumber>,
}

impl Homes {
    /// Every identifier at home in one region.
    #[must_use]
    pub fn all_in(region: RegionNumber) -> Self {
        Self { slots: vec![region; usize::from(IDENTIFIER_SLOTS)] }
    }

    /// A table with an entry for each slot; none if the number of entries is another.
    #[must_use]
    pub fn new(slots: Vec<RegionNumber>) -> Option<Self> {
        (slots.len() == usize::from(IDENTIFIER_SLOTS)).then_some(Self { slots })
    }

    /// The home of a control stream; none for a text that names no stream of the topic.
    pub(crate) fn of(&self, topic: Topic, stream: &str) -> Option<RegionNumber> {
        match topic {
            Topic::Keys | Topic::Profiles => stream.parse::<BoxId>().ok().map(|id| id.region()),
            Topic::Identifiers => self.of_identifier(stream),
            Topic::Registrations => {
                let (hash, day) = stream.split_once('/')?;
                is_day(day).then(|| self.of_identifier(hash)).flatten()
            }
            Topic::Inbox | Topic::Signals => None,
        }
    }

    fn of_identifier(&self, hash: &str) -> Option<RegionNumber> {
        let hash: IdentifierHash = hash.parse().ok()?;
        self.slots.get(usize::from(hash.slot())).copied()
    }
}

/// Whether a text has the form of `2026-11-24`, by which the sweeper tells old days.
fn is_day(text: &str) -> bool {
    let mut parts = text.split('-');
    let is_number = |part: Option<&str>, digits| {
        part.is_some_and(|part| part.len() == digits && part.bytes().all(|b| b.is_ascii_digit()))
    };
    is_number(parts.next(), 4) && is_number(parts.next(), 2) && is_number(parts.next(), 2) && parts.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_is_at_home_where_its_id_says() {
        let mut slots = vec![RegionNumber(1); 1024];
        slots[1023] = RegionNumber(2);
        let homes = Homes::new(slots).unwrap();
        let mut id = [3; 16];
        id[0] = 7;
        let box_id = BoxId::from_bytes(id).to_string();
        assert_eq!(homes.of(Topic::Keys, &box_id), Some(RegionNumber(7)));
        assert_eq!(homes.of(Topic::Identifiers, &"f".repeat(64)), Some(RegionNumber(2)));
        assert_eq!(homes.of(Topic::Registrations, &format!("{}/2026-11-24", "0".repeat(64))), Some(RegionNumber(1)));
        assert_eq!(homes.of(Topic::Registrations, &"0".repeat(64)), None);
        for day in ["", "2026-11", "2026-11-24 ", "2026-11-2x", "2026-11-24-1", "-2026-11-24"] {
            assert_eq!(homes.of(Topic::Registrations, &format!("{}/{day}", "0".repeat(64))), None, "{day}");
        }
        assert_eq!(homes.of(Topic::Identifiers, &box_id), None);
        assert!(Homes::new(vec![RegionNumber(1)]).is_none());
    }
}

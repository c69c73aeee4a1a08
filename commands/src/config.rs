//! What the service is told at its start: where it is, and what its rules allow.

use std::time::Duration;

use rossby_projections::OtherRegion;
use rossby_schemas::ids::{IDENTIFIER_SLOTS, RegionNumber};

/// Which region is home to each slot of identifiers, fixed when the system is founded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdentifierSlots(Vec<RegionNumber>);

impl IdentifierSlots {
    /// Every identifier at home in one region.
    #[must_use]
    pub fn all_in(region: RegionNumber) -> Self {
        Self(vec![region; usize::from(IDENTIFIER_SLOTS)])
    }

    /// A table with an entry for each slot; none if the number of entries is another.
    #[must_use]
    pub fn new(homes: Vec<RegionNumber>) -> Option<Self> {
        (homes.len() == usize::from(IDENTIFIER_SLOTS)).then_some(Self(homes))
    }

    /// The slots that are at home in a region, unless all are.
    pub(crate) fn home_slots(&self, region: RegionNumber) -> Option<Vec<u16>> {
        let is_home = |slot: &u16| self.home(*slot) == Some(region);
        let home: Vec<u16> = (0..IDENTIFIER_SLOTS).filter(is_home).collect();
        (home.len() < self.0.len()).then_some(home)
    }

    /// The home region of a slot; none for a slot that does not exist.
    #[must_use]
    pub fn home(&self, slot: u16) -> Option<RegionNumber> {
        self.0.get(usize::from(slot)).copied()
    }
}

/// What the rules allow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Codes issued for an identifier in a day (UTC).
    pub codes_per_day: u32,
    /// Guesses at an identifier's codes in a day (UTC).
    pub guesses_per_day: u32,
    /// Guesses at one code.
    pub guesses_per_code: u32,
    /// Codes for objections to claims of an identifier that one device may ask for in a day (UTC).
    pub objection_codes_per_day: u32,
    /// How long a code is good.
    pub code_lifetime: Duration,
    /// How far clients' clocks may be ahead or behind, where a rule compares their times with ours.
    pub clock_skew: Duration,
    /// Octets of the encrypted profile.
    pub profile_blob: usize,
    /// Devices of one box.
    pub devices: usize,
    /// Devices that are linked to one box within 24 hours, those that are removed again too. Each takes room in the key record
    /// for ever, and a stolen device could use up all of it.
    pub links_per_day: u64,
    /// How long the box that an identifier belongs to has to object to a claim of it; and how long after an objection nobody can
    /// claim it.
    pub claim_wait: Duration,
    /// Objections in a row by the recovery key, without a code of the identifier.
    pub recovery_objections: u32,
    /// Identifiers of one box.
    pub identifiers: usize,
    /// How long two devices have to be linked.
    pub rendezvous_lifetime: Duration,
    /// Octets of one blob.
    pub blob_octets: u64,
    /// Octets of the blobs that one box uploads in a day (UTC), each counted in whole chunks.
    pub uploaded_per_day: u64,
    /// How long an upload may take.
    pub upload_lifetime: Duration,
    /// Boxes that one box may block, and contacts that it may have.
    pub list_entries: usize,
    /// Messages that one box sends in a minute, to whomever: more than a request may have.
    pub messages_per_minute: u64,
    /// Messages that one box sends to one other in 24 hours.
    pub messages_to_one_per_day: u64,
    /// Messages that wait in one box, for whichever of its devices.
    pub queued_messages: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            codes_per_day: 5,
            guesses_per_day: 20,
            guesses_per_code: 5,
            objection_codes_per_day: 3,
            code_lifetime: Duration::from_secs(10 * 60),
            clock_skew: Duration::from_secs(2 * 60),
            profile_blob: 64 * 1024,
            devices: 10,
            links_per_day: 20,
            claim_wait: Duration::from_secs(7 * 24 * 3600),
            recovery_objections: 3,
            identifiers: 16,
            rendezvous_lifetime: Duration::from_secs(10 * 60),
            blob_octets: 100 * 1024 * 1024,
            uploaded_per_day: 2 * 1024 * 1024 * 1024,
            upload_lifetime: Duration::from_secs(24 * 3600),
            list_entries: 5000,
            messages_per_minute: 6000,
            messages_to_one_per_day: 10_000,
            queued_messages: 50_000,
        }
    }
}

/// How long the service waits for what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// For the projections to carry a control command's events; after that its outcome is unknown.
    pub outcome: Duration,
    /// For a key record to reach the head or sealing key that a sender states.
    pub newer_head: Duration,
    /// For a read to see the position that it carries.
    pub position: Duration,
    /// Refusals that must not say why are answered at multiples of this after their request began.
    pub refusal: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            outcome: Duration::from_secs(10),
            newer_head: Duration::from_secs(2),
            position: Duration::from_secs(5),
            refusal: Duration::from_millis(20),
        }
    }
}

/// Everything that is told at the start and is no secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceConfig {
    /// This region.
    pub region: RegionNumber,
    /// The other regions, whose topics a mirror brings here.
    pub others: Vec<OtherRegion>,
    /// The home regions of identifiers.
    pub slots: IdentifierSlots,
    /// What the rules allow.
    pub limits: Limits,
    /// How long to wait.
    pub timeouts: Timeouts,
}

impl ServiceConfig {
    /// The only region there is, with the default rules.
    #[must_use]
    pub fn single_region(region: RegionNumber) -> Self {
        Self {
            region,
            others: Vec::new(),
            slots: IdentifierSlots::all_in(region),
            limits: Limits::default(),
            timeouts: Timeouts::default(),
        }
    }
}

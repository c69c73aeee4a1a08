//! What must be so: people, their devices, and all that was said, in plain lists. It knows no key, no store and no request;
//! only who said what in which order, which boxes have got it, and since when a device is there.

use std::collections::{BTreeMap, BTreeSet};

use crate::councils::Council;
use crate::groups::{Change, GroupNo};
use crate::known::Known;
use crate::receipts::Wishes;

/// A moment: all that happens to boxes has one of its own.
pub(crate) type Tick = u64;
/// A person, a device, something that was said: by its number.
pub(crate) type PersonNo = usize;
pub(crate) type DeviceNo = usize;
pub(crate) type SaidNo = usize;

/// Where something is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Place {
    /// Between two people, the one with the lower number first; or between one's own devices.
    Direct(PersonNo, PersonNo),
    /// In a group.
    Group(GroupNo),
    /// By a device to the person's others, which people don't see.
    Own,
}

impl Place {
    pub(crate) fn between(one: PersonNo, other: PersonNo) -> Self {
        Self::Direct(one.min(other), one.max(other))
    }

    /// The other one of a conversation.
    pub(crate) fn peer_of(self, person: PersonNo) -> Option<PersonNo> {
        match self {
            Self::Direct(one, other) => Some(if one == person { other } else { one }),
            Self::Group(_) | Self::Own => None,
        }
    }
}

/// How a person stands to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stand {
    Stranger,
    Accepted,
    Blocked,
}

/// What is said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum What {
    Text(String),
    Reply {
        to: SaidNo,
        text: String,
    },
    Edit {
        of: SaidNo,
        text: String,
    },
    Deletion {
        of: SaidNo,
    },
    Reaction {
        to: SaidNo,
        emoji: &'static str,
        removed: bool,
    },
    /// To the own devices: how the person stands to somebody.
    Stands {
        peer: PersonNo,
        stand: Stand,
    },
    /// To the own devices: what this one wrote that came until then is erased.
    Declined {
        peer: PersonNo,
        until: Tick,
    },
    /// To the own devices: these were read.
    Read(Vec<SaidNo>),
    /// In a group: it was changed.
    Change(Change),
    /// To who is new in a group: all that was done there.
    Brings(Vec<SaidNo>),
    /// To the own devices: whether the person takes part in the group that this change has added them to.
    Answers {
        to: SaidNo,
        joins: bool,
        /// Whether the person has said so, and not a device by itself.
        is_own: bool,
    },
}

/// What became of something that was said, for one box.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Copy {
    /// It is in the outbox of the device that said it.
    Waiting,
    /// The box has it, since then.
    Taken(Tick),
    /// The box takes nothing of this person, or has no device left that it is for.
    Refused,
    /// It will never go out.
    Never,
}

#[derive(Debug, Clone)]
pub(crate) struct Said {
    pub(crate) by: DeviceNo,
    pub(crate) place: Place,
    pub(crate) what: What,
    /// Of a group, what had been done with it, as was known there.
    pub(crate) seen: BTreeSet<SaidNo>,
    /// For each box that is to have it; for the own one, as the other devices are to have it.
    pub(crate) copies: BTreeMap<PersonNo, Copy>,
}

#[derive(Debug, Clone)]
pub(crate) struct Device {
    pub(crate) person: PersonNo,
    pub(crate) name: String,
    /// What came to the box after that is for this device, too.
    pub(crate) since: Tick,
    /// What came to the box until then is here.
    pub(crate) synced: Tick,
    /// Whether it was removed: nothing comes any more.
    pub(crate) is_gone: bool,
    /// What it was told when it was linked, of what the own devices know.
    pub(crate) inherited: BTreeSet<SaidNo>,
    /// The changes of groups that it was told when it was linked.
    pub(crate) told: BTreeSet<SaidNo>,
    /// The changes that have added its person to groups of which it knows whether they take part by that.
    pub(crate) judged: BTreeSet<SaidNo>,
    /// Whom it has looked up, and whether by their address.
    pub(crate) knows: BTreeSet<(PersonNo, bool)>,
    /// Whether some of what waits in its outbox may have gone out.
    pub(crate) is_unsure: bool,
    /// Whether more may be here than what is known to be.
    pub(crate) is_vague: bool,
    /// Whether it is without a connection.
    pub(crate) is_offline: bool,
}

#[derive(Debug, Default)]
pub(crate) struct Model {
    pub(crate) people: Vec<String>,
    /// Which receipts each of them sends.
    pub(crate) wishes: Vec<Wishes>,
    pub(crate) devices: Vec<Device>,
    pub(crate) said: Vec<Said>,
    /// The files that texts of what was said came with: a caption is as a text, and is not edited.
    pub(crate) files: BTreeMap<SaidNo, Vec<u8>>,
    /// How many groups there are.
    pub(crate) groups: usize,
    /// What was done with them at once.
    pub(crate) councils: Vec<Council>,
    /// Who has blocked whom.
    pub(crate) blocks: BTreeSet<(PersonNo, PersonNo)>,
    /// Who has blocked whom at some time.
    pub(crate) ever_blocked: BTreeSet<(PersonNo, PersonNo)>,
    now: Tick,
}

/// Until when a device's knowledge is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Until {
    /// What it is known to have.
    Synced,
    /// What it has when it has fetched all.
    Now,
    /// What it has when it has fetched what came until then.
    Tick(Tick),
}

impl Model {
    pub(crate) fn tick(&mut self) -> Tick {
        self.now += 1;
        self.now
    }

    /// A new device: of a new person, or linked by another, which tells it what it knows.
    pub(crate) fn add_device(&mut self, person: PersonNo, name: &str, linked_by: Option<DeviceNo>) -> DeviceNo {
        let since = self.tick();
        let (mut inherited, mut told) = (BTreeSet::new(), BTreeSet::new());
        if let Some(by) = linked_by {
            // It has fetched before it tells.
            self.devices[by].synced = since;
            let own = |said: &SaidNo| self.said[*said].place == Place::Own && self.has(by, *said, Until::Synced);
            inherited = (0..self.said.len()).filter(own).collect();
            told = (0..self.groups).flat_map(|group| self.changes(by, group, Until::Synced)).collect();
        }
        self.devices.push(Device {
            person,
            name: name.to_owned(),
            since,
            synced: since,
            is_gone: false,
            inherited,
            told,
            judged: BTreeSet::new(),
            knows: BTreeSet::new(),
            is_unsure: false,
            is_vague: false,
            is_offline: false,
        });
        self.devices.len() - 1
    }

    /// One of the places where a person can write: with each other one, and each group.
    pub(crate) fn place(&self, person: PersonNo, number: usize) -> Place {
        match number.checked_sub(self.people.len()) {
            Some(group) => Place::Group(group),
            None => Place::between(person, number),
        }
    }

    /// The devices of a person that were not removed.
    pub(crate) fn devices_of(&self, person: PersonNo) -> Vec<DeviceNo> {
        let is_there = |device: &DeviceNo| self.devices[*device].person == person && !self.devices[*device].is_gone;
        (0..self.devices.len()).filter(is_there).collect()
    }

    pub(crate) fn live(&self) -> Vec<DeviceNo> {
        (0..self.devices.len()).filter(|device| !self.devices[*device].is_gone).collect()
    }

    pub(crate) fn author(&self, said: SaidNo) -> PersonNo {
        self.devices[self.said[said].by].person
    }

    /// Something is said: it waits in the device's outbox for all who are to have it.
    pub(crate) fn say(&mut self, by: DeviceNo, place: Place, what: What) -> SaidNo {
        let own = self.devices[by].person;
        let boxes = match place {
            Place::Direct(one, other) => vec![one, other, own],
            Place::Own => vec![own],
            Place::Group(group) => {
                self.group(by, group, Until::Synced).map(|state| state.members()).unwrap_or_default()
            }
        };
        self.say_to(by, place, what, boxes)
    }

    /// The same, to these boxes.
    pub(crate) fn say_to(&mut self, by: DeviceNo, place: Place, what: What, boxes: Vec<PersonNo>) -> SaidNo {
        let own = self.devices[by].person;
        let mut copies: BTreeMap<PersonNo, Copy> = boxes.into_iter().map(|person| (person, Copy::Waiting)).collect();
        let seen = match place {
            Place::Group(group) => {
                // Only where there are other devices has one's own box a copy.
                if self.devices_of(own).len() < 2 {
                    copies.remove(&own);
                } else {
                    copies.insert(own, Copy::Waiting);
                }
                self.changes(by, group, Until::Synced)
            }
            Place::Direct(..) | Place::Own => BTreeSet::new(),
        };
        self.said.push(Said { by, place, what, seen, copies });
        self.said.len() - 1
    }

    /// What a device has said goes out: all that waits is taken, or refused by who has blocked the person.
    pub(crate) fn hand_over(&mut self, by: DeviceNo) {
        let at = self.tick();
        let own = self.devices[by].person;
        for said in self.said.iter_mut().filter(|said| said.by == by) {
            let others = said.copies.iter_mut().filter(|(person, _)| **person != own);
            for (person, copy) in others {
                if *copy == Copy::Waiting {
                    *copy = if self.blocks.contains(&(*person, own)) { Copy::Refused } else { Copy::Taken(at) };
                }
            }
            // The own devices are told of what somebody has taken.
            let is_taken = |(person, copy): (&PersonNo, &Copy)| *person != own && matches!(copy, Copy::Taken(_));
            let is_group = matches!(said.place, Place::Group(_));
            let is_told = is_group || said.copies.len() == 1 || said.copies.iter().any(is_taken);
            if let Some(copy) = said.copies.get_mut(&own).filter(|copy| **copy == Copy::Waiting) {
                *copy = if is_told { Copy::Taken(at) } else { Copy::Never };
            }
        }
        self.devices[by].is_unsure = false;
    }

    /// A device was removed: what waits in its outbox never goes out. Nor does what waits for the person's other devices, once there is
    /// none: one that comes later has what it is told then.
    pub(crate) fn remove(&mut self, device: DeviceNo) {
        self.devices[device].is_gone = true;
        for said in self.said.iter_mut().filter(|said| said.by == device) {
            said.copies.values_mut().filter(|copy| **copy == Copy::Waiting).for_each(|copy| *copy = Copy::Never);
        }
        if let [last] = self.devices_of(self.devices[device].person)[..] {
            let own = self.devices[device].person;
            for said in self.said.iter_mut().filter(|said| said.by == last) {
                let is_for_own = said.copies.len() == 1 || matches!(said.place, Place::Group(_));
                let copy = said.copies.get_mut(&own).filter(|copy| is_for_own && **copy == Copy::Waiting);
                copy.into_iter().for_each(|copy| *copy = Copy::Refused);
            }
        }
    }

    /// Whether somebody was blocked at some time.
    pub(crate) fn was_blocked(&self, by: PersonNo, person: PersonNo) -> bool {
        self.ever_blocked.contains(&(by, person))
    }

    pub(crate) fn has_waiting(&self, by: DeviceNo) -> bool {
        self.said.iter().any(|said| said.by == by && said.copies.values().any(|copy| *copy == Copy::Waiting))
    }

    /// Whether something is on a device.
    pub(crate) fn has(&self, device: DeviceNo, said: SaidNo, until: Until) -> bool {
        let (device_no, said_no) = (device, said);
        let (device, said) = (&self.devices[device], &self.said[said]);
        let until = match until {
            Until::Synced => device.synced,
            Until::Now if device.is_gone => device.synced,
            Until::Now => Tick::MAX,
            Until::Tick(at) => at,
        };
        said.by == device_no
            || device.inherited.contains(&said_no)
            || matches!(said.copies.get(&device.person), Some(Copy::Taken(at)) if device.since < *at && *at <= until)
    }

    /// How a device's person stands to somebody, as that device knows.
    pub(crate) fn stand(&self, device: DeviceNo, other: PersonNo) -> Stand {
        Known::by(self, device, Until::Synced).stand(other)
    }
}

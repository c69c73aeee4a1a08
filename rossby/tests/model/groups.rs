//! Groups, as the model has them: changes in the order in which they were made, each with those that its maker knew. Who knows the same
//! changes sees the same group.

use std::collections::BTreeSet;

use crate::model::{Copy, DeviceNo, Model, PersonNo, Place, SaidNo, Stand, Tick, Until, What};

/// A group, by its number.
pub(crate) type GroupNo = usize;

/// What somebody does with a group. Lists of members are in the order of their boxes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Change {
    Found {
        name: String,
        members: Vec<PersonNo>,
    },
    Add {
        members: Vec<PersonNo>,
        is_admin: bool,
    },
    Remove {
        member: PersonNo,
    },
    Leave,
    SetAdmin {
        member: PersonNo,
        is_admin: bool,
    },
    Rename {
        name: String,
    },
    /// Says that a device of the own was removed, and changes nothing.
    Affirm,
}

/// A member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Member {
    pub(crate) person: PersonNo,
    was_made_admin: bool,
}

/// A group, as it comes of some changes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct State {
    pub(crate) name: String,
    /// The one who came first is the first.
    members: Vec<Member>,
    /// Who left by themselves, and wasn't removed.
    left: BTreeSet<PersonNo>,
}

impl State {
    pub(crate) fn is_member(&self, person: PersonNo) -> bool {
        self.members.iter().any(|member| member.person == person)
    }

    pub(crate) fn members(&self) -> Vec<PersonNo> {
        self.members.iter().map(|member| member.person).collect()
    }

    /// If nobody was made an admin, who came first is one.
    pub(crate) fn is_admin(&self, person: PersonNo) -> bool {
        let is_led = self.members.iter().any(|member| member.was_made_admin);
        if is_led {
            self.members.iter().any(|member| member.person == person && member.was_made_admin)
        } else {
            self.members.first().is_some_and(|member| member.person == person)
        }
    }

    pub(crate) fn has_left(&self, person: PersonNo) -> bool {
        self.left.contains(&person)
    }

    /// Somebody changes it who knows it so.
    pub(crate) fn take(&mut self, by: PersonNo, change: &Change) {
        match change {
            Change::Found { name, members } => {
                self.name.clone_from(name);
                self.members.push(Member { person: by, was_made_admin: true });
                self.add(members, false);
            }
            Change::Add { members, is_admin } => self.add(members, *is_admin),
            Change::Remove { member } => {
                self.members.retain(|known| known.person != *member);
                self.left.remove(member);
            }
            Change::Leave => {
                self.members.retain(|known| known.person != by);
                self.left.insert(by);
            }
            Change::SetAdmin { member, is_admin } => {
                // Of one who was removed at the same time it says nothing.
                let known = self.members.iter_mut().filter(|known| known.person == *member);
                known.for_each(|known| known.was_made_admin = *is_admin);
            }
            Change::Rename { name } => self.name.clone_from(name),
            Change::Affirm => {}
        }
    }

    fn add(&mut self, members: &[PersonNo], is_admin: bool) {
        for person in members {
            self.left.remove(person);
            self.members.push(Member { person: *person, was_made_admin: is_admin });
        }
    }
}

/// How a person stands to a group that they were added to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    Requested,
    Joined,
    Declined,
}

/// What is hidden of a group that was declined.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hidden {
    Nothing,
    /// What came before this change, by which the person is in it again, which came at this moment.
    Before(SaidNo, Option<Tick>),
    All,
}

impl Change {
    /// Whom it makes members.
    pub(crate) fn adds(&self) -> &[PersonNo] {
        match self {
            Self::Found { members, .. } | Self::Add { members, .. } => members,
            _ => &[],
        }
    }
}

impl Model {
    /// Something that was done with a group: who did it, and what.
    pub(crate) fn change(&self, said: SaidNo) -> Option<(GroupNo, PersonNo, &Change)> {
        match (&self.said[said].what, self.said[said].place) {
            (What::Change(change), Place::Group(group)) => Some((group, self.author(said), change)),
            _ => None,
        }
    }

    /// The changes of a group that a device knows: those that came, and those that it was brought. One whose past is not known is not
    /// known either.
    pub(crate) fn changes(&self, device: DeviceNo, group: GroupNo, until: Until) -> BTreeSet<SaidNo> {
        let mut brought = self.devices[device].told.clone();
        for (number, said) in self.said.iter().enumerate() {
            match &said.what {
                What::Brings(changes) if self.has(device, number, until) => brought.extend(changes),
                _ => {}
            }
        }
        let mut known = BTreeSet::new();
        for number in (0..self.said.len()).filter(|number| self.change(*number).is_some_and(|(of, ..)| of == group)) {
            let has_come = brought.contains(&number) || self.has(device, number, until);
            if has_come && self.said[number].seen.is_subset(&known) {
                known.insert(number);
            }
        }
        known
    }

    /// A group as these changes make it.
    pub(crate) fn state_of(&self, changes: &BTreeSet<SaidNo>) -> State {
        let mut state = State::default();
        for change in self.in_effect(changes) {
            if let Some((_, author, change)) = self.change(change) {
                state.take(author, change);
            }
        }
        state
    }

    /// A group as a device knows it; none if it doesn't.
    pub(crate) fn group(&self, device: DeviceNo, group: GroupNo, until: Until) -> Option<State> {
        let changes = self.changes(device, group, until);
        (!changes.is_empty()).then(|| self.state_of(&changes))
    }

    /// The change by which a device's person became a member last, as it knows.
    pub(crate) fn added_by(&self, device: DeviceNo, group: GroupNo, until: Until) -> Option<SaidNo> {
        let own = self.devices[device].person;
        let adds_own = |number: &SaidNo| {
            self.change(*number).is_some_and(|(_, author, change)| {
                change.adds().contains(&own) || (author == own && matches!(change, Change::Found { .. }))
            })
        };
        self.changes(device, group, until).into_iter().rev().find(adds_own)
    }

    /// How a device's person stands to a group, as it knows; none if they never were in it.
    pub(crate) fn answer(&self, device: DeviceNo, group: GroupNo, until: Until) -> Option<Answer> {
        let by = self.added_by(device, group, until)?;
        if self.author(by) == self.devices[device].person {
            return Some(Answer::Joined);
        }
        let answers = (0..self.said.len()).filter(|number| self.has(device, *number, until));
        let answers = answers.filter_map(|number| match self.said[number].what {
            What::Answers { to, joins, is_own } if to == by => Some((is_own, number, joins)),
            _ => None,
        });
        // What the person says counts before what a device does by itself.
        let last = answers.max();
        Some(last.map_or(Answer::Requested, |(.., joins)| if joins { Answer::Joined } else { Answer::Declined }))
    }

    /// Whether a device shows a group: nothing is left of one that was declined.
    pub(crate) fn shows_group(&self, device: DeviceNo, group: GroupNo, until: Until) -> bool {
        !matches!(self.answer(device, group, until), None | Some(Answer::Declined))
    }

    /// What a device hides of a group because the person has declined to take part.
    pub(crate) fn hidden(&self, device: DeviceNo, group: GroupNo, until: Until) -> Hidden {
        let is_of_group = |change: SaidNo| self.change(change).is_some_and(|(of, ..)| of == group);
        let declined = (0..self.said.len()).rev().find_map(|number| match self.said[number].what {
            What::Answers { to, joins: false, .. } if is_of_group(to) && self.has(device, number, until) => Some(to),
            _ => None,
        });
        let Some(declined) = declined else { return Hidden::Nothing };
        match self.added_by(device, group, until).filter(|by| *by > declined) {
            Some(again) => Hidden::Before(again, self.came(device, again)),
            None => Hidden::All,
        }
    }

    /// When a change came to a device: with a message of its own, or brought by another.
    fn came(&self, device: DeviceNo, change: SaidNo) -> Option<Tick> {
        let own = self.devices[device].person;
        let has = |(number, said): (SaidNo, &crate::model::Said)| {
            let is_in = number == change || matches!(&said.what, What::Brings(changes) if changes.contains(&change));
            match said.copies.get(&own) {
                Some(Copy::Taken(at)) if is_in && *at > self.devices[device].since => Some(*at),
                _ => None,
            }
        };
        self.said.iter().enumerate().filter_map(has).min()
    }

    /// A device has fetched all: where somebody has added its person whom they had accepted by then, they take part.
    pub(crate) fn joins_by_itself(&mut self, device: DeviceNo) {
        for group in 0..self.groups {
            let Some(by) = self.added_by(device, group, Until::Now) else { continue };
            let adder = self.author(by);
            if adder == self.devices[device].person || !self.devices[device].judged.insert(by) {
                continue;
            }
            // What it was told when it was linked says how the person stands.
            let Some(at) = self.came(device, by) else { continue };
            if self.stand_at(device, adder, at) == Stand::Accepted {
                self.say(device, Place::Own, What::Answers { to: by, joins: true, is_own: false });
            }
        }
    }

    /// How a device's person stood to somebody when something came at this moment that it has fetched just now.
    fn stand_at(&self, device: DeviceNo, other: PersonNo, at: Tick) -> Stand {
        let stands = (0..self.said.len()).filter(|number| self.has(device, *number, Until::Tick(at)));
        let mut stands = stands.filter_map(|number| match self.said[number].what {
            What::Stands { peer, stand } if peer == other => Some(stand),
            _ => None,
        });
        stands.next_back().unwrap_or(Stand::Stranger)
    }

    /// Who was removed from a group by this change, if it removes somebody.
    pub(crate) fn removed_by(&self, said: SaidNo) -> Option<PersonNo> {
        match &self.said[said].what {
            What::Change(Change::Remove { member }) => Some(*member),
            _ => None,
        }
    }

    /// A device has learned who is in a group: what waits there for others is not sent, but for the changes up to their removal. Somebody
    /// who left and came back meanwhile was none of them for a moment.
    pub(crate) fn takes_back(&mut self, device: DeviceNo, until: Until) {
        let (own, synced) = (self.devices[device].person, self.devices[device].synced);
        let came = self.said.iter().filter_map(|said| match said.copies.get(&own) {
            Some(Copy::Taken(at)) if *at > synced => Some(*at),
            _ => None,
        });
        let moments: BTreeSet<Tick> = if until == Until::Synced { BTreeSet::new() } else { came.collect() };
        for moment in moments.into_iter().map(Until::Tick).chain([until]) {
            self.takes_back_at(device, moment);
        }
    }

    fn takes_back_at(&mut self, device: DeviceNo, until: Until) {
        let own = self.devices[device].person;
        for group in 0..self.groups {
            let changes = self.changes(device, group, until);
            let (state, in_effect) = (self.state_of(&changes), self.in_effect(&changes));
            for number in 0..self.said.len() {
                let said = &self.said[number];
                let (is_of_group, told) = match &said.what {
                    What::Brings(brought) => {
                        (brought.first().is_some_and(|first| changes.contains(first)), brought.clone())
                    }
                    What::Change(_) => (said.place == Place::Group(group), vec![number]),
                    _ => (said.place == Place::Group(group), Vec::new()),
                };
                if said.by != device || !is_of_group {
                    continue;
                }
                let may_know = |person: PersonNo| {
                    let removal = in_effect.iter().rev().find(|change| self.removed_by(**change) == Some(person));
                    let is_before = |removal: SaidNo, change: &SaidNo| {
                        *change == removal || self.said[removal].seen.contains(change)
                    };
                    !told.is_empty()
                        && !state.has_left(person)
                        && removal.is_some_and(|removal| told.iter().all(|change| is_before(*removal, change)))
                };
                let refused: Vec<PersonNo> = said
                    .copies
                    .iter()
                    .filter(|(person, copy)| {
                        let is_for_them = state.is_member(**person) || **person == own || may_know(**person);
                        **copy == Copy::Waiting && !is_for_them
                    })
                    .map(|(person, _)| *person)
                    .collect();
                for person in refused {
                    self.said[number].copies.insert(person, Copy::Refused);
                }
            }
        }
    }

    /// A device has removed somebody from a group whom nothing of it can have reached: nothing of it goes to them.
    pub(crate) fn leaves_in_the_dark(&mut self, device: DeviceNo, group: GroupNo, removal: SaidNo, person: PersonNo) {
        self.said[removal].copies.remove(&person);
        for number in 0..self.said.len() {
            let is_of_group = match &self.said[number].what {
                What::Brings(brought) => {
                    brought.first().and_then(|first| self.change(*first)).is_some_and(|(of, ..)| of == group)
                }
                _ => self.said[number].place == Place::Group(group),
            };
            if self.said[number].by == device && is_of_group {
                let copy = self.said[number].copies.get_mut(&person).filter(|copy| **copy == Copy::Waiting);
                copy.into_iter().for_each(|copy| *copy = Copy::Refused);
            }
        }
    }

    /// Whether a device knows all that was done with a group, but for what changes nothing.
    pub(crate) fn knows_all(&self, device: DeviceNo, group: GroupNo) -> bool {
        let known = self.changes(device, group, Until::Synced);
        let is_dead = |number: SaidNo| {
            let said = &self.said[number];
            self.devices[said.by].is_gone && !said.copies.values().any(|copy| matches!(copy, Copy::Taken(_)))
        };
        (0..self.said.len()).all(|number| match self.change(number) {
            Some((of, _, change)) if of == group && *change != Change::Affirm => {
                known.contains(&number) || is_dead(number)
            }
            _ => true,
        })
    }

    /// Who is or was in a group.
    pub(crate) fn were_in(&self, group: GroupNo) -> BTreeSet<PersonNo> {
        let all = (0..self.said.len()).filter_map(|number| self.change(number).filter(|(of, ..)| *of == group));
        all.flat_map(|(_, author, change)| change.adds().iter().copied().chain([author])).collect()
    }

    /// Whether two people are or were in a group together.
    pub(crate) fn share_a_group(&self, one: PersonNo, other: PersonNo) -> bool {
        (0..self.groups).map(|group| self.were_in(group)).any(|were| were.contains(&one) && were.contains(&other))
    }
}

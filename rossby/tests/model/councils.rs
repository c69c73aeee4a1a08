//! Groups that are changed at once, as the model has them: two change a group, and neither knows of the other's change. What comes of it
//! is the same for all who know both.

use std::collections::BTreeSet;

use crate::groups::{Change, GroupNo, State};
use crate::model::{DeviceNo, Model, PersonNo, SaidNo};

/// Changes of a group that were made at once.
#[derive(Debug, Clone)]
pub(crate) struct Council {
    pub(crate) changes: BTreeSet<SaidNo>,
    /// Those that count, in an order in which they come to what the devices show.
    pub(crate) counting: Vec<SaidNo>,
}

/// What a group's members show after it was changed at once.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) name: String,
    /// Who is in it, and whether they are admins.
    pub(crate) members: BTreeSet<(PersonNo, bool)>,
    /// Who was in it, and whether they have left by themselves.
    pub(crate) former: BTreeSet<(PersonNo, bool)>,
}

impl Outcome {
    fn is(&self, state: &State) -> bool {
        let members = state.members().into_iter().map(|person| (person, state.is_admin(person)));
        state.name == self.name
            && members.collect::<BTreeSet<_>>() == self.members
            && self
                .former
                .iter()
                .all(|(person, has_left)| !state.is_member(*person) && state.has_left(*person) == *has_left)
    }
}

impl Model {
    /// Two changes of a group were made at once, and these of them count, the one with the lower hash first. Gives what it must have come
    /// to: the two must be as if the one had been made after the other.
    pub(crate) fn resolve(
        &mut self,
        by: DeviceNo,
        group: GroupNo,
        (made, counting): (&BTreeSet<SaidNo>, &[SaidNo]),
        outcome: &Outcome,
    ) {
        let before = &self.changes(by, group, crate::model::Until::Now) - made;
        let before = self.state_of(&before);
        let orders = [counting.to_vec(), counting.iter().rev().copied().collect()];
        let found = orders.into_iter().find(|order: &Vec<SaidNo>| {
            let mut state = before.clone();
            for (_, author, change) in order.iter().filter_map(|number| self.change(*number)) {
                state.take(author, change);
            }
            outcome.is(&state)
        });
        let changes: Vec<_> = made.iter().map(|number| self.change(*number)).collect();
        let Some(counting) = found else {
            panic!("{changes:?} of {before:?} came to {outcome:?}; of them {counting:?} count");
        };
        self.councils.push(Council { changes: made.clone(), counting });
    }

    /// The changes that count, of those that are known, in the order in which they do.
    pub(crate) fn in_effect(&self, changes: &BTreeSet<SaidNo>) -> Vec<SaidNo> {
        let mut order = Vec::new();
        for change in changes {
            let council = self.councils.iter().find(|council| council.changes.contains(change));
            match council.filter(|council| council.changes.is_subset(changes)) {
                None => order.push(*change),
                Some(council) if council.changes.first() == Some(change) => order.extend(&council.counting),
                Some(_) => {}
            }
        }
        order
    }

    /// Whether a change is known not to count.
    pub(crate) fn is_in_vain(&self, change: SaidNo, changes: &BTreeSet<SaidNo>) -> bool {
        self.councils.iter().any(|council| {
            council.changes.contains(&change)
                && !council.counting.contains(&change)
                && council.changes.is_subset(changes)
        })
    }

    /// Whether two changes at once leave somebody with a part of the group that nobody will tell them of: those whom somebody adds who is no
    /// admin any more by the other.
    pub(crate) fn leaves_somebody_alone(
        (one, by): (&Change, PersonNo),
        (other, other_by): (&Change, PersonNo),
    ) -> bool {
        let deprives = |change: &Change, author: PersonNo, person: PersonNo| match change {
            Change::Remove { member } => *member == person,
            Change::SetAdmin { member, is_admin } => *member == person && !is_admin,
            Change::Leave => author == person,
            _ => false,
        };
        let adds = |change: &Change| !change.adds().is_empty();
        (adds(one) && deprives(other, other_by, by))
            || (adds(other) && deprives(one, by, other_by))
            || one.adds().iter().any(|person| other.adds().contains(person))
    }
}

//! Groups: each rule of the merge, every order of arrival, a second writing of the rules to compare with, and what is refused.

mod admission;
mod convergence;
mod layouts;
mod reference;
mod rules;
mod size;

use rossby_crypto::group::{Action, GroupChange, GroupGraph, Inserted, NewMember, Refused, Role, VerifiedChange};
use rossby_crypto::key_record::KeyRecord;
use rossby_schemas::encoding::Sha256Digest;
use rossby_schemas::ids::BoxId;

use crate::world::{Device, device, founded_by, time};

/// A person with one device.
pub(crate) struct Person {
    pub(crate) device: Device,
    pub(crate) record: KeyRecord,
}

pub(crate) fn person(n: u8) -> Person {
    let device = device(n);
    let record = founded_by(&device);
    Person { device, record }
}

impl Person {
    pub(crate) fn id(&self) -> BoxId {
        self.record.box_id()
    }

    pub(crate) fn signs(&self, change: GroupChange) -> VerifiedChange {
        change.sign(&self.device.key).unwrap().verify(&self.record).unwrap()
    }

    /// The change by which this person founds a group.
    pub(crate) fn founds(&self, name: &str, members: &[NewMember]) -> VerifiedChange {
        let mut members = members.to_vec();
        members.sort_unstable();
        self.signs(GroupChange {
            author: self.id(),
            device: self.device.id,
            head: self.record.head(),
            group: None,
            parents: Vec::new(),
            time: time(0),
            action: Action::Found { random: [7; 16], name: name.to_owned(), members },
        })
    }

    /// A change of this person's on the heads of a graph.
    pub(crate) fn makes(&self, graph: &GroupGraph, action: Action) -> VerifiedChange {
        self.signs(graph.next(self.id(), self.device.id, self.record.head(), time(1), action))
    }

    /// A change of this person's on these parents.
    pub(crate) fn makes_on(&self, graph: &GroupGraph, parents: &[Sha256Digest], action: Action) -> VerifiedChange {
        let mut change = graph.next(self.id(), self.device.id, self.record.head(), time(1), action);
        change.parents = parents.to_vec();
        change.parents.sort_unstable();
        self.signs(change)
    }

    /// Makes the change on a graph's heads and puts it in.
    pub(crate) fn does(&self, graph: &mut GroupGraph, action: Action) -> VerifiedChange {
        let change = self.makes(graph, action);
        assert_eq!(graph.insert(change.clone()), Ok(Inserted::New));
        change
    }

    /// Why a graph refuses this change of this person's on its heads.
    pub(crate) fn is_refused(&self, graph: &mut GroupGraph, action: Action) -> Refused {
        graph.insert(self.makes(graph, action)).unwrap_err()
    }
}

pub(crate) fn member(person: &Person) -> NewMember {
    NewMember { box_id: person.id(), role: Role::Member }
}

pub(crate) fn admin(person: &Person) -> NewMember {
    NewMember { box_id: person.id(), role: Role::Admin }
}

pub(crate) fn add(person: &Person) -> Action {
    Action::Add { members: vec![member(person)] }
}

pub(crate) fn add_admin(person: &Person) -> Action {
    Action::Add { members: vec![admin(person)] }
}

pub(crate) fn remove(person: &Person) -> Action {
    Action::Remove { member: person.id() }
}

pub(crate) fn role(person: &Person, role: Role) -> Action {
    Action::SetRole { member: person.id(), role }
}

pub(crate) fn rename(name: &str) -> Action {
    Action::Rename { name: name.to_owned() }
}

/// The members of a graph's group among these people, with an `A` for admins.
pub(crate) fn members(graph: &GroupGraph, people: &[&Person]) -> Vec<String> {
    let state = graph.state();
    let shown = people.iter().filter_map(|person| {
        let role = state.member(person.id())?.role;
        let n = person.device.id.as_bytes()[0];
        Some(if role == Role::Admin { format!("{n}A") } else { n.to_string() })
    });
    shown.collect()
}

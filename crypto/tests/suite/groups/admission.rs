//! What is not taken into a graph, by anyone.

use rossby_crypto::group::{
    Action, ChangeError, GroupChange, GroupGraph, Inserted, MAX_CHANGES, NewMember, Refused, Role,
};
use rossby_crypto::group::{SignedChange, VerifiedChange};

use super::{add, admin, member, person, remove, rename, role};
use crate::world::{device, flipped, linked, time, without};

#[test]
fn only_admins_change_a_group() {
    let [ann, ben, eve] = [1, 2, 3].map(person);
    let mut graph = GroupGraph::founded(ann.founds("garden", &[member(&ben)])).unwrap();
    for action in [add(&eve), remove(&ann), role(&ben, Role::Admin), rename("Ben's")] {
        assert_eq!(ben.is_refused(&mut graph, action.clone()), Refused::NotAllowed);
        assert_eq!(eve.is_refused(&mut graph, action), Refused::NotAllowed);
    }
    for action in [Action::Leave, Action::Affirm] {
        assert_eq!(eve.is_refused(&mut graph, action), Refused::NotAllowed);
    }
    ben.does(&mut graph, Action::Affirm);
    ben.does(&mut graph, Action::Leave);
    assert_eq!(ben.is_refused(&mut graph, Action::Leave), Refused::NotAllowed);
    assert_eq!(graph.len(), 3);
}

#[test]
fn a_change_says_something() {
    let [ann, ben, eve] = [1, 2, 3].map(person);
    let mut graph = GroupGraph::founded(ann.founds("garden", &[admin(&ben)])).unwrap();
    assert_eq!(ann.is_refused(&mut graph, add(&ben)), Refused::AlreadyMember(ben.id()));
    assert_eq!(ann.is_refused(&mut graph, add(&ann)), Refused::AlreadyMember(ann.id()));
    assert_eq!(ann.is_refused(&mut graph, remove(&eve)), Refused::NoMember(eve.id()));
    assert_eq!(ann.is_refused(&mut graph, role(&eve, Role::Admin)), Refused::NoMember(eve.id()));
    ann.does(&mut graph, remove(&ben));
    assert_eq!(ann.is_refused(&mut graph, remove(&ben)), Refused::NoMember(ben.id()));
    assert_eq!(ben.is_refused(&mut graph, rename("Ben's")), Refused::NotAllowed);
}

#[test]
fn nobody_is_added_to_a_full_group() {
    let founder = person(1);
    let many: Vec<NewMember> = (2_u8..=250).map(|n| member(&person(n))).collect();
    let mut graph = GroupGraph::founded(founder.founds("crowd", &many)).unwrap();
    assert_eq!(graph.state().members().count(), 250);
    assert_eq!(founder.is_refused(&mut graph, add(&person(251))), Refused::NoRoom);
    founder.does(&mut graph, remove(&person(2)));
    founder.does(&mut graph, add(&person(251)));
    assert_eq!(founder.is_refused(&mut graph, add(&person(252))), Refused::NoRoom);
}

#[test]
fn parents_are_known_and_none_is_another_s_ancestor() {
    let [ann, ben] = [1, 2].map(person);
    let mut graph = GroupGraph::founded(ann.founds("garden", &[admin(&ben)])).unwrap();
    let founding = graph.heads().next().unwrap();
    let first = ann.does(&mut graph, rename("one"));
    let both = ann.makes_on(&graph, &[founding, first.hash()], rename("two"));
    assert_eq!(graph.insert(both), Err(Refused::Parents));
    let unknown = [9; 32].into();
    let on_unknown = ann.makes_on(&graph, &[first.hash(), unknown], rename("two"));
    assert_eq!(graph.insert(on_unknown.clone()), Err(Refused::MissingParents(vec![unknown])));
    let offered = graph.offer(vec![on_unknown.clone(), on_unknown]);
    assert_eq!((offered.taken.len(), offered.waiting.len(), offered.refused.len()), (0, 2, 0));
    let on_founding = ben.makes_on(&graph, &[founding], rename("three"));
    assert_eq!(graph.insert(on_founding.clone()), Ok(Inserted::New));
    assert_eq!(graph.insert(on_founding), Ok(Inserted::Known));
}

#[test]
fn a_change_belongs_to_one_group() {
    let [ann, ben] = [1, 2].map(person);
    let mut graph = GroupGraph::founded(ann.founds("garden", &[])).unwrap();
    let other = GroupGraph::founded(ben.founds("garden", &[])).unwrap();
    assert_ne!(graph.id(), other.id());
    let of_other = ben.makes(&other, rename("other"));
    assert_eq!(graph.insert(of_other.clone()), Err(Refused::OtherGroup));
    assert_eq!(graph.offer(vec![of_other.clone()]).refused, [(of_other.hash(), Refused::OtherGroup)]);
    // Replayed into another group, with its parents there, it names its own.
    let mut change = of_other.change().clone();
    change.parents = graph.heads().collect();
    assert_eq!(graph.insert(ben.signs(change)), Err(Refused::OtherGroup));
    assert_eq!(graph.insert(ben.founds("garden", &[])), Err(Refused::OtherGroup));
    assert_eq!(GroupGraph::founded(of_other).err(), Some(Refused::NotFounding));
}

#[test]
fn a_graph_has_an_end() {
    let [ann, ben] = [1, 2].map(person);
    let mut graph = GroupGraph::founded(ann.founds("garden", &[admin(&ben)])).unwrap();
    for n in 1..MAX_CHANGES {
        let action = if n % 2 == 0 { Action::Affirm } else { rename("garden") };
        ann.does(&mut graph, action);
    }
    assert_eq!(ann.is_refused(&mut graph, rename("more")), Refused::Full);
    let known = graph.changes().last().unwrap().clone();
    assert_eq!(graph.insert(known), Ok(Inserted::Known));
    assert_eq!(graph.len(), MAX_CHANGES);
}

#[test]
fn a_change_is_its_author_s() {
    let [ann, ben] = [1, 2].map(person);
    let graph = GroupGraph::founded(ann.founds("garden", &[admin(&ben)])).unwrap();
    let signed = |change: GroupChange, key| change.sign(key).unwrap();
    let next = |person: &super::Person| {
        graph.next(person.id(), person.device.id, person.record.head(), time(1), Action::Affirm)
    };
    let honest = signed(next(&ann), &ann.device.key);
    assert!(honest.clone().verify(&ann.record).is_ok());
    assert_eq!(honest.clone().verify(&ben.record), Err(ChangeError::OtherRecord));
    assert_eq!(signed(next(&ann), &ben.device.key).verify(&ann.record), Err(ChangeError::BadSignature));
    let other_device = GroupChange { device: ben.device.id, ..next(&ann) };
    assert_eq!(signed(other_device, &ben.device.key).verify(&ann.record), Err(ChangeError::UnknownDevice));
    for i in (0..honest.octets().as_slice().len()).step_by(7) {
        let changed = SignedChange::parse(&flipped(honest.octets().as_slice(), i, 0));
        assert!(!changed.is_ok_and(|changed| changed.verify(&ann.record).is_ok()), "octet {i}");
    }
}

#[test]
fn a_change_is_of_a_device_that_belonged_to_the_box_at_its_head() {
    let ann = person(1);
    let (phone, shorter) = (device(2), ann.record.clone());
    let mut longer = shorter.clone();
    longer.append(linked(&shorter, &ann.device, &phone).octets()).unwrap();
    let removed = without(&longer, &ann.device, &phone);
    let founding = |head, device: &crate::world::Device| {
        let action = Action::Found { random: [1; 16], name: "garden".to_owned(), members: Vec::new() };
        let (device_id, parents) = (device.id, Vec::new());
        let change =
            GroupChange { author: ann.id(), device: device_id, head, group: None, parents, time: time(1), action };
        change.sign(&device.key).unwrap()
    };
    let by_phone = founding(longer.head(), &phone);
    assert_eq!(by_phone.clone().verify(&shorter), Err(ChangeError::HeadAhead));
    assert!(by_phone.clone().verify(&longer).unwrap().removed_devices().is_empty());
    // With the head of the time before, what it signed holds; with an earlier or a later one it does not.
    assert!(by_phone.verify(&removed).is_ok());
    assert_eq!(founding(removed.head(), &phone).verify(&removed), Err(ChangeError::NotAMember));
    assert_eq!(founding(shorter.head(), &phone).verify(&removed), Err(ChangeError::NotAMember));
    let by_owner = founding(removed.head(), &ann.device).verify(&removed).unwrap();
    assert_eq!(by_owner.removed_devices(), [phone.id]);
    assert_eq!(VerifiedChange::kept(by_owner.signed().clone(), vec![phone.id]), by_owner);
    let mut forked = longer.head();
    forked.hash.0[0] ^= 1;
    assert_eq!(founding(forked, &ann.device).verify(&removed), Err(ChangeError::Fork));
}

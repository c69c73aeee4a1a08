//! Large groups, and graphs that someone made to cost much.

use std::time::{Duration, Instant};

use rossby_crypto::group::{Action, GroupChange, GroupGraph, NewMember, Role, VerifiedChange};

use super::{Person, add, admin, member, person, remove, rename, role};

/// Far above what it takes even without optimization, on a machine that does other things; the figures are printed.
const PATIENCE: Duration = Duration::from_secs(60);

fn crowd() -> (Vec<Person>, GroupGraph) {
    let people: Vec<Person> = (1..=251).map(person).collect();
    let members: Vec<NewMember> =
        people[1..250].iter().enumerate().map(|(i, p)| if i < 10 { admin(p) } else { member(p) }).collect();
    let founding = people[0].founds("crowd", &members);
    (people, GroupGraph::founded(founding).unwrap())
}

/// How long it takes to take the changes of a graph one by one, asking for the state after each.
fn timed(name: &str, graph: &GroupGraph) -> GroupGraph {
    let changes: Vec<VerifiedChange> = graph.changes().cloned().collect();
    let begin = Instant::now();
    let mut again = GroupGraph::founded(changes[0].clone()).unwrap();
    for change in &changes[1..] {
        again.insert(change.clone()).unwrap();
        assert!(again.state().members().next().is_some());
    }
    let took = begin.elapsed();
    println!("{name}: {} changes in {took:?}", changes.len());
    assert!(took < PATIENCE, "{name}: {took:?}");
    again
}

#[test]
fn a_thousand_changes_one_after_the_other() {
    let (people, mut graph) = crowd();
    for n in 0..1000 {
        let admin = &people[n % 11];
        match n % 4 {
            0 => admin.does(&mut graph, remove(&people[200])),
            1 => admin.does(&mut graph, add(&people[200])),
            2 => admin.does(&mut graph, rename("crowd")),
            _ => admin.does(&mut graph, Action::Affirm),
        };
    }
    assert_eq!(timed("a chain", &graph).state().members().count(), 250);
}

#[test]
fn a_thousand_changes_by_pairs_at_the_same_time() {
    let (people, mut graph) = crowd();
    for n in 0..500 {
        let (one, other) = (&people[n % 11], &people[(n + 1) % 11]);
        let (first, second) =
            if n % 2 == 0 { (remove(&people[200]), rename("a")) } else { (add(&people[200]), rename("b")) };
        let pair = [one.makes(&graph, first), other.makes(&graph, second)];
        for change in pair {
            graph.insert(change).unwrap();
        }
    }
    timed("pairs", &graph);
}

#[test]
fn admins_who_contest_each_other_in_hundreds_of_changes() {
    // Everyone of eleven removes and demotes every other, from the founding on, under a hundred names each.
    let (people, mut graph) = crowd();
    let founding = graph.heads().next().unwrap();
    for n in 0..400_usize {
        let (one, other) = (&people[n % 11], &people[(n / 11 + n) % 11]);
        if one.id() == other.id() {
            continue;
        }
        let action = if n % 3 == 0 { role(other, Role::Member) } else { remove(other) };
        let mut change = graph.next(one.id(), one.device.id, one.record.head(), crate::world::time(n as u64), action);
        change.parents = vec![founding];
        graph.insert(one.signs(change)).unwrap();
    }
    let graph = timed("contests", &graph);
    assert!(graph.state().is_admin(people[0].id()));
    assert!((1..11).any(|n| !graph.state().is_admin(people[n].id())));
}

#[test]
fn contests_that_hang_on_each_other_in_a_long_chain() {
    // Each of two sides goes on by itself, and every change of the one contests all of the other.
    let (people, mut graph) = crowd();
    let founding = graph.heads().next().unwrap();
    let mut last = [founding; 2];
    for n in 0..400_usize {
        let side = n % 2;
        let one = &people[side + 2 * (n / 2 % 5)];
        let other = &people[1 - side + 2 * (n / 2 % 5)];
        let action = role(other, Role::Member);
        let change = one.makes_on(&graph, &[last[side]], action);
        if graph.insert(change.clone()).is_ok() {
            last[side] = change.hash();
        }
    }
    assert!(graph.len() > 350);
    timed("two sides", &graph);
}

#[test]
fn thousands_of_changes_of_one_device_at_once_are_one_fork() {
    let (people, mut graph) = crowd();
    let founding = graph.heads().next().unwrap();
    for n in 0..4000_u64 {
        let device = &people[1].device;
        let affirm =
            graph.next(people[1].id(), device.id, people[1].record.head(), crate::world::time(n), Action::Affirm);
        graph.insert(people[1].signs(GroupChange { parents: vec![founding], ..affirm })).unwrap();
    }
    let graph = timed("at once", &graph);
    assert_eq!((graph.heads().count(), graph.forks().len()), (4000, 1));
    // Who gives the graph few heads takes as many.
    let changes: Vec<VerifiedChange> = graph.changes().skip(1).cloned().collect();
    let mut bounded = GroupGraph::founded(graph.changes().next().unwrap().clone()).unwrap();
    let offered = bounded.offer_within(changes.clone(), 64);
    assert_eq!((offered.taken.len(), offered.passed_over.len(), bounded.heads().count()), (64, 3936, 64));
    // What was passed over was not refused: it can be taken later.
    assert_eq!(bounded.offer(changes).taken.len(), 3936);
}

//! Random groups: members act on what they have, some on what they had before, and changes meet them in any order.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::LazyLock;

use proptest::prelude::*;
use proptest::sample::Index;
use rossby_crypto::group::{Action, GroupGraph, GroupState, Role, VerifiedChange};
use rossby_schemas::encoding::Sha256Digest;

use super::reference::{Reference, Shown};
use super::{Person, add, add_admin, admin, member, person, remove, rename, role};

const PEOPLE: usize = 5;

static CAST: LazyLock<Vec<Person>> = LazyLock::new(|| (1..=PEOPLE).map(|n| person(n as u8)).collect());

#[derive(Debug, Clone)]
enum Step {
    /// Someone changes the group as they know it; or on one old change, as if they had seen nothing since.
    Act { who: usize, does: Does, whom: usize, on: Option<Index> },
    /// One gets from another all that the other has, or the first of it.
    Tell { from: usize, to: usize, first: Option<Index> },
}

#[derive(Debug, Clone, Copy)]
enum Does {
    Add,
    AddAdmin,
    Remove,
    Demote,
    Promote,
    Leave,
    Rename,
    Affirm,
}

/// What people do in a group, with these weights of: telling each other, acting on what is old (of 10), leaving.
fn steps(length: Range<usize>, tell: u32, old: u32, leave: u32) -> impl Strategy<Value = Vec<Step>> {
    let (who, whom) = (0..PEOPLE, 0..PEOPLE);
    let does = prop_oneof![
        2 => Just(Does::Add),
        2 => Just(Does::AddAdmin),
        3 => Just(Does::Remove),
        2 => Just(Does::Demote),
        3 => Just(Does::Promote),
        leave => Just(Does::Leave),
        1 => Just(Does::Rename),
        1 => Just(Does::Affirm),
    ];
    let on = proptest::option::weighted(f64::from(old) / 10.0, any::<Index>());
    let act = (who.clone(), does, whom.clone(), on).prop_map(|(who, does, whom, on)| Step::Act { who, does, whom, on });
    let told = (who, whom, proptest::option::weighted(0.2, any::<Index>()));
    let told = told.prop_map(|(from, to, first)| Step::Tell { from, to, first });
    proptest::collection::vec(prop_oneof![10 => act, tell => told], length)
}

/// Peaceful groups, quarrels at a distance, and groups that many leave.
fn any_steps() -> impl Strategy<Value = Vec<Step>> {
    prop_oneof![steps(0..40, 8, 2, 1), steps(20..80, 8, 3, 0), steps(10..80, 15, 3, 6)]
}

/// What the step does, chosen so that it is allowed there if anything of its kind is.
fn action(does: Does, who: &Person, whom: usize, seen: &GroupState) -> Option<Action> {
    let fits = |person: &&Person| match does {
        Does::Add | Does::AddAdmin => !seen.is_member(person.id()),
        Does::Remove => seen.is_member(person.id()) && person.id() != who.id(),
        Does::Demote => seen.is_admin(person.id()),
        Does::Promote => seen.is_member(person.id()) && !seen.is_admin(person.id()),
        Does::Leave | Does::Rename | Does::Affirm => true,
    };
    let all: Vec<&Person> = CAST.iter().filter(fits).collect();
    let whom = all.get(whom.checked_rem(all.len())?)?;
    Some(match does {
        Does::Add => add(whom),
        Does::AddAdmin => add_admin(whom),
        Does::Remove => remove(whom),
        Does::Demote => role(whom, Role::Member),
        Does::Promote => role(whom, Role::Admin),
        Does::Leave => Action::Leave,
        Does::Rename => rename("another"),
        Does::Affirm => Action::Affirm,
    })
}

/// A group after these steps, as it is for one who has every change of everyone.
fn group_after(steps: &[Step]) -> GroupGraph {
    let people = &*CAST;
    let founding = people[0].founds("group", &[admin(&people[1]), member(&people[2])]);
    let mut graphs: Vec<GroupGraph> = (0..PEOPLE).map(|_| GroupGraph::founded(founding.clone()).unwrap()).collect();
    for step in steps {
        match step {
            Step::Act { who, does, whom, on } => {
                // Someone who may, by what they have themselves; if nobody may, it is refused, and nobody ever gets it.
                let admins: Vec<usize> = (0..PEOPLE).filter(|n| graphs[*n].state().is_admin(people[*n].id())).collect();
                let who = admins.get(who.checked_rem(admins.len()).unwrap_or(0)).copied().unwrap_or(*who);
                let (person, graph) = (&people[who], &mut graphs[who]);
                let was_admin = |hash: &Sha256Digest| graph.state_at(&[*hash]).unwrap().is_admin(person.id());
                let old: Vec<_> = graph.changes().map(VerifiedChange::hash).filter(was_admin).collect();
                let parents = match on {
                    Some(on) if !old.is_empty() => vec![*on.get(&old)],
                    Some(_) | None => graph.heads().collect(),
                };
                let seen = graph.state_at(&parents).unwrap();
                if let Some(action) = action(*does, person, *whom, &seen) {
                    let _ = graph.insert(person.makes_on(graph, &parents, action));
                }
            }
            Step::Tell { from, to, first } => {
                let first = first.map_or(usize::MAX, |first| first.index(graphs[*from].len()));
                let told = graphs[*from].changes().take(first).cloned().collect();
                let offered = graphs[*to].offer(told);
                assert!(offered.waiting.is_empty() && offered.refused.is_empty());
            }
        }
    }
    let mut whole = GroupGraph::founded(founding).unwrap();
    for graph in graphs {
        let offered = whole.offer(graph.changes().cloned().collect());
        assert!(offered.waiting.is_empty() && offered.refused.is_empty());
    }
    whole
}

fn counting(graph: &GroupGraph) -> BTreeSet<Sha256Digest> {
    graph.changes().map(VerifiedChange::hash).filter(|hash| graph.counts(hash).unwrap()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn every_order_of_arrival_comes_to_what_the_rules_say(
        steps in any_steps(), keys in proptest::collection::vec(any::<u32>(), 40),
        parts in 1_usize..6,
    ) {
        let whole = group_after(&steps);
        let reference = Reference::of(&whole);
        let expected = reference.counting(&reference.all());
        prop_assert_eq!(&counting(&whole), &expected);
        prop_assert_eq!(Shown::from(whole.state()), reference.shown(&expected));
        // In another order, some at a time; those whose parents are missing wait.
        let mut order: Vec<(u32, VerifiedChange)> = keys.iter().copied().cycle().zip(whole.changes().skip(1).cloned()).collect();
        order.sort_by_key(|(key, change)| (*key, change.hash()));
        let order: Vec<VerifiedChange> = order.into_iter().map(|(_, change)| change).collect();
        let mut graph = GroupGraph::founded(whole.changes().next().unwrap().clone()).unwrap();
        let mut waiting = Vec::new();
        for part in order.chunks(parts) {
            waiting.extend_from_slice(part);
            let offered = graph.offer(waiting);
            prop_assert!(offered.refused.is_empty(), "{:?}", offered.refused);
            waiting = offered.waiting;
            // At each point: what is kept from one change to the next is what the rules say of the whole.
            let known = graph.changes().map(VerifiedChange::hash).collect();
            let expected = reference.counting(&known);
            prop_assert_eq!(&counting(&graph), &expected);
            prop_assert_eq!(Shown::from(graph.state()), reference.shown(&expected));
        }
        prop_assert!(waiting.is_empty());
        prop_assert!(graph.heads().eq(whole.heads()));
        prop_assert_eq!(graph.state(), whole.state());
        let kept: Vec<_> = graph.kept().map(|(change, by_heir)| (change.clone(), by_heir)).collect();
        let restored = GroupGraph::restored(kept).unwrap();
        prop_assert_eq!((counting(&restored), restored.state()), (counting(&whole), whole.state()));
        prop_assert!(restored.heads().eq(whole.heads()));
        // What each author saw is the same in every graph, whatever else is there.
        for change in whole.changes() {
            let hash = change.hash();
            let expected = reference.shown(&reference.counting(&reference.up_to(hash)));
            prop_assert_eq!(Shown::from(&*whole.state_at(&[hash]).unwrap()), expected.clone());
            prop_assert_eq!(Shown::from(&*graph.state_at(&[hash]).unwrap()), expected.clone());
            prop_assert_eq!(Shown::from(&*restored.state_at(&[hash]).unwrap()), expected);
        }
    }

    #[test]
    fn what_a_removed_one_does_at_the_same_time_or_later_never_counts(steps in any_steps()) {
        let graph = group_after(&steps);
        let reference = Reference::of(&graph);
        for removal in graph.changes().filter(|change| graph.counts(&change.hash()).unwrap()) {
            let Action::Remove { member } = removal.change().action else { continue };
            let by_removed = graph.changes().filter(|change| change.change().author == member);
            for change in by_removed {
                let always = matches!(change.change().action, Action::Leave | Action::Affirm);
                let counts = graph.counts(&change.hash()).unwrap();
                prop_assert!(!reference.at_once(removal.hash(), change.hash()) || always || !counts);
            }
            // Later ones are not even taken, as long as nobody has added the box again.
            let was_removed = graph.state_at(&[removal.hash()]).unwrap();
            prop_assert!(!was_removed.is_member(member));
            let removed = CAST.iter().find(|person| person.id() == member).unwrap();
            let mut graph = GroupGraph::founded(graph.changes().next().unwrap().clone()).unwrap();
            graph.offer(reference.up_to(removal.hash()).iter().filter_map(|hash| reference.change(hash)).cloned().collect());
            for later in [rename("later"), Action::Leave, Action::Affirm] {
                prop_assert!(graph.insert(removed.makes(&graph, later)).is_err());
            }
        }
    }

    #[test]
    fn a_change_on_all_heads_changes_nothing_of_what_counted(
        steps in any_steps(),
    ) {
        let mut graph = group_after(&steps);
        for person in &*CAST {
            for whom in CAST.iter().filter(|whom| whom.id() != person.id()) {
                let before = counting(&graph);
                let change = person.makes(&graph, remove(whom));
                if graph.insert(change.clone()).is_ok() {
                    let after = counting(&graph);
                    prop_assert!(before.is_subset(&after));
                    prop_assert!(after.difference(&before).eq([&change.hash()]));
                }
            }
        }
    }

    #[test]
    fn who_lacks_changes_gets_just_those(steps in any_steps(), at: Index) {
        let graph = group_after(&steps);
        let reference = Reference::of(&graph);
        let seen = graph.changes().nth(at.index(graph.len())).unwrap().hash();
        let known = reference.up_to(seen);
        let missing: Vec<_> = graph.since(&[seen, [9; 32].into()]).cloned().collect();
        prop_assert!(missing.iter().all(|change| !known.contains(&change.hash())));
        let mut other = GroupGraph::founded(graph.changes().next().unwrap().clone()).unwrap();
        other.offer(known.iter().filter_map(|hash| reference.change(hash)).cloned().collect());
        prop_assert!(other.offer(missing).waiting.is_empty());
        for last in graph.changes().map(VerifiedChange::hash) {
            let up_to: BTreeSet<_> = graph.since_up_to(&[seen], last).map(VerifiedChange::hash).collect();
            prop_assert_eq!(up_to, reference.up_to(last).difference(&known).copied().collect());
            prop_assert_eq!(graph.includes(&[seen], &[last]), known.contains(&last));
        }
        prop_assert!(!graph.includes(&[seen], &[[9; 32].into()]));
        prop_assert!(other.heads().eq(graph.heads()));
    }
}

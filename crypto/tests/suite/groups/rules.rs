//! Each rule of the merge by itself, in every order of arrival.

use rossby_crypto::group::{Action, Former, GroupGraph, NewMember, Role, VerifiedChange};

use super::{Person, add, add_admin, admin, member, members, person, remove, rename, role};
use crate::world::{device, linked, without};

/// A group that person 1 founded with these members, as each of its members has it.
fn group(founder: &Person, others: &[NewMember]) -> GroupGraph {
    GroupGraph::founded(founder.founds("garden", others)).unwrap()
}

/// Every graph that these changes make, in whatever order they come after what `begin` has: they are the same, and one is given.
fn merged(begin: &GroupGraph, changes: &[VerifiedChange]) -> GroupGraph {
    let founding = begin.changes().next().unwrap();
    let known: Vec<_> = begin.changes().skip(1).cloned().collect();
    let mut graphs = orders(changes).into_iter().map(|order| {
        let mut graph = GroupGraph::founded(founding.clone()).unwrap();
        assert!(graph.offer(known.clone()).waiting.is_empty());
        let mut waiting = Vec::new();
        for change in order {
            waiting.push(change);
            let offered = graph.offer(waiting);
            assert!(offered.refused.is_empty(), "{:?}", offered.refused);
            waiting = offered.waiting;
        }
        assert!(waiting.is_empty());
        graph
    });
    let first = graphs.next().unwrap();
    for graph in graphs {
        assert!(graph.heads().eq(first.heads()));
        assert_eq!(graph.state(), first.state());
        assert!(changes.iter().all(|change| graph.counts(&change.hash()) == first.counts(&change.hash())));
    }
    first
}

fn orders<T: Clone>(items: &[T]) -> Vec<Vec<T>> {
    let Some((first, rest)) = items.split_first() else { return vec![Vec::new()] };
    let with_first = |order: Vec<T>| {
        (0..=order.len()).map(move |at| [&order[..at], std::slice::from_ref(first), &order[at..]].concat())
    };
    orders(rest).into_iter().flat_map(with_first).collect()
}

fn counts(graph: &GroupGraph, change: &VerifiedChange) -> bool {
    graph.counts(&change.hash()).unwrap()
}

#[test]
fn a_group_grows_and_shrinks() {
    let [ann, ben, eve, joe] = [1, 2, 3, 4].map(person);
    let all = [&ann, &ben, &eve, &joe];
    let mut graph = group(&ann, &[member(&ben)]);
    assert_eq!((graph.state().name(), members(&graph, &all)), ("garden", vec!["1A".to_owned(), "2".to_owned()]));
    ann.does(&mut graph, add_admin(&eve));
    eve.does(&mut graph, Action::Add { members: vec![member(&joe)] });
    eve.does(&mut graph, rename("orchard"));
    assert_eq!(members(&graph, &all), ["1A", "2", "3A", "4"]);
    let removal = ann.does(&mut graph, remove(&ben));
    joe.does(&mut graph, Action::Leave);
    ann.does(&mut graph, role(&eve, Role::Member));
    assert_eq!((graph.state().name(), members(&graph, &all)), ("orchard", vec!["1A".to_owned(), "3".to_owned()]));
    assert_eq!(graph.state().former_of(ben.id()), Some(Former::Removed(removal.hash())));
    assert!(matches!(graph.state().former_of(joe.id()), Some(Former::Left(_))));
    ann.does(&mut graph, add(&ben));
    assert_eq!(members(&graph, &all), ["1A", "2", "3"]);
    assert_eq!(graph.state().former_of(ben.id()), None);
}

#[test]
fn a_removal_wins_over_what_the_removed_one_does_at_the_same_time() {
    let [ann, ben, eve, joe] = [1, 2, 3, 4].map(person);
    let all = [&ann, &ben, &eve, &joe];
    let base = group(&ann, &[admin(&ben), member(&eve)]);
    let removal = ann.makes(&base, remove(&ben));
    let mut bens = group(&ann, &[admin(&ben), member(&eve)]);
    let does = [rename("Ben's"), add_admin(&joe), remove(&eve)].map(|action| ben.does(&mut bens, action));
    // What was made on it falls with it: Joe is an admin by Ben alone.
    let by_joe = joe.does(&mut bens, rename("Joe's"));
    let graph = merged(&base, &[removal.clone(), does[0].clone(), does[1].clone(), does[2].clone(), by_joe.clone()]);
    assert_eq!((graph.state().name(), members(&graph, &all)), ("garden", vec!["1A".to_owned(), "3".to_owned()]));
    assert!(counts(&graph, &removal));
    assert!(does.iter().chain([&by_joe]).all(|change| !counts(&graph, change)));
}

#[test]
fn what_was_done_before_the_removal_stays() {
    let [ann, ben, joe] = [1, 2, 3].map(person);
    let mut graph = group(&ann, &[admin(&ben)]);
    let addition = ben.does(&mut graph, add(&joe));
    ann.does(&mut graph, remove(&ben));
    assert!(counts(&graph, &addition));
    assert_eq!(members(&graph, &[&ann, &ben, &joe]), ["1A", "3"]);
}

#[test]
fn of_two_who_remove_each_other_the_more_senior_stays() {
    let [ann, ben, eve, joe] = [1, 2, 3, 4].map(person);
    let all = [&ann, &ben, &eve, &joe];
    let base = group(&ann, &[admin(&ben), admin(&eve), member(&joe)]);
    // The founder against another.
    let changes = [ann.makes(&base, remove(&ben)), ben.makes(&base, remove(&ann))];
    let graph = merged(&base, &changes);
    assert_eq!(members(&graph, &all), ["1A", "3A", "4"]);
    assert_eq!(changes.each_ref().map(|change| counts(&graph, change)), [true, false]);
    // Two of the same change: by their place in it, which is the order of their ids.
    let (senior, junior) = if ben.id() < eve.id() { (&ben, &eve) } else { (&eve, &ben) };
    let graph = merged(&base, &[senior.makes(&base, remove(junior)), junior.makes(&base, remove(senior))]);
    assert!(graph.state().is_admin(senior.id()) && !graph.state().is_member(junior.id()));
    // Who was added earlier, whatever the ids are.
    let mut later = group(&ann, &[]);
    ann.does(&mut later, add_admin(junior));
    ann.does(&mut later, add_admin(senior));
    let graph = merged(&later, &[senior.makes(&later, remove(junior)), junior.makes(&later, remove(senior))]);
    assert!(graph.state().is_admin(junior.id()) && !graph.state().is_member(senior.id()));
    // Demotions are decided in the same way.
    let demotions = [ann.makes(&base, role(&ben, Role::Member)), ben.makes(&base, role(&ann, Role::Member))];
    assert_eq!(members(&merged(&base, &demotions), &all), ["1A", "2", "3A", "4"]);
}

#[test]
fn a_circle_of_removals_is_opened_by_the_most_senior() {
    let [ann, ben, eve] = [1, 2, 3].map(person);
    let all = [&ann, &ben, &eve];
    let base = group(&ann, &[admin(&ben), admin(&eve)]);
    let around = [ann.makes(&base, remove(&ben)), ben.makes(&base, remove(&eve)), eve.makes(&base, remove(&ann))];
    let graph = merged(&base, &around);
    assert_eq!(around.each_ref().map(|change| counts(&graph, change)), [true, false, false]);
    assert_eq!(members(&graph, &all), ["1A", "3A"]);
    // Without a circle a removal wins over the more senior one's removal, too.
    let graph = merged(&base, &[around[0].clone(), around[2].clone()]);
    assert_eq!(members(&graph, &all), ["2A", "3A"]);
}

#[test]
fn a_right_that_falls_takes_along_what_was_built_on_it() {
    // Ben and Eve give each other's removers their rights, so that each removal is decided by the other: the more senior of
    // those whose own right is not in question decides.
    let [ann, ben, eve, joe, kim] = [1, 2, 3, 4, 5].map(person);
    let mut base = group(&ann, &[member(&joe), member(&kim)]);
    ann.does(&mut base, add_admin(&ben));
    ann.does(&mut base, add_admin(&eve));
    let known: Vec<_> = base.changes().skip(1).cloned().collect();
    let fork = |base: &GroupGraph| {
        let mut graph = GroupGraph::founded(base.changes().next().unwrap().clone()).unwrap();
        graph.offer(known.clone());
        graph
    };
    let (mut one, mut other) = (fork(&base), fork(&base));
    let promotes_joe = ben.does(&mut one, role(&joe, Role::Admin));
    let joe_removes_eve = joe.does(&mut one, remove(&eve));
    let promotes_kim = eve.does(&mut other, role(&kim, Role::Admin));
    let kim_removes_ben = kim.does(&mut other, remove(&ben));
    let all = [promotes_joe, joe_removes_eve, promotes_kim, kim_removes_ben];
    let graph = merged(&base, &all);
    assert_eq!(all.each_ref().map(|change| counts(&graph, change)), [true, true, false, false]);
    assert_eq!(members(&graph, &[&ann, &ben, &eve, &joe, &kim]), ["1A", "2A", "4A", "5"]);
}

#[test]
fn a_removal_wins_over_an_addition_at_the_same_time_and_a_later_addition_brings_back() {
    let [ann, ben, eve] = [1, 2, 3].map(person);
    let all = [&ann, &ben, &eve];
    let mut base = group(&ann, &[admin(&ben)]);
    ann.does(&mut base, add(&eve));
    let mut bens = group(&ann, &[admin(&ben)]);
    bens.offer(base.changes().skip(1).cloned().collect());
    let removed = ben.does(&mut bens, remove(&eve));
    let back = ben.does(&mut bens, add_admin(&eve));
    let removed_too = ann.makes(&base, remove(&eve));
    let graph = merged(&base, &[removed.clone(), back.clone()]);
    assert_eq!(members(&graph, &all), ["1A", "2A", "3A"]);
    // Ann removed her too, and did not know that she was brought back.
    let mut graph = merged(&base, &[removed, back, removed_too]);
    assert_eq!(members(&graph, &all), ["1A", "2A"]);
    ann.does(&mut graph, add(&eve));
    assert_eq!(members(&graph, &all), ["1A", "2A", "3"]);
}

#[test]
fn a_demotion_wins_over_a_promotion_at_the_same_time() {
    let [ann, ben, eve] = [1, 2, 3].map(person);
    let base = group(&ann, &[admin(&ben), admin(&eve)]);
    let mut bens = group(&ann, &[admin(&ben), admin(&eve)]);
    let lowered = ben.does(&mut bens, role(&eve, Role::Member));
    let raised = ben.does(&mut bens, role(&eve, Role::Admin));
    let graph = merged(&base, &[lowered.clone(), raised.clone()]);
    assert!(graph.state().is_admin(eve.id()));
    let graph = merged(&base, &[lowered, raised, ann.makes(&base, role(&eve, Role::Member))]);
    assert_eq!(members(&graph, &[&ann, &ben, &eve]), ["1A", "2A", "3"]);
}

#[test]
fn of_names_given_at_the_same_time_the_deeper_one_holds_then_the_higher_hash() {
    let [ann, ben] = [1, 2].map(person);
    let base = group(&ann, &[admin(&ben)]);
    let (one, other) = (ann.makes(&base, rename("one")), ben.makes(&base, rename("other")));
    let expected = if one.hash() > other.hash() { "one" } else { "other" };
    assert_eq!(merged(&base, &[one.clone(), other]).state().name(), expected);
    let mut bens = group(&ann, &[admin(&ben)]);
    let twice = [ben.does(&mut bens, rename("first")), ben.does(&mut bens, rename("second"))];
    assert_eq!(merged(&base, &[one, twice[0].clone(), twice[1].clone()]).state().name(), "second");
}

#[test]
fn leaving_counts_whatever_else_happens() {
    let [ann, ben, eve] = [1, 2, 3].map(person);
    let base = group(&ann, &[admin(&ben), member(&eve)]);
    let all = [&ann, &ben, &eve];
    // Ben leaves while Ann takes his role; Eve leaves while Ben removes her.
    let changes =
        [ben.makes(&base, Action::Leave), ann.makes(&base, role(&ben, Role::Member)), eve.makes(&base, Action::Leave)];
    let graph = merged(&base, &changes);
    assert!(changes.iter().all(|change| counts(&graph, change)));
    assert_eq!(members(&graph, &all), ["1A"]);
    // To leave makes nothing void that one did at the same time, or a former admin could undo all that was ever done.
    let (leaves, renames) = (ben.makes(&base, Action::Leave), ben.makes(&base, rename("orchard")));
    let graph = merged(&base, &[leaves, renames]);
    assert_eq!((graph.state().name(), members(&graph, &all)), ("orchard", vec!["1A".to_owned(), "3".to_owned()]));
    // The same of stepping down.
    let (steps_down, renames) = (ben.makes(&base, role(&ben, Role::Member)), ben.makes(&base, rename("orchard")));
    let graph = merged(&base, &[steps_down, renames]);
    assert_eq!(
        (graph.state().name(), members(&graph, &all)),
        ("orchard", vec!["1A".to_owned(), "2".to_owned(), "3".to_owned()])
    );
}

#[test]
fn who_left_can_be_shut_out() {
    let [ann, ben] = [1, 2].map(person);
    let mut base = group(&ann, &[admin(&ben)]);
    let founding = base.changes().next().unwrap().hash();
    ben.does(&mut base, Action::Leave);
    let shut_out = ann.does(&mut base, remove(&ben));
    let backdated = ben.makes_on(&base, &[founding], rename("Ben's"));
    let graph = merged(&base, std::slice::from_ref(&backdated));
    assert!(!counts(&graph, &backdated));
    assert_eq!(graph.state().former_of(ben.id()), Some(Former::Removed(shut_out.hash())));
    // Ben is told apart as one who signed two changes at once.
    assert_eq!(graph.forks().len(), 1);
    assert_eq!((graph.forks()[0].author, graph.forks()[0].other), (ben.id(), backdated.hash()));
}

#[test]
fn without_an_admin_the_most_senior_member_is_one() {
    let [ann, ben, eve, joe] = [1, 2, 3, 4].map(person);
    let all = [&ann, &ben, &eve, &joe];
    let mut base = group(&ann, &[]);
    ann.does(&mut base, add(&joe));
    ann.does(&mut base, add_admin(&ben));
    ann.does(&mut base, add(&eve));
    let changes = [ann.makes(&base, Action::Leave), ben.makes(&base, Action::Leave)];
    let mut graph = merged(&base, &changes);
    assert_eq!((graph.state().heir(), members(&graph, &all)), (Some(joe.id()), vec!["3".to_owned(), "4A".to_owned()]));
    // The heir acts as an admin; when it makes an admin, that one is it instead.
    joe.does(&mut graph, rename("Joe's"));
    joe.does(&mut graph, role(&eve, Role::Admin));
    assert_eq!((graph.state().heir(), members(&graph, &all)), (None, vec!["3A".to_owned(), "4".to_owned()]));
    assert_eq!(joe.is_refused(&mut graph, rename("again")), rossby_crypto::group::Refused::NotAllowed);
    // The last ones leave, and nobody is left.
    eve.does(&mut graph, Action::Leave);
    joe.does(&mut graph, Action::Leave);
    assert_eq!((graph.state().heir(), graph.state().members().count()), (None, 0));
}

#[test]
fn an_heir_whose_inheritance_falls_has_done_nothing() {
    let [ann, ben, eve, joe] = [1, 2, 3, 4].map(person);
    let mut base = group(&ann, &[admin(&ben)]);
    ann.does(&mut base, add(&eve));
    let mut bens = group(&ann, &[admin(&ben)]);
    bens.offer(base.changes().skip(1).cloned().collect());
    // Ben removes Ann and leaves; so Eve inherits and acts. Ann has removed Ben at the same time and is more senior.
    let by_ben = ben.does(&mut bens, remove(&ann));
    let leaves = ben.does(&mut bens, Action::Leave);
    let by_heir = eve.does(&mut bens, add(&joe));
    let by_ann = ann.makes(&base, remove(&ben));
    let graph = merged(&base, &[by_ben.clone(), leaves, by_heir.clone(), by_ann.clone()]);
    assert_eq!([&by_ben, &by_heir, &by_ann].map(|change| counts(&graph, change)), [false, false, true]);
    assert_eq!(members(&graph, &[&ann, &ben, &eve, &joe]), ["1A", "3"]);
}

#[test]
fn what_an_heir_does_is_judged_by_who_else_was_an_admin() {
    let [ann, ben, kim, eve, joe] = [1, 2, 3, 4, 5].map(person);
    let mut base = group(&ann, &[admin(&ben), admin(&kim)]);
    ann.does(&mut base, add(&eve));
    ann.does(&mut base, add(&joe));
    let known: Vec<_> = base.changes().skip(1).cloned().collect();
    let [mut one, mut other] = [(); 2].map(|()| {
        let mut graph = group(&ann, &[admin(&ben), admin(&kim)]);
        graph.offer(known.clone());
        graph
    });
    // Kim makes Joe an admin, and leaves at the same time by another device; where Eve is, no admin is left.
    let promotes = kim.does(&mut one, role(&joe, Role::Admin));
    let by_joe = joe.does(&mut one, rename("Joe's"));
    let removes_ann = ben.does(&mut other, remove(&ann));
    let leave = [&kim, &ben].map(|person| person.does(&mut other, Action::Leave));
    let by_heir = eve.does(&mut other, remove(&joe));
    let [kim_leaves, ben_leaves] = leave;
    let all = [promotes, by_joe.clone(), removes_ann, kim_leaves, ben_leaves, by_heir.clone()];
    let graph = merged(&base, &all);
    assert_eq!([&by_joe, &by_heir].map(|change| counts(&graph, change)), [false, true]);
    assert_eq!(
        (graph.state().name(), members(&graph, &[&ann, &ben, &kim, &eve, &joe])),
        ("garden", vec!["4A".to_owned()])
    );
}

#[test]
fn a_removed_device_changes_nothing_any_more() {
    let [ann, joe] = [1, 2].map(person);
    let mut ben = person(3);
    let stolen = device(4);
    ben.record.append(linked(&ben.record, &ben.device, &stolen).octets()).unwrap();
    let before = Person { device: stolen, record: ben.record.clone() };
    ben.record = without(&ben.record, &ben.device, &before.device);
    let base = group(&ann, &[admin(&ben)]);
    // By what it signs it can claim to be older, and give itself helpers who remove Ben.
    let mut thiefs = group(&ann, &[admin(&ben)]);
    let by_thief = before.does(&mut thiefs, add_admin(&joe));
    let by_helper = joe.does(&mut thiefs, remove(&ben));
    let affirmed = ben.makes(&base, Action::Affirm);
    let graph = merged(&base, &[by_thief.clone(), by_helper.clone(), affirmed.clone()]);
    assert_eq!([&by_thief, &by_helper, &affirmed].map(|change| counts(&graph, change)), [false, false, true]);
    assert_eq!(members(&graph, &[&ann, &ben, &joe]), ["1A", "3A"]);
    // What the owner saw of it before stays, as what a removed member did before.
    let mut graph = merged(&base, std::slice::from_ref(&by_thief));
    ben.does(&mut graph, Action::Affirm);
    assert!(counts(&graph, &by_thief));
    assert_eq!(before.is_refused(&mut graph, rename("thief's")), rossby_crypto::group::Refused::OlderHead);
}

#[test]
fn more_members_than_there_is_room_for_wait_by_seniority() {
    let founder = person(1);
    let ben = person(2);
    let many: Vec<NewMember> = (3_u8..=249).map(|n| member(&person(n))).collect();
    let base = GroupGraph::founded(founder.founds("crowd", &[many, vec![admin(&ben)]].concat())).unwrap();
    assert_eq!(base.state().members().count(), 249);
    let [one, other] = [250, 251].map(person);
    let additions = [founder.makes(&base, add(&one)), ben.makes(&base, add(&other))];
    let mut graph = merged(&base, &additions);
    let (in_time, late) = if additions[0].hash() < additions[1].hash() { (&one, &other) } else { (&other, &one) };
    assert_eq!(graph.state().members().count(), 250);
    assert!(graph.state().is_member(in_time.id()) && !graph.state().is_member(late.id()));
    assert!(graph.state().beyond().eq([late.id()]));
    person(3).does(&mut graph, Action::Leave);
    assert!(graph.state().is_member(late.id()));
    assert_eq!(graph.state().beyond().count(), 0);
}

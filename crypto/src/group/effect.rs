//! Which changes count: the rules of the module above, applied.

use rossby_schemas::ids::BoxId;

use super::graph::GroupGraph;
use super::set::ChangeSet;
use super::state::{GroupState, Seniority, Standing, standing};
use super::{Action, Role};

/// Which of the changes in `scope` count. The scope holds the ancestors of all that it holds.
pub(super) fn counting(graph: &GroupGraph, scope: &ChangeSet) -> ChangeSet {
    let mut judge = Judge::new(graph, scope);
    if judge.is_contested {
        judge.decide(scope.iter().collect());
        judge.counting
    } else {
        // Nothing is void at first, so nobody lost the right that they had.
        scope.clone()
    }
}

/// What decides a change, and what is decided of it.
#[derive(Default)]
struct Case {
    /// What contests it.
    contests: Vec<usize>,
    /// What its author's right hangs on.
    grounds: Vec<usize>,
    right: Right,
    counts: Option<bool>,
}

/// Whether a change's author was an admin there, by what counts.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Right {
    #[default]
    Open,
    Lost,
    Held(Seniority),
}

struct Judge<'a> {
    graph: &'a GroupGraph,
    cases: Vec<Case>,
    counting: ChangeSet,
    is_contested: bool,
}

impl<'a> Judge<'a> {
    fn new(graph: &'a GroupGraph, scope: &ChangeSet) -> Self {
        let mut cases: Vec<Case> = (0..graph.len()).map(|_| Case::default()).collect();
        let mut judge = Self { graph, cases: Vec::new(), counting: ChangeSet::default(), is_contested: false };
        for place in graph.naming_removed_devices().filter(|place| scope.contains(*place)) {
            for other in judge.at_once(place, graph.change(place).author, scope) {
                if graph.removed_devices(place).contains(&graph.change(other).device) {
                    cases[other].counts = Some(false);
                    judge.is_contested = true;
                }
            }
        }
        for (place, subject) in graph.contesting().filter(|(place, _)| scope.contains(*place)) {
            for other in judge.at_once(place, subject, scope) {
                cases[other].contests.push(place);
                judge.is_contested = true;
            }
        }
        judge.cases = cases;
        for place in scope.iter() {
            if graph.change(place).action.is_for_every_member() {
                judge.set(place, true);
            }
        }
        if judge.is_contested {
            scope.iter().for_each(|place| judge.cases[place].grounds = judge.grounds(place));
        }
        judge
    }

    /// The changes that `author` made at the same time as the change in this place, but for those that always count.
    fn at_once(&self, place: usize, author: BoxId, scope: &ChangeSet) -> Vec<usize> {
        let can_be_void = |other: &usize| {
            scope.contains(*other)
                && !self.graph.change(*other).action.is_for_every_member()
                && self.graph.are_at_once(place, *other)
        };
        self.graph.by(author).iter().copied().filter(can_be_void).collect()
    }

    fn grounds(&self, place: usize) -> Vec<usize> {
        let (graph, ancestors) = (self.graph, self.graph.ancestors(place));
        if self.cases[place].counts.is_some() {
            Vec::new()
        } else if graph.is_by_heir(place) {
            ancestors.iter().filter(|ancestor| is_about_members(&graph.change(*ancestor).action)).collect()
        } else {
            let about_author = graph.about(graph.change(place).author).iter().copied();
            about_author.filter(|other| ancestors.contains(*other)).collect()
        }
    }

    fn set(&mut self, place: usize, counts: bool) {
        self.cases[place].counts = Some(counts);
        if counts {
            self.counting.insert(place);
        }
    }

    /// Decides all of these. What they hang on beside each other is decided.
    fn decide(&mut self, places: Vec<usize>) {
        // Each entry hangs only on itself and on what comes after it, which is decided first.
        let mut waiting = vec![places];
        while let Some(mut places) = waiting.pop() {
            places.retain(|place| self.cases[*place].counts.is_none());
            if let [place] = places[..] {
                self.settle(place);
                continue;
            }
            let mut circles = self.circles(&places);
            if circles.len() > 1 {
                circles.reverse();
                waiting.extend(circles);
            } else if let Some(circle) = circles.pop() {
                let settled = circle.iter().filter(|place| self.settle(**place)).count();
                if settled > 0 || self.settle_by_seniority(&circle) {
                    waiting.push(circle);
                }
            }
        }
    }

    /// Decides a change if the rules 2 to 4 do; true if so.
    fn settle(&mut self, place: usize) -> bool {
        let right = self.right(place);
        let counts = |contest: &usize| self.cases[*contest].counts;
        let contests = &self.cases[place].contests;
        let is_void = right == Right::Lost || contests.iter().any(|contest| counts(contest) == Some(true));
        let is_free = contests.iter().all(|contest| counts(contest) == Some(false));
        let is_settled = is_void || (is_free && right != Right::Open);
        if is_settled {
            self.set(place, !is_void);
        }
        is_settled
    }

    /// Rule 5, for a circle in which nothing else is decided; true if something is then.
    fn settle_by_seniority(&mut self, circle: &[usize]) -> bool {
        let senior = circle.iter().filter_map(|place| {
            let Right::Held(seniority) = self.cases[*place].right else { return None };
            Some((seniority, self.graph.order(*place), *place))
        });
        // The first of a circle in the graph's order has its grounds outside of it, so there always is one.
        let Some((_, _, place)) = senior.min() else { return false };
        for contest in std::mem::take(&mut self.cases[place].contests) {
            if self.cases[contest].counts.is_none() {
                self.set(contest, false);
            }
        }
        self.set(place, true);
        true
    }

    fn right(&mut self, place: usize) -> Right {
        let case = &self.cases[place];
        let is_known = case.grounds.iter().all(|ground| self.cases[*ground].counts.is_some());
        if case.right == Right::Open && is_known {
            self.cases[place].right = self.judge_right(place).map_or(Right::Lost, Right::Held);
        }
        self.cases[place].right
    }

    /// How senior the author was there, if an admin.
    fn judge_right(&self, place: usize) -> Option<Seniority> {
        if place == 0 {
            // The founding change has no past: it gives its author the right itself.
            return Some(Seniority { depth: 0, change: self.graph.order(0).1, place: 0 });
        }
        let author = self.graph.change(place).author;
        let mut past = self.graph.ancestors(place).clone();
        past.keep_all(&self.counting);
        let member = if self.graph.is_by_heir(place) {
            GroupState::of(self.graph, &past).added(author)
        } else {
            match standing(self.graph, author, |other| past.contains(other)) {
                Standing::Member(member) => Some(member),
                Standing::Never | Standing::Former(_) => None,
            }
        };
        member.filter(|member| member.role == Role::Admin).map(|member| member.seniority)
    }

    /// These places in circles that hang on each other, each after those that it hangs on (Tarjan, "Depth-first search and
    /// linear graph algorithms", 1972).
    fn circles(&self, places: &[usize]) -> Vec<Vec<usize>> {
        let mut search = Search { numbers: vec![0; self.cases.len()], ..Search::default() };
        places.iter().for_each(|place| search.numbers[*place] = UNSEEN);
        places.iter().for_each(|place| search.visit(*place, &self.cases));
        search.circles
    }
}

const fn is_about_members(action: &Action) -> bool {
    !matches!(action, Action::Rename { .. } | Action::Affirm)
}

/// Not seen yet; those that are not searched, or are done with, have 0.
const UNSEEN: usize = usize::MAX;

#[derive(Default)]
struct Search {
    /// The number under which each place was seen first, from 1.
    numbers: Vec<usize>,
    seen: usize,
    open: Vec<usize>,
    circles: Vec<Vec<usize>>,
}

impl Search {
    fn visit(&mut self, place: usize, cases: &[Case]) {
        if self.numbers[place] != UNSEEN {
            return;
        }
        // Each step: a place, how many of those that it hangs on were looked at, and the lowest number that it leads to.
        let mut steps = vec![self.enter(place)];
        while let Some((place, next, lowest)) = steps.pop() {
            let case = &cases[place];
            let other = case.contests.get(next).or_else(|| case.grounds.get(next - case.contests.len()));
            let Some(other) = other.copied() else {
                if lowest == self.numbers[place] {
                    self.close(place);
                }
                if let Some((_, _, lowest_before)) = steps.last_mut() {
                    *lowest_before = lowest.min(*lowest_before);
                }
                continue;
            };
            match self.numbers[other] {
                UNSEEN => {
                    steps.push((place, next + 1, lowest));
                    steps.push(self.enter(other));
                }
                0 => steps.push((place, next + 1, lowest)),
                number => steps.push((place, next + 1, lowest.min(number))),
            }
        }
    }

    fn enter(&mut self, place: usize) -> (usize, usize, usize) {
        self.seen += 1;
        self.numbers[place] = self.seen;
        self.open.push(place);
        (place, 0, self.seen)
    }

    /// All that was entered since this place is one circle.
    fn close(&mut self, place: usize) {
        let begin = self.open.iter().rposition(|open| *open == place).unwrap_or_default();
        let circle = self.open.split_off(begin);
        circle.iter().for_each(|place| self.numbers[*place] = 0);
        self.circles.push(circle);
    }
}

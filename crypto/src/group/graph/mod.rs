//! The graph of a group's changes, as one member has it.

mod view;

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::fmt;
use std::sync::{Arc, OnceLock};

use rossby_schemas::encoding::Sha256Digest;
use rossby_schemas::ids::{BoxId, DeviceId};

use super::admission::{self, Refused};
use super::change::{GroupChange, VerifiedChange};
use super::effect::counting;
use super::set::ChangeSet;
use super::state::GroupState;
use super::{Action, GroupId, Role};

/// How many changes a graph has at most. Whoever may change a group can fill it; then nobody changes it any more.
pub const MAX_CHANGES: usize = 4096;

/// How many states of parts of the graph are kept, those that were asked for last: the next changes are made on them.
const KEPT_STATES: usize = 32;

/// Whether a change is new to the graph.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Inserted {
    /// It is.
    New,
    /// The graph had it.
    Known,
}

/// The first two changes that one device made at once. A device sees its own changes, so it is one that tells others different
/// things, or one that was put back to an earlier state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fork {
    /// The device's box.
    pub author: BoxId,
    /// The device.
    pub device: DeviceId,
    /// One change.
    pub one: Sha256Digest,
    /// The other.
    pub other: Sha256Digest,
}

/// Heads that the graph does not have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{} of the heads are not known", .0.len())]
pub struct UnknownHeads(pub Vec<Sha256Digest>);

/// What came of changes that were offered together.
#[derive(Debug, Clone, Default)]
pub struct Offered {
    /// The hashes of those that are new to the graph, each after its parents.
    pub taken: Vec<Sha256Digest>,
    /// Those whose parents are missing.
    pub waiting: Vec<VerifiedChange>,
    /// The hashes of those that were refused, and why.
    pub refused: Vec<(Sha256Digest, Refused)>,
    /// The hashes of those that were not looked at, because they would have given the graph more heads than it was to have.
    pub passed_over: Vec<Sha256Digest>,
}

#[derive(Clone)]
struct Node {
    change: VerifiedChange,
    ancestors: ChangeSet,
    depth: u32,
    is_by_heir: bool,
}

/// Which changes of the whole graph count, and what they give.
#[derive(Clone)]
struct Evaluated {
    counting: ChangeSet,
    state: Arc<GroupState>,
}

/// The changes of one group that were taken. Changes are never removed from it.
#[derive(Clone)]
pub struct GroupGraph {
    id: GroupId,
    nodes: Vec<Node>,
    places: HashMap<Sha256Digest, usize>,
    heads: BTreeMap<Sha256Digest, usize>,
    by_author: HashMap<BoxId, Vec<usize>>,
    about: BTreeMap<BoxId, Vec<usize>>,
    contesting: Vec<(usize, BoxId)>,
    naming: Vec<usize>,
    naming_removed_devices: Vec<usize>,
    forks: Vec<Fork>,
    forked: HashSet<(BoxId, DeviceId)>,
    evaluated: OnceLock<Evaluated>,
    states: VecDeque<(Vec<usize>, Arc<GroupState>)>,
}

impl fmt::Debug for GroupGraph {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GroupGraph").field("id", &self.id).field("changes", &self.nodes.len()).finish_non_exhaustive()
    }
}

impl GroupGraph {
    /// The graph that a founding change begins.
    ///
    /// # Errors
    /// [`Refused::NotFounding`] for another change.
    pub fn founded(founding: VerifiedChange) -> Result<Self, Refused> {
        if !matches!(founding.change().action, Action::Found { .. }) {
            return Err(Refused::NotFounding);
        }
        let mut graph = Self {
            id: founding.signed().group_id(),
            nodes: Vec::new(),
            places: HashMap::new(),
            heads: BTreeMap::new(),
            by_author: HashMap::new(),
            about: BTreeMap::new(),
            contesting: Vec::new(),
            naming: Vec::new(),
            naming_removed_devices: Vec::new(),
            forks: Vec::new(),
            forked: HashSet::new(),
            evaluated: OnceLock::new(),
            states: VecDeque::new(),
        };
        graph.push(Node { change: founding, ancestors: ChangeSet::default(), depth: 0, is_by_heir: false });
        Ok(graph)
    }

    /// The graph that this device has kept, by [`GroupGraph::kept`]: what was taken is not asked about again.
    ///
    /// # Errors
    /// [`Refused`] if it does not begin with a founding change, or a change stands before a parent.
    pub fn restored(kept: impl IntoIterator<Item = (VerifiedChange, bool)>) -> Result<Self, Refused> {
        let mut kept = kept.into_iter();
        let (founding, _) = kept.next().ok_or(Refused::NotFounding)?;
        let mut graph = Self::founded(founding)?;
        for (change, is_by_heir) in kept {
            let parents = admission::parents(&graph, change.change())?;
            let (ancestors, depth) = (graph.with_ancestors(&parents), graph.depth_on(&parents));
            graph.push(Node { change, ancestors, depth, is_by_heir });
        }
        Ok(graph)
    }

    /// What to keep of the graph: each change after its parents, and whether its author was an admin as heir.
    pub fn kept(&self) -> impl Iterator<Item = (&VerifiedChange, bool)> {
        self.nodes.iter().map(|node| (&node.change, node.is_by_heir))
    }

    /// Takes a change, or refuses it; the module above says when.
    ///
    /// # Errors
    /// [`Refused`]. [`Refused::MissingParents`] alone is for now, all others are for ever.
    pub fn insert(&mut self, change: VerifiedChange) -> Result<Inserted, Refused> {
        let hash = change.hash();
        if self.contains(&hash) {
            return Ok(Inserted::Known);
        }
        let parents = admission::parents(self, change.change())?;
        if self.nodes.len() >= MAX_CHANGES {
            return Err(Refused::Full);
        }
        let ancestors = self.with_ancestors(&parents);
        let before = self.state_on(&parents, &ancestors);
        let is_by_heir = admission::admit(self, change.change(), &ancestors, &before)?;
        let depth = self.depth_on(&parents);
        let after = Arc::new(before.after(change.change(), hash, depth));
        let place = self.nodes.len();
        // A change on all heads has nothing beside it: it counts, and all others count as before.
        let sees_all = self.heads.values().all(|head| parents.contains(head));
        let counting = self.evaluated.take().map(|evaluated| evaluated.counting).filter(|_| sees_all);
        self.keep(parents, before);
        self.push(Node { change, ancestors, depth, is_by_heir });
        if let Some(mut counting) = counting {
            counting.insert(place);
            self.evaluated = Evaluated { counting, state: Arc::clone(&after) }.into();
        }
        self.keep(vec![place], after);
        Ok(Inserted::New)
    }

    /// Takes those of the changes that can be taken, in whatever order they come.
    pub fn offer(&mut self, changes: Vec<VerifiedChange>) -> Offered {
        self.offer_within(changes, usize::MAX)
    }

    /// The same, but takes none that would give the graph more than `most_heads` heads. A group that nobody has vouched for is bound
    /// by that and costs little: changes that were made on each other give one head, however many they are.
    pub fn offer_within(&mut self, changes: Vec<VerifiedChange>, most_heads: usize) -> Offered {
        let mut offered = Offered::default();
        let mut by_missing: BTreeMap<Sha256Digest, Vec<VerifiedChange>> = BTreeMap::new();
        let mut coming = VecDeque::from(changes);
        while let Some(change) = coming.pop_front() {
            let hash = change.hash();
            let missing = match admission::parents(self, change.change()) {
                Err(Refused::MissingParents(missing)) => missing.first().copied(),
                Ok(_) | Err(_) => None,
            };
            if let Some(missing) = missing {
                by_missing.entry(missing).or_default().push(change);
                continue;
            }
            let replaced = change.change().parents.iter().filter(|parent| self.heads.contains_key(*parent)).count();
            if self.heads.len() + 1 - replaced > most_heads && !self.contains(&hash) {
                offered.passed_over.push(hash);
                continue;
            }
            match self.insert(change) {
                Ok(Inserted::New) => {
                    offered.taken.push(hash);
                    coming.extend(by_missing.remove(&hash).into_iter().flatten());
                }
                Ok(Inserted::Known) => {}
                Err(refused) => offered.refused.push((hash, refused)),
            }
        }
        offered.waiting.extend(by_missing.into_values().flatten());
        offered
    }

    fn push(&mut self, node: Node) {
        self.evaluated = OnceLock::new();
        let (place, hash) = (self.nodes.len(), node.change.hash());
        let change = node.change.change();
        if !self.forked.contains(&(change.author, change.device)) {
            let by_author = self.by_author.get(&change.author).into_iter().flatten();
            let mut at_once =
                by_author.filter(|other| !node.ancestors.contains(**other)).map(|other| &self.nodes[*other].change);
            if let Some(other) = at_once.find(|other| other.change().device == change.device) {
                self.forked.insert((change.author, change.device));
                self.forks.push(Fork { author: change.author, device: change.device, one: other.hash(), other: hash });
            }
        }
        for parent in &change.parents {
            self.heads.remove(parent);
        }
        self.heads.insert(hash, place);
        self.places.insert(hash, place);
        self.by_author.entry(change.author).or_default().push(place);
        for box_id in subjects(change) {
            self.about.entry(box_id).or_default().push(place);
        }
        match change.action {
            Action::Found { .. } | Action::Rename { .. } => self.naming.push(place),
            Action::Remove { member } | Action::SetRole { member, role: Role::Member } if member != change.author => {
                self.contesting.push((place, member));
            }
            Action::Remove { .. } | Action::SetRole { .. } | Action::Add { .. } | Action::Leave | Action::Affirm => {}
        }
        if !node.change.removed_devices().is_empty() {
            self.naming_removed_devices.push(place);
        }
        self.nodes.push(node);
    }

    fn depth_on(&self, parents: &[usize]) -> u32 {
        parents.iter().map(|parent| self.nodes[*parent].depth + 1).max().unwrap_or_default()
    }

    /// These places and all their ancestors.
    fn with_ancestors(&self, places: &[usize]) -> ChangeSet {
        let mut all = ChangeSet::default();
        for place in places {
            all.insert_all(&self.nodes[*place].ancestors);
            all.insert(*place);
        }
        all
    }

    /// The state of the part of the graph that these heads, in ascending order, and their ancestors make.
    fn state_on(&self, heads: &[usize], all: &ChangeSet) -> Arc<GroupState> {
        if heads.len() == self.heads.len() && self.heads.values().all(|head| heads.contains(head)) {
            return Arc::clone(&self.evaluated().state);
        }
        let kept = self.states.iter().find(|(places, _)| places == heads);
        kept.map_or_else(|| Arc::new(GroupState::of(self, &counting(self, all))), |(_, state)| Arc::clone(state))
    }

    fn keep(&mut self, heads: Vec<usize>, state: Arc<GroupState>) {
        self.states.retain(|(places, _)| *places != heads);
        if self.states.len() >= KEPT_STATES {
            self.states.pop_front();
        }
        self.states.push_back((heads, state));
    }

    fn evaluated(&self) -> &Evaluated {
        self.evaluated.get_or_init(|| {
            let counting = counting(self, &ChangeSet::before(self.nodes.len()));
            let state = Arc::new(GroupState::of(self, &counting));
            Evaluated { counting, state }
        })
    }

    /// The places of these hashes; or those hashes that the graph does not have.
    pub(super) fn find(&self, hashes: &[Sha256Digest]) -> Result<Vec<usize>, Vec<Sha256Digest>> {
        let missing: Vec<_> = hashes.iter().filter(|hash| !self.contains(hash)).copied().collect();
        if !missing.is_empty() {
            return Err(missing);
        }
        Ok(hashes.iter().filter_map(|hash| self.places.get(hash).copied()).collect())
    }

    pub(super) fn change(&self, place: usize) -> &GroupChange {
        self.nodes[place].change.change()
    }

    pub(super) fn removed_devices(&self, place: usize) -> &[DeviceId] {
        self.nodes[place].change.removed_devices()
    }

    pub(super) fn ancestors(&self, place: usize) -> &ChangeSet {
        &self.nodes[place].ancestors
    }

    /// (depth, hash): by which changes are ordered where nothing else orders them.
    pub(super) fn order(&self, place: usize) -> (u32, Sha256Digest) {
        (self.nodes[place].depth, self.nodes[place].change.hash())
    }

    pub(super) fn is_by_heir(&self, place: usize) -> bool {
        self.nodes[place].is_by_heir
    }

    pub(super) fn are_at_once(&self, one: usize, other: usize) -> bool {
        one != other && !self.ancestors(one).contains(other) && !self.ancestors(other).contains(one)
    }

    /// The places of a box's changes.
    pub(super) fn by(&self, author: BoxId) -> &[usize] {
        self.by_author.get(&author).map_or(&[], Vec::as_slice)
    }

    /// The places of the changes that are about a box's membership or role.
    pub(super) fn about(&self, box_id: BoxId) -> &[usize] {
        self.about.get(&box_id).map_or(&[], Vec::as_slice)
    }

    /// Every box that a change is about.
    pub(super) fn boxes(&self) -> impl Iterator<Item = BoxId> {
        self.about.keys().copied()
    }

    /// The places of the changes that contest, and whom.
    pub(super) fn contesting(&self) -> impl Iterator<Item = (usize, BoxId)> {
        self.contesting.iter().copied()
    }

    /// The places of the changes that give a name.
    pub(super) fn naming(&self) -> impl Iterator<Item = usize> {
        self.naming.iter().copied()
    }

    /// The places of the changes at whose head a device had been removed from the author's box.
    pub(super) fn naming_removed_devices(&self) -> impl Iterator<Item = usize> {
        self.naming_removed_devices.iter().copied()
    }
}

/// The boxes whose membership or role a change is about.
fn subjects(change: &GroupChange) -> Vec<BoxId> {
    match &change.action {
        Action::Found { members, .. } => {
            std::iter::once(change.author).chain(members.iter().map(|member| member.box_id)).collect()
        }
        Action::Add { members } => members.iter().map(|member| member.box_id).collect(),
        Action::Remove { member } | Action::SetRole { member, .. } => vec![*member],
        Action::Leave => vec![change.author],
        Action::Rename { .. } | Action::Affirm => Vec::new(),
    }
}

//! Taking changes: those that others bring, and the own ones; and what follows from a group that has changed.

use std::collections::hash_map::Entry;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use rossby_crypto::group::{
    Action, ChangeError, Former, GroupGraph, GroupId, GroupState, SignedChange, VerifiedChange,
};
use rossby_crypto::key_record::KeyRecord;
use rossby_schemas::encoding::Sha256Digest;
use rossby_schemas::ids::BoxId;
use sqlx::SqliteConnection;

use super::graphs::KnownGraph;
use super::tell::Refusals;
use crate::Client;
use crate::account::Own;
use crate::content::Standing;
use crate::error::ClientError;
use crate::store::groups::{self as rows, GroupStanding};
use crate::store::{peers, records};
use crate::warning::Warning;

/// How many groups wait for the person's answer at most: somebody could found thousands.
const MAX_REQUESTED: u32 = 100;
/// How many heads the graph of a group has at most in which the person takes no part. A group has about as many as admins who change
/// it at once; an old one has many changes, and no more heads.
const MAX_UNANSWERED_HEADS: usize = 64;
/// How many octets the changes of all such groups take before strangers bring no more of them: more than those of the oldest group.
const MAX_UNANSWERED_OCTETS: u64 = 2 * 1024 * 1024;

/// Why changes are refused for which there is no room.
pub(super) const NO_ROOM: &str =
    "groups that wait for the person's answer have taken all the room that there is for their changes";

impl Client {
    /// Takes changes of a group, as far as they can be taken, and keeps the messages that waited for them. The other changes wait
    /// or are refused.
    pub(super) async fn take_changes_and_release(
        &self,
        connection: &mut SqliteConnection,
        own: &Own,
        id: GroupId,
        changes: Vec<SignedChange>,
    ) -> Result<(), ClientError> {
        let known = rows::count(connection, id).await?;
        self.take_changes(connection, own, id, changes).await?;
        self.release_waiting(connection, own, id, known).await
    }

    /// Whether there is room for what somebody brings of a group. The person has nothing to say on what strangers found, so that
    /// has room together, whoever they are.
    pub(super) async fn has_room(
        &self,
        connection: &mut SqliteConnection,
        own: &Own,
        id: GroupId,
        from: BoxId,
    ) -> Result<bool, ClientError> {
        let takes_part = self.takes_part(connection, id).await?;
        if takes_part
            || from == own.device.box_id
            || peers::state(connection, from).await?.standing == Standing::Accepted
        {
            return Ok(true);
        }
        Ok(rows::unanswered_octets(connection).await? < MAX_UNANSWERED_OCTETS)
    }

    /// Whether the person takes part in a group.
    pub(super) async fn takes_part(&self, connection: &mut SqliteConnection, id: GroupId) -> Result<bool, ClientError> {
        Ok(rows::group(connection, id).await?.is_some_and(|row| row.standing == GroupStanding::Joined))
    }

    /// Takes changes of a group, as far as they can be taken; the others wait or are refused.
    pub(super) async fn take_changes(
        &self,
        connection: &mut SqliteConnection,
        own: &Own,
        id: GroupId,
        changes: Vec<SignedChange>,
    ) -> Result<(), ClientError> {
        rows::hear(connection, id, self.now()).await?;
        let known = self.graph(connection, id).await?;
        let is_new = |change: &SignedChange| !known.as_ref().is_some_and(|known| known.graph.contains(&change.hash()));
        let waiting = rows::put_off_of(connection, &self.vault, id).await?;
        let (mut verified, mut seen) = (Vec::new(), BTreeSet::new());
        let (mut authors, mut refusals) = (HashMap::new(), Refusals::new());
        for change in changes.into_iter().chain(waiting).filter(is_new) {
            if seen.insert(change.hash()) {
                let author = change.change().author;
                if let Entry::Vacant(entry) = authors.entry(author) {
                    entry.insert(records::key_record(connection, author).await?);
                }
                let record = authors.get(&author).and_then(Option::as_ref);
                verified.extend(self.verify_change(connection, change, record, &mut refusals).await?);
            }
        }
        let (before, mut graph) = match &known {
            Some(known) => (known.graph.len(), KnownGraph::clone(known)),
            None => {
                let founds = |change: &VerifiedChange| matches!(change.change().action, Action::Found { .. });
                let Some(place) = verified.iter().position(founds) else {
                    self.tell_refused(connection, id, refusals).await?;
                    return self.put_off(connection, verified).await;
                };
                match GroupGraph::founded(verified.swap_remove(place)) {
                    Ok(graph) => (0, KnownGraph::new(graph, self.now())),
                    Err(_) => return Ok(()),
                }
            }
        };
        let forks_before = if before == 0 { 0 } else { graph.graph.forks().len() };
        let most_heads = if self.takes_part(connection, id).await? { usize::MAX } else { MAX_UNANSWERED_HEADS };
        let offered = graph.graph.offer_within(verified.clone(), most_heads);
        self.put_off(connection, offered.waiting).await?;
        for hash in offered.passed_over {
            rows::waits_no_more(connection, id, hash).await?;
        }
        for (hash, refused) in offered.refused {
            rows::waits_no_more(connection, id, hash).await?;
            let author = verified.iter().find(|change| change.hash() == hash).map(|change| change.change().author);
            refusals.insert((author, refused.to_string()));
        }
        self.tell_refused(connection, id, refusals).await?;
        graph.learn(&offered.taken, self.now());
        if graph.graph.len() == before {
            return Ok(());
        }
        self.tell_forks(connection, &graph, forks_before).await?;
        let graph = self.keep_graph(connection, graph, before).await?;
        if known.is_some() {
            self.tell_removed_devices(connection, &graph.graph, &offered.taken).await?;
        }
        let before = known.as_ref().map(|known| known.graph.state());
        self.group_changed(connection, own, before, &graph).await
    }

    async fn put_off(
        &self,
        connection: &mut SqliteConnection,
        changes: Vec<VerifiedChange>,
    ) -> Result<(), ClientError> {
        for change in changes {
            rows::put_off(connection, &self.vault, change.signed(), self.now()).await?;
        }
        Ok(())
    }

    /// A change that its author's key record verifies; none for one that waits for more of the record, or is refused.
    async fn verify_change(
        &self,
        connection: &mut SqliteConnection,
        change: SignedChange,
        record: Option<&KeyRecord>,
        refusals: &mut Refusals,
    ) -> Result<Option<VerifiedChange>, ClientError> {
        let (id, author) = (change.group_id(), change.change().author);
        let Some(record) = record else {
            rows::put_off(connection, &self.vault, &change, self.now()).await?;
            return Ok(None);
        };
        match change.clone().verify(record) {
            Ok(verified) => Ok(Some(verified)),
            Err(ChangeError::HeadAhead) => {
                rows::put_off(connection, &self.vault, &change, self.now()).await?;
                Ok(None)
            }
            Err(error) => {
                rows::waits_no_more(connection, id, change.hash()).await?;
                if error == ChangeError::Fork {
                    let evidence = [change.octets().as_slice()];
                    records::keep_fork(connection, &self.vault, author, &evidence, self.now()).await?;
                    self.warn(connection, &Warning::Fork(author)).await?;
                }
                // Whoever brought it may have made it up: nobody is named.
                refusals.insert((None, error.to_string()));
                Ok(None)
            }
        }
    }

    /// Does what follows from a group that has changed: how the person stands to it, and who gets nothing more.
    async fn group_changed(
        &self,
        connection: &mut SqliteConnection,
        own: &Own,
        before: Option<&GroupState>,
        known: &Arc<KnownGraph>,
    ) -> Result<(), ClientError> {
        let (id, state, own_box) = (known.graph.id(), known.graph.state(), own.device.box_id);
        self.decide_standing(connection, own, before, known).await?;
        let was_member = before.is_some_and(|before| before.is_member(own_box));
        let former = state.former_of(own_box);
        // By an addition that does not count any more it is none either, and nobody has removed it.
        let takes_part = self.takes_part(connection, id).await?;
        let is_left = matches!(former, Some(Former::Left(_)));
        if was_member && takes_part && !state.is_member(own_box) && !is_left {
            let removal = match former {
                Some(Former::Removed(by)) => known.graph.change_of(&by),
                _ => None,
            };
            let (name, by) = (state.name().to_owned(), removal.map(|change| change.change().author));
            self.warn(connection, &Warning::RemovedFromGroup { group: id.0, name, by }).await?;
        }
        self.stop_sending(connection, own_box, known).await
    }

    /// How the person stands to a group that this box was added to: it takes part if they added themselves or have accepted who
    /// did, and is asked otherwise. Another of the own devices may have taken the change before it knew of whom the person accepts:
    /// it is told what it could not know.
    async fn decide_standing(
        &self,
        connection: &mut SqliteConnection,
        own: &Own,
        before: Option<&GroupState>,
        known: &KnownGraph,
    ) -> Result<(), ClientError> {
        let (id, state, own_box) = (known.graph.id(), known.graph.state(), own.device.box_id);
        let Some(member) = state.member(own_box) else { return Ok(()) };
        let Some(row) = rows::group(connection, id).await? else { return Ok(()) };
        let by = member.seniority.change;
        if row.member_by == Some(by) {
            return Ok(());
        }
        if before.is_some_and(|before| before.is_member(own_box)) && row.standing != GroupStanding::Unknown {
            return rows::stand(connection, id, row.standing, by, row.decided_at).await;
        }
        let standing = self.first_standing(connection, own_box, known, by).await?;
        // In 1970: whatever the person says is later.
        rows::stand(connection, id, standing, by, self.now().minus(Duration::MAX)).await?;
        let is_for_all = known.graph.change_of(&by).is_some_and(|change| change.change().author == own_box);
        // That it takes part is told. That it does not, since whoever added it is blocked, each finds by itself: one that has not
        // heard that they are blocked no more would have the others erase what they have.
        if standing == GroupStanding::Joined && !is_for_all {
            self.tell_standing(connection, &own.device, id).await?;
        }
        Ok(())
    }

    async fn first_standing(
        &self,
        connection: &mut SqliteConnection,
        own_box: BoxId,
        known: &KnownGraph,
        by: Sha256Digest,
    ) -> Result<GroupStanding, ClientError> {
        let Some(adder) = known.graph.change_of(&by).map(|change| change.change().author) else {
            return Ok(GroupStanding::Requested);
        };
        if adder == own_box {
            return Ok(GroupStanding::Joined);
        }
        Ok(match peers::state(connection, adder).await?.standing {
            Standing::Accepted => GroupStanding::Joined,
            Standing::Blocked => GroupStanding::Declined,
            Standing::Stranger => {
                let waiting = rows::count_of(connection, GroupStanding::Requested).await?;
                if waiting < MAX_REQUESTED { GroupStanding::Requested } else { GroupStanding::Declined }
            }
        })
    }
}

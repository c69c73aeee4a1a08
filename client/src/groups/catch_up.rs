//! What members lack: asked for, and told. Each is spoken to so often and no more, so that a whole group does not answer at once.

use std::collections::BTreeMap;
use std::time::Duration;

use rossby_crypto::group::{Action, Former, GroupId, Role, VerifiedChange};
use rossby_schemas::encoding::{Octets, Sha256Digest};
use rossby_schemas::ids::BoxId;
use sqlx::SqliteConnection;

use super::body::{GROUP_CHANGES, GROUP_REQUEST, GroupChanges, GroupRequest, MAX_RECORDS, RecordPart};
use super::graphs::KnownGraph;
use super::take::NO_ROOM;
use crate::Client;
use crate::account::Own;
use crate::contacts::Known;
use crate::content::Standing;
use crate::error::ClientError;
use crate::messages::{Conversation, Written};
use crate::store::device::Device;
use crate::store::groups::{self as rows, GroupStanding, Spoken};
use crate::store::messages::Chain;
use crate::store::{messages, outbox, peers};

/// A member is asked again after this.
const ASK_AGAIN: Duration = Duration::from_secs(300);
/// A member is answered, or told of what it lacks, again after this.
const TELL_AGAIN: Duration = Duration::from_secs(60);
/// A change may be on its way for so long, before its author tells it again to one who doesn't name it, and before others do.
const ON_ITS_WAY: Duration = Duration::from_secs(600);
const ON_ITS_WAY_FROM_OTHERS: Duration = Duration::from_secs(3600);

/// So many admins are asked for the changes that a message names whose author is no member by what is known.
const MAX_ASKED_ADMINS: usize = 3;

impl Client {
    /// Asks a member for what is missing here, unless it was asked a moment ago or is blocked.
    pub(super) async fn ask_member(
        &self,
        connection: &mut SqliteConnection,
        device: &Device,
        member: BoxId,
        request: &GroupRequest,
    ) -> Result<(), ClientError> {
        let (id, now) = (GroupId(request.group), self.now());
        if !rows::may_speak(connection, id, member, Spoken::Asked, now.minus(ASK_AGAIN)).await?
            || self.is_blocked(connection, member).await?
        {
            return Ok(());
        }
        rows::spoke(connection, id, member, Spoken::Asked, now).await?;
        self.write_to(connection, device, (id, member), GROUP_REQUEST, request.write()).await
    }

    async fn is_blocked(&self, connection: &mut SqliteConnection, box_id: BoxId) -> Result<bool, ClientError> {
        Ok(peers::state(connection, box_id).await?.standing == Standing::Blocked)
    }

    /// Somebody is blocked from now on: what was to be said to them of groups leaves the outbox, and what they said that waits for
    /// changes is forgotten.
    pub(crate) async fn fall_silent(
        &self,
        connection: &mut SqliteConnection,
        box_id: BoxId,
    ) -> Result<(), ClientError> {
        rows::forget_waiting_of(connection, box_id).await?;
        for kind in [GROUP_REQUEST, GROUP_CHANGES] {
            for (message, recipient) in outbox::of_kind(connection, kind).await? {
                let stored = messages::message(connection, &self.vault, message).await?;
                if recipient == box_id && stored.thread == Conversation::Direct(box_id) {
                    self.take_back(connection, message, recipient, "it is blocked").await?;
                }
            }
        }
        Ok(())
    }

    /// Writes a message of a group to one box: it stands beside the group, and in no chain in which it would be missed if it did not go
    /// out. What is withheld of a group is known by the heads of its graph.
    async fn write_to(
        &self,
        connection: &mut SqliteConnection,
        device: &Device,
        (id, to): (GroupId, BoxId),
        kind: u32,
        body: Octets,
    ) -> Result<(), ClientError> {
        let (conversation, beside) = (Conversation::Direct(to), Some(id));
        let written = Written { conversation, kind, body, is_shown: false, frame: None, beside };
        self.compose(connection, device, &[to], written).await?;
        Ok(())
    }

    /// Asks members for what is missing here: the changes that messages name which wait for them, and the keys of members that the
    /// server does not show.
    pub(crate) async fn ask_members(&self, own: &Own) -> Result<(), ClientError> {
        let mut transaction = self.store.begin().await?;
        let mut wanted: BTreeMap<(GroupId, BoxId), Vec<BoxId>> = BTreeMap::new();
        for (id, sender) in rows::waiting_for_changes(&mut transaction).await? {
            for member in self.who_may_have(&mut transaction, own.device.box_id, id, sender).await? {
                wanted.entry((id, member)).or_default();
            }
        }
        for (group, member) in outbox::unsealed_in_groups(&mut transaction).await? {
            let id = GroupId(group);
            if let Some(known) = self.sound_graph(&mut transaction, id).await?
                && let Some(keeper) = keeper_of_keys(&known, own.device.box_id, member)
            {
                wanted.entry((id, keeper)).or_default().push(member);
            }
        }
        for ((id, member), mut records) in wanted {
            records.truncate(MAX_RECORDS);
            let known = self.sound_graph(&mut transaction, id).await?;
            let heads = known.map(|known| GroupRequest::heads_of(known.graph.heads())).unwrap_or_default();
            let request = GroupRequest { group: id.0, heads, records, messages: Vec::new() };
            self.ask_member(&mut transaction, &own.device, member, &request).await?;
        }
        self.tell_missing(&mut transaction).await?;
        Ok(transaction.commit().await?)
    }

    /// Whom to ask for changes that somebody's message names. Whoever is asked learns that the message has come, and that this box
    /// is in the group: so no stranger is asked, and nobody who is no member by what is known here.
    async fn who_may_have(
        &self,
        connection: &mut SqliteConnection,
        own_box: BoxId,
        id: GroupId,
        sender: BoxId,
    ) -> Result<Vec<BoxId>, ClientError> {
        if sender == own_box {
            return Ok(Vec::new());
        }
        let is_joined = rows::group(connection, id).await?.is_some_and(|row| row.standing == GroupStanding::Joined);
        let is_accepted = peers::state(connection, sender).await?.standing == Standing::Accepted;
        let known = self.sound_graph(connection, id).await?;
        let is_member = known.as_ref().is_none_or(|known| known.graph.state().is_member(sender));
        Ok(match known {
            _ if is_member && (is_joined || is_accepted) => vec![sender],
            // It may have been added by a change that has not come: whoever adds people knows.
            Some(known) if is_joined => {
                let others = known.graph.state().members().filter(|(box_id, _)| *box_id != own_box);
                let admins = others.filter(|(_, member)| member.role == Role::Admin).map(|(box_id, _)| box_id);
                admins.take(MAX_ASKED_ADMINS).collect()
            }
            _ => Vec::new(),
        })
    }

    /// Answers a member's request with what it lacks and may know.
    pub(super) async fn answer_request(
        &self,
        connection: &mut SqliteConnection,
        own: &Own,
        from: BoxId,
        request: &GroupRequest,
    ) -> Result<(), ClientError> {
        let (id, now) = (GroupId(request.group), self.now());
        let row = rows::group(connection, id).await?;
        let Some(known) = self.graph(connection, id).await? else { return Ok(()) };
        if row.is_none_or(|row| row.standing != GroupStanding::Joined)
            || !rows::may_speak(connection, id, from, Spoken::Told, now.minus(TELL_AGAIN)).await?
            || self.is_blocked(connection, from).await?
        {
            return Ok(());
        }
        let Some(news) = news(&known, from, &request.heads) else { return Ok(()) };
        let is_member = known.graph.state().is_member(from);
        let mut boxes: Vec<BoxId> = news.iter().map(|change| change.change().author).collect();
        if is_member {
            boxes.extend(request.records.iter().copied().filter(|box_id| known.graph.state().is_member(*box_id)));
        }
        let mut shown = Vec::new();
        for place in request.messages.iter().filter(|_| is_member) {
            let chain = Chain { sender: place.sender, device: place.device, conversation: id.0 };
            shown.extend(rows::signed_at(connection, &self.vault, chain, place.sequence).await?);
        }
        if news.is_empty() && shown.is_empty() && request.records.is_empty() {
            return Ok(());
        }
        let changes = news.iter().map(|change| change.signed().octets().clone()).collect();
        self.bring(connection, &own.device, id, from, (changes, boxes, shown)).await
    }

    /// Tells the sender of a message which changes it lacks, if those can't be on their way any more.
    pub(super) async fn tell_news(
        &self,
        connection: &mut SqliteConnection,
        own: &Own,
        known: &KnownGraph,
        to: BoxId,
        heads: &[Sha256Digest],
    ) -> Result<(), ClientError> {
        let (id, now) = (known.graph.id(), self.now());
        let is_due = |change: &VerifiedChange| {
            let is_own = change.change().author == own.device.box_id;
            let on_its_way = if is_own { ON_ITS_WAY } else { ON_ITS_WAY_FROM_OTHERS };
            known.learned_at(change.hash()).is_some_and(|at| at < now.minus(on_its_way))
        };
        if to == own.device.box_id || !known.graph.since(heads).any(is_due) {
            return Ok(());
        }
        let Some(news) = news(known, to, heads).filter(|news| !news.is_empty()) else { return Ok(()) };
        let again = now.minus(ON_ITS_WAY_FROM_OTHERS);
        if !rows::may_speak(connection, id, to, Spoken::Told, again).await? || self.is_blocked(connection, to).await? {
            return Ok(());
        }
        let boxes = news.iter().map(|change| change.change().author).collect();
        let changes = news.iter().map(|change| change.signed().octets().clone()).collect();
        self.bring(connection, &own.device, id, to, (changes, boxes, Vec::new())).await
    }

    /// Brings changes to one box, with the key records of these boxes and others' messages, in as many messages as it takes.
    pub(super) async fn bring(
        &self,
        connection: &mut SqliteConnection,
        device: &Device,
        id: GroupId,
        to: BoxId,
        (changes, mut boxes, messages): (Vec<Octets>, Vec<BoxId>, Vec<Octets>),
    ) -> Result<(), ClientError> {
        rows::spoke(connection, id, to, Spoken::Told, self.now()).await?;
        boxes.sort_unstable();
        boxes.dedup();
        let mut records = Vec::new();
        for box_id in boxes.into_iter().filter(|box_id| *box_id != to) {
            records.extend(self.record_part(connection, box_id).await?);
        }
        let all = GroupChanges { group: id.0, changes, records, messages };
        for part in all.in_parts() {
            self.write_to(connection, device, (id, to), GROUP_CHANGES, part.write()).await?;
        }
        Ok(())
    }

    /// A box's key record and sealing keys, for one who may not find them.
    pub(super) async fn record_part(
        &self,
        connection: &mut SqliteConnection,
        box_id: BoxId,
    ) -> Result<Option<RecordPart>, ClientError> {
        let Some(known) = Known::load(connection, box_id).await?.filter(|known| !known.is_forked) else {
            return Ok(None);
        };
        let statements = known.record.statements().to_vec();
        let sealing_statements = known.sealing.iter().map(|statement| statement.octets().clone()).collect();
        Ok(Some(RecordPart { box_id, statements, sealing_statements }))
    }

    /// Does what a message says that one box has written beside a group. The inner error says why it can't be.
    pub(crate) async fn heed_group(
        &self,
        connection: &mut SqliteConnection,
        own: &Own,
        from: BoxId,
        (kind, body): (u32, &Octets),
    ) -> Result<Result<(), String>, ClientError> {
        if kind == GROUP_REQUEST {
            return Ok(match GroupRequest::read(body) {
                Ok(request) => Ok(self.answer_request(connection, own, from, &request).await?),
                Err(reason) => Err(reason),
            });
        }
        let brought = GroupChanges::read(body).and_then(|brought| Ok((brought.signed_changes()?, brought)));
        match brought {
            Ok((changes, brought)) => {
                let id = GroupId(brought.group);
                if !self.has_room(connection, own, id, from).await? {
                    return Ok(Err(NO_ROOM.to_owned()));
                }
                self.take_changes_and_release(connection, own, id, changes).await?;
                self.look_at_shown(connection, id, &brought.messages, from).await?;
                Ok(Ok(()))
            }
            Err(reason) => Ok(Err(reason)),
        }
    }
}

/// The changes that a box lacks which has seen these heads, as far as it may know them: a member all of them, one that was removed
/// those up to its removal. None if it may know nothing of the group.
fn news<'a>(known: &'a KnownGraph, to: BoxId, heads: &[Sha256Digest]) -> Option<Vec<&'a VerifiedChange>> {
    let (graph, state) = (&known.graph, known.graph.state());
    if state.is_member(to) {
        return Some(graph.since(heads).collect());
    }
    let removal = match state.former_of(to) {
        Some(Former::Removed(removal)) => Some(removal),
        Some(Former::Left(_)) => None,
        // It was added by a change that is void, because its author was removed at the same time.
        None => adder(known, to).and_then(|adder| match state.former_of(adder) {
            Some(Former::Removed(removal)) => Some(removal),
            Some(Former::Left(_)) | None => None,
        }),
    }?;
    Some(graph.since_up_to(heads, removal).collect())
}

/// Who has the keys of a member: whoever added it, or an admin.
fn keeper_of_keys(known: &KnownGraph, own: BoxId, member: BoxId) -> Option<BoxId> {
    let state = known.graph.state();
    let added = state.member(member)?.seniority.change;
    let adder = known.graph.change_of(&added).map(|change| change.change().author);
    let admins = state.members().filter(|(_, member)| member.role == Role::Admin).map(|(box_id, _)| box_id);
    adder.into_iter().chain(admins).find(|keeper| *keeper != own && *keeper != member && state.is_member(*keeper))
}

/// Who added a box last.
fn adder(known: &KnownGraph, box_id: BoxId) -> Option<BoxId> {
    let adds = |change: &&VerifiedChange| match &change.change().action {
        Action::Found { members, .. } | Action::Add { members } => members.iter().any(|member| member.box_id == box_id),
        _ => false,
    };
    known.graph.changes().filter(adds).last().map(|change| change.change().author)
}

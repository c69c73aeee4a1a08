//! Groups: known to their members alone. Each member's device keeps the graph of signed changes (`rossby_crypto::group`) and
//! writes to the devices of all members; the server sees messages to boxes.

mod addressee;
mod authors;
mod body;
mod catch_up;
mod change;
mod graphs;
mod keep;
mod named;
mod seen;
mod send;
mod standing;
mod take;
mod tell;
mod unsent;

pub use addressee::Addressee;
pub(crate) use authors::AuthorLookups;
pub(crate) use body::{GROUP_CHANGES, GROUP_CONTENT, beside};
pub(crate) use graphs::Graphs;
pub(crate) use keep::is_of_groups;
pub use named::GroupRef;
use rossby_crypto::group::{Action, Former, GroupGraph, GroupId, GroupState, Role, VerifiedChange};
use rossby_schemas::encoding::Sha256Digest;
use rossby_schemas::ids::BoxId;
use rossby_schemas::time::Timestamp;
use sqlx::SqliteConnection;
pub(crate) use standing::GroupStates;

use crate::Client;
use crate::error::ClientError;
use crate::messages::Conversation;
use crate::store::contacts;
use crate::store::groups::{self as rows, GroupRow, GroupStanding};
use crate::store::messages::StoredMessage;

/// How this account stands to a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Membership {
    /// Somebody has added it, and it has not answered.
    Requested,
    /// It is a member.
    Member,
    /// It is a member, and may change the group.
    Admin,
    /// It was added, and has declined.
    Declined,
    /// It has left.
    Left,
    /// It was removed.
    Removed,
}

impl Membership {
    /// Its name, for people and scripts.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Requested => "requested",
            Self::Member => "member",
            Self::Admin => "admin",
            Self::Declined => "declined",
            Self::Left => "left",
            Self::Removed => "removed",
        }
    }
}

/// A group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// Its id.
    pub id: GroupId,
    /// Its name, which an admin has given.
    pub name: String,
    /// How this account stands to it.
    pub membership: Membership,
    /// The members, in the order of their boxes.
    pub members: Vec<GroupMember>,
    /// Who added this account.
    pub added_by: Option<BoxId>,
    /// How many changes were made.
    pub changes: usize,
}

/// A member of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupMember {
    /// The box.
    pub box_id: BoxId,
    /// The identifier under which this device found it, if it did.
    pub identifier: Option<String>,
    /// Whether it may change the group.
    pub is_admin: bool,
    /// Whether it is this account.
    pub is_you: bool,
}

/// What was done in a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupEvent {
    /// The change's hash.
    pub change: Sha256Digest,
    /// Who made it.
    pub author: BoxId,
    /// The identifier under which this device found the author, if it did.
    pub author_identifier: Option<String>,
    /// Whether this account made it.
    pub is_yours: bool,
    /// When, by the author's clock.
    pub time: Timestamp,
    /// What.
    pub action: Action,
    /// Whom it is about.
    pub subjects: Vec<GroupMember>,
    /// Whether it counts: what a removed member did at the time of its removal does not.
    pub counts: bool,
}

impl Client {
    /// The groups that this account is in, was asked into, or was in.
    ///
    /// # Errors
    /// The store's.
    pub async fn groups(&self) -> Result<Vec<Group>, ClientError> {
        let own = self.device().await?.box_id;
        let mut connection = self.store.read().await?;
        let mut groups = Vec::new();
        for row in rows::all(&mut connection).await? {
            groups.extend(self.show_group(&mut connection, own, row).await?);
        }
        Ok(groups)
    }

    /// A group.
    ///
    /// # Errors
    /// [`ClientError::NoSuchGroup`], [`ClientError::NoGroupNamed`], [`ClientError::AmbiguousGroup`].
    pub async fn group(&self, group: &GroupRef) -> Result<Group, ClientError> {
        let id = self.shown_group_id(group).await?;
        let own = self.device().await?.box_id;
        let mut connection = self.store.read().await?;
        let row = rows::group(&mut connection, id).await?.ok_or(ClientError::NoSuchGroup(id.0))?;
        self.show_group(&mut connection, own, row).await?.ok_or(ClientError::NoSuchGroup(id.0))
    }

    /// What was done in a group, in an order in which each change stands after those that it was made on.
    ///
    /// # Errors
    /// Those of [`Client::group`].
    pub async fn group_history(&self, group: &GroupRef) -> Result<Vec<GroupEvent>, ClientError> {
        let id = self.shown_group_id(group).await?;
        let mut connection = self.store.read().await?;
        let known = self.graph(&mut connection, id).await?.ok_or(ClientError::NoSuchGroup(id.0))?;
        let mut events = Vec::with_capacity(known.graph.len());
        for change in known.graph.changes() {
            events.push(self.event(&mut connection, &known.graph, change).await?);
        }
        Ok(events)
    }

    /// The members of a group in which the person takes part, this account among them; none of another.
    pub(crate) async fn fellows(
        &self,
        connection: &mut SqliteConnection,
        own: BoxId,
        id: GroupId,
    ) -> Result<Vec<BoxId>, ClientError> {
        let row = rows::group(connection, id).await?;
        let known = self.graph(connection, id).await?;
        Ok(match (row, known) {
            (Some(row), Some(known)) if row.standing == GroupStanding::Joined && known.graph.state().is_member(own) => {
                known.graph.state().members().map(|(box_id, _)| box_id).collect()
            }
            _ => Vec::new(),
        })
    }

    async fn show_group(
        &self,
        connection: &mut SqliteConnection,
        own: BoxId,
        row: GroupRow,
    ) -> Result<Option<Group>, ClientError> {
        let Some(known) = self.sound_graph(connection, row.id).await? else { return Ok(None) };
        let state = known.graph.state();
        let mut members = Vec::new();
        for (box_id, member) in state.members() {
            let identifier = contacts::identifiers_of(connection, box_id).await?.into_iter().next();
            let is_admin = member.role == Role::Admin;
            members.push(GroupMember { box_id, identifier, is_admin, is_you: box_id == own });
        }
        let added_by = row.member_by.and_then(|by| known.graph.change_of(&by)).map(|change| change.change().author);
        Ok(Some(Group {
            id: row.id,
            name: state.name().to_owned(),
            membership: membership(state, own, row.standing),
            members,
            added_by,
            changes: known.graph.len(),
        }))
    }

    /// What a message shows of the group that it belongs to.
    pub(crate) async fn in_group(
        &self,
        connection: &mut SqliteConnection,
        stored: &StoredMessage,
    ) -> Result<InGroup, ClientError> {
        let Conversation::Group(group) = stored.thread else { return Ok(InGroup::default()) };
        let id = GroupId(group);
        let row = rows::group(connection, id).await?;
        let is_requested = row.is_some_and(|row| row.standing == GroupStanding::Requested);
        let framed = rows::frame(connection, &self.vault, stored.id).await?;
        let mut shown = InGroup { is_requested, is_late: framed.is_some_and(|row| row.is_late), ..InGroup::default() };
        let Some(known) = self.graph(connection, id).await? else { return Ok(shown) };
        shown.name = Some(known.graph.state().name().to_owned());
        if stored.kind == GROUP_CHANGES {
            let brought = body::GroupChanges::read(&stored.body).and_then(|brought| brought.signed_changes());
            for change in brought.unwrap_or_default().iter().filter(|change| change.change().author == stored.sender) {
                if let Some(change) = known.graph.change_of(&change.hash()) {
                    shown.events.push(self.event(connection, &known.graph, change).await?);
                }
            }
        }
        Ok(shown)
    }

    async fn event(
        &self,
        connection: &mut SqliteConnection,
        graph: &GroupGraph,
        change: &VerifiedChange,
    ) -> Result<GroupEvent, ClientError> {
        let author = change.change().author;
        let own = self.device().await?.box_id;
        let mut subjects = Vec::new();
        for (box_id, role) in subjects_of(&change.change().action) {
            let identifier = contacts::identifiers_of(connection, box_id).await?.into_iter().next();
            subjects.push(GroupMember { box_id, identifier, is_admin: role == Role::Admin, is_you: box_id == own });
        }
        Ok(GroupEvent {
            change: change.hash(),
            author,
            is_yours: author == own,
            author_identifier: contacts::identifiers_of(connection, author).await?.into_iter().next(),
            time: change.change().time,
            action: change.change().action.clone(),
            subjects,
            counts: graph.counts(&change.hash()).unwrap_or_default(),
        })
    }
}

/// What a message shows of the group that it belongs to.
#[derive(Debug, Default)]
pub(crate) struct InGroup {
    pub(crate) name: Option<String>,
    pub(crate) is_requested: bool,
    pub(crate) is_late: bool,
    pub(crate) events: Vec<GroupEvent>,
}

fn membership(state: &GroupState, own: BoxId, standing: GroupStanding) -> Membership {
    match (state.member(own), standing) {
        (Some(_), GroupStanding::Requested | GroupStanding::Unknown) => Membership::Requested,
        (None, GroupStanding::Declined) if matches!(state.former_of(own), Some(Former::Left(_))) => Membership::Left,
        (_, GroupStanding::Declined) => Membership::Declined,
        (Some(member), GroupStanding::Joined) if member.role == Role::Admin => Membership::Admin,
        (Some(_), GroupStanding::Joined) => Membership::Member,
        (None, _) => match state.former_of(own) {
            Some(Former::Left(_)) => Membership::Left,
            Some(Former::Removed(_)) | None => Membership::Removed,
        },
    }
}

/// Whom a change is about, and which role it gives them.
fn subjects_of(action: &Action) -> Vec<(BoxId, Role)> {
    match action {
        Action::Found { members, .. } | Action::Add { members } => {
            members.iter().map(|member| (member.box_id, member.role)).collect()
        }
        Action::Remove { member } => vec![(*member, Role::Member)],
        Action::SetRole { member, role } => vec![(*member, *role)],
        Action::Leave | Action::Rename { .. } | Action::Affirm => Vec::new(),
    }
}

#[cfg(test)]
mod tests;

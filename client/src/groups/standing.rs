//! Whether the person takes part in a group that somebody has added them to. The own devices agree.

use rossby_crypto::group::{GroupGraph, GroupId};
use rossby_schemas::encoding::Sha256Digest;
use rossby_schemas::time::Timestamp;
use serde::{Deserialize, Serialize};
use sqlx::SqliteConnection;
use uuid::Uuid;

use super::{Group, GroupRef, Membership};
use crate::Client;
use crate::error::ClientError;
use crate::messages::{Conversation, OwnMessage};
use crate::store::device::Device;
use crate::store::groups::{self as rows, GroupRow, GroupStanding};
use crate::store::transcripts;

/// How many groups one message of the own devices is about at most.
const MAX_GROUPS: usize = 100;

/// Kind 1006: how the person stands to groups.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct GroupStates {
    groups: Vec<GroupEntry>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct GroupEntry {
    group: Uuid,
    standing: StandingName,
    /// The change by which the box is a member, for which that was decided.
    member_by: Sha256Digest,
    decided_at: Timestamp,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum StandingName {
    Requested,
    Joined,
    Declined,
}

impl From<StandingName> for GroupStanding {
    fn from(name: StandingName) -> Self {
        match name {
            StandingName::Requested => Self::Requested,
            StandingName::Joined => Self::Joined,
            StandingName::Declined => Self::Declined,
        }
    }
}

impl GroupEntry {
    fn of(row: &GroupRow) -> Option<Self> {
        let standing = match row.standing {
            GroupStanding::Unknown => return None,
            GroupStanding::Requested => StandingName::Requested,
            GroupStanding::Joined => StandingName::Joined,
            GroupStanding::Declined => StandingName::Declined,
        };
        Some(Self { group: row.id.0, standing, member_by: row.member_by?, decided_at: row.decided_at })
    }
}

impl GroupStates {
    /// What is wrong with it, if something is.
    pub(crate) fn check(&self) -> Result<(), String> {
        let count = self.groups.len();
        if count > MAX_GROUPS {
            Err(format!("groups has {count} entries; at most {MAX_GROUPS} are taken"))
        } else {
            Ok(())
        }
    }
}

impl Client {
    /// Takes part in a group that somebody has added this account to.
    ///
    /// # Errors
    /// Those of [`Client::group`], and [`ClientError::NotInGroup`].
    pub async fn accept_group(&self, group: &GroupRef) -> Result<GroupId, ClientError> {
        let id = self.answered_group_id(group).await?;
        self.answer_and_tell(id, GroupStanding::Joined).await?;
        Ok(id)
    }

    /// Does not take part in a group: what comes of it is passed over, and what has come is erased, its changes too. Nobody is told;
    /// to leave tells the members. Gives the group as it was.
    ///
    /// # Errors
    /// Those of [`Client::group`], and [`ClientError::NotInGroup`].
    pub async fn decline_group(&self, group: &GroupRef) -> Result<Group, ClientError> {
        let id = self.answered_group_id(group).await?;
        let shown = self.group(&id.into()).await?;
        self.answer_and_tell(id, GroupStanding::Declined).await?;
        Ok(Group { membership: Membership::Declined, ..shown })
    }

    async fn answer_and_tell(&self, id: GroupId, standing: GroupStanding) -> Result<(), ClientError> {
        let device = self.device().await?;
        let mut transaction = self.store.begin().await?;
        self.answer_group(&mut transaction, &device, id, standing).await?;
        transaction.commit().await?;
        self.store.scrub().await
    }

    /// Decides how the person stands to a group as a member by the addition that counts now, and tells the own devices.
    pub(super) async fn answer_group(
        &self,
        connection: &mut SqliteConnection,
        device: &Device,
        id: GroupId,
        standing: GroupStanding,
    ) -> Result<(), ClientError> {
        let known = self.graph(connection, id).await?.ok_or(ClientError::NoSuchGroup(id.0))?;
        let state = known.graph.state();
        let member = state.member(device.box_id).ok_or_else(|| ClientError::NotInGroup(state.name().to_owned()))?;
        let decided = (member.seniority.change, self.now());
        self.set_group_standing(connection, id, standing, decided).await?;
        self.tell_standing(connection, device, id).await
    }

    /// Tells the own devices how the person stands to a group.
    pub(super) async fn tell_standing(
        &self,
        connection: &mut SqliteConnection,
        device: &Device,
        id: GroupId,
    ) -> Result<(), ClientError> {
        let row = rows::group(connection, id).await?;
        let groups: Vec<GroupEntry> = row.iter().filter_map(GroupEntry::of).collect();
        self.tell_devices(connection, device, &OwnMessage::GroupStates(GroupStates { groups })).await
    }

    async fn set_group_standing(
        &self,
        connection: &mut SqliteConnection,
        id: GroupId,
        standing: GroupStanding,
        (member_by, decided_at): (Sha256Digest, Timestamp),
    ) -> Result<(), ClientError> {
        rows::stand(connection, id, standing, member_by, decided_at).await?;
        if standing == GroupStanding::Declined {
            self.erase_graph(connection, id).await?;
            transcripts::erase_all(connection, &self.vault, Conversation::Group(id.0)).await?;
        }
        Ok(())
    }

    /// Takes what another of the own devices has decided: of two decisions on one addition the later, of two of one time the one that
    /// says more, and one on an addition that is not known here yet for when it comes. So what the person says counts before what
    /// the devices decide by themselves, which has no time.
    pub(crate) async fn heed_group_states(
        &self,
        connection: &mut SqliteConnection,
        states: &GroupStates,
    ) -> Result<(), ClientError> {
        for entry in &states.groups {
            let id = GroupId(entry.group);
            rows::hear(connection, id, self.now()).await?;
            let Some(row) = rows::group(connection, id).await? else { continue };
            let is_same = row.member_by == Some(entry.member_by);
            let (decided, known) = ((entry.decided_at, entry.standing.into()), (row.decided_at, row.standing));
            let is_news = match self.graph(connection, id).await? {
                Some(known) if !is_same => is_later_addition(&known.graph, row.member_by, entry.member_by),
                // The changes of a group that was declined are erased.
                None if row.standing == GroupStanding::Declined => known < decided,
                Some(_) | None => true,
            };
            if is_news && (!is_same || known < decided) {
                let by = (entry.member_by, entry.decided_at.min(self.now()));
                self.set_group_standing(connection, id, decided.1, by).await?;
            }
        }
        Ok(())
    }

    /// Tells the own devices, of which one is new, of every group: its changes, and how the person stands to it.
    pub(crate) async fn share_groups(
        &self,
        connection: &mut SqliteConnection,
        device: &Device,
    ) -> Result<(), ClientError> {
        let rows = rows::all(connection).await?;
        let entries: Vec<GroupEntry> = rows.iter().filter_map(GroupEntry::of).collect();
        for groups in entries.chunks(MAX_GROUPS) {
            let states = GroupStates { groups: groups.to_vec() };
            self.tell_devices(connection, device, &OwnMessage::GroupStates(states)).await?;
        }
        for row in rows {
            let Some(known) = self.sound_graph(connection, row.id).await? else { continue };
            let changes = known.graph.changes().map(|change| change.signed().octets().clone()).collect();
            let authors = known.graph.changes().map(|change| change.change().author).collect();
            self.bring(connection, device, row.id, device.box_id, (changes, authors, Vec::new())).await?;
        }
        Ok(())
    }
}

/// Whether an addition is not one of before the known one.
fn is_later_addition(graph: &GroupGraph, known: Option<Sha256Digest>, other: Sha256Digest) -> bool {
    known.is_none_or(|known| !graph.includes(&[known], &[other]))
}

//! Founding and changing groups. Each change goes to all who were members and all who are, but for one that is removed before
//! anything of the group can have reached it; who is new gets the whole graph first.

use std::collections::BTreeSet;

use rossby_crypto::group::{Action, GroupChange, GroupGraph, GroupId, NewMember, Refused, Role};
use rossby_schemas::encoding::Octets;
use rossby_schemas::ids::BoxId;
use sqlx::SqliteConnection;

use super::GroupRef;
use super::body::{GROUP_CHANGES, GroupChanges};
use super::graphs::KnownGraph;
use crate::Client;
use crate::account::Own;
use crate::contacts::Peer;
use crate::error::ClientError;
use crate::messages::{Conversation, Sent, Written};
use crate::random;
use crate::store::groups::{self as rows, GroupStanding};
use crate::store::records;

impl Client {
    /// Founds a group of these people. They are told, and can decline.
    ///
    /// # Errors
    /// [`ClientError::GroupChange`] for a bad name or too many members, and what the server says of each
    /// member's look-up.
    pub async fn create_group(&self, name: &str, members: &[Peer]) -> Result<(GroupId, Sent), ClientError> {
        let own = self.as_stored().await?;
        let members = self.boxes_of(members).await?;
        let members = members.into_iter().map(|box_id| NewMember { box_id, role: Role::Member }).collect();
        let change = GroupChange {
            author: own.device.box_id,
            device: own.device.device_id,
            head: own.record.head(),
            group: None,
            parents: Vec::new(),
            time: self.now(),
            action: Action::Found { random: random::octets(), name: name.to_owned(), members },
        };
        self.change_group(&own, None, change).await
    }

    /// Adds people to a group, as admins if that is said.
    ///
    /// # Errors
    /// [`ClientError::NoSuchGroup`], [`ClientError::GroupChange`], and what the server says of each one's look-up.
    pub async fn add_to_group(
        &self,
        group: &GroupRef,
        members: &[Peer],
        is_admin: bool,
    ) -> Result<(GroupId, Sent), ClientError> {
        let members = self.boxes_of(members).await?;
        let role = if is_admin { Role::Admin } else { Role::Member };
        let members = members.into_iter().map(|box_id| NewMember { box_id, role }).collect();
        self.act_on_group(group, Action::Add { members }).await
    }

    /// Removes somebody from a group: they get this change, and nothing after. They get nothing at all if nothing of the group can have
    /// reached them yet.
    ///
    /// # Errors
    /// [`ClientError::NoSuchGroup`], [`ClientError::GroupChange`].
    pub async fn remove_from_group(&self, group: &GroupRef, member: &Peer) -> Result<(GroupId, Sent), ClientError> {
        let member = self.box_of(member).await?;
        self.act_on_group(group, Action::Remove { member }).await
    }

    /// Leaves a group.
    ///
    /// # Errors
    /// [`ClientError::NoSuchGroup`], [`ClientError::GroupChange`].
    pub async fn leave_group(&self, group: &GroupRef) -> Result<(GroupId, Sent), ClientError> {
        self.act_on_group(group, Action::Leave).await
    }

    /// Gives a group another name.
    ///
    /// # Errors
    /// [`ClientError::NoSuchGroup`], and [`ClientError::GroupChange`] for a bad name.
    pub async fn rename_group(&self, group: &GroupRef, name: &str) -> Result<(GroupId, Sent), ClientError> {
        self.act_on_group(group, Action::Rename { name: name.to_owned() }).await
    }

    /// Makes a member of a group an admin, or takes that away.
    ///
    /// # Errors
    /// [`ClientError::NoSuchGroup`], [`ClientError::GroupChange`].
    pub async fn set_group_admin(
        &self,
        group: &GroupRef,
        member: &Peer,
        is_admin: bool,
    ) -> Result<(GroupId, Sent), ClientError> {
        // One can step down oneself.
        let member = match self.box_of(member).await {
            Err(ClientError::Oneself) => self.device().await?.box_id,
            other => other?,
        };
        let role = if is_admin { Role::Admin } else { Role::Member };
        self.act_on_group(group, Action::SetRole { member, role }).await
    }

    async fn act_on_group(&self, group: &GroupRef, action: Action) -> Result<(GroupId, Sent), ClientError> {
        let own = self.as_stored().await?;
        let id = self.group_id(group).await?;
        let mut connection = self.store.read().await?;
        let known = self.graph(&mut connection, id).await?.ok_or(ClientError::NoSuchGroup(id.0))?;
        drop(connection);
        let change = self.next_change(&own, &known.graph, action);
        self.change_group(&own, Some(id), change).await
    }

    pub(super) fn next_change(&self, own: &Own, graph: &GroupGraph, action: Action) -> GroupChange {
        let (author, device) = (own.device.box_id, own.device.device_id);
        graph.next(author, device, own.record.head(), self.now(), action)
    }

    /// Signs a change, stores it, and tells all whom it concerns.
    async fn change_group(
        &self,
        own: &Own,
        id: Option<GroupId>,
        change: GroupChange,
    ) -> Result<(GroupId, Sent), ClientError> {
        let mut transaction = self.store.begin().await?;
        // Another process may have changed the group since.
        let change = match (id, self.graph_of(&mut transaction, id).await?) {
            (Some(_), Some(known)) => self.next_change(own, &known.graph, change.action),
            _ => change,
        };
        let (id, message, recipients) = self.make_change(&mut transaction, own, change).await?;
        transaction.commit().await?;
        Ok((id, self.sent_away(message, &recipients).await?))
    }

    async fn graph_of(
        &self,
        connection: &mut SqliteConnection,
        id: Option<GroupId>,
    ) -> Result<Option<std::sync::Arc<KnownGraph>>, ClientError> {
        match id {
            Some(id) => self.graph(connection, id).await,
            None => Ok(None),
        }
    }

    pub(super) async fn make_change(
        &self,
        connection: &mut SqliteConnection,
        own: &Own,
        change: GroupChange,
    ) -> Result<(GroupId, i64, Vec<BoxId>), ClientError> {
        let is_founding = change.group.is_none();
        let signed = change.sign(&own.device.signing_key).map_err(ClientError::BadGroupChange)?;
        let id = signed.group_id();
        let before = if is_founding { None } else { self.graph(connection, id).await? };
        // Whether it may be made, before anything is stored.
        let verified = signed.clone().verify(&own.record).map_err(|_| ClientError::Removed)?;
        let after = match &before {
            None => KnownGraph::new(GroupGraph::founded(verified).map_err(ClientError::GroupChange)?, self.now()),
            Some(before) => {
                let mut after = KnownGraph::clone(before);
                after.graph.insert(verified).map_err(ClientError::GroupChange)?;
                after
            }
        };
        let members = |known: &KnownGraph| -> BTreeSet<BoxId> {
            known.graph.state().members().map(|(box_id, _)| box_id).chain(known.graph.state().beyond()).collect()
        };
        let (were, are) = (before.as_deref().map(members).unwrap_or_default(), members(&after));
        if !is_founding {
            self.welcome(connection, own, &after, are.difference(&were).copied()).await?;
        }
        let own_box = own.device.box_id;
        let unreached = match &before {
            Some(before) => self.never_reached(connection, own_box, before, were.difference(&are).copied()).await?,
            None => BTreeSet::new(),
        };
        self.take_changes_and_release(connection, own, id, vec![signed.clone()]).await?;
        for member in &unreached {
            self.leave_in_the_dark(connection, own_box, id, *member).await?;
        }
        let recipients = were.union(&are).copied().chain([own_box]);
        let recipients: Vec<BoxId> = recipients.filter(|recipient| !unreached.contains(recipient)).collect();
        let changes = vec![signed.octets().clone()];
        let body = GroupChanges { group: id.0, changes, ..GroupChanges::default() }.write();
        let conversation = Conversation::Group(id.0);
        let written = Written { conversation, kind: GROUP_CHANGES, body, is_shown: true, frame: None, beside: None };
        let (message, _) = self.compose(connection, &own.device, &recipients, written).await?;
        Ok((id, message, recipients))
    }

    /// Brings the whole graph to these, who are new.
    async fn welcome(
        &self,
        connection: &mut SqliteConnection,
        own: &Own,
        known: &KnownGraph,
        new: impl Iterator<Item = BoxId>,
    ) -> Result<(), ClientError> {
        let id = known.graph.id();
        let changes: Vec<Octets> = known.graph.changes().map(|change| change.signed().octets().clone()).collect();
        let authors: Vec<BoxId> = known.graph.changes().map(|change| change.change().author).collect();
        for to in new.filter(|to| *to != own.device.box_id) {
            self.bring(connection, &own.device, id, to, (changes.clone(), authors.clone(), Vec::new())).await?;
        }
        Ok(())
    }

    /// The boxes that addresses lead to, each once.
    async fn boxes_of(&self, peers: &[Peer]) -> Result<BTreeSet<BoxId>, ClientError> {
        let mut boxes = BTreeSet::new();
        for peer in peers {
            let found = self.recipient_among_many(peer).await;
            let box_id = found.map_err(|error| named(peer, error))?.record.box_id();
            if box_id == self.device().await?.box_id {
                return Err(ClientError::Oneself);
            }
            boxes.insert(box_id);
        }
        Ok(boxes)
    }

    /// This device and its box's record as they are in the store.
    pub(crate) async fn as_stored(&self) -> Result<Own, ClientError> {
        let device = self.device().await?;
        let mut connection = self.store.read().await?;
        let record = records::own_record(&mut connection, device.box_id).await?;
        Ok(Own { device, record })
    }

    /// Names the own key record's head to the groups that this box may change, if a device was removed since it was named last:
    /// what that device signs from now on is void there. A group that it may not change is named it once it may.
    pub(crate) async fn affirm_to_groups(&self, own: &Own) -> Result<(), ClientError> {
        let removed = own.record.devices().iter().filter_map(|device| device.removed_version).max();
        let Some(removed) = removed else { return Ok(()) };
        let own_box = own.device.box_id;
        let mut transaction = self.store.begin().await?;
        for row in rows::all(&mut transaction).await? {
            if row.standing != GroupStanding::Joined || row.affirmed >= removed {
                continue;
            }
            let Some(known) = self.sound_graph(&mut transaction, row.id).await? else { continue };
            let is_named = known
                .graph
                .changes()
                .any(|change| change.change().author == own_box && change.change().head.version >= removed);
            if !is_named {
                if !known.graph.state().is_admin(own_box) {
                    continue;
                }
                let change = self.next_change(own, &known.graph, Action::Affirm);
                match self.make_change(&mut transaction, own, change).await {
                    // A graph that is full takes nothing of the removed device either.
                    Ok(_) | Err(ClientError::GroupChange(Refused::Full)) => {}
                    Err(ClientError::GroupChange(_)) => continue,
                    Err(error) => return Err(error),
                }
            }
            rows::affirmed(&mut transaction, row.id, own.record.head().version).await?;
        }
        Ok(transaction.commit().await?)
    }
}

/// What the server says of one of many, with the name of that one.
fn named(peer: &Peer, error: ClientError) -> ClientError {
    match error {
        ClientError::Refused(_) => ClientError::NoMember { member: peer.to_string(), error: Box::new(error) },
        error => error,
    }
}

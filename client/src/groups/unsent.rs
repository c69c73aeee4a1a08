//! What has not gone out yet to a box that is no member of a group any more: it is taken out of the outbox, but for the changes up to
//! its removal, which it may know. Nothing goes to one who was removed before anything of the group can have reached it.

use std::collections::BTreeSet;

use rossby_crypto::conversation::conversation_beside_group;
use rossby_crypto::group::{Former, GroupId};
use rossby_schemas::encoding::{Octets, Sha256Digest};
use rossby_schemas::ids::BoxId;
use sqlx::SqliteConnection;

use super::body::{GROUP_CHANGES, GROUP_REQUEST, GroupChanges, GroupRequest};
use super::graphs::KnownGraph;
use crate::Client;
use crate::error::ClientError;
use crate::messages::Conversation;
use crate::store::{messages, outbox};

/// Why a message does not go to one who was removed.
const NO_MEMBER: &str = "it is no member of the group any more";

impl Client {
    /// Takes what has not gone out yet to boxes that are no members any more out of the outbox, but for the changes that they may
    /// know.
    pub(super) async fn stop_sending(
        &self,
        connection: &mut SqliteConnection,
        own_box: BoxId,
        known: &KnownGraph,
    ) -> Result<(), ClientError> {
        let (id, state) = (known.graph.id(), known.graph.state());
        for (message, recipient) in outbox::of_conversation(connection, id.0).await? {
            if recipient == own_box || state.is_member(recipient) {
                continue;
            }
            let stored = messages::message(connection, &self.vault, message).await?;
            if stored.kind == GROUP_CHANGES && may_know(known, recipient, &stored.body) {
                continue;
            }
            self.take_back(connection, message, recipient, NO_MEMBER).await?;
        }
        // And what asks them, or brings changes to them alone.
        for (message, recipient) in outbox::of_kind(connection, GROUP_REQUEST).await? {
            let stored = messages::message(connection, &self.vault, message).await?;
            let is_about = GroupRequest::read(&stored.body).is_ok_and(|request| request.group == id.0);
            if is_about && !state.is_member(recipient) {
                self.take_back(connection, message, recipient, NO_MEMBER).await?;
            }
        }
        for (message, recipient) in outbox::of_kind(connection, GROUP_CHANGES).await? {
            let stored = messages::message(connection, &self.vault, message).await?;
            let is_about = GroupChanges::read(&stored.body).is_ok_and(|brought| brought.group == id.0);
            let is_for_them = stored.thread == Conversation::Direct(recipient) && recipient != own_box;
            if is_about && is_for_them && !state.is_member(recipient) && !may_know(known, recipient, &stored.body) {
                self.take_back(connection, message, recipient, NO_MEMBER).await?;
            }
        }
        Ok(())
    }

    /// Which of these members nothing of a group can have reached: the change by which each is one waits in this device's outbox
    /// for them, and no attempt to hand it over, or anything else of the group, may have come through.
    pub(super) async fn never_reached(
        &self,
        connection: &mut SqliteConnection,
        own_box: BoxId,
        known: &KnownGraph,
        members: impl Iterator<Item = BoxId>,
    ) -> Result<BTreeSet<BoxId>, ClientError> {
        let (id, mut unreached) = (known.graph.id(), BTreeSet::new());
        for member in members.filter(|member| *member != own_box) {
            let Some(added) = known.graph.state().member(member).map(|member| member.seniority.change) else {
                continue;
            };
            let conversations = conversations(own_box, member, id);
            if outbox::may_have_reached(connection, member, conversations).await? {
                continue;
            }
            for message in outbox::waiting_in(connection, member, conversations).await? {
                let stored = messages::message(connection, &self.vault, message).await?;
                if stored.kind == GROUP_CHANGES && brings(&stored.body, added) {
                    unreached.insert(member);
                }
            }
        }
        Ok(unreached)
    }

    /// Takes all that is in the outbox of a group for one whom nothing of it has reached out of it.
    pub(super) async fn leave_in_the_dark(
        &self,
        connection: &mut SqliteConnection,
        own_box: BoxId,
        id: GroupId,
        unreached: BoxId,
    ) -> Result<(), ClientError> {
        for message in outbox::waiting_in(connection, unreached, conversations(own_box, unreached, id)).await? {
            self.take_back(connection, message, unreached, NO_MEMBER).await?;
        }
        Ok(())
    }
}

/// The conversations in which something of a group goes to a member.
fn conversations(own_box: BoxId, member: BoxId, id: GroupId) -> [uuid::Uuid; 2] {
    [id.0, conversation_beside_group(own_box, member, id)]
}

fn brings(body: &Octets, hash: Sha256Digest) -> bool {
    let brought = GroupChanges::read(body).and_then(|brought| brought.signed_changes());
    brought.is_ok_and(|changes| changes.iter().any(|change| change.hash() == hash))
}

/// Whether a message brings nothing but changes that a box which was removed may know: those up to its removal, without which it
/// could not place that.
fn may_know(known: &KnownGraph, box_id: BoxId, body: &Octets) -> bool {
    let Some(Former::Removed(by)) = known.graph.state().former_of(box_id) else { return false };
    let brought = GroupChanges::read(body).and_then(|brought| Ok((brought.signed_changes()?, brought)));
    brought.is_ok_and(|(changes, brought)| {
        let hashes: Vec<Sha256Digest> = changes.iter().map(|change| change.hash()).collect();
        brought.messages.is_empty() && known.graph.includes(&[by], &hashes)
    })
}

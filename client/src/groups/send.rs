//! Writing to a group.

use rossby_crypto::group::{GroupContent, GroupId};
use rossby_schemas::encoding::Octets;
use rossby_schemas::ids::BoxId;
use sqlx::SqliteConnection;

use super::GroupRef;
use crate::Client;
use crate::content::{Content, Kind};
use crate::error::ClientError;
use crate::messages::{Conversation, Sent, Written, body_of};
use crate::store::device::Device;
use crate::store::groups::{self as rows, GroupStanding};

impl Client {
    /// Sends what a message may say to all members of a group. Whoever was asked into it takes part by that.
    ///
    /// # Errors
    /// [`ClientError::NoSuchGroup`], [`ClientError::NotInGroup`], [`ClientError::Content`], [`ClientError::TooLong`]: nothing was
    /// sent or stored.
    pub async fn send_to_group(&self, group: &GroupRef, content: &Content) -> Result<Sent, ClientError> {
        let body = body_of(content)?;
        let (device, id) = (self.device().await?, self.group_id(group).await?);
        self.write_and_send(&device, Conversation::Group(id.0), content.kind(), body).await
    }

    /// What goes to a group, and to whom: the members as this device knows them, the own box among them.
    pub(crate) async fn written_to_group(
        &self,
        connection: &mut SqliteConnection,
        device: &Device,
        id: GroupId,
        (kind, body): (Kind, Octets),
    ) -> Result<(Vec<BoxId>, Written), ClientError> {
        let row = rows::group(connection, id).await?.ok_or(ClientError::NoSuchGroup(id.0))?;
        let known = self.graph(connection, id).await?.ok_or(ClientError::NoSuchGroup(id.0))?;
        let state = known.graph.state();
        if !state.is_member(device.box_id) || row.standing == GroupStanding::Declined {
            return Err(ClientError::NotInGroup(state.name().to_owned()));
        }
        if row.standing == GroupStanding::Requested {
            self.answer_group(connection, device, id, GroupStanding::Joined).await?;
        }
        let frame = GroupContent {
            heads: known.graph.heads_for(device.box_id, device.device_id),
            seen: self.refer_to_seen(connection, device, id).await?,
            kind: kind.number(),
            body: Octets::default(),
        };
        let members = state.members().map(|(box_id, _)| box_id).collect();
        let (conversation, is_shown) = (Conversation::Group(id.0), kind.is_shown());
        let written = Written { conversation, kind: kind.number(), body, is_shown, frame: Some(frame), beside: None };
        Ok((members, written))
    }
}

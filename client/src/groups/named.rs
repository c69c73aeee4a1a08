//! Which group a person means. A stranger can give a group any name, and choose the beginning of its id by trying: so what waits for
//! the person's answer is never meant where something is sent or changed, unless by the whole id.

use std::convert::Infallible;
use std::fmt;
use std::str::FromStr;

use rossby_crypto::group::GroupId;
use uuid::Uuid;

use crate::Client;
use crate::error::ClientError;
use crate::store::groups::{self as rows, GroupStanding};
use crate::store::history;

/// A group as a person names it: by its id, by the beginning of that, or by its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupRef(String);

impl FromStr for GroupRef {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self(text.trim().to_owned()))
    }
}

impl From<GroupId> for GroupRef {
    fn from(id: GroupId) -> Self {
        Self(id.to_string())
    }
}

impl fmt::Display for GroupRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Client {
    /// The group that a person means who writes to it or changes it: by its whole id, or one in which they take part or took part.
    ///
    /// # Errors
    /// [`ClientError::NoGroupNamed`], [`ClientError::AmbiguousGroup`].
    pub async fn group_id(&self, group: &GroupRef) -> Result<GroupId, ClientError> {
        self.find_group(group, &[GroupStanding::Joined]).await
    }

    /// The group that a person means who looks at it: of those that wait for an answer, too, but after the others.
    ///
    /// # Errors
    /// Those of [`Client::group_id`].
    pub(super) async fn shown_group_id(&self, group: &GroupRef) -> Result<GroupId, ClientError> {
        self.find_group(group, &[GroupStanding::Joined, GroupStanding::Requested]).await
    }

    /// The group that a person means who answers: of those that wait for an answer before others.
    pub(super) async fn answered_group_id(&self, group: &GroupRef) -> Result<GroupId, ClientError> {
        self.find_group(group, &[GroupStanding::Requested, GroupStanding::Joined]).await
    }

    /// The group with this whole id; or, of the first standing in which there is one, the group that is called so, or else whose id
    /// begins so.
    async fn find_group(&self, GroupRef(text): &GroupRef, standings: &[GroupStanding]) -> Result<GroupId, ClientError> {
        let own = self.device().await?.box_id;
        let mut connection = self.store.read().await?;
        let rows = rows::all(&mut connection).await?;
        if let Ok(id) = text.parse::<Uuid>()
            // One that only an archive knows can be read.
            && (rows.iter().any(|row| row.id.0 == id) || history::knows_group(&mut connection, id).await?)
        {
            return Ok(GroupId(id));
        }
        for standing in standings {
            let (mut by_name, mut by_id) = (Vec::new(), Vec::new());
            for row in rows.iter().filter(|row| row.standing == *standing) {
                let Some(known) = self.sound_graph(&mut connection, row.id).await? else { continue };
                if known.graph.state().name() == text {
                    by_name.push((known.graph.state().is_member(own), row.id));
                }
                if is_beginning(text, row.id) {
                    by_id.push(row.id);
                }
            }
            // One that the person is in is meant before one that they were in.
            if by_name.iter().any(|(is_member, _)| *is_member) {
                by_name.retain(|(is_member, _)| *is_member);
            }
            let found: Vec<GroupId> =
                if by_name.is_empty() { by_id } else { by_name.into_iter().map(|(_, id)| id).collect() };
            match found[..] {
                [id] => return Ok(id),
                [] => {}
                _ => return Err(ClientError::AmbiguousGroup(text.clone())),
            }
        }
        Err(ClientError::NoGroupNamed(text.clone()))
    }
}

/// Whether a text is the beginning of a group's id, long enough to be meant so.
fn is_beginning(text: &str, id: GroupId) -> bool {
    const SHORTEST: usize = 4;
    let digits: String = text.chars().filter(|c| *c != '-').collect::<String>().to_ascii_lowercase();
    digits.len() >= SHORTEST && id.0.simple().to_string().starts_with(&digits)
}

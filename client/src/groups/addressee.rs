//! Whom a person means: somebody, or a group.

use rossby_crypto::group::GroupId;

use super::GroupRef;
use crate::Client;
use crate::contacts::Peer;
use crate::content::{Content, MessageRef, Reply};
use crate::error::ClientError;
use crate::messages::{Conversation, MessageName, Sent};

/// Somebody or a group to write to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Addressee {
    /// Somebody.
    Peer(Peer),
    /// A group.
    Group(GroupRef),
}

impl Client {
    /// Whom a text means: a group that has this id, a phone number, an email address or a box, or a group that is called so. A group
    /// that waits for the person's answer is meant by its whole id only.
    ///
    /// # Errors
    /// [`ClientError::NotAnAddressee`], [`ClientError::AmbiguousGroup`].
    pub async fn resolve(&self, text: &str) -> Result<Addressee, ClientError> {
        let Ok(group) = text.parse();
        addressee(text, self.group_id(&group).await)
    }

    /// Whose conversation a text means, to be read: a group that waits for the person's answer, too, if nothing else is meant.
    ///
    /// # Errors
    /// Those of [`Client::resolve`].
    pub async fn resolve_to_read(&self, text: &str) -> Result<Addressee, ClientError> {
        let Ok(group) = text.parse();
        addressee(text, self.shown_group_id(&group).await)
    }

    /// The conversation with somebody, or of a group.
    ///
    /// # Errors
    /// What the server says of somebody's look-up; those of [`Client::group`].
    pub async fn conversation_of(&self, addressee: &Addressee) -> Result<Conversation, ClientError> {
        match addressee {
            Addressee::Peer(peer) => self.conversation_with(peer).await,
            Addressee::Group(group) => Ok(Conversation::Group(self.group_id(group).await?.0)),
        }
    }

    /// Sends what a message may say, to somebody or to a group.
    ///
    /// # Errors
    /// Those of [`Client::send_content`] and [`Client::send_to_group`].
    pub async fn send_to(&self, addressee: &Addressee, content: &Content) -> Result<Sent, ClientError> {
        match addressee {
            Addressee::Peer(peer) => self.send_content(peer, content).await,
            Addressee::Group(group) => self.send_to_group(group, content).await,
        }
    }

    /// Answers a message of a conversation with somebody, or of a group.
    ///
    /// # Errors
    /// Those of [`Client::find`] and [`Client::send_to`], and [`ClientError::OtherConversation`].
    pub async fn reply_to(&self, addressee: &Addressee, to: &MessageName, text: &str) -> Result<Sent, ClientError> {
        let conversation = self.conversation_of(addressee).await?;
        let message = self.find_in(conversation, to).await?;
        let to = MessageRef { box_id: message.author, message_id: message.message_id };
        self.send_to(addressee, &Content::Reply(Reply { to, text: text.to_owned() })).await
    }
}

fn addressee(text: &str, found: Result<GroupId, ClientError>) -> Result<Addressee, ClientError> {
    match (text.parse::<Peer>(), found) {
        // An id is a box's or a group's, and never both.
        (Ok(Peer::Box(_)), Ok(id)) => Ok(Addressee::Group(id.into())),
        (Ok(peer), _) => Ok(Addressee::Peer(peer)),
        (Err(_), Ok(id)) => Ok(Addressee::Group(id.into())),
        (Err(_), Err(ClientError::NoGroupNamed(text))) => Err(ClientError::NotAnAddressee(text)),
        (Err(_), Err(error)) => Err(error),
    }
}

//! Saying something of a message: an answer, another text, that it is taken back, an emoji.

use std::fmt;
use std::str::FromStr;

use rossby_schemas::ids::{BoxId, MessageId};

use super::send::body_of;
use super::{Conversation, Message, Sent};
use crate::Client;
use crate::contacts::Peer;
use crate::content::{Content, Deletion, Edit, MessageRef, Reaction, Reply};
use crate::error::ClientError;
use crate::store::transcripts::{self, Among};

/// How a person names a message: by its id, or the beginning of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageName(String);

impl FromStr for MessageName {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self(text.trim().to_owned()))
    }
}

impl fmt::Display for MessageName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<MessageId> for MessageName {
    fn from(id: MessageId) -> Self {
        Self(id.to_string())
    }
}

impl MessageName {
    /// How much of an id must be typed.
    const SHORTEST: usize = 4;
    /// How many digits an id has.
    const WHOLE: usize = 32;

    /// Whether it is all of an id.
    fn is_whole(&self) -> bool {
        self.0.chars().filter(|c| *c != '-').count() == Self::WHOLE
    }

    /// The lowest and the highest id that begin so; none if no id does.
    fn range(&self) -> Option<(MessageId, MessageId)> {
        let digits: String = self.0.chars().filter(|c| *c != '-').collect();
        if !(Self::SHORTEST..=Self::WHOLE).contains(&digits.len()) || !digits.chars().all(|c| c.is_ascii_hexdigit()) {
            return None;
        }
        let filled = |fill: char| {
            let text: String = digits.chars().chain(std::iter::repeat(fill)).take(Self::WHOLE).collect();
            u128::from_str_radix(&text, 16).ok().map(|number| MessageId::from_bytes(number.to_be_bytes()))
        };
        Some((filled('0')?, filled('f')?))
    }
}

impl Client {
    /// The message that a person means: of several with that id their own, since who got it may have used its id again.
    ///
    /// # Errors
    /// [`ClientError::NoSuchMessage`], [`ClientError::AmbiguousMessage`].
    pub async fn find(&self, name: &MessageName) -> Result<Message, ClientError> {
        self.find_among(name, None).await
    }

    /// The message of a conversation that a person means: of several with that id their own.
    ///
    /// # Errors
    /// Those of [`Client::find`], and [`ClientError::OtherConversation`].
    pub async fn find_in(&self, conversation: Conversation, name: &MessageName) -> Result<Message, ClientError> {
        match self.find_among(name, Some(conversation)).await {
            Err(ClientError::NoSuchMessage(_)) => {
                Err(ClientError::OtherConversation(self.find(name).await?.message_id))
            }
            found => found,
        }
    }

    async fn find_among(&self, name: &MessageName, conversation: Option<Conversation>) -> Result<Message, ClientError> {
        let own = self.device().await?.box_id;
        match self.only(own, name, Among { author: None, conversation }).await {
            Err(error @ ClientError::AmbiguousMessage(_)) if name.is_whole() => {
                self.only(own, name, Among { author: Some(own), conversation }).await.map_err(|_| error)
            }
            found => found,
        }
    }

    /// The only one of these messages that has this name.
    async fn only(&self, own: BoxId, name: &MessageName, among: Among) -> Result<Message, ClientError> {
        let nothing = || ClientError::NoSuchMessage(name.to_string());
        let range = name.range().ok_or_else(nothing)?;
        let mut connection = self.store.read().await?;
        let mut found = transcripts::between(&mut connection, &self.vault, range, among, 2).await?;
        match (found.pop(), found.pop()) {
            (Some(message), None) => self.show(&mut connection, own, message).await,
            (Some(_), Some(_)) => Err(ClientError::AmbiguousMessage(name.to_string())),
            _ => Err(nothing()),
        }
    }

    /// Answers a message of a conversation with somebody.
    ///
    /// # Errors
    /// Those of [`Client::find`] and [`Client::send`], and [`ClientError::OtherConversation`].
    pub async fn reply(&self, peer: &Peer, to: &MessageName, text: &str) -> Result<Sent, ClientError> {
        let conversation = self.conversation_with(peer).await?;
        let message = self.find_in(conversation, to).await?;
        let reply = Reply { to: message.reference(), text: text.to_owned() };
        self.send_content(peer, &Content::Reply(reply)).await
    }

    /// Gives one's own message another text.
    ///
    /// # Errors
    /// Those of [`Client::find`] and [`Client::send`]; [`ClientError::NotYours`], [`ClientError::NoText`],
    /// [`ClientError::Deleted`].
    pub async fn edit(&self, name: &MessageName, text: &str) -> Result<Sent, ClientError> {
        let message = self.own(name).await?;
        if !message.kind.is_editable() {
            return Err(ClientError::NoText(message.message_id));
        }
        let edit = Edit { message_id: message.message_id, text: text.to_owned() };
        self.say_of(&message, &Content::Edit(edit)).await
    }

    /// Takes one's own message back, for everyone: what it says is erased here, and wherever this comes. An attachment that was
    /// uploaded by this device goes from the server, too, if that can be reached; else when it expires.
    ///
    /// # Errors
    /// Those of [`Client::find`] and [`Client::send`]; [`ClientError::NotYours`], [`ClientError::Deleted`].
    pub async fn delete(&self, name: &MessageName) -> Result<Sent, ClientError> {
        let message = self.own(name).await?;
        let deletion = Deletion { message_id: message.message_id };
        let sent = self.say_of(&message, &Content::Deletion(deletion)).await?;
        self.take_blob_back(message.id).await?;
        self.store.scrub().await?;
        Ok(sent)
    }

    /// Puts an emoji on a message, or takes it away.
    ///
    /// # Errors
    /// Those of [`Client::find`] and [`Client::send`]; [`ClientError::Deleted`].
    pub async fn react(&self, name: &MessageName, emoji: &str, removed: bool) -> Result<Sent, ClientError> {
        self.react_to(&self.find(name).await?, emoji, removed).await
    }

    /// Puts an emoji on this message, or takes it away.
    ///
    /// # Errors
    /// Those of [`Client::send`]; [`ClientError::Deleted`].
    pub async fn react_to(&self, message: &Message, emoji: &str, removed: bool) -> Result<Sent, ClientError> {
        if message.is_deleted {
            return Err(ClientError::Deleted(message.message_id));
        }
        let reaction = Reaction { to: message.reference(), emoji: emoji.to_owned(), removed };
        self.say_of(message, &Content::Reaction(reaction)).await
    }

    /// The message that a person means, which must be one's own.
    async fn own(&self, name: &MessageName) -> Result<Message, ClientError> {
        let own = self.device().await?.box_id;
        match self.only(own, name, Among { author: Some(own), conversation: None }).await {
            Ok(Message { is_deleted: true, message_id, .. }) => Err(ClientError::Deleted(message_id)),
            Err(ClientError::NoSuchMessage(_)) => Err(ClientError::NotYours(self.find(name).await?.message_id)),
            found => found,
        }
    }

    /// Says something of a message to all who have it.
    async fn say_of(&self, message: &Message, content: &Content) -> Result<Sent, ClientError> {
        let body = body_of(content)?;
        let device = self.device().await?;
        self.write_and_send(&device, message.conversation, content.kind(), body).await
    }
}

impl Message {
    /// What others call it.
    #[must_use]
    pub const fn reference(&self) -> MessageRef {
        MessageRef { box_id: self.author, message_id: self.message_id }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_beginning_of_an_id_names_all_that_begin_so() {
        let range = |text: &str| {
            let name: MessageName = text.parse().unwrap();
            name.range().map(|(from, to)| (from.to_string(), to.to_string()))
        };
        let whole = "0f0e0d0c-0b0a-4908-8706-050403020100";
        assert_eq!(range(whole), Some((whole.to_owned(), whole.to_owned())));
        let (from, to) = ("0f0e0000-0000-0000-0000-000000000000", "0f0effff-ffff-ffff-ffff-ffffffffffff");
        assert_eq!(range(" 0F0e "), Some((from.to_owned(), to.to_owned())));
        let (from, to) = ("0f0e0d0c-0b00-0000-0000-000000000000", "0f0e0d0c-0bff-ffff-ffff-ffffffffffff");
        assert_eq!(range("0f0e0d0c-0b"), Some((from.to_owned(), to.to_owned())));
        for none in ["", "0f0", "xyzw", "+f0e", &format!("{whole}0")] {
            assert_eq!(range(none), None, "{none}");
        }
    }
}

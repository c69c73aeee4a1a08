//! What people read: the list of conversations, and the messages of one, each as it is now.

use std::collections::{BTreeMap, BTreeSet};

use rossby_schemas::ids::BoxId;
use rossby_schemas::time::Timestamp;
use sqlx::SqliteConnection;

use super::{Archived, Conversation, Emoji, Message, Recipient, Referred};
use crate::Client;
use crate::contacts::{Peer, Verified, shown_mark};
use crate::content::{Content, Kind, MessageRef, Standing};
use crate::error::ClientError;
use crate::store::history::{self, Kept};
use crate::store::messages::StoredMessage;
use crate::store::transcripts::{self, Direction, Place};
use crate::store::{about, contacts, messages, outbox, peers, profiles};

/// How many emojis of one author are shown on a message: the latest ones.
const MAX_EMOJIS_OF_AN_AUTHOR: usize = 10;

/// A conversation, as a list of them shows it.
#[derive(Debug, Clone, PartialEq)]
pub struct ConversationOverview {
    /// Which it is.
    pub conversation: Conversation,
    /// The identifiers under which this device found the other side of a direct one.
    pub identifiers: Vec<String>,
    /// What the other side of a direct one calls itself: claimed, and checked by nobody.
    pub claimed_name: Option<String>,
    /// How the person stands to the other side of a direct one.
    pub standing: Option<Standing>,
    /// Whether the person has verified the other side of a direct one.
    pub verified: Option<Verified>,
    /// Whether sending is withheld: the address of the other side of a direct one leads to another box now.
    pub is_changed: bool,
    /// The addresses that led to the other side of a direct one until the person accepted that they lead elsewhere, the last one
    /// first.
    pub formerly: Vec<String>,
    /// How many of its messages weren't read yet.
    pub unread: u64,
    /// The message that came or was sent last.
    pub last: Message,
}

impl ConversationOverview {
    /// Whether it is a stranger's request, or a group's that somebody has added the person to.
    #[must_use]
    pub fn is_request(&self) -> bool {
        self.last.is_request
    }

    /// One of which only an archive knows messages.
    const fn of_archive(conversation: Conversation, last: Message) -> Self {
        Self {
            conversation,
            identifiers: Vec::new(),
            claimed_name: None,
            standing: None,
            verified: None,
            is_changed: false,
            formerly: Vec::new(),
            unread: 0,
            last,
        }
    }
}

/// The addresses that led to a box, and lead elsewhere now.
async fn formerly(connection: &mut SqliteConnection, box_id: BoxId) -> Result<Vec<String>, ClientError> {
    Ok(contacts::left(connection, box_id).await?.into_iter().map(|(identifier, _)| identifier).collect())
}

impl Message {
    /// Its place in the order of its conversation.
    pub(crate) fn place(&self) -> Place {
        let written = history::written(self.time, self.accepted_at);
        Place { written, message_id: self.message_id, id: self.id.max(0) }
    }
}

/// What was said of a message.
#[derive(Debug, Default)]
struct Said {
    is_deleted: bool,
    edited: Option<(Timestamp, String)>,
    emojis: Vec<Emoji>,
}

impl Client {
    /// All conversations, the one with the last message first; message requests among them.
    ///
    /// # Errors
    /// The store's.
    pub async fn conversations(&self) -> Result<Vec<ConversationOverview>, ClientError> {
        let own = self.device().await?.box_id;
        let mut connection = self.store.read().await?;
        let mut conversations = Vec::new();
        for overview in transcripts::overviews(&mut connection).await? {
            let (identifiers, standing) = match overview.conversation.peer() {
                Some(peer) if peer == own => (Vec::new(), Some(Standing::Accepted)),
                Some(peer) => (
                    contacts::identifiers_of(&mut connection, peer).await?,
                    Some(peers::state(&mut connection, peer).await?.standing),
                ),
                None => (Vec::new(), None),
            };
            let (verified, is_changed, formerly) = match overview.conversation.peer() {
                Some(peer) => {
                    let moved = contacts::moved(&mut connection, peer).await?;
                    (shown_mark(&mut connection, peer).await?, moved.is_some(), formerly(&mut connection, peer).await?)
                }
                None => (None, false, Vec::new()),
            };
            let claimed_name = match overview.conversation.peer().filter(|peer| *peer != own) {
                Some(peer) => profiles::name(&mut connection, &self.vault, peer).await?,
                None => None,
            };
            let last = messages::message(&mut connection, &self.vault, overview.last).await?;
            conversations.push(ConversationOverview {
                conversation: overview.conversation,
                identifiers,
                claimed_name,
                standing,
                verified,
                is_changed,
                formerly,
                unread: overview.unread,
                last: self.show(&mut connection, own, last).await?,
            });
        }
        for (conversation, kept) in history::conversations_alone(&mut connection, &self.vault).await? {
            let Some(last) = self.show_archived(&mut connection, own, kept).await? else { continue };
            let mut overview = ConversationOverview::of_archive(conversation, last);
            if let Some(peer) = conversation.peer() {
                overview.identifiers = contacts::identifiers_of(&mut connection, peer).await?;
                overview.standing = Some(peers::state(&mut connection, peer).await?.standing);
                overview.verified = shown_mark(&mut connection, peer).await?;
                overview.is_changed = contacts::moved(&mut connection, peer).await?.is_some();
                overview.formerly = formerly(&mut connection, peer).await?;
            }
            conversations.push(overview);
        }
        Ok(conversations)
    }

    /// The conversation with somebody, by what is known here, or by what the server says if nothing is. With oneself it is what the
    /// own devices say to each other.
    ///
    /// # Errors
    /// What the server says.
    pub async fn conversation_with(&self, peer: &Peer) -> Result<Conversation, ClientError> {
        let own = self.device().await?.box_id;
        match self.box_of(peer).await {
            Err(ClientError::Oneself) => Ok(Conversation::Direct(own)),
            // What was written is read all the same.
            Err(ClientError::RootChanged { pinned, .. }) => Ok(Conversation::Direct(pinned)),
            other => other.map(Conversation::Direct),
        }
    }

    /// The last `limit` messages of a conversation, or those before one of them, in the order in which they were written: the same
    /// on every device, whenever they came.
    ///
    /// # Errors
    /// The store's.
    pub async fn transcript(
        &self,
        conversation: Conversation,
        limit: u32,
        before: Option<&Message>,
    ) -> Result<Vec<Message>, ClientError> {
        self.page_of(conversation, limit, Direction::Before, before.map(Message::place)).await
    }

    /// The `limit` messages of a conversation that are next to a place, those among them that an archive has brought.
    pub(crate) async fn page_of(
        &self,
        conversation: Conversation,
        limit: u32,
        direction: Direction,
        place: Option<Place>,
    ) -> Result<Vec<Message>, ClientError> {
        let own = self.device().await?.box_id;
        let mut connection = self.store.read().await?;
        let page = transcripts::page(&mut connection, &self.vault, conversation, limit, (direction, place)).await?;
        let mut messages = self.show_all(&mut connection, own, page).await?;
        let kept = history::page(&mut connection, &self.vault, conversation, limit, (direction, place)).await?;
        if kept.is_empty() {
            return Ok(messages);
        }
        for kept in kept {
            messages.extend(self.show_archived(&mut connection, own, kept).await?);
        }
        messages.sort_by_key(Message::place);
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        match direction {
            Direction::Before => drop(messages.drain(..messages.len().saturating_sub(limit))),
            Direction::After => messages.truncate(limit),
        }
        Ok(messages)
    }

    /// A message that an archive has brought, as it is now: its author may have changed it or taken it back since.
    async fn show_archived(
        &self,
        connection: &mut SqliteConnection,
        own: BoxId,
        kept: Kept,
    ) -> Result<Option<Message>, ClientError> {
        // Numbers of the store's own messages are positive.
        let Some(mut message) = kept.record.message(-kept.id, own) else { return Ok(None) };
        let identifier = contacts::identifiers_of(connection, message.author).await?.into_iter().next();
        if identifier.is_some() {
            message.author_identifier = identifier;
            message.claimed_name = profiles::name(connection, &self.vault, message.author).await?;
        }
        if let Some(peer) = message.conversation.peer() {
            message.peer_identifier = contacts::identifiers_of(connection, peer).await?.into_iter().next();
        }
        let said = self.said_of(connection, message.conversation, message.reference()).await?;
        if said.is_deleted {
            (message.content, message.text, message.is_deleted) = (None, None, true);
            message.archived = Some(Archived { attachment: None });
        } else if let Some((at, text)) = said.edited.filter(|_| message.kind.is_editable()) {
            match &mut message.content {
                Some(Content::Text(now)) => now.clone_from(&text),
                Some(Content::Reply(reply)) => reply.text.clone_from(&text),
                _ => {}
            }
            (message.text, message.edited_at) = (Some(text), Some(at));
        }
        for Emoji { emoji, authors } in said.emojis {
            match message.reactions.iter_mut().find(|known| known.emoji == emoji) {
                Some(known) => {
                    known.authors.extend(authors);
                    known.authors.sort_unstable();
                    known.authors.dedup();
                }
                None => message.reactions.push(Emoji { emoji, authors }),
            }
        }
        Ok(Some(message))
    }

    /// The first `limit` of the messages that weren't read yet, and of what was said of others.
    ///
    /// # Errors
    /// The store's.
    pub async fn unread(&self, limit: u32) -> Result<Vec<Message>, ClientError> {
        let own = self.device().await?.box_id;
        let mut connection = self.store.read().await?;
        let unread = transcripts::unread(&mut connection, &self.vault, limit).await?;
        let mut shown = self.show_all(&mut connection, own, unread).await?;
        // What is said of a message that is new itself is seen on it.
        let new: BTreeSet<MessageRef> =
            shown.iter().filter(|message| message.kind.is_shown()).map(Message::reference).collect();
        shown.retain(|message| {
            let about = message.refers_to.as_ref().filter(|_| message.kind.is_notice());
            !about.is_some_and(|about| new.contains(&about.message))
        });
        Ok(shown)
    }

    /// The last `limit` messages, read and sent ones too, in the order in which they came.
    ///
    /// # Errors
    /// The store's.
    pub async fn latest(&self, limit: u32) -> Result<Vec<Message>, ClientError> {
        let own = self.device().await?.box_id;
        let mut connection = self.store.read().await?;
        let latest = transcripts::latest(&mut connection, &self.vault, limit).await?;
        self.show_all(&mut connection, own, latest).await
    }

    async fn show_all(
        &self,
        connection: &mut SqliteConnection,
        own: BoxId,
        stored: Vec<StoredMessage>,
    ) -> Result<Vec<Message>, ClientError> {
        let mut messages = Vec::with_capacity(stored.len());
        for message in stored {
            messages.push(self.show(connection, own, message).await?);
        }
        Ok(messages)
    }

    /// A message as it is now.
    pub(super) async fn show(
        &self,
        connection: &mut SqliteConnection,
        own: BoxId,
        stored: StoredMessage,
    ) -> Result<Message, ClientError> {
        let said = self.said_of_stored(connection, &stored).await?;
        let (content, edited_at) = now(&stored, &said);
        let refers_to = match &content {
            Some(Content::Reply(reply)) => Some(reply.to),
            Some(Content::Edit(edit)) => Some(MessageRef { box_id: stored.sender, message_id: edit.message_id }),
            Some(Content::Deletion(deletion)) => {
                Some(MessageRef { box_id: stored.sender, message_id: deletion.message_id })
            }
            Some(Content::Reaction(reaction)) => Some(reaction.to),
            _ => None,
        };
        let refers_to = match refers_to {
            Some(message) => Some(self.refer(connection, own, stored.thread, message).await?),
            None => None,
        };
        let identifier = async |connection: &mut SqliteConnection, box_id| -> Result<_, ClientError> {
            Ok(contacts::identifiers_of(connection, box_id).await?.into_iter().next())
        };
        let (peer_identifier, is_request) = match stored.thread {
            Conversation::Direct(peer) => {
                let standing = peers::state(connection, peer).await?.standing;
                (identifier(connection, peer).await?, peer != own && standing == Standing::Stranger)
            }
            Conversation::Group(_) => (None, false),
        };
        let heading = self.in_group(connection, &stored).await?;
        let recipients = outbox::recipients(connection, stored.id).await?;
        Ok(Message {
            id: stored.id,
            message_id: stored.message_id,
            conversation: stored.thread,
            author: stored.sender,
            author_identifier: identifier(connection, stored.sender).await?,
            claimed_name: profiles::name(connection, &self.vault, stored.sender).await?,
            peer_identifier,
            is_outgoing: stored.sender == own,
            group_name: heading.name,
            is_request: is_request || heading.is_requested,
            is_late: heading.is_late,
            group_events: heading.events,
            time: stored.time,
            accepted_at: stored.accepted_at,
            kind: Kind::of(stored.kind),
            text: content.as_ref().and_then(Content::text).map(str::to_owned),
            content,
            edited_at,
            is_deleted: said.is_deleted,
            refers_to,
            reactions: said.emojis,
            state: stored.state.into(),
            recipients: recipients.into_iter().filter(|row| row.box_id != own).map(Recipient::from).collect(),
            archived: None,
        })
    }

    /// A message that another one is about, as it is now.
    async fn refer(
        &self,
        connection: &mut SqliteConnection,
        own: BoxId,
        thread: Conversation,
        message: MessageRef,
    ) -> Result<Referred, ClientError> {
        let is_outgoing = message.box_id == own;
        let named = transcripts::named(connection, &self.vault, thread, message).await?;
        let Some(stored) = named.into_iter().next() else {
            return Ok(Referred { message, kind: None, text: None, is_deleted: false, is_outgoing });
        };
        let said = self.said_of_stored(connection, &stored).await?;
        let (content, _) = now(&stored, &said);
        Ok(Referred {
            message,
            kind: Some(Kind::of(stored.kind)),
            text: content.as_ref().and_then(Content::text).map(str::to_owned),
            is_deleted: said.is_deleted,
            is_outgoing,
        })
    }

    /// What was said of a message of the store's own.
    async fn said_of_stored(
        &self,
        connection: &mut SqliteConnection,
        stored: &StoredMessage,
    ) -> Result<Said, ClientError> {
        if !stored.is_shown {
            return Ok(Said::default());
        }
        let itself = MessageRef { box_id: stored.sender, message_id: stored.message_id };
        self.said_of(connection, stored.thread, itself).await
    }

    /// What was said of a message. Of each author's edits and emojis the last counts, by time and message id, so that all devices
    /// come to the same.
    async fn said_of(
        &self,
        connection: &mut SqliteConnection,
        thread: Conversation,
        itself: MessageRef,
    ) -> Result<Said, ClientError> {
        let mut said = Said::default();
        let mut decided: BTreeMap<BoxId, BTreeMap<String, bool>> = BTreeMap::new();
        for said_of_it in about::of(connection, &self.vault, thread, itself).await? {
            match Content::decode(Kind::of(said_of_it.kind), &said_of_it.body) {
                Ok(Some(Content::Deletion(_))) => return Ok(Said { is_deleted: true, ..Said::default() }),
                Ok(Some(Content::Edit(edit))) if said.edited.is_none() => {
                    said.edited = Some((said_of_it.time, edit.text));
                }
                Ok(Some(Content::Reaction(reaction))) => {
                    let of_author = decided.entry(said_of_it.sender).or_default();
                    let is_on = !reaction.removed
                        && of_author.values().filter(|is_on| **is_on).count() < MAX_EMOJIS_OF_AN_AUTHOR;
                    of_author.entry(reaction.emoji).or_insert(is_on);
                }
                _ => {}
            }
        }
        let mut authors: BTreeMap<String, Vec<BoxId>> = BTreeMap::new();
        for (author, emojis) in decided {
            for (emoji, _) in emojis.into_iter().filter(|(_, is_on)| *is_on) {
                authors.entry(emoji).or_default().push(author);
            }
        }
        said.emojis = authors.into_iter().map(|(emoji, authors)| Emoji { emoji, authors }).collect();
        Ok(said)
    }
}

/// What a message says with what was said of it, and when its text was changed.
fn now(stored: &StoredMessage, said: &Said) -> (Option<Content>, Option<Timestamp>) {
    if said.is_deleted {
        return (None, None);
    }
    let content = Content::decode(Kind::of(stored.kind), &stored.body).ok().flatten();
    match (content, &said.edited) {
        (Some(Content::Text(_)), Some((at, text))) => (Some(Content::Text(text.clone())), Some(*at)),
        (Some(Content::Reply(mut reply)), Some((at, text))) => {
            reply.text.clone_from(text);
            (Some(Content::Reply(reply)), Some(*at))
        }
        (content, _) => (content, None),
    }
}

impl Content {
    /// The text that it says, if it is one.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Reply(reply) => Some(&reply.text),
            Self::Edit(edit) => Some(&edit.text),
            Self::Attachment(attachment) => attachment.caption.as_deref(),
            Self::Deletion(_) | Self::Reaction(_) | Self::Location(_) | Self::Receipt(_) | Self::ProfileKey(_) => None,
        }
    }
}

//! What conversations and people are called, and messages in short, on one line of the screen.

use rossby_client::{AccountIdentifier, Content, Conversation, ConversationOverview, Kind, Message, Referred};
use rossby_schemas::ids::BoxId;

use super::text::one_line;
use crate::person::screen::{address, group_name};
use crate::person::{attachments, groups};

/// How much of a box's id is shown where there is no address.
const ID_CHARS: usize = 8;
/// How much of an address's hash is shown: as much as the command shows.
const HASH_CHARS: usize = 12;
/// How much of a message is quoted at most, in characters: more than fits on any line.
const QUOTED_CHARS: usize = 400;

/// Somebody without an address.
fn unnamed(what: &str, id: &str) -> String {
    format!("{what} {}", id.chars().take(ID_CHARS).collect::<String>())
}

/// What somebody is called.
pub(super) fn person(box_id: BoxId, identifier: Option<&str>) -> String {
    match identifier {
        Some(identifier) => one_line(address(identifier)),
        None => unnamed("box", &box_id.to_string()),
    }
}

/// What a conversation is called: with somebody by their address, a group by the name that it was given.
pub(super) fn conversation(conversation: Conversation, identifier: Option<&str>, group: Option<&str>) -> String {
    match conversation {
        Conversation::Direct(peer) => person(peer, identifier),
        Conversation::Group(id) => group.map_or_else(|| unnamed("group", &id.to_string()), self::group),
    }
}

/// What a group is called. Its members chose the name.
pub(super) fn group(name: &str) -> String {
    one_line(&group_name(name))
}

/// What a conversation of the list is called.
pub(super) fn overview(overview: &ConversationOverview) -> String {
    let identifier = overview.identifiers.first().map(String::as_str);
    conversation(overview.conversation, identifier, overview.last.group_name.as_deref())
}

/// What one of the account's addresses is called; one that this device doesn't know yet, by the beginning of its hash.
pub(super) fn identifier(identifier: &AccountIdentifier) -> String {
    match &identifier.identifier {
        Some(identifier) => one_line(address(identifier)),
        None => format!("{} …", identifier.hash.to_string().chars().take(HASH_CHARS).collect::<String>()),
    }
}

/// Who wrote a message.
pub(super) fn author(message: &Message) -> String {
    match message.is_outgoing {
        true => "you".to_owned(),
        false => person(message.author, message.author_identifier.as_deref()),
    }
}

fn short(text: &str) -> String {
    let beginning: String = text.chars().take(QUOTED_CHARS).collect();
    one_line(&beginning)
}

/// A message in short.
pub(super) fn summary(message: &Message) -> String {
    let who = match (message.is_outgoing, message.conversation) {
        (true, _) => "you: ".to_owned(),
        (false, Conversation::Group(_)) => format!("{}: ", author(message)),
        (false, Conversation::Direct(_)) => String::new(),
    };
    let what = match &message.content {
        _ if message.is_deleted => "deleted".to_owned(),
        Some(Content::Location(location)) => format!("place {}", one_line(&location.to_string())),
        Some(Content::Attachment(attachment)) => one_line(&attachments::summary(attachment)),
        Some(content) => content.text().map_or_else(|| kind(message.kind), short),
        None if message.kind == Kind::GroupChange => deeds(message),
        None => kind(message.kind),
    };
    format!("{who}{what}")
}

/// What was done in a group.
pub(super) fn deeds(message: &Message) -> String {
    let deeds: Vec<String> = message.group_events.iter().map(|event| one_line(&groups::deed(event, person))).collect();
    match deeds.is_empty() {
        true => "changed the group; the change was refused".to_owned(),
        false => deeds.join("; "),
    }
}

/// A message that another one is about, in short: who wrote it, and what it says.
pub(super) fn quoted(referred: &Referred, author: Option<String>) -> (String, String) {
    let who = match (referred.is_outgoing, author) {
        (true, _) => "you".to_owned(),
        (false, author) => author.unwrap_or_else(|| person(referred.message.box_id, None)),
    };
    let text = match (referred.is_deleted, &referred.text, referred.kind) {
        (true, _, _) => "deleted".to_owned(),
        (false, Some(text), _) => short(text),
        (false, None, Some(found)) => kind(found),
        (false, None, None) => "a message that isn't here".to_owned(),
    };
    (who, text)
}

/// What a message is that has no text.
pub(super) fn kind(kind: Kind) -> String {
    match kind {
        Kind::Text | Kind::Reply => "a text".to_owned(),
        Kind::Edit => "an edit".to_owned(),
        Kind::Deletion => "a deletion".to_owned(),
        Kind::Reaction => "a reaction".to_owned(),
        Kind::Attachment => "an attachment".to_owned(),
        Kind::Location => "a place".to_owned(),
        Kind::Receipt => "a receipt".to_owned(),
        Kind::ProfileKey => "a key to a profile".to_owned(),
        Kind::GroupChange => "a change of the group".to_owned(),
        Kind::Unknown(number) => format!("a message of kind {number}, which this version does not know"),
    }
}

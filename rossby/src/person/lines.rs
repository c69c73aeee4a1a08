//! Messages as lines for people. What a stranger wrote can neither command the terminal nor pass for the line of another message.

use rossby_client::{Content, Conversation, Kind, Message, MessageState, Recipient, Referred};
use rossby_schemas::ids::BoxId;

use super::screen::{address, bold, claimed as claimed_name, faint, group_name, minute, printable};
use super::{attachments, groups};

/// How much of a message is quoted.
const QUOTED_CHARS: usize = 40;
/// How much of an id is shown: enough to name a message by.
const ID_CHARS: usize = 8;

/// What a conversation is called.
pub(super) fn name(conversation: Conversation, identifier: Option<&str>, group: Option<&str>) -> String {
    match (identifier, conversation) {
        (Some(identifier), _) => printable(address(identifier)),
        (None, Conversation::Direct(peer)) => format!("box {peer}"),
        (None, Conversation::Group(id)) => group.map_or_else(|| format!("group {id}"), group_name),
    }
}

/// What somebody is called.
pub(super) fn person(box_id: BoxId, identifier: Option<&str>) -> String {
    identifier.map_or_else(|| format!("box {box_id}"), |identifier| printable(address(identifier)))
}

/// Messages as the inbox shows them: who wrote what, with whom.
pub(super) fn inbox(messages: &[Message]) -> String {
    let (requests, others): (Vec<&Message>, Vec<&Message>) = messages.iter().partition(|message| message.is_request);
    let mut text: String = others.into_iter().map(inbox_line).collect();
    if !requests.is_empty() {
        text += "Message requests from people whom you have not written to; see `rossby requests`:\n";
        text.extend(requests.into_iter().map(inbox_line));
    }
    text
}

fn inbox_line(message: &Message) -> String {
    let name = name(message.conversation, message.peer_identifier.as_deref(), message.group_name.as_deref());
    let name = match (message.is_outgoing, message.conversation) {
        (true, Conversation::Direct(peer)) if peer == message.author => "to yourself".to_owned(),
        (true, _) => format!("to {name}"),
        (false, Conversation::Direct(_)) => name,
        (false, Conversation::Group(_)) => {
            format!("{name}, {}", person(message.author, message.author_identifier.as_deref()))
        }
    };
    let claimed = message.claimed_name.as_deref().filter(|_| !message.is_outgoing);
    let claimed = claimed.map(|name| faint(&format!(" ({})", claimed_name(name)))).unwrap_or_default();
    let state = match message.state {
        MessageState::Pending => " (in the outbox)",
        MessageState::Failed => " (not sent)",
        MessageState::Sent | MessageState::New | MessageState::Read => "",
    };
    format!("{} {}{claimed}{state}{}\n", faint(&minute(message.time)), bold(&name), said(message))
}

/// The messages of one conversation, with their ids and with what became of them.
pub(super) fn transcript(messages: &[Message]) -> String {
    messages.iter().map(transcript_line).collect()
}

fn transcript_line(message: &Message) -> String {
    let author = match message.is_outgoing {
        true => "you".to_owned(),
        false => person(message.author, message.author_identifier.as_deref()),
    };
    let id: String = message.message_id.to_string().chars().take(ID_CHARS).collect();
    let mut text = format!("{} {} {}{}", faint(&minute(message.time)), faint(&id), bold(&author), said(message));
    for emoji in &message.reactions {
        text += &format!("  {} {}", printable(&emoji.emoji), emoji.authors.len());
    }
    if message.archived.is_some() {
        text += &format!("  {}", faint("(from an archive)"));
    }
    if let Some(mark) = mark(message) {
        text += &format!("  {}", faint(&format!("({mark})")));
    }
    text + "\n"
}

/// What became of a message that was sent from here.
fn mark(message: &Message) -> Option<String> {
    if !message.is_outgoing {
        return None;
    }
    let count = |is: fn(&Recipient) -> bool| message.recipients.iter().filter(|recipient| is(recipient)).count();
    let (all, delivered) = (message.recipients.len(), count(|recipient| recipient.delivered_at.is_some()));
    let read = count(|recipient| recipient.read_at.is_some());
    Some(match message.state {
        MessageState::Pending => "in the outbox".to_owned(),
        MessageState::Failed => "not sent".to_owned(),
        _ if all > 1 && delivered > 0 => format!("read by {read}, delivered to {delivered} of {all}"),
        _ if read > 0 => "read".to_owned(),
        _ if delivered > 0 => "delivered".to_owned(),
        _ => "sent".to_owned(),
    })
}

/// What a message says, behind the name of who wrote it. Lines of it are set in, so that none can pass for another message.
fn said(message: &Message) -> String {
    let about = message.refers_to.as_ref();
    let edited = if message.edited_at.is_some() { " (edited)" } else { "" };
    let said = match (&message.content, message.kind) {
        (None, Kind::GroupChange) => groups::events(&message.group_events),
        _ if message.is_deleted => ": [deleted]".to_owned(),
        (Some(Content::Text(text)), _) => format!("{edited}: {}", printable(text)),
        (Some(Content::Reply(reply)), _) => format!(", to {}{edited}: {}", quoted(about), printable(&reply.text)),
        (Some(Content::Edit(edit)), _) => format!(" [edited a message]: {}", printable(&edit.text)),
        (Some(Content::Deletion(_)), _) => " [deleted a message]".to_owned(),
        (Some(Content::Reaction(reaction)), _) => {
            let word = if reaction.removed { "took away" } else { "reacted" };
            format!(" [{word} {} on {}]", printable(&reaction.emoji), quoted(about))
        }
        (Some(Content::Location(location)), _) => format!(": [a place] {}", printable(&location.to_string())),
        (Some(Content::Attachment(attachment)), _) => {
            let id: String = message.message_id.to_string().chars().take(ID_CHARS).collect();
            let caption = attachment.caption.as_deref().map(|caption| format!("\n{}", printable(caption)));
            let how = if message.is_outgoing { String::new() } else { faint(&format!(" (rossby download {id})")) };
            format!(": {}{how}{}", attachments::summary(attachment), caption.unwrap_or_default())
        }
        (Some(Content::Receipt(_)), _) => " [a receipt]".to_owned(),
        (Some(Content::ProfileKey(_)), _) => " [a key to a profile]".to_owned(),
        (None, Kind::Attachment) => archived_attachment(message),
        (None, Kind::Edit) => " [edited a message that was deleted since]".to_owned(),
        (None, Kind::Unknown(number)) => format!(": [a message of kind {number}, which this version does not know]"),
        (None, _) => ": [a message that this version can't show]".to_owned(),
    };
    let late = if message.is_late { " (it was removed before this came, and may have written it after)" } else { "" };
    format!("{late}{said}").replace('\n', "\n    ")
}

/// An attachment of which an archive tells.
fn archived_attachment(message: &Message) -> String {
    let attachment = message.archived.as_ref().and_then(|archived| archived.attachment.as_ref());
    let summary = attachment.map_or_else(|| "[an attachment]".to_owned(), attachments::archived_summary);
    let caption = message.text.as_deref().map(|caption| format!("\n{}", printable(caption)));
    format!(": {summary}{}", caption.unwrap_or_default())
}

/// The beginning of a message, in one line.
pub(super) fn summary(message: &Message) -> String {
    let who = match (message.is_outgoing, message.conversation) {
        (true, _) => "you".to_owned(),
        (false, Conversation::Direct(_)) => String::new(),
        (false, Conversation::Group(_)) => person(message.author, message.author_identifier.as_deref()),
    };
    let said = said(message);
    let said = if who.is_empty() { said.trim_start_matches([':', ' ']) } else { &said };
    cut(&format!("{who}{said}"))
}

fn quoted(about: Option<&Referred>) -> String {
    match about {
        Some(Referred { is_deleted: true, .. }) => "a deleted message".to_owned(),
        Some(Referred { text: Some(text), .. }) => format!("“{}”", cut(&printable(text))),
        Some(Referred { kind: Some(Kind::Location), .. }) => "a place".to_owned(),
        Some(Referred { kind: Some(Kind::Attachment), .. }) => "an attachment".to_owned(),
        Some(Referred { kind: None, .. }) | None => "a message that is not here".to_owned(),
        Some(_) => "a message".to_owned(),
    }
}

/// The first line of a text, and not too much of it.
fn cut(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default();
    let cut: String = line.chars().take(QUOTED_CHARS).collect();
    if cut.len() < text.len() { cut + "…" } else { cut }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_are_one_short_line() {
        assert_eq!(cut("short"), "short");
        assert_eq!(cut("two\nlines"), "two…");
        assert_eq!(cut(&"ä".repeat(41)), "ä".repeat(40) + "…");
        assert_eq!(cut(""), "");
    }
}

//! What the person's commands print as JSON. Scripts read it: names and forms stay.

use rossby_client::{
    Account, AccountIdentifier, Attachment, Contact, Content, Conversation, ConversationOverview, Group, GroupAction,
    GroupEvent, GroupMember, GroupRole, Kind, LockKind, Message, MessageState, Notice, OwnDevice, Profile, Recipient,
    Referred, Registration, Sent, Typing, Verified, Warning, Way,
};
use serde_json::{Value, json};

mod history;

pub(super) use self::history::{account_event, history_fault};

pub(super) fn registration(registration: &Registration) -> Value {
    let mut document = json!({
        "identifier": registration.identifier,
        "box_id": registration.box_id,
        "code_expires_at": registration.code_expires_at,
    });
    if let Some(words) = &registration.recovery_words {
        document["recovery_words"] = json!(words.as_str());
    }
    document
}

pub(super) fn account(account: &Account, server: &str) -> Value {
    json!({
        "identifier": account.identifier,
        "identifiers": account.identifiers,
        "box_id": account.box_id,
        "device_id": account.device_id,
        "authorized": account.is_authorized,
        "claim_until": account.claim_until,
        "server": server,
        "head": account.head,
        "devices": account.devices,
        "sealing_key": account.sealing_key.map(|(counter, expires)| json!({ "counter": counter, "expires": expires })),
        "forked": account.is_forked,
    })
}

pub(super) fn identifier(identifier: &AccountIdentifier) -> Value {
    json!({
        "identifier": identifier.identifier,
        "hash": identifier.hash,
        "added_at": identifier.added_at,
        "added_by": identifier.added_by,
        "strange": identifier.is_strange,
        "claimed_from": identifier.claimed_from,
        "awaited_until": identifier.awaited_until,
    })
}

pub(super) fn own_device(device: &OwnDevice) -> Value {
    json!({
        "device_id": device.device_id,
        "name": device.name,
        "this": device.is_this,
        "linked_at": device.linked_at,
        "linked_by": device.linked_by,
        "removed_at": device.removed_at,
        "sealing_expires": device.sealing_expires,
        "waiting": device.waiting,
        "last_confirmed_at": device.last_confirmed_at,
        "lost": device.lost,
    })
}

pub(super) fn sent(sent: &Sent) -> Value {
    json!({
        "message_id": sent.message_id,
        "recipient": sent.conversation.peer(),
        "group": group(sent.conversation),
        "recipients": sent.recipients.iter().map(recipient).collect::<Vec<_>>(),
        "state": state(sent.state),
        "accepted_at": sent.accepted_at,
        "reason": sent.reason.as_ref().map(ToString::to_string),
    })
}

fn verified(verified: Option<Verified>) -> Value {
    verified.map_or(Value::Null, |verified| json!({ "at": verified.at, "new_devices": verified.new_devices }))
}

pub(super) fn contact(contact: &Contact) -> Value {
    let devices = contact.devices.iter().map(|device| {
        json!({
            "device_id": device.device_id,
            "removed": device.is_removed,
            "sealing_expires": device.sealing_expires,
        })
    });
    json!({
        "box_id": contact.box_id,
        "identifiers": contact.identifiers,
        "head": contact.head,
        "devices": devices.collect::<Vec<_>>(),
        "safety_number": contact.safety_number.digits(),
        "changed": contact.is_changed,
        "verified": verified(contact.verified),
        "profile": contact.profile.as_ref().map(profile),
    })
}

pub(super) fn profile(profile: &Profile) -> Value {
    let picture = profile.picture.as_ref();
    json!({
        "name": profile.name,
        "picture": picture.map(|picture| json!({ "media_type": picture.media_type, "data": picture.data })),
    })
}

pub(super) fn message(message: &Message) -> Value {
    let mut document = json!({
        "message_id": message.message_id,
        "peer": message.conversation.peer(),
        "group": group(message.conversation),
        "group_name": message.group_name,
        "author": message.author,
        "author_identifier": message.author_identifier,
        "peer_identifier": message.peer_identifier,
        "claimed_name": message.claimed_name,
        "outgoing": message.is_outgoing,
        "request": message.is_request,
        "late": message.is_late,
        "archived": message.archived.is_some(),
        "time": message.time,
        "accepted_at": message.accepted_at,
        "kind": kind(message.kind),
        "text": message.text,
        "edited_at": message.edited_at,
        "deleted": message.is_deleted,
        "refers_to": message.refers_to.as_ref().map(referred),
        "reactions": message
            .reactions
            .iter()
            .map(|emoji| json!({ "emoji": emoji.emoji, "authors": emoji.authors }))
            .collect::<Vec<_>>(),
        "state": state(message.state),
        "recipients": message.recipients.iter().map(recipient).collect::<Vec<_>>(),
    });
    match &message.content {
        Some(Content::Location(location)) => document["location"] = json!(location),
        Some(Content::Attachment(attachment)) => document["attachment"] = self::attachment(attachment),
        None if message.archived.is_some() => document["attachment"] = archived_attachment(message),
        Some(Content::Reaction(reaction)) => {
            document["emoji"] = json!(reaction.emoji);
            document["removed"] = json!(reaction.removed);
        }
        _ => {}
    }
    if message.kind == Kind::GroupChange {
        document["changes"] = message.group_events.iter().map(group_event).collect();
    }
    document
}

/// What is shown of an attachment: not what opens it.
fn attachment(attachment: &Attachment) -> Value {
    json!({
        "role": attachment.role,
        "name": attachment.name,
        "media_type": attachment.media_type,
        "size": attachment.size,
        "caption": attachment.caption,
        "duration_ms": attachment.duration_ms,
        "expires_at": attachment.expires_at,
        "preview": attachment.preview.as_ref().map(|preview| json!({ "width": preview.width, "height": preview.height })),
    })
}

/// What an archive says of an attachment, in the same form.
fn archived_attachment(message: &Message) -> Value {
    let attachment = message.archived.as_ref().and_then(|archived| archived.attachment.as_ref());
    attachment.map_or(Value::Null, |attachment| {
        json!({
            "role": attachment.role,
            "name": attachment.name,
            "media_type": attachment.media_type,
            "size": attachment.size,
            "caption": message.text,
            "duration_ms": attachment.duration_ms,
        })
    })
}

fn group(conversation: Conversation) -> Value {
    match conversation {
        Conversation::Direct(_) => Value::Null,
        Conversation::Group(id) => json!(id.to_string()),
    }
}

fn kind(kind: Kind) -> Value {
    match kind {
        Kind::Text => json!("text"),
        Kind::Reply => json!("reply"),
        Kind::Edit => json!("edit"),
        Kind::Deletion => json!("deletion"),
        Kind::Reaction => json!("reaction"),
        Kind::Attachment => json!("attachment"),
        Kind::Location => json!("location"),
        Kind::Receipt => json!("receipt"),
        Kind::GroupChange => json!("group-change"),
        Kind::ProfileKey => json!("profile-key"),
        Kind::Unknown(number) => json!(number),
    }
}

fn referred(referred: &Referred) -> Value {
    json!({
        "box_id": referred.message.box_id,
        "message_id": referred.message.message_id,
        "kind": referred.kind.map(kind),
        "text": referred.text,
        "deleted": referred.is_deleted,
        "outgoing": referred.is_outgoing,
    })
}

fn recipient(recipient: &Recipient) -> Value {
    json!({
        "box_id": recipient.box_id,
        "state": state(recipient.state),
        "accepted_at": recipient.accepted_at,
        "delivered_at": recipient.delivered_at,
        "read_at": recipient.read_at,
        "reason": recipient.reason,
    })
}

pub(super) fn conversation(overview: &ConversationOverview) -> Value {
    json!({
        "peer": overview.conversation.peer(),
        "group": group(overview.conversation),
        "group_name": overview.last.group_name,
        "identifiers": overview.identifiers,
        "claimed_name": overview.claimed_name,
        "standing": overview.standing,
        "verified": verified(overview.verified),
        "changed": overview.is_changed,
        "formerly": overview.formerly,
        "unread": overview.unread,
        "last": message(&overview.last),
    })
}

pub(super) fn a_group(group: &Group) -> Value {
    json!({
        "group": group.id.to_string(),
        "name": group.name,
        "membership": group.membership.name(),
        "members": group.members.iter().map(group_member).collect::<Vec<_>>(),
        "added_by": group.added_by,
        "changes": group.changes,
    })
}

fn group_member(member: &GroupMember) -> Value {
    json!({
        "box_id": member.box_id,
        "identifier": member.identifier,
        "admin": member.is_admin,
        "you": member.is_you,
    })
}

pub(super) fn group_event(event: &GroupEvent) -> Value {
    let (done, name) = match &event.action {
        GroupAction::Found { name, .. } => ("founded", Some(name)),
        GroupAction::Add { .. } => ("added", None),
        GroupAction::Remove { .. } => ("removed", None),
        GroupAction::Leave => ("left", None),
        GroupAction::SetRole { role: GroupRole::Admin, .. } => ("promoted", None),
        GroupAction::SetRole { role: GroupRole::Member, .. } => ("demoted", None),
        GroupAction::Rename { name } => ("renamed", Some(name)),
        GroupAction::Affirm => ("affirmed", None),
    };
    json!({
        "change": event.change,
        "author": event.author,
        "author_identifier": event.author_identifier,
        "time": event.time,
        "done": done,
        "name": name,
        "subjects": event.subjects.iter().map(group_member).collect::<Vec<_>>(),
        "counts": event.counts,
    })
}

/// What happened, as a line of its own: what it is called, and what there is to say of it.
pub(super) fn event(name: &str, mut document: Value) -> Value {
    document["event"] = name.into();
    document
}

/// How a device hears of what comes.
pub(super) const fn way(way: Way) -> &'static str {
    match way {
        Way::Stream => "stream",
        Way::Asking => "asking",
    }
}

/// Somebody writes, or has stopped.
pub(super) fn typing(typing: &Typing) -> Value {
    json!({
        "peer": typing.conversation.peer(),
        "group": group(typing.conversation),
        "box_id": typing.box_id,
        "identifier": typing.identifier,
        "typing": typing.is_typing,
    })
}

pub(super) fn warnings(notices: &[Notice]) -> Value {
    let document = |notice: &Notice| {
        json!({
            "warning": notice.warning.name(),
            "detail": notice.text,
            "about": about(&notice.warning),
            "seen_at": notice.seen_at,
            "times": notice.times,
        })
    };
    notices.iter().map(document).collect()
}

/// The ids and numbers that a warning is about.
fn about(warning: &Warning) -> Value {
    match serde_json::to_value(warning) {
        Ok(Value::Object(variant)) => match variant.into_iter().next() {
            Some((_, fields @ Value::Object(_))) => fields,
            Some((_, box_id)) => json!({ "box_id": box_id }),
            None => json!({}),
        },
        _ => json!({}),
    }
}

pub(super) const fn lock(kind: LockKind) -> &'static str {
    match kind {
        LockKind::Passphrase => "passphrase",
        LockKind::KeyFile => "key-file",
        LockKind::Keyring => "keyring",
    }
}

const fn state(state: MessageState) -> &'static str {
    match state {
        MessageState::Pending => "pending",
        MessageState::Sent => "sent",
        MessageState::Failed => "failed",
        MessageState::New => "new",
        MessageState::Read => "read",
    }
}

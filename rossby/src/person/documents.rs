//! What the person's commands print as JSON. Scripts read it: names and forms stay.

use rossby_client::{Account, Contact, Kind, LockKind, Message, MessageState, Notice, OwnDevice, Registration, Sent};
use serde_json::{Value, json};

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
        "box_id": account.box_id,
        "device_id": account.device_id,
        "authorized": account.is_authorized,
        "server": server,
        "head": account.head,
        "devices": account.devices,
        "sealing_key": account.sealing_key.map(|(counter, expires)| json!({ "counter": counter, "expires": expires })),
        "forked": account.is_forked,
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
        "recipient": sent.recipient,
        "state": state(sent.state),
        "accepted_at": sent.accepted_at,
        "reason": sent.reason.as_ref().map(ToString::to_string),
    })
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
    })
}

pub(super) fn message(message: &Message) -> Value {
    let kind = match message.kind {
        Kind::Text => json!("text"),
        Kind::Unknown(number) => json!(number),
    };
    json!({
        "message_id": message.message_id,
        "peer": message.conversation.peer(),
        "author": message.author,
        "peer_identifier": message.peer_identifier,
        "outgoing": message.is_outgoing,
        "time": message.time,
        "accepted_at": message.accepted_at,
        "kind": kind,
        "text": message.text,
        "state": state(message.state),
    })
}

pub(super) fn warnings(notices: &[Notice]) -> Value {
    let document = |notice: &Notice| {
        json!({
            "warning": notice.warning.name(),
            "detail": notice.warning.to_string(),
            "seen_at": notice.seen_at,
            "times": notice.times,
        })
    };
    notices.iter().map(document).collect()
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

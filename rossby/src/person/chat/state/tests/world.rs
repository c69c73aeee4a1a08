//! People and messages for tests.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rossby_client::{
    AccountIdentifier, Attachment, Content, Conversation, ConversationOverview, Emoji, Group, GroupAction, GroupEvent,
    GroupId, GroupMember, Kind, Membership, Message, MessageRef, MessageState, Notice, OwnDevice, PendingUpload,
    Recipient, Referred, Reply, Role, Standing, Step, Warning,
};
use rossby_schemas::encoding::FixedOctets;
use rossby_schemas::ids::{BoxId, DeviceId, IdentifierHash, MessageId};
use rossby_schemas::time::Timestamp;
use serde_json::json;
use uuid::Uuid;

use crate::person::chat::state::action::{Known, Person};
use crate::person::chat::state::event::Transfer;
use crate::person::chat::state::{State, You};

/// The moment at which tests happen, and so many seconds after it.
pub(in crate::person::chat) fn at(seconds: u64) -> Timestamp {
    Timestamp::from_millis(1_795_512_600_000 + seconds * 1000).unwrap()
}

pub(in crate::person::chat) fn box_id(number: u8) -> BoxId {
    BoxId::from_bytes([number; 16])
}

pub(in crate::person::chat) fn message_id(number: i64) -> MessageId {
    MessageId(Uuid::from_u128(u128::try_from(number).unwrap() << 96))
}

/// The conversation with the person of this number; the person themselves have 1.
pub(in crate::person::chat) fn with(number: u8) -> Conversation {
    Conversation::Direct(box_id(number))
}

/// A chat at its beginning.
pub(in crate::person::chat) fn state() -> State {
    let you = You { box_id: box_id(1), address: "ann@example.org".to_owned() };
    State::new(you, at(0)).0
}

/// A text from the other side of a conversation, with this number in the store.
pub(in crate::person::chat) fn text(number: i64, peer: u8, text: &str) -> Message {
    Message {
        id: number,
        message_id: message_id(number),
        conversation: with(peer),
        author: box_id(peer),
        author_identifier: Some(format!("mailto:p{peer}@example.org")),
        claimed_name: None,
        peer_identifier: Some(format!("mailto:p{peer}@example.org")),
        is_outgoing: false,
        group_name: None,
        is_request: false,
        is_late: false,
        group_events: Vec::new(),
        time: at(u64::try_from(number).unwrap()),
        accepted_at: Some(at(u64::try_from(number).unwrap())),
        kind: Kind::Text,
        content: Some(Content::Text(text.to_owned())),
        text: Some(text.to_owned()),
        edited_at: None,
        is_deleted: false,
        refers_to: None,
        reactions: Vec::new(),
        state: MessageState::New,
        recipients: Vec::new(),
        archived: None,
    }
}

/// A file from the other side of a conversation.
pub(in crate::person::chat) fn file(number: i64, peer: u8, caption: &str) -> Message {
    let octets = URL_SAFE_NO_PAD.encode([7; 32]);
    let attachment: Attachment = serde_json::from_value(json!({
        "role": "file",
        "name": "report\u{202e}fdp.exe\u{1b}[2J",
        "media_type": "application/pdf",
        "size": 2_345_678,
        "blob_id": URL_SAFE_NO_PAD.encode([7; 34]),
        "key": octets,
        "digest": octets,
        "expires_at": at(3600),
        "caption": (!caption.is_empty()).then_some(caption),
    }))
    .unwrap();
    Message {
        kind: Kind::Attachment,
        content: Some(Content::Attachment(Box::new(attachment))),
        ..text(number, peer, "")
    }
}

/// A file on its way, with a name that commands a terminal.
pub(in crate::person::chat) fn transfer(number: u64, is_sent: bool, percent: u64) -> Transfer {
    let step = Some(if is_sent { Step::Uploading } else { Step::Downloading });
    let upload = is_sent.then(|| i64::try_from(number).unwrap());
    Transfer { number, name: "report\u{202e}\u{1b}[2J.pdf".to_owned(), is_sent, upload, step, percent }
}

/// A file that is kept and not on the server yet.
pub(in crate::person::chat) fn upload(id: i64) -> PendingUpload {
    let name = "later\u{202e}.pdf".to_owned();
    PendingUpload { id, conversation: with(2), role: Role::File, name, size: 1000, begun_at: at(0) }
}

/// A message in a group of this name.
pub(in crate::person::chat) fn in_group(message: Message, name: &str) -> Message {
    let conversation = Conversation::Group(group(7, 1).id.0);
    Message { conversation, peer_identifier: None, group_name: Some(name.to_owned()), ..message }
}

/// A group of so many members, the person among them, an admin.
pub(in crate::person::chat) fn group(number: u128, members: u8) -> Group {
    let member = |number: u8| GroupMember {
        box_id: box_id(number),
        identifier: (number > 1).then(|| format!("mailto:p{number}@example.org")),
        is_admin: number < 3,
        is_you: number == 1,
    };
    Group {
        id: GroupId(Uuid::from_u128(number << 96)),
        name: format!("Group {number}"),
        membership: Membership::Admin,
        members: (1..=members).map(member).collect(),
        added_by: Some(box_id(2)),
        changes: 1,
    }
}

/// What somebody did in a group.
pub(in crate::person::chat) fn event(author: u8) -> GroupEvent {
    GroupEvent {
        change: FixedOctets([author; 32]),
        author: box_id(author),
        author_identifier: None,
        is_yours: author == 1,
        time: at(u64::from(author)),
        action: GroupAction::Rename { name: "Chefs\u{1b}[2J".to_owned() },
        subjects: Vec::new(),
        counts: author != 3,
    }
}

/// An address of the account's, which somebody claims if its number is even.
pub(in crate::person::chat) fn claimed(number: u8) -> AccountIdentifier {
    AccountIdentifier {
        identifier: (number > 1).then(|| format!("mailto:me{number}@example.org")),
        hash: IdentifierHash([number; 32]),
        added_at: Some(at(0)),
        added_by: None,
        is_strange: false,
        claimed_from: number.is_multiple_of(2).then(|| at(3600)),
        awaited_until: None,
    }
}

/// So many devices of the person's; the third was removed.
pub(in crate::person::chat) fn devices(count: u128) -> Vec<OwnDevice> {
    let device = |number: u128| OwnDevice {
        device_id: DeviceId(Uuid::from_u128(number)),
        name: None,
        is_this: number == 1,
        linked_at: at(0),
        linked_by: None,
        removed_at: (number == 3).then(|| at(1)),
        sealing_expires: None,
        waiting: 1,
        last_confirmed_at: None,
        lost: None,
    };
    (1..=count).map(device).collect()
}

/// Somebody, as they are looked up.
pub(in crate::person::chat) fn somebody(number: u8) -> Person {
    Person {
        box_id: box_id(number),
        identifiers: Vec::new(),
        standing: Standing::Accepted,
        changed: Vec::new(),
        known: Some(known()),
    }
}

/// What is known of somebody.
pub(in crate::person::chat) fn known() -> Known {
    Known {
        claimed_name: None,
        verified: None,
        devices: Vec::new(),
        safety_number: "01234 56789 ".repeat(6).trim().to_owned(),
        code: "ROSSBY:VERIFY:".to_owned() + &"ABCDEFGH234567".repeat(18),
    }
}

/// A text of the person's own.
pub(in crate::person::chat) fn own(number: i64, peer: u8, said: &str) -> Message {
    Message {
        author: box_id(1),
        author_identifier: None,
        is_outgoing: true,
        state: MessageState::Sent,
        recipients: vec![recipient(peer, MessageState::Sent)],
        ..text(number, peer, said)
    }
}

pub(in crate::person::chat) fn recipient(peer: u8, state: MessageState) -> Recipient {
    Recipient { box_id: box_id(peer), state, accepted_at: None, reason: None, delivered_at: None, read_at: None }
}

/// An answer of the other side's to a message.
pub(in crate::person::chat) fn reply(number: i64, said: &str, to: &Message) -> Message {
    let message = MessageRef { box_id: to.author, message_id: to.message_id };
    Message {
        kind: Kind::Reply,
        content: Some(Content::Reply(Reply { to: message, text: said.to_owned() })),
        refers_to: Some(Referred {
            message,
            kind: Some(to.kind),
            text: to.text.clone(),
            is_deleted: to.is_deleted,
            is_outgoing: to.is_outgoing,
        }),
        ..text(number, 2, said)
    }
}

pub(in crate::person::chat) fn emoji(emoji: &str, authors: &[u8]) -> Emoji {
    Emoji { emoji: emoji.to_owned(), authors: authors.iter().map(|number| box_id(*number)).collect() }
}

pub(in crate::person::chat) fn overview(last: Message, unread: u64, standing: Standing) -> ConversationOverview {
    let last = Message { is_request: standing == Standing::Stranger, ..last };
    ConversationOverview {
        conversation: last.conversation,
        identifiers: last.peer_identifier.iter().cloned().collect(),
        claimed_name: None,
        standing: Some(standing),
        verified: None,
        is_changed: false,
        formerly: Vec::new(),
        unread,
        last,
    }
}

pub(in crate::person::chat) fn warning(id: i64) -> Notice {
    let sender = box_id(u8::try_from(id).unwrap());
    let warning = Warning::BrokenChain { sender };
    Notice { id, text: warning.to_string(), warning, seen_at: at(0), times: 1 }
}

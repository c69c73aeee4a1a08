//! The records of an archive, version 1: one JSON object a line. Written up in `docs/EXPORT.md`.

use rossby_crypto::group::{Action, NewMember, Role};
use rossby_schemas::encoding::{Octets, Sha256Digest};
use rossby_schemas::events::profiles::Audience;
use rossby_schemas::ids::{BoxId, DeviceId, Head, MessageId};
use rossby_schemas::time::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::content::{Location, Role as AttachmentRole, Standing};
use crate::groups::{GroupEvent, GroupMember};
use crate::messages::{Conversation, MessageState};
use crate::profile::{Picture, Profile};

/// What every archive's first record says it is.
pub(super) const FORMAT: &str = "rossby-archive";
/// The version of the format that is written, and the only one that is read.
pub(super) const VERSION: u32 = 1;

/// One line of an archive.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "record", rename_all = "kebab-case")]
pub enum ArchiveRecord {
    /// The first: whose archive it is.
    Account(ArchivedAccount),
    /// What the server holds of the account.
    Server(ArchivedAnswer),
    /// A message of the account's queue, as the server holds it.
    Queued(ArchivedQueued),
    /// The account's settings.
    Settings(ArchivedSettings),
    /// The account's own profile.
    Profile(Profile),
    /// One of its devices.
    Device(ArchivedDevice),
    /// Somebody whom the account knows.
    Contact(ArchivedContact),
    /// A group.
    Group(ArchivedGroup),
    /// A message, as its person saw it.
    Message(Box<ArchivedMessage>),
    /// A part of the attachment of the message before.
    AttachmentPart(AttachmentPart),
    /// The last.
    End(ArchiveEnd),
    /// One that this version doesn't know; passed over.
    #[serde(other)]
    Unknown,
}

/// Whose archive it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArchivedAccount {
    /// `rossby-archive`.
    pub format: String,
    /// 1.
    pub version: u32,
    /// When it was made, by the device's clock.
    pub exported_at: Timestamp,
    /// The server's URL.
    pub server: String,
    /// The box.
    pub box_id: BoxId,
    /// The device that made it.
    pub device_id: DeviceId,
    /// The head of the box's key record.
    pub head: Head,
    /// The account's identifiers, as URIs.
    pub identifiers: Vec<String>,
}

/// What the server holds of the account, as it says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArchivedAnswer {
    /// The answer to `GET /v1/account`, with all its fields.
    pub account: serde_json::Value,
    /// The codes for which the account has asked; none if the server doesn't say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub registrations: Option<serde_json::Value>,
    /// How much it has uploaded, by the day; none if the server doesn't say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uploads: Option<serde_json::Value>,
}

/// A message of the account's queue, as the server holds it: a ciphertext.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArchivedQueued {
    /// The message, with all the fields that the server gives.
    pub message: serde_json::Value,
}

/// The account's settings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArchivedSettings {
    /// Who may find the account; none if the server wasn't asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub discoverable: Option<Audience>,
    /// From whom it accepts messages; none if the server wasn't asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accept_from: Option<Audience>,
    /// Whether it says that messages have come.
    pub delivery_receipts: bool,
    /// Whether it says that they were read.
    pub read_receipts: bool,
    /// Whether it says that the person writes.
    pub typing: bool,
}

/// One of the account's devices.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArchivedDevice {
    /// The device.
    pub device_id: DeviceId,
    /// What its person calls it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Whether it was removed.
    pub removed: bool,
}

/// Somebody whom the account knows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ArchivedContact {
    /// The box.
    pub box_id: BoxId,
    /// The identifiers that led to it, by the device's own look-ups.
    pub identifiers: Vec<String>,
    /// How the person stood to it.
    pub standing: Standing,
    /// What it called itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<Profile>,
    /// The head of its key record, if that was known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub head: Option<Head>,
    /// The safety number that both see, if its key record was known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub safety_number: Option<String>,
    /// When the person verified it, and the head of its key record then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verified: Option<ArchivedMark>,
}

/// That the person verified somebody.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArchivedMark {
    /// When.
    pub at: Timestamp,
    /// The head of the box's key record then.
    pub head: Head,
}

/// A group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArchivedGroup {
    /// Its id.
    pub group: Uuid,
    /// Its name.
    pub name: String,
    /// How the account stood to it: `requested`, `member`, `admin`, `declined`, `left` or `removed`.
    pub membership: String,
    /// Its members.
    pub members: Vec<ArchivedMember>,
}

/// A member of a group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArchivedMember {
    /// The box.
    pub box_id: BoxId,
    /// Whether it may change the group.
    pub admin: bool,
}

/// A message, as its person saw it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ArchivedMessage {
    /// The other side of a conversation of two; none in a group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peer: Option<BoxId>,
    /// The group; none in a conversation of two.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<Uuid>,
    /// What the group was called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group_name: Option<String>,
    /// Its id.
    pub message_id: MessageId,
    /// The box that wrote it.
    pub author: BoxId,
    /// The identifier under which the device had found the author.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub author_identifier: Option<String>,
    /// What the author called themselves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claimed_name: Option<String>,
    /// Whether the account wrote it.
    pub outgoing: bool,
    /// When it was written, by its author's clock.
    pub time: Timestamp,
    /// When the server had it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accepted_at: Option<Timestamp>,
    /// What it is, by the numbers of the content format.
    pub kind: u32,
    /// Its text, as it was last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// The place that it says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub location: Option<Location>,
    /// The file, picture or voice message that it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attachment: Option<ArchivedAttachment>,
    /// What was done in the group.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<ArchivedChange>,
    /// When its text was written that it has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub edited_at: Option<Timestamp>,
    /// Whether its author took it back.
    #[serde(default, skip_serializing_if = "is_false")]
    pub deleted: bool,
    /// Whether its author had been removed from the group when it came.
    #[serde(default, skip_serializing_if = "is_false")]
    pub late: bool,
    /// The message that it answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refers_to: Option<ArchivedReference>,
    /// The emojis on it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reactions: Vec<ArchivedReaction>,
    /// What became of it.
    pub state: ArchivedState,
    /// What became of it for each recipient, if the account wrote it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub recipients: Vec<ArchivedRecipient>,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
const fn is_false(value: &bool) -> bool {
    !*value
}

/// A file, a picture or a voice message: what is told of it, and not what opens it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArchivedAttachment {
    /// What it is for.
    pub role: AttachmentRole,
    /// Its name, as its sender says: no path.
    pub name: String,
    /// Its media type, as its sender says.
    pub media_type: String,
    /// How many octets it has.
    pub size: u64,
    /// How many milliseconds a voice message takes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<u64>,
    /// Whether its octets follow.
    pub included: bool,
    /// Why they don't, if they should.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub missing: Option<String>,
}

/// A part of an attachment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttachmentPart {
    /// The octets that follow those before.
    pub data: Octets,
}

/// A message that another one answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArchivedReference {
    /// Its author.
    pub box_id: BoxId,
    /// Its id.
    pub message_id: MessageId,
    /// Its text, as it was last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
}

/// An emoji on a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArchivedReaction {
    /// The emoji.
    pub emoji: String,
    /// Who put it there.
    pub authors: Vec<BoxId>,
}

/// What became of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ArchivedState {
    /// It waited in the outbox.
    Pending,
    /// The server had it.
    Sent,
    /// It was not sent.
    Failed,
    /// It had come, and was not read yet.
    New,
    /// It was read.
    Read,
}

/// What became of a message for one recipient.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArchivedRecipient {
    /// The box.
    pub box_id: BoxId,
    /// What became of it.
    pub state: ArchivedState,
    /// When the server had it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accepted_at: Option<Timestamp>,
    /// When the recipient had it, as their device says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delivered_at: Option<Timestamp>,
    /// When the recipient had read it, as their device says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read_at: Option<Timestamp>,
    /// Why it was not sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// What was done in a group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArchivedChange {
    /// The change's hash.
    pub change: Sha256Digest,
    /// Who made it.
    pub author: BoxId,
    /// When, by the author's clock.
    pub time: Timestamp,
    /// What.
    pub done: ArchivedAction,
    /// The name that the group got by it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Whom it is about.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub subjects: Vec<ArchivedMember>,
    /// Whether it counts.
    pub counts: bool,
}

/// What a change of a group did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ArchivedAction {
    /// Founded it.
    Founded,
    /// Added members.
    Added,
    /// Removed a member.
    Removed,
    /// Its author left.
    Left,
    /// Gave a member a role.
    RoleSet,
    /// Gave it another name.
    Renamed,
    /// Nothing.
    Affirmed,
}

/// The end of an archive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArchiveEnd {
    /// How many records there are before it.
    pub records: u64,
    /// The SHA-256 of all lines before it, with their line feeds.
    pub sha256: Sha256Digest,
}

impl ArchivedMessage {
    /// The conversation that it belongs to; none if it names none, or two.
    pub(crate) const fn conversation(&self) -> Option<Conversation> {
        match (self.peer, self.group) {
            (Some(peer), None) => Some(Conversation::Direct(peer)),
            (None, Some(group)) => Some(Conversation::Group(group)),
            _ => None,
        }
    }
}

impl From<MessageState> for ArchivedState {
    fn from(state: MessageState) -> Self {
        match state {
            MessageState::Pending => Self::Pending,
            MessageState::Sent => Self::Sent,
            MessageState::Failed => Self::Failed,
            MessageState::New => Self::New,
            MessageState::Read => Self::Read,
        }
    }
}

impl From<ArchivedState> for MessageState {
    /// What was not read then is no news now.
    fn from(state: ArchivedState) -> Self {
        match state {
            ArchivedState::Pending => Self::Pending,
            ArchivedState::Sent => Self::Sent,
            ArchivedState::Failed => Self::Failed,
            ArchivedState::New | ArchivedState::Read => Self::Read,
        }
    }
}

impl From<&GroupMember> for ArchivedMember {
    fn from(member: &GroupMember) -> Self {
        Self { box_id: member.box_id, admin: member.is_admin }
    }
}

impl From<&GroupEvent> for ArchivedChange {
    fn from(event: &GroupEvent) -> Self {
        let (done, name) = match &event.action {
            Action::Found { name, .. } => (ArchivedAction::Founded, Some(name)),
            Action::Add { .. } => (ArchivedAction::Added, None),
            Action::Remove { .. } => (ArchivedAction::Removed, None),
            Action::Leave => (ArchivedAction::Left, None),
            Action::SetRole { .. } => (ArchivedAction::RoleSet, None),
            Action::Rename { name } => (ArchivedAction::Renamed, Some(name)),
            Action::Affirm => (ArchivedAction::Affirmed, None),
        };
        Self {
            change: event.change,
            author: event.author,
            time: event.time,
            done,
            name: name.cloned(),
            subjects: event.subjects.iter().map(ArchivedMember::from).collect(),
            counts: event.counts,
        }
    }
}

impl ArchivedChange {
    /// What was done, as it is shown in this account; none if it lacks what its action needs.
    pub(super) fn event(&self, own: BoxId) -> Option<GroupEvent> {
        let role = |member: &ArchivedMember| if member.admin { Role::Admin } else { Role::Member };
        let members = || self.subjects.iter().map(|member| NewMember { box_id: member.box_id, role: role(member) });
        let action = match self.done {
            ArchivedAction::Founded => {
                Action::Found { random: [0; 16], name: self.name.clone()?, members: members().collect() }
            }
            ArchivedAction::Added => Action::Add { members: members().collect() },
            ArchivedAction::Removed => Action::Remove { member: self.subjects.first()?.box_id },
            ArchivedAction::Left => Action::Leave,
            ArchivedAction::RoleSet => {
                let member = self.subjects.first()?;
                Action::SetRole { member: member.box_id, role: role(member) }
            }
            ArchivedAction::Renamed => Action::Rename { name: self.name.clone()? },
            ArchivedAction::Affirmed => Action::Affirm,
        };
        let subjects = self.subjects.iter().map(|member| GroupMember {
            box_id: member.box_id,
            identifier: None,
            is_admin: member.admin,
            is_you: member.box_id == own,
        });
        Some(GroupEvent {
            change: self.change,
            author: self.author,
            author_identifier: None,
            is_yours: self.author == own,
            time: self.time,
            action,
            subjects: subjects.collect(),
            counts: self.counts,
        })
    }
}

impl ArchivedAccount {
    /// What is called so.
    pub(super) fn has_known_format(&self) -> bool {
        self.format == FORMAT && self.version == VERSION
    }
}

/// A picture's size counts with what a profile may hold.
pub(super) fn picture_octets(profile: &Profile) -> usize {
    profile.picture.as_ref().map_or(0, |picture: &Picture| picture.data.as_slice().len())
}

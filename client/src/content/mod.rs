//! What messages say, in version 1 of the content format: the body of each kind, read strictly and written in one way. The
//! formats are written up in `docs/PROTOCOL.md`.
//!
//! A text's body is the text; all others are JSON objects of which fields that are not known are passed over. A body that is
//! not as its kind says is refused with its message; a kind that is not known is kept as it came.

mod attachment;
mod deletion;
mod edit;
mod identifiers;
mod location;
mod peer_states;
mod profile_key;
mod reaction;
mod read_marks;
mod receipt;
mod reference;
mod reply;
mod typing;

pub use attachment::{Attachment, MAX_CAPTION_OCTETS, Preview, Role};
pub(crate) use attachment::{MAX_NAME_OCTETS, MAX_PREVIEW_OCTETS, MAX_PREVIEW_SIDE, PREVIEW_TYPE, SecretKey};
pub use deletion::Deletion;
pub use edit::Edit;
pub(crate) use identifiers::{OwnIdentifierState, OwnIdentifiers};
pub use location::Location;
pub use peer_states::Standing;
pub(crate) use peer_states::{MAX_PEERS, Mark, PeerState, PeerStates, ReceiptsState};
pub use profile_key::SharedProfileKey;
pub(crate) use profile_key::{PeerProfileKey, ProfileKeys};
pub use reaction::Reaction;
pub(crate) use read_marks::{MAX_MARKED, ReadMarks};
pub(crate) use receipt::MAX_RECEIPTED;
pub use receipt::{Receipt, ReceiptState};
pub use reference::MessageRef;
pub use reply::Reply;
use rossby_crypto::message::MAX_BODY_OCTETS;
use rossby_schemas::encoding::Octets;
use serde::Serialize;
use serde::de::DeserializeOwned;
pub(crate) use typing::Typing;

/// How many octets what is sent has at most. Half of what a body can have: the copy for the sender's other devices is longer.
pub(crate) const MAX_CONTENT_OCTETS: usize = MAX_BODY_OCTETS / 2;
/// How many octets a text has at most, in UTF-8.
pub const MAX_TEXT_OCTETS: usize = MAX_CONTENT_OCTETS;
/// Kinds from this one on are for the sender's own devices alone.
pub(crate) const FIRST_OWN_KIND: u32 = 1000;
/// Kinds from this one on are signals: they are given to devices that are connected, and never kept.
pub(crate) const FIRST_SIGNAL_KIND: u32 = 2000;

/// What a message's body is. The numbers are those of the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// 1: a text in UTF-8.
    Text,
    /// 2: a text that answers another message.
    Reply,
    /// 3: another text for a message of the same author.
    Edit,
    /// 4: takes a message of the same author back.
    Deletion,
    /// 5: an emoji on a message.
    Reaction,
    /// 6: a file, a picture, or a voice message.
    Attachment,
    /// 7: a place.
    Location,
    /// 8: messages have been delivered, or read.
    Receipt,
    /// 9: what opens the sender's profile.
    ProfileKey,
    /// 20: a group was changed.
    GroupChange,
    /// One that this version doesn't know; kept, so that a later one can show it.
    Unknown(u32),
}

impl Kind {
    /// The kind's number.
    #[must_use]
    pub const fn number(self) -> u32 {
        match self {
            Self::Text => 1,
            Self::Reply => 2,
            Self::Edit => 3,
            Self::Deletion => 4,
            Self::Reaction => 5,
            Self::Attachment => 6,
            Self::Location => 7,
            Self::Receipt => 8,
            Self::ProfileKey => 9,
            Self::GroupChange => 20,
            Self::Unknown(number) => number,
        }
    }

    /// The kind with this number.
    #[must_use]
    pub const fn of(number: u32) -> Self {
        match number {
            1 => Self::Text,
            2 => Self::Reply,
            3 => Self::Edit,
            4 => Self::Deletion,
            5 => Self::Reaction,
            6 => Self::Attachment,
            7 => Self::Location,
            8 => Self::Receipt,
            9 => Self::ProfileKey,
            20 => Self::GroupChange,
            other => Self::Unknown(other),
        }
    }

    /// Whether it is a message that people read, rather than something about one.
    pub(crate) const fn is_shown(self) -> bool {
        match self {
            Self::Text | Self::Reply | Self::Attachment | Self::Location => true,
            Self::Unknown(number) => number < FIRST_OWN_KIND,
            // A change is shown in its group, and not where it is only brought.
            Self::Edit | Self::Deletion | Self::Reaction | Self::Receipt | Self::ProfileKey | Self::GroupChange => {
                false
            }
        }
    }

    /// Whether people are told when it comes, though it is no message of its own.
    pub(crate) const fn is_notice(self) -> bool {
        matches!(self, Self::Edit | Self::Deletion | Self::Reaction)
    }

    /// Whether it is receipted. A kind that is not known could be a receipt itself.
    pub(crate) const fn is_receipted(self) -> bool {
        matches!(self, Self::Text | Self::Reply | Self::Attachment | Self::Location)
    }

    /// Whether its text can be replaced by an edit.
    pub(crate) const fn is_editable(self) -> bool {
        matches!(self, Self::Text | Self::Reply)
    }
}

/// What a message says.
#[derive(Debug, Clone, PartialEq)]
pub enum Content {
    /// A text.
    Text(String),
    /// A text that answers another message.
    Reply(Reply),
    /// Another text for a message.
    Edit(Edit),
    /// Takes a message back.
    Deletion(Deletion),
    /// An emoji on a message.
    Reaction(Reaction),
    /// A file, a picture, or a voice message.
    Attachment(Box<Attachment>),
    /// A place.
    Location(Location),
    /// Messages have been delivered, or read.
    Receipt(Receipt),
    /// What opens the sender's profile.
    ProfileKey(SharedProfileKey),
}

/// Why a body is not as its kind says.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ContentError {
    /// A text is no UTF-8.
    #[error("the text is not UTF-8")]
    NotUtf8,
    /// It is not the JSON object that it must be.
    #[error("{0}")]
    NotTheObject(String),
    /// A field has a value that it can't have.
    #[error("{field} {reason}")]
    Field {
        /// The field.
        field: &'static str,
        /// What is wrong with it.
        reason: String,
    },
}

impl ContentError {
    fn field(field: &'static str, reason: impl Into<String>) -> Self {
        Self::Field { field, reason: reason.into() }
    }
}

impl Content {
    /// What the body is.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        match self {
            Self::Text(_) => Kind::Text,
            Self::Reply(_) => Kind::Reply,
            Self::Edit(_) => Kind::Edit,
            Self::Deletion(_) => Kind::Deletion,
            Self::Reaction(_) => Kind::Reaction,
            Self::Attachment(_) => Kind::Attachment,
            Self::Location(_) => Kind::Location,
            Self::Receipt(_) => Kind::Receipt,
            Self::ProfileKey(_) => Kind::ProfileKey,
        }
    }

    /// The body. It is refused where a recipient would refuse it.
    ///
    /// # Errors
    /// [`ContentError`] names the field.
    pub(crate) fn encode(&self) -> Result<Octets, ContentError> {
        match self {
            Self::Text(text) => Ok(check_text("text", text)?.as_bytes().into()),
            Self::Reply(reply) => encode(reply),
            Self::Edit(edit) => encode(edit),
            Self::Deletion(deletion) => encode(deletion),
            Self::Reaction(reaction) => encode(reaction),
            Self::Attachment(attachment) => encode(&**attachment),
            Self::Location(location) => encode(location),
            Self::Receipt(receipt) => encode(receipt),
            Self::ProfileKey(key) => encode(key),
        }
    }

    /// Reads a body; none for a kind that this version doesn't know.
    ///
    /// # Errors
    /// [`ContentError`] for a body that is not as its kind says.
    pub(crate) fn decode(kind: Kind, body: &Octets) -> Result<Option<Self>, ContentError> {
        Ok(Some(match kind {
            Kind::Text => {
                let text = std::str::from_utf8(body.as_slice()).map_err(|_| ContentError::NotUtf8)?;
                Self::Text(text.to_owned())
            }
            Kind::Reply => Self::Reply(decode(body)?),
            Kind::Edit => Self::Edit(decode(body)?),
            Kind::Deletion => Self::Deletion(decode(body)?),
            Kind::Reaction => Self::Reaction(decode(body)?),
            Kind::Attachment => Self::Attachment(Box::new(decode(body)?)),
            Kind::Location => Self::Location(decode(body)?),
            Kind::Receipt => Self::Receipt(decode(body)?),
            Kind::ProfileKey => Self::ProfileKey(decode(body)?),
            Kind::GroupChange | Kind::Unknown(_) => return Ok(None),
        }))
    }
}

/// A body that is a JSON object.
pub(crate) trait Body: Serialize + DeserializeOwned {
    /// Refuses what a field can't have, by either side.
    fn check(&self) -> Result<(), ContentError>;
}

/// Writes a body.
pub(crate) fn encode(body: &impl Body) -> Result<Octets, ContentError> {
    body.check()?;
    let json = serde_json::to_vec(body).map_err(|error| ContentError::NotTheObject(error.to_string()))?;
    Ok(json.into())
}

/// Reads a body.
pub(crate) fn decode<T: Body>(body: &Octets) -> Result<T, ContentError> {
    let body: T =
        serde_json::from_slice(body.as_slice()).map_err(|error| ContentError::NotTheObject(error.to_string()))?;
    body.check()?;
    Ok(body)
}

/// A text of something, with one octet at least and no more than a text may have.
fn check_text<'a>(field: &'static str, text: &'a str) -> Result<&'a str, ContentError> {
    match text.len() {
        0 => Err(ContentError::field(field, "is empty")),
        octets if octets > MAX_TEXT_OCTETS => {
            Err(ContentError::field(field, format!("has {octets} octets; at most {MAX_TEXT_OCTETS} can be sent")))
        }
        _ => Ok(text),
    }
}

/// A list with one entry at least and no more than `limit`.
fn check_count(field: &'static str, count: usize, limit: usize) -> Result<(), ContentError> {
    match count {
        0 => Err(ContentError::field(field, "is empty")),
        count if count > limit => {
            Err(ContentError::field(field, format!("has {count} entries; at most {limit} are taken")))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;

//! What a person does besides writing: each of it is one call of the client's, and comes to an outcome.

use std::fmt;
use std::path::PathBuf;

use rossby_client::{
    AccountIdentifier, Conversation, Group, GroupEvent, GroupId, IdentifierRef, Location, Message, OwnDevice, Peer,
    Profile, ReceiptSettings, Settings, Standing, Verified,
};
use rossby_schemas::events::profiles::Audience;
use rossby_schemas::identifier::Identifier;
use rossby_schemas::ids::{BoxId, DeviceId, MessageId};
use zeroize::Zeroizing;

/// Something that is done by the client.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::person::chat) enum Action {
    /// Begins a conversation with somebody.
    Begin(Peer),
    /// Takes somebody's messages from now on.
    Accept(BoxId),
    /// Erases what a stranger wrote.
    Decline(BoxId),
    /// Blocks somebody. What a stranger wrote is erased.
    Block { box_id: BoxId, is_request: bool },
    /// Takes a block away.
    Unblock(BoxId),
    /// Takes a message back.
    Delete(MessageId),
    /// Puts an emoji on a message, or takes it away.
    React { message: Box<Message>, emoji: String, removed: bool },
    /// Sends a place.
    SendPlace { conversation: Conversation, location: Location },
    /// Sends a file.
    SendFile { conversation: Conversation, path: PathBuf, caption: Option<String> },
    /// Saves the file that came with a message.
    Download { message: Box<Message>, to: PathBuf },
    /// Stops a file that is on its way, by its number there.
    StopFile(u64),
    /// Gives up a file that is kept and not sent yet, by its number in the store.
    GiveUpFile(i64),
    /// Looks somebody up.
    LookUp(BoxId),
    /// Takes the box that an address leads to now for the right one.
    AcceptChange(Peer),
    /// Compares what somebody's person or device says, and marks them as verified.
    Verify { box_id: BoxId, said: String },
    /// Takes back that somebody was verified.
    Unverify(BoxId),
    /// Lists the person's groups.
    ListGroups,
    /// Reads who is in a group.
    ReadGroup(GroupId),
    /// Makes a group.
    CreateGroup { name: String, members: Vec<Peer> },
    /// Adds people to a group.
    AddToGroup { group: GroupId, members: Vec<Peer> },
    /// Removes somebody from a group.
    RemoveFromGroup { group: GroupId, member: BoxId },
    /// Makes a member an admin, or a plain member.
    SetGroupAdmin { group: GroupId, member: BoxId, is_admin: bool },
    /// Gives a group another name.
    RenameGroup { group: GroupId, name: String },
    /// Leaves a group.
    LeaveGroup(GroupId),
    /// Takes part in a group.
    AcceptGroup(GroupId),
    /// Takes no part in a group.
    DeclineGroup(GroupId),
    /// Reads what was done in a group.
    ReadGroupHistory(GroupId),
    /// Reads what the person calls themselves.
    ReadProfile,
    /// Calls the person by a name, or by none.
    SetProfileName(Option<String>),
    /// Gives the person a picture, or none.
    SetProfilePicture(Option<PathBuf>),
    /// Lists the account's addresses.
    ListIdentifiers,
    /// Sends a code to an address that the account is to have too.
    AddIdentifier(Identifier),
    /// Shows the code that came. It may claim an address that another account has.
    ConfirmIdentifier { code: String, claims: bool },
    /// Takes an address away from the account.
    RemoveIdentifier(IdentifierRef),
    /// Objects to somebody's claim of an address.
    ObjectToClaim(IdentifierRef),
    /// Lists the person's devices.
    ListDevices,
    /// Calls a device by a name.
    NameDevice { device_id: DeviceId, name: String },
    /// Removes a device.
    RemoveDevice(DeviceId),
    /// Looks which device shows a link code.
    FindLink(LinkText),
    /// Links the device that was found.
    Link,
    /// Refuses the device that was found.
    RefuseLink,
    /// Links the device that was found no more.
    StopLink,
    /// Reads the settings.
    ReadSettings,
    /// Changes who may find the person.
    SetDiscoverable(Audience),
    /// Changes who may write to the person.
    SetAcceptFrom(Audience),
    /// Changes which receipts are sent.
    SetReceipts(ReceiptSettings),
}

impl Action {
    /// Whether it takes long, and is told on the way.
    pub(super) const fn is_long(&self) -> bool {
        matches!(self, Self::SendFile { .. } | Self::Download { .. })
    }

    /// Whether a sheet is empty until it is done.
    pub(super) const fn is_for_a_sheet(&self) -> bool {
        matches!(
            self,
            Self::LookUp(_)
                | Self::ListGroups
                | Self::ReadGroup(_)
                | Self::ReadGroupHistory(_)
                | Self::ReadProfile
                | Self::ListIdentifiers
                | Self::ListDevices
                | Self::ReadSettings
        )
    }
}

/// A link code as it was typed.
#[derive(Clone, PartialEq)]
pub(in crate::person::chat) struct LinkText(pub(in crate::person::chat) Zeroizing<String>);

impl fmt::Debug for LinkText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LinkText")
    }
}

/// What an action came to.
#[derive(Debug, Clone, Default)]
pub(in crate::person::chat) struct Outcome {
    /// What the person is told.
    pub(in crate::person::chat) said: Option<String>,
    pub(in crate::person::chat) found: Found,
}

/// What an action brought.
#[derive(Debug, Clone, Default)]
pub(in crate::person::chat) enum Found {
    #[default]
    Nothing,
    /// A conversation, and what it is called.
    Conversation(Conversation, String),
    /// The person's devices.
    Devices(Vec<OwnDevice>),
    /// A device that asks to be linked, by its name.
    Link(String),
    /// The settings.
    Settings(Settings, ReceiptSettings),
    /// Somebody.
    Person(Box<Person>),
    /// The person's groups.
    Groups(Vec<Group>),
    /// A group.
    Group(Box<Group>),
    /// What was done in a group, the first first.
    GroupHistory(GroupId, Vec<GroupEvent>),
    /// What the person calls themselves.
    Profile(Box<Profile>),
    /// The account's addresses.
    Identifiers(Vec<AccountIdentifier>),
    /// A code is on its way to this address.
    CodeSent(String),
    /// Another account has the address whose code was shown.
    Taken { address: String, code: String },
}

impl Found {
    /// Whether something is opened for it: a conversation, or a question.
    pub(super) const fn opens(&self) -> bool {
        matches!(self, Self::Conversation(..) | Self::Link(_) | Self::CodeSent(_) | Self::Taken { .. })
    }
}

impl From<Found> for Outcome {
    fn from(found: Found) -> Self {
        Self { said: None, found }
    }
}

impl Outcome {
    /// Nothing but a text for the person.
    pub(in crate::person::chat) fn said(text: impl Into<String>) -> Self {
        Self { said: Some(text.into()), found: Found::Nothing }
    }

    /// With a text for the person.
    pub(in crate::person::chat) fn saying(self, text: impl Into<String>) -> Self {
        Self { said: Some(text.into()), ..self }
    }
}

/// Somebody, as the sheet about them shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::person::chat) struct Person {
    pub(in crate::person::chat) box_id: BoxId,
    /// The addresses under which this device found them.
    pub(in crate::person::chat) identifiers: Vec<String>,
    pub(in crate::person::chat) standing: Standing,
    /// The addresses that lead to another box now.
    pub(in crate::person::chat) changed: Vec<String>,
    /// What their key record says; none if their box is gone.
    pub(in crate::person::chat) known: Option<Known>,
}

/// What somebody's key record says, and what is known of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::person::chat) struct Known {
    /// Their devices: id, and what is known of it.
    pub(in crate::person::chat) devices: Vec<String>,
    /// The safety number's digits, in groups.
    pub(in crate::person::chat) safety_number: String,
    /// What a camera of theirs is to read.
    pub(in crate::person::chat) code: String,
    /// What they call themselves.
    pub(in crate::person::chat) claimed_name: Option<String>,
    pub(in crate::person::chat) verified: Option<Verified>,
}

//! What stands over the conversations: questions, and sheets about one thing each. The topmost has the keys.

use std::path::PathBuf;

use rossby_client::{
    AccountIdentifier, Conversation, Group, GroupEvent, GroupId, Message, OwnDevice, Peer, Profile, ReceiptSettings,
    Settings,
};
use rossby_schemas::ids::{BoxId, DeviceId};
use zeroize::Zeroizing;

use super::action::{Action, LinkText, Person};
use crate::person::chat::editor::Editor;

/// Something over the conversations.
#[derive(Debug, Clone)]
pub(in crate::person::chat) enum Overlay {
    /// All keys, and the commands that do the same, if they are wanted.
    Help { top: usize, has_commands: bool },
    /// Something is asked that is answered by a text.
    Prompt(Prompt),
    /// Something is asked that is answered by yes or no.
    Confirm(Confirm),
    /// All of one message.
    Message { id: i64, top: usize },
    /// The warnings.
    Warnings { chosen: usize },
    /// The files that are on their way, and those that wait.
    Files { chosen: usize },
    /// The person's devices; none until they are known.
    Devices { devices: Option<Vec<OwnDevice>>, chosen: usize },
    /// A device is being linked.
    Linking,
    /// The settings; none until they are known.
    Settings { settings: Option<(Settings, ReceiptSettings)>, chosen: usize },
    /// Somebody; none until they were looked up.
    Person { box_id: BoxId, person: Option<Box<Person>>, top: usize },
    /// A code for a camera.
    Code(String),
    /// The person's groups; none until they are known.
    Groups { groups: Option<Vec<Group>>, chosen: usize },
    /// Who is in a group; none until that is known.
    Group { id: GroupId, group: Option<Box<Group>>, chosen: usize },
    /// What was done in a group; none until that is known.
    GroupHistory { id: GroupId, history: Option<Vec<GroupEvent>>, top: usize },
    /// The person themselves: what they are called, and their addresses; none until they are known.
    Yourself { profile: Option<Box<Profile>>, identifiers: Option<Vec<AccountIdentifier>>, chosen: usize },
}

/// A question that is answered by a text.
#[derive(Debug, Clone)]
pub(in crate::person::chat) struct Prompt {
    pub(in crate::person::chat) ask: Ask,
    pub(in crate::person::chat) editor: Editor,
    /// What is wrong with the answer.
    pub(in crate::person::chat) error: Option<String>,
    /// What is done with the answer now.
    pub(in crate::person::chat) waits_for: Option<Action>,
}

/// What is asked.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::person::chat) enum Ask {
    /// With whom a conversation is to begin.
    Whom,
    /// Which emoji; and those of the person's that are on the message.
    Emoji { message: Box<Message>, own: Vec<String> },
    /// Which place.
    Place(Conversation),
    /// What a device is to be called.
    DeviceName(DeviceId),
    /// The code that the new device shows.
    LinkCode,
    /// Which file is to be sent.
    File(Conversation),
    /// What is said of it.
    Caption { conversation: Conversation, path: PathBuf },
    /// Where a file is to be saved.
    SaveTo(Box<Message>),
    /// What somebody's person reads out, or what a camera read from their screen.
    Verify(BoxId),
    /// What a new group is called.
    GroupName,
    /// Who is in it.
    GroupMembers { name: String },
    /// Who is added to a group.
    AddMembers(GroupId),
    /// What a group is called from now on.
    RenameGroup(GroupId),
    /// What the person calls themselves.
    ProfileName,
    /// A picture of the person.
    ProfilePicture,
    /// An address that the account is to have too.
    NewIdentifier,
    /// The code that came.
    IdentifierCode,
}

/// What an answer leads to.
#[derive(Debug)]
pub(super) enum Answer {
    Do(Action),
    Ask(Ask),
}

/// A question that is answered by yes or no.
#[derive(Debug, Clone)]
pub(in crate::person::chat) struct Confirm {
    pub(in crate::person::chat) question: String,
    pub(in crate::person::chat) yes: Action,
    pub(in crate::person::chat) no: Option<Action>,
}

/// The emojis that have a digit, in their order.
pub(in crate::person::chat) const EMOJIS: [&str; 6] = ["👍", "❤️", "😂", "😮", "😢", "🙏"];

impl Prompt {
    pub(super) fn new(ask: Ask) -> Self {
        let mut editor = if ask == Ask::LinkCode { Editor::secret() } else { Editor::one_line() };
        if let Ask::SaveTo(_) = ask {
            editor.insert(".");
        }
        Self { ask, editor, error: None, waits_for: None }
    }

    /// What the answer leads to, or what is wrong with it.
    pub(super) fn answer(&self) -> Result<Answer, String> {
        let text = self.editor.text().trim();
        match &self.ask {
            Ask::Caption { conversation, path } => {
                let caption = (!text.is_empty()).then(|| text.to_owned());
                Ok(Answer::Do(Action::SendFile { conversation: *conversation, path: path.clone(), caption }))
            }
            Ask::ProfileName => Ok(Answer::Do(Action::SetProfileName((!text.is_empty()).then(|| text.to_owned())))),
            Ask::ProfilePicture => {
                Ok(Answer::Do(Action::SetProfilePicture((!text.is_empty()).then(|| PathBuf::from(text)))))
            }
            _ if text.is_empty() => Err("type something, or leave with Esc".to_owned()),
            Ask::File(conversation) => {
                Ok(Answer::Ask(Ask::Caption { conversation: *conversation, path: PathBuf::from(text) }))
            }
            Ask::GroupName => Ok(Answer::Ask(Ask::GroupMembers { name: text.to_owned() })),
            _ => self.action(text).map(Answer::Do),
        }
    }

    fn action(&self, text: &str) -> Result<Action, String> {
        match &self.ask {
            Ask::Whom => text.parse::<Peer>().map(Action::Begin).map_err(|error| error.to_string()),
            Ask::Emoji { message, own } => {
                let digit = text.parse::<usize>().ok().and_then(|digit| EMOJIS.get(digit.checked_sub(1)?));
                let emoji = digit.map_or(text, |emoji| *emoji).to_owned();
                let removed = own.contains(&emoji);
                Ok(Action::React { message: message.clone(), emoji, removed })
            }
            Ask::Place(conversation) => match text.parse() {
                Ok(location) => Ok(Action::SendPlace { conversation: *conversation, location }),
                Err(error) => Err(format!("{error}")),
            },
            Ask::DeviceName(device_id) => Ok(Action::NameDevice { device_id: *device_id, name: text.to_owned() }),
            Ask::LinkCode => Ok(Action::FindLink(LinkText(Zeroizing::new(text.to_owned())))),
            Ask::SaveTo(message) => Ok(Action::Download { message: message.clone(), to: PathBuf::from(text) }),
            Ask::Verify(box_id) => Ok(Action::Verify { box_id: *box_id, said: text.to_owned() }),
            Ask::GroupMembers { name } => Ok(Action::CreateGroup { name: name.clone(), members: peers(text)? }),
            Ask::AddMembers(group) => Ok(Action::AddToGroup { group: *group, members: peers(text)? }),
            Ask::RenameGroup(group) => Ok(Action::RenameGroup { group: *group, name: text.to_owned() }),
            Ask::NewIdentifier => text.parse().map(Action::AddIdentifier).map_err(|error| format!("{error}")),
            Ask::IdentifierCode => Ok(Action::ConfirmIdentifier { code: text.to_owned(), claims: false }),
            Ask::File(_) | Ask::Caption { .. } | Ask::GroupName | Ask::ProfileName | Ask::ProfilePicture => {
                Err("this is answered otherwise".to_owned())
            }
        }
    }
}

/// People, with blanks or commas between them.
fn peers(text: &str) -> Result<Vec<Peer>, String> {
    let each = text.split([' ', ',', ';']).filter(|part| !part.is_empty());
    each.map(|part| part.parse::<Peer>().map_err(|error| format!("{part}: {error}"))).collect()
}

impl Overlay {
    /// A sheet that is scrolled: its first row on the screen.
    pub(super) fn top_mut(&mut self) -> Option<&mut usize> {
        match self {
            Self::Help { top, .. }
            | Self::Message { top, .. }
            | Self::Person { top, .. }
            | Self::GroupHistory { top, .. } => Some(top),
            _ => None,
        }
    }
}

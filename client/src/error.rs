//! Why something can't be done, and what to do next.

mod names;
mod text;

use std::path::PathBuf;
use std::time::Duration;

use rossby_crypto::attachment::AttachmentError;
use rossby_crypto::group::Refused;
use rossby_crypto::key_record::KeyRecordError;
use rossby_crypto::layout::LayoutError;
use rossby_crypto::linking::{LinkRefusal, MAX_DEVICE_NAME, NotALinkSecret};
use rossby_crypto::message::SealError;
use rossby_crypto::recovery::NotRecoveryWords;
use rossby_crypto::safety_number::SAFETY_NUMBER_DIGITS;
use rossby_crypto::verification::{Mismatch, NotAVerificationCode};
use rossby_schemas::http::problem::{Problem, ProblemType};
use rossby_schemas::ids::{BoxId, DeviceId, MessageId};
use uuid::Uuid;

use self::text::{lasting, refused_change, said, size, store_hint, taken, unreachable};
use crate::account::{IdentifierError, address};
use crate::archive::ArchiveError;
use crate::attachments::PictureError;
use crate::content::ContentError;
use crate::profile::MAX_PROFILE_NAME;
use crate::vault::{KeyringError, UnlockError};

/// A server that asks for more time than this is not waited for.
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// Why something can't be done.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// There is no home.
    #[error("{0} has no account; begin with `rossby register`")]
    NoHome(PathBuf),
    /// There is a home already.
    #[error("{0} has an account already")]
    HomeExists(PathBuf),
    /// What is to be a home is a file.
    #[error("{0} is a file, and a home is a folder: name another one with --home")]
    NotAHome(PathBuf),
    /// The file that locks the home is gone.
    #[error("the key file {0}, which locks this home, is not there: bring it back, or say with --key-file where it is")]
    NoKeyFile(PathBuf),
    /// A file or folder can't be used.
    #[error("{path} can't be used: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// Another process downloads the same file to the same place.
    #[error("another download of this is under way: {path} is in use. Wait for it, or save it in another folder")]
    DownloadUnderWay {
        /// What has come so far.
        path: PathBuf,
    },
    /// Others may read what is private.
    #[error("{0} can be read by others; run: chmod go= {0}")]
    ReadableByOthers(PathBuf),
    /// The local store can't be read or written.
    #[error("the local store can't be used: {0}{hint}", hint = store_hint(.0))]
    Store(#[from] sqlx::Error),
    /// The local store was made by a newer version.
    #[error("the local store is of version {found}, and this program knows up to {known}: use a newer one")]
    NewerStore {
        /// The store's version.
        found: i64,
        /// The newest that is known.
        known: i64,
    },
    /// What the local store holds is not as it was written.
    #[error("the local store is damaged: {0}")]
    DamagedStore(&'static str),
    /// The private keys can't be opened.
    #[error(transparent)]
    Unlock(#[from] UnlockError),
    /// The system's keyring is of no use.
    #[error(transparent)]
    Keyring(#[from] KeyringError),
    /// The server's URL is none.
    #[error("{0:?} is no server's URL, such as https://rossby.example.org or http://127.0.0.1:7700")]
    BadServer(String),
    /// The server can't be reached.
    #[error("{}", unreachable(url, reason, *may_be_done))]
    Unreachable {
        /// Its URL.
        url: String,
        /// Why, as far as it is known.
        reason: String,
        /// Whether it may have done what was asked all the same: the request was on its way, and no answer came.
        may_be_done: bool,
    },
    /// The server refused, and says why.
    #[error("{}", said(.0))]
    Refused(Box<Problem>),
    /// The server's answer can't be, whatever made it.
    #[error("the server's answer is not as it must be: {0}")]
    BadAnswer(String),
    /// No registration was begun.
    #[error(
        "this home has no account yet; begin with `rossby register`, or with `rossby link` for an account that other devices have"
    )]
    NotRegistered,
    /// The registration waits for its code.
    #[error("the registration of {0} waits for its code; go on with `rossby authorize CODE`")]
    NotAuthorized(String),
    /// The home belongs to someone already.
    #[error("this home belongs to {0} already; another person takes another --home")]
    AlreadyRegistered(String),
    /// Another registration waits for its code.
    #[error("this home is registering {0}; go on with `rossby authorize CODE`, or begin anew with --start-over")]
    Registering(String),
    /// The home has begun another registration in between.
    #[error("this home has begun another registration in between; go on with that one's code")]
    StartedOver,
    /// A recipient is this very box.
    #[error("that is you; `rossby whoami` shows your account")]
    Oneself,
    /// A code isn't 8 digits.
    #[error("a code has 8 digits")]
    NotACode,
    /// A recipient is neither an identifier nor a box.
    #[error("{0:?} is no phone number (+15551234567), no email address (ann@example.org) and no box (a UUID)")]
    NotAPeer(String),
    /// The identifier leads to another box than the one that is pinned: sending is withheld.
    #[error(
        "{address} led to box {pinned}, and leads to box {found} now: whoever answers has other keys. Ask them by another \
         way; if it is them, run `rossby lookup {address} --accept-change`",
        address = address(.identifier.as_str())
    )]
    RootChanged {
        /// The identifier.
        identifier: String,
        /// The box that is pinned.
        pinned: BoxId,
        /// The box that it leads to now.
        found: BoxId,
    },
    /// What somebody showed is not what is known of them: they are not verified.
    #[error(
        "that is not the same: {0}. Nothing was marked as verified; do not trust what you write to them before you know why"
    )]
    NotTheSame(String),
    /// A safety number isn't 60 digits.
    #[error("a safety number has {SAFETY_NUMBER_DIGITS} digits")]
    NotDigits,
    /// The text is no verification code.
    #[error(transparent)]
    NotAVerificationCode(#[from] NotAVerificationCode),
    /// A name can't be that of a profile.
    #[error("a profile's name has 1 to {MAX_PROFILE_NAME} octets, and no control characters")]
    BadProfileName,
    /// Nobody verified the box.
    #[error("box {0} is not verified")]
    NotVerified(BoxId),
    /// Two key records of one box were shown, neither of which extends the other: sending is withheld.
    #[error(
        "box {0} was shown with two key records that contradict each other: nothing is sent to it. Someone shows \
             different people different devices; what was seen is kept as evidence"
    )]
    Forked(BoxId),
    /// A key record is refused.
    #[error("the key record of box {box_id} is refused: {reason}")]
    BadRecord {
        /// The box.
        box_id: BoxId,
        /// What is wrong with it.
        reason: KeyRecordError,
    },
    /// No device of the recipient can be sealed to.
    #[error("no device of box {0} has a sealing key that can be used now; it must come online first")]
    NoDevice(BoxId),
    /// This device's clock is so far ahead of the server's that nobody's keys are good by it, or nobody takes its own.
    #[error("this device's clock is {} ahead of the server's: set it, and try again", lasting(.0.as_secs()))]
    ClockAhead(Duration),
    /// The server takes no message for this box now, and may later.
    #[error("the server takes no message for box {0} now; it will be tried again")]
    NotTaken(BoxId),
    /// Only people whom the person has accepted are told that they write.
    #[error("box {0} has not been accepted by you: write to them first, or accept their request (`rossby requests`)")]
    NotAccepted(BoxId),
    /// The person doesn't want others to know that they write.
    #[error("you don't let others know that you write: `rossby settings --typing on` changes it")]
    TypingOff,
    /// The message is too long.
    #[error("the text is too long: at most {limit} octets can be sent")]
    TooLong {
        /// How many it has.
        octets: usize,
        /// How many it may have.
        limit: usize,
    },
    /// What no message may say.
    #[error(transparent)]
    Content(#[from] ContentError),
    /// No message is meant.
    #[error("{0:?} is no message here; `rossby messages WHO` shows the ids")]
    NoSuchMessage(String),
    /// Several messages are meant.
    #[error("{0:?} is several messages; type more of the id")]
    AmbiguousMessage(String),
    /// The message isn't one's own.
    #[error("message {0} was written by somebody else; only its author can change it")]
    NotYours(MessageId),
    /// The message has no text.
    #[error("message {0} has no text that could be edited")]
    NoText(MessageId),
    /// The message was taken back.
    #[error("message {0} was deleted")]
    Deleted(MessageId),
    /// The message belongs to another conversation.
    #[error("message {0} belongs to another conversation")]
    OtherConversation(MessageId),
    /// Neither somebody nor a group is meant.
    #[error(
        "{0:?} is no phone number (+15551234567), no email address (ann@example.org), no box (a UUID), and no group here; \
         `rossby group list` shows the groups"
    )]
    NotAnAddressee(String),
    /// No such group is known.
    #[error("no group {0} is known here; `rossby group list` shows them")]
    NoSuchGroup(Uuid),
    /// No group is meant.
    #[error("{0:?} is no group here; `rossby group list` shows their names and ids")]
    NoGroupNamed(String),
    /// Several groups are meant.
    #[error("{0:?} is several groups; type the beginning of the id that `rossby group list` shows")]
    AmbiguousGroup(String),
    /// This account takes no part in the group.
    #[error("this account takes no part in the group {0:?}")]
    NotInGroup(String),
    /// A change of a group can't be written.
    #[error(
        "the group can't be changed so: {0}; a name has 1 to 256 octets and no control characters, a group 250 members"
    )]
    BadGroupChange(LayoutError),
    /// The group can't be changed so.
    #[error("{}", refused_change(.0))]
    GroupChange(Refused),
    /// Somebody can't be made a member.
    #[error("{member} can't be made a member: {error}")]
    NoMember {
        /// As the person names them.
        member: String,
        /// Why.
        error: Box<ClientError>,
    },
    /// There is no request.
    #[error("box {0} asks for nothing: it has written nothing, or was accepted or blocked before")]
    NoRequest(BoxId),
    /// The message can't be sealed.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// What is to be sent, or stands where a file is to be, is none.
    #[error("{0} is no file")]
    NotAFile(PathBuf),
    /// The server takes no file that is so large.
    #[error("{name} has {}; {}", size(.octets), taken(.limit))]
    FileTooLarge {
        /// Its name.
        name: String,
        /// How many octets it has.
        octets: u64,
        /// How many the server takes, encrypted, if it says that.
        limit: Option<u64>,
    },
    /// A file can't be encrypted, or what came can't be read.
    #[error(transparent)]
    Attachment(#[from] AttachmentError),
    /// A picture can't be used.
    #[error(transparent)]
    Picture(#[from] PictureError),
    /// A message has no attachment.
    #[error("message {0} has no attachment")]
    NoAttachment(MessageId),
    /// A message's attachment has no preview.
    #[error("the attachment of message {0} has no preview")]
    NoPreview(MessageId),
    /// An archive is refused.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// A file stands where one is to be written.
    #[error("{0} is there already; name another file, or, for a download, use --overwrite")]
    TargetExists(PathBuf),
    /// The server has no such blob any more.
    #[error("the attachment is no longer on the server: it has expired, or its sender took it back")]
    BlobGone,
    /// What the server gave is not what was sent.
    #[error("what came is not the attachment that the message is about: {0}. Nothing of it was kept")]
    BlobTampered(&'static str),
    /// There is no such upload, or no longer.
    #[error("there is no upload {0}; it may be finished")]
    NoSuchUpload(i64),
    /// Somebody has stopped it, or a thread of this process has failed.
    #[error("it was interrupted")]
    Interrupted,
    /// A device's name can't be shown.
    #[error("a device's name has 1 to {MAX_DEVICE_NAME} octets, and no control characters")]
    BadDeviceName,
    /// No device is meant.
    #[error("{0:?} is none of your devices; `rossby devices` lists them")]
    NoSuchDevice(String),
    /// Several devices are meant.
    #[error("{0:?} is several of your devices; type more of the id")]
    AmbiguousDevice(String),
    /// An older device can't be removed by this one.
    #[error("device {0} was there before this one; only itself, an older one or the recovery key can remove it")]
    MayNotRemove(DeviceId),
    /// The recovery key is another box's, or this one has none.
    #[error("that is not the recovery key of this account, or it has none")]
    WrongRecoveryKey,
    /// The words are no recovery key.
    #[error(transparent)]
    NotRecoveryWords(#[from] NotRecoveryWords),
    /// The text is no link code.
    #[error(transparent)]
    NotALinkCode(#[from] NotALinkSecret),
    /// This home waits for no link.
    #[error("this home waits for no link; begin with `rossby link`")]
    NoLink,
    /// No device asks to be linked with the code.
    #[error(
        "no device waits with this link code; look whether it is typed right, and whether `rossby link` still waits there"
    )]
    NoLinkOffer,
    /// The link code's time is over.
    #[error("the link code is no longer good; make a new one with `rossby link`")]
    LinkExpired,
    /// The link code was used before.
    #[error("the link code was used before; make a new one with `rossby link`")]
    LinkUsed,
    /// The other device will not link this one.
    #[error("the device was not linked: {0}")]
    LinkRefused(LinkRefusal),
    /// What came of the other device, or of the server about it, doesn't fit.
    #[error("the link was stopped, because somebody tampers with it: {0}. Make a new code with `rossby link`")]
    LinkTampered(&'static str),
    /// It can't be done with this identifier.
    #[error(transparent)]
    Identifier(#[from] IdentifierError),
    /// The server does not know this device.
    #[error(
        "the server at {0} does not know this device: it was removed from its account, the account was deleted, or that is another server"
    )]
    NotKnown(String),
    /// This device was removed from its box.
    #[error("this device was removed from its box; it can't send or receive any more")]
    Removed,
}

impl From<Mismatch> for ClientError {
    fn from(mismatch: Mismatch) -> Self {
        Self::NotTheSame(mismatch.to_string())
    }
}

impl ClientError {
    /// The problem document's kind, if the server refused.
    #[must_use]
    pub fn problem(&self) -> Option<ProblemType> {
        match self {
            Self::Refused(problem) => problem.problem_type(),
            Self::NoMember { error, .. } => error.problem(),
            _ => None,
        }
    }

    /// How long to wait before asking again, if the server has had enough of this device for the moment.
    pub(crate) fn asked_to_wait(&self) -> Option<Duration> {
        match self {
            Self::Refused(problem) if problem.problem_type() == Some(ProblemType::RateLimited) => {
                Some(Duration::from_secs(problem.retry_after.unwrap_or(1)).min(LONGEST_WAIT))
            }
            _ => None,
        }
    }

    pub(crate) fn bad_answer(reason: impl std::fmt::Display) -> Self {
        Self::BadAnswer(reason.to_string())
    }
}

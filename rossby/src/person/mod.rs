//! The person's commands: what two people need to talk from their terminals.

mod account;
mod archive;
mod attachments;
mod changes;
mod chat;
mod conversation;
mod delete_account;
mod devices;
mod documents;
mod follow;
mod groups;
mod history;
mod identifiers;
mod lines;
mod lock;
mod options;
mod profile;
mod questions;
mod recover;
mod screen;
mod transcripts;
mod verify;

use std::io;
use std::pin::pin;
use std::process::ExitCode;
use std::time::Duration;

use clap::Subcommand;
use rossby_client::ClientError;

pub(crate) use self::options::DEFAULT_SERVER;
use self::screen::Screen;
pub(crate) use self::screen::one_line;

/// What a person does.
#[derive(Debug, Subcommand)]
pub(crate) enum PersonCommand {
    /// Make an account: a phone number or an email address, to which a code is sent
    Register(account::Register),
    /// Show the code that came; the account is yours from then on
    Authorize(account::Authorize),
    /// Get your phone number or email address back for a new account, when all your devices are lost
    Recover(recover::Recover),
    /// Make this device one more of an account that you have on another
    Link(devices::Link),
    /// List your devices; add, name or remove one
    Devices(devices::Devices),
    /// List your phone numbers and email addresses; add, confirm or remove one, object to who claims one
    Identifiers(identifiers::Identifiers),
    /// Send a message
    Send(Box<conversation::Send>),
    /// Save the file, picture or voice message of a message
    Download(attachments::Download),
    /// List files that are not on the server yet; go on with them, or give one up
    Uploads(attachments::Uploads),
    /// Talk on the whole screen: conversations, messages as they come, with the keyboard alone
    Chat(chat::Chat),
    /// Fetch and show messages
    Inbox(conversation::Inbox),
    /// Tell someone that you write to them just now, once
    Typing(follow::TypingCommand),
    /// List your conversations, with what was not read yet
    Conversations(transcripts::Conversations),
    /// Show the messages of one conversation
    Messages(transcripts::Messages),
    /// List what strangers wrote; accept, decline or block them
    Requests(transcripts::Requests),
    /// Give a message of yours another text
    Edit(changes::Edit),
    /// Delete a message of yours for everyone
    Delete(changes::Delete),
    /// Put an emoji on a message
    React(changes::React),
    /// Groups: make one, change who is in it, list yours
    Group(groups::Groups),
    /// Look someone up: their devices, and the safety number to compare with them
    Lookup(verify::Lookup),
    /// Make sure that nobody stands between you and someone: digits to compare, a code for a camera
    Verify(verify::Verify),
    /// Show this account
    Whoami(account::Whoami),
    /// Show what happened to your account: devices, keys, addresses, settings, blocks; by whom, and whether it is all there
    History(history::History),
    /// Change the passphrase that locks your keys, or lock them otherwise
    Passphrase(lock::PassphraseCommand),
    /// Show or set your name and picture, which those see whom you have accepted
    Profile(profile::ProfileCommand),
    /// Show or change who may find you and write to you
    Settings(account::SettingsCommand),
    /// Write what you have here into a file, encrypted: messages, contacts, groups, settings; no keys
    Export(archive::Export),
    /// Read such a file back, as history: nothing is sent, and what is here already stays as it is
    Import(archive::Import),
    /// Show what such a file has, without an account
    ShowArchive(archive::ShowArchive),
    /// Delete your account for ever, and what this device holds of it
    DeleteAccount(delete_account::DeleteAccount),
    /// Make someone a contact: for settings that say `contacts`
    Contact(account::ContactCommand),
    /// Block someone: they can neither find you nor write to you, and aren't told
    Block(account::Block),
    /// Take a block away
    Unblock(account::Block),
}

impl PersonCommand {
    async fn run(&self, screen: &Screen) -> anyhow::Result<ExitCode> {
        match self {
            Self::Register(register) => register.run(screen).await,
            Self::Authorize(authorize) => authorize.run(screen).await,
            Self::Recover(recover) => recover.run(screen).await,
            Self::Link(link) => link.run(screen).await,
            Self::Devices(devices) => devices.run(screen).await,
            Self::Identifiers(identifiers) => identifiers.run(screen).await,
            Self::Send(send) => send.run(screen).await,
            Self::Download(download) => download.run(screen).await,
            Self::Uploads(uploads) => uploads.run(screen).await,
            Self::Chat(chat) => chat.run().await,
            Self::Inbox(inbox) => inbox.run(screen).await,
            Self::Typing(typing) => typing.run(screen).await,
            Self::Conversations(conversations) => conversations.run(screen).await,
            Self::Messages(messages) => messages.run(screen).await,
            Self::Requests(requests) => requests.run(screen).await,
            Self::Edit(edit) => edit.run(screen).await,
            Self::Delete(delete) => delete.run(screen).await,
            Self::React(react) => react.run(screen).await,
            Self::Group(group) => group.run(screen).await,
            Self::Lookup(lookup) => lookup.run(screen).await,
            Self::Verify(verify) => verify.run(screen).await,
            Self::Whoami(whoami) => whoami.run(screen).await,
            Self::History(history) => history.run(screen).await,
            Self::Passphrase(passphrase) => passphrase.run(screen).await,
            Self::Profile(profile) => profile.run(screen).await,
            Self::Settings(settings) => settings.run(screen).await,
            Self::Export(export) => export.run(screen).await,
            Self::Import(import) => import.run(screen).await,
            Self::ShowArchive(show) => show.run(screen).await,
            Self::DeleteAccount(delete) => delete.run(screen).await,
            Self::Contact(contact) => contact.run(screen).await,
            Self::Block(block) => block.run(screen, true).await,
            Self::Unblock(block) => block.run(screen, false).await,
        }
    }

    /// Whether it is meant to wait.
    const fn waits(&self) -> bool {
        match self {
            Self::Inbox(inbox) => inbox.follow,
            Self::Chat(_) | Self::Link(_) | Self::Passphrase(_) | Self::Download(_) | Self::Uploads(_) => true,
            Self::Send(send) => send.is_file(),
            Self::Devices(devices) => devices.waits(),
            _ => false,
        }
    }

    const fn options(&self) -> &options::PersonOptions {
        match self {
            Self::Register(command) => &command.options,
            Self::Authorize(command) => &command.options,
            Self::Recover(command) => &command.options,
            Self::Link(command) => &command.options,
            Self::Devices(command) => command.options(),
            Self::Identifiers(command) => command.options(),
            Self::Send(command) => &command.options,
            Self::Download(command) => &command.options,
            Self::Uploads(command) => &command.options,
            Self::Chat(command) => &command.options,
            Self::Inbox(command) => &command.options,
            Self::Typing(command) => &command.options,
            Self::Conversations(command) => &command.options,
            Self::Messages(command) => &command.options,
            Self::Requests(command) => command.options(),
            Self::Edit(command) => &command.options,
            Self::Delete(command) => &command.options,
            Self::React(command) => &command.options,
            Self::Group(command) => command.options(),
            Self::Lookup(command) => &command.options,
            Self::Verify(command) => &command.options,
            Self::Whoami(command) => &command.options,
            Self::History(command) => &command.options,
            Self::Passphrase(command) => &command.options,
            Self::Profile(command) => command.options(),
            Self::Settings(command) => &command.options,
            Self::Export(command) => &command.options,
            Self::Import(command) => &command.options,
            Self::ShowArchive(command) => &command.options,
            Self::DeleteAccount(command) => &command.options,
            Self::Contact(command) => &command.options,
            Self::Block(command) | Self::Unblock(command) => &command.options,
        }
    }
}

/// After how long a command says that it waits.
const PATIENCE: Duration = Duration::from_secs(2);
/// It is not known yet whether the server has a message, and it will be sent again (`EX_TEMPFAIL` of sysexits.h).
const TRY_AGAIN: u8 = 75;
/// The name, for scripts, of what a person mistyped.
const MISUSED: &str = "usage";

/// Says as JSON what is wrong with the arguments.
pub(crate) fn say_misused(detail: &str) {
    Screen::new(true).error(MISUSED, detail);
}

/// Runs a command. Says by itself what went wrong, as JSON where that was asked for.
pub(crate) async fn run(command: &PersonCommand) -> ExitCode {
    let options = command.options();
    let screen = Screen::new(options.json);
    let mut work = pin!(command.run(&screen));
    let done = tokio::select! {
        biased;
        done = &mut work => done,
        () = patience(options), if !command.waits() => {
            screen.note("Waiting for the server ...");
            work.await
        }
    };
    match done {
        Ok(code) => code,
        // The reader of our output has gone away; that is its affair.
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            let name = error.downcast_ref::<ClientError>().map_or(MISUSED, ClientError::name);
            // A client's error says its cause by itself.
            let text = match error.downcast_ref::<ClientError>() {
                Some(error) => error.to_string(),
                None => format!("{error:#}"),
            };
            screen.error(name, &text);
            ExitCode::FAILURE
        }
    }
}

/// Waits until a command has taken long, without the time in which its person was asked something.
async fn patience(options: &options::PersonOptions) {
    let begin = tokio::time::Instant::now();
    let mut asked = None;
    while asked != Some(options.time_asked()) {
        let longer = options.time_asked();
        asked = Some(longer);
        tokio::time::sleep_until(begin + PATIENCE + longer).await;
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

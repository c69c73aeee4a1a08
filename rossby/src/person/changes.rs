//! Saying something of a message: edit, delete, react.

use std::process::ExitCode;

use clap::Args;
use rossby_client::{Client, ClientError, Message, MessageName, MessageState, Sent};

use super::options::PersonOptions;
use super::screen::Screen;
use super::{TRY_AGAIN, documents};

/// A message, as a person names it.
pub(super) fn message(text: &str) -> Result<MessageName, std::convert::Infallible> {
    text.parse()
}

/// The message of this name, in a conversation if one is named.
pub(super) async fn find(client: &Client, name: &MessageName, conversation: Option<&str>) -> anyhow::Result<Message> {
    Ok(match conversation {
        Some(who) => client.find_in(client.conversation_of(&client.resolve(who).await?).await?, name).await?,
        None => client.find(name).await?,
    })
}

/// Edit.
#[derive(Debug, Args)]
pub(crate) struct Edit {
    /// Your message: its id, or the beginning of it
    #[arg(value_name = "MESSAGE", value_parser = message)]
    message: MessageName,
    /// The text that it has from now on; read from the standard input if it is left out or `-`
    #[arg(allow_hyphen_values = true)]
    text: Option<String>,
    #[command(flatten)]
    pub(super) options: PersonOptions,
}

impl Edit {
    pub(super) async fn run(&self, screen: &Screen) -> anyhow::Result<ExitCode> {
        let text = super::conversation::typed(self.text.as_deref(), screen)?;
        let client = self.options.open().await?;
        let sent = client.edit(&self.message, &text).await?;
        let code = say(&client, screen, &sent, "Edited.").await?;
        client.close().await;
        Ok(code)
    }
}

/// Delete.
#[derive(Debug, Args)]
pub(crate) struct Delete {
    /// Your message: its id, or the beginning of it
    #[arg(value_name = "MESSAGE", value_parser = message)]
    message: MessageName,
    #[command(flatten)]
    pub(super) options: PersonOptions,
}

impl Delete {
    pub(super) async fn run(&self, screen: &Screen) -> anyhow::Result<ExitCode> {
        let client = self.options.open().await?;
        let sent = client.delete(&self.message).await?;
        let code = say(&client, screen, &sent, "Deleted, here and for everyone whose device hears of it.").await?;
        client.close().await;
        Ok(code)
    }
}

/// React.
#[derive(Debug, Args)]
pub(crate) struct React {
    /// The message: its id, or the beginning of it
    #[arg(value_name = "MESSAGE", value_parser = message)]
    message: MessageName,
    /// The emoji
    emoji: String,
    /// Take it away
    #[arg(long)]
    remove: bool,
    /// Which conversation the message is in, if several have one of that id: with whom, or which group
    #[arg(long = "in", value_name = "WHO")]
    conversation: Option<String>,
    #[command(flatten)]
    pub(super) options: PersonOptions,
}

impl React {
    pub(super) async fn run(&self, screen: &Screen) -> anyhow::Result<ExitCode> {
        let client = self.options.open().await?;
        let message = find(&client, &self.message, self.conversation.as_deref()).await?;
        let sent = client.react_to(&message, &self.emoji, self.remove).await?;
        let code = say(&client, screen, &sent, if self.remove { "Taken away." } else { "Sent." }).await?;
        client.close().await;
        Ok(code)
    }
}

/// Says what became of something that was to be sent.
pub(super) async fn say(client: &Client, screen: &Screen, sent: &Sent, done: &str) -> anyhow::Result<ExitCode> {
    let (said, code) = outcome(sent, done);
    screen.result_and_warnings(client, format!("{said}\n"), documents::sent(sent)).await?;
    Ok(code)
}

/// What became of something that was to be sent, and the command's status.
pub(super) fn outcome(sent: &Sent, done: &str) -> (String, ExitCode) {
    let reason = || sent.reason.as_ref().map(ToString::to_string).unwrap_or_default();
    match sent.state {
        MessageState::Sent if sent.recipients.len() > 1 => (to_many(sent, done), ExitCode::SUCCESS),
        // It stays in the outbox, and nothing brings it out any more.
        MessageState::Pending if matches!(sent.reason, Some(ClientError::NotKnown(_) | ClientError::Removed)) => {
            (format!("Not sent: {}.", reason()), ExitCode::FAILURE)
        }
        MessageState::Pending if sent.recipients.len() > 1 => {
            (format!("{} The reason: {}.", to_many(sent, done), reason()), ExitCode::from(TRY_AGAIN))
        }
        MessageState::Sent => (done.to_owned(), ExitCode::SUCCESS),
        MessageState::Failed => {
            ("Not sent: there is no such user, or none who takes messages from you.".to_owned(), ExitCode::FAILURE)
        }
        MessageState::Pending | MessageState::New | MessageState::Read => (
            format!("Kept in the outbox; it goes out with the next `rossby send` or `rossby inbox`: {}.", reason()),
            ExitCode::from(TRY_AGAIN),
        ),
    }
}

/// What became of a change of a group, and the command's status. The change is made, whoever hears of it.
pub(super) fn outcome_of_change(sent: &Sent, done: &str) -> (String, ExitCode) {
    match (sent.state, sent.recipients.len()) {
        (MessageState::Failed, 0 | 1) => {
            let none =
                "The other one is not told: there is no such user any more, or none who takes messages from you.";
            (format!("{done} {none}"), ExitCode::SUCCESS)
        }
        (MessageState::Failed, all) => {
            let none = "are such users any more, or take messages from you";
            (format!("{done} Nobody is told: none of the {all} others {none}."), ExitCode::SUCCESS)
        }
        (MessageState::Pending, 0 | 1) => {
            let (text, code) = outcome(sent, done);
            (format!("{done} {text}"), code)
        }
        _ => outcome(sent, done),
    }
}

/// What became of something that was to be sent to many.
fn to_many(sent: &Sent, done: &str) -> String {
    let count = |state: MessageState| sent.recipients.iter().filter(|recipient| recipient.state == state).count();
    let (all, reached) = (sent.recipients.len(), count(MessageState::Sent));
    if reached == all {
        return format!("{done} It is on its way to all {all}.");
    }
    let text = format!("{done} It is on its way to {reached} of {all}");
    let pending = match count(MessageState::Pending) {
        0 => String::new(),
        1 => "; 1 waits in the outbox and goes out with the next `rossby send` or `rossby inbox`".to_owned(),
        many => format!("; {many} wait in the outbox and go out with the next `rossby send` or `rossby inbox`"),
    };
    let failed = match count(MessageState::Failed) {
        0 => String::new(),
        1 => "; 1 is no such user, or takes no messages from you".to_owned(),
        many => format!("; {many} are no such users, or take no messages from you"),
    };
    format!("{text}{pending}{failed}.")
}

//! Reading: the list of conversations, the messages of one, and message requests.

use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Subcommand};
use rossby_client::{Client, ClientError, Conversation, ConversationOverview, MessageName, Peer};
use serde_json::json;

use super::conversation::peer;
use super::options::PersonOptions;
use super::screen::{Screen, address, bold, claimed, counted, faint, minute, printable};
use super::{changes, documents, lines};

/// How many messages are shown at once, if nothing else is asked for.
const LIMIT: u32 = 50;

/// Fetches what has come, if the server can be reached and lets this device in; what is here is shown all the same. Gives
/// whether it could.
pub(super) async fn refresh(client: &Client, offline: bool, screen: &Screen) -> anyhow::Result<bool> {
    if offline {
        return Ok(false);
    }
    loop {
        match client.receive(Duration::ZERO).await {
            Ok(received) if received.more => {}
            Ok(_) => return Ok(true),
            Err(error @ (ClientError::Unreachable { .. } | ClientError::NotKnown(_) | ClientError::Removed)) => {
                screen.note(&error.to_string());
                return Ok(false);
            }
            Err(error) => return Err(error.into()),
        }
    }
}

/// Conversations.
#[derive(Debug, Args)]
pub(crate) struct Conversations {
    /// Don't ask the server
    #[arg(long)]
    offline: bool,
    #[command(flatten)]
    pub(super) options: PersonOptions,
}

impl Conversations {
    pub(super) async fn run(&self, screen: &Screen) -> anyhow::Result<ExitCode> {
        let client = self.options.open().await?;
        refresh(&client, self.offline, screen).await?;
        let (requests, conversations): (Vec<_>, Vec<_>) =
            client.conversations().await?.into_iter().partition(ConversationOverview::is_request);
        let mut text: String = conversations.iter().map(line).collect();
        if conversations.is_empty() {
            text += "No conversations yet; begin one with `rossby send`.\n";
        }
        if !requests.is_empty() {
            text += &format!("{}; see `rossby requests`.\n", counted(requests.len(), "message request"));
        }
        let document = json!({
            "conversations": conversations.iter().map(documents::conversation).collect::<Vec<_>>(),
            "requests": requests.len(),
        });
        screen.result_and_warnings(&client, text, document).await?;
        client.close().await;
        Ok(ExitCode::SUCCESS)
    }
}

/// A conversation in a list.
fn line(overview: &ConversationOverview) -> String {
    let identifier = overview.identifiers.first().map(String::as_str);
    let is_own = overview.last.is_outgoing && overview.conversation == Conversation::Direct(overview.last.author);
    let name = match is_own {
        true => "yourself".to_owned(),
        false => lines::name(overview.conversation, identifier, overview.last.group_name.as_deref()),
    };
    let unread = if overview.unread > 0 { format!(" ({} unread)", overview.unread) } else { String::new() };
    let mark = match (overview.verified, overview.is_changed) {
        (_, true) => " (the address leads to another box now; nothing is sent)",
        (Some(verified), false) if verified.new_devices > 0 => " (verified; new devices since)",
        (Some(_), false) => " (verified)",
        (None, false) => "",
    };
    let formerly = match overview.formerly.first() {
        Some(before) => format!(" (was {}, who has another box now)", printable(address(before))),
        None => String::new(),
    };
    let (time, last) = (faint(&minute(overview.last.time)), lines::summary(&overview.last));
    let claimed =
        overview.claimed_name.as_deref().map(|name| faint(&format!(" ({})", claimed(name)))).unwrap_or_default();
    format!("{}{claimed}{formerly}{mark}{unread}\n    {time} {last}\n", bold(&name))
}

/// A request in their list: a group's with its id, since strangers may give two groups one name.
fn request(overview: &ConversationOverview) -> String {
    match overview.conversation {
        Conversation::Direct(_) => line(overview),
        Conversation::Group(id) => format!("{}    {}\n", line(overview), faint(&format!("group {id}"))),
    }
}

/// Messages.
#[derive(Debug, Args)]
pub(crate) struct Messages {
    /// With whom: a phone number, an email address, or a box; or in which group
    who: String,
    /// How many messages to show at most: the last ones
    #[arg(long, value_name = "NUMBER", default_value_t = LIMIT, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    limit: u32,
    /// Show those before this one: its id, or the beginning of it
    #[arg(long, value_name = "MESSAGE", value_parser = changes::message)]
    before: Option<MessageName>,
    /// Don't ask the server
    #[arg(long)]
    offline: bool,
    #[command(flatten)]
    pub(super) options: PersonOptions,
}

impl Messages {
    pub(super) async fn run(&self, screen: &Screen) -> anyhow::Result<ExitCode> {
        let client = self.options.open().await?;
        let is_fresh = refresh(&client, self.offline, screen).await?;
        let conversation = client.conversation_of(&client.resolve_to_read(&self.who).await?).await?;
        let before = match &self.before {
            Some(name) => Some(client.find_in(conversation, name).await?),
            None => None,
        };
        let messages = client.transcript(conversation, self.limit, before.as_ref()).await?;
        let text = match messages.is_empty() {
            true => "No messages.\n".to_owned(),
            false => lines::transcript(&messages),
        };
        let document = json!({ "messages": messages.iter().map(documents::message).collect::<Vec<_>>() });
        screen.result_and_warnings(&client, text, document).await?;
        client.mark_read(&messages).await?;
        if is_fresh {
            client.hand_over_what_waits().await?;
        }
        client.close().await;
        Ok(ExitCode::SUCCESS)
    }
}

/// Requests.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Requests {
    #[command(subcommand)]
    command: Option<RequestsCommand>,
    /// Don't ask the server
    #[arg(long)]
    offline: bool,
    #[command(flatten)]
    options: PersonOptions,
}

#[derive(Debug, Subcommand)]
enum RequestsCommand {
    /// Take somebody's messages from now on; writing to them does so too
    Accept(Answer),
    /// Erase what somebody wrote; they aren't told, and can ask again
    Decline(Answer),
    /// Erase what somebody wrote, and block them
    Block(Answer),
}

/// Whose request it is.
#[derive(Debug, Args)]
struct Answer {
    /// A phone number, an email address, or a box
    #[arg(value_parser = peer)]
    who: Peer,
    #[command(flatten)]
    options: PersonOptions,
}

impl Requests {
    pub(super) const fn options(&self) -> &PersonOptions {
        match &self.command {
            None => &self.options,
            Some(
                RequestsCommand::Accept(answer) | RequestsCommand::Decline(answer) | RequestsCommand::Block(answer),
            ) => &answer.options,
        }
    }

    pub(super) async fn run(&self, screen: &Screen) -> anyhow::Result<ExitCode> {
        let client = self.options().open().await?;
        let (box_id, word, who) = match &self.command {
            None => {
                self.list(&client, screen).await?;
                client.close().await;
                return Ok(ExitCode::SUCCESS);
            }
            Some(RequestsCommand::Accept(answer)) => (client.accept_peer(&answer.who).await?, "accepted", &answer.who),
            Some(RequestsCommand::Decline(answer)) => {
                (client.decline_request(&answer.who).await?, "declined", &answer.who)
            }
            Some(RequestsCommand::Block(answer)) => {
                (client.decline_and_block(&answer.who).await?, "blocked", &answer.who)
            }
        };
        client.hand_over_what_waits().await?;
        let document = json!({ "box_id": box_id, "standing": client.standing(box_id).await? });
        screen.result_and_warnings(&client, format!("{who} is {word}.\n"), document).await?;
        client.close().await;
        Ok(ExitCode::SUCCESS)
    }

    async fn list(&self, client: &Client, screen: &Screen) -> anyhow::Result<()> {
        refresh(client, self.offline, screen).await?;
        let requests: Vec<_> =
            client.conversations().await?.into_iter().filter(ConversationOverview::is_request).collect();
        let mut text: String = requests.iter().map(request).collect();
        text += match requests.is_empty() {
            true => "No message requests.\n",
            false => {
                "Answer with `rossby requests accept`, `decline` or `block`, for a group with `rossby group accept` or `decline`, or by \
                 writing to them.\n"
            }
        };
        let document = json!({ "requests": requests.iter().map(documents::conversation).collect::<Vec<_>>() });
        screen.result_and_warnings(client, text, document).await
    }
}

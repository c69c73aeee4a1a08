//! Talking: send, inbox.

use std::io::Read as _;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, bail};
use clap::Args;
use rossby_client::{
    Client, ClientError, Content, ContentError, Location, MAX_TEXT_OCTETS, MessageName, Peer, Received,
};
use serde_json::json;

use super::attachments::FileOptions;
use super::options::PersonOptions;
use super::screen::Screen;
use super::{attachments, changes, documents, follow, lines};

/// How many messages `inbox` shows at once, if nothing else is asked for: of the latest, and of those that were not read.
pub(super) const LATEST: u32 = 100;
const UNREAD: u32 = 1000;

pub(super) fn peer(text: &str) -> Result<Peer, String> {
    text.parse().map_err(|error: ClientError| error.to_string())
}

/// Send.
#[derive(Debug, Args)]
pub(crate) struct Send {
    /// A phone number, an email address, a box, or a group: its name, or the beginning of its id
    #[arg(value_name = "TO")]
    to: String,
    /// The text; read from the standard input if it is left out or `-`
    #[arg(allow_hyphen_values = true)]
    text: Option<String>,
    /// Answer this message of theirs or yours: its id, or the beginning of it
    #[arg(long, value_name = "MESSAGE", value_parser = changes::message)]
    reply_to: Option<MessageName>,
    /// Send a place instead of a text, in degrees to the north and to the east
    #[arg(long, value_name = "LAT,LON", allow_hyphen_values = true, conflicts_with_all = ["text", "reply_to"], value_parser = place)]
    location: Option<Location>,
    #[command(flatten)]
    file: FileOptions,
    #[command(flatten)]
    pub(super) options: PersonOptions,
}

fn place(text: &str) -> Result<Location, ContentError> {
    text.parse()
}

impl Send {
    pub(super) const fn is_file(&self) -> bool {
        self.file.is_some()
    }

    pub(super) async fn run(&self, screen: &Screen) -> anyhow::Result<ExitCode> {
        let text = match &self.location {
            Some(_) => None,
            None if self.file.is_some() => None,
            None => Some(typed(self.text.as_deref(), screen)?),
        };
        let client = self.options.open().await?;
        let to = client.resolve(&self.to).await?;
        if let Some(code) = self.file.send(&client, screen, &to).await? {
            client.close().await;
            return Ok(code);
        }
        let sent = match (text, &self.reply_to, self.location.clone()) {
            (Some(text), None, _) => client.send_to(&to, &Content::Text(text)).await?,
            (Some(text), Some(message), _) => client.reply_to(&to, message, &text).await?,
            (None, _, Some(location)) => client.send_to(&to, &Content::Location(location)).await?,
            (None, _, None) => bail!("there is nothing to send"),
        };
        let code = changes::say(&client, screen, &sent, "Sent.").await?;
        client.close().await;
        Ok(code)
    }
}

/// A text from the arguments, or from the standard input.
pub(super) fn typed(text: Option<&str>, screen: &Screen) -> anyhow::Result<String> {
    let text = match text {
        Some(text) if text != "-" => text.to_owned(),
        _ => from_standard_input(screen)?,
    };
    if text.trim().is_empty() {
        bail!("there is no text to send");
    }
    Ok(text)
}

/// The whole standard input, up to what can be sent.
fn from_standard_input(screen: &Screen) -> anyhow::Result<String> {
    if Screen::is_terminal() {
        screen.note("Write the text, and end it with Ctrl-D.");
    }
    let limit = u64::try_from(MAX_TEXT_OCTETS).unwrap_or(u64::MAX);
    let mut text = String::new();
    std::io::stdin().lock().take(limit + 1).read_to_string(&mut text).context("the text can't be read")?;
    if text.len() > MAX_TEXT_OCTETS {
        return Err(ClientError::TooLong { octets: text.len(), limit: MAX_TEXT_OCTETS }.into());
    }
    Ok(text.strip_suffix('\n').map(str::to_owned).unwrap_or(text))
}

/// Inbox.
#[derive(Debug, Args)]
pub(crate) struct Inbox {
    /// Go on and show messages as they come, until Ctrl-C
    #[arg(long, short)]
    pub(super) follow: bool,
    /// Show what was read and sent before, too
    #[arg(long, short)]
    all: bool,
    /// How many messages to show at most: the last ones with --all, else the first that were not read
    #[arg(long, value_name = "NUMBER", conflicts_with = "follow", value_parser = clap::value_parser!(u32).range(1..))]
    limit: Option<u32>,
    #[command(flatten)]
    pub(super) options: PersonOptions,
}

impl Inbox {
    pub(super) async fn run(&self, screen: &Screen) -> anyhow::Result<ExitCode> {
        let client = self.options.open().await?;
        if self.follow {
            let followed = follow::follow(&client, screen, self.all).await;
            client.close().await;
            return followed.map(|()| ExitCode::SUCCESS);
        }
        let mut shown = self.fetch_and_show(&client, screen).await;
        if shown.is_ok() {
            shown = attachments::go_on(&client, screen).await;
        }
        client.close().await;
        shown.map(|()| ExitCode::SUCCESS)
    }

    async fn fetch_and_show(&self, client: &Client, screen: &Screen) -> anyhow::Result<()> {
        // What came before a failure is shown all the same.
        let (received, failure) = match client.receive(Duration::ZERO).await {
            Ok(received) => (received, None),
            Err(error) => (Received::default(), Some(error)),
        };
        let limit = self.limit.unwrap_or(if self.all { LATEST } else { UNREAD });
        let (messages, more) = if self.all {
            (client.latest(limit).await?, received.more)
        } else {
            let mut messages = client.unread(limit.saturating_add(1)).await?;
            let fit = usize::try_from(limit).unwrap_or(usize::MAX);
            let more = received.more || messages.len() > fit;
            messages.truncate(fit);
            (messages, more)
        };
        let document = json!({
            "messages": messages.iter().map(documents::message).collect::<Vec<_>>(),
            "duplicates": received.duplicates,
            "more": more,
        });
        let mut text = if messages.is_empty() { "No new messages.\n".to_owned() } else { lines::inbox(&messages) };
        if more {
            text += "More messages wait: look again with the same command.\n";
        }
        screen.result_and_warnings(client, text, document).await?;
        client.mark_read(&messages).await?;
        match failure {
            Some(error) => Err(error.into()),
            // That they were read is told at once, and not only with what is sent next.
            None => Ok(client.hand_over_what_waits().await?),
        }
    }
}

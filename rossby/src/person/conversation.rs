//! Talking: send, inbox, lookup.

use std::io::Read as _;
use std::pin::pin;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, bail};
use clap::Args;
use rossby_client::{Client, ClientError, Contact, Kind, MAX_TEXT_OCTETS, Message, MessageState, Peer, Received};
use rossby_schemas::http::messages::MAX_WAIT_SECONDS;
use serde_json::{Value, json};

use super::options::PersonOptions;
use super::screen::{Screen, bold, faint, minute, printable};
use super::{TRY_AGAIN, documents};

/// How long to wait before asking a server again that can't be reached.
const PAUSE: Duration = Duration::from_secs(5);

pub(super) fn peer(text: &str) -> Result<Peer, String> {
    text.parse().map_err(|error: ClientError| error.to_string())
}

/// Send.
#[derive(Debug, Args)]
pub(crate) struct Send {
    /// A phone number, an email address, or a box
    #[arg(value_name = "TO", value_parser = peer)]
    to: Peer,
    /// The text; read from the standard input if it is left out or `-`
    #[arg(allow_hyphen_values = true)]
    text: Option<String>,
    #[command(flatten)]
    pub(super) options: PersonOptions,
}

impl Send {
    pub(super) async fn run(&self, screen: &Screen) -> anyhow::Result<ExitCode> {
        let text = match &self.text {
            Some(text) if text != "-" => text.clone(),
            _ => from_standard_input(screen)?,
        };
        if text.trim().is_empty() {
            bail!("there is no text to send");
        }
        let client = self.options.open().await?;
        let sent = client.send(&self.to, &text).await?;
        client.close().await;
        screen.warnings(&sent.warnings);
        let (said, code) = match sent.state {
            MessageState::Sent => ("Sent.".to_owned(), ExitCode::SUCCESS),
            MessageState::Failed => {
                ("Not sent: there is no such user, or none who takes messages from you.".to_owned(), ExitCode::FAILURE)
            }
            MessageState::Pending | MessageState::New | MessageState::Read => {
                let reason = sent.reason.as_ref().map(ToString::to_string).unwrap_or_default();
                (
                    format!("Kept in the outbox; it goes out with the next `rossby send` or `rossby inbox`. {reason}"),
                    ExitCode::from(TRY_AGAIN),
                )
            }
        };
        screen.result(format!("{said}\n"), &documents::sent(&sent))?;
        Ok(code)
    }
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
    follow: bool,
    /// Show what was read and sent before, too
    #[arg(long, short)]
    all: bool,
    /// How many messages to show with --all
    #[arg(long, value_name = "NUMBER", default_value_t = 100, requires = "all")]
    limit: u32,
    #[command(flatten)]
    pub(super) options: PersonOptions,
}

impl Inbox {
    pub(super) async fn run(&self, screen: &Screen) -> anyhow::Result<ExitCode> {
        let client = self.options.open().await?;
        if self.follow {
            let followed = self.follow(&client, screen).await;
            client.close().await;
            return followed.map(|()| ExitCode::SUCCESS);
        }
        let fetched = client.receive(Duration::ZERO).await;
        let (received, failure) = match fetched {
            Ok(mut received) => {
                let failure = received.failure.take();
                (received, failure)
            }
            // What came before is shown all the same.
            Err(error) => (Received::default(), Some(error)),
        };
        screen.warnings(&received.warnings);
        let messages = client.messages(!self.all, self.limit_of(self.all)).await?;
        let document = json!({
            "messages": messages.iter().map(documents::message).collect::<Vec<_>>(),
            "duplicates": received.duplicates,
            "warnings": documents::warnings(&received.warnings),
        });
        let text = if messages.is_empty() { "No new messages.\n".to_owned() } else { shown(&messages) };
        screen.result(text, &document)?;
        client.mark_read(&messages).await?;
        client.close().await;
        failure.map_or(Ok(ExitCode::SUCCESS), |error| Err(error.into()))
    }

    const fn limit_of(&self, all: bool) -> u32 {
        if all { self.limit } else { u32::MAX }
    }

    /// Shows messages as they come. What can't be reached is asked again.
    async fn follow(&self, client: &Client, screen: &Screen) -> anyhow::Result<()> {
        let mut is_reached = true;
        let mut show_all = self.all;
        let mut wait = Duration::ZERO;
        // What has come is shown and marked as read before it ends.
        let mut stop = pin!(tokio::signal::ctrl_c());
        loop {
            let received = tokio::select! {
                received = client.receive(wait) => received,
                _ = &mut stop => return Ok(()),
            };
            let mut failure = None;
            match received {
                Ok(mut received) => {
                    failure = received.failure.take();
                    if !is_reached {
                        screen.note("The server can be reached again.");
                    }
                    is_reached = true;
                    screen.warnings(&received.warnings);
                    wait = Duration::from_secs(u64::from(MAX_WAIT_SECONDS) - 5);
                }
                Err(error) if passes(&error) => {
                    if is_reached {
                        screen.note(&format!("{error}; trying again"));
                    }
                    is_reached = false;
                    tokio::select! {
                        () = tokio::time::sleep(PAUSE) => {}
                        _ = &mut stop => return Ok(()),
                    }
                }
                Err(error) => return Err(error.into()),
            }
            let messages = client.messages(!show_all, self.limit_of(show_all)).await?;
            show_all = false;
            for message in &messages {
                screen.result(shown(std::slice::from_ref(message)), &documents::message(message))?;
            }
            client.mark_read(&messages).await?;
            match failure {
                None => {}
                Some(error) if passes(&error) => tokio::select! {
                    () = tokio::time::sleep(PAUSE) => {}
                    _ = &mut stop => return Ok(()),
                },
                Some(error) => return Err(error.into()),
            }
        }
    }
}

/// Whether asking again later may help.
fn passes(error: &ClientError) -> bool {
    match error {
        ClientError::Unreachable { .. } => true,
        ClientError::Refused(problem) => problem.status == 503 || problem.status == 429 || problem.status == 500,
        _ => false,
    }
}

fn shown(messages: &[Message]) -> String {
    let mut text = String::new();
    for message in messages {
        let name = message.peer_identifier.as_deref().map_or_else(
            || format!("box {}", message.peer),
            |identifier| identifier.split_once(':').map_or(identifier, |(_, address)| address).to_owned(),
        );
        let name = if message.is_outgoing { format!("to {name}") } else { name };
        let state = match message.state {
            MessageState::Pending => " (in the outbox)",
            MessageState::Failed => " (not sent)",
            MessageState::Sent | MessageState::New | MessageState::Read => "",
        };
        let body = match (&message.text, message.kind) {
            (Some(body), _) => printable(body),
            (None, Kind::Text) => "[a text that is not UTF-8]".to_owned(),
            (None, Kind::Unknown(number)) => format!("[a message of kind {number}, which this version does not know]"),
        };
        // A stranger's text can't pass for the line of another message.
        let body = body.replace('\n', "\n    ");
        text += &format!("{} {}{state}: {body}\n", faint(&minute(message.time)), bold(&printable(&name)));
    }
    text
}

/// Lookup.
#[derive(Debug, Args)]
pub(crate) struct Lookup {
    /// A phone number, an email address, or a box
    #[arg(value_parser = peer)]
    who: Peer,
    /// Take the box that the address leads to now for the right one
    #[arg(long)]
    accept_change: bool,
    #[command(flatten)]
    pub(super) options: PersonOptions,
}

impl Lookup {
    pub(super) async fn run(&self, screen: &Screen) -> anyhow::Result<ExitCode> {
        let client = self.options.open().await?;
        let contact = client.lookup(&self.who, self.accept_change).await?;
        client.close().await;
        screen.warnings(&contact.warnings);
        let document: Value = documents::contact(&contact);
        screen.result(self.text(&contact), &document)?;
        Ok(ExitCode::SUCCESS)
    }

    fn text(&self, contact: &Contact) -> String {
        let mut text = format!("{}\n", bold(&self.who.to_string()));
        text += &format!("  {} {}\n", faint("box          "), contact.box_id);
        for device in &contact.devices {
            let state = match (device.is_removed, device.sealing_expires) {
                (true, _) => "removed".to_owned(),
                (false, Some(expires)) => format!("sealing key until {}", minute(expires)),
                (false, None) => "no sealing key".to_owned(),
            };
            text += &format!("  {} {}, {state}\n", faint("device       "), device.device_id);
        }
        let digits = contact.safety_number.to_string();
        let (first, second) = digits.split_at(digits.len() / 2);
        text += &format!(
            "  {} {}\n                {}\nCompare it with them, by voice or side by side: it is the same for both if nobody stands \
             between you.\n",
            faint("safety number"),
            bold(first.trim()),
            bold(second.trim())
        );
        text
    }
}

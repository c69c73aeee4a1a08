//! Following: `inbox --follow`, and `typing`.

use std::collections::HashMap;
use std::process::ExitCode;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use clap::Args;
use rossby_client::{Client, Conversation, Event, Indicated, Message, Typing};
use rossby_schemas::ids::BoxId;
use serde_json::{Value, json};
use tokio::sync::{Notify, mpsc};

use super::conversation::LATEST;
use super::options::PersonOptions;
use super::screen::Screen;
use super::{TRY_AGAIN, attachments, documents, lines};

/// How many messages are held at once.
const PAGE: u32 = 100;
/// How many events wait to be shown.
const EVENTS: usize = 64;
/// How often uploads that wait are gone on with, if the server was not lost meanwhile.
const UPLOADS: Duration = Duration::from_secs(600);
/// A passing note has one line.
const NOTE_CHARS: usize = 60;

/// Shows messages as they come, until Ctrl-C. What can't be reached is tried again.
pub(super) async fn follow(client: &Client, screen: &Screen, all: bool) -> anyhow::Result<()> {
    let show = Show { client, screen, writing: Mutex::default(), reached: Notify::new() };
    if all {
        show.each(&client.latest(LATEST).await?).await?;
    }
    show.unread().await?;
    let (events, coming) = mpsc::channel(EVENTS);
    let following = async {
        tokio::select! {
            followed = client.follow(events) => Ok(followed),
            _ = tokio::signal::ctrl_c() => Ok(Ok(())),
        }
    };
    // Side by side, so that neither waits for the store while the other has it. What has come is shown and marked as
    // read before it ends, however it ends.
    let shown = async {
        tokio::select! {
            shown = show.events(coming) => shown,
            failed = show.uploads() => failed,
        }
    };
    let (followed, ()) = tokio::try_join!(following, shown)?;
    Ok(followed?)
}

/// What is shown, and to whom.
struct Show<'a> {
    client: &'a Client,
    screen: &'a Screen,
    /// Who writes just now, and what they are called.
    writing: Mutex<HashMap<(Conversation, BoxId), String>>,
    /// Told when the server can be reached again.
    reached: Notify,
}

impl Show<'_> {
    /// Shows what happens, until nothing does any more.
    async fn events(&self, mut coming: mpsc::Receiver<Event>) -> anyhow::Result<()> {
        let mut was_lost = false;
        while let Some(event) = coming.recv().await {
            match event {
                Event::Received(received) => {
                    self.unread().await?;
                    if received.new > 0 {
                        // That they were read is told at once, and not only with what is sent next.
                        self.client.hand_over_what_waits().await?;
                    }
                }
                Event::Connected(way) => {
                    let document = json!({ "connected": true, "by": documents::way(way) });
                    let note = was_lost.then_some("The server can be reached again.");
                    self.happened("connection", document, note)?;
                    was_lost = false;
                    self.reached.notify_one();
                }
                Event::Disconnected { reason } => {
                    let document = json!({ "connected": false, "reason": reason });
                    self.happened("connection", document, Some(&format!("{reason}; trying again")))?;
                    was_lost = true;
                }
                Event::Waiting { reason, pause } => {
                    let document = json!({ "reason": reason, "seconds": pause.as_secs_f64() });
                    self.happened("waiting", document, None)?;
                }
                Event::Typing(typing) => self.typing(&typing)?,
                Event::Changed(_) => {}
            }
            self.warnings().await?;
        }
        Ok(())
    }

    /// Goes on with uploads that wait, whenever the server is reached, and now and then. Ends only if that fails.
    async fn uploads(&self) -> anyhow::Result<()> {
        loop {
            let _ = tokio::time::timeout(UPLOADS, self.reached.notified()).await;
            attachments::go_on(self.client, self.screen).await?;
        }
    }

    /// Shows what was not read yet.
    async fn unread(&self) -> anyhow::Result<()> {
        loop {
            let messages = self.client.unread(PAGE).await?;
            if messages.is_empty() {
                return Ok(());
            }
            self.each(&messages).await?;
        }
    }

    async fn each(&self, messages: &[Message]) -> anyhow::Result<()> {
        for message in messages {
            // Who has sent it writes it no more.
            self.writing().remove(&(message.conversation, message.author));
            let document = documents::event("message", documents::message(message));
            self.screen.result(lines::inbox(std::slice::from_ref(message)), &document)?;
        }
        self.note_writing();
        Ok(self.client.mark_read(messages).await?)
    }

    fn typing(&self, typing: &Typing) -> anyhow::Result<()> {
        let who = (typing.conversation, typing.box_id);
        if typing.is_typing {
            self.writing().insert(who, lines::person(typing.box_id, typing.identifier.as_deref()));
        } else {
            self.writing().remove(&who);
        }
        self.happened("typing", documents::typing(typing), None)?;
        self.note_writing();
        Ok(())
    }

    fn writing(&self) -> MutexGuard<'_, HashMap<(Conversation, BoxId), String>> {
        self.writing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// On a terminal, for as long as it is so.
    fn note_writing(&self) {
        let mut names: Vec<String> = self.writing().values().cloned().collect();
        names.sort_unstable();
        names.dedup();
        let who: String = names.join(", ").chars().take(NOTE_CHARS).collect();
        self.screen.passing_note(match names.len() {
            0 => None,
            1 => Some(format!("{who} writes ...")),
            _ => Some(format!("{who} write ...")),
        });
    }

    /// An event: to scripts as a line, to people as a note, if it is one.
    fn happened(&self, name: &str, document: Value, note: Option<&str>) -> anyhow::Result<()> {
        if self.screen.is_json() {
            self.screen.result("", &documents::event(name, document))?;
        }
        if let Some(note) = note {
            self.screen.note(note);
        }
        Ok(())
    }

    async fn warnings(&self) -> anyhow::Result<()> {
        self.screen.pending_warnings(self.client).await
    }
}

/// Typing.
#[derive(Debug, Args)]
pub(crate) struct TypingCommand {
    /// A phone number, an email address, a box, or a group
    #[arg(value_name = "WHO")]
    who: String,
    #[command(flatten)]
    pub(super) options: PersonOptions,
}

impl TypingCommand {
    pub(super) async fn run(&self, screen: &Screen) -> anyhow::Result<ExitCode> {
        let client = self.options.open().await?;
        let conversation = client.conversation_of(&client.resolve(&self.who).await?).await?;
        let indicated = client.signal_typing(conversation).await?;
        let (said, name, code) = match indicated {
            Indicated::Sent => ("Told, if they are there just now.", "sent", ExitCode::SUCCESS),
            Indicated::NoSuchRecipient => (
                "Not told: there is no such user, or none who takes messages from you.",
                "no-such-recipient",
                ExitCode::FAILURE,
            ),
            Indicated::Nobody => (
                "Not told: you have accepted none of the group's members, or it has too many.",
                "nobody",
                ExitCode::FAILURE,
            ),
            Indicated::NotTaken => ("Not told: the server can't do it now.", "not-taken", ExitCode::from(TRY_AGAIN)),
        };
        screen.result_and_warnings(&client, format!("{said}\n"), json!({ "state": name })).await?;
        client.close().await;
        Ok(code)
    }
}

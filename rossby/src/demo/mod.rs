//! `rossby demo`: the whole story between two people, against a server that it starts, and what that server sees of it.

mod evidence;
mod mailbox;
mod story;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use clap::Args;
use rossby_client::{Client, ClientConfig, Message, Peer, ReceiptSettings, RegisterOptions, Unlock};
use rossby_schemas::identifier::Identifier;
use rossby_schemas::ids::RegionNumber;
use tokio_util::sync::CancellationToken;

use self::evidence::Evidence;
use self::mailbox::Mailbox;
use self::story::Story;
use crate::config::Settings;
use crate::serve::{self, Running};

const ANN: &str = "mailto:ann@example.org";
const BEN: &str = "tel:+15551234567";
const TEXT: &str = "The tide turns at a quarter past nine. Meet me at the old pier.";
const ANSWER: &str = "I'll bring the lantern.";

/// Tell the story of two people and their server.
#[derive(Debug, Args)]
pub(crate) struct Demo {
    /// Keep the server's data and both homes in this folder, which must not be there yet
    #[arg(long, value_name = "DIR")]
    keep: Option<std::path::PathBuf>,
}

impl Demo {
    pub(crate) async fn run(&self) -> anyhow::Result<()> {
        let temporary = tempfile::tempdir().context("a folder for the demo can't be made")?;
        let folder = match &self.keep {
            Some(folder) if folder.exists() => bail!("{} is there already", folder.display()),
            Some(folder) => {
                std::fs::create_dir_all(folder).with_context(|| format!("{} can't be made", folder.display()))?;
                folder.as_path()
            }
            None => temporary.path(),
        };
        let story = tell(folder);
        tokio::select! {
            told = story => told,
            _ = tokio::signal::ctrl_c() => bail!("stopped"),
        }
    }
}

/// A person with a device.
struct Person {
    name: &'static str,
    identifier: Identifier,
    client: Client,
}

impl Person {
    async fn new(folder: &Path, server: &str, name: &'static str, identifier: &str) -> anyhow::Result<Self> {
        let home = folder.join(name.to_lowercase());
        let mut config = ClientConfig::new(home.clone(), Unlock::KeyFile(home.join("key")));
        config.server = Some(server.to_owned());
        Ok(Self { name, identifier: identifier.parse()?, client: Client::create(config).await? })
    }

    async fn join(&self, story: &Story, mailbox: &mut Mailbox) -> anyhow::Result<()> {
        story.step(&format!("{} registers {}", self.name, self.identifier.address()))?;
        let options = RegisterOptions { region: RegionNumber(1), recovery_key: false, start_over: false };
        let registration = self.client.register(&self.identifier, options).await?;
        story.says(&format!(
            "{}'s device makes its keys, and signs the founding statement of box {}.",
            self.name, registration.box_id
        ))?;
        let code = mailbox.code().await?;
        story.says(&format!("The server sends the code {code} to {}.", self.identifier.address()))?;
        self.client.authorize(&code).await?;
        // Receipts are messages too, and would be counted among those that are told of here.
        self.client.set_receipts(ReceiptSettings { delivery: false, read: false, typing: false }).await?;
        story.says(&format!("{}'s device shows the code, and has its token, sealed to its own key.", self.name))
    }

    async fn inbox(&self) -> anyhow::Result<Vec<Message>> {
        // Long enough for any machine; it comes at once.
        self.client.receive(Duration::from_secs(20)).await?;
        let messages = self.client.unread(u32::MAX).await?;
        self.client.mark_read(&messages).await?;
        Ok(messages)
    }
}

async fn tell(folder: &Path) -> anyhow::Result<()> {
    let story = Story::new();
    let mut settings = Settings::default();
    settings.server.listen = "127.0.0.1:0".to_owned();
    settings.server.operator_listen = String::new();
    settings.server.data_dir = folder.join("server");
    let (sender, mut mailbox) = mailbox::new();
    let stop = CancellationToken::new();
    let server = Running::start(&settings, serve::metrics()?, Arc::new(sender), stop.clone()).await?;
    let mut evidence = Evidence::new(server.log(), settings.server.data_dir.clone());

    story.step("A server starts")?;
    story.says(&format!("One process at {}, its log and its tables in SQLite.", server.url()))?;
    let ann = Person::new(folder, server.url(), "Ann", ANN).await?;
    let ben = Person::new(folder, server.url(), "Ben", BEN).await?;
    for person in [&ann, &ben] {
        person.join(&story, &mut mailbox).await?;
        evidence.tell_new(&story).await?;
    }

    story.step("Ann looks Ben up, and Ben Ann")?;
    let (to_ben, to_ann) = (Peer::Identifier(ben.identifier.clone()), Peer::Identifier(ann.identifier.clone()));
    let seen = [ann.client.lookup(&to_ben, false).await?, ben.client.lookup(&to_ann, false).await?];
    for (who, contact) in [(&ann, &seen[0]), (&ben, &seen[1])] {
        story.says(&format!("{} checks every signature, and sees the safety number", who.name))?;
        story.quote(&contact.safety_number.to_string())?;
    }
    story.says("It is the same for both: nobody stands between them.")?;

    story.step("Ann writes to Ben")?;
    story.quote(TEXT)?;
    ann.client.send(&to_ben, TEXT).await?;
    story.says("Signed by Ann's device, sealed to Ben's: this is what the server keeps.")?;
    evidence.tell_new(&story).await?;

    story.step("Ben fetches, and answers")?;
    for message in ben.inbox().await? {
        story.says("Ben's device opens it, checks that Ann signed it, stores it, and only then confirms it.")?;
        story.quote(message.text.as_deref().unwrap_or_default())?;
    }
    ben.client.send(&to_ann, ANSWER).await?;
    for message in ann.inbox().await? {
        story.says("Ann reads:")?;
        story.quote(message.text.as_deref().unwrap_or_default())?;
    }
    evidence.tell_new(&story).await?;
    for person in [&ann, &ben] {
        let waiting = person.client.settings().await?.waiting;
        story.says(&format!("{waiting} messages wait for {}.", person.name))?;
    }

    story.step("What the server sees, and what it doesn't")?;
    let boxes = [("Ann", seen[1].box_id), ("Ben", seen[0].box_id)];
    for person in [ann, ben] {
        person.client.close().await;
    }
    stop.cancel();
    server.until_stopped(stop).await?;
    evidence.search(&story, &boxes, &[("Ann's text", TEXT), ("Ben's answer", ANSWER)])?;
    evidence.search(&story, &[], &[("Ann's address", "ann@example.org"), ("Ben's number", "+15551234567")])?;
    story
        .says("It does see which box gets mail, when, and how much of it, in steps of a power of two: see SECURITY.md.")
}

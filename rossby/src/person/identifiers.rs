//! The account's identifiers: identifiers, with add, confirm, remove, object.

use std::process::ExitCode;

use anyhow::bail;
use clap::{Args, Subcommand};
use rossby_client::{AccountIdentifier, ClientError, Confirmed, IdentifierRef, Objected};
use rossby_crypto::recovery::RecoveryKey;
use rossby_schemas::identifier::Identifier;
use serde_json::{Value, json};

use super::account::identifier;
use super::documents;
use super::options::PersonOptions;
use super::questions::{asked, confirmed};
use super::screen::{Screen, address, bold, faint, minute, printable};

fn meant(text: &str) -> Result<IdentifierRef, ClientError> {
    text.parse()
}

/// Identifiers.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Identifiers {
    #[command(subcommand)]
    command: Option<IdentifiersCommand>,
    #[command(flatten)]
    options: PersonOptions,
}

#[derive(Debug, Subcommand)]
enum IdentifiersCommand {
    /// Let your account have one more phone number or email address, to which a code is sent
    Add(Add),
    /// Show the code that came: to add what you asked for, or to object
    Confirm(Confirm),
    /// Take a phone number or email address away: whoever can show a code of it can have it then
    Remove(Remove),
    /// Object to somebody else's claim of one of them: by a code that is sent to it, or by your recovery key
    Object(Object),
}

impl Identifiers {
    pub(super) const fn options(&self) -> &PersonOptions {
        match &self.command {
            None => &self.options,
            Some(IdentifiersCommand::Add(add)) => &add.options,
            Some(IdentifiersCommand::Confirm(confirm)) => &confirm.options,
            Some(IdentifiersCommand::Remove(remove)) => &remove.options,
            Some(IdentifiersCommand::Object(object)) => &object.options,
        }
    }

    pub(super) async fn run(&self, screen: &Screen) -> anyhow::Result<ExitCode> {
        match &self.command {
            None => self.list(screen).await,
            Some(IdentifiersCommand::Add(add)) => add.run(screen).await,
            Some(IdentifiersCommand::Confirm(confirm)) => confirm.run(screen).await,
            Some(IdentifiersCommand::Remove(remove)) => remove.run(screen).await,
            Some(IdentifiersCommand::Object(object)) => object.run(screen).await,
        }
    }

    async fn list(&self, screen: &Screen) -> anyhow::Result<ExitCode> {
        let client = self.options.open().await?;
        let identifiers = client.identifiers().await?;
        let mut text: String = identifiers.iter().map(|identifier| line(identifier, &self.options)).collect();
        if identifiers.is_empty() {
            text = format!("None. Nobody finds you: {}\n", self.options.command("identifiers add ADDRESS"));
        }
        let document = json!({ "identifiers": identifiers.iter().map(documents::identifier).collect::<Vec<_>>() });
        screen.result_and_warnings(&client, text, document).await?;
        client.close().await;
        Ok(ExitCode::SUCCESS)
    }
}

/// An identifier as the list shows it.
fn line(identifier: &AccountIdentifier, options: &PersonOptions) -> String {
    let hash = identifier.hash.to_string();
    let short = hash.get(..12).unwrap_or(&hash);
    let name = match &identifier.identifier {
        Some(identifier) => bold(&printable(address(identifier))),
        None => format!("{} that this device doesn't know yet", bold(short)),
    };
    let mut details = vec![short.to_owned()];
    if let Some(until) = identifier.awaited_until {
        return format!(
            "{name}\n    {}\n",
            faint(&format!("claimed; yours from {} on, if nobody objects", minute(until)))
        );
    }
    if let Some(at) = identifier.added_at {
        details.push(format!("added {}", minute(at)));
    }
    match identifier.added_by {
        Some(device) => details.push(format!("by device {device}")),
        None if identifier.is_strange => {
            details.push("added by none of your devices, as the server says alone".to_owned())
        }
        None => details.push("registered with it".to_owned()),
    }
    let mut text = format!("{name}\n    {}\n", faint(&details.join(", ")));
    if let Some(at) = identifier.claimed_from {
        let shown = identifier.identifier.as_deref().map_or(short, address);
        text += &format!(
            "    somebody claims it, and has it from {} on; to object: {}\n",
            minute(at),
            options.command(&format!("identifiers object {}", printable(shown)))
        );
    }
    text
}

/// Add.
#[derive(Debug, Args)]
struct Add {
    /// A phone number in international form (+15551234567) or an email address
    #[arg(value_parser = identifier)]
    identifier: Identifier,
    #[command(flatten)]
    options: PersonOptions,
}

impl Add {
    async fn run(&self, screen: &Screen) -> anyhow::Result<ExitCode> {
        let client = self.options.open().await?;
        let asked = client.add_identifier(&self.identifier).await?;
        let text = format!(
            "A code was sent to {}, good until {}.\nGo on with: {}\n",
            self.identifier.address(),
            minute(asked.code_expires_at),
            self.options.command("identifiers confirm CODE")
        );
        let document = json!({ "identifier": asked.identifier, "code_expires_at": asked.code_expires_at });
        screen.result_and_warnings(&client, text, document).await?;
        client.close().await;
        Ok(ExitCode::SUCCESS)
    }
}

/// Confirm.
#[derive(Debug, Args)]
struct Confirm {
    /// The code that came: 8 digits
    code: String,
    /// Claim it from another account, whose devices are lost: they are told and can object; then it is yours
    #[arg(long)]
    claim: bool,
    #[command(flatten)]
    options: PersonOptions,
}

impl Confirm {
    async fn run(&self, screen: &Screen) -> anyhow::Result<ExitCode> {
        let client = self.options.open().await?;
        let (text, document) = match client.confirm_code(&self.code, self.claim).await? {
            Confirmed::Added(identifier) => (
                format!("{} leads to you from now on.\n", bold(address(&identifier))),
                json!({ "identifier": identifier, "state": "added" }),
            ),
            Confirmed::Claimed { identifier, effective_at } => (
                format!(
                    "{} is yours from {} on, unless a device of the account that has it objects. There is nothing to do \
                     meanwhile.\n",
                    bold(address(&identifier)),
                    minute(effective_at)
                ),
                json!({ "identifier": identifier, "state": "claimed", "effective_at": effective_at }),
            ),
            Confirmed::Objected(identifier) => objected(Some(&identifier)),
        };
        screen.result_and_warnings(&client, text, document).await?;
        client.close().await;
        Ok(ExitCode::SUCCESS)
    }
}

/// Remove.
#[derive(Debug, Args)]
struct Remove {
    /// The phone number or email address; or the beginning of its hash, as the list shows it
    #[arg(value_parser = meant)]
    identifier: IdentifierRef,
    /// Don't ask whether it is meant
    #[arg(long, short)]
    yes: bool,
    #[command(flatten)]
    options: PersonOptions,
}

impl Remove {
    async fn run(&self, screen: &Screen) -> anyhow::Result<ExitCode> {
        let client = self.options.open().await?;
        let question = format!(
            "Take {} away from your account? Nobody finds you by it then, and whoever can show a code of it can have it. [y/N] ",
            self.identifier
        );
        if !self.yes && !self.options.asked(|| confirmed(&question))? {
            bail!("nothing was taken away");
        }
        let identifier = client.remove_identifier(&self.identifier).await?;
        let text = format!("{} leads to you no more.\n", self.identifier);
        screen.result_and_warnings(&client, text, json!({ "identifier": identifier })).await?;
        client.close().await;
        Ok(ExitCode::SUCCESS)
    }
}

/// Object.
#[derive(Debug, Args)]
struct Object {
    /// The phone number or email address that somebody claims
    #[arg(value_parser = meant)]
    identifier: IdentifierRef,
    /// Object at once, by the recovery key; its words are asked for, or read from the standard input. Without it a code is sent
    /// to the phone number or email address
    #[arg(long)]
    recovery_key: bool,
    #[command(flatten)]
    options: PersonOptions,
}

impl Object {
    async fn run(&self, screen: &Screen) -> anyhow::Result<ExitCode> {
        let client = self.options.open().await?;
        let recovery = if self.recovery_key {
            let words = self.options.asked(|| asked("The words of the recovery key: "))?;
            Some(RecoveryKey::from_words(&words).map_err(ClientError::from)?)
        } else {
            None
        };
        let (text, document) = match client.object(&self.identifier, recovery.as_ref()).await? {
            Objected::Ended(identifier) => objected(identifier.as_deref()),
            Objected::CodeAsked(asked) => (
                format!(
                    "A code was sent to {}, good until {}. Only with it you object:\n{}\n",
                    bold(address(&asked.identifier)),
                    minute(asked.code_expires_at),
                    self.options.command("identifiers confirm CODE")
                ),
                json!({
                    "identifier": asked.identifier,
                    "state": "code-sent",
                    "code_expires_at": asked.code_expires_at,
                }),
            ),
        };
        screen.result_and_warnings(&client, text, document).await?;
        client.close().await;
        Ok(ExitCode::SUCCESS)
    }
}

fn objected(identifier: Option<&str>) -> (String, Value) {
    let name = identifier.map_or_else(|| "It".to_owned(), |identifier| bold(address(identifier)));
    let text = format!("{name} stays with your account: the claim has ended.\n");
    (text, json!({ "identifier": identifier, "state": "objected" }))
}

//! Getting a phone number or email address back for a new account, when all devices are lost.

use std::process::ExitCode;

use clap::Args;
use rossby_client::{Client, Recovery, RegisterOptions};
use rossby_schemas::identifier::Identifier;
use rossby_schemas::ids::RegionNumber;
use rossby_schemas::time::Timestamp;
use serde_json::json;

use super::account::{begun, identifier, yours};
use super::devices::machine_name;
use super::documents;
use super::options::PersonOptions;
use super::screen::{Screen, address, bold, minute};

/// Recover.
#[derive(Debug, Args)]
pub(crate) struct Recover {
    /// The phone number or email address of the account whose devices are lost. Left out, it goes on where it was
    #[arg(value_parser = identifier)]
    identifier: Option<Identifier>,
    /// Make a recovery key for the new account: twelve words to write down
    #[arg(long)]
    recovery_key: bool,
    /// Give up what waits here, and its keys
    #[arg(long)]
    start_over: bool,
    /// The number of the region where the account is to live
    #[arg(long, value_name = "NUMBER", default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..))]
    region: u8,
    #[command(flatten)]
    pub(super) options: PersonOptions,
}

impl Recover {
    pub(super) async fn run(&self, screen: &Screen) -> anyhow::Result<ExitCode> {
        let Some(identifier) = &self.identifier else {
            let client = self.options.open().await?;
            let recovery = client.follow_recovery().await?;
            if matches!(recovery, Recovery::Done(_)) {
                client.name_this_device(&machine_name()).await?;
            }
            return say(&client, &self.options, screen, &recovery).await;
        };
        let client = self.options.open_or_create().await?;
        let options = RegisterOptions {
            region: RegionNumber(self.region),
            recovery_key: self.recovery_key,
            start_over: self.start_over,
        };
        let recovery = client.recover(identifier, options).await?;
        say(&client, &self.options, screen, &recovery).await
    }
}

/// Says how far it is.
pub(super) async fn say(
    client: &Client,
    options: &PersonOptions,
    screen: &Screen,
    recovery: &Recovery,
) -> anyhow::Result<ExitCode> {
    match recovery {
        Recovery::CodeSent(registration) => {
            let text = format!(
                "You will get a new account, without what the old one had. With the code you claim {}; the devices of the old \
                 account are told, and have some days to object.\n{}",
                bold(address(&registration.identifier)),
                begun(registration, options)
            );
            let mut document = documents::registration(registration);
            document["state"] = json!("code-sent");
            screen.result(text, &document)?;
        }
        Recovery::Waits { identifier, until } => {
            let document = json!({ "state": "waits", "identifier": identifier, "until": until, "authorized": false });
            screen.result(waits(identifier, *until, options), &document)?;
        }
        Recovery::Done(account) => {
            let mut document = documents::account(account, client.server());
            document["state"] = json!("done");
            screen.result(yours(account, options), &document)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn waits(identifier: &str, until: Timestamp, options: &PersonOptions) -> String {
    format!(
        "{} is yours from {} on, unless a device of the old account objects.\nGo on then with: {}\n",
        bold(address(identifier)),
        minute(until),
        options.command("recover")
    )
}

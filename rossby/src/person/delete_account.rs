//! Deleting the account.

use std::process::ExitCode;

use anyhow::bail;
use clap::Args;
use rossby_client::{Account, Client, ClientError, LockKind, erase_key_file};
use serde_json::json;

use super::options::PersonOptions;
use super::questions::confirmed;
use super::screen::{Screen, address, bold};

/// Delete account.
#[derive(Debug, Args)]
pub(crate) struct DeleteAccount {
    /// Don't ask whether it is meant
    #[arg(long, short)]
    yes: bool,
    /// Erase this home alone, and ask the server nothing: for a device that was removed, or whose account is gone
    #[arg(long)]
    only_here: bool,
    #[command(flatten)]
    pub(super) options: PersonOptions,
}

impl DeleteAccount {
    pub(super) async fn run(&self, screen: &Screen) -> anyhow::Result<ExitCode> {
        let client = self.options.open().await?;
        let account = client.account().await?;
        if self.only_here {
            return self.erase_home(client, &account, screen).await;
        }
        let question = format!(
            "Delete the account of {} for ever? All its devices stop, what waits for them is gone, and nobody finds it any more. \
             This home is erased: keys, contacts, messages. `rossby export` keeps them first. What you sent to others stays \
             with them. [y/N] ",
            address(&account.identifier)
        );
        if !self.yes && !self.options.asked(|| confirmed(&question))? {
            bail!("nothing was deleted");
        }
        let deleted = client.delete_account().await;
        if matches!(deleted, Err(ClientError::NotKnown(_))) {
            let command = self.options.command("delete-account --only-here");
            screen.note(&format!("Nothing was deleted. To erase what this device holds: {command}"));
        }
        deleted?;
        let left = self.erase(client).await?;
        let mut text = format!(
            "The account of {} is deleted, and this home is erased. What you sent to others stays with them; your other devices \
             can do nothing more, and hold what they have until you erase it there.\n",
            bold(address(&account.identifier))
        );
        text += &left_file(left.as_deref());
        let document = json!({ "box_id": account.box_id, "deleted": true, "key_file_left": left });
        screen.result(text, &document)?;
        Ok(ExitCode::SUCCESS)
    }

    async fn erase_home(&self, client: Client, account: &Account, screen: &Screen) -> anyhow::Result<ExitCode> {
        let question = format!(
            "Erase all that this home holds of {}: keys, contacts, messages? The account stays as it is, and so do its other \
             devices; if this is its only one, nobody can ever use it again. `rossby export --offline` keeps the messages first. [y/N] ",
            address(&account.identifier)
        );
        if !self.yes && !self.options.asked(|| confirmed(&question))? {
            bail!("nothing was erased");
        }
        let left = self.erase(client).await?;
        let text = format!("This home is erased. The account was not touched.\n{}", left_file(left.as_deref()));
        let document = json!({ "box_id": account.box_id, "deleted": false, "key_file_left": left });
        screen.result(text, &document)?;
        Ok(ExitCode::SUCCESS)
    }

    /// Erases the home. Gives the key file, if it is left.
    async fn erase(&self, client: Client) -> anyhow::Result<Option<String>> {
        let key_file = (client.lock_kind() == LockKind::KeyFile).then(|| self.options.key_file());
        client.erase().await?;
        Ok(match key_file {
            // One that is kept elsewhere may lock other homes too.
            Some(file) if file == self.options.home_key_file() => {
                erase_key_file(&file)?;
                None
            }
            other => other.map(|file| file.display().to_string()),
        })
    }
}

fn left_file(file: Option<&str>) -> String {
    file.map(|file| format!("The key file {file} is left: delete it if it locks nothing else.\n")).unwrap_or_default()
}

//! Deleting the account.

use std::process::ExitCode;

use anyhow::bail;
use clap::Args;
use rossby_client::{LockKind, erase_key_file};
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
    #[command(flatten)]
    pub(super) options: PersonOptions,
}

impl DeleteAccount {
    pub(super) async fn run(&self, screen: &Screen) -> anyhow::Result<ExitCode> {
        let client = self.options.open().await?;
        let account = client.account().await?;
        let question = format!(
            "Delete the account of {} for ever? All its devices stop, what waits for them is gone, and nobody finds it any more. \
             This home is erased: keys, contacts, messages. `rossby export` keeps them first. What you sent to others stays \
             with them. [y/N] ",
            address(&account.identifier)
        );
        if !self.yes && !self.options.asked(|| confirmed(&question))? {
            bail!("nothing was deleted");
        }
        client.delete_account().await?;
        let key_file = (client.lock_kind() == LockKind::KeyFile).then(|| self.options.key_file());
        client.erase().await?;
        let mut left = None;
        match key_file {
            // One that is kept elsewhere may lock other homes too.
            Some(file) if file == self.options.home_key_file() => erase_key_file(&file)?,
            other => left = other.map(|file| file.display().to_string()),
        }
        let mut text = format!(
            "The account of {} is deleted, and this home is erased. What you sent to others stays with them; your other devices \
             can do nothing more, and hold what they have until you erase it there.\n",
            bold(address(&account.identifier))
        );
        if let Some(file) = &left {
            text += &format!("The key file {file} is left: delete it if it locks nothing else.\n");
        }
        let document = json!({ "box_id": account.box_id, "deleted": true, "key_file_left": left });
        screen.result(text, &document)?;
        Ok(ExitCode::SUCCESS)
    }
}

//! What locks a person's keys: passphrase.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::bail;
use clap::Args;
use rossby_client::{LockKind, Unlock, erase_key_file};
use serde_json::json;

use super::documents;
use super::options::{PersonOptions, ask_twice, first_line};
use super::screen::Screen;

const NEW_PASSPHRASE_VARIABLE: &str = "ROSSBY_NEW_PASSPHRASE";

/// Passphrase.
#[derive(Debug, Args)]
pub(crate) struct PassphraseCommand {
    /// A file whose first line is the new passphrase; the variable ROSSBY_NEW_PASSPHRASE can hold it too. It is asked for
    /// otherwise
    #[arg(long, value_name = "FILE")]
    new_passphrase_file: Option<PathBuf>,
    /// Take the passphrase away: a key file locks the keys, `key` in the home if none is named
    #[arg(long, value_name = "FILE", num_args = 0..=1, conflicts_with = "new_passphrase_file")]
    #[allow(clippy::option_option, reason = "it can be left out, and its file too")]
    to_key_file: Option<Option<PathBuf>>,
    /// Take the passphrase away: a key in the system's keyring locks the keys
    #[arg(long, conflicts_with_all = ["new_passphrase_file", "to_key_file"])]
    to_keyring: bool,
    #[command(flatten)]
    pub(super) options: PersonOptions,
}

impl PassphraseCommand {
    pub(super) async fn run(&self, screen: &Screen) -> anyhow::Result<ExitCode> {
        let client = self.options.open().await?;
        let old_file = (client.lock_kind() == LockKind::KeyFile).then(|| self.options.key_file());
        let (unlock, kind, said) = if let Some(file) = &self.to_key_file {
            let file = file.clone().unwrap_or_else(|| self.options.home_key_file());
            if old_file.as_ref() == Some(&file) {
                bail!("the keys are locked with {} already", file.display());
            }
            let said = format!("The keys are locked with the key file {}.", file.display());
            (Unlock::KeyFile(file), LockKind::KeyFile, said)
        } else if self.to_keyring {
            (Unlock::Keyring, LockKind::Keyring, "The keys are locked with the system's keyring.".to_owned())
        } else {
            let said = "The keys are locked with the new passphrase.".to_owned();
            (Unlock::Passphrase(self.new_passphrase(screen)?), LockKind::Passphrase, said)
        };
        client.change_lock(unlock).await?;
        let mut text = format!("{said} A copy of the home that was made before still opens as it did.\n");
        match old_file {
            // One that is kept elsewhere may be another home's too.
            Some(file) if file == self.options.home_key_file() => erase_key_file(&file)?,
            Some(file) => text += &format!("The key file {} is no longer needed for this home.\n", file.display()),
            None => {}
        }
        screen.result(text, &json!({ "lock": documents::lock(kind) }))?;
        Ok(ExitCode::SUCCESS)
    }

    fn new_passphrase(&self, screen: &Screen) -> anyhow::Result<secrecy::SecretString> {
        if let Some(file) = &self.new_passphrase_file {
            return first_line(file, screen);
        }
        match std::env::var(NEW_PASSPHRASE_VARIABLE) {
            Ok(passphrase) if !passphrase.is_empty() => Ok(passphrase.into()),
            _ if Screen::is_terminal() => self.options.asked(|| ask_twice("New passphrase: ")),
            _ => bail!("give --new-passphrase-file or {NEW_PASSPHRASE_VARIABLE}: nobody can be asked here"),
        }
    }
}

//! Which person it is: the home, the server, and what opens the private keys.

use std::io::IsTerminal as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use clap::Args;
use rossby_client::{Client, ClientConfig, Unlock};
use secrecy::SecretString;
use zeroize::Zeroizing;

use super::screen::Screen;

/// Where a server listens that was started without settings.
pub(crate) const DEFAULT_SERVER: &str = "http://127.0.0.1:7700";
const KEY_FILE: &str = "key";
const PASSPHRASE_VARIABLE: &str = "ROSSBY_PASSPHRASE";

/// What every command of a person's takes.
#[derive(Debug, Args)]
#[command(next_help_heading = "Whose account")]
pub(crate) struct PersonOptions {
    /// The folder that holds this person's keys and messages, one for each person; ~/.local/share/rossby if none is named
    #[arg(long, value_name = "DIR", env = "ROSSBY_HOME")]
    home: Option<PathBuf>,
    /// The server's URL, kept when the account is made; http://127.0.0.1:7700 if none is named
    #[arg(long, value_name = "URL", env = "ROSSBY_SERVER")]
    server: Option<String>,
    /// Lock the keys with a passphrase, and ask for it; the variable ROSSBY_PASSPHRASE can hold it too
    #[arg(long)]
    passphrase: bool,
    /// A file whose first line is the passphrase
    #[arg(long, value_name = "FILE", conflicts_with = "passphrase")]
    passphrase_file: Option<PathBuf>,
    /// The file with the key that locks the keys; `key` in the home if none is named. Kept elsewhere, a copy of the home is
    /// worth nothing without it
    #[arg(long, value_name = "FILE", env = "ROSSBY_KEY_FILE", conflicts_with_all = ["passphrase", "passphrase_file"])]
    key_file: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    pub(super) json: bool,
}

impl PersonOptions {
    fn home(&self) -> PathBuf {
        let absolute = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
        self.home.clone().unwrap_or_else(|| {
            absolute("XDG_DATA_HOME")
                .or_else(|| absolute("HOME").map(|home| home.join(".local/share")))
                .map_or_else(|| Path::new("rossby-home").to_path_buf(), |base| base.join("rossby"))
        })
    }

    /// Opens the person's home.
    pub(super) async fn open(&self) -> anyhow::Result<Client> {
        let home = self.home();
        let unlock = if Client::needs_passphrase(&home).await? {
            match self.given_passphrase()? {
                Some(passphrase) => Unlock::Passphrase(passphrase),
                None => Unlock::Passphrase(ask("Passphrase: ")?),
            }
        } else if self.passphrase || self.passphrase_file.is_some() {
            return Err(rossby_client::ClientError::from(rossby_client::UnlockError::NeedsKeyFile).into());
        } else {
            Unlock::KeyFile(self.key_file(&home))
        };
        let mut config = ClientConfig::new(home, unlock);
        config.server.clone_from(&self.server);
        Ok(self.noted(Client::open(config).await?))
    }

    /// Opens the person's home, or makes one.
    pub(super) async fn open_or_create(&self) -> anyhow::Result<Client> {
        let home = self.home();
        if Client::exists(&home) {
            return self.open().await;
        }
        let unlock = match self.given_passphrase()? {
            Some(passphrase) => Unlock::Passphrase(passphrase),
            None if self.passphrase => Unlock::Passphrase(ask_twice()?),
            None => Unlock::KeyFile(self.key_file(&home)),
        };
        let mut config = ClientConfig::new(home, unlock);
        config.server = Some(self.server.clone().unwrap_or_else(|| DEFAULT_SERVER.to_owned()));
        Ok(self.noted(Client::create(config).await?))
    }

    /// Says what a person should know of the way to the server.
    fn noted(&self, client: Client) -> Client {
        if client.is_overheard() {
            let text = format!("{} is reached without TLS: codes and addresses can be overheard", client.server());
            Screen::new(self.json).note(&text);
        }
        client
    }

    /// How to type another of this person's commands: with the home, if it was named.
    pub(super) fn command(&self, rest: &str) -> String {
        match &self.home {
            Some(home) if std::env::var_os("ROSSBY_HOME").is_none() => {
                let home = home.to_string_lossy();
                let is_plain = home.chars().all(|c| c.is_alphanumeric() || "/._-~".contains(c));
                let home = if is_plain { home.into_owned() } else { format!("'{}'", home.replace('\'', r"'\''")) };
                format!("rossby {rest} --home {home}")
            }
            _ => format!("rossby {rest}"),
        }
    }

    fn key_file(&self, home: &Path) -> PathBuf {
        self.key_file.clone().unwrap_or_else(|| home.join(KEY_FILE))
    }

    /// The passphrase from the file or the variable.
    fn given_passphrase(&self) -> anyhow::Result<Option<SecretString>> {
        if let Some(file) = &self.passphrase_file {
            let text = std::fs::read_to_string(file).map(Zeroizing::new);
            let text = text.with_context(|| format!("the passphrase file {} can't be read", file.display()))?;
            let mode = std::fs::metadata(file).map_or(0, |found| found.permissions().mode());
            if mode & 0o077 != 0 {
                let file = file.display();
                Screen::new(self.json).note(&format!("{file} can be read by others; better: chmod go= {file}"));
            }
            return Ok(Some(SecretString::from(text.lines().next().unwrap_or_default())));
        }
        let from_variable = std::env::var(PASSPHRASE_VARIABLE).ok().filter(|passphrase| !passphrase.is_empty());
        Ok(from_variable.filter(|_| self.key_file.is_none()).map(SecretString::from))
    }
}

fn ask(prompt: &str) -> anyhow::Result<SecretString> {
    if !std::io::stdin().is_terminal() {
        return Err(rossby_client::ClientError::from(rossby_client::UnlockError::NeedsPassphrase).into());
    }
    Ok(SecretString::from(rpassword::prompt_password(prompt).context("the passphrase can't be asked for")?))
}

fn ask_twice() -> anyhow::Result<SecretString> {
    use secrecy::ExposeSecret as _;
    let first = ask("New passphrase: ")?;
    if first.expose_secret() != ask("The same again: ")?.expose_secret() {
        bail!("the two passphrases differ");
    }
    Ok(first)
}

//! Which person it is: the home, the server, and what opens the private keys.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use clap::Args;
use rossby_client::{Client, ClientConfig, ClientError, LockKind, Unlock, UnlockError};
use secrecy::{ExposeSecret as _, SecretString};
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
    /// Lock the keys with a passphrase, and ask for it, as a terminal does for a new home anyway; the variable
    /// ROSSBY_PASSPHRASE can hold it too
    #[arg(long)]
    passphrase: bool,
    /// A file whose first line is the passphrase
    #[arg(long, value_name = "FILE", conflicts_with = "passphrase")]
    passphrase_file: Option<PathBuf>,
    /// The file with the key that locks the keys; `key` in the home if none is named. Kept elsewhere, a copy of the home is
    /// worth nothing without it
    #[arg(long, value_name = "FILE", env = "ROSSBY_KEY_FILE", conflicts_with_all = ["passphrase", "passphrase_file"])]
    key_file: Option<PathBuf>,
    /// Lock the keys with the system's keyring: the Secret Service on Linux, the keychain on macOS
    #[arg(long, conflicts_with_all = ["passphrase", "passphrase_file", "key_file"])]
    keyring: bool,
    /// Print JSON
    #[arg(long)]
    pub(super) json: bool,
    /// For how many milliseconds the person was asked something.
    #[arg(skip)]
    asking: AtomicU64,
}

impl PersonOptions {
    /// The person's home.
    pub(super) fn home(&self) -> PathBuf {
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
        let is_passphrase = self.passphrase || self.passphrase_file.is_some();
        let unlock = match Client::lock_of(&home).await? {
            LockKind::Passphrase if self.keyring => return Err(refused(UnlockError::NeedsPassphrase)),
            LockKind::Passphrase => Unlock::Passphrase(match self.given_passphrase()? {
                Some(passphrase) => passphrase,
                None => self.asked(|| ask("Passphrase: "))?,
            }),
            LockKind::KeyFile if is_passphrase || self.keyring => return Err(refused(UnlockError::NeedsKeyFile)),
            LockKind::KeyFile => Unlock::KeyFile(self.key_file()),
            LockKind::Keyring if is_passphrase => return Err(refused(UnlockError::NeedsKeyring)),
            LockKind::Keyring => Unlock::Keyring,
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
        let mut config = ClientConfig::new(home, self.new_lock()?);
        config.server = Some(self.server.clone().unwrap_or_else(|| DEFAULT_SERVER.to_owned()));
        Ok(self.noted(Client::create(config).await?))
    }

    /// What a new home is locked with: as it was said; else a passphrase, where somebody can be asked for one; else a key file.
    fn new_lock(&self) -> anyhow::Result<Unlock> {
        if self.keyring {
            return Ok(Unlock::Keyring);
        }
        if let Some(passphrase) = self.given_passphrase()? {
            return Ok(Unlock::Passphrase(passphrase));
        }
        if self.passphrase {
            return Ok(Unlock::Passphrase(self.asked(|| ask_twice("New passphrase: "))?));
        }
        if self.key_file.is_none() && !self.json && Screen::is_terminal() {
            let passphrase = self.asked(|| ask_twice("A passphrase to lock your keys with (empty for none): "))?;
            if !passphrase.expose_secret().is_empty() {
                return Ok(Unlock::Passphrase(passphrase));
            }
            let text = format!(
                "Without a passphrase the key file {} locks your keys: whoever copies it with the rest can read what you can. \
                 `rossby passphrase` sets one later",
                self.key_file().display()
            );
            Screen::new(self.json).note(&text);
        }
        Ok(Unlock::KeyFile(self.key_file()))
    }

    /// Asks the person something, and counts the time that it takes.
    pub(super) fn asked<T>(&self, ask: impl FnOnce() -> T) -> T {
        let begin = Instant::now();
        let answer = ask();
        let millis = u64::try_from(begin.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.asking.fetch_add(millis, Ordering::Relaxed);
        answer
    }

    /// For how long the person was asked something.
    pub(super) fn time_asked(&self) -> Duration {
        Duration::from_millis(self.asking.load(Ordering::Relaxed))
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

    /// The key file that is meant.
    pub(super) fn key_file(&self) -> PathBuf {
        self.key_file.clone().unwrap_or_else(|| self.home_key_file())
    }

    /// The key file in the home.
    pub(super) fn home_key_file(&self) -> PathBuf {
        self.home().join(KEY_FILE)
    }

    /// The passphrase from the file or the variable.
    fn given_passphrase(&self) -> anyhow::Result<Option<SecretString>> {
        if let Some(file) = &self.passphrase_file {
            return first_line(file, &Screen::new(self.json)).map(Some);
        }
        let from_variable = std::env::var(PASSPHRASE_VARIABLE).ok().filter(|passphrase| !passphrase.is_empty());
        Ok(from_variable.filter(|_| self.key_file.is_none()).map(SecretString::from))
    }
}

fn refused(error: UnlockError) -> anyhow::Error {
    ClientError::from(error).into()
}

/// The first line of a file that holds a passphrase.
pub(super) fn first_line(file: &Path, screen: &Screen) -> anyhow::Result<SecretString> {
    let text = std::fs::read_to_string(file).map(Zeroizing::new);
    let text = text.with_context(|| format!("the passphrase file {} can't be read", file.display()))?;
    let mode = std::fs::metadata(file).map_or(0, |found| found.permissions().mode());
    if mode & 0o077 != 0 {
        let file = file.display();
        screen.note(&format!("{file} can be read by others; better: chmod go= {file}"));
    }
    Ok(SecretString::from(text.lines().next().unwrap_or_default()))
}

fn ask(prompt: &str) -> anyhow::Result<SecretString> {
    if !Screen::is_terminal() {
        return Err(refused(UnlockError::NeedsPassphrase));
    }
    Ok(SecretString::from(rpassword::prompt_password(prompt).context("the passphrase can't be asked for")?))
}

/// Asks for a new passphrase, and for the same again unless it is empty.
pub(super) fn ask_twice(prompt: &str) -> anyhow::Result<SecretString> {
    let first = ask(prompt)?;
    if !first.expose_secret().is_empty() && first.expose_secret() != ask("The same again: ")?.expose_secret() {
        bail!("the two passphrases differ");
    }
    Ok(first)
}

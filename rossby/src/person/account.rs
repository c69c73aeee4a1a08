//! The account's commands: register, authorize, whoami, settings, block.

use std::process::ExitCode;

use clap::{Args, ValueEnum};
use rossby_client::{Account, Client, ClientError, LockKind, Peer, Recovery, RegisterOptions, Registration, Setting};
use rossby_schemas::events::profiles::Audience;
use rossby_schemas::identifier::Identifier;
use rossby_schemas::ids::{BoxId, RegionNumber};
use serde_json::json;

use super::devices::machine_name;
use super::documents;
use super::options::PersonOptions;
use super::recover;
use super::screen::{Screen, address, bold, counted, faint, minute};

pub(super) fn identifier(text: &str) -> Result<Identifier, String> {
    text.parse().map_err(|_| {
        "is no phone number in international form (+15551234567) and no email address (ann@example.org)".to_owned()
    })
}

/// Register.
#[derive(Debug, Args)]
pub(crate) struct Register {
    /// A phone number in international form (+15551234567) or an email address
    #[arg(value_parser = identifier)]
    identifier: Identifier,
    /// Make a recovery key too: twelve words to write down, which can remove a stolen device
    #[arg(long)]
    recovery_key: bool,
    /// Give up a registration that waits for its code, and its keys
    #[arg(long)]
    start_over: bool,
    /// The number of the region where the account is to live
    #[arg(long, value_name = "NUMBER", default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..))]
    region: u8,
    #[command(flatten)]
    pub(super) options: PersonOptions,
}

impl Register {
    pub(super) async fn run(&self, screen: &Screen) -> anyhow::Result<ExitCode> {
        let client = self.options.open_or_create().await?;
        let options = RegisterOptions {
            region: RegionNumber(self.region),
            recovery_key: self.recovery_key,
            start_over: self.start_over,
        };
        let registration = client.register(&self.identifier, options).await?;
        client.close().await;
        screen.result(begun(&registration, &self.options), &documents::registration(&registration))?;
        Ok(ExitCode::SUCCESS)
    }
}

/// What a person is told whose code is on its way.
pub(super) fn begun(registration: &Registration, options: &PersonOptions) -> String {
    let mut text = String::new();
    if let Some(words) = &registration.recovery_words {
        text += &format!(
            "Your recovery key, shown this once. Write it down and keep it away from your devices:\n\n    {}\n\n",
            bold(words)
        );
    }
    text += &format!(
        "A code was sent to {}, good until {}.\nGo on with: {}\n",
        address(&registration.identifier),
        minute(registration.code_expires_at),
        options.command("authorize CODE")
    );
    text
}

/// What a person is told whose account it is from now on.
pub(super) fn yours(account: &Account, options: &PersonOptions) -> String {
    format!(
        "You are {}, in box {}.\nWrite to someone with: {}\n",
        bold(address(&account.identifier)),
        account.box_id,
        options.command("send ADDRESS TEXT")
    )
}

/// Authorize.
#[derive(Debug, Args)]
pub(crate) struct Authorize {
    /// The code that came: 8 digits
    code: String,
    /// What to call this device; the machine's name if none is given. Only your own devices learn it
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    #[command(flatten)]
    pub(super) options: PersonOptions,
}

impl Authorize {
    pub(super) async fn run(&self, screen: &Screen) -> anyhow::Result<ExitCode> {
        let client = self.options.open().await?;
        let done = client.authorize_or_claim(&self.code).await?;
        let code = match &done {
            Recovery::Done(account) => {
                client.name_this_device(&self.name.clone().unwrap_or_else(machine_name)).await?;
                screen.result(yours(account, &self.options), &documents::account(account, client.server()))?;
                ExitCode::SUCCESS
            }
            other => recover::say(&client, &self.options, screen, other).await?,
        };
        client.close().await;
        Ok(code)
    }
}

/// Whoami.
#[derive(Debug, Args)]
pub(crate) struct Whoami {
    /// Don't ask the server
    #[arg(long)]
    offline: bool,
    #[command(flatten)]
    pub(super) options: PersonOptions,
}

impl Whoami {
    pub(super) async fn run(&self, screen: &Screen) -> anyhow::Result<ExitCode> {
        let client = self.options.open().await?;
        let is_authorized = client.account().await?.is_authorized;
        let mut waiting = None;
        if is_authorized && !self.offline {
            match client.sync().await {
                Ok(()) => waiting = Some(client.settings().await?.waiting),
                Err(error @ ClientError::Unreachable { .. }) => screen.note(&error.to_string()),
                Err(error) => return Err(error.into()),
            }
        }
        let account = client.account().await?;
        let mut document = documents::account(&account, client.server());
        document["waiting"] = json!(waiting);
        document["lock"] = json!(documents::lock(client.lock_kind()));
        let text = whoami_text(&account, &client, waiting);
        screen.result_and_warnings(&client, text, document).await?;
        client.close().await;
        Ok(ExitCode::SUCCESS)
    }
}

fn whoami_text(account: &Account, client: &Client, waiting: Option<u64>) -> String {
    let mut text = format!("{}\n", bold(address(&account.identifier)));
    let mut line = |name: &str, value: &str| text += &format!("  {} {value}\n", faint(&format!("{name:<12}")));
    for identifier in account.identifiers.iter().filter(|identifier| **identifier != account.identifier) {
        line("and", address(identifier));
    }
    line("box", &account.box_id.to_string());
    line("device", &account.device_id.to_string());
    line("devices", &account.devices.to_string());
    line("server", client.server());
    line(
        "locked with",
        match client.lock_kind() {
            LockKind::Passphrase => "a passphrase",
            LockKind::KeyFile => "a key file",
            LockKind::Keyring => "the system's keyring",
        },
    );
    if let Some((counter, expires)) = account.sealing_key {
        line("sealing key", &format!("number {counter}, until {}", minute(expires)));
    }
    if let Some(waiting) = waiting {
        line("waiting", &counted(waiting, "message"));
    }
    match account.claim_until {
        Some(until) => line("state", &format!("waits until {}; go on then with: rossby recover", minute(until))),
        None if !account.is_authorized => line("state", "waits for its code; go on with: rossby authorize CODE"),
        None => {}
    }
    text
}

/// Who is meant by a setting.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Who {
    /// Everyone
    Everyone,
    /// Your contacts
    Contacts,
    /// Nobody
    Nobody,
}

impl From<Who> for Audience {
    fn from(who: Who) -> Self {
        match who {
            Who::Everyone => Self::Everyone,
            Who::Contacts => Self::Contacts,
            Who::Nobody => Self::Nobody,
        }
    }
}

const fn who(audience: Audience) -> &'static str {
    match audience {
        Audience::Everyone => "everyone",
        Audience::Contacts => "contacts",
        Audience::Nobody => "nobody",
    }
}

/// On or off.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Switch {
    /// On
    On,
    /// Off
    Off,
}

impl Switch {
    const fn is_on(self) -> bool {
        matches!(self, Self::On)
    }
}

const fn on_or_off(is_on: bool) -> &'static str {
    if is_on { "on" } else { "off" }
}

/// Settings.
#[derive(Debug, Args)]
pub(crate) struct SettingsCommand {
    /// Who may find you by your phone number or email address
    #[arg(long, value_name = "WHO")]
    discoverable: Option<Who>,
    /// From whom you accept messages
    #[arg(long, value_name = "WHO")]
    accept_from: Option<Who>,
    /// Whether people whom you have accepted are told that you have read their messages
    #[arg(long, value_name = "ON|OFF")]
    read_receipts: Option<Switch>,
    /// Whether people whom you have accepted are told that their messages have come
    #[arg(long, value_name = "ON|OFF")]
    delivery_receipts: Option<Switch>,
    /// Whether those whom you have accepted see that you write, on all of your devices
    #[arg(long, value_name = "ON|OFF")]
    typing: Option<Switch>,
    /// Keep the server that --server names: for one that has moved. It must know this device
    #[arg(long, requires = "server")]
    keep_server: bool,
    #[command(flatten)]
    pub(super) options: PersonOptions,
}

impl SettingsCommand {
    pub(super) async fn run(&self, screen: &Screen) -> anyhow::Result<ExitCode> {
        let client = self.options.open().await?;
        if self.keep_server {
            client.keep_server().await?;
        }
        if let Some(audience) = self.discoverable {
            client.change(Setting::Discoverable(audience.into())).await?;
        }
        if let Some(audience) = self.accept_from {
            client.change(Setting::AcceptFrom(audience.into())).await?;
        }
        let mut receipts = client.receipt_settings().await?;
        if self.read_receipts.is_some() || self.delivery_receipts.is_some() || self.typing.is_some() {
            receipts.read = self.read_receipts.map_or(receipts.read, Switch::is_on);
            receipts.delivery = self.delivery_receipts.map_or(receipts.delivery, Switch::is_on);
            receipts.typing = self.typing.map_or(receipts.typing, Switch::is_on);
            client.set_receipts(receipts).await?;
            client.hand_over_what_waits().await?;
        }
        let settings = client.settings().await?;
        let server = client.server().to_owned();
        client.close().await;
        let (discoverable, accept_from) = (who(settings.discoverable), who(settings.accept_from));
        let text = format!(
            "discoverable       {discoverable}\naccept-from        {accept_from}\nread-receipts      {}\n\
             delivery-receipts  {}\ntyping             {}\ncontacts           {}\nblocks             {}\nserver             {server}\n",
            on_or_off(receipts.read),
            on_or_off(receipts.delivery),
            on_or_off(receipts.typing),
            settings.contacts,
            settings.blocks
        );
        let text = text + &lonely(&settings, &self.options);
        let document = json!({
            "discoverable": discoverable,
            "accept_from": accept_from,
            "read_receipts": receipts.read,
            "delivery_receipts": receipts.delivery,
            "typing": receipts.typing,
            "contacts": settings.contacts,
            "blocks": settings.blocks,
            "server": server,
        });
        screen.result(text, &document)?;
        Ok(ExitCode::SUCCESS)
    }
}

/// What a person should know who lets in, or be found by, contacts alone, and has none.
fn lonely(settings: &rossby_client::Settings, options: &PersonOptions) -> String {
    let what = match (settings.accept_from, settings.discoverable) {
        _ if settings.contacts > 0 => return String::new(),
        (Audience::Contacts, Audience::Contacts) => "find you or write to you",
        (Audience::Contacts, _) => "write to you",
        (_, Audience::Contacts) => "find you",
        _ => return String::new(),
    };
    format!(
        "You have no contacts, so that nobody can {what}, not even those with whom you write. To make somebody one: {}\n",
        options.command("contact ADDRESS")
    )
}

/// Block or unblock.
#[derive(Debug, Args)]
pub(crate) struct Block {
    /// A phone number, an email address, or a box
    #[arg(value_parser = super::conversation::peer)]
    who: Peer,
    #[command(flatten)]
    pub(super) options: PersonOptions,
}

impl Block {
    pub(super) async fn run(&self, screen: &Screen, blocks: bool) -> anyhow::Result<ExitCode> {
        let (setting, word): (fn(BoxId) -> Setting, _) =
            if blocks { (Setting::Block, "blocked") } else { (Setting::Unblock, "no longer blocked") };
        let box_id = change_towards(&self.options, &self.who, setting).await?;
        screen.result(format!("{} is {word}.\n", self.who), &json!({ "box_id": box_id, "blocked": blocks }))?;
        Ok(ExitCode::SUCCESS)
    }
}

/// Changes a setting that is about somebody. Gives their box.
async fn change_towards(options: &PersonOptions, who: &Peer, setting: fn(BoxId) -> Setting) -> anyhow::Result<BoxId> {
    let client = options.open().await?;
    let box_id = client.box_of(who).await?;
    client.change(setting(box_id)).await?;
    client.hand_over_what_waits().await?;
    client.close().await;
    Ok(box_id)
}

/// Contact.
#[derive(Debug, Args)]
pub(crate) struct ContactCommand {
    /// A phone number, an email address, or a box
    #[arg(value_parser = super::conversation::peer)]
    who: Peer,
    /// Take them off your contacts
    #[arg(long)]
    remove: bool,
    #[command(flatten)]
    pub(super) options: PersonOptions,
}

impl ContactCommand {
    pub(super) async fn run(&self, screen: &Screen) -> anyhow::Result<ExitCode> {
        let (setting, word): (fn(BoxId) -> Setting, _) = if self.remove {
            (Setting::RemoveContact, "no contact any more")
        } else {
            (Setting::AddContact, "a contact")
        };
        let box_id = change_towards(&self.options, &self.who, setting).await?;
        screen.result(format!("{} is {word}.\n", self.who), &json!({ "box_id": box_id, "contact": !self.remove }))?;
        Ok(ExitCode::SUCCESS)
    }
}

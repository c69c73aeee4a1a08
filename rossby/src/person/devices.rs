//! The account's devices: link, devices.

use std::process::ExitCode;

use anyhow::bail;
use clap::{Args, Subcommand};
use rossby_client::{ClientError, DeviceRef, OwnDevice};
use rossby_crypto::linking::{LinkRefusal, LinkSecret};
use rossby_crypto::recovery::RecoveryKey;
use serde_json::json;
use zeroize::Zeroizing;

use super::documents;
use super::options::PersonOptions;
use super::questions::{asked, confirmed};
use super::screen::{Screen, address, bold, counted, faint, minute, printable, qr_code};

/// What a QR code holds before the link code, so that whoever reads it knows what it is.
const SCHEME: &str = "ROSSBY:LINK:";

/// Link.
#[derive(Debug, Args)]
pub(crate) struct Link {
    /// What to call this device; the machine's name if none is given. Only your own devices learn it
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    #[command(flatten)]
    pub(super) options: PersonOptions,
}

impl Link {
    pub(super) async fn run(&self, screen: &Screen) -> anyhow::Result<ExitCode> {
        let client = self.options.open_or_create().await?;
        let name = self.name.clone().unwrap_or_else(machine_name);
        let code = client.offer_link(&name).await?;
        let text = code.text();
        let shown = format!(
            "{}\nOn a device that you have, read it or type: rossby devices add {}\nIt is good until {}, and for one device. \
             Show it to nobody.\n",
            picture(&text),
            bold(&text),
            minute(code.expires_at)
        );
        screen.result(shown, &json!({ "link_code": text.as_str(), "expires_at": code.expires_at }))?;
        screen.note("Waiting for the other device ...");
        let account = tokio::select! {
            account = client.await_link() => account?,
            _ = tokio::signal::ctrl_c() => bail!("stopped; the same command goes on with the same code, while it is good"),
        };
        let text = format!(
            "This device is linked. You are {}, in box {}.\n",
            bold(address(&account.identifier)),
            account.box_id
        );
        screen.result_and_warnings(&client, text, documents::account(&account, client.server())).await?;
        client.close().await;
        Ok(ExitCode::SUCCESS)
    }
}

/// What a device is called if nothing is said.
pub(super) fn machine_name() -> String {
    let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
    if name.trim().is_empty() { "new device".to_owned() } else { name }
}

/// The code as a picture of characters, for a camera.
pub(super) fn picture(text: &str) -> String {
    qr_code(Zeroizing::new(format!("{SCHEME}{}", text.replace('-', ""))).as_bytes())
}

pub(super) fn link_secret(text: &str) -> Result<LinkSecret, ClientError> {
    let text = text.trim();
    let is_scheme = text.get(..SCHEME.len()).is_some_and(|start| start.eq_ignore_ascii_case(SCHEME));
    Ok(if is_scheme { &text[SCHEME.len()..] } else { text }.parse()?)
}

/// Devices.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Devices {
    #[command(subcommand)]
    command: Option<DevicesCommand>,
    #[command(flatten)]
    options: PersonOptions,
}

#[derive(Debug, Subcommand)]
enum DevicesCommand {
    /// Link a new device, on which `rossby link` waits
    Add(Add),
    /// Call a device by a name, which only your own devices learn
    Name(Name),
    /// Remove a device from the account: it gets nothing more, and can do nothing more
    Remove(Remove),
}

impl Devices {
    pub(super) const fn options(&self) -> &PersonOptions {
        match &self.command {
            None => &self.options,
            Some(DevicesCommand::Add(add)) => &add.options,
            Some(DevicesCommand::Name(name)) => &name.options,
            Some(DevicesCommand::Remove(remove)) => &remove.options,
        }
    }

    /// Whether it asks its person something, or waits for another device.
    pub(super) const fn waits(&self) -> bool {
        matches!(self.command, Some(DevicesCommand::Add(_) | DevicesCommand::Remove(_)))
    }

    pub(super) async fn run(&self, screen: &Screen) -> anyhow::Result<ExitCode> {
        match &self.command {
            None => self.list(screen).await,
            Some(DevicesCommand::Add(add)) => add.run(screen).await,
            Some(DevicesCommand::Name(name)) => name.run(screen).await,
            Some(DevicesCommand::Remove(remove)) => remove.run(screen).await,
        }
    }

    async fn list(&self, screen: &Screen) -> anyhow::Result<ExitCode> {
        let client = self.options.open().await?;
        let devices = client.devices().await?;
        let text: String = devices.iter().map(|device| line(device, &devices)).collect();
        let document = json!({ "devices": devices.iter().map(documents::own_device).collect::<Vec<_>>() });
        screen.result_and_warnings(&client, text, document).await?;
        client.close().await;
        Ok(ExitCode::SUCCESS)
    }
}

/// A device as the list shows it.
fn line(device: &OwnDevice, all: &[OwnDevice]) -> String {
    let name_of = |device: &OwnDevice| printable(device.name.as_deref().unwrap_or("unnamed"));
    let mut text = format!("{}  {}", device.device_id, bold(&name_of(device)));
    if device.is_this {
        text += " (this one)";
    }
    let by = device.linked_by.and_then(|id| all.iter().find(|other| other.device_id == id));
    let origin = match by {
        Some(by) => format!("linked {} by {}", minute(device.linked_at), name_of(by)),
        None => format!("founded the account {}", minute(device.linked_at)),
    };
    let mut details = vec![origin];
    match (device.removed_at, device.sealing_expires) {
        (Some(at), _) => details.push(format!("removed {}", minute(at))),
        (None, expires) => {
            let verb = if device.waiting == 1 { "waits" } else { "wait" };
            details.push(format!("{} {verb} for it", counted(device.waiting, "message")));
            if let Some(at) = device.last_confirmed_at {
                details.push(format!("last fetched {}", minute(at)));
            }
            if let Some(lost) = device.lost {
                let which = if lost.messages == 1 { "it" } else { "them" };
                details.push(format!("{} expired before it fetched {which}", counted(lost.messages, "message")));
            }
            if expires.is_none() {
                details.push("has no sealing key".to_owned());
            }
        }
    }
    text + "\n    " + &faint(&details.join(", ")) + "\n"
}

/// Add.
#[derive(Debug, Args)]
struct Add {
    /// The link code that the new device shows; asked for if it is left out
    #[arg(value_name = "LINK_CODE")]
    code: Option<String>,
    /// Don't ask whether it is the right device
    #[arg(long, short)]
    yes: bool,
    #[command(flatten)]
    options: PersonOptions,
}

impl Add {
    async fn run(&self, screen: &Screen) -> anyhow::Result<ExitCode> {
        let code = match &self.code {
            Some(code) => Zeroizing::new(code.clone()),
            None => asked("Link code: ")?,
        };
        let secret = link_secret(&code)?;
        let client = self.options.open().await?;
        let offer = client.link_offer(&secret).await?;
        let name = printable(&offer.name);
        let question =
            format!("Link the device {name:?} to your account? It will get all your messages from now on. [y/N] ");
        if !self.yes && !confirmed(&question)? {
            client.refuse_link(&secret, LinkRefusal::Declined).await?;
            bail!("the device was not linked");
        }
        client.link_device(&secret, &offer).await?;
        let document = json!({ "device_id": offer.device_id, "name": offer.name });
        screen.result_and_warnings(&client, format!("{} is linked.\n", bold(&name)), document).await?;
        client.close().await;
        Ok(ExitCode::SUCCESS)
    }
}

/// Name.
#[derive(Debug, Args)]
struct Name {
    /// The device: its id, the beginning of it, or its name
    device: DeviceRef,
    /// The new name
    name: String,
    #[command(flatten)]
    options: PersonOptions,
}

impl Name {
    async fn run(&self, screen: &Screen) -> anyhow::Result<ExitCode> {
        let client = self.options.open().await?;
        let device_id = client.name_device(&self.device, &self.name).await?;
        let text = format!("Device {device_id} is called {} now.\n", bold(&printable(&self.name)));
        screen.result_and_warnings(&client, text, json!({ "device_id": device_id, "name": self.name })).await?;
        client.close().await;
        Ok(ExitCode::SUCCESS)
    }
}

/// Remove.
#[derive(Debug, Args)]
struct Remove {
    /// The device: its id, the beginning of it, or its name
    device: DeviceRef,
    /// Use the recovery key, which can remove any device, also one that is older than this one; its words are asked for, or
    /// read from the standard input
    #[arg(long)]
    recovery_key: bool,
    /// Don't ask whether it is meant
    #[arg(long, short)]
    yes: bool,
    #[command(flatten)]
    options: PersonOptions,
}

impl Remove {
    async fn run(&self, screen: &Screen) -> anyhow::Result<ExitCode> {
        let client = self.options.open().await?;
        let question = format!("Remove the device {} for ever? [y/N] ", self.device);
        if !self.yes && !confirmed(&question)? {
            bail!("nothing was removed");
        }
        let recovery = if self.recovery_key {
            let words = asked("The words of the recovery key: ")?;
            Some(RecoveryKey::from_words(&words).map_err(ClientError::from)?)
        } else {
            None
        };
        let device_id = client.remove_device(&self.device, recovery.as_ref()).await?;
        let text = format!("Device {device_id} is removed.\n");
        screen.result_and_warnings(&client, text, json!({ "device_id": device_id })).await?;
        client.close().await;
        Ok(ExitCode::SUCCESS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_typed_or_read_by_a_camera() {
        let secret = LinkSecret::from_bytes(&[7; 16]);
        let text = secret.text();
        for typed in [text.to_string(), text.to_lowercase(), format!("rossby:link:{}", text.replace('-', ""))] {
            assert_eq!(link_secret(&typed).unwrap().as_bytes(), secret.as_bytes(), "{typed}");
        }
        for bad in ["", "ROSSBY:LINK:", "ROSSBY:LINK", "é", "ROSSBY:LINKé:AAAA"] {
            assert!(link_secret(bad).is_err(), "{bad}");
        }
        assert!(picture(&text).lines().count() > 10);
    }
}

//! Who somebody is: lookup, verify.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Args;
use rossby_client::{Contact, Peer, Shown, Target};
use rossby_crypto::verification::VerificationCode;
use serde_json::json;

use super::conversation::peer;
use super::documents;
use super::options::PersonOptions;
use super::screen::{Screen, address, bold, claimed, counted, faint, minute, printable, qr_code};

/// Lookup.
#[derive(Debug, Args)]
pub(crate) struct Lookup {
    /// A phone number, an email address, or a box
    #[arg(value_parser = peer)]
    who: Peer,
    /// Take the box that the address leads to now for the right one
    #[arg(long)]
    accept_change: bool,
    /// Save the picture of their profile here, written anew from its pixels: a folder, or the file's own path
    #[arg(long, value_name = "PATH")]
    picture: Option<PathBuf>,
    #[command(flatten)]
    pub(super) options: PersonOptions,
}

impl Lookup {
    pub(super) async fn run(&self, screen: &Screen) -> anyhow::Result<ExitCode> {
        let client = self.options.open().await?;
        let contact = client.lookup(&self.who, self.accept_change).await?;
        let mut text = about(&self.who, &contact);
        let mut document = documents::contact(&contact);
        if let Some(path) = &self.picture {
            let picture = contact.profile.as_ref().and_then(|profile| profile.picture.as_ref());
            let picture =
                picture.context("there is no picture of them here; it comes with the key that they give you")?;
            let saved = picture.save(&Target { path: path.clone(), overwrites: false }).await?;
            document["saved"] = json!(saved.display().to_string());
            text += &format!("The picture is saved as {}.\n", printable(&saved.display().to_string()));
        }
        if contact.verified.is_none() {
            text += "Compare it with them, by voice or side by side: it is the same for both if nobody stands between you. `rossby \
                     verify` does it with a camera, and marks them as verified.\n";
        }
        screen.result_and_warnings(&client, text, document).await?;
        client.close().await;
        Ok(ExitCode::SUCCESS)
    }
}

/// Verify.
#[derive(Debug, Args)]
pub(crate) struct Verify {
    /// A phone number, an email address, or a box
    #[arg(value_parser = peer)]
    who: Peer,
    /// What a camera read from the code that their device shows with the same command
    #[arg(long, value_name = "TEXT")]
    scan: Option<String>,
    /// The safety number as they read it out: 60 digits
    #[arg(long, value_name = "DIGITS", conflicts_with = "scan")]
    digits: Option<String>,
    /// Take it back that they are verified
    #[arg(long, conflicts_with_all = ["scan", "digits"])]
    unverify: bool,
    #[command(flatten)]
    pub(super) options: PersonOptions,
}

impl Verify {
    pub(super) async fn run(&self, screen: &Screen) -> anyhow::Result<ExitCode> {
        let shown = match (&self.scan, &self.digits) {
            (Some(text), _) => {
                let code: VerificationCode = text.parse().map_err(rossby_client::ClientError::from)?;
                Some(Shown::Code(Box::new(code)))
            }
            (None, Some(digits)) => Some(Shown::Digits(digits.clone())),
            (None, None) => None,
        };
        let client = self.options.open().await?;
        let (text, document) = if self.unverify {
            let box_id = client.unverify(&self.who).await?;
            (format!("{} is no longer verified.\n", self.who), json!({ "box_id": box_id, "verified": null }))
        } else if let Some(shown) = shown {
            let contact = client.verify(&self.who, &shown).await?;
            let text = format!("It is the same: {} is verified, with these devices.\n", bold(&self.who.to_string()));
            (text + &about(&self.who, &contact), documents::contact(&contact))
        } else {
            let verification = client.verification(&self.who).await?;
            let (code, you) = (verification.code.to_string(), client.account().await?.identifier);
            let text = format!(
                "{}{}\nOn their device, with what its camera reads: {}\nHere, with the digits that they read out: {}\n",
                about(&self.who, &verification.contact),
                qr_code(code.as_bytes()),
                bold(&format!("rossby verify {} --scan TEXT", address(&you))),
                bold(&self.options.command(&format!("verify {} --digits DIGITS", self.who))),
            );
            let mut document = documents::contact(&verification.contact);
            document["code"] = json!(code);
            (text, document)
        };
        screen.result_and_warnings(&client, text, document).await?;
        client.close().await;
        Ok(ExitCode::SUCCESS)
    }
}

/// What is known of somebody.
fn about(who: &Peer, contact: &Contact) -> String {
    let mut text = format!("{}\n", bold(&who.to_string()));
    let mut line = |name: &str, value: &str| text += &format!("  {} {value}\n", faint(&format!("{name:<13}")));
    line("box", &contact.box_id.to_string());
    for device in &contact.devices {
        let state = match (device.is_removed, device.sealing_expires) {
            (true, _) => "removed".to_owned(),
            (false, Some(expires)) => format!("sealing key until {}", minute(expires)),
            (false, None) => "no sealing key".to_owned(),
        };
        line("device", &format!("{}, {state}", device.device_id));
    }
    if let Some(name) = contact.profile.as_ref().and_then(|profile| profile.name.as_deref()) {
        line("name", &claimed(name));
    }
    if contact.profile.as_ref().is_some_and(|profile| profile.picture.is_some()) {
        line("picture", "yes; --picture saves it");
    }
    match &contact.verified {
        None => line("verified", "no"),
        Some(verified) => {
            let devices = match verified.new_devices {
                0 => String::new(),
                more => format!("; {} since", counted(more, "new device")),
            };
            line("verified", &format!("{}{devices}", minute(verified.at)));
        }
    }
    let digits = contact.safety_number.to_string();
    let (first, second) = digits.split_at(digits.len() / 2);
    line("safety number", &bold(first.trim()));
    line("", &bold(second.trim()));
    text
}

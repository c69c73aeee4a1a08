//! What a person calls themselves: profile.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use rossby_client::{Picture, Profile, ProfileChange, ProfileChanged};
use serde_json::json;

use super::options::PersonOptions;
use super::screen::{Screen, bold, faint, one_line};
use super::{TRY_AGAIN, documents};

/// Profile.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct ProfileCommand {
    #[command(subcommand)]
    command: Option<ProfileVerb>,
    #[command(flatten)]
    options: PersonOptions,
}

#[derive(Debug, Subcommand)]
enum ProfileVerb {
    /// Set what those see whom you have accepted; the server sees none of it
    Set(Set),
    /// Take the name and the picture away, or one of them
    Clear(Clear),
}

#[derive(Debug, Args)]
struct Set {
    /// What you call yourself
    #[arg(long, required_unless_present = "picture")]
    name: Option<String>,
    /// A picture of you: a JPEG, PNG or WebP. It is made small, and written anew without where, when and with what it was taken
    #[arg(long, value_name = "FILE")]
    picture: Option<PathBuf>,
    #[command(flatten)]
    options: PersonOptions,
}

#[derive(Debug, Args)]
struct Clear {
    /// The name alone
    #[arg(long, conflicts_with = "picture")]
    name: bool,
    /// The picture alone
    #[arg(long)]
    picture: bool,
    #[command(flatten)]
    options: PersonOptions,
}

impl ProfileCommand {
    pub(super) const fn options(&self) -> &PersonOptions {
        match &self.command {
            None => &self.options,
            Some(ProfileVerb::Set(set)) => &set.options,
            Some(ProfileVerb::Clear(clear)) => &clear.options,
        }
    }

    pub(super) async fn run(&self, screen: &Screen) -> anyhow::Result<ExitCode> {
        let client = self.options().open().await?;
        let change = match &self.command {
            None => None,
            Some(ProfileVerb::Set(set)) => {
                let picture = match &set.picture {
                    Some(file) => Some(Some(Picture::of_file(file).await?)),
                    None => None,
                };
                Some(ProfileChange { name: set.name.clone().map(Some), picture })
            }
            Some(ProfileVerb::Clear(clear)) => {
                Some(ProfileChange { name: (!clear.picture).then_some(None), picture: (!clear.name).then_some(None) })
            }
        };
        let (profile, reason) = match change {
            Some(change) => {
                let ProfileChanged { profile, reason } = client.change_profile(change).await?;
                (profile, reason)
            }
            None => (client.profile().await?, client.sync().await.err()),
        };
        let profile = if reason.is_none() { client.profile().await? } else { profile };
        let (mut text, mut document) = (shown(&profile), documents::profile(&profile));
        document["reason"] = json!(reason.as_ref().map(ToString::to_string));
        if let Some(reason) = &reason {
            text += &format!(
                "The server could not be asked: {reason}. What it does not have yet, it gets the next time.\n"
            );
        }
        screen.result_and_warnings(&client, text, document).await?;
        client.close().await;
        Ok(if reason.is_none() { ExitCode::SUCCESS } else { ExitCode::from(TRY_AGAIN) })
    }
}

fn shown(profile: &Profile) -> String {
    if profile.is_empty() {
        return "You call yourself nothing; `rossby profile set` changes that.\n".to_owned();
    }
    let mut text = String::new();
    let mut line = |name: &str, value: &str| text += &format!("{} {value}\n", faint(&format!("{name:<8}")));
    line("name", &profile.name.as_deref().map_or_else(|| "none".to_owned(), |name| bold(&one_line(name))));
    if let Some(picture) = &profile.picture {
        line("picture", &format!("{} octets, {}", picture.data.as_slice().len(), one_line(&picture.media_type)));
    }
    text
}

//! `rossby mirror`: what a mirror between regions needs, from the settings that the servers have.

mod client_settings;
mod properties;
mod status;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use clap::Subcommand;

use crate::config::{self, Overrides};
use crate::whole_file::WholeFile;

/// What to do about mirrors.
#[derive(Debug, Subcommand)]
pub(crate) enum MirrorCommand {
    /// Write the properties of a MirrorMaker 2 towards a region, which brings the other regions' topics there
    Config {
        #[command(flatten)]
        overrides: Overrides,
        /// Towards this region; towards the one that the settings say is here if none is named
        #[arg(long, value_name = "NAME")]
        region: Option<String>,
        /// Where the mirror's processes reach each other
        #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8083")]
        mirror_listen: String,
        /// Write to this file, for its owner alone: passwords of the clusters are in it. To the terminal if none is named
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// Tell how many records each mirrored partition is behind; exits with 1 if that can't be told of one
    Status {
        #[command(flatten)]
        overrides: Overrides,
        /// Only what is mirrored to this region; to all if none is named
        #[arg(long, value_name = "NAME")]
        region: Option<String>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

pub(crate) async fn run(command: &MirrorCommand) -> anyhow::Result<ExitCode> {
    let (MirrorCommand::Config { overrides, .. } | MirrorCommand::Status { overrides, .. }) = command;
    let settings = config::load(overrides)?;
    if settings.regions.is_empty() {
        bail!("the settings name no regions, and one alone needs no mirror; [[regions]] names several");
    }
    match command {
        MirrorCommand::Config { region, mirror_listen, out, .. } => {
            let towards = region.as_ref().unwrap_or(&settings.region.name);
            settings.regions_named(Some(towards))?;
            let text = properties::text(&settings, towards, mirror_listen)?;
            match out {
                Some(file) => write(file, &text)?,
                None => crate::print(&text)?,
            }
            Ok(ExitCode::SUCCESS)
        }
        MirrorCommand::Status { region, json, .. } => {
            status::run(&settings, &settings.regions_named(region.as_deref())?, *json).await
        }
    }
}

/// Writes a file that its owner alone may read, in the place of one that may be there.
fn write(file: &Path, text: &str) -> anyhow::Result<()> {
    let failed = || format!("{} can't be written", file.display());
    let mut whole = WholeFile::beside(file).with_context(failed)?;
    whole.write_all(text.as_bytes()).with_context(failed)?;
    whole.replace().with_context(failed)
}

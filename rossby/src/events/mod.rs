//! `rossby events`: what stands in the log, as CloudEvents.

mod export;
mod filter;
mod import;
mod json;
pub(crate) mod progress;
pub(crate) mod scope;
pub(crate) mod source;
mod stats;
mod tail;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};

use crate::config::{self, ConfigError, Overrides, Settings};

/// Which server's log is meant.
#[derive(Debug, Clone, Args)]
pub(crate) struct LogOptions {
    /// A file of settings in TOML, as the server has it
    #[arg(long, value_name = "FILE", env = "ROSSBY_CONFIG")]
    pub(crate) config: Option<PathBuf>,
    /// The folder that holds the log of the embedded set-up
    #[arg(long, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
}

impl LogOptions {
    /// The settings of that server.
    ///
    /// # Errors
    /// They can't be read or don't fit together.
    pub(crate) fn load(&self) -> Result<Settings, ConfigError> {
        config::load(&Overrides { config: self.config.clone(), listen: None, data_dir: self.data_dir.clone() })
    }
}

/// What to do with the log's events. All but `import` only read, also beside a server that runs.
#[derive(Debug, Subcommand)]
pub(crate) enum EventsCommand {
    /// Show the last events, and with --follow those that come
    Tail(tail::Tail),
    /// Write events to a file, one CloudEvent in JSON a line: a whole log, or a part of it
    Export(export::Export),
    /// Put an exported log into the data folder of an embedded server that is empty
    Import(import::Import),
    /// Count events by topic, partition and type
    Stats(stats::Stats),
}

pub(crate) async fn run(command: &EventsCommand) -> anyhow::Result<ExitCode> {
    match command {
        EventsCommand::Tail(tail) => tail.run().await?,
        EventsCommand::Export(export) => export.run().await?,
        EventsCommand::Import(import) => import.run().await?,
        EventsCommand::Stats(stats) => stats.run().await?,
    }
    Ok(ExitCode::SUCCESS)
}

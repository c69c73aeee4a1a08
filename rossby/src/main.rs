//! Rossby's one binary.

mod config;
mod demo;
mod events;
mod logging;
mod mirror;
mod person;
mod replay;
mod serve;
mod topics;
mod whole_file;

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::bail;
use clap::{Parser, Subcommand};

use crate::config::Overrides;
use crate::events::EventsCommand;
use crate::mirror::MirrorCommand;
use crate::person::PersonCommand;
use crate::topics::TopicsCommand;

/// An end-to-end encrypted message service over a log.
#[derive(Debug, Parser)]
#[command(name = "rossby", version, arg_required_else_help = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the server; without settings, one process with its data in a folder
    Serve {
        #[command(flatten)]
        overrides: Overrides,
    },
    /// The log's topics
    #[command(subcommand)]
    Topics(TopicsCommand),
    /// Mirrors between regions
    #[command(subcommand)]
    Mirror(MirrorCommand),
    /// What stands in the log, as CloudEvents: shown, counted, exported, imported
    #[command(subcommand)]
    Events(EventsCommand),
    /// Build the read models of any moment from the log, into a database that is empty
    Replay(replay::Replay),
    /// Compare the read models with what the log says, row by row; nothing is changed, and the server may run
    VerifyTables(replay::Verify),
    /// Show what happened to a box, an identifier, a message or a device: when, where, who did it, and what counted
    #[command(subcommand)]
    Audit(replay::AuditCommand),
    /// Print the server's settings, with what may hold a password hidden
    Config {
        #[command(flatten)]
        overrides: Overrides,
    },
    /// The server's master secrets
    #[command(subcommand)]
    Secrets(SecretsCommand),
    /// Tell the story of two people and their server, step by step
    Demo(demo::Demo),
    #[command(flatten)]
    Person(PersonCommand),
}

#[derive(Debug, Subcommand)]
enum SecretsCommand {
    /// Make a file with a new master secret, which all processes of all regions share
    New {
        /// The file, which must not be there yet
        file: PathBuf,
    },
}

fn run(command: &Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Serve { overrides } => runtime()?.block_on(serve::run(config::load(overrides)?))?,
        Command::Topics(command) => return runtime()?.block_on(topics::run(command)),
        Command::Mirror(command) => return runtime()?.block_on(mirror::run(command)),
        Command::Events(command) => return runtime()?.block_on(events::run(command)),
        Command::Replay(replay) => return runtime()?.block_on(replay.run()),
        Command::Audit(command) => return runtime()?.block_on(command.run()),
        Command::VerifyTables(verify) => return runtime()?.block_on(verify.run()),
        Command::Config { overrides } => {
            let settings = config::load(overrides)?;
            let set_up = if settings.is_embedded() { "embedded, one process" } else { "distributed" };
            print(&format!("# set-up: {set_up}\n{}", settings.to_toml()?))?;
        }
        Command::Secrets(SecretsCommand::New { file }) => new_secrets(file)?,
        Command::Demo(demo) => runtime()?.block_on(demo.run())?,
        Command::Person(command) => return Ok(runtime()?.block_on(person::run(command))),
    }
    Ok(ExitCode::SUCCESS)
}

fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()
}

fn new_secrets(file: &Path) -> anyhow::Result<()> {
    if file.exists() {
        bail!(
            "{} is there already; a secret is never replaced, since tokens and identifiers hang on it",
            file.display()
        );
    }
    let secrets = config::make_secrets(file)?;
    let number = secrets.last().map_or(0, |secret| secret.number);
    print(&format!(
        "wrote {} with master secret {number}; keep it like a private key, and back it up\n",
        file.display()
    ))
}

/// A reader that has gone away is no failure.
fn print(text: &str) -> anyhow::Result<()> {
    match io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}

/// Says what is wrong with the arguments, or helps. Scripts that asked for JSON read what is wrong as JSON.
fn misused(error: &clap::Error) -> ExitCode {
    if error.use_stderr() && std::env::args().any(|argument| argument == "--json") {
        let text = error.to_string();
        let detail = text.lines().next().unwrap_or_default().trim_start_matches("error: ");
        person::say_misused(detail);
    } else {
        // Nobody is left to be told of a closed pipe.
        let _ = error.print();
    }
    ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2))
}

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return misused(&error),
    };
    match run(&arguments.command) {
        Ok(code) => code,
        Err(error) => {
            let _ = writeln!(io::stderr(), "error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

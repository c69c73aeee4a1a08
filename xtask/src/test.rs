//! `cargo xtask test`: every test, on servers that are started for it.

use std::process::Command;
use std::time::Instant;

use clap::Args;

use crate::cargo::{self, Selection};
use crate::logs;
use crate::processes::{Interrupted, Processes};
use crate::servers::Servers;
use crate::setup;
use crate::tools::Purpose;

/// What to test.
#[derive(Args, Default)]
pub(crate) struct Options {
    /// Only the tests that need no server
    #[arg(long)]
    quick: bool,
    /// For cargo test: `-- -p rossby-log some_test -- --nocapture`
    #[arg(last = true)]
    arguments: Vec<String>,
}

/// Runs the tests, and stops the servers whatever comes of it.
pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    let begin = Instant::now();
    let mut processes = Processes::new()?;
    let selection = Selection::of(&options.arguments);
    let mut words = Vec::new();
    if selection == Selection::Workspace {
        words.push("--workspace".to_owned());
    }
    if options.quick {
        cargo::run(&mut processes, &test_command(&words, options, &[]), &[])?;
    } else {
        words.extend(cargo::server_features(&cargo::metadata()?, &selection));
        let ready = setup::run(Purpose::Tests)?;
        // Built before the servers start: they needn't wait for a compiler, and it not for them.
        cargo::run(&mut processes, &test_command(&words, options, &["--no-run"]), &[])?;
        println!();
        let servers = Servers::start(&mut processes, &ready)?;
        let mut command = test_command(&words, options, &[]);
        command.envs(servers.variables());
        if let Err(error) = cargo::run(&mut processes, &command, &servers.handles()) {
            if !error.is::<Interrupted>() {
                keep_logs(&servers);
            }
            return Err(error);
        }
    }
    drop(processes);
    println!("\nall tests passed ({} s)", begin.elapsed().as_secs());
    Ok(())
}

fn test_command(words: &[String], options: &Options, flags: &[&str]) -> Command {
    let mut command = cargo::command(&["test"]);
    command.args(words).args(flags).args(&options.arguments);
    command
}

/// What the servers wrote may tell why a test failed.
fn keep_logs(servers: &Servers) {
    for (name, log) in servers.logs() {
        eprintln!("{name}'s log of this run: {}", logs::keep(name, log).display());
    }
}

//! `cargo xtask test`: every test, on servers that are started for it.

use std::fs;
use std::time::Instant;

use clap::Args;

use crate::cargo::{self, Selection};
use crate::layout;
use crate::processes::{Interrupted, Processes};
use crate::servers::Servers;
use crate::setup;

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
    let mut words = vec!["test".to_owned()];
    if selection == Selection::Workspace {
        words.push("--workspace".to_owned());
    }
    if options.quick {
        words.extend_from_slice(&options.arguments);
        cargo::run(&mut processes, &cargo::command(&borrowed(&words)), &[])?;
    } else {
        words.extend(cargo::server_features(&cargo::metadata()?, &selection));
        words.extend_from_slice(&options.arguments);
        let ready = setup::run()?;
        let servers = Servers::start(&mut processes, &ready)?;
        let mut command = cargo::command(&borrowed(&words));
        command.envs(servers.variables());
        if let Err(error) = cargo::run(&mut processes, &command, &servers.handles()) {
            if !error.is::<Interrupted>() {
                keep_logs(&servers);
            }
            return Err(error);
        }
    }
    println!("\nall tests passed ({} s)", begin.elapsed().as_secs());
    Ok(())
}

fn borrowed(words: &[String]) -> Vec<&str> {
    words.iter().map(String::as_str).collect()
}

/// The servers' folder goes; what they wrote may tell why a test failed.
fn keep_logs(servers: &Servers) {
    let folder = layout::cache().join("logs");
    let _ = fs::create_dir_all(&folder);
    for (name, log) in servers.logs() {
        let kept = folder.join(format!("{}.log", name.to_lowercase()));
        if fs::copy(log, &kept).is_ok() {
            eprintln!("{name}'s log of this run: {}", kept.display());
        }
    }
}

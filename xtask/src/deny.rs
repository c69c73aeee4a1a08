//! cargo-deny, built once into the cache, and the checks of deny.toml.

use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::cargo;
use crate::layout;
use crate::processes::{Ending, Processes, Start};
use crate::tools;

/// The version that is checked with, so that a new one can't fail CI by itself.
const VERSION: &str = "0.20.2";
/// Where the advisories come from (deny.toml).
const ADVISORIES: &str = "https://github.com/rustsec/advisory-db";

/// Checks licences, bans and sources, and advisories when their database can be reached.
pub(crate) fn run(processes: &mut Processes) -> anyhow::Result<()> {
    let program = install(processes)?;
    let mut checks = vec!["licenses", "bans", "sources"];
    if is_reachable(processes)? {
        checks.push("advisories");
    } else {
        println!("advisories are not checked: {ADVISORIES} can't be reached from here");
    }
    let mut command = Command::new(program);
    command
        .args(["deny", "--workspace", "check", "--hide-inclusion-graph"])
        .args(&checks)
        .current_dir(layout::workspace());
    cargo::run(processes, &command, &[])
}

/// The program, built if it isn't there.
fn install(processes: &mut Processes) -> anyhow::Result<PathBuf> {
    let folder = layout::cache().join("tools").join(format!("cargo-deny-{VERSION}"));
    let program = folder.join("bin/cargo-deny");
    if program.exists() {
        return Ok(program);
    }
    println!("building cargo-deny {VERSION} (about a minute and a half on two cores, once)");
    let mut command = cargo::command(&["install", "cargo-deny", "--locked", "--version", VERSION]);
    command.arg("--root").arg(&folder);
    // It runs for a second: a fast build is worth more than a fast program.
    for setting in ["opt-level=1", "lto=false", "codegen-units=16", "debug=false"] {
        command.arg("--config").arg(format!("profile.release.{setting}"));
    }
    // A target folder of its own: its dependencies are built with other settings than ours.
    command.env_remove("CARGO_TARGET_DIR");
    cargo::run(processes, &command, &[])?;
    Ok(program)
}

/// Whether the advisories' repository answers within ten seconds.
fn is_reachable(processes: &mut Processes) -> anyhow::Result<bool> {
    let Some(git) = tools::on_path("git") else { return Ok(false) };
    let mut command = Command::new(git);
    command.args(["ls-remote", "--quiet", ADVISORIES, "HEAD"]).env("GIT_TERMINAL_PROMPT", "0");
    let log = layout::cache().join("advisories.log");
    let start =
        Start { name: "git", command: &command, user: None, log: Some(&log), ending: Ending::graceful(Signal::TERM) };
    let handle = processes.start(&start)?;
    let deadline = Instant::now() + Duration::from_secs(10);
    while processes.is_running(handle)? && Instant::now() < deadline {
        processes.pause(Duration::from_millis(100))?;
    }
    let is_reached = processes.status(handle).is_some_and(|status| status.success());
    processes.stop(handle);
    Ok(is_reached)
}

//! `cargo xtask check`: everything that is checked without running the project.

use std::time::Instant;

use crate::cargo::{self, Selection};
use crate::processes::Processes;
use crate::{deny, deps, golden};

/// Formatting, the direction of dependencies, golden files, clippy and rustdoc with warnings denied, licences, bans and sources.
///
/// Fails at the first that fails, the quickest first.
pub(crate) fn run() -> anyhow::Result<()> {
    let begin = Instant::now();
    let mut processes = Processes::new()?;
    cargo::run(&mut processes, &cargo::command(&["fmt", "--all", "--check"]), &[])?;
    deps::run()?;
    golden::run()?;

    let features = cargo::server_features(&cargo::metadata()?, &Selection::Workspace);
    let mut clippy = cargo::command(&["clippy", "--workspace", "--all-targets"]);
    clippy.args(&features).args(["--", "-D", "warnings"]);
    cargo::run(&mut processes, &clippy, &[])?;

    // What a program without the system's keyring is built of.
    let without =
        cargo::command(&["clippy", "--package", "rossby-client", "--no-default-features", "--", "-D", "warnings"]);
    cargo::run(&mut processes, &without, &[])?;

    let mut documentation = cargo::command(&["doc", "--workspace", "--no-deps"]);
    documentation.args(&features).env("RUSTDOCFLAGS", "-D warnings");
    cargo::run(&mut processes, &documentation, &[])?;

    deny::run(&mut processes)?;
    println!("\nall checks passed ({} s)", begin.elapsed().as_secs());
    Ok(())
}

//! Installing Debian and Ubuntu packages, when xtask is run by root and there is `apt-get`.

use std::process::{Command, Stdio};

use anyhow::{Context, bail};

use crate::tools::{is_root, on_path};

/// Whether packages can be installed from here.
pub(crate) fn is_possible() -> bool {
    is_root() && on_path("apt-get").is_some()
}

/// The command by which a person installs `packages`.
pub(crate) fn command_for(packages: &[&str]) -> String {
    format!("sudo apt-get install --no-install-recommends {}", packages.join(" "))
}

/// Installs `packages`, saying what it does.
pub(crate) fn install(packages: &[&str]) -> anyhow::Result<()> {
    println!("  installing with apt-get: {}", packages.join(" "));
    run(&["update", "-q"])?;
    run(&[&["install", "-q", "-y", "--no-install-recommends"], packages].concat())
}

fn run(arguments: &[&str]) -> anyhow::Result<()> {
    let output = Command::new("apt-get")
        .args(arguments)
        .env("DEBIAN_FRONTEND", "noninteractive")
        .stdin(Stdio::null())
        .output()
        .context("running apt-get")?;
    if !output.status.success() {
        bail!("apt-get {} failed:\n{}", arguments.join(" "), String::from_utf8_lossy(&output.stderr).trim_end());
    }
    Ok(())
}

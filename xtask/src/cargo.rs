//! Running cargo on this workspace, and what cargo says of its packages.

use std::process::Command;

use anyhow::{Context, bail};
use rustix::process::Signal;
use serde_json::Value;

use crate::layout;
use crate::processes::{Ending, Handle, Processes, Start, describe};

/// The feature of a package whose tests need servers.
const FEATURE: &str = "servers";

/// A cargo command in the workspace, with the cargo that runs xtask.
pub(crate) fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(arguments).current_dir(layout::workspace());
    // Set by `cargo xtask` for xtask itself; build scripts of others would be run again for a difference in them.
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") || text == "CARGO_BIN_NAME" {
            command.env_remove(&name);
        }
    }
    command
}

/// Runs a command to its end, its output going where xtask's goes.
///
/// Fails when it fails, when a signal comes, and when one of the `needed` processes ends.
pub(crate) fn run(processes: &mut Processes, command: &Command, needed: &[Handle]) -> anyhow::Result<()> {
    let shown = std::iter::once("cargo".into()).chain(command.get_args().map(|argument| argument.to_string_lossy()));
    let shown = shown.collect::<Vec<_>>().join(" ");
    println!("\n> {shown}");
    let ending = Ending::graceful(Signal::TERM);
    let handle = processes.start(&Start { name: "cargo", command, user: None, log: None, ending })?;
    let status = processes.wait(handle, needed)?;
    processes.stop(handle);
    if !status.success() {
        bail!("`{shown}` failed with {}", describe(status));
    }
    Ok(())
}

/// What `cargo metadata` says of the workspace's own packages.
pub(crate) fn metadata() -> anyhow::Result<Value> {
    let output = command(&["metadata", "--format-version", "1", "--no-deps"]).output().context("running cargo")?;
    if !output.status.success() {
        bail!("`cargo metadata` failed:\n{}", String::from_utf8_lossy(&output.stderr).trim_end());
    }
    serde_json::from_slice(&output.stdout).context("reading what `cargo metadata` says")
}

/// Which packages a run of cargo is for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Selection {
    /// All of the workspace.
    Workspace,
    /// Those named.
    Packages(Vec<String>),
}

impl Selection {
    /// What the arguments meant for cargo select: the names after `-p` and `--package`, and all when there are none.
    pub(crate) fn of(arguments: &[String]) -> Self {
        let mut names = Vec::new();
        let mut rest = arguments.iter().take_while(|argument| *argument != "--");
        while let Some(argument) = rest.next() {
            if argument == "-p" || argument == "--package" {
                names.extend(rest.next().cloned());
            } else if let Some(name) = argument.strip_prefix("--package=").or_else(|| argument.strip_prefix("-p")) {
                names.push(name.to_owned());
            }
        }
        if names.is_empty() { Self::Workspace } else { Self::Packages(names) }
    }

    fn includes(&self, package: &str) -> bool {
        match self {
            Self::Workspace => true,
            Self::Packages(names) => names.iter().any(|name| name == package),
        }
    }
}

/// The arguments that turn on the tests that need servers, for those of the selected packages that have such tests.
/// Cargo refuses a feature of a package that isn't selected, or that doesn't have it.
pub(crate) fn server_features(metadata: &Value, selection: &Selection) -> Vec<String> {
    let packages = metadata["packages"].as_array().into_iter().flatten();
    let features: Vec<String> = packages
        .filter(|package| package["features"].get(FEATURE).is_some())
        .filter_map(|package| package["name"].as_str())
        .filter(|name| selection.includes(name))
        .map(|name| format!("{name}/{FEATURE}"))
        .collect();
    if features.is_empty() { Vec::new() } else { vec!["--features".to_owned(), features.join(",")] }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Selection, server_features};

    fn selection(arguments: &[&str]) -> Selection {
        Selection::of(&arguments.iter().map(|argument| (*argument).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn packages_are_selected_in_each_of_cargos_ways() {
        assert_eq!(selection(&["some_test"]), Selection::Workspace);
        let names = vec!["a".to_owned(), "b".to_owned(), "c".to_owned()];
        assert_eq!(selection(&["-p", "a", "--package=b", "x", "-pc"]), Selection::Packages(names));
        assert_eq!(selection(&["--", "-p", "a"]), Selection::Workspace);
    }

    #[test]
    fn only_packages_that_have_the_feature_and_are_selected_get_it() {
        let metadata = json!({ "packages": [
            { "name": "a", "features": { "servers": [] } },
            { "name": "b", "features": {} },
            { "name": "c", "features": { "default": [], "servers": [] } },
        ] });
        assert_eq!(server_features(&metadata, &Selection::Workspace), ["--features", "a/servers,c/servers"]);
        assert_eq!(server_features(&metadata, &selection(&["-p", "c"])), ["--features", "c/servers"]);
        assert!(server_features(&metadata, &selection(&["-p", "b"])).is_empty());
    }
}

//! What has been promised of events is never taken back: golden files and schemas are only ever added.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, bail};

use crate::{layout, tools};

/// The folder of golden files, one for each type and version of event.
const FOLDER: &str = "schemas/golden";

/// Fails when a commit, or what isn't committed yet, changes or removes a golden file that was committed before.
pub(crate) fn run() -> anyhow::Result<()> {
    let workspace = layout::workspace();
    if tools::on_path("git").is_none() || !workspace.join(".git").exists() {
        println!("golden files are not compared with their history: this is no clone of the repository");
        return Ok(());
    }
    let changed = changed(&workspace)?;
    if !changed.is_empty() {
        bail!(
            "golden files were changed or removed, but events that were written stay as they are; add a new version of \
             the type beside the old one:\n{}",
            changed.join("\n")
        );
    }
    println!("golden files are as they were when they were added");
    Ok(())
}

/// The golden files that were changed or removed since they were added.
fn changed(repository: &Path) -> anyhow::Result<Vec<String>> {
    let committed = git(repository, &["log", "--no-renames", "--diff-filter=MDT", "--name-only", "--format="])?;
    let uncommitted = git(repository, &["diff", "HEAD", "--no-renames", "--diff-filter=MDT", "--name-only"])?;
    let mut files: Vec<String> = committed.lines().chain(uncommitted.lines()).map(str::to_owned).collect();
    files.sort();
    files.dedup();
    files.retain(|file| !file.is_empty());
    Ok(files)
}

fn git(repository: &Path, arguments: &[&str]) -> anyhow::Result<String> {
    let output = Command::new("git")
        .arg("-C")
        .arg(repository)
        .args(arguments)
        .args(["--", FOLDER])
        .output()
        .context("running git")?;
    if !output.status.success() {
        bail!("git failed:\n{}", String::from_utf8_lossy(&output.stderr).trim_end());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn commit(repository: &Path) {
        for arguments in [
            vec!["add", "-A"],
            vec!["-c", "user.name=A", "-c", "user.email=a@example.org", "commit", "--quiet", "-m", "x"],
        ] {
            let status = Command::new("git").arg("-C").arg(repository).args(arguments).status().unwrap();
            assert!(status.success());
        }
    }

    #[test]
    fn golden_files_may_be_added_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let repository = folder.path();
        let status = Command::new("git").args(["init", "--quiet"]).arg(repository).status().unwrap();
        assert!(status.success());
        fs::create_dir_all(repository.join(FOLDER)).unwrap();
        let file = |name: &str| repository.join(FOLDER).join(name);
        fs::write(file("a.v1.json"), "1").unwrap();
        commit(repository);
        fs::write(file("a.v2.json"), "2").unwrap();
        assert!(changed(repository).unwrap().is_empty());
        commit(repository);
        assert!(changed(repository).unwrap().is_empty());

        fs::write(file("a.v1.json"), "3").unwrap();
        assert_eq!(changed(repository).unwrap(), ["schemas/golden/a.v1.json"]);
        fs::remove_file(file("a.v2.json")).unwrap();
        commit(repository);
        assert_eq!(changed(repository).unwrap(), ["schemas/golden/a.v1.json", "schemas/golden/a.v2.json"]);
    }
}

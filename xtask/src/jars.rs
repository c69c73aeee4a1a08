//! Apache Kafka's jars, fetched once from Maven Central by `xtask/kafka/pom.xml`.

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, bail};

use crate::layout;

/// Fetches the jars if they aren't there for the present pom, and gives their folder.
///
/// Fails when Maven fails, most often because there is no network.
pub(crate) fn fetch(maven: &Path) -> anyhow::Result<PathBuf> {
    let pom = layout::workspace().join("xtask/kafka/pom.xml");
    let text = fs::read(&pom).with_context(|| format!("reading {}", pom.display()))?;
    let kafka = layout::cache().join("kafka");
    // A folder for each pom: nothing is ever changed in a folder that a running broker uses.
    let folder = kafka.join(format!("libs-{}", fingerprint(&text)));
    if folder.join("complete").exists() {
        return Ok(folder);
    }
    println!("  fetching Kafka's jars by Maven (about 55 MB, once)");
    fs::create_dir_all(&kafka).with_context(|| format!("making the folder {}", kafka.display()))?;
    let fresh = tempfile::Builder::new().prefix("fetching-").tempdir_in(&kafka)?;
    let output = Command::new(maven)
        .args(["--batch-mode", "--quiet", "-Dstyle.color=never", "--file"])
        .arg(&pom)
        // By its whole name: the short one has to be looked up first. Its version is in the pom.
        .arg("org.apache.maven.plugins:maven-dependency-plugin:copy-dependencies")
        .arg(format!("-DoutputDirectory={}", fresh.path().display()))
        .stdin(Stdio::null())
        .output()
        .context("running mvn")?;
    if !output.status.success() {
        bail!(
            "Maven could not fetch Kafka's jars; is there a network, and does Maven know its proxy or mirror? It says:\n{}",
            errors(&String::from_utf8_lossy(&output.stdout))
        );
    }
    if !fs::read_dir(fresh.path())?.flatten().any(|entry| entry.file_name().to_string_lossy().starts_with("kafka_2.13"))
    {
        bail!("Maven has fetched no Kafka");
    }
    fs::write(fresh.path().join("complete"), "")?;
    // Another xtask may have been faster; its jars are as good.
    if let Err(error) = fs::rename(fresh.path(), &folder)
        && !folder.join("complete").exists()
    {
        return Err(error).with_context(|| format!("moving the jars to {}", folder.display()));
    }
    Ok(folder)
}

fn fingerprint(pom: &[u8]) -> String {
    let mut hasher = DefaultHasher::new();
    pom.hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}

/// The first lines in which Maven says what went wrong, without colours and its advice on flags.
fn errors(output: &str) -> String {
    let said = output.lines().filter_map(|line| line.split_once("[ERROR] ")).map(|(_, said)| said);
    said.take_while(|said| !said.trim().is_empty()).take(3).map(|said| format!("  {said}\n")).collect()
}

#[cfg(test)]
mod tests {
    use super::{errors, fingerprint};

    #[test]
    fn another_pom_has_another_folder() {
        assert_eq!(fingerprint(b"a"), fingerprint(b"a"));
        assert_ne!(fingerprint(b"a"), fingerprint(b"b"));
    }

    #[test]
    fn of_mavens_output_the_errors_are_shown() {
        assert_eq!(
            errors("[INFO] a\n\u{1b}[0m[ERROR] no route to host\n[ERROR] \n[ERROR] re-run"),
            "  no route to host\n"
        );
    }
}

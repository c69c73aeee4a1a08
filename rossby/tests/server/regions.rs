//! What an operator of several regions types. That the regions work together is in `rossby/tests/regions`.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use crate::command_line::{rossby, text};

/// Settings of two regions, of whose clusters none is there.
fn settings(folder: &Path) -> PathBuf {
    let file = folder.join("rossby.toml");
    let region = |number: u8, name: &str, slots: &str| {
        format!(
            "[[regions]]\nnumber = {number}\nname = \"{name}\"\nkafka_brokers = \"127.0.0.1:1\"\n\
             kafka_settings = {{ \"sasl.mechanism\" = \"PLAIN\", \
             \"sasl.username\" = \"r\", \"sasl.password\" = \"s3cret\" }}\nidentifier_slots = \"{slots}\"\n"
        )
    };
    let text = format!(
        "[region]\nname = \"east\"\n[log]\nprovider = \"kafka\"\nkafka_delivery_timeout_ms = 300\npartitions = 1\n\
         [blobs]\nfolder = \"shared\"\n{}{}",
        region(1, "east", "0-511"),
        region(2, "west", "512-1023")
    );
    fs::write(&file, text).unwrap();
    file
}

#[test]
fn a_region_that_cannot_be_asked_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let config = settings(folder.path()).display().to_string();
    for verb in ["check", "apply"] {
        let output = rossby(&["topics", verb, "--config", &config]);
        assert_eq!(output.status.code(), Some(1));
        let shown = text(&output.stdout);
        assert!(
            shown.starts_with("east\n  can't be asked: ") && shown.contains("\nwest\n  can't be asked: "),
            "{shown}"
        );
    }
    let output = rossby(&["topics", "check", "--config", &config, "--region", "west", "--json"]);
    assert_eq!(output.status.code(), Some(1));
    let document: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let regions = document["regions"].as_array().unwrap();
    assert_eq!((regions.len(), regions[0]["region"].as_str()), (1, Some("west")));
    assert!(regions[0]["error"].as_str().unwrap().contains("unavailable"), "{document}");
    let output = rossby(&["mirror", "status", "--config", &config, "--region", "east"]);
    assert_eq!(output.status.code(), Some(1));
    let shown = text(&output.stdout);
    assert!(shown.starts_with("east\n  west.rossby.registrations/0 ") && shown.contains("not known: "), "{shown}");
    let output = rossby(&["topics", "check", "--config", &config, "--region", "north"]);
    assert_eq!(text(&output.stderr), "error: the settings name no region \"north\"; there are: east, west\n");
}

#[test]
fn the_mirror_s_settings_are_written_for_their_owner_alone() {
    let folder = tempfile::tempdir().unwrap();
    let config = settings(folder.path()).display().to_string();
    let file = folder.path().join("mirror.properties");
    // One that is there, and that others may read, is replaced.
    fs::write(&file, "old").unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    let out = file.display().to_string();
    let output =
        rossby(&["mirror", "config", "--config", &config, "--mirror-listen", "http://127.0.0.1:18083", "--out", &out]);
    assert!(output.status.success() && output.stdout.is_empty(), "{output:?}");
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let written = fs::read_to_string(&file).unwrap();
    for line in ["west->east.enabled = true", "listeners = http://127.0.0.1:18083"] {
        assert!(written.lines().any(|written| written == line), "{written}");
    }
    assert!(written.contains("password=\"s3cret\";\n"), "{written}");
    let shown = rossby(&["mirror", "config", "--config", &config, "--region", "west"]);
    assert!(text(&shown.stdout).contains("\neast->west.enabled = true\n"), "{shown:?}");
    // What is shown of the settings has no secret.
    let shown = text(&rossby(&["config", "--config", &config]).stdout);
    assert!(shown.contains("name = \"west\"") && !shown.contains("s3cret"), "{shown}");

    let alone = rossby(&["mirror", "config"]);
    assert_eq!(alone.status.code(), Some(1));
    assert!(text(&alone.stderr).contains("[[regions]]"), "{alone:?}");
}

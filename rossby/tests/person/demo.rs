//! The demo tells its story to the end, and leaves nothing behind but what it was asked to keep.

use std::process::Command;

#[test]
fn the_demo_tells_its_story() {
    let folder = tempfile::tempdir().unwrap();
    let kept = folder.path().join("kept");
    let demo = |arguments: &[&str]| {
        Command::new(env!("CARGO_BIN_EXE_rossby"))
            .arg("demo")
            .args(arguments)
            .env("TMPDIR", folder.path())
            .output()
            .unwrap()
    };
    let told = demo(&[]);
    let (out, err) = (String::from_utf8(told.stdout).unwrap(), String::from_utf8_lossy(&told.stderr).into_owned());
    assert!(told.status.success(), "{out}\n{err}");
    for part in [
        "1. A server starts",
        "2. Ann registers ann@example.org",
        "keys.box-founded.v1",
        "inbox.message-enqueued.v1",
        "inbox.messages-acknowledged.v1",
        "0 messages wait for Ben",
        "Ann's address (\"ann@example.org\"): not found.",
    ] {
        assert!(out.contains(part), "{part} is missing:\n{out}");
    }
    let is_safety_number = |line: &&str| line.trim().split(' ').count() == 12 && line.trim().len() == 71;
    let numbers: Vec<&str> = out.lines().filter(is_safety_number).collect();
    assert!(numbers.len() == 2 && numbers[0] == numbers[1], "{numbers:?}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "nothing is left behind");

    let path = kept.to_str().unwrap();
    assert!(demo(&["--keep", path]).status.success());
    assert!(kept.join("server/log").exists() && kept.join("ann/rossby.sqlite").exists());
    let again = demo(&["--keep", path]);
    assert!(!again.status.success());
    assert!(String::from_utf8_lossy(&again.stderr).contains("is there already"));
}

//! What a person types wrong is named, with what to do next, and changes nothing.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Stdio;

use serde_json::Value;

use crate::human::Human;
use crate::process::Server;
use crate::set_up::SetUp;

/// Ann and Ben, with accounts.
fn two_people(folder: &Path, server: &Server) -> [Human; 2] {
    ["ann@example.org", "ben@example.org"].map(|name| {
        let human = Human::new(folder, name, server);
        human.join(server);
        human
    })
}

#[test]
fn mistakes_are_named_and_change_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let server = SetUp::embedded().start(&folder.path().join("data"), 0);
    let ann = Human::new(folder.path(), "ann@example.org", &server);

    // Before there is an account.
    for arguments in [&["whoami"][..], &["inbox"], &["authorize", "12345678"], &["send", "ben@example.org", "x"]] {
        let (error, text) = ann.refused(arguments);
        assert_eq!(error, "not-registered", "{text}");
        assert!(text.contains("rossby register"), "{text}");
    }
    assert!(!ann.home.exists());
    for bad in ["ann", "555 1234", "ann@localhost"] {
        let output = ann.run(&["register", bad]);
        assert_eq!(output.status.code(), Some(2), "{output:?}");
    }
    assert!(!ann.home.exists());

    // Between register and authorize.
    ann.done(&["register", "ann@example.org"]);
    assert_eq!(ann.refused(&["register", "other@example.org"]).0, "registering");
    assert_eq!(ann.refused(&["authorize", "1234"]).0, "not-a-code");
    assert_eq!(ann.refused(&["send", "ben@example.org", "x"]).0, "not-authorized");
    assert_eq!(ann.done(&["whoami"])["authorized"], false);
    let first = ann.done(&["whoami"])["box_id"].clone();
    let again = ann.done(&["register", "ann@example.org"]);
    assert_eq!(again["box_id"], first, "another code for the same registration");
    let other = ann.done(&["register", "other@example.org", "--start-over", "--recovery-key"]);
    assert_ne!(other["box_id"], first);
    assert_eq!(other["recovery_words"].as_str().unwrap().split(' ').count(), 12);
    let code = server.code_for("mailto:other@example.org");
    assert_eq!(ann.done(&["authorize", &code])["authorized"], true);

    // With an account.
    assert_eq!(ann.refused(&["register", "ann@example.org"]).0, "already-registered");
    assert_eq!(ann.refused(&["authorize", &code]).0, "already-registered");
    assert_eq!(ann.refused(&["lookup", "nobody@example.org"]).0, "no-such-recipient");
    assert_eq!(ann.run(&["lookup", "not anybody"]).status.code(), Some(2));
    let (error, text) = ann.refused(&["lookup", "not anybody"]);
    assert_eq!(error, "usage");
    assert!(text.contains("not anybody"), "{text}");
    let own = "other@example.org";
    for arguments in [&["lookup", own][..], &["block", own], &["contact", own], &["send", own, "x"]] {
        assert_eq!(ann.refused(arguments).0, "oneself", "{arguments:?}");
    }
    assert_eq!(ann.refused(&["send", "nobody@example.org", ""]).0, "usage");
    let long = folder.path().join("long.txt");
    fs::write(&long, "x".repeat(200_000)).unwrap();
    let output = ann.command(&["send", "nobody@example.org", "-", "--json"]);
    let output = { output }.stdin(Stdio::from(fs::File::open(&long).unwrap())).output().unwrap();
    assert!(String::from_utf8_lossy(&output.stderr).contains("too-long"), "{output:?}");

    // What is private stays private.
    let store = ann.home.join("rossby.sqlite");
    assert_eq!(fs::metadata(&store).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::metadata(ann.home.join("key")).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::metadata(&ann.home).unwrap().permissions().mode() & 0o777, 0o700);
    fs::set_permissions(&store, fs::Permissions::from_mode(0o644)).unwrap();
    let (error, text) = ann.refused(&["whoami"]);
    assert_eq!(error, "file");
    assert!(text.contains("chmod"), "{text}");
    fs::set_permissions(&store, fs::Permissions::from_mode(0o600)).unwrap();
    assert_eq!(ann.refused(&["whoami", "--passphrase-file", "/dev/null"]).0, "locked");
    let nowhere = ann.with("ROSSBY_KEY_FILE", "/no/such/key");
    assert_eq!(nowhere.refused(&["whoami"]).0, "locked");
    let (error, text) = ann.with("ROSSBY_KEY_FILE", "/").refused(&["whoami"]);
    assert_eq!(error, "locked");
    assert!(text.contains("32 octets"), "a folder is no key file: {text}");
    server.stop();
    assert_eq!(ann.refused(&["lookup", "ben@example.org"]).0, "unreachable");
    assert_eq!(ann.done(&["whoami"])["authorized"], true, "what is known here needs no server");
}

#[test]
fn a_passphrase_opens_a_home_and_no_other_does() {
    let folder = tempfile::tempdir().unwrap();
    let server = SetUp::embedded().start(&folder.path().join("data"), 0);
    let closed = Human::new(folder.path(), "ann@example.org", &server);
    let ann = closed.with("ROSSBY_PASSPHRASE", "correct horse");
    ann.join(&server);
    assert!(!ann.home.join("key").exists());
    let (error, text) = closed.refused(&["whoami"]);
    assert_eq!(error, "locked");
    assert!(text.contains("--passphrase"), "{text}");
    assert_eq!(closed.with("ROSSBY_PASSPHRASE", "wrong horse").refused(&["inbox"]).0, "locked");
    let file = folder.path().join("passphrase");
    fs::write(&file, "correct horse\n").unwrap();
    assert_eq!(closed.done(&["whoami", "--passphrase-file", file.to_str().unwrap()])["authorized"], true);
    server.stop();
}

#[test]
fn commands_to_go_on_with_name_the_home() {
    let folder = tempfile::tempdir().unwrap();
    let server = SetUp::embedded().start(&folder.path().join("data"), 0);
    let mut ann = Human::new(folder.path(), "ann@example.org", &server);
    ann.home = folder.path().join("Ann's home");
    let output = ann.command(&["register", "ann@example.org"]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let home = folder.path().to_str().unwrap();
    assert!(text.contains(&format!(r"rossby authorize CODE --home '{home}/Ann'\''s home'")), "{text}");
    server.stop();
}

#[test]
fn a_server_that_moved_is_kept_if_it_knows_the_device() {
    let folder = tempfile::tempdir().unwrap();
    let server = SetUp::embedded().start(&folder.path().join("data"), 0);
    let strange = SetUp::embedded().start(&folder.path().join("strange"), 0);
    let ann = Human::new(folder.path(), "ann@example.org", &server);
    ann.join(&server);
    let first = server.url.clone();
    server.stop();
    let moved = SetUp::embedded().start(&folder.path().join("data"), 0);
    let at = |server| Human::new(folder.path(), "ann@example.org", server);
    let known = || {
        let output = ann.command_by_home(&["whoami", "--offline", "--json"]).output().unwrap();
        serde_json::from_slice::<Value>(&output.stdout).unwrap()["server"].clone()
    };
    assert_eq!(at(&strange).refused(&["settings", "--keep-server"]).0, "not-known");
    assert_eq!(known(), first);
    assert_eq!(at(&moved).done(&["settings", "--keep-server"])["server"], moved.url);
    assert_eq!(known(), moved.url);
    for server in [strange, moved] {
        server.stop();
    }
}

#[test]
fn a_long_inbox_is_shown_in_pieces() {
    let folder = tempfile::tempdir().unwrap();
    let server = SetUp::embedded().start(&folder.path().join("data"), 0);
    let [ann, ben] = two_people(folder.path(), &server);
    for text in ["one", "two", "three"] {
        ann.done(&["send", "ben@example.org", text]);
    }
    ben.waits(3);
    for (texts, more) in [(vec!["one", "two"], true), (vec!["three"], false), (vec![], false)] {
        let inbox = ben.done(&["inbox", "--limit", "2"]);
        let shown: Vec<_> = inbox["messages"].as_array().unwrap().iter().map(|m| m["text"].clone()).collect();
        assert_eq!((shown, inbox["more"].as_bool()), (texts.into_iter().map(Value::from).collect(), Some(more)));
    }
    server.stop();
}

#[test]
fn a_strangers_text_does_nothing_to_the_terminal() {
    let folder = tempfile::tempdir().unwrap();
    let server = SetUp::embedded().start(&folder.path().join("data"), 0);
    let [ann, ben] = two_people(folder.path(), &server);
    let text = "hi\u{1b}]0;owned\u{7}\n2026-11-24 09:00Z mallory: not me";
    ann.done(&["send", "ben@example.org", text]);
    ben.waits(1);
    let output = ben.command(&["inbox"]).output().unwrap();
    let shown = String::from_utf8(output.stdout).unwrap();
    assert!(!shown.contains('\u{1b}') && !shown.contains('\u{7}'), "{shown:?}");
    assert!(shown.contains("\n    2026-11-24 09:00Z mallory"), "a line of a message can't pass for another: {shown}");
    assert_eq!(ben.done(&["inbox", "--all"])["messages"][0]["text"], text, "scripts get it as it is");
    server.stop();
}

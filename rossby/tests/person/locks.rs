//! What locks a home: asked for on a terminal, changed, taken away.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::human::Human;
use crate::process::Server;
use crate::set_up::SetUp;

/// Runs a person's command on a terminal of its own, with these lines typed. Gives what the terminal showed.
fn typed(human: &Human, arguments: &[&str], lines: &[&str]) -> String {
    let command = human.command(arguments);
    let quoted = |text: &std::ffi::OsStr| format!("'{}'", text.to_str().unwrap().replace('\'', r"'\''"));
    let words: Vec<_> = std::iter::once(command.get_program()).chain(command.get_args()).map(quoted).collect();
    let mut terminal = Command::new("script");
    terminal.args(["--quiet", "--return", "--command", &words.join(" "), "/dev/null"]);
    terminal.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let mut running = terminal.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut keyboard = running.stdin.take().unwrap();
    for line in lines {
        writeln!(keyboard, "{line}").unwrap();
    }
    drop(keyboard);
    String::from_utf8(running.wait_with_output().unwrap().stdout).unwrap()
}

fn tell(story: impl FnOnce(&Server, &Path)) {
    let folder = tempfile::tempdir().unwrap();
    let server = SetUp::embedded().start(&folder.path().join("data"), 0);
    story(&server, folder.path());
    server.stop();
}

fn is_locked_with(human: &Human, what: &str) {
    assert_eq!(human.done(&["whoami", "--offline"])["lock"], what);
}

#[test]
fn a_terminal_asks_for_a_passphrase() {
    tell(|server, folder| {
        let ann = Human::new(folder, "ann@example.org", server);
        let shown = typed(&ann, &["register", "ann@example.org"], &["correct horse", "correct house"]);
        assert!(shown.contains("passphrases differ") && !ann.home.exists(), "{shown}");
        let shown = typed(&ann, &["register", "ann@example.org"], &["correct horse", "correct horse"]);
        assert!(shown.contains("A code was sent"), "{shown}");
        assert!(!ann.home.join("key").exists());
        let code = server.code_for("mailto:ann@example.org");
        let shown = typed(&ann, &["authorize", &code], &["correct horse"]);
        assert!(shown.contains("You are"), "{shown}");
        assert_eq!(ann.refused(&["whoami"]).0, "locked", "nobody can be asked there");
        is_locked_with(&ann.with("ROSSBY_PASSPHRASE", "correct horse"), "passphrase");
        let shown = typed(&ann, &["whoami"], &["wrong horse"]);
        assert!(shown.contains("the passphrase is wrong"), "{shown}");
    });
}

#[test]
fn an_empty_answer_is_a_key_file_and_that_is_said() {
    tell(|server, folder| {
        let ann = Human::new(folder, "ann@example.org", server);
        let shown = typed(&ann, &["register", "ann@example.org"], &[""]);
        let file = ann.home.join("key");
        assert!(shown.contains("Without a passphrase the key file") && file.exists(), "{shown}");
        is_locked_with(&ann, "key-file");
    });
}

#[test]
fn a_passphrase_is_changed_and_taken_away() {
    tell(|server, folder| {
        let ann = Human::new(folder, "ann@example.org", server);
        let ben = Human::new(folder, "ben@example.org", server);
        ann.join(server);
        ben.join(server);
        ben.done(&["send", "ann@example.org", "one"]);
        ann.waits(1);

        assert_eq!(ann.refused(&["passphrase"]).0, "usage", "nobody can be asked");
        let shown = typed(&ann, &["passphrase"], &["first", "first"]);
        assert!(shown.contains("locked with the new passphrase"), "{shown}");
        assert!(!ann.home.join("key").exists(), "the key file is gone");
        assert_eq!(ann.refused(&["inbox"]).0, "locked");
        let first = ann.with("ROSSBY_PASSPHRASE", "first");
        is_locked_with(&first, "passphrase");

        let file = folder.join("new");
        fs::write(&file, "second\nand more\n").unwrap();
        first.done(&["passphrase", "--new-passphrase-file", file.to_str().unwrap()]);
        assert_eq!(first.refused(&["inbox"]).0, "locked");
        let second = ann.with("ROSSBY_PASSPHRASE", "second");
        second.reads(&["one"]);
        let third = second.with("ROSSBY_NEW_PASSPHRASE", "third");
        third.done(&["passphrase"]);
        let third = ann.with("ROSSBY_PASSPHRASE", "third");

        let elsewhere = folder.join("elsewhere");
        assert_eq!(third.done(&["passphrase", "--to-key-file", elsewhere.to_str().unwrap()])["lock"], "key-file");
        let ann = ann.with("ROSSBY_KEY_FILE", elsewhere.to_str().unwrap());
        is_locked_with(&ann, "key-file");
        let said = ann.refused(&["passphrase", "--to-key-file", elsewhere.to_str().unwrap()]).1;
        assert!(said.contains("already"), "{said}");
        ann.done(&["passphrase", "--to-key-file"]);
        assert!(elsewhere.exists(), "it may be another home's too");
        ann.with("ROSSBY_KEY_FILE", ann.home.join("key").to_str().unwrap()).done(&["send", "ben@example.org", "two"]);
        ben.reads(&["two"]);
    });
}

#[test]
fn without_a_keyring_that_is_said_and_nothing_is_made_or_changed() {
    tell(|server, folder| {
        // A bus that nobody listens on.
        let nowhere = format!("unix:path={}", folder.join("no-bus").display());
        let ann = Human::new(folder, "ann@example.org", server).with("DBUS_SESSION_BUS_ADDRESS", &nowhere);
        let (error, text) = ann.refused(&["register", "ann@example.org", "--keyring"]);
        assert_eq!(error, "keyring");
        assert!(text.contains("no keyring") && text.contains("--passphrase"), "{text}");
        assert!(!Path::new(&ann.home).join("rossby.sqlite").exists());
        ann.join(server);
        assert_eq!(ann.refused(&["passphrase", "--to-keyring"]).0, "keyring");
        is_locked_with(&ann, "key-file");
        assert_eq!(ann.refused(&["whoami", "--keyring"]).0, "locked");
    });
}

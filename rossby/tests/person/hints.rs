//! What is in the way is named, with what to do: files that are gone, a server that knows nothing of it, one that is away.

use std::fs;

use crate::human::Human;
use crate::set_up::SetUp;

/// What `send` ends with when the message stays in the outbox.
const TRY_AGAIN: i32 = 75;

#[test]
fn a_home_that_is_none_and_a_key_that_is_gone_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let server = SetUp::embedded().start(&folder.path().join("data"), 0);
    let ann = Human::new(folder.path(), "ann@example.org", &server);
    fs::write(&ann.home, "a file").unwrap();
    for arguments in [&["whoami"][..], &["register", "ann@example.org"], &["link"]] {
        let (_, text) = ann.refused(arguments);
        assert!(text.contains("is a file") && text.contains("--home"), "{arguments:?}: {text}");
    }
    fs::remove_file(&ann.home).unwrap();
    ann.join(&server);

    let (key, elsewhere) = (ann.home.join("key"), folder.path().join("key elsewhere"));
    fs::rename(&key, &elsewhere).unwrap();
    for arguments in [&["whoami"][..], &["messages", "ben@example.org", "--offline"]] {
        let (error, text) = ann.refused(arguments);
        assert_eq!(error, "locked");
        assert!(text.contains(&key.display().to_string()) && text.contains("--key-file"), "{text}");
    }
    assert!(!key.exists(), "no other was made");
    ann.done(&["whoami", "--key-file", elsewhere.to_str().unwrap()]);
    fs::rename(&elsewhere, &key).unwrap();

    // What is damaged can't be read again; what a file is called is said.
    let store = ann.home.join("rossby.sqlite");
    for ending in ["-wal", "-shm"] {
        let _ = fs::remove_file(ann.home.join(format!("rossby.sqlite{ending}")));
    }
    fs::write(&store, "no database at all, ".repeat(500)).unwrap();
    let (error, text) = ann.refused(&["whoami"]);
    assert_eq!(error, "store");
    assert!(text.contains("rossby.sqlite in the home is damaged"), "{text}");
    server.stop();
}

#[test]
fn a_server_that_knows_nothing_of_a_registration_says_of_what() {
    let folder = tempfile::tempdir().unwrap();
    let server = SetUp::embedded().start(&folder.path().join("data"), 0);
    let port = server.port();
    let ann = Human::new(folder.path(), "ann@example.org", &server);
    ann.done(&["register", "ann@example.org"]);
    server.stop();
    let server = SetUp::embedded().start(&folder.path().join("another"), port);
    let (error, text) = ann.refused(&["authorize", "12345678"]);
    assert_eq!(error, "no-such-registration");
    assert!(text.starts_with("the registration is unknown"), "{text}");
    ann.done(&["register", "ann@example.org", "--start-over"]);
    ann.done(&["authorize", &server.code_for("mailto:ann@example.org")]);
    assert!(ann.refused(&["lookup", "nobody@example.org"]).1.starts_with("there is no such user"));
    server.stop();
}

#[test]
fn a_note_to_oneself_needs_no_server_to_be_kept() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let server = SetUp::embedded().start(&data, 0);
    let port = server.port();
    let ann = Human::new(folder.path(), "ann@example.org", &server);
    ann.join(&server);
    let mut phone = ann.clone();
    phone.home = folder.path().join("phone");
    phone.link(&ann, "phone");
    ann.done(&["inbox"]);
    server.stop();
    let output = ann.run(&["send", "ann@example.org", "buy bread"]);
    assert_eq!(output.status.code(), Some(TRY_AGAIN), "{output:?}");
    let server = SetUp::embedded().start(&data, port);
    ann.done(&["inbox"]);
    phone.reads(&["buy bread"]);
    server.stop();
}

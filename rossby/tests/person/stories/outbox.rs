//! The server goes away in the middle: what was written goes out later, once, and in its order.

use crate::human::Human;
use crate::set_up::SetUp;

/// What `send` ends with when the message stays in the outbox.
const TRY_AGAIN: i32 = 75;

pub(crate) fn waits(set_up: &SetUp) {
    let folder = tempfile::tempdir().unwrap();
    let data_dir = folder.path().join("data");
    let server = set_up.start(&data_dir, 0);
    let port = server.port();
    let ann = Human::new(folder.path(), "ann@example.org", &server);
    let ben = Human::new(folder.path(), "ben@example.org", &server);
    for human in [&ann, &ben] {
        human.join(&server);
    }
    ann.done(&["send", "ben@example.org", "one"]);
    server.kill();

    let output = ann.run(&["send", "ben@example.org", "two"]);
    assert_eq!(output.status.code(), Some(TRY_AGAIN), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stdout).contains("\"state\":\"pending\""), "{output:?}");
    assert_eq!(ben.refused(&["inbox"]).0, "unreachable");

    let server = set_up.start(&data_dir, port);
    // One who follows sees messages as they come, each once.
    let following = ben.follows();
    following.shows(&["one"]);
    ann.done(&["send", "ben@example.org", "three"]);
    following.shows(&["one", "two", "three"]);
    following.stop();
    assert_eq!(ben.new_texts(), [""; 0]);
    ben.waits(0);

    // What will never be sent is told, however late.
    server.stop();
    ann.run(&["send", "ben@example.org", "too late"]);
    let server = set_up.start(&data_dir, port);
    ben.done(&["block", "ann@example.org"]);
    let inbox = ann.done(&["inbox"]);
    assert!(
        inbox["warnings"][0]["detail"].as_str().unwrap().contains("was not sent: there is no such user"),
        "{inbox}"
    );
    server.stop();
}

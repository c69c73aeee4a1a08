//! A proxy stands before the server, and says in its own words that the server is away.

use serde_json::Value;

use crate::human::Human;
use crate::relay::{Away, Relay};
use crate::set_up::SetUp;

const ANN: &str = "ann@example.org";
const BEN: &str = "ben@example.org";
/// What `send` ends with when the message stays in the outbox.
const TRY_AGAIN: i32 = 75;

/// What a command that leaves a message in the outbox prints.
fn kept(human: &Human, text: &str) -> Value {
    let output = human.run(&["send", BEN, text]);
    assert_eq!(output.status.code(), Some(TRY_AGAIN), "{output:?}");
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(document["state"], "pending", "{document}");
    document
}

pub(crate) async fn is_away(set_up: &SetUp) {
    let relay = Relay::start().await;
    let set_up = set_up.clone();
    let story = tokio::task::spawn_blocking(move || tell(&set_up, &relay));
    story.await.unwrap();
}

fn tell(set_up: &SetUp, relay: &Relay) {
    let folder = tempfile::tempdir().unwrap();
    let server = set_up.start(&folder.path().join("data"), 0);
    let [ann, ben] = [ANN, BEN].map(|name| Human::new(folder.path(), name, &server));
    for human in [&ann, &ben] {
        human.join(&server);
    }
    ann.done(&["send", BEN, "before"]);
    ben.reads(&["before"]);
    let ann = relay.between(&ann);

    // It passes nothing on: nothing was done, and that is said with what it answered, and what to do.
    let mut expected = Vec::new();
    for (status, name) in [(502, "502 Bad Gateway"), (503, "503 Service Unavailable"), (504, "504 Gateway Timeout")] {
        relay.is_away(Some(Away { status, passes_on: false }));
        let (error, said) = ann.refused(&["inbox"]);
        assert_eq!(error, "unreachable");
        assert!(said.contains(name) && said.contains("try again in a while"), "{said}");
        assert!(!said.contains('<') && !said.contains("not known"), "{said}");
        // What was written is kept.
        let text = format!("while it says {status}");
        let reason = kept(&ann, &text)["reason"].as_str().unwrap().to_owned();
        assert!(reason.contains(name), "{reason}");
        expected.push(text);
    }
    // It passes on what is changed, and loses the answers: what became of it is not known, and nobody says that it was or wasn't done.
    relay.is_away(Some(Away { status: 504, passes_on: true }));
    let (error, said) = ann.refused(&["settings", "--discoverable", "nobody"]);
    assert_eq!(error, "outcome-unknown", "{said}");
    assert!(said.contains("504 Gateway Timeout") && said.contains("not known whether it has done this"), "{said}");
    let reason = kept(&ann, "and one more")["reason"].as_str().unwrap().to_owned();
    assert!(reason.contains("not known whether it has done this"), "{reason}");
    expected.push("and one more".to_owned());

    relay.is_away(None);
    assert_eq!(ann.done(&["settings"])["discoverable"], "nobody", "it was done");
    assert_eq!(ann.done(&["settings", "--discoverable", "nobody"])["discoverable"], "nobody");
    ann.done(&["inbox"]);
    // All of it comes, once, and in its order.
    ben.reads(&expected.iter().map(String::as_str).collect::<Vec<_>>());
    ben.settles();
    server.stop();
}

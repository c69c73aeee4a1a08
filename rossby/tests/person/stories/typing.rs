//! Who writes, told over the live stream: in a conversation and in a group, to those who have accepted it, and kept nowhere.

use serde_json::{Value, json};

use super::search::{log, places, tables};
use crate::following::Following;
use crate::human::Human;
use crate::set_up::SetUp;

const ANN: &str = "ann@example.org";
const BEN: &str = "ben@example.org";
const EVE: &str = "eve@example.org";
const JOE: &str = "joe@example.org";

/// Who was said to begin to write, and in which group.
fn begun(events: &[Value]) -> Vec<(Value, Value)> {
    let told = events.iter().filter(|event| event["event"] == "typing" && event["typing"] == true);
    told.map(|event| (event["box_id"].clone(), event["group"].clone())).collect()
}

/// They have written to each other, and so accepted each other.
fn know_each_other(one: &Human, other: &Human) {
    one.done(&["send", &other.identifier, "hello"]);
    other.until(&["inbox", "--all"], |inbox| inbox["messages"] != json!([]));
    other.done(&["send", &one.identifier, "hello to you"]);
    one.settles_quietly();
    other.settles_quietly();
}

/// Says that somebody writes, until who follows was told: the last thing that they hear of.
fn last_heard(following: &Following, by: (&Human, &str), expected: &[(Value, Value)]) {
    let (human, to) = by;
    assert_eq!(human.done(&["typing", to])["state"], "sent");
    let events = following.until(|events| begun(events).len() >= expected.len());
    assert_eq!(begun(&events), expected);
}

pub(crate) async fn is_seen(set_up: &SetUp) {
    let folder = tempfile::tempdir().unwrap();
    let data_dir = folder.path().join("data");
    let (story, place, data) = (set_up.clone(), folder.path().to_owned(), data_dir.clone());
    tokio::task::spawn_blocking(move || tell(&story, &place, &data)).await.unwrap();

    // The log has them for some minutes, and no table has any.
    let (log, tables) = (log(set_up, &data_dir).await, tables(set_up, &data_dir).await);
    let signals: Vec<_> = log.iter().filter(|(place, _)| place.starts_with("Signals/")).collect();
    assert!(signals.len() >= 4, "{} signals are in the log", signals.len());
    for (place, octets) in signals {
        // The key that is sealed in it, for one device and for no other.
        let end = &octets[octets.len() - 48..];
        assert_eq!(places(&log, end), [place.as_str()], "the search finds it");
        assert_eq!(places(&tables, end), [""; 0], "a signal is in a table");
    }
}

fn tell(set_up: &SetUp, folder: &std::path::Path, data_dir: &std::path::Path) {
    let server = set_up.start(data_dir, 0);
    let [ann, ben, eve, joe, stranger] =
        [ANN, BEN, EVE, JOE, "zoe@example.org"].map(|name| Human::new(folder, name, &server));
    for human in [&ann, &ben, &eve, &joe, &stranger] {
        human.join(&server);
    }
    for (one, other) in [(&ann, &ben), (&joe, &ben), (&joe, &eve)] {
        know_each_other(one, other);
    }
    // Ann is a stranger to Eve, who does not answer.
    ann.done(&["send", EVE, "hello, stranger"]);
    let made = ann.done(&["group", "create", "garden", BEN, EVE]);
    let group = &made["group"];
    for human in [&ben, &eve] {
        human.until(&["group", "list"], |document| document["groups"][0]["group"] == *group);
    }
    ben.done(&["group", "accept", "garden"]);
    ann.settles_quietly();
    let box_of = |human: &Human| human.done(&["whoami"])["box_id"].clone();
    let [anns, joes] = [&ann, &joe].map(box_of);

    let [bens, eves] = [&ben, &eve].map(Human::follows);
    for following in [&bens, &eves] {
        following.connected("stream", 1);
    }
    // In the group, then between the two of them.
    let in_group = (anns.clone(), group.clone());
    last_heard(&bens, (&ann, "garden"), std::slice::from_ref(&in_group));
    let mut heard = vec![in_group, (anns.clone(), Value::Null)];
    last_heard(&bens, (&ann, BEN), &heard);
    // Who has accepted neither the group nor the one who writes hears nothing of them, but of those whom she has accepted.
    assert_eq!(ann.done(&["typing", EVE])["state"], "sent");
    last_heard(&eves, (&joe, EVE), &[(joes.clone(), Value::Null)]);

    // A stranger is not told anything, and tells nothing; who is blocked neither.
    assert_eq!(stranger.refused(&["typing", BEN]).0, "not-accepted");
    stranger.done(&["send", BEN, "a request"]);
    assert_eq!(stranger.done(&["typing", BEN])["state"], "sent");
    ben.done(&["block", ANN]);
    let output = ann.run(&["typing", BEN]);
    assert!(String::from_utf8_lossy(&output.stdout).contains("no-such-recipient"), "{output:?}");
    // What goes to the group goes to the other member.
    ann.done(&["typing", "garden"]);
    heard.push((joes, Value::Null));
    last_heard(&bens, (&joe, BEN), &heard);

    for following in [bens, eves] {
        let events = following.stop();
        assert!(events.iter().all(|event| event["event"] != "warning"), "{events:?}");
    }
    server.stop();
}

//! What people call themselves: seen by those whom they have accepted, beside the address, and by nobody else.

use serde_json::{Value, json};

use super::attachments::{holds, png};
use crate::human::Human;
use crate::set_up::SetUp;

const ANN: &str = "ann@example.org";
const BEN: &str = "ben@example.org";
const EVE: &str = "eve@example.org";

/// What one calls the other, by the other's own account, once it is this.
fn until_claimed(by: &Human, who: &str, name: &Value) {
    by.until(&["lookup", who], |seen| {
        by.done(&["inbox"]);
        seen["profile"]["name"] == *name
    });
}

pub(crate) fn is_claimed(set_up: &SetUp) {
    let folder = tempfile::tempdir().unwrap();
    let server = set_up.start(&folder.path().join("data"), 0);
    let [ann, ben, eve] = [ANN, BEN, EVE].map(|name| Human::new(folder.path(), name, &server));
    for human in [&ann, &ben, &eve] {
        human.join(&server);
    }
    assert_eq!(ann.done(&["profile"]), json!({ "name": null, "picture": null, "reason": null, "warnings": [] }));
    assert_eq!(ann.refused(&["profile", "set", "--name", "a\u{1b}[2J"]).0, "bad-profile-name");

    // Those who are accepted see it, whenever they were: Ben before it was set, Eve after.
    ann.done(&["send", BEN, "hello Ben"]);
    assert_eq!(ann.done(&["profile", "set", "--name", "Ann of Green Gables"])["name"], "Ann of Green Gables");
    until_claimed(&ben, ANN, &json!("Ann of Green Gables"));
    assert_eq!(eve.done(&["lookup", ANN])["profile"], Value::Null, "Eve was given no key");
    ann.done(&["send", EVE, "hello Eve"]);
    until_claimed(&eve, ANN, &json!("Ann of Green Gables"));

    // It stands beside the address or the box, and in no line's place.
    let listed = ben.done(&["conversations"]);
    assert_eq!(listed["requests"], 1);
    let listed = ben.done(&["requests"])["requests"][0].clone();
    assert_eq!(
        (&listed["identifiers"][0], &listed["claimed_name"]),
        (&json!("mailto:ann@example.org"), &json!("Ann of Green Gables"))
    );
    let shown = String::from_utf8(ben.command(&["requests"]).output().unwrap().stdout).unwrap();
    assert!(shown.contains("ann@example.org (calls themselves “Ann of Green Gables”)"), "{shown}");

    // Another of Ann's devices knows it, those of others that come later too, and either can change it.
    let [tablet, laptop] = ["tablet", "laptop"].map(|name| Human::new(folder.path(), name, &server));
    tablet.link(&ann, "Ann's tablet");
    laptop.link(&ben, "Ben's laptop");
    tablet.until(&["profile"], |profile| {
        tablet.done(&["inbox"]);
        profile["name"] == "Ann of Green Gables"
    });
    until_claimed(&laptop, ANN, &json!("Ann of Green Gables"));
    tablet.done(&["profile", "set", "--name", "Ann"]);
    for human in [&ben, &laptop, &eve] {
        until_claimed(human, ANN, &json!("Ann"));
    }
    assert_eq!(ann.done(&["profile"])["name"], "Ann");

    // A picture is made small, and written anew by both sides.
    let (picture, text) = (folder.path().join("ann.png"), folder.path().join("text"));
    std::fs::write(&picture, png()).unwrap();
    std::fs::write(&text, "no picture").unwrap();
    assert_eq!(ann.refused(&["profile", "set", "--picture", text.to_str().unwrap()]).0, "bad-picture");
    let set = ann.done(&["profile", "set", "--picture", picture.to_str().unwrap()]);
    assert_eq!((&set["name"], &set["picture"]["media_type"]), (&json!("Ann"), &json!("image/jpeg")));
    let seen = ben.done(&["lookup", ANN]);
    assert_eq!(seen["profile"], json!({ "name": "Ann", "picture": set["picture"] }));
    let saved = folder.path().join("seen.jpg");
    ben.done(&["lookup", ANN, "--picture", saved.to_str().unwrap()]);
    let saved = std::fs::read(saved).unwrap();
    assert!(saved.starts_with(b"\xff\xd8\xff") && !holds(&saved, b"GPS") && holds(&png(), b"GPS"));
    assert_eq!(tablet.done(&["profile"])["picture"], set["picture"]);
    assert_eq!(tablet.done(&["profile", "clear", "--picture"])["name"], "Ann");
    assert_eq!(ben.done(&["lookup", ANN])["profile"], json!({ "name": "Ann", "picture": null }));

    // Whoever is blocked, or no contact any more, reads what was and not what comes.
    ben.done(&["send", ANN, "hello Ann"]);
    ann.reads(&["hello Ann"]);
    ann.done(&["contact", EVE, "--remove"]);
    ann.done(&["profile", "set", "--name", "Anne with an e"]);
    until_claimed(&ben, ANN, &json!("Anne with an e"));
    eve.done(&["inbox"]);
    let seen = eve.done(&["lookup", ANN]);
    assert_eq!((&seen["profile"]["name"], &seen["warnings"]), (&json!("Ann"), &json!([])), "{seen}");
    ann.done(&["block", BEN]);
    ann.done(&["profile", "set", "--name", "Nobody's"]);
    ben.done(&["inbox"]);
    assert_eq!(ben.done(&["conversations", "--offline"])["conversations"][0]["claimed_name"], "Anne with an e");

    // What is set while the server is away goes out later.
    let port = server.port();
    server.stop();
    let output = ann.run(&["profile", "set", "--name", "Ann at sea"]);
    assert_eq!(output.status.code(), Some(75), "{output:?}");
    let server = set_up.start(&folder.path().join("data"), port);
    ann.done(&["inbox"]);
    tablet.until(&["profile"], |profile| {
        tablet.done(&["inbox"]);
        profile["name"] == "Ann at sea"
    });

    // Taken away, it is gone for those who may know that.
    ann.done(&["send", EVE, "still there?"]);
    until_claimed(&eve, ANN, &json!("Ann at sea"));
    assert_eq!(ann.done(&["profile", "clear"])["name"], Value::Null);
    until_claimed(&eve, ANN, &Value::Null);
    assert_eq!(eve.done(&["lookup", ANN])["warnings"], json!([]), "its owner did it");
    server.stop();
}

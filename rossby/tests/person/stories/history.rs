//! A person looks at what happened to their account, on each of their devices.

use serde_json::{Value, json};

use super::devices::warnings;
use crate::human::Human;
use crate::set_up::SetUp;

/// What was done, by which device, and with what: in the order in which it is shown.
fn told(history: &Value) -> Vec<(String, Value, Value)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let with = |event: &Value| {
        ["device", "box", "identifier", "audience"]
            .iter()
            .find_map(|name| event.get(*name))
            .map_or(Value::Null, |what| what.get("name").or_else(|| what.get("identifier")).unwrap_or(what).clone())
    };
    let events = history["events"].as_array().unwrap();
    events.iter().map(|event| (text(&event["event"]), event["by"]["name"].clone(), with(event))).collect()
}

fn new(history: &Value) -> usize {
    history["events"].as_array().unwrap().iter().filter(|event| event["new"] == true).count()
}

pub(crate) fn is_told(set_up: &SetUp) {
    let folder = tempfile::tempdir().unwrap();
    let server = set_up.start(&folder.path().join("data"), 0);
    let [phone, laptop, ben] =
        ["ann@example.org", "laptop", "ben@example.org"].map(|name| Human::new(folder.path(), name, &server));
    let ann = phone.join(&server);
    ben.join(&server);
    phone.done(&["lookup", "ben@example.org"]);
    phone.done(&["devices", "name", ann["device_id"].as_str().unwrap(), "lamp"]);
    let first = phone.done(&["history"]);
    let mail = json!("mailto:ann@example.org");
    assert_eq!(
        told(&first),
        [
            ("identifier-added".to_owned(), Value::Null, mail.clone()),
            ("founded".to_owned(), json!("lamp"), json!("lamp")),
        ]
    );
    assert_eq!((new(&first), &first["faults"], warnings(&first)), (0, &json!([]), vec![]));
    assert_eq!((&first["events"][0]["signed"], &first["events"][1]["signed"]), (&json!(false), &json!(true)));

    laptop.link(&phone, "desk");
    laptop.until(&["history"], |history| {
        laptop.done(&["inbox"]);
        told(history).contains(&("founded".to_owned(), json!("lamp"), json!("lamp")))
    });
    laptop.done(&["settings", "--discoverable", "contacts"]);
    laptop.done(&["lookup", "ben@example.org"]);
    laptop.done(&["block", "ben@example.org"]);
    phone.done(&["unblock", "ben@example.org"]);
    phone.done(&["identifiers", "add", "ann@work.example"]);
    phone.done(&["identifiers", "confirm", &server.code_for("mailto:ann@work.example")]);
    phone.done(&["identifiers", "remove", "ann@work.example", "--yes"]);
    // What is done with the profile's blob, beside these, hangs on whom the person accepts.
    let kept = |history: &Value| -> Vec<_> {
        told(history).into_iter().filter(|(event, ..)| !event.starts_with("profile-")).collect()
    };
    let [lamp, desk, bens, work] =
        [json!("lamp"), json!("desk"), json!("mailto:ben@example.org"), json!("mailto:ann@work.example")];
    let expected = [
        ("identifier-added", Value::Null, mail),
        ("founded", lamp.clone(), lamp.clone()),
        ("device-linked", lamp.clone(), desk.clone()),
        ("discoverable-set", desk.clone(), json!("contacts")),
        ("blocked", desk, bens.clone()),
        ("unblocked", lamp.clone(), bens),
        ("identifier-added", lamp.clone(), work.clone()),
        ("identifier-removed", lamp, work),
    ]
    .map(|(event, by, with)| (event.to_owned(), by, with));
    let on_phone = phone.done(&["history"]);
    assert_eq!(kept(&on_phone), expected);
    assert_eq!(new(&on_phone), on_phone["events"].as_array().unwrap().len() - 2, "all but what was seen before");
    assert_eq!(on_phone["faults"], json!([]));
    assert_eq!(new(&phone.done(&["history"])), 0);
    // Both devices see the same; the laptop learns by its own devices' word what the address is.
    laptop.until(&["inbox"], |_| kept(&laptop.done(&["history"])) == expected);
    let hashes = |history: &Value| -> Vec<Value> {
        history["events"].as_array().unwrap().iter().map(|event| event["hash"].clone()).collect()
    };
    assert_eq!(hashes(&laptop.done(&["history"])), hashes(&on_phone));

    // Some of it, and as people read it; all of it is checked whatever is shown.
    let last = phone.done(&["history", "--limit", "1"]);
    assert_eq!(told(&last), [expected[7].clone()]);
    assert_eq!(told(&phone.done(&["history", "--since", "2999-01-01"])), []);
    let output = phone.command(&["history"]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    for line in [
        "device \"desk\" linked by \"lamp\"",
        "ben@example.org blocked by \"desk\"",
        "ann@work.example taken away by \"lamp\"",
    ] {
        assert!(text.contains(line), "{text}");
    }
    assert!(phone.command(&["history", "--since", "soon"]).output().unwrap().status.code() == Some(2));
    server.stop();
}

//! One person with several devices: linked, named, removed; each gets every message once, and what the others sent.

use std::io::Write as _;
use std::process::Stdio;

use serde_json::{Value, json};

use crate::human::Human;
use crate::set_up::SetUp;

/// The messages that a device has, in their order: whether it was sent by its person, and the text.
fn transcript(human: &Human) -> Vec<(bool, String)> {
    let inbox = human.done(&["inbox", "--all"]);
    let messages = inbox["messages"].as_array().unwrap();
    messages.iter().map(|m| (m["outgoing"].as_bool().unwrap(), m["text"].as_str().unwrap().to_owned())).collect()
}

fn warnings(document: &Value) -> Vec<&str> {
    document["warnings"].as_array().unwrap().iter().map(|warning| warning["warning"].as_str().unwrap()).collect()
}

pub(crate) fn share(set_up: &SetUp) {
    let folder = tempfile::tempdir().unwrap();
    let server = set_up.start(&folder.path().join("data"), 0);
    let [phone, laptop, tablet, ben] =
        ["ann@example.org", "laptop", "tablet", "ben@example.org"].map(|name| Human::new(folder.path(), name, &server));
    let registered = phone.done(&["register", "ann@example.org", "--recovery-key"]);
    let words = registered["recovery_words"].as_str().unwrap().to_owned();
    let ann = phone.done(&["authorize", &server.code_for("mailto:ann@example.org")]);
    ben.join(&server);
    phone.done(&["lookup", "ben@example.org"]);

    // The laptop becomes Ann's, and knows it, and whom the phone knows.
    let linked = laptop.link(&phone, "Ann's laptop");
    for name in ["box_id", "identifier", "authorized"] {
        assert_eq!(linked[name], ann[name], "{linked}");
    }
    assert_ne!(linked["device_id"], ann["device_id"]);
    assert_eq!((&linked["devices"], &linked["warnings"]), (&json!(2), &json!([])));
    laptop.done(&["inbox"]);

    // What Ben writes comes to both, once; what either writes, to Ben and to the other.
    ben.done(&["send", "ann@example.org", "hello Ann"]);
    for device in [&phone, &laptop] {
        device.reads(&["hello Ann"]);
    }
    phone.done(&["send", "ben@example.org", "from the phone"]);
    laptop.waits(1);
    laptop.done(&["inbox"]);
    laptop.done(&["send", "ben@example.org", "from the laptop"]);
    phone.waits(1);
    phone.done(&["inbox"]);
    ben.reads(&["from the phone", "from the laptop"]);
    let all = [(false, "hello Ann"), (true, "from the phone"), (true, "from the laptop")];
    let all = all.map(|(outgoing, text)| (outgoing, text.to_owned()));
    for device in [&phone, &laptop] {
        assert_eq!(transcript(device), all);
        device.waits(0);
    }
    let seen = laptop.done(&["inbox", "--all"])["messages"][1].clone();
    assert_eq!((&seen["peer_identifier"], &seen["state"]), (&json!("mailto:ben@example.org"), &json!("sent")));

    // Names are shared.
    phone.done(&["devices", "name", ann["device_id"].as_str().unwrap(), "Ann's phone"]);
    laptop.waits(1);
    laptop.done(&["inbox"]);
    let devices = laptop.done(&["devices"]);
    let listed: Vec<_> = devices["devices"].as_array().unwrap().iter().map(|d| (&d["name"], &d["this"])).collect();
    assert_eq!(listed, [(&json!("Ann's phone"), &json!(false)), (&json!("Ann's laptop"), &json!(true))]);
    assert_eq!(devices["devices"][1]["linked_by"], ann["device_id"]);

    // The laptop links a third; the phone is told.
    tablet.link(&laptop, "Ann's tablet");
    assert_eq!(warnings(&phone.done(&["whoami"])), ["device-linked"]);
    assert_eq!(warnings(&phone.done(&["whoami"])), [""; 0], "once");
    ben.done(&["send", "ann@example.org", "to all three"]);
    for device in [&phone, &laptop, &tablet] {
        device.reads(&["to all three"]);
    }

    // A device can't remove one that was there before it; an older one can remove it, and it stops at once.
    assert_eq!(laptop.refused(&["devices", "remove", "Ann's phone", "--yes"]).0, "may-not-remove");
    ben.done(&["send", "ann@example.org", "for two of them"]);
    laptop.waits(1);
    phone.done(&["devices", "remove", "Ann's laptop", "--yes"]);
    for command in [&["inbox"][..], &["whoami"], &["lookup", "ben@example.org"]] {
        assert_eq!(laptop.refused(command).0, "not-known");
    }
    let output = laptop.run(&["send", "ben@example.org", "am I still here?"]);
    assert_eq!(output.status.code(), Some(75));
    assert!(String::from_utf8_lossy(&output.stdout).contains("does not know this device"), "{output:?}");
    for device in [&phone, &tablet] {
        device.reads(&["for two of them"]);
    }
    assert_eq!(warnings(&tablet.done(&["whoami"])), [""; 0], "it was told with the messages, if at all");
    ben.done(&["send", "ann@example.org", "without the laptop"]);
    for device in [&phone, &tablet] {
        device.reads(&["without the laptop"]);
    }
    assert_eq!(ben.new_texts(), [""; 0]);

    // The recovery key can remove the first device too.
    let remove = ["devices", "remove", "Ann's phone", "--recovery-key", "--yes", "--json"];
    let removed = |words: &str| {
        let mut command = tablet.command(&remove);
        let mut running = command.stdin(Stdio::piped()).spawn().unwrap();
        running.stdin.take().unwrap().write_all(format!("{words}\n").as_bytes()).unwrap();
        running.wait_with_output().unwrap()
    };
    let strange = ["abandon"; 11].join(" ") + " about";
    let refused = removed(&strange);
    assert!(String::from_utf8_lossy(&refused.stderr).contains("wrong-recovery-key"), "{refused:?}");
    let done = removed(&words);
    assert!(done.status.success(), "{done:?}");
    assert_eq!(phone.refused(&["whoami"]).0, "not-known");
    ben.done(&["send", "ann@example.org", "to the last one"]);
    tablet.reads(&["to the last one"]);
    tablet.done(&["send", "ben@example.org", "from the last one"]);
    ben.reads(&["from the last one"]);
    server.stop();
}

//! One person with several devices: linked, named, removed; each gets every message once, and what the others sent.

use std::io::Write as _;
use std::process::Stdio;

use serde_json::{Value, json};

use crate::human::Human;
use crate::set_up::SetUp;

pub(crate) fn warnings(document: &Value) -> Vec<&str> {
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
    let mut all = vec![(false, "hello Ann")];
    for device in [&phone, &laptop] {
        device.has(&all);
    }
    phone.done(&["send", "ben@example.org", "from the phone"]);
    all.push((true, "from the phone"));
    laptop.has(&all);
    laptop.done(&["send", "ben@example.org", "from the laptop"]);
    all.push((true, "from the laptop"));
    ben.reads(&["from the phone", "from the laptop"]);
    for device in [&phone, &laptop] {
        device.has(&all);
        device.settles();
        device.has(&all);
    }
    let seen = laptop.done(&["inbox", "--all"])["messages"][1].clone();
    assert_eq!((&seen["peer_identifier"], &seen["state"]), (&json!("mailto:ben@example.org"), &json!("sent")));

    // Names are shared.
    phone.done(&["devices", "name", ann["device_id"].as_str().unwrap(), "Ann's phone"]);
    laptop.until(&["inbox"], |_| laptop.done(&["devices"])["devices"][0]["name"] == "Ann's phone");
    let devices = laptop.done(&["devices"]);
    let listed: Vec<_> = devices["devices"].as_array().unwrap().iter().map(|d| (&d["name"], &d["this"])).collect();
    assert_eq!(listed, [(&json!("Ann's phone"), &json!(false)), (&json!("Ann's laptop"), &json!(true))]);
    assert_eq!(devices["devices"][1]["linked_by"], ann["device_id"]);

    // The laptop links a third; the phone is told. What the phone said before is told to it, too, though the laptop had not fetched it.
    laptop.settles();
    phone.done(&["settings", "--typing", "off"]);
    phone.settles();
    laptop.until(&["whoami"], |account| account["waiting"] != 0);
    tablet.link(&laptop, "Ann's tablet");
    tablet.until(&["settings"], |settings| {
        tablet.done(&["inbox"]);
        settings["typing"] == false
    });
    assert_eq!(warnings(&phone.done(&["whoami"])), ["device-linked"]);
    assert_eq!(warnings(&phone.done(&["whoami"])), [""; 0], "once");
    // Ben lets nobody find him any more, the tablet neither: what he writes brings it his keys.
    ben.done(&["settings", "--discoverable", "nobody"]);
    ben.done(&["send", "ann@example.org", "to all three"]);
    all.push((false, "to all three"));
    for device in [&phone, &laptop] {
        device.has(&all);
    }
    tablet.has(&[(false, "to all three")]);
    ben.done(&["settings", "--discoverable", "everyone"]);

    // A device can't remove one that was there before it; an older one can remove it, and it stops at once.
    assert_eq!(laptop.refused(&["devices", "remove", "Ann's phone", "--yes"]).0, "may-not-remove");
    laptop.settles();
    ben.done(&["send", "ann@example.org", "for two of them"]);
    laptop.until(&["whoami"], |account| account["waiting"] != 0);
    phone.done(&["devices", "remove", "Ann's laptop", "--yes"]);
    for command in [&["inbox"][..], &["whoami"], &["lookup", "ben@example.org"]] {
        assert_eq!(laptop.refused(command).0, "not-known");
    }
    let output = laptop.run(&["send", "ben@example.org", "am I still here?"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stdout).contains("does not know this device"), "{output:?}");
    all.push((false, "for two of them"));
    phone.has(&all);
    tablet.has(&[(false, "to all three"), (false, "for two of them")]);
    assert_eq!(warnings(&tablet.done(&["whoami"])), [""; 0], "it was told with the messages, if at all");
    ben.done(&["send", "ann@example.org", "without the laptop"]);
    all.push((false, "without the laptop"));
    phone.has(&all);
    tablet.has(&[(false, "to all three"), (false, "for two of them"), (false, "without the laptop")]);
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

//! The whole path: two people register, find each other, write both ways, and their queues are emptied.

use serde_json::Value;

use crate::human::Human;
use crate::set_up::SetUp;

pub(crate) fn talk(set_up: &SetUp) {
    let folder = tempfile::tempdir().unwrap();
    let data_dir = folder.path().join("data");
    let server = set_up.start(&data_dir, 0);
    let port = server.port();
    let ann = Human::new(folder.path(), "ann@example.org", &server);
    let ben = Human::new(folder.path(), "+1 555 123 4567", &server).with("ROSSBY_PASSPHRASE", "correct horse");

    // A wrong code says how many guesses are left, and the right one is good after it.
    let registered = ann.done(&["register", "Ann@Example.ORG"]);
    assert_eq!(registered["identifier"], "mailto:ann@example.org");
    let code = server.code_for("mailto:ann@example.org");
    let wrong = if code == "00000000" { "00000001" } else { "00000000" };
    let (error, text) = ann.refused(&["authorize", wrong]);
    assert_eq!(error, "wrong-code");
    assert!(text.contains("guesses left: 4"), "{text}");
    let ann_is = ann.done(&["authorize", &code]);
    assert_eq!((&ann_is["authorized"], &ann_is["box_id"]), (&Value::Bool(true), &registered["box_id"]));
    let ben_is = ben.join(&server);
    assert_eq!(ben_is["identifier"], "tel:+15551234567");

    // Both compute the same safety number.
    let seen = ann.done(&["lookup", "+1 (555) 123-4567"]);
    assert_eq!(seen["box_id"], ben_is["box_id"]);
    assert_eq!(seen["devices"][0]["device_id"], ben_is["device_id"]);
    let seen_by_ben = ben.done(&["lookup", ann_is["box_id"].as_str().unwrap()]);
    assert_eq!(seen["safety_number"], seen_by_ben["safety_number"]);

    // There and back; a stranger is shown by the box until ben has looked the address up by himself.
    assert_eq!(ann.done(&["send", "+15551234567", "Hello Ben"])["state"], "sent");
    ben.waits(1);
    let inbox = ben.done(&["inbox"]);
    let message = &inbox["messages"][0];
    assert_eq!((&message["text"], &message["peer"]), (&"Hello Ben".into(), &ann_is["box_id"]), "{inbox}");
    assert_eq!(message["peer_identifier"], Value::Null);
    assert_eq!(ben.done(&["send", ann_is["box_id"].as_str().unwrap(), "Hello Ann"])["state"], "sent");
    let inbox = ann.until(&["inbox"], |inbox| inbox["messages"] != Value::Array(Vec::new()));
    assert_eq!(inbox["messages"][0]["text"], "Hello Ann");
    assert_eq!(inbox["messages"][0]["peer_identifier"], "tel:+15551234567");
    ben.done(&["lookup", "ann@example.org"]);
    assert_eq!(ben.done(&["inbox", "--all"])["messages"][0]["peer_identifier"], "mailto:ann@example.org");

    // What was read is not new again, and nothing waits any more.
    assert_eq!(ben.new_texts(), [""; 0]);
    for human in [&ann, &ben, &ann] {
        human.settles();
    }
    for human in [&ann, &ben] {
        human.waits(0);
        assert_eq!(human.done(&["whoami"])["warnings"], Value::Array(Vec::new()));
    }

    // What waits is there when the server comes back, in its order: after a stop and after a kill.
    for text in ["one", "two\nlines", "drei 🌊"] {
        ann.done(&["send", "+15551234567", text]);
    }
    ben.waits(3);
    server.stop();
    let server = set_up.start(&data_dir, port);
    ben.waits(3);
    ann.done(&["send", "+15551234567", "four"]);
    server.kill();
    let server = set_up.start(&data_dir, port);
    ben.reads(&["one", "two\nlines", "drei 🌊", "four"]);
    ben.waits(0);

    // Whoever can't be found and whoever has blocked you are one.
    ann.done(&["block", "+15551234567"]);
    let nobody = ben.refused(&["lookup", "nobody@example.org"]);
    assert_eq!(nobody.0, "no-such-recipient");
    assert_eq!(ben.refused(&["lookup", "ann@example.org"]), nobody);
    let sent = ben.run(&["send", "ann@example.org", "are you there?"]);
    assert!(!sent.status.success());
    ann.done(&["unblock", "+15551234567"]);
    ann.done(&["settings", "--discoverable", "nobody"]);
    assert_eq!(ben.refused(&["lookup", "ann@example.org"]), nobody);
    assert_eq!(ben.done(&["send", "ann@example.org", "now?"])["state"], "sent");
    ann.reads(&["now?"]);

    // Settings that say contacts let contacts in, and nobody else.
    ann.done(&["settings", "--discoverable", "contacts", "--accept-from", "contacts"]);
    assert_eq!(ben.refused(&["lookup", "ann@example.org"]), nobody);
    ann.done(&["contact", "+15551234567"]);
    assert_eq!(ben.done(&["lookup", "ann@example.org"])["box_id"], ann_is["box_id"]);
    ben.done(&["send", "ann@example.org", "as a contact"]);
    ann.reads(&["as a contact"]);
    let settings = ann.done(&["settings"]);
    assert_eq!((&settings["contacts"], &settings["blocks"]), (&Value::from(1), &Value::from(0)));
    ann.done(&["contact", "+15551234567", "--remove"]);
    assert_eq!(ben.refused(&["lookup", "ann@example.org"]), nobody);
    server.stop();
}

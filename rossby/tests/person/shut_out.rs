//! A device that is no longer let in: what it has is shown, what it says goes nowhere, and it can be erased. And what a person
//! reads of what happened names devices and people as they call them.

use serde_json::json;

use crate::human::Human;
use crate::set_up::SetUp;

/// What a person reads, on both outputs.
fn read(human: &Human, arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = human.command(arguments).output().unwrap();
    let text = |octets: &[u8]| String::from_utf8(octets.to_vec()).unwrap();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

#[test]
fn a_removed_device_shows_what_it_has_and_can_be_erased() {
    let folder = tempfile::tempdir().unwrap();
    let server = SetUp::embedded().start(&folder.path().join("data"), 0);
    let [phone, laptop, ben] =
        ["ann@example.org", "laptop", "ben@example.org"].map(|name| Human::new(folder.path(), name, &server));
    phone.done(&["register", "ann@example.org"]);
    let ann = phone.done(&["authorize", &server.code_for("mailto:ann@example.org"), "--name", "Ann's phone"]);
    ben.join(&server);
    assert_ne!(ben.done(&["devices"])["devices"][0]["name"], json!(null), "the machine's name");
    phone.done(&["send", "ben@example.org", "before"]);
    let linked = laptop.link(&phone, "laptop");
    laptop.until(&["inbox"], |_| laptop.done(&["devices"])["devices"][0]["name"] == "Ann's phone");
    ben.done(&["send", "ann@example.org", "hello"]);
    laptop.has(&[(false, "hello")]);

    let id = linked["device_id"].as_str().unwrap();
    phone.done(&["devices", "remove", id, "--yes"]);
    for arguments in [&["messages", "ben@example.org"][..], &["inbox", "--all"], &["conversations"]] {
        let (_, shown, said) = read(&laptop, arguments);
        assert!(shown.contains("hello"), "{arguments:?}: {shown}{said}");
        assert!(said.contains("does not know this device"), "{arguments:?}: {said}");
    }
    let (code, shown, _) = read(&laptop, &["send", "ben@example.org", "ghost"]);
    assert_eq!(code, Some(1));
    assert!(shown.starts_with("Not sent: the server"), "{shown}");
    assert_eq!(laptop.refused(&["delete-account", "--yes"]).0, "not-known");
    let (_, _, said) = read(&laptop, &["delete-account", "--yes"]);
    assert!(said.contains("delete-account --only-here"), "{said}");
    assert_eq!(
        laptop.done(&["delete-account", "--only-here", "--yes"]),
        json!({ "box_id": ann["box_id"], "deleted": false, "key_file_left": null })
    );
    assert_eq!(laptop.refused(&["whoami"]).0, "not-registered");
    assert_eq!(phone.done(&["whoami"])["box_id"], ann["box_id"], "the account is as it was");
}

#[test]
fn warnings_name_whom_they_are_about() {
    let folder = tempfile::tempdir().unwrap();
    let server = SetUp::embedded().start(&folder.path().join("data"), 0);
    let [phone, laptop, tablet, ben] =
        ["ann@example.org", "laptop", "tablet", "ben@example.org"].map(|name| Human::new(folder.path(), name, &server));
    phone.join(&server);
    let ben_box = ben.join(&server)["box_id"].clone();
    laptop.link(&phone, "Ann's laptop");
    laptop.settles();
    let third = tablet.link(&phone, "Ann's tablet")["device_id"].as_str().unwrap().to_owned();
    laptop.until(&["inbox"], |_| laptop.done(&["devices"])["devices"][2]["name"] == "Ann's tablet");
    phone.done(&["devices", "remove", &third, "--yes"]);
    let (_, _, told) = read(&laptop, &["inbox"]);
    assert!(told.contains(&format!("device \"Ann's tablet\" ({third}) was removed from your account")), "{told}");

    // Ben lets contacts in alone, and has none: he is told what that means.
    phone.done(&["send", "ben@example.org", "hello"]);
    let (_, shown, _) = read(&ben, &["settings", "--accept-from", "contacts"]);
    assert!(shown.contains("nobody can write to you"), "{shown}");
    let (_, _, told) = read(&phone, &["send", "ben@example.org", "refused"]);
    assert!(!told.contains("box "), "{told}");
    ben.done(&["settings", "--accept-from", "everyone"]);
    phone.done(&["send", "ben@example.org", "again"]);
    let inbox = ben.done(&["inbox"]);
    let gap = &inbox["warnings"][0];
    assert_eq!((&gap["warning"], &gap["about"]["missing"]), (&json!("gap"), &json!(1)), "{inbox}");
    assert_ne!(gap["about"]["sender"], ben_box);
    assert!(gap["detail"].as_str().unwrap().contains("what you have set refused them"), "{inbox}");
}

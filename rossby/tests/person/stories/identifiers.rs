//! Several phone numbers and email addresses of one person: added with a code, found by each, taken away.

use serde_json::{Value, json};

use crate::human::Human;
use crate::process::Server;
use crate::set_up::SetUp;
use crate::stories::devices::warnings;

const EMAIL: &str = "ann@example.org";
const PHONE: &str = "+15551234567";
const WORK: &str = "ann@work.example";

fn uri(address: &str) -> String {
    if address.starts_with('+') { format!("tel:{address}") } else { format!("mailto:{address}") }
}

/// Adds an identifier, by the code that the server prints as the one of this number.
pub(crate) fn add(human: &Human, server: &Server, address: &str, number: usize) -> Value {
    let asked = human.done(&["identifiers", "add", address]);
    assert_eq!(asked["identifier"], uri(address), "{asked}");
    human.done(&["identifiers", "confirm", &server.code_number(&uri(address), number)])
}

/// The account's identifiers, as its person knows them.
pub(crate) fn listed(human: &Human) -> Vec<Value> {
    let document = human.done(&["identifiers"]);
    document["identifiers"].as_array().unwrap().iter().map(|listed| listed["identifier"].clone()).collect()
}

pub(crate) fn share(set_up: &SetUp) {
    let folder = tempfile::tempdir().unwrap();
    let mut set_up = set_up.clone();
    set_up.settings.push(("ROSSBY_IDENTIFIERS__LIMIT".to_owned(), "3".to_owned()));
    let server = set_up.start(&folder.path().join("data"), 0);
    let [phone, laptop, ben] =
        [EMAIL, "laptop", "ben@example.org"].map(|name| Human::new(folder.path(), name, &server));
    let ann = phone.done(&["register", EMAIL]);
    phone.done(&["authorize", &server.code_for(&uri(EMAIL))]);
    ben.join(&server);
    assert_eq!(listed(&phone), [uri(EMAIL)]);

    // A number more, once its code is shown.
    assert_eq!(phone.refused(&["identifiers", "confirm", "12345678"]).0, "no-code-asked");
    phone.done(&["identifiers", "add", PHONE]);
    assert_eq!(ben.refused(&["lookup", PHONE]).0, "no-such-recipient");
    let code = server.code_number(&uri(PHONE), 0);
    let wrong = if code == "00000000" { "00000001" } else { "00000000" };
    let (error, text) = phone.refused(&["identifiers", "confirm", wrong]);
    assert_eq!(error, "wrong-code");
    assert!(text.contains("guesses left: 4"), "{text}");
    let added = phone.done(&["identifiers", "confirm", &code]);
    assert_eq!((&added["identifier"], &added["state"]), (&json!(uri(PHONE)), &json!("added")));
    assert_eq!(phone.refused(&["identifiers", "add", PHONE]).0, "own-identifier");
    for address in [EMAIL, PHONE] {
        assert_eq!(ben.done(&["lookup", address])["box_id"], ann["box_id"], "{address}");
    }
    ben.done(&["send", PHONE, "to your number"]);
    phone.reads(&["to your number"]);

    // A device that is linked knows them; what it adds is told to the others.
    laptop.link(&phone, "Ann's laptop");
    laptop.done(&["inbox"]);
    assert_eq!(listed(&laptop), [uri(EMAIL), uri(PHONE)]);
    assert_eq!(warnings(&laptop.done(&["whoami"])), [""; 0]);
    add(&laptop, &server, WORK, 0);
    let seen = phone.done(&["whoami"]);
    assert!(warnings(&seen).contains(&"identifier-added"), "{seen}");
    phone.done(&["inbox"]);
    assert_eq!(listed(&phone), [uri(EMAIL), uri(PHONE), uri(WORK)]);
    let shown = phone.done(&["identifiers"]);
    let by: Vec<_> = shown["identifiers"].as_array().unwrap().iter().map(|listed| &listed["added_by"]).collect();
    let (this, other) = (&phone.done(&["whoami"])["device_id"], &laptop.done(&["whoami"])["device_id"]);
    assert_eq!(by, [&Value::Null, this, other]);
    assert_eq!(phone.done(&["whoami"])["identifiers"], json!([uri(EMAIL), uri(PHONE), uri(WORK)]));
    let (error, text) = phone.refused(&["identifiers", "add", "ann@home.example"]);
    assert_eq!(error, "too-many-identifiers");
    assert!(text.contains("at most 3"), "{text}");

    // What another has is told to who can show its code, and not given away.
    ben.done(&["identifiers", "add", EMAIL]);
    let code = server.code_number(&uri(EMAIL), 1);
    let (error, text) = ben.refused(&["identifiers", "confirm", &code]);
    assert_eq!(error, "identifier-taken");
    assert!(text.contains("--claim"), "{text}");

    // Taken away, it is free, and the last one stays.
    assert_eq!(phone.refused(&["identifiers", "remove", PHONE]).0, "usage", "it must be meant");
    laptop.done(&["identifiers", "remove", PHONE, "--yes"]);
    assert_eq!(ben.refused(&["lookup", "ann@home.example"]).0, "no-such-recipient");
    phone.done(&["inbox"]);
    assert_eq!(listed(&phone), [uri(EMAIL), uri(WORK)]);
    assert_eq!(phone.refused(&["identifiers", "remove", PHONE, "--yes"]).0, "no-such-identifier");
    phone.done(&["identifiers", "remove", EMAIL, "--yes"]);
    let (error, text) = phone.refused(&["identifiers", "remove", WORK, "--yes"]);
    assert_eq!(error, "last-identifier");
    assert!(text.contains("recover"), "it says why: {text}");
    assert_eq!(phone.done(&["whoami"])["identifier"], uri(WORK), "it is called by what is left");
    assert_eq!(add(&ben, &server, PHONE, 1)["state"], "added");
    let seen = phone.done(&["lookup", PHONE]);
    assert_eq!((&seen["box_id"], &seen["changed"]), (&ben.done(&["whoami"])["box_id"], &json!(false)));
    server.stop();
}

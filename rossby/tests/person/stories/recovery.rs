//! All devices are lost: an identifier is claimed for a new account, unless a device of the old one turns up and objects.

use std::io::Write as _;
use std::process::Stdio;

use serde_json::{Value, json};

use crate::human::Human;
use crate::process::Server;
use crate::set_up::SetUp;
use crate::stories::devices::warnings;

const ANN: &str = "ann@example.org";
const CAROL: &str = "carol@example.org";

/// Claims an identifier for a new account, by the code of this number.
fn claim(new: &Human, server: &Server, address: &str, number: usize) -> Value {
    let begun = new.done(&["recover", address]);
    assert_eq!(begun["state"], "code-sent", "{begun}");
    new.done(&["authorize", &server.code_number(&format!("mailto:{address}"), number)])
}

fn detail(document: &Value, name: &str) -> String {
    let all = document["warnings"].as_array().unwrap();
    let found = all.iter().find(|warning| warning["warning"] == name);
    found.unwrap_or_else(|| panic!("no {name}: {document}"))["detail"].as_str().unwrap().to_owned()
}

pub(crate) fn recover(set_up: &SetUp) {
    let folder = tempfile::tempdir().unwrap();
    let data_dir = folder.path().join("data");
    let server = set_up.start(&data_dir, 0);
    let [phone, ben, thief, thiefs_second, old, carol, new] =
        ["phone", "ben@example.org", "thief", "second", "old", "carol", "new"]
            .map(|name| Human::new(folder.path(), name, &server));
    phone.done(&["register", ANN]);
    phone.done(&["authorize", &server.code_for(&format!("mailto:{ANN}"))]);
    let words = old.done(&["register", CAROL, "--recovery-key"])["recovery_words"].as_str().unwrap().to_owned();
    old.done(&["authorize", &server.code_for(&format!("mailto:{CAROL}"))]);
    ben.join(&server);
    ben.done(&["send", ANN, "before"]);
    phone.reads(&["before"]);

    // Registering says what there is to do.
    thief.done(&["register", ANN]);
    let code = server.code_number(&format!("mailto:{ANN}"), 1);
    let (error, text) = thief.refused(&["authorize", &code]);
    assert_eq!(error, "identifier-taken");
    assert!(text.contains("rossby link") && text.contains("rossby recover ann@example.org"), "{text}");
    let waits = claim(&thief, &server, ANN, 2);
    assert_eq!((&waits["state"], &waits["authorized"]), (&json!("waits"), &json!(false)), "{waits}");
    let until = waits["until"].as_str().unwrap();
    // Whatever is asked of it: it waits, and says how to go on.
    assert_eq!(thief.done(&["recover"]), waits);
    assert_eq!(thief.done(&["recover", ANN]), waits);
    assert_eq!(thief.done(&["whoami"])["claim_until"], until);
    let (error, text) = thief.refused(&["send", "ben@example.org", "I am Ann"]);
    assert_eq!(error, "claim-waits");
    assert!(text.contains("rossby recover"), "{text}");
    let notice = format!("notice for mailto:{ANN}: somebody claims it, and has it from {until} on");
    server.lines.wait_for(|line| (line == notice).then_some(()));

    // The old device is told at each sync, with what to do; the account is as it was.
    for _ in 0..2 {
        let seen = phone.done(&["whoami"]);
        let text = detail(&seen, "identifier-claimed");
        let minute = format!("{}Z", until[..16].replace('T', " "));
        assert!(text.contains(&minute) && text.contains("rossby identifiers object ann@example.org"), "{text}");
    }
    assert_eq!(phone.done(&["identifiers"])["identifiers"][0]["claimed_from"], until);
    ben.done(&["send", ANN, "still to you"]);
    phone.reads(&["still to you"]);
    let asked = phone.done(&["identifiers", "object", ANN]);
    assert_eq!(asked["state"], "code-sent");
    let objected = phone.done(&["identifiers", "confirm", &server.code_number(&format!("mailto:{ANN}"), 3)]);
    assert_eq!(objected["state"], "objected");
    assert_eq!(phone.refused(&["identifiers", "object", ANN]).0, "not-claimed");
    assert_eq!(warnings(&phone.done(&["whoami"])), [""; 0]);
    assert_eq!(thief.refused(&["recover"]).0, "claim-objected");
    let begun = thiefs_second.done(&["recover", ANN]);
    assert_eq!(begun["state"], "code-sent");
    let code = server.code_number(&format!("mailto:{ANN}"), 4);
    let (error, text) = thiefs_second.refused(&["authorize", &code]);
    assert_eq!(error, "claim-too-soon");
    assert!(text.contains("try again in"), "{text}");

    // The recovery key objects at once; another's doesn't.
    claim(&carol, &server, CAROL, 1);
    let object = |words: &str| {
        let mut command = old.command(&["identifiers", "object", CAROL, "--recovery-key", "--json"]);
        let mut running = command.stdin(Stdio::piped()).spawn().unwrap();
        running.stdin.take().unwrap().write_all(format!("{words}\n").as_bytes()).unwrap();
        running.wait_with_output().unwrap()
    };
    let strange = object(&(["abandon"; 11].join(" ") + " about"));
    assert!(String::from_utf8_lossy(&strange.stderr).contains("wrong-recovery-key"), "{strange:?}");
    let done = object(&words);
    assert!(done.status.success(), "{done:?}");
    assert_eq!(carol.refused(&["recover"]).0, "claim-objected");

    // A server whose claims wait no longer, so that one takes effect.
    let port = server.port();
    server.stop();
    let mut hasty = set_up.clone();
    hasty.settings.push(("ROSSBY_IDENTIFIERS__CLAIM_DAYS".to_owned(), "0".to_owned()));
    let server = hasty.start(&data_dir, port);
    ben.done(&["lookup", ANN]);
    let begun = new.done(&["recover", CAROL]);
    assert_eq!(begun["state"], "code-sent");
    let waits = new.done(&["authorize", &server.code_number(&format!("mailto:{CAROL}"), 0)]);
    assert_eq!(waits["state"], "waits");
    ben.done(&["lookup", CAROL]);
    let done = new.done(&["recover"]);
    assert_eq!((&done["state"], &done["authorized"]), (&json!("done"), &json!(true)), "{done}");
    assert_eq!(new.refused(&["recover"]).0, "already-registered");
    assert_ne!(done["box_id"], old.done(&["whoami"])["box_id"]);
    let seen = old.done(&["whoami"]);
    assert_eq!(seen["identifiers"], json!([format!("mailto:{CAROL}")]), "it goes on calling itself so");
    assert_eq!(old.done(&["identifiers"])["identifiers"], json!([]));

    // Who knew the old account sees that the root changed, and writes to the new one once that is accepted.
    let seen = ben.done(&["lookup", CAROL]);
    assert_eq!((&seen["changed"], &seen["box_id"]), (&json!(true), &done["box_id"]));
    assert_eq!(ben.refused(&["send", CAROL, "who are you?"]).0, "root-changed");
    ben.done(&["lookup", CAROL, "--accept-change"]);
    ben.done(&["send", CAROL, "welcome back"]);
    new.done(&["requests"]);
    new.reads(&["welcome back"]);
    server.stop();
}

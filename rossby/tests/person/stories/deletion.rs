//! An account is deleted: its person's devices stop, nobody finds them, nothing that the server holds names them, and whoever
//! has the address later is another.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use super::identifiers::{add, listed};
use super::search::{Captured, kept, places, tables};
use crate::human::Human;
use crate::process::Server;
use crate::relay::Relay;
use crate::set_up::SetUp;

const EMAIL: &str = "another-particular-name@example.org";
const PHONE: &str = "+15550146021";
const BEN: &str = "ben@example.org";
const NAME: &str = "Annabella of the lighthouse";
const TEXT: &str = "I shall leave on the evening ferry";

/// What may still tell that there was a box of this id, so that nothing which is repeated brings it back.
const TOLD_BY: [&str; 10] = [
    "heads",
    "outcomes",
    "superseded",
    "founded",
    "closing",
    "closed",
    "removed",
    "key_boxes",
    "profile_boxes",
    "history_closed",
];
/// What goes by itself, some days later, as its topic does.
const OF_THE_DAY: [&str; 3] = ["registrations", "codes", "guesses"];

/// What became of somebody who is gone.
struct Gone {
    box_id: String,
    devices: Vec<String>,
    hashes: Vec<String>,
}

/// Somebody with an account, and who knows her.
struct There {
    relay: Relay,
    server: Server,
    ann: Human,
    tablet: Human,
    ben: Human,
    again: Human,
    box_id: String,
    devices: Vec<String>,
    hashes: Vec<String>,
}

pub(crate) async fn leaves_nothing(set_up: &SetUp) {
    let relay = Relay::start().await;
    let folder = tempfile::tempdir().unwrap();
    let (data_dir, place, used) = (folder.path().join("data"), folder.path().to_owned(), set_up.clone());
    let there = tokio::task::spawn_blocking(move || live(&used, relay, &place)).await.unwrap();
    // As long as she is there the tables tell of her, and the search finds it.
    let before = tables(set_up, &data_dir).await;
    let uuid = |text: &str| uuid::Uuid::parse_str(text).unwrap();
    let telling_of = |captured: &Captured, id: &str| -> Vec<String> {
        let found = [places(captured, id.as_bytes()), places(captured, uuid(id).as_bytes())].concat();
        found.into_iter().map(|table| table.trim_start_matches("table ").to_owned()).collect()
    };
    let telling = telling_of(&before, &there.box_id);
    for table in [
        "membership",
        "devices",
        "key_boxes",
        "profiles",
        "profile_boxes",
        "profile_tags",
        "enqueued",
        "owed",
        "account_history",
    ] {
        assert!(telling.iter().any(|name| name == table), "{table} does not tell of the box: {telling:?}");
    }
    for device in &there.devices {
        assert!(telling_of(&before, device).iter().any(|name| name == "devices"), "the search finds no device");
    }
    for hash in &there.hashes {
        let telling = places(&before, &hex::decode(hash).unwrap());
        assert!(telling.contains(&"table identifiers"), "the search finds no identifier: {telling:?}");
    }
    let used = set_up.clone();
    let gone = tokio::task::spawn_blocking({
        let data_dir = data_dir.clone();
        move || leave(&used, there, &data_dir)
    });
    let gone = gone.await.unwrap();

    let tables = tables(set_up, &data_dir).await;
    let all = kept(set_up, &data_dir).await;
    for named in
        [EMAIL, PHONE, "another-particular-name", "5550146021", TEXT, "evening ferry", "Ann's", NAME, "Annabella"]
    {
        assert_eq!(places(&all, named.as_bytes()), [""; 0], "{named} is on the server");
    }
    // The box is known to have been there, and its devices and identifiers aren't known to have been its own.
    let box_id = uuid::Uuid::parse_str(&gone.box_id).unwrap();
    let mut telling = places(&tables, gone.box_id.as_bytes());
    telling.extend(places(&tables, box_id.as_bytes()));
    assert!(telling.contains(&"table heads"), "the search finds nothing: {telling:?}");
    for table in telling {
        assert!([&TOLD_BY[..], &OF_THE_DAY].concat().contains(&&table[6..]), "{table} names the box");
    }
    for device in &gone.devices {
        let device = uuid::Uuid::parse_str(device).unwrap();
        let telling = [places(&tables, device.to_string().as_bytes()), places(&tables, device.as_bytes())].concat();
        let expected = [&["removed"], &OF_THE_DAY[..]].concat();
        assert!(telling.iter().all(|table| expected.contains(&&table[6..])), "{telling:?} name a device");
    }
    for hash in &gone.hashes {
        let telling = places(&tables, &hex::decode(hash).unwrap());
        // The next who has the address has a row, and a history.
        let expected =
            [&["heads", "outcomes", "superseded", "identifiers", "account_history"], &OF_THE_DAY[..]].concat();
        assert!(telling.iter().all(|table| expected.contains(&&table[6..])), "{telling:?} name an identifier");
    }
}

fn live(set_up: &SetUp, relay: Relay, folder: &Path) -> There {
    let server = set_up.start(&folder.join("data"), 0);
    let [ann, tablet, ben, again] = [EMAIL, "tablet", BEN, "again"].map(|name| Human::new(folder, name, &server));
    let ann = relay.between(&ann);
    ann.join(&server);
    ben.join(&server);
    add(&ann, &server, PHONE, 0);
    tablet.link(&ann, "Ann's tablet");
    tablet.done(&["inbox"]);
    ann.done(&["contact", BEN]);
    ann.done(&["profile", "set", "--name", NAME]);
    ben.done(&["lookup", EMAIL]);
    ben.done(&["send", PHONE, "are you there?"]);
    ann.reads(&["are you there?"]);
    tablet.has(&[(false, "are you there?")]);
    ann.done(&["send", BEN, TEXT]);
    ben.reads(&[TEXT]);
    // It is still in the queue when she leaves.
    ben.done(&["send", EMAIL, "when do you come back?"]);
    ann.until(&["whoami"], |account| account["waiting"].as_u64() > Some(0));
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let box_id = text(&ann.done(&["whoami"])["box_id"]);
    let devices = [&ann, &tablet].map(|human| text(&human.done(&["whoami"])["device_id"])).into();
    let listed = ann.done(&["identifiers"]);
    let hashes = listed["identifiers"].as_array().unwrap().iter().map(|listed| text(&listed["hash"])).collect();
    There { relay, server, ann, tablet, ben, again, box_id, devices, hashes }
}

/// She leaves. Gives what was hers.
fn leave(set_up: &SetUp, there: There, data_dir: &Path) -> Gone {
    let There { relay, server, ann, tablet, ben, again, box_id, devices, hashes } = there;
    let gone = Gone { box_id, devices, hashes };

    // It must be meant; an answer that says nothing leaves the home as it is.
    assert_eq!(ann.refused(&["delete-account"]).0, "usage");
    assert_eq!(listed(&ann).len(), 2);
    relay.change(|path, answer| {
        if path == "/v1/account/commands" {
            *answer = json!({ "nothing": "said" });
        }
    });
    assert_eq!(ann.refused(&["delete-account", "--yes"]).0, "bad-answer");
    relay.change(|_, _| {});
    assert_eq!(ann.refused(&["inbox"]).0, "not-known", "it was deleted nevertheless");
    let deleted = ann.done(&["delete-account", "--yes"]);
    assert_eq!((&deleted["deleted"], &deleted["box_id"]), (&json!(true), &json!(gone.box_id)), "{deleted}");
    assert_eq!(deleted["key_file_left"], Value::Null);
    assert_eq!(fs::read_dir(&ann.home).unwrap().count(), 0, "the home is empty");
    assert_eq!(ann.refused(&["whoami"]).0, "not-registered");

    // Her other device, and who knew her.
    assert_eq!(tablet.refused(&["inbox"]).0, "not-known");
    assert_eq!(tablet.refused(&["delete-account", "--yes"]).0, "not-known");
    for address in [EMAIL, PHONE, &gone.box_id] {
        assert_eq!(ben.refused(&["lookup", address]).0, "no-such-recipient", "{address}");
    }
    let output = ben.run(&["send", EMAIL, "hello?"]);
    assert!(!output.status.success(), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stdout).contains("was not sent: there is no such user"), "{output:?}");
    assert_eq!(ben.done(&["messages", &gone.box_id])["messages"][1]["text"], TEXT, "what she sent stays with him");

    // Her addresses are free for whoever can show their codes.
    let joined = again.done(&["register", EMAIL]);
    let done = again.done(&["authorize", &server.code_number(joined["identifier"].as_str().unwrap(), 1)]);
    assert_ne!(done["box_id"], json!(gone.box_id));
    assert_eq!(add(&again, &server, PHONE, 1)["state"], "added");
    let seen = ben.done(&["lookup", EMAIL]);
    assert_eq!((&seen["changed"], &seen["box_id"]), (&json!(true), &done["box_id"]));

    // What is swept is swept when a server starts.
    let port = server.port();
    server.stop();
    let server = set_up.start(data_dir, port);
    assert_eq!(ben.refused(&["lookup", &gone.box_id]).0, "no-such-recipient");
    assert_eq!(ben.done(&["lookup", PHONE])["box_id"], done["box_id"]);
    server.stop();
    gone
}

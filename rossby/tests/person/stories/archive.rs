//! An account is exported, and read back: on a new device, where nothing is doubled, and into another account.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use serde_json::{Value, json};

use super::search::holds;
use crate::human::Human;
use crate::set_up::SetUp;

const ANN: &str = "ann@example.org";
const BEN: &str = "ben@example.org";
const TEXT: &str = "The second key hangs behind the clock";
const GROUP: &str = "The walkers";

/// A conversation's messages as its person sees them, without what stands to the device alone.
fn seen(human: &Human, who: &str) -> Vec<Value> {
    let document = human.done(&["messages", who, "--limit", "1000"]);
    let part = |message: &Value| {
        let of = |name: &str| message[name].clone();
        json!({
            "id": of("message_id"), "author": of("author"), "outgoing": of("outgoing"), "text": of("text"),
            "kind": of("kind"), "deleted": of("deleted"), "edited_at": of("edited_at"), "reactions": of("reactions"),
            "location": of("location"), "name": message["attachment"]["name"], "time": of("time"),
            "to": message["refers_to"]["message_id"], "changes": message["changes"][0]["done"],
            "read": message["recipients"][0]["read_at"].is_string(),
        })
    };
    document["messages"].as_array().unwrap().iter().map(part).collect()
}

/// The private keys of a person, in the clear.
fn private_keys(home: &Path) -> Vec<Vec<u8>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let unlock = rossby_client::Unlock::KeyFile(home.join("key"));
        let client =
            rossby_client::Client::open(rossby_client::ClientConfig::new(home.to_owned(), unlock)).await.unwrap();
        let keys = client.private_keys().await.unwrap();
        client.close().await;
        keys.iter().map(|key| key.to_vec()).collect()
    })
}

fn send(human: &Human, arguments: &[&str]) -> String {
    human.done(&[&["send"], arguments].concat())["message_id"].as_str().unwrap().to_owned()
}

pub(crate) fn is_read_back(set_up: &SetUp) {
    let folder = tempfile::tempdir().unwrap();
    let server = set_up.start(&folder.path().join("data"), 0);
    let [ann, tablet, ben, eve] =
        [ANN, "tablet", BEN, "eve@example.org"].map(|name| Human::new(folder.path(), name, &server));
    let place = |name: &str| folder.path().join(name).display().to_string();
    ann.join(&server);
    ben.join(&server);
    eve.join(&server);

    // All that people say to each other.
    let first = send(&ann, &[BEN, "a first text"]);
    ben.reads(&["a first text"]);
    ben.done(&["lookup", ANN]);
    let answer = send(&ben, &[ANN, TEXT, "--reply-to", &first]);
    ann.reads(&[TEXT]);
    ann.done(&["react", &answer, "👍"]);
    let wrong = send(&ann, &[BEN, "to be taken back"]);
    ann.done(&["delete", &wrong]);
    ann.done(&["edit", &first, "a better text"]);
    send(&ann, &[BEN, "--location", "52.5,13.4"]);
    fs::write(folder.path().join("notes.txt"), "what the file says").unwrap();
    send(&ann, &[BEN, "--file", &place("notes.txt"), "--caption", "the notes"]);
    let group = ann.done(&["group", "create", GROUP, BEN])["group"].as_str().unwrap().to_owned();
    send(&ann, &[&group, "to all of you"]);
    ben.settles_quietly();
    ann.until(&["messages", BEN], |document| document["messages"][0]["recipients"][0]["read_at"].is_string());

    // Encrypted if nothing else is said, and never over something else.
    let (sealed, plain, words) = (place("ann.rossby"), place("ann.jsonl"), place("words"));
    fs::write(&words, "a passphrase for this archive\n").unwrap();
    assert_eq!(ann.refused(&["export", &sealed]).0, "archive-passphrase");
    assert!(!Path::new(&sealed).exists());
    let exported = ann.done(&["export", &sealed, "--attachments", "--archive-passphrase-file", &words]);
    assert_eq!((&exported["encrypted"], &exported["attachments"]), (&json!(true), &json!(1)), "{exported}");
    assert_eq!((&exported["groups"], &exported["contacts"]), (&json!(1), &json!(1)), "{exported}");
    let queued = exported["queued"].as_u64().unwrap();
    assert!(queued > 0, "the server remembers what was confirmed: {exported}");
    assert_eq!(ann.refused(&["export", &sealed, "--plain"]).0, "target-exists");
    ann.done(&["export", &plain, "--plain"]);
    assert_eq!(fs::metadata(&sealed).unwrap().permissions().mode() & 0o777, 0o600);
    let (hidden, clear) = (fs::read(&sealed).unwrap(), fs::read(&plain).unwrap());
    assert!(holds(&clear, TEXT.as_bytes()) && holds(&clear, BEN.as_bytes()));
    assert!(!holds(&hidden, TEXT.as_bytes()) && !holds(&hidden, BEN.as_bytes()));
    assert!(!holds(&clear, b"to be taken back"));
    for key in private_keys(&ann.home) {
        assert!(!holds(&clear, &key), "a private key is in the archive");
    }
    // A stranger to it reads it without an account, with the passphrase.
    let nobody = Human::new(folder.path(), "nobody", &server);
    assert_eq!(nobody.refused(&["show-archive", &sealed]).0, "archive-passphrase");
    fs::write(place("other words"), "another passphrase\n").unwrap();
    let other = ["show-archive", &sealed, "--archive-passphrase-file", &place("other words")];
    assert_eq!(nobody.refused(&other).0, "archive-does-not-open");
    let show = ["show-archive", &sealed, "--archive-passphrase-file", &words];
    let shown = nobody.run(&show);
    let records: Vec<Value> =
        String::from_utf8(shown.stdout).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(records[0]["record"], "account");
    assert_eq!(records[1]["account"]["box_id"], records[0]["box_id"], "what the server holds is in it");
    assert_eq!(records[1]["registrations"][0]["purpose"], "found");
    assert!(records[1]["uploads"][0]["octets"].as_u64() > Some(0), "{}", records[1]);
    let in_queue: Vec<_> = records.iter().filter(|record| record["record"] == "queued").collect();
    assert_eq!(in_queue.len() as u64, queued);
    for record in in_queue {
        let (message, device) = (&record["message"], &records[0]["device_id"]);
        let lists = ["waiting", "confirmed"].map(|list| message[list].as_array().unwrap().contains(device));
        assert!(message["outer_id"].is_string() && lists.contains(&true), "{message}");
    }
    let texts: Vec<_> = records.iter().filter_map(|record| record["text"].as_str()).collect();
    assert_eq!(texts, ["to all of you", "a better text", TEXT, "the notes"], "the last conversation first");
    let lines = nobody.command(&show).output().unwrap();
    assert!(String::from_utf8_lossy(&lines.stdout).contains(TEXT));
    assert!(String::from_utf8_lossy(&lines.stdout).contains("The server held: 1 statement, 1 device, 1 identifier, "));
    let summary = nobody.command(&[&show[..], &["--summary"]].concat()).output().unwrap();
    let summary = String::from_utf8_lossy(&summary.stdout).into_owned();
    assert!(summary.contains(", 1 contact, 1 group, 1 attachment; "), "{summary}");
    fs::create_dir(place("files")).unwrap();
    let saved = nobody.done(&[&show[..], &["--save-attachments", &place("files")]].concat());
    assert_eq!(saved["saved"], json!([place("files/notes.txt")]));
    assert_eq!(fs::read_to_string(place("files/notes.txt")).unwrap(), "what the file says");

    // A device that was linked later has what was before.
    tablet.link(&ann, "Ann's tablet");
    tablet.done(&["inbox"]);
    let (with_ben, in_group) = (seen(&ann, BEN), seen(&ann, &group));
    assert!(seen(&tablet, BEN).len() < with_ben.len());
    let import = ["import", &sealed, "--archive-passphrase-file", &words];
    let imported = tablet.done(&import);
    assert_eq!(imported["messages"], exported["messages"]);
    assert!(imported["added"].as_u64() > Some(5), "{imported}");
    assert_eq!(seen(&tablet, BEN), with_ben);
    assert_eq!(seen(&tablet, &group), in_group);
    assert_eq!(tablet.done(&import)["added"], 0);
    assert_eq!(seen(&tablet, BEN), with_ben);
    // Where it came from nothing is doubled.
    assert_eq!(ann.done(&["import", &plain])["added"], 0);
    assert_eq!(seen(&ann, BEN), with_ben);
    // It goes on from there. Nothing can be said of history; what its author says of it counts.
    ben.done(&["send", ANN, "and one more"]);
    for device in [&tablet, &ann] {
        device.until(&["messages", BEN], |document| {
            document["messages"].as_array().unwrap().last().unwrap()["text"] == "and one more"
        });
    }
    assert_eq!(tablet.refused(&["react", &answer, "👍"]).0, "no-such-message");
    ann.done(&["edit", &first, "the best text"]);
    tablet.until(&["messages", BEN], |document| document["messages"][0]["text"] == "the best text");
    ann.done(&["delete", &first]);
    tablet.until(&["messages", BEN], |document| document["messages"][0]["text"] != "the best text");
    let after: Vec<_> = seen(&tablet, BEN).iter().map(|message| message["id"].clone()).collect();
    let expected: Vec<_> = seen(&ann, BEN).iter().map(|message| message["id"].clone()).collect();
    assert_eq!(
        after.iter().filter(|id| **id != json!(first)).collect::<Vec<_>>(),
        expected.iter().filter(|id| **id != json!(first)).collect::<Vec<_>>()
    );

    // Another account takes it only if that is said.
    assert_eq!(eve.refused(&import).0, "other-account");
    assert_eq!(eve.done(&["conversations"])["conversations"], json!([]));
    eve.done(&[&import[..], &["--of-another-account"]].concat());
    let listed = eve.done(&["conversations"]);
    assert_eq!(listed["conversations"].as_array().unwrap().len(), 2, "{listed}");
    let read = eve.done(&["messages", &group, "--offline"]);
    assert!(read["messages"].as_array().unwrap().iter().all(|message| message["archived"] == true), "{read}");
    assert!(eve.refused(&["send", &group, "to nobody"]).1.contains("no group"));
    server.stop();
}

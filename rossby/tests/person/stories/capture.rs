//! Everything that the server and the network get is captured and searched: no private key, no text, no address is in it.
//! What must be in it is found, so that the search is known to see.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::search::{Captured, files, holds, kept, places};
use crate::human::Human;
use crate::relay::{Exchange, Relay};
use crate::set_up::SetUp;

const TEXT: &str = "The tide turns at a quarter past nine, at the old pier";
const NAME: &str = "Marguerite of the Lighthouse";
const EMAIL: &str = "very-particular-name@example.org";
const FILE: &str = "a-most-particular-file.txt";
const PHONE: &str = "+15550109387";

/// The private keys of a person, in the clear.
async fn private_keys(home: &Path) -> Vec<Vec<u8>> {
    let config = rossby_client::ClientConfig::new(home.to_owned(), rossby_client::Unlock::KeyFile(home.join("key")));
    let client = rossby_client::Client::open(config).await.unwrap();
    let keys = client.private_keys().await.unwrap();
    client.close().await;
    keys.iter().map(|key| key.to_vec()).collect()
}

pub(crate) async fn finds_no_secret(set_up: &SetUp) {
    let relay = Relay::start().await;
    let folder = tempfile::tempdir().unwrap();
    let (data_dir, place) = (folder.path().join("data"), folder.path().to_owned());
    let (talk, used) = (relay.clone(), set_up.clone());
    let talked = tokio::task::spawn_blocking(move || {
        let server = used.start(&place.join("data"), 0);
        let [ann, ben] = [EMAIL, PHONE].map(|identifier| talk.between(&Human::new(&place, identifier, &server)));
        let box_ids = [&ann, &ben].map(|human| human.join(&server)["box_id"].as_str().unwrap().to_owned());
        ann.done(&["lookup", PHONE]);
        ann.done(&["profile", "set", "--name", NAME]);
        ann.done(&["send", PHONE, TEXT]);
        ben.reads(&[TEXT]);
        assert_eq!(ben.done(&["lookup", EMAIL])["profile"]["name"], NAME);
        ben.done(&["send", &box_ids[0], TEXT]);
        let file = place.join(FILE);
        std::fs::write(&file, TEXT.repeat(2000)).unwrap();
        ann.done(&["send", PHONE, "--file", file.to_str().unwrap(), "--caption", TEXT]);
        ben.reads(&[TEXT]);
        let message = ben.done(&["inbox", "--all", "--limit", "1"])["messages"][0]["message_id"].clone();
        let saved = place.join("saved");
        ben.done(&["download", message.as_str().unwrap(), "--to", saved.to_str().unwrap()]);
        assert_eq!(std::fs::read(saved).unwrap(), std::fs::read(file).unwrap());
        // Through the proxy there is no stream: what comes is asked for, and signals go out by requests.
        let following = ben.follows();
        following.connected("asking", 1);
        following.stop();
        assert_eq!(ann.done(&["typing", PHONE])["state"], "sent");
        // The last waits in the queue, so that the tables hold it.
        ann.done(&["send", PHONE, TEXT]);
        ben.waits(1);
        ben.done(&["block", &box_ids[0]]);
        server.stop();
        (box_ids, [ann.home, ben.home])
    });
    let (box_ids, homes) = talked.await.unwrap();

    let exchanges = relay.exchanges();
    assert!(exchanges.len() > 10, "the proxy saw only {} requests", exchanges.len());
    let mut server = kept(set_up, &data_dir).await;
    let blobs = files(&data_dir.join("blobs"));
    if set_up.postgres.is_some() {
        server.extend(blobs.clone());
    }
    let wire: Captured =
        exchanges.iter().map(|e| (e.path.clone(), [e.head.as_bytes(), &e.request, &e.answer].concat())).collect();

    // What must be there is found.
    for box_id in &box_ids {
        let octets = uuid::Uuid::parse_str(box_id).unwrap();
        assert!(places(&wire, box_id.as_bytes()).len() > 3);
        let found = places(&server, box_id.as_bytes()).len() + places(&server, octets.as_bytes()).len();
        assert!(found > 3, "the search finds no box, so it would find no secret");
    }
    let ciphertext = sent_value(&exchanges, "/v1/messages", "messages");
    assert!(!places(&server, &ciphertext[40..104]).is_empty(), "the search finds no ciphertext");

    // A signal is in its topic, and in no table.
    let signal = sent_value(&exchanges, "/v1/signals", "signals");
    let found = places(&server, &signal[40..104]);
    assert!(!found.is_empty(), "the search finds no signal");
    assert!(found.iter().all(|name| !name.starts_with("table ") && !name.contains("read-models")), "{found:?}");

    // The blob is there, under a name by which nobody can ask for it, and nothing says whose it is.
    let (upload_key, blob_id) = uploaded(&exchanges);
    let asked = exchanges.iter().find(|e| e.path == format!("/v1/blobs/{blob_id}") && e.head.starts_with("GET"));
    let ciphertext = &asked.unwrap().answer;
    assert!(ciphertext.len() > 60_000 && !places(&blobs, &ciphertext[1000..1064]).is_empty(), "no blob is found");
    let octets = |text: &str| URL_SAFE_NO_PAD.decode(text).unwrap();
    for (what, hidden) in [("an upload's key", octets(&upload_key)), ("a blob's id", octets(&blob_id)[2..].to_vec())] {
        assert_eq!(places(&server, &hidden), [""; 0], "{what} is on the server");
    }
    for box_id in &box_ids {
        let octets = uuid::Uuid::parse_str(box_id).unwrap();
        assert!(places(&blobs, box_id.as_bytes()).is_empty() && places(&blobs, octets.as_bytes()).is_empty());
    }

    // What must not be there is not.
    let mut keys = Vec::new();
    for home in &homes {
        keys.extend(private_keys(home).await);
    }
    assert!(keys.len() >= 4 && keys.iter().all(|key| key.len() >= 32), "there are keys to look for");
    for key in &keys {
        assert_eq!(places(&wire, key), [""; 0], "a private key is on the wire");
        assert_eq!(places(&server, key), [""; 0], "a private key is on the server");
    }
    // A part is as telling as the whole.
    for part in [TEXT, &TEXT[4..20], "quarter past nine", FILE] {
        assert_eq!(places(&wire, part.as_bytes()), [""; 0], "the text is on the wire");
        assert_eq!(places(&server, part.as_bytes()), [""; 0], "the text is on the server");
    }
    for part in [NAME, "the Lighthouse"] {
        assert_eq!(places(&wire, part.as_bytes()), [""; 0], "the name is on the wire");
        assert_eq!(places(&server, part.as_bytes()), [""; 0], "the name is on the server");
    }
    for address in [EMAIL, PHONE, "very-particular-name", "5550109387"] {
        assert_eq!(places(&server, address.as_bytes()), [""; 0], "an address is on the server");
        check_wire(&exchanges, address);
    }
}

/// An address crosses the wire, under TLS, only where the server needs it: in the body of a registration and of a look-up.
fn check_wire(exchanges: &[Exchange], address: &str) {
    let mut seen = 0;
    for exchange in exchanges {
        assert!(!holds(exchange.head.as_bytes(), address.as_bytes()), "an address is in {}", exchange.head);
        assert!(!holds(&exchange.answer, address.as_bytes()), "the server tells an address at {}", exchange.path);
        if holds(&exchange.request, address.as_bytes()) {
            assert!(matches!(exchange.path.as_str(), "/v1/registrations" | "/v1/lookups"), "{}", exchange.path);
            seen += 1;
        }
    }
    assert!(seen > 0, "the search finds no address where it must be");
}

/// The key and the id of the blob that was uploaded.
fn uploaded(exchanges: &[Exchange]) -> (String, String) {
    let begun = exchanges.iter().find(|e| e.path == "/v1/blobs").unwrap();
    let field = |octets: &[u8], name: &str| {
        serde_json::from_slice::<serde_json::Value>(octets).unwrap()[name].as_str().unwrap().to_owned()
    };
    (field(&begun.request, "upload_key"), field(&begun.answer, "blob_id"))
}

/// The value of the last message or signal that was sent.
fn sent_value(exchanges: &[Exchange], path: &str, field: &str) -> Vec<u8> {
    let sent = exchanges.iter().rfind(|e| e.path == path && e.head.starts_with("POST")).unwrap();
    let request: serde_json::Value = serde_json::from_slice(&sent.request).unwrap();
    URL_SAFE_NO_PAD.decode(request[field][0]["value"].as_str().unwrap()).unwrap()
}

//! What the server keeps of a group: nothing that names it, and nothing that two members' boxes have in common.

use std::collections::HashMap;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rossby_crypto::message::MessageValue;
use rossby_schemas::encoding::Octets;
use serde_json::Value;
use uuid::Uuid;

use super::search::{holds, kept, places};
use crate::human::Human;
use crate::relay::{Exchange, Relay};
use crate::set_up::SetUp;

const NAME: &str = "The friends of the old lighthouse";
const SECOND_NAME: &str = "Keepers of the western lamp";
const TEXT: &str = "We meet at the lamp room when the fog comes";
const PEOPLE: [&str; 4] = ["ann@example.org", "ben@example.org", "eve@example.org", "joe@example.org"];

/// Octets that two messages can't have in common but by chance.
const WINDOW: usize = 16;

pub(crate) async fn show_nowhere(set_up: &SetUp) {
    let relay = Relay::start().await;
    let folder = tempfile::tempdir().unwrap();
    let (data_dir, place) = (folder.path().join("data"), folder.path().to_owned());
    let (talk, used) = (relay.clone(), set_up.clone());
    let talked = tokio::task::spawn_blocking(move || {
        let server = used.start(&place.join("data"), 0);
        let people = PEOPLE.map(|identifier| talk.between(&Human::new(&place, identifier, &server)));
        let boxes = people.each_ref().map(|human| human.join(&server)["box_id"].as_str().unwrap().to_owned());
        let [ann, ben, eve, joe] = people;
        let made = ann.done(&["group", "create", NAME, PEOPLE[1], PEOPLE[2]]);
        let id = made["group"].as_str().unwrap().to_owned();
        ben.until(&["group", "list"], |document| document["groups"] != serde_json::json!([]));
        ben.done(&["send", &id, TEXT]);
        ann.done(&["group", "add", NAME, PEOPLE[3]]);
        joe.until(&["group", "list"], |document| document["groups"] != serde_json::json!([]));
        ann.done(&["group", "rename", NAME, SECOND_NAME]);
        joe.done(&["send", &id, TEXT]);
        ann.done(&["send", &id, TEXT]);
        ann.done(&["group", "remove", &id, PEOPLE[2]]);
        // What was sent last waits in the queues.
        eve.waits(eve.done(&["whoami"])["waiting"].as_u64().unwrap());
        server.stop();
        (id, boxes)
    });
    let (id, boxes) = talked.await.unwrap();
    let exchanges = relay.exchanges();
    let server = kept(set_up, &data_dir).await;

    // What must be there is found.
    for box_id in &boxes {
        let octets = Uuid::parse_str(box_id).unwrap();
        assert!(places(&server, box_id.as_bytes()).len() + places(&server, octets.as_bytes()).len() > 3);
    }
    let id = Uuid::parse_str(&id).unwrap();
    for needle in [id.to_string().as_bytes(), id.as_bytes(), NAME.as_bytes(), SECOND_NAME.as_bytes(), TEXT.as_bytes()] {
        assert_eq!(places(&server, needle), [""; 0], "the group is on the server");
        let held = |e: &&Exchange| holds(&[&e.request[..], &e.answer].concat(), needle);
        assert_eq!(exchanges.iter().filter(held).count(), 0, "the group is on the wire");
    }

    // The copies of one message have nothing in common that others don't.
    let sends: Vec<Vec<(String, Vec<u8>)>> = exchanges.iter().filter_map(sent).collect();
    assert!(
        sends.iter().filter(|copies| copies.len() >= 3).count() >= 3,
        "whole groups were written to by one request"
    );
    let mut seen: HashMap<Vec<u8>, usize> = HashMap::new();
    let mut expiries = Vec::new();
    for (place, (_, value)) in sends.iter().flatten().enumerate() {
        expiries.push(MessageValue::parse(&Octets::from(value.clone())).unwrap().expires_at);
        for window in value.windows(WINDOW) {
            // The head of a recipient's record is in each message to that one.
            let before = seen.insert(window.to_vec(), place);
            let known = before.map(|before| sends.iter().flatten().nth(before).unwrap());
            let same_recipient =
                known.is_none_or(|(recipient, _)| *recipient == sends.iter().flatten().nth(place).unwrap().0);
            assert!(same_recipient, "two boxes' messages have {} in common", hex::encode(window));
        }
    }
    let count = expiries.len();
    expiries.sort_unstable();
    expiries.dedup();
    assert_eq!(expiries.len(), count, "no two expire at the same moment");
}

/// The messages of a request to send: their recipients and values.
fn sent(exchange: &Exchange) -> Option<Vec<(String, Vec<u8>)>> {
    if exchange.path != "/v1/messages" || !exchange.head.starts_with("POST") {
        return None;
    }
    let request: Value = serde_json::from_slice(&exchange.request).unwrap();
    let message = |message: &Value| {
        let value = URL_SAFE_NO_PAD.decode(message["value"].as_str().unwrap()).unwrap();
        (message["recipient"].as_str().unwrap().to_owned(), value)
    };
    Some(request["messages"].as_array().unwrap().iter().map(message).collect())
}

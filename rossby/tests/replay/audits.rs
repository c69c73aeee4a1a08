//! `rossby audit`.

use bytes::Bytes;
use rossby_log::{BatchLimit, Log, LogRecord};
use rossby_schemas::topic::{Topic, TopicName};
use serde_json::Value;

use crate::set_up::SetUp;
use crate::town::{Town, shown};

/// Appends the first record of a topic with this type again, with another id if one is given: it comes too late then.
async fn repeat(log: &dyn Log, topic: Topic, event_type: &str, id: Option<&str>) {
    let topic = TopicName::local(topic);
    for partition in 0..log.partitions(&topic).await.unwrap() {
        let mut reader = log.read(&topic, partition, 0).await.unwrap();
        let records = reader.next(BatchLimit::default()).await.unwrap().records;
        let is_type =
            |record: &LogRecord| record.headers.iter().any(|(name, value)| name == "ce_type" && value == event_type);
        let Some(stored) = records.into_iter().find(|stored| is_type(&stored.record)) else { continue };
        let mut record = stored.record;
        if let (Some(id), Some((_, value))) = (id, record.headers.iter_mut().find(|(name, _)| name == "ce_id")) {
            *value = Bytes::copy_from_slice(id.as_bytes());
        }
        log.append(&topic, partition, record).await.unwrap();
        return;
    }
    panic!("no {event_type}");
}

fn of<'a>(events: &'a Value, event: &str) -> Vec<&'a Value> {
    events["events"].as_array().unwrap().iter().filter(|entry| entry["event"] == event).collect()
}

pub(crate) async fn tell_what_happened(set_up: &SetUp) {
    let town = tokio::task::block_in_place(|| Town::that_talked(set_up));
    let operator = town.operator.clone();
    let (ann_device, live) = tokio::task::block_in_place(|| {
        let device = town.ann.done(&["whoami"])["device_id"].as_str().unwrap().to_owned();
        // Beside the running server.
        let live = operator.document(&["audit", "box", &town.ann_box]);
        town.server.stop();
        (device, live)
    });
    let founded = of(&live, "keys.box-founded.v1")[0].clone();
    assert_eq!(
        (&founded["outcome"], &founded["device"], &founded["region"]),
        (&"admitted".into(), &ann_device.as_str().into(), &1.into())
    );
    assert_eq!(of(&live, "profiles.box-blocked.v1").len(), 1);
    assert!(live["events"].as_array().unwrap().is_sorted_by_key(|entry| entry["at"].as_str().unwrap().to_owned()));

    // An event that comes twice, and one that comes too late.
    let log = set_up.open_log(&operator.data_dir).await;
    repeat(&*log, Topic::Profiles, "org.rossby.profiles.box-blocked.v1", None).await;
    let late = "00000000-0000-4000-8000-000000000001";
    repeat(&*log, Topic::Profiles, "org.rossby.profiles.box-blocked.v1", Some(late)).await;
    log.close().await;
    drop(log);
    let again = operator.document(&["audit", "box", &town.ann_box]);
    let blocked = of(&again, "profiles.box-blocked.v1");
    let outcomes: Vec<&str> = blocked.iter().map(|entry| entry["outcome"].as_str().unwrap()).collect();
    assert_eq!(outcomes, ["admitted", "duplicate", "superseded"]);
    let why = blocked[2]["why"].as_str().unwrap();
    assert!(why.contains(blocked[0]["event_id"].as_str().unwrap()), "{why}");

    // By the address in the clear, by its hash, by the device, by a message.
    let identifier = operator.document(&["audit", "identifier", "ann@example.org"]);
    let verified = of(&identifier, "identifiers.identifier-verified.v2")[0];
    assert!(verified["said"].as_str().unwrap().contains(&town.ann_box) && verified["outcome"] == "admitted");
    assert_eq!(of(&identifier, "registrations.code-guessed.v1").len(), 1);
    let by_hash = operator.document(&["audit", "identifier", verified["stream"].as_str().unwrap()]);
    assert_eq!(by_hash["events"], identifier["events"]);
    let device = operator.document(&["audit", "device", &ann_device]);
    assert!(!of(&device, "inbox.messages-acknowledged.v1").is_empty());
    assert!(
        device["events"].as_array().unwrap().iter().all(|entry| entry["device"] == ann_device.as_str()),
        "{device}"
    );
    let said = of(&live, "inbox.message-enqueued.v1")[0]["said"].as_str().unwrap().to_owned();
    let id = said.split([' ', ',']).nth(1).unwrap();
    let message = operator.document(&["audit", "message", id]);
    let events: Vec<&str> =
        message["events"].as_array().unwrap().iter().map(|entry| entry["event"].as_str().unwrap()).collect();
    assert_eq!(events, ["inbox.message-enqueued.v1", "inbox.messages-acknowledged.v1"]);

    let text = operator.prints(&["audit", "box", &town.ann_box]);
    assert!(text.contains("profiles.box-blocked.v1 by device") && text.contains(": superseded (event "), "{text}");
    let page = town.folder.path().join("page.html");
    operator.prints(&["audit", "device", &ann_device, "--html", &shown(&page)]);
    let html = std::fs::read_to_string(&page).unwrap();
    assert!(html.contains("keys.box-founded.v1") && !html.contains("<script") && !html.contains("http://"), "{html}");
    let taken = operator.refused(&["audit", "device", &ann_device, "--html", &shown(&page)]);
    assert!(taken.contains("is there already"), "{taken}");
    let nobody = operator.refused(&["audit", "identifier", "nobody@example.org"]);
    assert!(nobody.contains("nothing of the identifier"), "{nobody}");
    let unknown = operator.refused(&["audit", "identifier", "nobody"]);
    assert!(unknown.contains("no phone number or email address"), "{unknown}");
}

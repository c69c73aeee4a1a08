//! The same message comes twice, at each place where that can happen: from the sender, who doesn't know whether the server has it,
//! also when that was started anew in between; in the log, where a record is repeated; from the server, which gives again what was
//! confirmed. Each is shown once.

use std::collections::BTreeMap;
use std::path::Path;

use rossby_log::{BatchLimit, Log, StoredRecord};
use rossby_schemas::topic::{Topic, TopicName};
use serde_json::Value;

use crate::human::Human;
use crate::process::Server;
use crate::relay::Relay;
use crate::set_up::{PARTITIONS, SetUp};

/// What `send` ends with when the message stays in the outbox.
const TRY_AGAIN: i32 = 75;
/// More answers than a command asks for.
const MANY: usize = 1000;

/// Every record of the inbox, with its partition.
async fn inbox(log: &dyn Log) -> Vec<(u32, StoredRecord)> {
    let topic = TopicName::local(Topic::Inbox);
    let mut records = Vec::new();
    for partition in 0..PARTITIONS {
        let start = log.bounds(&topic, partition).await.unwrap().start;
        let mut reader = log.read(&topic, partition, start).await.unwrap();
        loop {
            let batch = reader.next(BatchLimit::default()).await.unwrap();
            records.extend(batch.records.into_iter().map(|record| (partition, record)));
            if batch.caught_up {
                break;
            }
        }
    }
    records
}

/// How often the log has each message, by its id in the queue.
fn messages(records: &[(u32, StoredRecord)]) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for (_, stored) in records {
        let outer = stored.record.headers.iter().find(|(name, _)| name == "ce_outerid");
        if let Some((_, id)) = outer {
            *counts.entry(String::from_utf8_lossy(id).into_owned()).or_default() += 1;
        }
    }
    counts
}

struct Town<'a> {
    set_up: &'a SetUp,
    data_dir: &'a Path,
    server: Server,
}

impl Town<'_> {
    /// Stops the server, looks at the log or changes it, and starts the server again.
    async fn restart<T>(self, look: impl AsyncFnOnce(&dyn Log) -> T) -> (Self, T) {
        let port = self.server.port();
        tokio::task::block_in_place(|| self.server.stop());
        let log = self.set_up.open_log(self.data_dir).await;
        let seen = look(&*log).await;
        log.close().await;
        drop(log);
        let server = tokio::task::block_in_place(|| self.set_up.start(self.data_dir, port));
        (Self { server, ..self }, seen)
    }
}

pub(crate) async fn count_once(set_up: &SetUp) {
    let folder = tempfile::tempdir().unwrap();
    let data_dir = folder.path().join("data");
    let relay = Relay::start().await;
    let server = tokio::task::block_in_place(|| set_up.start(&data_dir, 0));
    let [ann, ben] = ["ann@example.org", "ben@example.org"]
        .map(|identifier| relay.between(&Human::new(folder.path(), identifier, &server)));
    let done = |human: &Human, arguments: &[&str]| tokio::task::block_in_place(|| human.done(arguments));
    for human in [&ann, &ben] {
        tokio::task::block_in_place(|| human.join(&server));
    }
    let town = Town { set_up, data_dir: &data_dir, server };

    // The answer is lost: the sender asks again by itself, with the same id.
    relay.lose(1);
    assert_eq!(done(&ann, &["send", "ben@example.org", "one"])["state"], "sent");
    assert_eq!(relay.exchanges().iter().filter(|exchange| exchange.path == "/v1/messages").count(), 2);
    // Every answer is lost: it stays in the outbox, and the server is started anew before it is sent again.
    relay.lose(MANY);
    let output = tokio::task::block_in_place(|| ann.run(&["send", "ben@example.org", "two"]));
    assert_eq!(output.status.code(), Some(TRY_AGAIN), "{output:?}");
    relay.lose(0);
    let (town, before) = town.restart(async |log| messages(&inbox(log).await)).await;
    assert_eq!(before.len(), 2, "{before:?}");
    done(&ann, &["inbox"]);
    let sent = done(&ann, &["inbox", "--all"])["messages"].clone();
    let states: Vec<_> = sent.as_array().unwrap().iter().map(|message| message["state"].as_str().unwrap()).collect();
    assert_eq!(states, ["sent", "sent"]);
    let (town, after) = town.restart(async |log| messages(&inbox(log).await)).await;
    assert_eq!(after, before, "the server knew the id from before");

    // Every record stands in the log once more, as a mirror repeats them.
    tokio::task::block_in_place(|| ben.reads(&["one", "two"]));
    done(&ann, &["send", "ben@example.org", "three"]);
    let (town, ()) = town
        .restart(async |log| {
            let topic = TopicName::local(Topic::Inbox);
            for (partition, stored) in inbox(log).await {
                log.append(&topic, partition, stored.record).await.unwrap();
            }
        })
        .await;
    tokio::task::block_in_place(|| ben.waits(1));

    // The server gives everything twice, and again what was confirmed.
    let mut given: Vec<Value> = Vec::new();
    relay.change(move |path, answer| {
        if path == "/v1/messages"
            && let Some(messages) = answer["messages"].as_array_mut()
        {
            let new = messages.clone();
            messages.extend(new.clone());
            messages.extend(given.clone());
            given.extend(new);
        }
    });
    tokio::task::block_in_place(|| ben.reads(&["three"]));
    let again = done(&ben, &["inbox"]);
    assert_eq!(again["messages"], serde_json::json!([]), "{again}");
    assert!(again["duplicates"].as_u64().unwrap() >= 1, "{again}");
    let all = done(&ben, &["inbox", "--all"])["messages"].clone();
    let texts: Vec<_> = all.as_array().unwrap().iter().map(|message| message["text"].as_str().unwrap()).collect();
    assert_eq!(texts, ["one", "two", "three"]);
    tokio::task::block_in_place(|| town.server.stop());
}

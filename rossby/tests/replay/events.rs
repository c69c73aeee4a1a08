//! `rossby events`.

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::process::Stdio;
use std::sync::Arc;

use rossby_log::providers::sqlite::{SqliteConfig, SqliteLog};
use rossby_log::{BatchLimit, Log, StoredRecord};
use rossby_schemas::time::SystemClock;
use rossby_schemas::topic::{Topic, TopicName};
use serde_json::Value;

use crate::operator::Operator;
use crate::process::Server;
use crate::rebuild;
use crate::set_up::{PARTITIONS, SetUp};
use crate::town::{Town, shown};

/// Every record of a log but signals, which it forgets.
async fn records(log: &dyn Log) -> Vec<(TopicName, u32, StoredRecord)> {
    let mut records = Vec::new();
    for topic in Topic::ALL.into_iter().filter(|topic| *topic != Topic::Signals).map(TopicName::local) {
        for partition in 0..log.partitions(&topic).await.unwrap() {
            let start = log.bounds(&topic, partition).await.unwrap().start;
            let mut reader = log.read(&topic, partition, start).await.unwrap();
            loop {
                let batch = reader.next(BatchLimit::default()).await.unwrap();
                records.extend(batch.records.into_iter().map(|record| (topic.clone(), partition, record)));
                if batch.caught_up {
                    break;
                }
            }
        }
    }
    records
}

pub(crate) async fn an_exported_log_gives_the_same_tables(set_up: &SetUp) {
    let town = tokio::task::block_in_place(|| Town::that_talked(set_up));
    let (file, copy) = (town.path("log.jsonl"), town.path("copy"));
    let exported = tokio::task::block_in_place(|| {
        // Beside the running server.
        town.operator.document(&["events", "export", "--out", &shown(&file)])
    });
    let again = town.operator.refused(&["events", "export", "--out", &shown(&file)]);
    assert!(again.contains("is there already"), "{again}");
    let (data_dir, folder) = (town.data_dir(), town.folder);
    tokio::task::block_in_place(|| town.server.stop());

    let importer = Operator::new(&SetUp::embedded(), &copy);
    let imported = importer.document(&["events", "import", &shown(&file), "--new-secret"]);
    assert_eq!(imported["events"], exported["events"]);
    assert_eq!((&imported["moved"], &imported["left_out"]), (&0.into(), &0.into()));
    let second = importer.refused(&["events", "import", &shown(&file)]);
    assert!(second.contains("has a server's data"), "{second}");

    // The records are the same, and an empty database that is built from them has the rows of the exporter's: the projectors know
    // the last record of each partition again, too.
    let original = set_up.open_log(&data_dir).await;
    let log: Arc<dyn Log> =
        Arc::new(SqliteLog::open(SqliteConfig::new(copy.join("log")), Arc::new(SystemClock)).await.unwrap());
    let (expected, found) = (records(&*original).await, records(&*log).await);
    assert!(expected.len() > 20 && expected == found, "{} and {} records", expected.len(), found.len());
    original.close().await;
    let live = match &set_up.postgres {
        Some(url) => url.clone(),
        None => rebuild::sqlite(&data_dir.join("read-models.sqlite")),
    };
    drop(original);
    rebuild::compare(log, &live, folder.path()).await;
    // A server starts on it.
    tokio::task::block_in_place(|| Server::start(&SetUp::embedded().settings, &copy, 0).stop());
}

pub(crate) fn are_shown_counted_and_filtered(set_up: &SetUp) {
    let town = Town::that_talked(set_up);
    let operator = &town.operator;
    let all = operator.lines(&["events", "export"]);
    let types = |events: &[Value]| -> BTreeSet<String> {
        events.iter().map(|event| event["type"].as_str().unwrap().to_owned()).collect()
    };
    assert!(types(&all).contains("org.rossby.inbox.message-enqueued.v1"), "{:?}", types(&all));
    let founded = operator.lines(&["events", "export", "--type", "keys.box-founded"]);
    assert_eq!((founded.len(), types(&founded).len()), (2, 1));
    let keys = operator.lines(&["events", "export", "--type", "org.rossby.keys.*", "--topic", "keys"]);
    assert!(keys.iter().all(|event| event["topic"] == "rossby.keys") && keys.len() >= 2);
    assert_eq!(operator.lines(&["events", "export", "--topic", "rossby.keys"]), keys);
    let of_ann = operator.lines(&["events", "export", "--box", &town.ann_box]);
    let of_keys = |topic: &str| of_ann.iter().filter(|event| event["topic"] == topic).count();
    assert_eq!((of_keys("rossby.identifiers"), of_keys("rossby.registrations")), (1, 3));
    let is_of_ann = |event: &&Value| event["topic"] != "rossby.identifiers" && event["topic"] != "rossby.registrations";
    assert!(of_ann.iter().filter(is_of_ann).all(|event| event["partitionkey"] == town.ann_box.as_str()));
    let last = all.iter().map(|event| event["appendedat"].as_str().unwrap()).max().unwrap();
    assert!(operator.lines(&["events", "export", "--since", "9999-01-01T00:00:00Z"]).is_empty());
    assert_eq!(operator.lines(&["events", "export", "--until", last]).len(), all.len());
    let unknown = operator.refused(&["events", "export", "--topic", "mail"]);
    assert!(unknown.contains("it has rossby.registrations"), "{unknown}");

    let stats = operator.document(&["events", "stats"]);
    let counted: u64 = stats["topics"].as_array().unwrap().iter().map(|topic| topic["events"].as_u64().unwrap()).sum();
    // A sign of life may have come meanwhile.
    assert!(counted >= all.len() as u64, "{stats}");
    let inbox = stats["topics"].as_array().unwrap().iter().find(|topic| topic["topic"] == "rossby.inbox").unwrap();
    // Three messages, and what the devices tell each other beside.
    assert!(inbox["types"]["org.rossby.inbox.message-enqueued.v1"]["events"].as_u64() >= Some(3), "{stats}");
    assert_eq!(stats["partitions"].as_array().unwrap().len(), 6 * PARTITIONS as usize);
    assert!(operator.prints(&["events", "stats"]).contains("keys.box-founded.v1"));

    // The last ones, and what comes.
    assert_eq!(operator.lines(&["events", "tail", "-n", "2", "--json", "--topic", "keys"]).len(), 2);
    assert!(operator.prints(&["events", "tail", "-n", "1"]).contains(" octets\n"));
    let mut following = operator.command(&["events", "tail", "-n", "0", "--follow", "--json", "--type", "profiles."]);
    let mut following = following.stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(following.stdout.take().unwrap()).lines();
    // Until it follows, nothing says so: a change after another, until one is shown.
    let shown = std::thread::spawn(move || lines.next().unwrap().unwrap());
    let mut audience = ["everyone", "contacts"].into_iter().cycle();
    while !shown.is_finished() {
        town.ann.done(&["settings", "--accept-from", audience.next().unwrap()]);
    }
    let event: Value = serde_json::from_str(&shown.join().unwrap()).unwrap();
    assert_eq!(
        (&event["type"], &event["subject"]),
        (&"org.rossby.profiles.accept-from-set.v1".into(), &town.ann_box.as_str().into())
    );
    following.kill().unwrap();
    following.wait().unwrap();
    town.ben.reads(&["three"]);
    town.server.stop();
}

pub(crate) fn what_can_not_be_imported(set_up: &SetUp) {
    let town = Town::that_talked(set_up);
    let (file, copy) = (town.path("log.jsonl"), town.path("copy"));
    town.operator.prints(&["events", "export", "--topic", "keys", "--out", &shown(&file)]);
    let busy = town.operator.refused(&["events", "import", &shown(&file)]);
    assert!(busy.contains("has a server's data"), "{busy}");
    let none = Operator::new(set_up, &town.path("nothing")).refused(&["events", "stats"]);
    assert!(none.contains("there is no log in") && none.contains("--data-dir"), "{none}");
    town.server.stop();

    let text = fs::read_to_string(&file).unwrap();
    let importer = Operator::new(set_up, &copy);
    let refused = |text: &str, says: &str| {
        fs::write(&file, text).unwrap();
        let said = importer.refused(&["events", "import", &shown(&file)]);
        assert!(said.contains(says), "{said}");
        assert!(fs::read_dir(&copy).map_or(0, Iterator::count) == 0, "nothing is left");
    };
    let first = text.lines().next().unwrap();
    refused("", "has no events");
    refused(&text[..text.len() - 40], "is no JSON object");
    refused(&format!("{first}\n{first}\n"), "line 2");
    refused(&text.replace("\"partitions\":2", "\"partitions\":0"), "0 partitions");
    refused(&text.replacen("\"partitions\":2", "\"partitions\":3", 1), "partitions");
    let mut west = set_up.clone();
    west.settings.push(("ROSSBY_REGION__NUMBER".into(), "2".into()));
    let elsewhere = Operator::new(&west, &copy);
    fs::write(&file, &text).unwrap();
    let region = elsewhere.refused(&["events", "import", &shown(&file)]);
    assert!(region.contains("ROSSBY_REGION__NUMBER=1"), "{region}");

    // A part of a log closes up, and says so.
    let part: String =
        text.lines().filter(|line| !line.contains("\"offset\":\"1\"")).map(|line| format!("{line}\n")).collect();
    let part = format!("{part}{}\n", first.replace("\"offset\":\"0\"", "\"offset\":\"7\""));
    fs::write(&file, part).unwrap();
    let said = importer.prints(&["events", "import", &shown(&file)]);
    assert!(said.contains("have lower offsets now") && said.contains("put the log's master secret"), "{said}");
}

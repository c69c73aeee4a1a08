//! `rossby replay`.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rossby_projections::{Projection, Projector, ProjectorConfig, ReadModels, ReplayOf, Snapshot};
use rossby_schemas::ids::RegionNumber;
use rossby_schemas::time::{Clock as _, SystemClock, Timestamp};
use tokio_util::sync::CancellationToken;

use crate::operator::Operator;
use crate::rebuild;
use crate::set_up::SetUp;
use crate::town::{Town, shown};

/// What a database holds, swept, at a moment that comparisons share.
async fn tables(url: &str, now: Timestamp) -> Snapshot {
    let models = ReadModels::open(url, 2).await.unwrap();
    models.sweep(now).await.unwrap();
    let tables = models.snapshot(now).await.unwrap();
    models.close().await;
    tables
}

/// The URL of a server's own tables.
pub(crate) fn live(set_up: &SetUp, data_dir: &Path) -> String {
    set_up.postgres.clone().unwrap_or_else(|| rebuild::sqlite(&data_dir.join("read-models.sqlite")))
}

fn same(one: &Snapshot, other: &Snapshot) {
    for (table, rows) in one {
        assert!(rows == &other[table], "{table} differs: {} and {} rows", rows.len(), other[table].len());
    }
}

/// The tables as they are and as they were come out, into `target`, which is empty, and into SQLite.
pub(crate) async fn builds_any_moment(set_up: &SetUp, target: Option<String>) {
    let town = tokio::task::block_in_place(|| Town::that_talked(set_up));
    let operator = town.operator.clone();
    let then = tokio::task::block_in_place(|| {
        let events = operator.lines(&["events", "export"]);
        let last = events.iter().map(|event| event["appendedat"].as_str().unwrap().to_owned()).max().unwrap();
        town.ben.reads(&["three"]);
        town.ann.done(&["block", "ben@example.org"]);
        town.ann.done(&["settings", "--accept-from", "nobody"]);
        town.server.stop();
        last
    });
    let (folder, data_dir) = (town.folder, operator.data_dir.clone());
    let now = SystemClock.now();

    // As they are.
    let into = target.unwrap_or_else(|| rebuild::sqlite(&folder.path().join("now.sqlite")));
    let done = operator.document(&["replay", "--into", &into]);
    assert_eq!((&done["resumed"], &done["stopped"]), (&false.into(), &serde_json::json!([])));
    same(&tables(&live(set_up, &data_dir), now).await, &tables(&into, now).await);
    let again = operator.refused(&["replay", "--into", &into]);
    assert!(again.contains("has filled this database already"), "{again}");

    // As they were: what an export up to then gives.
    let into = rebuild::sqlite(&folder.path().join("then.sqlite"));
    let said = operator.prints(&["replay", "--into", &into, "--until", &then]);
    assert!(said.contains(&format!("up to {then}")), "{said}");
    let (file, copy) = (folder.path().join("then.jsonl"), folder.path().join("copy"));
    operator.prints(&["events", "export", "--until", &then, "--out", &shown(&file)]);
    let importer = Operator::new(&SetUp::embedded(), &copy);
    importer.prints(&["events", "import", &shown(&file)]);
    let copied = rebuild::sqlite(&folder.path().join("copied.sqlite"));
    importer.prints(&["replay", "--into", &copied]);
    let (then, copied) = (tables(&into, now).await, tables(&copied, now).await);
    same(&copied, &then);
    let is_blocked = |tables: &Snapshot| tables["profile_tags"].iter().any(|row| row.contains("list=block"));
    assert!(!is_blocked(&then) && is_blocked(&tables(&live(set_up, &data_dir), now).await));

    // Of one box.
    let own = copy.join("read-models.sqlite");
    let said = importer.prints(&["replay", "--into", &rebuild::sqlite(&own), "--box", &town.ann_box]);
    assert!(said.contains("no server starts on them"), "{said}");
    let of_ann = tables(&rebuild::sqlite(&own), now).await;
    assert_eq!((then["devices"].len(), of_ann["devices"].len()), (2, 1));
    assert_eq!((of_ann["identifiers"].len(), of_ann["profiles"].len()), (1, 1));
    assert!(of_ann["devices"][0].contains(&town.ann_box.replace('-', "")));
    let region = operator.refused(&["replay", "--into", "sqlite:x", "--region", "south"]);
    assert!(region.contains("one region"), "{region}");
    std::fs::copy(set_up.secrets(&data_dir), copy.join("secrets.toml")).unwrap();
    let refused = tokio::task::block_in_place(|| SetUp::embedded().refused(&copy));
    assert!(refused.contains("what concerns the box"), "{refused}");
}

/// What was interrupted goes on; what is another's is refused.
pub(crate) async fn goes_on_where_it_was(set_up: &SetUp) {
    let town = tokio::task::block_in_place(|| Town::that_talked(set_up));
    let operator = town.operator.clone();
    tokio::task::block_in_place(|| town.server.stop());
    let (folder, now) = (town.folder, SystemClock.now());
    let into = rebuild::sqlite(&folder.path().join("begun.sqlite"));
    let of = ReplayOf { until: None, region: RegionNumber(1), box_id: None };
    let (models, _) = ReadModels::open_for_replay(&into, 2, of).await.unwrap();
    let log = set_up.open_log(&operator.data_dir).await;
    // One projection came to its end before.
    let config = ProjectorConfig { projections: vec![Projection::Keys], ..ProjectorConfig::single_region(of.region) };
    let projector = Projector::new(models.clone(), Arc::clone(&log), Arc::new(SystemClock), config);
    let (status, stop) = (projector.status(), CancellationToken::new());
    let running = tokio::spawn(projector.run(stop.clone()));
    while !status.get().is_ready() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    stop.cancel();
    running.await.unwrap().unwrap();
    log.close().await;
    drop(log);
    models.close().await;

    let other = operator.refused(&["replay", "--into", &into, "--until", "2026-01-01T00:00:00Z"]);
    assert!(other.contains("an interrupted replay of something else"), "{other}");
    assert_eq!(operator.document(&["replay", "--into", &into])["resumed"], true);
    let own = live(set_up, &operator.data_dir);
    same(&tables(&own, now).await, &tables(&into, now).await);

    let taken = operator.refused(&["replay", "--into", &own]);
    assert!(taken.contains("not of an interrupted replay"), "{taken}");
    let text = folder.path().join("text");
    std::fs::write(&text, "no database, but a text that somebody wrote".repeat(200)).unwrap();
    let no_database = operator.refused(&["replay", "--into", &rebuild::sqlite(&text)]);
    assert!(no_database.contains("no database"), "{no_database}");
    let unknown = operator.refused(&["replay", "--into", "mysql://x"]);
    assert!(unknown.contains("--into must be"), "{unknown}");
}

//! `rossby verify-tables`.

use std::collections::BTreeSet;

use sqlx::{AnyConnection, Connection as _, Executor as _};

use crate::operator::Operator;
use crate::replays::live;
use crate::set_up::SetUp;
use crate::town::Town;

/// Beside a running server, and then with tables that somebody has changed by hand.
pub(crate) async fn tells_every_row_that_is_not_as_the_log_says(set_up: &SetUp) {
    let town = tokio::task::block_in_place(|| Town::that_talked(set_up));
    let operator = town.operator.clone();
    let right = tokio::task::block_in_place(|| {
        let right = operator.document(&["verify-tables"]);
        town.ben.reads(&["three"]);
        town.ann.done(&["send", "ben@example.org", "four"]);
        assert!(operator.prints(&["verify-tables"]).contains("rows are as the log says"));
        town.server.stop();
        right
    });
    assert!(right["rows"].as_u64() > Some(50) && right["differences"] == serde_json::json!([]), "{right}");
    assert_eq!(right["tables"]["devices"]["rows"], 2, "{right}");

    sqlx::any::install_default_drivers();
    let mut tables = AnyConnection::connect(&live(set_up, &operator.data_dir)).await.unwrap();
    for change in [
        "update devices set epoch = epoch + 1",
        "delete from identifiers",
        "insert into removed (box_id, device_id) select box_id, box_id from founded",
    ] {
        tables.execute(change).await.unwrap();
    }
    let output = operator.run(&["verify-tables", "--json"]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let found: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let found = found["differences"].as_array().unwrap();
    let told: BTreeSet<(&str, &str)> =
        found.iter().map(|d| (d["table"].as_str().unwrap(), d["wrong"].as_str().unwrap())).collect();
    assert_eq!(told, BTreeSet::from([("devices", "different"), ("identifiers", "missing"), ("removed", "unfounded")]));
    assert_eq!(found.len(), 6);
    assert!(found.iter().any(|d| d["key"].as_str().unwrap().contains(&town.ann_box)), "{found:?}");
    assert!(found.iter().all(|d| (d["found"].is_null() || d["expected"].is_null()) == (d["wrong"] != "different")));
    let said = operator.run(&["verify-tables"]);
    let said = String::from_utf8(said.stdout).unwrap();
    assert!(said.contains("is in no event\n") && said.contains("6 rows are not as the log says"), "{said}");
    // Nothing was mended.
    let epochs: i64 =
        sqlx::query_scalar("select cast(sum(epoch) as bigint) from devices").fetch_one(&mut tables).await.unwrap();
    assert_eq!(epochs, 4);
    tables.close().await.unwrap();
    // Without tables.
    let nothing = Operator::new(&SetUp::embedded(), &town.folder.path().join("copy"));
    let file = town.folder.path().join("log.jsonl").display().to_string();
    operator.prints(&["events", "export", "--out", &file]);
    nothing.prints(&["events", "import", &file]);
    let none = nothing.refused(&["verify-tables"]);
    assert!(none.contains("there are none"), "{none}");
}

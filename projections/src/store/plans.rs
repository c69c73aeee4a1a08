//! That what is asked again and again is answered by indexes, as SQLite plans it.

use sqlx::{AssertSqlSafe, Row as _};

use super::{Store, account, claims, export, identifiers, queue};

/// What SQLite says of a query with so many parameters, step by step.
async fn plan(query: &str, parameters: usize) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&format!("sqlite:{}", folder.path().join("tables").display()), 2).await.unwrap();
    let mut explain = sqlx::query(AssertSqlSafe(format!("explain query plan {query}")));
    for _ in 0..parameters {
        explain = explain.bind(1_i64);
    }
    let rows = explain.fetch_all(&store.pool).await.unwrap();
    rows.iter().map(|row| row.try_get::<String, _>(3).unwrap()).collect()
}

#[tokio::test]
async fn a_page_of_a_queue_is_read_in_the_order_of_its_index() {
    let steps = plan(&queue::waiting(""), 5).await;
    let reads = steps.iter().filter(|step| step.contains("INDEX owed_in_order (box_id=? AND device_id=?)"));
    assert_eq!(reads.count(), 1, "{steps:#?}");
    // What is sorted is the page alone: nothing before the limit.
    let sorted = steps.iter().position(|step| step.contains("TEMP B-TREE")).unwrap_or(steps.len());
    let read = steps.iter().position(|step| step.contains("owed_in_order")).unwrap();
    assert!(read < sorted, "{steps:#?}");
}

#[tokio::test]
async fn the_loop_in_the_background_reads_no_whole_table() {
    // Hints, open claims and half-closed boxes are few.
    let few = ["SCAN h", "SCAN c USING INDEX claims_open", "SCAN q", "SCAN b USING INDEX key_boxes_half_closed"];
    for (query, parameters) in
        [(identifiers::UNFOUNDED.to_owned(), 2), (account::HALF_CLOSED.to_owned(), 3), (claims::due(None), 3)]
    {
        let steps = plan(&query, parameters).await;
        let scans = steps.iter().filter(|step| step.starts_with("SCAN"));
        assert!(scans.clone().all(|step| few.iter().any(|few| step.starts_with(few))), "{steps:#?}");
    }
}

#[tokio::test]
async fn a_page_of_an_export_reads_its_box_alone_and_nothing_before_it() {
    let steps = plan(export::HELD, 6).await;
    let page = "(box_id=? AND (outer_id,content_hash)>(?,?))";
    assert!(steps.iter().any(|step| step.contains("SEARCH e ") && step.contains(page)), "{steps:#?}");
    for (query, parameters) in [(export::HELD, 6), (export::HELD_BY_DEVICES, 5), (export::REGISTRATIONS, 2)] {
        let steps = plan(query, parameters).await;
        let few = ["SCAN q", "SCAN w", "SCAN m", "SCAN (subquery"];
        let scans = steps.iter().filter(|step| step.starts_with("SCAN"));
        assert!(scans.clone().all(|step| few.iter().any(|few| step.starts_with(few))), "{steps:#?}");
        // Messages of the device are looked up one by one, not read through.
        let through = steps
            .iter()
            .filter(|step| step.contains("(box_id=?)") && !step.contains("SEARCH d ") && !step.contains("SEARCH c "));
        assert!(through.clone().all(|step| step.contains("registrations_by_box")), "{steps:#?}");
    }
}

/// The same on PostgreSQL, which knows nothing of the tables yet but that they are not small.
#[cfg(feature = "servers")]
#[tokio::test]
async fn a_page_of_a_queue_is_read_in_the_order_of_its_index_on_postgresql_too() {
    use sqlx::{Connection as _, Executor as _};

    let admin = std::env::var("ROSSBY_TEST_POSTGRES").expect("ROSSBY_TEST_POSTGRES is set by `cargo xtask test`");
    let name = format!("plans_{}", uuid::Uuid::new_v4().simple());
    let mut connection = sqlx::PgConnection::connect(&admin).await.unwrap();
    connection.execute(AssertSqlSafe(format!("create database {name}"))).await.unwrap();
    let url = format!("{}/{name}", admin.rsplit_once('/').unwrap().0);
    let store = Store::open(&url, 2).await.unwrap();
    let mut connection = sqlx::PgConnection::connect(&url).await.unwrap();
    let [one, two] = ["'\\x01'::bytea", "'\\x02'::bytea"];
    for statement in [
        format!(
            "insert into owed (box_id, device_id, outer_id, content_hash, expires_at, accepted_at) \
             select {one}, {two}, int4send(n), {one}, 2, n from generate_series(1, 5000) n"
        ),
        format!(
            "insert into enqueued (box_id, outer_id, content_hash, accepted_at, expires_at, value, region, partition, record_offset) \
             select {one}, int4send(n), {one}, n, 2, {one}, 1, 0, n from generate_series(1, 5000) n"
        ),
    ] {
        connection.execute(AssertSqlSafe(statement)).await.unwrap();
    }
    // Before the tables were looked at, and after.
    for looked_at in [false, true] {
        if looked_at {
            connection.execute("analyze").await.unwrap();
        }
        let explained = format!("explain (analyze) {}", queue::waiting(""));
        let explained = explained
            .replace("$1", one)
            .replace("$2", two)
            .replace("$3", "1")
            .replace("$4", "10")
            .replace("$5", "1000");
        let rows = connection.fetch_all(AssertSqlSafe(explained)).await.unwrap();
        let steps: Vec<String> = rows.iter().map(|row| row.try_get(0).unwrap()).collect();
        let read = steps.iter().find(|step| step.contains("using owed_in_order"));
        assert!(read.is_some_and(|step| step.contains("rows=10 loops=1")), "{steps:#?}");
        assert!(!steps.iter().any(|step| step.contains("Join") || step.contains("Seq Scan on owed")), "{steps:#?}");
    }
    store.close().await;
}

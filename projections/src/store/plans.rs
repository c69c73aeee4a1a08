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
        [(identifiers::UNFOUNDED.to_owned(), 1), (account::HALF_CLOSED.to_owned(), 2), (claims::due(None), 3)]
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

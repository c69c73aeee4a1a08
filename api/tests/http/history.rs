//! The history over HTTP: page by page, and what is wrong.

use rossby_schemas::http::history::HistoryResponse;

use crate::pages::{are_for_devices, get, refuse_what_is_wrong};
use crate::site::Site;

const PATH: &str = "/v1/account/history";

#[tokio::test(flavor = "multi_thread")]
async fn a_device_reads_what_happened_to_its_account() {
    let site = Site::new().await;
    let (ann, device) = site.person("ann@example.org").await;
    let (_, other) = site.person("ben@example.org").await;
    let all: HistoryResponse = get(&site, &device, PATH).await;
    assert_eq!((all.box_id, all.entries.len(), &all.next), (ann.box_id(), 2, &None));
    assert_eq!(all.entries[1].device_id, Some(ann.device_id));
    let first: HistoryResponse = get(&site, &device, &format!("{PATH}?limit=1")).await;
    let cursor = first.next.unwrap();
    let last: HistoryResponse = get(&site, &device, &format!("{PATH}?limit=1&cursor={cursor}")).await;
    assert_eq!([first.entries, last.entries].concat(), all.entries);
    assert_eq!(last.next, None);

    refuse_what_is_wrong(&site, PATH, &device, (&other, &cursor.to_string())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_no_device_reads_nothing() {
    let site = Site::new().await;
    let (ann, device) = site.person("ann@example.org").await;
    are_for_devices(&site, PATH, &ann, &device).await;
}

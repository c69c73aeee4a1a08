//! The history over HTTP: page by page, and what is wrong.

use reqwest::Method;
use rossby_crypto::statements::{Remover, remove};
use rossby_schemas::http::account::StatementRequest;
use rossby_schemas::http::history::HistoryResponse;
use rossby_schemas::http::problem::ProblemType;
use rossby_testing::command;
use serde_json::Value;

use crate::site::{Device, Site, problem, read};

const PATH: &str = "/v1/account/history";

async fn get<T: serde::de::DeserializeOwned>(site: &Site, device: &Device, path: &str) -> T {
    read(site.signed(device, Method::GET, path, b"").await, 200).await
}

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

    // Whose cursor it is not, and what is none.
    let foreign = site.signed(&other, Method::GET, &format!("{PATH}?cursor={cursor}"), b"").await;
    let refused = problem(foreign, ProblemType::InvalidRequest).await;
    assert_eq!(refused.errors[0].field, "cursor");
    for (query, field) in [
        ("cursor=%25", "cursor"),
        ("cursor=AAAA", "cursor"),
        ("limit=0", "limit"),
        ("limit=x", "query"),
        ("x=1", "query"),
    ] {
        let refused = site.signed(&device, Method::GET, &format!("{PATH}?{query}"), b"").await;
        let refused = problem(refused, ProblemType::InvalidRequest).await;
        assert_eq!(refused.errors[0].field, field, "{query}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_no_device_reads_nothing() {
    let site = Site::new().await;
    let (ann, device) = site.person("ann@example.org").await;
    problem(site.client.get(site.url(PATH)).send().await.unwrap(), ProblemType::Unauthenticated).await;
    let mut forged = device.request(&site, Method::GET, PATH, b"");
    forged.authorization = forged.authorization.replace("mac=\"", "mac=\"AAAA");
    problem(site.send(forged).await, ProblemType::Unauthenticated).await;
    let _: HistoryResponse = get(&site, &device, PATH).await;
    let by = Remover::Device(ann.device_id);
    let statement =
        remove(&ann.key, by, ann.box_id(), ann.record.head(), ann.device_id, site.world.now()).octets().clone();
    let removal = StatementRequest { command_id: command(), statement };
    read::<Value>(site.signed_json(&device, "/v1/account/statements", &removal).await, 200).await;
    problem(site.signed(&device, Method::GET, PATH, b"").await, ProblemType::Unauthenticated).await;
}

//! The export over HTTP: page by page, and what is wrong.

use reqwest::Method;
use rossby_crypto::statements::{Remover, remove};
use rossby_schemas::http::account::{AccountResponse, StatementRequest};
use rossby_schemas::http::export::ExportResponse;
use rossby_schemas::http::messages::{FetchResponse, SendRequest, SendResponse};
use rossby_schemas::http::problem::ProblemType;
use rossby_testing::{command, until};
use serde_json::Value;

use crate::site::{Device, Site, problem, read};

const PATH: &str = "/v1/account/export";

async fn get<T: serde::de::DeserializeOwned>(site: &Site, device: &Device, path: &str) -> T {
    read(site.signed(device, Method::GET, path, b"").await, 200).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_takes_along_all_that_is_held_of_its_box() {
    let site = Site::new().await;
    let (ann, device) = site.person("ann@example.org").await;
    let (ben, other) = site.person("ben@example.org").await;
    let messages: Vec<_> = (0..3).map(|_| ben.message(&ann, "hello", 1, site.world.now())).collect();
    let _: SendResponse = read(site.signed_json(&other, "/v1/messages", &SendRequest { messages }).await, 200).await;
    until("three messages", async || get::<FetchResponse>(&site, &device, "/v1/messages").await.messages.len() == 3)
        .await;
    let first: ExportResponse = get(&site, &device, &format!("{PATH}?limit=2")).await;
    let account: AccountResponse = get(&site, &device, "/v1/account").await;
    assert_eq!(first.held.map(|held| held.account), Some(account));
    assert_eq!(first.messages.len(), 2);
    let cursor = first.next.unwrap();
    let last: Value = get(&site, &device, &format!("{PATH}?limit=2&cursor={cursor}")).await;
    assert_eq!(last["messages"].as_array().map(Vec::len), Some(1));
    assert!(last.get("held").is_none() && last.get("next").is_none(), "{last}");

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
async fn who_is_no_device_gets_nothing() {
    let site = Site::new().await;
    let (ann, device) = site.person("ann@example.org").await;
    problem(site.client.get(site.url(PATH)).send().await.unwrap(), ProblemType::Unauthenticated).await;
    let mut forged = device.request(&site, Method::GET, PATH, b"");
    forged.authorization = forged.authorization.replace("mac=\"", "mac=\"AAAA");
    problem(site.send(forged).await, ProblemType::Unauthenticated).await;
    // The signature is over the query too.
    let mut moved = device.request(&site, Method::GET, &format!("{PATH}?limit=1"), b"");
    moved.path = format!("{PATH}?limit=2");
    problem(site.send(moved).await, ProblemType::Unauthenticated).await;
    let _: ExportResponse = get(&site, &device, PATH).await;
    let by = Remover::Device(ann.device_id);
    let statement =
        remove(&ann.key, by, ann.box_id(), ann.record.head(), ann.device_id, site.world.now()).octets().clone();
    let removal = StatementRequest { command_id: command(), statement };
    read::<Value>(site.signed_json(&device, "/v1/account/statements", &removal).await, 200).await;
    problem(site.signed(&device, Method::GET, PATH, b"").await, ProblemType::Unauthenticated).await;
}

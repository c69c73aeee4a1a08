//! The export over HTTP: page by page, and what is wrong.

use reqwest::Method;
use rossby_schemas::http::account::AccountResponse;
use rossby_schemas::http::export::ExportResponse;
use rossby_schemas::http::messages::{FetchResponse, SendRequest, SendResponse};
use rossby_schemas::http::problem::ProblemType;
use rossby_testing::until;
use serde_json::Value;

use crate::pages::{are_for_devices, get, refuse_what_is_wrong};
use crate::site::{Site, problem, read};

const PATH: &str = "/v1/account/export";

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

    refuse_what_is_wrong(&site, PATH, &device, (&other, &cursor.to_string())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_no_device_gets_nothing() {
    let site = Site::new().await;
    let (ann, device) = site.person("ann@example.org").await;
    // The signature is over the query too.
    let mut moved = device.request(&site, Method::GET, &format!("{PATH}?limit=1"), b"");
    moved.path = format!("{PATH}?limit=2");
    problem(site.send(moved).await, ProblemType::Unauthenticated).await;
    are_for_devices(&site, PATH, &ann, &device).await;
}

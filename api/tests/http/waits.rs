//! Requests that wait.

use std::time::Duration;

use reqwest::Method;
use rossby_schemas::http::problem::ProblemType;
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::site::{Device, Site, problem};

const WAIT: &str = "/v1/messages?wait=30";

/// A fetch that waits; its answer's status.
fn wait(site: &Site, device: &Device) -> impl Future<Output = u16> + Send + 'static {
    let (request, client) = (device.request(site, Method::GET, WAIT, b""), site.client.clone());
    let url = site.url(&request.path);
    async move { client.get(url).header("authorization", request.authorization).send().await.unwrap().status().as_u16() }
}

#[tokio::test(flavor = "multi_thread")]
async fn few_fetches_of_a_device_wait_at_once() {
    let site = Site::with_waits(2, 2).await;
    let (_, ann) = site.person("ann@example.org").await;
    let (_, ben) = site.person("ben@example.org").await;
    let mut waiting = JoinSet::new();
    (0..3).for_each(|_| drop(waiting.spawn(wait(&site, &ann))));
    // One of the three finds no place, and the others keep theirs.
    assert_eq!(waiting.join_next().await.unwrap().unwrap(), 429);
    let refused = site.signed(&ann, Method::GET, WAIT, b"").await;
    assert_eq!(refused.headers()["retry-after"], "5");
    problem(refused, ProblemType::RateLimited).await;
    // Who doesn't wait needs none, and another device has its own.
    assert_eq!(site.signed(&ann, Method::GET, "/v1/messages?wait=0", b"").await.status(), 200);
    let other = tokio::time::timeout(Duration::from_millis(300), wait(&site, &ben)).await;
    assert!(other.is_err(), "it does not wait: {other:?}");
    // A wait that is given up leaves its place.
    waiting.shutdown().await;
    for _ in 0..600 {
        let again = tokio::time::timeout(Duration::from_millis(300), wait(&site, &ann)).await;
        if again.is_err() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("no place is free");
}

#[tokio::test(flavor = "multi_thread")]
async fn few_readers_of_a_rendezvous_wait_at_once_for_an_address() {
    let site = Site::with_waits(2, 2).await;
    let read = |wait: u32| site.client.get(site.url(&format!("/v1/rendezvous/{}?wait={wait}", Uuid::new_v4()))).send();
    let mut waiting = JoinSet::new();
    for _ in 0..3 {
        let read = read(30);
        waiting.spawn(async move { read.await.unwrap().status().as_u16() });
    }
    assert_eq!(waiting.join_next().await.unwrap().unwrap(), 429);
    problem(read(30).await.unwrap(), ProblemType::RateLimited).await;
    assert_eq!(read(0).await.unwrap().status(), 200);
}

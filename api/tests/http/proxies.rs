//! A proxy in front, and clients behind it.

use std::time::Duration;

use rossby_testing::until;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::site::{Plan, Site, limits, number};

/// One that lets strangers do little, with the tests' own address as a proxy or not.
async fn site(is_proxy: bool, address_connections: usize) -> Site {
    let trusted_proxies = if is_proxy { vec!["127.0.0.0/8".parse().unwrap()] } else { Vec::new() };
    let limits = limits((number(1000), number(1000)), (number(1), number(3)));
    Site::with(Plan { limits, trusted_proxies, address_connections, ..Plan::default() }).await
}

/// How many of eight requests without authentication are refused for coming too often.
async fn refused(site: &Site, forwarded_for: impl Fn(u8) -> String) -> usize {
    let mut refused = 0;
    for number in 0..8 {
        let request = site.client.post(site.url("/v1/registrations")).header("x-forwarded-for", forwarded_for(number));
        let status = request.json(&json!({})).send().await.unwrap().status();
        assert!(status == 400 || status == 429, "{status}");
        refused += usize::from(status == 429);
    }
    refused
}

#[tokio::test(flavor = "multi_thread")]
async fn behind_a_proxy_each_client_has_a_limit_of_its_own() {
    let site = site(true, 50).await;
    assert!(refused(&site, |_| "203.0.113.1".to_owned()).await > 0);
    // Another is none the worse for it, and what a client writes itself changes nothing.
    assert_eq!(refused(&site, |number| format!("203.0.113.{}", 100 + number)).await, 0);
    assert!(refused(&site, |number| format!("198.51.100.{number}, 203.0.113.2")).await > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_else_is_believed_for_whom_they_ask() {
    let site = site(false, 50).await;
    assert!(refused(&site, |number| format!("203.0.113.{number}")).await > 0);
}

/// Whether a connection is served.
async fn is_served(site: &Site) -> Option<TcpStream> {
    let mut stream = TcpStream::connect(("127.0.0.1", site.port)).await.unwrap();
    let asked = stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n").await;
    let mut octet = [0];
    let read = tokio::time::timeout(Duration::from_secs(30), stream.read_exact(&mut octet)).await.expect("it hangs");
    (asked.is_ok() && read.is_ok()).then_some(stream)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_has_so_many_connections_and_a_proxy_has_as_many_as_it_likes() {
    const EACH: usize = 3;
    let site = site(false, EACH).await;
    // Idle ones are closed after half a second, so they are opened quickly, and the last time counts.
    let mut open = Vec::new();
    for _ in 0..20 {
        open.clear();
        tokio::time::sleep(Duration::from_millis(100)).await;
        while open.len() <= EACH {
            match is_served(&site).await {
                Some(stream) => open.push(stream),
                None => break,
            }
        }
        if open.len() == EACH {
            break;
        }
    }
    assert_eq!(open.len(), EACH);
    // What is closed leaves its place.
    open.clear();
    until("a place is free", async || is_served(&site).await.is_some()).await;
    let site = self::site(true, EACH).await;
    let mut open = Vec::new();
    for _ in 0..3 * EACH {
        open.push(is_served(&site).await.expect("it is not served"));
    }
}

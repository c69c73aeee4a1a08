//! Connections that are slow, half open, or gone.

use std::time::Duration;

use reqwest::Method;
use rossby_schemas::http::command::{CommandState, CommandStatus};
use rossby_schemas::http::messages::MAX_SEND_OCTETS;
use rossby_schemas::http::problem::ProblemType;
use rossby_testing::Person;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::site::{CONNECTIONS, Site, problem, read};

/// Sends octets and waits until the server closes the connection. Gives what it answered.
async fn until_closed(site: &Site, sent: &[u8]) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", site.port)).await.unwrap();
    stream.write_all(sent).await.unwrap();
    let mut answer = Vec::new();
    let reading = tokio::time::timeout(Duration::from_secs(60), stream.read_to_end(&mut answer));
    let _ = reading.await.expect("the server keeps the connection");
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn slow_and_half_open_connections_are_closed() {
    let site = Site::new().await;
    // Nothing at all, half a request's head, a head without its end.
    until_closed(&site, b"").await;
    until_closed(&site, b"GET /healthz HT").await;
    until_closed(&site, b"GET /healthz HTTP/1.1\r\nhost: x\r\n").await;
    // A body that does not come.
    let head =
        "POST /v1/registrations HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{";
    let answer = until_closed(&site, head.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 408 ") && answer.contains("request-timeout"), "{answer}");
    let answer = until_closed(&site, b"\x16\x03\x01 nonsense\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 400 ") || answer.is_empty(), "{answer}");
    assert_eq!(site.client.get(site.url("/healthz")).send().await.unwrap().status(), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_is_refused_without_waiting_for_a_body() {
    let site = Site::new().await;
    let (_, device) = site.person("ann@example.org").await;
    let good = device.request(&site, Method::POST, "/v1/messages", b"{}").authorization;
    let forged = good.replace("mac=\"", "mac=\"AAAA");
    for (authorization, status) in
        [("", "401"), (forged.as_str(), "401"), (good.as_str(), "408"), (good.as_str(), "401")]
    {
        let head = format!(
            "POST /v1/messages HTTP/1.1\r\nhost: 127.0.0.1:{}\r\ncontent-type: application/json\r\n\
             content-length: 2000000\r\nauthorization: {authorization}\r\n\r\n",
            site.port
        );
        // With the right head the body is waited for; that head is not good a second time.
        let answer = until_closed(&site, head.as_bytes()).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_goes_away_in_the_middle_of_a_write_leaves_nothing_half_done() {
    let site = Site::new().await;
    for round in 0..10_u64 {
        let request = Person::new(site.world.now()).register_request(&format!("p{round}@example.org"));
        let body = serde_json::to_vec(&request).unwrap();
        let head = format!(
            "POST /v1/registrations HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        let mut stream = TcpStream::connect(("127.0.0.1", site.port)).await.unwrap();
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.write_all(&body).await.unwrap();
        tokio::time::sleep(Duration::from_millis(round)).await;
        drop(stream);
        // Whatever the server had begun it ends; what never reached it is as if it had not been sent.
        let again: serde_json::Value = read(site.post("/v1/registrations", &request).await, 202).await;
        assert!(again["registration_id"].is_string());
        let path = format!("/v1/commands/{}", request.command_id);
        let status: CommandStatus = read(site.client.get(site.url(&path)).send().await.unwrap(), 200).await;
        assert_eq!(status.state, CommandState::Done);
        assert_eq!(site.world.mailboxes.codes(&format!("p{round}@example.org")).len(), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopping_server_ends_what_it_accepted() {
    let mut site = Site::new().await;
    let (_, device) = site.person("ann@example.org").await;
    let waiting = device.request(&site, Method::GET, "/v1/messages?wait=30", b"");
    let (client, url) = (site.client.clone(), site.url(&waiting.path));
    let fetch = tokio::spawn(async move {
        client.get(url).header("authorization", waiting.authorization).send().await.unwrap().status()
    });
    tokio::time::sleep(Duration::from_millis(300)).await;
    site.stop.cancel();
    // Who waits for messages is answered at once.
    let ended = tokio::time::timeout(Duration::from_secs(15), &mut site.served).await.unwrap();
    assert!(ended.unwrap(), "a request had not ended");
    assert_eq!(fetch.await.unwrap(), 200);
    assert!(site.client.get(site.url("/healthz")).send().await.is_err(), "it listens still");
}

/// Whether a new connection is answered within a second.
async fn is_answered(site: &Site) -> bool {
    let mut stream = TcpStream::connect(("127.0.0.1", site.port)).await.unwrap();
    stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await.unwrap();
    let mut octet = [0];
    tokio::time::timeout(Duration::from_secs(1), stream.read_exact(&mut octet)).await.is_ok()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_full_lets_others_wait_and_stops_all_the_same() {
    let mut site = Site::new().await;
    // A request under way on each of the connections that are allowed.
    let head = "POST /v1/registrations HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\n";
    let mut streams = Vec::new();
    for _ in 0..CONNECTIONS {
        let mut stream = TcpStream::connect(("127.0.0.1", site.port)).await.unwrap();
        stream.write_all(head.as_bytes()).await.unwrap();
        streams.push(stream);
    }
    let waiting = site.client.get(site.url("/healthz")).send();
    // A place is free once a body has not come in time.
    assert_eq!(tokio::time::timeout(Duration::from_secs(30), waiting).await.unwrap().unwrap().status(), 200);
    drop(streams);

    // Waits on all of them: stopping must not wait for a free place before it begins.
    let (_, device) = site.person("ann@example.org").await;
    let mut waits = Vec::new();
    for _ in 0..CONNECTIONS {
        let request = device.request(&site, Method::GET, "/v1/messages?wait=8", b"");
        let head = format!(
            "GET {} HTTP/1.1\r\nhost: 127.0.0.1:{}\r\nauthorization: {}\r\n\r\n",
            request.path, site.port, request.authorization
        );
        let mut stream = TcpStream::connect(("127.0.0.1", site.port)).await.unwrap();
        stream.write_all(head.as_bytes()).await.unwrap();
        waits.push(stream);
    }
    // Idle connections are closed after half a second: whoever gets no answer for longer came to a server that is full.
    let deadline = tokio::time::Instant::now() + Duration::from_secs(5);
    while is_answered(&site).await {
        assert!(tokio::time::Instant::now() < deadline, "it is never full");
    }
    site.stop.cancel();
    // Whoever comes now is turned away at once, and not after a wait has ended.
    let deadline = tokio::time::Instant::now() + Duration::from_secs(2);
    while TcpStream::connect(("127.0.0.1", site.port)).await.is_ok() {
        assert!(tokio::time::Instant::now() < deadline, "it listens still");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let ended = tokio::time::timeout(Duration::from_secs(30), &mut site.served).await.unwrap();
    assert!(ended.unwrap(), "a request had not ended");
    for mut stream in waits {
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_is_too_large_is_refused_before_it_is_read() {
    let site = Site::new().await;
    let (_, device) = site.person("ann@example.org").await;
    // A whole group's messages fit into one request, and other bodies are smaller.
    for (path, octets) in
        [("/v1/messages", MAX_SEND_OCTETS), ("/v1/signals", 2 * 1024 * 1024), ("/v1/lookups", 256 * 1024)]
    {
        let body = vec![b'a'; octets + 1];
        problem(site.signed(&device, Method::POST, path, &body).await, ProblemType::TooLarge).await;
    }
}

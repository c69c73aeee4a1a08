//! Hawk, and everything that is no Hawk.

use std::time::Duration;

use hmac::{Hmac, KeyInit as _, Mac as _};
use reqwest::Method;
use rossby_crypto::account::{AccountChange, AccountCommand};
use rossby_schemas::http::account::{AccountCommandRequest, AccountResponse, CommandResponse};
use rossby_schemas::http::lookup::LookupRequest;
use rossby_schemas::http::messages::{SendOutcome, SendRequest, SendResponse};
use rossby_schemas::http::problem::ProblemType;
use rossby_testing::{Person, command, until};
use sha2::Sha256;

use crate::site::{Device, Site, number, problem, read};

const ACCOUNT: &str = "/v1/account";

async fn refused(site: &Site, request: crate::site::SignedRequest) {
    let response = site.send(request).await;
    assert_eq!(response.headers()["www-authenticate"], "Hawk");
    let document = problem(response, ProblemType::Unauthenticated).await;
    assert_eq!((document.detail, document.errors.len()), (None, 0), "one answer for all");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signed_request_is_answered_and_a_spoilt_one_is_not() {
    let site = Site::new().await;
    let (ann, device) = site.person("ann@example.org").await;
    let account: AccountResponse = read(site.signed(&device, Method::GET, ACCOUNT, b"").await, 200).await;
    assert_eq!((account.box_id, account.device_id), (ann.box_id(), ann.device_id));

    let good = || device.request(&site, Method::GET, ACCOUNT, b"");
    let spoilt = |change: &dyn Fn(&str) -> String| {
        let mut request = good();
        request.authorization = change(&request.authorization);
        request
    };
    // Nothing, something else, a part of it, a MAC that isn't right, and times that no system has.
    for request in [
        spoilt(&|_| String::new()),
        spoilt(&|_| "Basic YTpi".to_owned()),
        spoilt(&|_| "Hawk".to_owned()),
        spoilt(&|_| format!("Hawk {}", "x".repeat(2000))),
        spoilt(&|header| header.replace("mac=\"", "mac=\"AAAA")),
        spoilt(&|header| header.replace("nonce=\"", "nonce=\"x")),
        spoilt(&|header| header.replace("ts=\"", "ts=\"1844674407370955161")),
        spoilt(&|_| "Hawk id=\"a\", ts=\"18446744073709551615\", nonce=\"n\", mac=\"AAAA\", hash=\"AAAA\"".to_owned()),
        spoilt(&|_| "Hawk id=\"a\",ts=18446744073709551615,nonce=\"n\", mac=\"AAAA\"".to_owned()),
        // The crate's parser takes all of these for the same attribute.
        spoilt(&|_| "Hawk id=\"a\", ts =\"18446744073709551615\", nonce=\"n\", mac=\"AAAA\"".to_owned()),
        spoilt(&|_| "Hawk id=\"a\", ts= \"18446744073709551615\", nonce=\"n\", mac=\"AAAA\"".to_owned()),
        spoilt(&|_| "Hawk id=\"a\" ts=\"18446744073709551615\" nonce=\"n\" mac=\"AAAA\"".to_owned()),
        spoilt(&|_| "Hawk id=\"a\"ts=\"18446744073709551615\"nonce=\"n\"mac=\"AAAA\"".to_owned()),
        spoilt(&|_| "Hawk id=\"a\", ts=\"+18446744073709551615\", nonce=\"n\", mac=\"AAAA\"".to_owned()),
        spoilt(&|_| "Hawk id=\"a,b\", ts=\"1\", ts\t=\"18446744073709551615\", nonce=\"n\", mac=\"AAAA\"".to_owned()),
        spoilt(&|header| header.replace("hash=\"", "hash=\"AAAA")),
    ] {
        refused(&site, request).await;
    }
    // Another path, another method, another body.
    let mut moved = good();
    moved.path = "/v1/messages".to_owned();
    refused(&site, moved).await;
    let mut changed = device.request(&site, Method::POST, "/v1/lookups", b"{}");
    changed.body = b"{\"box_id\":null}".to_vec();
    refused(&site, changed).await;
    let mut added = good();
    added.path = format!("{ACCOUNT}?bewit=AAAA");
    refused(&site, added).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_media_type_is_hashed_in_lower_case_and_without_its_parameters() {
    let site = Site::new().await;
    let (ann, device) = site.person("ann@example.org").await;
    let body = serde_json::to_vec(&LookupRequest { identifier: None, box_id: Some(ann.box_id()) }).unwrap();
    for media_type in ["application/json", "application/json; charset=utf-8", "Application/JSON ;charset=utf-8"] {
        let mut request = device.request(&site, Method::POST, "/v1/lookups", &body);
        request.media_type = media_type;
        assert_eq!(site.send(request).await.status(), 200, "{media_type}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_hash_the_host_and_the_token_must_be_right() {
    let site = Site::new().await;
    let (_, ann) = site.person("ann@example.org").await;
    let (_, ben) = site.person("ben@example.org").await;
    let request = |device: &Device, change: &dyn Fn(&mut crate::site::Signing)| {
        let mut signing = device.signing(&site);
        change(&mut signing);
        device.request_with(&site, Method::GET, ACCOUNT, b"", &signing)
    };
    refused(&site, request(&ann, &|signing| signing.with_hash = false)).await;
    refused(&site, request(&ann, &|signing| signing.host = "chat.example.org".to_owned())).await;
    // Another device's id with one's own key; another epoch; another secret; no id at all.
    let others = ben.token.id;
    refused(&site, request(&ann, &|signing| signing.id = others.to_string())).await;
    let mut id = ann.token.id;
    id.epoch = 2;
    refused(&site, request(&ann, &|signing| signing.id = id.to_string())).await;
    let mut id = ann.token.id;
    id.secret_number = 2;
    refused(&site, request(&ann, &|signing| signing.id = id.to_string())).await;
    refused(&site, request(&ann, &|signing| signing.id = "ann".to_owned())).await;
    // Sent to another host than it was signed for.
    let good = request(&ann, &|_| {});
    let response = site
        .client
        .get(site.url(ACCOUNT))
        .header("host", "chat.example.org")
        .header("authorization", good.authorization)
        .send()
        .await
        .unwrap();
    problem(response, ProblemType::Unauthenticated).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_counts_once_and_in_its_time() {
    let site = Site::new().await;
    let (_, device) = site.person("ann@example.org").await;
    let request = device.request(&site, Method::GET, ACCOUNT, b"");
    assert_eq!(site.send(request.clone()).await.status(), 200);
    refused(&site, request.clone()).await;

    // A clock that is wrong is told the time, with a MAC.
    let now = site.world.now().millis() / 1000;
    for ts in [now - 61, now + 61] {
        let mut signing = device.signing(&site);
        signing.ts = ts;
        let response = site.send(device.request_with(&site, Method::GET, ACCOUNT, b"", &signing)).await;
        let challenge = response.headers()["www-authenticate"].to_str().unwrap().to_owned();
        problem(response, ProblemType::StaleTimestamp).await;
        let mut mac = Hmac::<Sha256>::new_from_slice(device.token.hawk_key.as_bytes()).unwrap();
        mac.update(format!("hawk.1.ts\n{now}\n").as_bytes());
        use base64::Engine as _;
        let tsm = base64::engine::general_purpose::STANDARD.encode(mac.finalize().into_bytes());
        assert!(challenge.contains(&format!("ts=\"{now}\", tsm=\"{tsm}\"")), "{challenge}");
    }
    // A nonce that is longer than any of ours.
    let mut signing = device.signing(&site);
    signing.nonce = "n".repeat(64);
    let longest = device.request_with(&site, Method::GET, ACCOUNT, b"", &signing);
    assert_eq!(site.send(longest).await.status(), 200);
    signing.nonce.push('n');
    refused(&site, device.request_with(&site, Method::GET, ACCOUNT, b"", &signing)).await;
    // What was signed before the process started may have been seen by the one before.
    let mut signing = device.signing(&site);
    signing.ts = now - 1;
    let response = site.send(device.request_with(&site, Method::GET, ACCOUNT, b"", &signing)).await;
    problem(response, ProblemType::StaleTimestamp).await;
    // The first request's nonce is not good again while its time is.
    site.world.clock.advance(Duration::from_secs(59));
    refused(&site, request).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_signed_asks_nothing_of_the_read_models() {
    let site = Site::new().await;
    let (_, device) = site.person("ann@example.org").await;
    site.world.models.close().await;
    let request = || device.request(&site, Method::GET, ACCOUNT, b"");
    problem(site.send(request()).await, ProblemType::Unavailable).await;
    let mut forged = request();
    forged.authorization = forged.authorization.replace("mac=\"", "mac=\"AAAA");
    refused(&site, forged).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_refused_for_coming_too_often_is_not_remembered() {
    let site = Site::with_limits((number(1), number(1)), (number(1000), number(1000))).await;
    let (_, device) = site.person("ann@example.org").await;
    let request = || device.request(&site, Method::GET, ACCOUNT, b"");
    assert_eq!(site.send(request()).await.status(), 200);
    let early = request();
    let mut answer = site.send(early.clone()).await.status();
    // The same request is good once its time has come.
    for _ in 0..200 {
        if answer != 429 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
        answer = site.send(early.clone()).await.status();
    }
    assert_eq!(answer, 200);
    tokio::time::sleep(Duration::from_millis(1100)).await;
    refused(&site, early).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_device_is_refused_at_once() {
    let site = Site::new().await;
    let (ann, device) = site.person("ann@example.org").await;
    revoke(&site, &ann, &device).await;
    refused(&site, device.request(&site, Method::GET, ACCOUNT, b"")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_that_is_revoked_while_it_waits_gets_nothing_of_what_comes() {
    let site = Site::new().await;
    let (ann, device) = site.person("ann@example.org").await;
    let (ben, ben_device) = site.person("ben@example.org").await;
    let before = site.world.service.looks();
    let request = device.request(&site, Method::GET, "/v1/messages?wait=30", b"");
    let (client, url) = (site.client.clone(), site.url(&request.path));
    let fetch =
        tokio::spawn(
            async move { client.get(url).header("authorization", request.authorization).send().await.unwrap() },
        );
    until("it waits", async || site.world.service.looks() > before).await;
    revoke(&site, &ann, &device).await;
    let send = SendRequest { messages: vec![ben.message(&ann, "hello", 1, site.world.now())] };
    let sent: SendResponse = read(site.signed_json(&ben_device, "/v1/messages", &send).await, 200).await;
    assert!(matches!(sent.results[0].outcome, SendOutcome::Accepted { .. }), "{sent:?}");
    problem(fetch.await.unwrap(), ProblemType::Unauthenticated).await;
}

async fn revoke(site: &Site, person: &Person, device: &Device) {
    let revoke = AccountCommand {
        command_id: command(),
        box_id: person.box_id(),
        expected_version: 1,
        device_id: person.device_id,
        time: site.world.now(),
        change: AccountChange::RevokeToken { device_id: person.device_id, epoch: 2 },
    };
    let signed = revoke.sign(&person.key);
    let request = AccountCommandRequest { command: signed.command, signature: signed.signature };
    let done: CommandResponse = read(site.signed_json(device, "/v1/account/commands", &request).await, 200).await;
    assert_eq!(done.version, 2);
}

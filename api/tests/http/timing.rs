//! Unknown, undiscoverable and blocked take the same time: a statistical test on interleaved pairs, which would see an injected
//! difference. No absolute time is asked for, so a slow machine makes it slower and not wrong: both sides of a pair wait alike.

use std::time::{Duration, Instant};

use axum::extract::Request;
use axum::middleware::{Next, from_fn};
use rand_core::Rng as _;
use reqwest::Method;
use rossby_crypto::account::AccountChange;
use rossby_crypto::keyed_hash::MasterSecret;
use rossby_schemas::events::profiles::Audience;
use rossby_schemas::http::lookup::LookupRequest;
use rossby_schemas::http::messages::{OutgoingMessage, SendRequest};
use rossby_schemas::http::signals::SignalRequest;
use rossby_testing::{Person, rng};
use serde::Serialize;

use crate::privacy::change;
use crate::site::{Device, Site};

/// How many pairs are measured.
const PAIRS: usize = 200;
/// By how many standard deviations two samples of one distribution differ less than once in a million times.
const SURE: f64 = 5.0;
/// Asks a test's server to take a moment more.
const DELAY: &str = "x-test-delay";

/// The server's own work, and a moment more where the request asks for it.
async fn delay(request: Request, next: Next) -> axum::response::Response {
    let is_delayed = request.headers().contains_key(DELAY);
    let response = next.run(request).await;
    if is_delayed {
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_millis(2) {
            std::hint::spin_loop();
        }
    }
    response
}

/// Ann, and three whom she can't find or write to, each for another reason.
struct Town {
    site: Site,
    ann: Person,
    device: Device,
    hidden: Person,
    blocker: Person,
    stranger: Person,
}

async fn town() -> Town {
    let site = Site::wrapped(|router| router.layer(from_fn(delay))).await;
    let (ann, device) = site.person("ann@example.org").await;
    let (hidden, hidden_device) = site.person("hidden@example.org").await;
    let (blocker, blocker_device) = site.person("blocker@example.org").await;
    change(&site, &hidden, &hidden_device, 0, AccountChange::SetDiscoverable(Audience::Nobody)).await;
    change(&site, &hidden, &hidden_device, 1, AccountChange::SetAcceptFrom(Audience::Nobody)).await;
    let tag = MasterSecret::new(1, &[7; 32]).acl_key(blocker.box_id()).tag(ann.box_id());
    change(&site, &blocker, &blocker_device, 0, AccountChange::Block(tag)).await;
    let stranger = Person::new(site.world.now());
    Town { site, ann, device, hidden, blocker, stranger }
}

impl Town {
    /// How long one request takes.
    async fn time(&self, path: &str, body: &impl Serialize, is_delayed: bool) -> Duration {
        let body = serde_json::to_vec(body).unwrap();
        let mut request = self.device.request(&self.site, Method::POST, path, &body);
        if is_delayed {
            request.headers.push((DELAY, "1".to_owned()));
        }
        let begun = Instant::now();
        self.site.send(request).await.bytes().await.unwrap();
        begun.elapsed()
    }

    /// By how many standard deviations the times of two requests differ, measured in pairs of random order. With `is_delayed` the
    /// first of the two is slower by a moment.
    async fn difference<T: Serialize>(
        &self,
        path: &str,
        (one, other): (impl Fn() -> T, impl Fn() -> T),
        is_delayed: bool,
    ) -> f64 {
        let (mut ones, mut others) = (Vec::new(), Vec::new());
        for _ in 0..PAIRS {
            if rng().next_u32().is_multiple_of(2) {
                ones.push(self.time(path, &one(), is_delayed).await);
                others.push(self.time(path, &other(), false).await);
            } else {
                others.push(self.time(path, &other(), false).await);
                ones.push(self.time(path, &one(), is_delayed).await);
            }
        }
        mann_whitney(&ones, &others)
    }
}

/// The statistic U of Mann and Whitney, in standard deviations from what two samples of one distribution give.
fn mann_whitney(ones: &[Duration], others: &[Duration]) -> f64 {
    let greater = ones.iter().flat_map(|one| others.iter().map(move |other| one.cmp(other)));
    let u: f64 = greater
        .map(|ordering| match ordering {
            std::cmp::Ordering::Greater => 1.0,
            std::cmp::Ordering::Equal => 0.5,
            std::cmp::Ordering::Less => 0.0,
        })
        .sum();
    let (n, m) = (ones.len() as f64, others.len() as f64);
    (u - n * m / 2.0) / (n * m * (n + m + 1.0) / 12.0).sqrt()
}

#[test]
fn the_statistic_tells_samples_apart() {
    let millis = |times: &[u64]| times.iter().map(|time| Duration::from_millis(*time)).collect::<Vec<_>>();
    assert!(mann_whitney(&millis(&[1, 2, 3]), &millis(&[1, 2, 3])).abs() < 1e-9);
    // From a table: U is 0 of 9, three values against three.
    let z = mann_whitney(&millis(&[1, 2, 3]), &millis(&[4, 5, 6]));
    assert!((z + 4.5 / 5.25_f64.sqrt()).abs() < 1e-9, "{z}");
}

#[tokio::test(flavor = "multi_thread")]
async fn look_ups_take_the_same_time() {
    let town = town().await;
    let by_identifier =
        |name: &'static str| move || LookupRequest { identifier: Some(format!("{name}@example.org")), box_id: None };
    let by_box = |person: &Person| {
        let box_id = person.box_id();
        move || LookupRequest { identifier: None, box_id: Some(box_id) }
    };
    let path = "/v1/lookups";
    for (what, z) in [
        ("blocked", town.difference(path, (by_identifier("blocker"), by_identifier("nobody")), false).await),
        ("hidden", town.difference(path, (by_identifier("hidden"), by_identifier("nobody")), false).await),
    ] {
        assert!(z.abs() < SURE, "{what} and unknown identifiers differ by {z} standard deviations");
    }
    let z = town.difference(path, (by_box(&town.blocker), by_box(&town.stranger)), false).await;
    assert!(z.abs() < SURE, "blocked and unknown boxes differ by {z} standard deviations");
    let z = town.difference(path, (by_box(&town.blocker), by_box(&town.stranger)), true).await;
    assert!(z > SURE, "an injected difference is not seen: {z}");
}

/// A message of Ann's to one of them.
fn message<'a>(town: &'a Town, to: &'static str) -> impl Fn() -> OutgoingMessage + 'a {
    let to = match to {
        "blocker" => &town.blocker,
        "hidden" => &town.hidden,
        _ => &town.stranger,
    };
    move || town.ann.message(to, "hello", 1, town.site.world.now())
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_take_the_same_time() {
    let town = town().await;
    let to = |who: &'static str| {
        let message = message(&town, who);
        move || SendRequest { messages: vec![message()] }
    };
    let path = "/v1/messages";
    for who in ["blocker", "hidden"] {
        let z = town.difference(path, (to(who), to("stranger")), false).await;
        assert!(z.abs() < SURE, "messages to {who} and to nobody differ by {z} standard deviations");
    }
    let z = town.difference(path, (to("blocker"), to("stranger")), true).await;
    assert!(z > SURE, "an injected difference is not seen: {z}");
}

#[tokio::test(flavor = "multi_thread")]
async fn signals_take_the_same_time() {
    let town = town().await;
    let to = |who: &'static str| {
        let message = message(&town, who);
        move || SignalRequest { signals: vec![message()] }
    };
    let path = "/v1/signals";
    for who in ["blocker", "hidden"] {
        let z = town.difference(path, (to(who), to("stranger")), false).await;
        assert!(z.abs() < SURE, "signals to {who} and to nobody differ by {z} standard deviations");
    }
    let z = town.difference(path, (to("blocker"), to("stranger")), true).await;
    assert!(z > SURE, "an injected difference is not seen: {z}");
}

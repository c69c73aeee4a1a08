//! Codes by webhook.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::post;
use hmac::{Hmac, KeyInit as _, Mac as _};
use rossby_api::notify::{BadWebhook, Console, Notifiers, SIGNATURE_HEADER, TIMESTAMP_HEADER, Webhook};
use rossby_commands::{CodeSender as _, SendCodeError};
use rossby_schemas::time::ManualClock;
use serde_json::json;
use sha2::Sha256;

use crate::{CODE, EXPIRES_AT, code, expires_at, identifier};

const SECRET: &str = "a secret of the webhook";
const NOW: &str = "2026-11-24T09:00:00Z";
const NOW_SECONDS: &str = "1795510800";
const PHONE: &str = "tel:+15551234567";

/// A receiver that gives the answers it was told, and keeps what came.
#[derive(Clone, Default)]
struct Receiver {
    answers: Arc<Mutex<VecDeque<StatusCode>>>,
    came: Arc<Mutex<Vec<(HeaderMap, Bytes)>>>,
}

async fn receive(State(receiver): State<Receiver>, headers: HeaderMap, body: Bytes) -> impl IntoResponse {
    receiver.came.lock().unwrap().push((headers, body));
    let status = receiver.answers.lock().unwrap().pop_front().unwrap_or(StatusCode::NO_CONTENT);
    (status, [(header::LOCATION, "/elsewhere")])
}

impl Receiver {
    /// Starts a receiver. Gives its address too.
    async fn start(answers: &[StatusCode]) -> (Self, String) {
        let receiver = Self::default();
        receiver.answers.lock().unwrap().extend(answers);
        let router = Router::new()
            .route("/codes", post(receive))
            .route("/elsewhere", post(receive).get(receive))
            .with_state(receiver.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/codes?key=hidden", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await });
        (receiver, url)
    }

    fn came(&self) -> Vec<(HeaderMap, Bytes)> {
        self.came.lock().unwrap().clone()
    }
}

fn webhook(url: &str) -> Webhook {
    Webhook::new(url, SECRET, Arc::new(ManualClock::new(NOW.parse().unwrap()))).unwrap()
}

async fn send(url: &str) -> Result<(), SendCodeError> {
    webhook(url).send(&identifier(PHONE), &code(), expires_at()).await
}

/// What a receiver does, by the documents.
fn verify(headers: &HeaderMap, body: &[u8]) {
    assert_eq!(headers[header::CONTENT_TYPE], "application/json");
    assert_eq!(headers[TIMESTAMP_HEADER], NOW_SECONDS);
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
    mac.update(headers[TIMESTAMP_HEADER].as_bytes());
    mac.update(b".");
    mac.update(body);
    let signature = headers[SIGNATURE_HEADER].to_str().unwrap().strip_prefix("v1=").unwrap();
    mac.verify_slice(&hex::decode(signature).unwrap()).unwrap();
}

#[tokio::test]
async fn a_code_is_posted_and_signed() {
    let (receiver, url) = Receiver::start(&[]).await;
    let notifiers = Notifiers { email: Arc::new(Console), sms: Arc::new(webhook(&url)) };
    notifiers.send(&identifier("+1 (555) 123-4567"), &code(), expires_at()).await.unwrap();
    let came = receiver.came();
    assert_eq!(came.len(), 1);
    verify(&came[0].0, &came[0].1);
    let body: serde_json::Value = serde_json::from_slice(&came[0].1).unwrap();
    assert_eq!(body, json!({ "to": "+15551234567", "code": CODE, "expires_at": EXPIRES_AT }));
    // Email goes the other way.
    notifiers.send(&identifier("ann@example.org"), &code(), expires_at()).await.unwrap();
    assert_eq!(receiver.came().len(), 1);
}

#[tokio::test]
async fn a_notice_of_a_claim_is_told_from_a_code_by_its_fields() {
    let (receiver, url) = Receiver::start(&[]).await;
    webhook(&url).tell_of_claim(&identifier(PHONE), expires_at()).await.unwrap();
    let came = receiver.came();
    verify(&came[0].0, &came[0].1);
    let body: serde_json::Value = serde_json::from_slice(&came[0].1).unwrap();
    assert_eq!(body, json!({ "to": "+15551234567", "notice": "claimed", "effective_at": EXPIRES_AT }));
}

#[tokio::test]
async fn what_passes_is_tried_again_and_signed_again() {
    let (receiver, url) = Receiver::start(&[StatusCode::SERVICE_UNAVAILABLE, StatusCode::TOO_MANY_REQUESTS]).await;
    send(&url).await.unwrap();
    let came = receiver.came();
    assert_eq!(came.len(), 3);
    for (headers, body) in came {
        verify(&headers, &body);
    }
}

#[tokio::test]
async fn a_refusal_is_final_and_a_code_is_not_sent_elsewhere() {
    for status in [StatusCode::BAD_REQUEST, StatusCode::UNAUTHORIZED, StatusCode::FOUND, StatusCode::TEMPORARY_REDIRECT]
    {
        let (receiver, url) = Receiver::start(&[status]).await;
        let error = send(&url).await.unwrap_err().to_string();
        assert_eq!(receiver.came().len(), 1, "{status}");
        assert!(error.contains(status.as_str()), "{error}");
        for hidden in [CODE, "5551234567", SECRET, "hidden"] {
            assert!(!error.contains(hidden), "{error}");
        }
    }
}

#[test]
fn secrets_are_not_shown_and_bad_settings_are_refused() {
    let shown = format!("{:?}", webhook("https://user:hunter2@sms.example.org/codes?key=hidden"));
    assert!(shown.contains("sms.example.org"), "{shown}");
    for hidden in [SECRET, "hunter2", "hidden"] {
        assert!(!shown.contains(hidden), "{shown}");
    }
    let clock = || Arc::new(ManualClock::new(NOW.parse().unwrap()));
    for bad in ["", "sms.example.org", "ftp://sms.example.org", "file:///etc/passwd"] {
        assert_eq!(Webhook::new(bad, SECRET, clock()).unwrap_err(), BadWebhook::Url, "{bad}");
    }
}

//! A server's address, and what becomes of its refusals.

use std::sync::atomic::AtomicBool;

use rossby_crypto::keyed_hash::MasterSecret;
use rossby_schemas::http::problem::ProblemType;
use rossby_schemas::ids::{BoxId, DeviceId};
use rossby_schemas::time::SystemClock;
use uuid::Uuid;

use super::*;

#[test]
fn a_server_is_scheme_host_and_port() {
    let url = |text: &str| Http::new(text, Arc::new(SystemClock)).map(|http| http.url().to_owned());
    assert_eq!(url("http://127.0.0.1:7700/").unwrap(), "http://127.0.0.1:7700");
    assert_eq!(url("https://Rossby.example.org").unwrap(), "https://rossby.example.org");
    for bad in [
        "",
        "rossby.example.org",
        "ftp://rossby.example.org",
        "http://",
        "http://a.example/path",
        "http://a.example/?q",
        "http://ann:secret@a.example",
    ] {
        assert!(matches!(url(bad), Err(ClientError::BadServer(_))), "{bad}");
    }
}

#[test]
fn plain_http_to_others_is_overheard() {
    let is_overheard = |text: &str| Http::new(text, Arc::new(SystemClock)).unwrap().is_overheard();
    for own in ["http://127.0.0.1:7700", "http://localhost:7700", "http://[::1]:7700", "https://a.example"] {
        assert!(!is_overheard(own), "{own}");
    }
    for open in ["http://192.168.1.2:7700", "http://a.example"] {
        assert!(is_overheard(open), "{open}");
    }
}
/// A server at another time, which knows nobody.
async fn other_time(key: HawkKey) -> String {
    let asked = AtomicBool::new(false);
    let answer = move || {
        let is_first = !asked.swap(true, Ordering::SeqCst);
        let kind = if is_first { ProblemType::StaleTimestamp } else { ProblemType::NoSuchRecipient };
        let status = StatusCode::from_u16(kind.status()).unwrap();
        let challenge = hawk::challenge("1795512600", &key);
        let answer = (status, [(WWW_AUTHENTICATE, challenge)], serde_json::to_string(&Problem::new(kind)).unwrap());
        std::future::ready(answer)
    };
    let answer = Arc::new(answer);
    let router = axum::Router::new().fallback(move || answer());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async { axum::serve(listener, router).await });
    url
}

#[tokio::test]
async fn a_wrong_clock_does_not_hide_why_a_request_is_refused() {
    let key = HawkKey::from_bytes(&[7; 32]);
    let http = Http::new(&other_time(key.clone()).await, Arc::new(SystemClock)).unwrap();
    let id = MasterSecret::new(1, &[7; 32]).token_id(BoxId(Uuid::nil()), DeviceId(Uuid::nil()), 0);
    let refused = http.call::<()>(&Call::get("/v1/account"), Some(&Token { id, key })).await.unwrap_err();
    assert_eq!(refused.problem(), Some(ProblemType::NoSuchRecipient));
}

//! A server's address, and what becomes of its refusals.

use std::sync::atomic::AtomicUsize;

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

/// Serves, and gives the URL.
async fn served(router: axum::Router) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async { axum::serve(listener, router).await });
    url
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
    served(axum::Router::new().fallback(move || answer())).await
}

#[tokio::test]
async fn a_wrong_clock_does_not_hide_why_a_request_is_refused() {
    let key = HawkKey::from_bytes(&[7; 32]);
    let http = Http::new(&other_time(key.clone()).await, Arc::new(SystemClock)).unwrap();
    let id = MasterSecret::new(1, &[7; 32]).token_id(BoxId(Uuid::nil()), DeviceId(Uuid::nil()), 0);
    let refused = http.call::<()>(&Call::get("/v1/account"), Some(&Token { id, key })).await.unwrap_err();
    assert_eq!(refused.problem(), Some(ProblemType::NoSuchRecipient));
}

/// Answers in turn, the last one again and again, to whatever is asked.
async fn proxy(answers: &'static [u16]) -> String {
    let asked = AtomicUsize::new(0);
    let answer = Arc::new(move || {
        let turn = asked.fetch_add(1, Ordering::SeqCst).min(answers.len() - 1);
        let page = "<html><body><h1>Away</h1></body></html>";
        std::future::ready((StatusCode::from_u16(answers[turn]).unwrap(), page))
    });
    served(axum::Router::new().fallback(move || answer())).await
}

#[tokio::test]
async fn what_a_proxy_says_of_a_server_that_is_away_is_not_known_to_be_done_or_not() {
    let pause = Duration::from_millis(1);
    let retries = Retries { times: 1, first_pause: pause, longest_pause: pause };
    let asked = async |answers, call: &Call| {
        let http = Http::new(&proxy(answers).await, Arc::new(SystemClock)).unwrap().asked_again(retries);
        let error = http.call::<()>(call, None).await.unwrap_err();
        (error.name(), error.to_string())
    };
    let (question, change) = (Call::get("/v1/account"), Call::post("/v1/account/commands", &()));
    for (answers, status) in
        [(&[502][..], "502 Bad Gateway"), (&[503], "503 Service Unavailable"), (&[504], "504 Gateway Timeout")]
    {
        let (name, text) = asked(answers, &question).await;
        assert_eq!(name, "unreachable");
        assert!(text.ends_with(&format!("a proxy in front of it answers {status}; try again in a while")), "{text}");
        let (name, text) = asked(answers, &change).await;
        assert_eq!(name, "outcome-unknown");
        assert!(text.contains(status) && text.contains("not known whether it has done this"), "{text}");
        assert_eq!(asked(answers, &Call::post("/v1/lookups", &()).harmless()).await.0, "unreachable");
    }
    // What else has no problem document is no server's.
    assert_eq!(asked(&[500], &change).await.0, "bad-answer");
}

#[tokio::test]
async fn what_never_left_was_not_done_and_what_came_through_once_may_be() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let pause = Duration::from_millis(200);
    let http = || {
        let retries = Retries { times: 3, first_pause: pause, longest_pause: pause };
        Http::new(&url, Arc::new(SystemClock)).unwrap().asked_again(retries)
    };
    let change = Call::post("/v1/account/commands", &());
    // One takes the request and is gone; then nobody listens any more.
    let once = tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        let mut begin = [0; 4];
        tokio::io::AsyncReadExt::read_exact(&mut socket, &mut begin).await.unwrap();
    });
    assert_eq!(http().call::<()>(&change, None).await.unwrap_err().name(), "outcome-unknown");
    once.await.unwrap();
    assert_eq!(http().call::<()>(&change, None).await.unwrap_err().name(), "unreachable");
}

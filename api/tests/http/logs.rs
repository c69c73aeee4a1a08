//! The server's own log lines hold nothing that is personal or secret.

use std::io::Write;
use std::sync::{Arc, Mutex, OnceLock};

use reqwest::Method;
use rossby_schemas::http::blobs::UploadResponse;
use rossby_schemas::http::lookup::LookupRequest;
use rossby_schemas::http::messages::{SendRequest, SendResponse};
use rossby_schemas::http::stream::{ServerFrame, close};
use tokio_tungstenite::tungstenite::Message;
use tracing_subscriber::filter::LevelFilter;

use crate::site::{Site, read};
use crate::stream_client::Stream;

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, octets: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(octets)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Lines {
    /// Everything that this process logs, of every test.
    fn captured() -> &'static Self {
        static LINES: OnceLock<Lines> = OnceLock::new();
        LINES.get_or_init(|| {
            let lines = Lines::default();
            let writer = lines.clone();
            tracing_subscriber::fmt()
                .with_max_level(LevelFilter::DEBUG)
                .with_ansi(false)
                .with_writer(move || writer.clone())
                .init();
            lines
        })
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap()).into_owned()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_log_line_holds_an_identifier_a_secret_a_body_or_a_query() {
    let lines = Lines::captured();
    let site = Site::new().await;
    let (ann, device) = site.person("logged-ann@example.org").await;
    let (ben, _) = site.person("+1 555 010 7733").await;
    let message = ann.message(&ben, "hello", 1, site.world.now());
    let request = SendRequest { messages: vec![message.clone()] };
    let _: SendResponse = read(site.signed_json(&device, "/v1/messages", &request).await, 200).await;
    let lookup = LookupRequest { identifier: Some("logged-nobody@example.org".to_owned()), box_id: None };
    assert_eq!(site.signed_json(&device, "/v1/lookups", &lookup).await.status(), 404);
    // What is wrong is logged no more than what is right.
    let spoilt = br#"{"identifier": "logged-eve@example.org", "logged-field": 1}"#;
    assert_eq!(site.signed(&device, Method::POST, "/v1/lookups", spoilt).await.status(), 400);
    let mut forged = device.request(&site, Method::GET, "/v1/account?logged-query=1", b"");
    forged.authorization = forged.authorization.replace("mac=\"", "mac=\"loggedmac");
    let authorization = forged.authorization.clone();
    assert_eq!(site.send(forged).await.status(), 401);
    let upload = serde_json::json!({
        "upload_key": "bG9nZ2VkLXVwbG9hZC1rZXktb2YtMzItb2N0ZXRzLiE", "octets": 5, "expires_at": site.world.now().plus(rossby_testing::DAY),
    });
    let upload: UploadResponse = read(site.signed_json(&device, "/v1/blobs", &upload).await, 200).await;
    let blob = format!("/v1/blobs/{}", upload.blob_id);
    assert_eq!(site.signed(&device, Method::GET, &blob, b"").await.status(), 404);
    // Nor is what goes over a stream.
    let mut stream = Stream::open(&site, &device).await;
    stream.send(Message::text(r#"{"type":"logged-type","ref":1,"logged-key":"logged-value"}"#)).await;
    while !matches!(stream.frame().await, ServerFrame::Problem { .. }) {}
    stream.send(Message::text("logged-nonsense")).await;
    while !matches!(stream.frame().await, ServerFrame::Problem { .. }) {}
    assert_eq!(stream.closed().await.0, close::MALFORMED);
    let last = site.client.get(site.url("/v1/commands/logged-path?token=logged-token")).send().await.unwrap();
    assert_eq!(last.status(), 400);

    let text = lines.text();
    // It can find what is there.
    let id = last.headers()["x-request-id"].to_str().unwrap();
    for there in [id, "/v1/commands/{command_id}", "/v1/lookups", "answered", "a stream ended"] {
        assert!(text.contains(there), "{there}");
    }
    let key = device.token.hawk_key.as_bytes();
    let nonce = authorization.split("nonce=\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap();
    for (what, hidden) in [
        ("an identifier, a body, a query or a path", "logged-".to_owned()),
        ("a phone number", "5550107733".to_owned()),
        ("a mac", "loggedmac".to_owned()),
        ("a nonce", nonce.to_owned()),
        ("a token's id", device.token.id.to_string()),
        ("a token's key", hex::encode(key)),
        ("a token's key", format!("{key:?}")),
        ("a blob", upload.blob_id.to_string()),
        ("an upload's key", "bG9nZ2VkLXVwbG9hZC1rZXkt".to_owned()),
        ("a code", site.world.mailboxes.codes("logged-ann@example.org")[0].clone()),
        ("a message", message.value.to_string()[..40].to_owned()),
    ] {
        let line = text.lines().find(|line| line.contains(&hidden));
        assert_eq!(line, None, "{what}");
    }
}

//! A proxy between a person and the server: it records what goes by, and can change the server's answers. The person's
//! process is told of it by the usual variable, so that nothing else is different.

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use rossby_schemas::http::problem::{Problem, ProblemType};
use serde_json::Value;
use tokio::net::TcpListener;

use crate::human::Human;

/// One request and its answer.
#[derive(Debug, Clone)]
pub(crate) struct Exchange {
    pub(crate) path: String,
    /// The request's line and headers.
    pub(crate) head: String,
    pub(crate) request: Vec<u8>,
    pub(crate) answer: Vec<u8>,
}

type Change = Box<dyn FnMut(&str, &mut Value) + Send>;

#[derive(Clone)]
pub(crate) struct Relay {
    url: String,
    client: reqwest::Client,
    exchanges: Arc<Mutex<Vec<Exchange>>>,
    change: Arc<Mutex<Change>>,
    /// How many answers to messages that are sent get lost from now on.
    lost: Arc<AtomicUsize>,
    /// Whether it answers by itself, as a proxy does whose server is away.
    away: Arc<Mutex<Option<Away>>>,
}

/// How a proxy answers for a server that is away.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Away {
    pub(crate) status: u16,
    /// Whether the server gets what is changed all the same; what only asks is answered as ever then.
    pub(crate) passes_on: bool,
}

impl fmt::Debug for Relay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Relay").field("url", &self.url).finish_non_exhaustive()
    }
}

impl Relay {
    pub(crate) async fn start() -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let change: Arc<Mutex<Change>> = Arc::new(Mutex::new(Box::new(|_, _| {})));
        let relay = Self { url, client, exchanges: Arc::default(), change, lost: Arc::default(), away: Arc::default() };
        let router = Router::new().fallback(pass).with_state(relay.clone());
        tokio::spawn(async { axum::serve(listener, router).await });
        relay
    }

    /// The person, whose requests go through this proxy from now on.
    pub(crate) fn between(&self, human: &Human) -> Human {
        human.with("http_proxy", &self.url)
    }

    pub(crate) fn exchanges(&self) -> Vec<Exchange> {
        self.exchanges.lock().unwrap().clone()
    }

    /// Changes the server's answers from now on: the path and the document.
    pub(crate) fn change(&self, change: impl FnMut(&str, &mut Value) + Send + 'static) {
        *self.change.lock().unwrap() = Box::new(change);
    }

    /// Answers by itself from now on, or no longer.
    pub(crate) fn is_away(&self, away: Option<Away>) {
        *self.away.lock().unwrap() = away;
    }

    /// The page that a proxy shows in place of this request's answer, if the server is away; and whether the server gets it.
    fn page(&self, is_change: bool) -> Option<(Response, bool)> {
        let Away { status, passes_on } = (*self.away.lock().unwrap())?;
        if passes_on && !is_change {
            return None;
        }
        let page = format!("<!doctype html><html><head><title>{status}</title></head><body><hr>nginx</body></html>");
        let response = Response::builder().status(status).header("content-type", "text/html");
        Some((response.body(Body::from(page)).unwrap(), passes_on))
    }

    /// Loses the next answers to messages that are sent: the server has them, and their sender doesn't know.
    pub(crate) fn lose(&self, answers: usize) {
        self.lost.store(answers, Ordering::SeqCst);
    }

    /// Whether this answer is one to be lost.
    fn loses(&self, path: &str) -> bool {
        let one_less = |left: usize| left.checked_sub(1);
        path == "/v1/messages" && self.lost.fetch_update(Ordering::SeqCst, Ordering::SeqCst, one_less).is_ok()
    }
}

async fn pass(State(relay): State<Relay>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, usize::MAX).await.unwrap();
    let head = format!("{} {} {:?}", parts.method, parts.uri, parts.headers);
    let path = parts.uri.path().to_owned();
    let method = parts.method.clone();
    let page = relay.page(method != "GET" && path != "/v1/lookups");
    let page = match page {
        Some((page, false)) => return page,
        page => page.map(|(page, _)| page),
    };
    let mut forwarded = relay.client.request(parts.method, parts.uri.to_string()).body(body.clone());
    for (name, value) in &parts.headers {
        if !matches!(name.as_str(), "content-length" | "transfer-encoding" | "proxy-connection" | "connection") {
            forwarded = forwarded.header(name, value);
        }
    }
    let Ok(answer) = forwarded.send().await else {
        return Response::builder().status(502).body(Body::empty()).unwrap();
    };
    let (mut status, headers) = (answer.status(), answer.headers().clone());
    let mut text = answer.bytes().await.unwrap().to_vec();
    if let Ok(mut document) = serde_json::from_slice(&text) {
        (relay.change.lock().unwrap())(&path, &mut document);
        text = serde_json::to_vec(&document).unwrap();
    }
    if let Some(page) = page {
        return page;
    }
    if method == "POST" && relay.loses(&path) {
        status = StatusCode::SERVICE_UNAVAILABLE;
        text = serde_json::to_vec(&Problem::new(ProblemType::OutcomeUnknown)).unwrap();
    }
    let exchange = Exchange { path, head, request: body.to_vec(), answer: text.clone() };
    relay.exchanges.lock().unwrap().push(exchange);
    let mut response = Response::builder().status(status);
    for name in ["content-type", "content-range", "www-authenticate", "retry-after"] {
        if let Some(value) = headers.get(name) {
            response = response.header(name, value);
        }
    }
    response.body(Body::from(text)).unwrap()
}

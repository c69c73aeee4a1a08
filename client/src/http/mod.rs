//! Requests to the server. Every write carries an id, so that sending it again is safe: what can't be reached, or doesn't
//! know its outcome, is asked again a few times.

mod hawk;
mod retries;
mod upgrade;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use backon::Retryable as _;
use bytes::Bytes;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, DATE, HeaderName, WWW_AUTHENTICATE};
use reqwest::{Method, Response, StatusCode, Url, redirect};
pub use retries::Retries;
use retries::{NO_ANSWER, passes};
use rossby_crypto::keyed_hash::{HawkKey, TokenId};
use rossby_crypto::statements::MAX_CLOCK_DIFFERENCE;
use rossby_schemas::http::problem::Problem;
use rossby_schemas::time::{Clock, Timestamp};
use serde::Serialize;
use serde::de::DeserializeOwned;
use zeroize::Zeroizing;

pub(crate) use self::upgrade::WebSocket;
use crate::error::ClientError;

/// No answer is longer: a fetch's bound, times the longest message, as base64url, with room.
const MAX_ANSWER: usize = 64 * 1024 * 1024;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Less than the ten seconds after which a server closes a connection on which nothing is asked, so that no request meets its end.
const IDLE_TIMEOUT: Duration = Duration::from_secs(5);
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

/// What a device signs its requests with.
#[derive(Debug, Clone)]
pub(crate) struct Token {
    pub(crate) id: TokenId,
    pub(crate) key: HawkKey,
}

/// The server, as a client reaches it.
pub(crate) struct Http {
    client: reqwest::Client,
    url: Url,
    clock: Arc<dyn Clock>,
    /// By how many seconds the server's clock is ahead of ours, as it said and signed.
    ahead: AtomicI64,
    /// The same, as it said last. Nobody has signed it: it explains a refusal, and nothing else hangs on it.
    said_ahead: AtomicI64,
    retries: Retries,
}

impl fmt::Debug for Http {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Http").field("url", &self.url.as_str()).finish_non_exhaustive()
    }
}

/// The media type of a JSON body, and of one that is plain octets.
const JSON: &str = "application/json";
const OCTETS: &str = "application/octet-stream";

/// A request.
#[derive(Clone)]
pub(crate) struct Call {
    method: Method,
    path: String,
    media_type: &'static str,
    body: Option<Zeroizing<Vec<u8>>>,
    headers: Vec<(&'static str, String)>,
    timeout: Duration,
    /// Whether it is nothing to the person if it was done: it changes nothing, or is made again by itself.
    is_harmless: bool,
}

impl Call {
    fn new(method: Method, path: impl Into<String>) -> Self {
        let (path, is_harmless) = (path.into(), method == Method::GET);
        Self { method, path, media_type: "", body: None, headers: Vec::new(), timeout: REQUEST_TIMEOUT, is_harmless }
    }

    pub(crate) fn get(path: impl Into<String>) -> Self {
        Self::new(Method::GET, path)
    }

    /// A POST with a JSON body.
    pub(crate) fn post(path: impl Into<String>, body: &impl Serialize) -> Self {
        // The API's types are all texts, numbers and lists, which JSON can hold.
        let body = Zeroizing::new(serde_json::to_vec(body).unwrap_or_default());
        Self { media_type: JSON, body: Some(body), ..Self::new(Method::POST, path) }
    }

    /// A POST without a body.
    pub(crate) fn post_nothing(path: impl Into<String>) -> Self {
        Self::new(Method::POST, path)
    }

    /// A PUT of plain octets.
    pub(crate) fn put(path: impl Into<String>, octets: Vec<u8>) -> Self {
        Self { media_type: OCTETS, body: Some(Zeroizing::new(octets)), ..Self::new(Method::PUT, path) }
    }

    pub(crate) fn delete(path: impl Into<String>) -> Self {
        Self::new(Method::DELETE, path)
    }

    /// A request of which it is nothing to the person whether it was done, whatever its method.
    pub(crate) fn harmless(self) -> Self {
        Self { is_harmless: true, ..self }
    }

    /// With a header, which is not signed.
    pub(crate) fn with_header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// How many octets its body has.
    pub(crate) fn octets(&self) -> usize {
        self.body.as_ref().map_or(0, |body| body.len())
    }

    /// For a request that may take so much longer: the server lets it wait, or it is long.
    pub(crate) fn waiting(mut self, wait: Duration) -> Self {
        self.timeout += wait;
        self
    }
}

impl Http {
    /// The server with this URL.
    pub(crate) fn new(url: &str, clock: Arc<dyn Clock>) -> Result<Self, ClientError> {
        let bad = || ClientError::BadServer(url.to_owned());
        let parsed = Url::parse(url).map_err(|_| bad())?;
        let is_root = matches!(parsed.path(), "" | "/") && parsed.query().is_none() && parsed.fragment().is_none();
        let is_plain = parsed.username().is_empty() && parsed.password().is_none();
        if !matches!(parsed.scheme(), "http" | "https") || parsed.host_str().is_none() || !is_root || !is_plain {
            return Err(bad());
        }
        // Another part of the process may have installed one already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .pool_idle_timeout(IDLE_TIMEOUT)
            .redirect(redirect::Policy::none())
            .user_agent(concat!("rossby/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| {
                let (url, reason) = (url.to_owned(), reason(&error));
                ClientError::Unreachable { url, reason, may_be_done: false }
            })?;
        let (ahead, said_ahead) = (AtomicI64::new(0), AtomicI64::new(0));
        Ok(Self { client, url: parsed, clock, ahead, said_ahead, retries: Retries::default() })
    }

    /// The same, asked again in this way.
    pub(crate) fn asked_again(self, retries: Retries) -> Self {
        Self { retries, ..self }
    }

    /// The server's URL, without a slash at the end.
    pub(crate) fn url(&self) -> &str {
        self.url.as_str().trim_end_matches('/')
    }

    /// Whether requests go by plain HTTP to another machine.
    pub(crate) fn is_overheard(&self) -> bool {
        let is_loopback = match self.url.host_str() {
            Some("localhost") => true,
            Some(host) => {
                let host = host.trim_start_matches('[').trim_end_matches(']');
                host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
            }
            None => false,
        };
        self.url.scheme() == "http" && !is_loopback
    }

    /// The time by the server's clock, as far as it has told it.
    pub(crate) fn server_now(&self) -> Timestamp {
        let (now, ahead) = (self.clock.now(), self.ahead.load(Ordering::Relaxed));
        let by = Duration::from_secs(ahead.unsigned_abs());
        if ahead >= 0 { now.plus(by) } else { now.minus(by) }
    }

    /// By how much this device's clock is ahead of the server's, by what it said last, if by more than clocks may differ.
    pub(crate) fn clock_ahead(&self) -> Option<Duration> {
        let behind = self.ahead.load(Ordering::Relaxed).min(self.said_ahead.load(Ordering::Relaxed));
        let by = Duration::from_secs(behind.min(0).unsigned_abs());
        (by > MAX_CLOCK_DIFFERENCE).then_some(by)
    }

    fn ahead_at(&self, server_time: i64) -> i64 {
        let ours = i64::try_from(self.clock.now().millis() / 1000).unwrap_or(i64::MAX);
        server_time.saturating_sub(ours)
    }

    fn hear_date(&self, response: &Response) {
        let date = response.headers().get(DATE).and_then(|value| value.to_str().ok());
        let time = date.and_then(|date| httpdate::parse_http_date(date).ok());
        let seconds = time.and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok());
        if let Some(seconds) = seconds.and_then(|since| i64::try_from(since.as_secs()).ok()) {
            self.said_ahead.store(self.ahead_at(seconds), Ordering::Relaxed);
        }
    }

    /// Sends a request, signed with a token if there is one, and reads its answer. What can't be reached is asked again, for a
    /// few seconds.
    pub(crate) async fn call<T: DeserializeOwned>(&self, call: &Call, token: Option<&Token>) -> Result<T, ClientError> {
        // Once it may have been done, that a later attempt doesn't come through says nothing else.
        let came_through = AtomicBool::new(false);
        let ask = async || {
            let answer = match self.ask(call, token, Some(call.timeout)).await {
                Ok(response) => read(response).await.map_err(|error| match error {
                    Ok(error) => error,
                    Err(error) => self.unreachable(&error, call),
                }),
                Err(error) => Err(error),
            };
            answer.map_err(|error| match error {
                ClientError::Unreachable { url, reason, may_be_done } => {
                    let before = came_through.fetch_or(may_be_done, Ordering::Relaxed);
                    ClientError::Unreachable { url, reason, may_be_done: may_be_done || before }
                }
                other => other,
            })
        };
        let body = ask.retry(self.retries.backoff()).when(passes).await?;
        // No answer at all is that it was done.
        let body = if body.is_empty() { b"null" } else { body.as_slice() };
        serde_json::from_slice(body).map_err(ClientError::bad_answer)
    }

    /// Sends a request whose answer is long, and is read as it comes. Only its head is waited for.
    pub(crate) async fn open(&self, call: &Call, token: Option<&Token>) -> Result<Stream, ClientError> {
        let ask = async || {
            let asked = tokio::time::timeout(call.timeout, self.ask(call, token, None)).await;
            asked.unwrap_or_else(|_| Err(self.unanswered()))
        };
        let response = ask.retry(self.retries.backoff()).when(passes).await?;
        Ok(Stream { response, url: self.url().to_owned() })
    }

    fn unreachable(&self, error: &reqwest::Error, call: &Call) -> ClientError {
        let may_be_done = !call.is_harmless && !error.is_connect();
        ClientError::Unreachable { url: self.url().to_owned(), reason: reason(error), may_be_done }
    }

    fn unanswered(&self) -> ClientError {
        let (url, reason) = (self.url().to_owned(), NO_ANSWER.to_owned());
        ClientError::Unreachable { url, reason, may_be_done: false }
    }

    /// Once, and once more if only the clock was wrong.
    async fn ask(
        &self,
        call: &Call,
        token: Option<&Token>,
        timeout: Option<Duration>,
    ) -> Result<Response, ClientError> {
        match self.ask_once(call, token, timeout).await? {
            Answer::Good(response) => Ok(response),
            Answer::Refused(problem) => Err(ClientError::Refused(problem)),
            Answer::ClockCorrected(problem) => match self.ask_once(call, token, timeout).await? {
                Answer::Good(response) => Ok(response),
                // With the right time, it is refused for what it asks.
                Answer::Refused(problem) => Err(ClientError::Refused(problem)),
                Answer::ClockCorrected(_) => Err(ClientError::Refused(problem)),
            },
        }
    }

    async fn ask_once(
        &self,
        call: &Call,
        token: Option<&Token>,
        timeout: Option<Duration>,
    ) -> Result<Answer, ClientError> {
        let url = self.url.join(&call.path).map_err(|_| ClientError::BadServer(self.url().to_owned()))?;
        let mut request = self.client.request(call.method.clone(), url.clone());
        if let Some(timeout) = timeout {
            request = request.timeout(timeout);
        }
        for (name, value) in &call.headers {
            request = request.header(*name, value);
        }
        if let Some(token) = token {
            let body = call.body.as_deref().map_or(&[][..], Vec::as_slice);
            let header = hawk::header(token, &call.method, &url, (call.media_type, body), self.server_now())?;
            request = request.header(AUTHORIZATION, header);
        }
        if let Some(body) = &call.body {
            request = request.header(CONTENT_TYPE, call.media_type).body(body.to_vec());
        }
        let response = request.send().await.map_err(|error| self.unreachable(&error, call))?;
        self.hear_date(&response);
        let status = response.status();
        if status.is_success() || status == StatusCode::SWITCHING_PROTOCOLS {
            return Ok(Answer::Good(response));
        }
        let challenge = response.headers().get(WWW_AUTHENTICATE).and_then(|value| value.to_str().ok());
        let time = match (status, challenge, token) {
            (StatusCode::UNAUTHORIZED, Some(challenge), Some(token)) => hawk::server_time(challenge, &token.key),
            _ => None,
        };
        let body =
            read(response).await.map_err(|error| error.unwrap_or_else(|error| self.unreachable(&error, call)))?;
        let problem: Problem = serde_json::from_slice(&body).map_err(|_| {
            let url = self.url();
            // Of a proxy, while the server behind it is away. It may have passed the request on.
            if matches!(status.as_u16(), 502..=504) {
                let reason = format!("a proxy in front of it answers {status}; try again in a while");
                return ClientError::Unreachable { url: url.to_owned(), reason, may_be_done: !call.is_harmless };
            }
            ClientError::BadAnswer(format!("status {status} without a problem document; is {url} a Rossby server?"))
        })?;
        Ok(match time {
            Some(time) => {
                self.ahead.store(self.ahead_at(time), Ordering::Relaxed);
                Answer::ClockCorrected(Box::new(problem))
            }
            None => Answer::Refused(Box::new(problem)),
        })
    }
}

enum Answer {
    /// A status of success, or another protocol; the body is still to be read.
    Good(Response),
    Refused(Box<Problem>),
    /// The request's time was refused, and the server's is known now.
    ClockCorrected(Box<Problem>),
}

/// A long answer.
pub(crate) struct Stream {
    response: Response,
    url: String,
}

impl Stream {
    /// A header's value.
    pub(crate) fn header(&self, name: HeaderName) -> Option<&str> {
        self.response.headers().get(name)?.to_str().ok()
    }

    /// Whether it is the part that was asked for, and not the whole.
    pub(crate) fn is_part(&self) -> bool {
        self.response.status() == StatusCode::PARTIAL_CONTENT
    }

    /// The next octets; none at the end.
    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>, ClientError> {
        let unreachable = |reason| ClientError::Unreachable { url: self.url.clone(), reason, may_be_done: false };
        match tokio::time::timeout(REQUEST_TIMEOUT, self.response.chunk()).await {
            Ok(chunk) => chunk.map_err(|error| unreachable(reason(&error))),
            Err(_) => Err(unreachable(NO_ANSWER.to_owned())),
        }
    }
}

/// The body, up to a bound that no honest server passes.
async fn read(mut response: Response) -> Result<Zeroizing<Vec<u8>>, Result<ClientError, reqwest::Error>> {
    let mut body = Zeroizing::new(Vec::new());
    while let Some(chunk) = response.chunk().await.map_err(Err)? {
        if body.len() + chunk.len() > MAX_ANSWER {
            return Err(Ok(ClientError::bad_answer("it is too long")));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// The innermost reason, which is what says something.
fn reason(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return NO_ANSWER.to_owned();
    }
    let mut inner: &dyn std::error::Error = error;
    while let Some(source) = inner.source() {
        inner = source;
    }
    inner.to_string()
}

#[cfg(test)]
mod tests;

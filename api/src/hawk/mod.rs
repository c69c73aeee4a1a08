//! Hawk authentication (Holder-of-Key, version 1): every request is signed with the device's token, its body too.

mod nonces;
mod signed;
mod url;

use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use axum::http::header::{AUTHORIZATION, HOST};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue};
use hawk::{DigestAlgorithm, Header, Key, PayloadHasher, RequestBuilder};
use hmac::{Hmac, KeyInit as _, Mac as _};
use rossby_commands::{Caller, Service, TokenError};
use rossby_crypto::keyed_hash::{HawkKey, TokenId};
use rossby_schemas::http::problem::ProblemType;
use rossby_schemas::time::Clock;
use sha2::Sha256;

use self::nonces::{NonceHash, Nonces};
pub(crate) use self::signed::{Signed, SignedJson, SignedMessages, SignedOctets, SignedToken};
pub use self::url::PublicUrl;
use crate::body;
use crate::error::ApiError;

/// How far a client's clock may be from ours.
const SKEW: Duration = Duration::from_secs(60);
/// A longer header is none of ours.
const MAX_HEADER: usize = 1024;
/// A longer nonce is none of ours: ours have 32 octets.
const MAX_NONCE: usize = 64;
/// The crate panics on times that the system can't hold, before it has authenticated anyone.
const MAX_TS_DIGITS: usize = 12;

/// Checks signatures.
pub(crate) struct Hawk {
    urls: Vec<PublicUrl>,
    clock: Arc<dyn Clock>,
    nonces: Nonces,
    /// In seconds: what was signed before may have been seen by the process before.
    started: u64,
}

/// A request whose head is signed. Its body is still to be checked.
pub(crate) struct SignedHead {
    token: TokenId,
    nonce: NonceHash,
    payload_hash: Vec<u8>,
}

impl SignedHead {
    /// The device that signed the head.
    pub(crate) const fn caller(&self) -> Caller {
        Caller { box_id: self.token.box_id, device_id: self.token.device_id }
    }

    /// The token that it signed with.
    pub(crate) const fn token(&self) -> TokenId {
        self.token
    }

    /// Refuses another body than the one that was signed.
    pub(crate) fn check_body(&self, headers: &HeaderMap, body: &[u8]) -> Result<(), ApiError> {
        match PayloadHasher::hash(body::media_type(headers), DigestAlgorithm::Sha256, body) {
            Ok(hash) if hash == self.payload_hash => Ok(()),
            _ => Err(unauthenticated()),
        }
    }
}

impl Hawk {
    pub(crate) fn new(urls: Vec<PublicUrl>, clock: Arc<dyn Clock>) -> Self {
        let started = clock.now().millis() / 1000;
        Self { urls, clock, nonces: Nonces::new(3 * SKEW), started }
    }

    /// Who signed this request, before any of its body is read: the MAC covers the hash that the body must have.
    /// Everything that is wrong gets the same answer, but for a clock that is wrong: it is told the time, to those who have
    /// the key. The read models are asked of nobody who hasn't signed. Whether it was seen before is still to be checked.
    pub(crate) async fn check_head(&self, service: &Service, parts: &Parts) -> Result<SignedHead, ApiError> {
        let header = header(&parts.headers).ok_or_else(unauthenticated)?;
        let (Some(id), Some(ts), Some(nonce), Some(hash)) = (&header.id, header.ts, &header.nonce, &header.hash) else {
            return Err(unauthenticated());
        };
        if nonce.len() > MAX_NONCE {
            return Err(unauthenticated());
        }
        let id: TokenId = id.parse().map_err(|_| unauthenticated())?;
        let ts = ts.duration_since(UNIX_EPOCH).map_err(|_| unauthenticated())?.as_secs();
        let url = self.url(&parts.headers).ok_or_else(unauthenticated)?;
        let key = service.hawk_key(id).ok_or_else(unauthenticated)?;
        if !is_signed(&header, &key, url, parts) {
            return Err(unauthenticated());
        }
        check_token(service, id).await?;
        let now = self.clock.now().millis() / 1000;
        if now.abs_diff(ts) > SKEW.as_secs() || ts < self.started {
            return Err(stale(now, &key));
        }
        Ok(SignedHead { token: id, nonce: NonceHash::of(id, ts, nonce), payload_hash: hash.clone() })
    }

    /// Refuses a request that was seen before. It is remembered, so that whoever asks too often must be refused first.
    pub(crate) fn check_first(&self, head: &SignedHead) -> Result<(), ApiError> {
        if self.nonces.is_first(head.nonce) { Ok(()) } else { Err(unauthenticated()) }
    }

    /// The URL that the request was sent to, if it is one of ours: a signature for another server is none for us.
    fn url(&self, headers: &HeaderMap) -> Option<&PublicUrl> {
        let host = headers.get(HOST)?.to_str().ok()?;
        self.urls.iter().find(|url| url.is_host(host))
    }
}

/// Refuses a token that is no good at this moment.
pub(crate) async fn check_token(service: &Service, id: TokenId) -> Result<(), ApiError> {
    match service.check_token(id).await {
        Ok(()) => Ok(()),
        Err(TokenError::NotGood) => Err(unauthenticated()),
        Err(error @ TokenError::Unavailable(_)) => {
            tracing::warn!(%error, "a request could not be authenticated");
            Err(ApiError::new(ProblemType::Unavailable))
        }
    }
}

/// The request's one Hawk header, if it can be one.
fn header(headers: &HeaderMap) -> Option<Header> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let (Some(value), None) = (values.next(), values.next()) else { return None };
    let text = value.to_str().ok().filter(|text| text.len() <= MAX_HEADER)?;
    let attributes = text.strip_prefix("Hawk ")?;
    if has_sane_times(attributes) { attributes.parse().ok() } else { None }
}

/// Whether every `ts` is a number that the system can hold as a time. Attributes are taken apart just as the crate does it,
/// which is laxer than the standard: spaces may stand around `=` and instead of commas, and an attribute may stand twice.
fn has_sane_times(attributes: &str) -> bool {
    let mut rest = attributes;
    loop {
        rest = rest.trim_start_matches(|c: char| c == ',' || c.is_whitespace());
        if rest.is_empty() {
            return true;
        }
        let Some((name, after)) = rest.split_once('=') else { return false };
        let Some((value, after)) = after.trim_start().strip_prefix('"').and_then(|after| after.split_once('"')) else {
            return false;
        };
        let is_time = (1..=MAX_TS_DIGITS).contains(&value.len()) && value.bytes().all(|b| b.is_ascii_digit());
        if name.trim() == "ts" && !is_time {
            return false;
        }
        rest = after;
    }
}

/// Whether the MAC is right.
fn is_signed(header: &Header, key: &HawkKey, url: &PublicUrl, parts: &Parts) -> bool {
    let Ok(key) = Key::new(key.as_bytes(), DigestAlgorithm::Sha256) else { return false };
    let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
    let request = RequestBuilder::new(parts.method.as_str(), url.host(), url.port(), path).request();
    // The crate asks the system's clock; the time is checked by ours.
    request.validate_header(header, &key, Duration::from_secs(u64::from(u32::MAX) * 1000))
}

fn unauthenticated() -> ApiError {
    ApiError::new(ProblemType::Unauthenticated).with_challenge(HeaderValue::from_static("Hawk"))
}

/// Tells the time, with a MAC that only the key's owner can check: HMAC-SHA-256(key, "hawk.1.ts\n" ‖ ts ‖ "\n").
fn stale(now: u64, key: &HawkKey) -> ApiError {
    use base64::Engine as _;
    let problem = ApiError::new(ProblemType::StaleTimestamp);
    let mut block = [0; 64];
    block[..32].copy_from_slice(key.as_bytes());
    let mut mac = Hmac::<Sha256>::new((&block).into());
    mac.update(format!("hawk.1.ts\n{now}\n").as_bytes());
    let tsm = base64::engine::general_purpose::STANDARD.encode(mac.finalize().into_bytes());
    match HeaderValue::from_str(&format!("Hawk ts=\"{now}\", tsm=\"{tsm}\", error=\"Stale timestamp\"")) {
        Ok(challenge) => problem.with_challenge(challenge),
        Err(_) => problem,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_header_reaches_the_parser_with_a_time_that_it_panics_on() {
        const END: &str = "18446744073709551615";
        let good = "id=\"a\", ts=\"1795512600\", nonce=\"n, ts=\", mac=\"AAAA\"";
        assert!(has_sane_times(good) && good.parse::<Header>().is_ok());
        for bad in [
            format!("ts=\"{END}\""),
            format!("ts =\"{END}\""),
            format!("ts= \"{END}\""),
            format!("\tts\t=\t\"{END}\""),
            format!("id=\"a\" ts=\"{END}\""),
            format!("id=\"a\"ts=\"{END}\""),
            format!("id=\"a,b\", ts=\"1\", ts=\"{END}\""),
            format!("ts=\"+{END}\""),
            format!("\u{a0}ts\u{a0}=\u{a0}\"{END}\""),
            "ts=\"\"".to_owned(),
            "ts=\"1".to_owned(),
            "ts".to_owned(),
        ] {
            assert!(!has_sane_times(&bad), "{bad}");
        }
    }
}

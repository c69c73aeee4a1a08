//! Hawk, the client's side: a request's header, and the server's time from a refusal.

use std::time::{Duration, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hawk::{Credentials, DigestAlgorithm, Key, PayloadHasher, RequestBuilder};
use hmac::{Hmac, KeyInit as _, Mac as _};
use reqwest::{Method, Url};
use rossby_crypto::keyed_hash::HawkKey;
use rossby_schemas::time::Timestamp;
use sha2::Sha256;

use super::Token;
use crate::error::ClientError;

/// The header that signs a request, its body too. A request without a body signs the empty one, of no media type.
pub(super) fn header(
    token: &Token,
    method: &Method,
    url: &Url,
    (media_type, body): (&str, &[u8]),
    now: Timestamp,
) -> Result<String, ClientError> {
    let failed = |error: hawk::Error| ClientError::BadAnswer(format!("the request can't be signed: {error}"));
    let hash = PayloadHasher::hash(media_type, DigestAlgorithm::Sha256, body).map_err(failed)?;
    let host = url.host_str().unwrap_or_default();
    let path = match url.query() {
        Some(query) => format!("{}?{query}", url.path()),
        None => url.path().to_owned(),
    };
    let request = RequestBuilder::new(method.as_str(), host, url.port_or_known_default().unwrap_or_default(), &path)
        .hash(&hash[..])
        .request();
    let key = Key::new(token.key.as_bytes(), DigestAlgorithm::Sha256).map_err(failed)?;
    let credentials = Credentials { id: token.id.to_string(), key };
    let ts = UNIX_EPOCH + Duration::from_secs(now.millis() / 1000);
    let nonce = uuid::Uuid::new_v4().simple().to_string();
    let header = request.make_header_full(&credentials, ts, nonce).map_err(failed)?;
    Ok(format!("Hawk {header}"))
}

/// The server's time in seconds, from the challenge of a refusal, if its MAC is the token's: HMAC-SHA-256(key,
/// "hawk.1.ts\n" ‖ ts ‖ "\n"). The crate does not read challenges.
pub(super) fn server_time(challenge: &str, key: &HawkKey) -> Option<i64> {
    let attributes = challenge.strip_prefix("Hawk ")?;
    let attribute = |name: &str| {
        attributes.split(',').find_map(|attribute| {
            let (found, value) = attribute.trim().split_once('=')?;
            (found == name).then(|| value.trim_matches('"'))
        })
    };
    let (ts, tsm) = (attribute("ts")?, STANDARD.decode(attribute("tsm")?).ok()?);
    let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).ok()?;
    mac.update(format!("hawk.1.ts\n{ts}\n").as_bytes());
    mac.verify_slice(&tsm).ok()?;
    ts.parse().ok().filter(|ts| (0..=253_402_300_799).contains(ts))
}

/// A server's challenge, which tells its time.
#[cfg(test)]
pub(super) fn challenge(ts: &str, key: &HawkKey) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).unwrap();
    mac.update(format!("hawk.1.ts\n{ts}\n").as_bytes());
    let tsm = STANDARD.encode(mac.finalize().into_bytes());
    format!("Hawk ts=\"{ts}\", tsm=\"{tsm}\", error=\"Stale timestamp\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_keys_owner_tells_the_time() {
        let key = HawkKey::from_bytes(&[7; 32]);
        let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).unwrap();
        mac.update(b"hawk.1.ts\n1795512600\n");
        let tsm = STANDARD.encode(mac.finalize().into_bytes());
        let challenge = |ts: &str, tsm: &str| format!("Hawk ts=\"{ts}\", tsm=\"{tsm}\", error=\"Stale timestamp\"");
        assert_eq!(server_time(&challenge("1795512600", &tsm), &key), Some(1_795_512_600));
        assert_eq!(server_time(&challenge("1795512601", &tsm), &key), None);
        assert_eq!(server_time(&challenge("1795512600", &tsm), &HawkKey::from_bytes(&[8; 32])), None);
        for bad in ["Hawk", "Hawk ts=\"1\"", "Basic realm=\"x\"", "Hawk ts=\"1\", tsm=\"?\""] {
            assert_eq!(server_time(bad, &key), None, "{bad}");
        }
    }
}

//! Asking for a WebSocket (RFC 6455): a request like any other, whose connection is something else from then on.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rand_core::Rng as _;
use reqwest::header::{CONNECTION, HeaderMap, HeaderName, UPGRADE};
use reqwest::{StatusCode, Upgraded};
use rossby_schemas::http::stream::MAX_SERVER_FRAME_OCTETS;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};

use super::{Call, Http, REQUEST_TIMEOUT, Token};
use crate::error::ClientError;
use crate::random::rng;

const ACCEPT: HeaderName = HeaderName::from_static("sec-websocket-accept");
/// The crate's own buffers are made for many large frames.
const BUFFER_OCTETS: usize = 16 * 1024;

/// A WebSocket to the server.
pub(crate) type WebSocket = WebSocketStream<Upgraded>;

impl Http {
    /// Opens a WebSocket. It goes the way of every other request: by the same proxy, over the same TLS.
    pub(crate) async fn upgrade(&self, path: &str, token: &Token) -> Result<WebSocket, ClientError> {
        let mut nonce = [0; 16];
        rng().fill_bytes(&mut nonce);
        let key = STANDARD.encode(nonce);
        let call = Call::get(path)
            .with_header("connection", "Upgrade")
            .with_header("upgrade", "websocket")
            .with_header("sec-websocket-version", "13")
            .with_header("sec-websocket-key", &key);
        let asked = tokio::time::timeout(REQUEST_TIMEOUT, self.ask(&call, Some(token), None)).await;
        let response = asked.unwrap_or_else(|_| Err(self.unanswered()))?;
        let names = |name: HeaderName, value: &str| has(response.headers(), &name, value);
        let is_accepted = response.status() == StatusCode::SWITCHING_PROTOCOLS
            && names(CONNECTION, "upgrade")
            && names(UPGRADE, "websocket")
            && response.headers().get(ACCEPT).is_some_and(|accept| *accept == derive_accept_key(key.as_bytes()));
        if !is_accepted {
            return Err(ClientError::bad_answer("it opens no WebSocket"));
        }
        let upgraded = response.upgrade().await.map_err(|error| self.unreachable(&error, &call))?;
        let config = WebSocketConfig::default()
            .max_message_size(Some(MAX_SERVER_FRAME_OCTETS))
            .max_frame_size(Some(MAX_SERVER_FRAME_OCTETS))
            .read_buffer_size(BUFFER_OCTETS)
            .write_buffer_size(0);
        Ok(WebSocketStream::from_raw_socket(upgraded, Role::Client, Some(config)).await)
    }
}

/// Whether a header's list has a value.
fn has(headers: &HeaderMap, name: &HeaderName, value: &str) -> bool {
    let values = headers.get_all(name).iter().filter_map(|header| header.to_str().ok());
    values.flat_map(|header| header.split(',')).any(|found| found.trim().eq_ignore_ascii_case(value))
}

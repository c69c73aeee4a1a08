//! Codes and notices by SMS: posted to a webhook, which hands them to whoever sends them.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use backon::Retryable as _;
use hmac::{Hmac, KeyInit as _, Mac as _};
use reqwest::Url;
use rossby_commands::{CodeSender, SendCodeError};
use rossby_crypto::keyed_hash::Code;
use rossby_schemas::identifier::Identifier;
use rossby_schemas::time::{Clock, Timestamp};
use sha2::Sha256;
use zeroize::Zeroizing;

use super::backoff;

/// When the request was signed, in seconds since 1970: refuse what is older than a few minutes.
pub const TIMESTAMP_HEADER: &str = "x-rossby-timestamp";
/// `v1=` and, in lowercase hexadecimal, HMAC-SHA-256(secret, timestamp ‖ "." ‖ body).
pub const SIGNATURE_HEADER: &str = "x-rossby-signature";

const TIMEOUT: Duration = Duration::from_secs(15);

/// Posts codes as JSON: `{"to": "+15551234567", "code": "12345678", "expires_at": "…"}`, and notices of claims:
/// `{"to": "+15551234567", "notice": "claimed", "effective_at": "…"}`, signed.
pub struct Webhook {
    client: reqwest::Client,
    url: Url,
    secret: Zeroizing<Vec<u8>>,
    clock: Arc<dyn Clock>,
}

/// Settings that can't be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadWebhook {
    /// The URL.
    #[error("is no URL with http:// or https://")]
    Url,
    /// The HTTP client can't be made.
    #[error("the HTTP client can't be made: {0}")]
    Client(String),
}

impl Webhook {
    /// Posts to `url`, signed under `secret`.
    ///
    /// # Errors
    /// [`BadWebhook`].
    pub fn new(url: &str, secret: &str, clock: Arc<dyn Clock>) -> Result<Self, BadWebhook> {
        let url: Url = url.parse().map_err(|_| BadWebhook::Url)?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(BadWebhook::Url);
        }
        // Fails when the process has one already, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder()
            .timeout(TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(|error| BadWebhook::Client(error.to_string()))?;
        Ok(Self { client, url, secret: Zeroizing::new(secret.as_bytes().to_vec()), clock })
    }

    fn signature(&self, timestamp: u64, body: &[u8]) -> Option<String> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.secret).ok()?;
        mac.update(format!("{timestamp}.").as_bytes());
        mac.update(body);
        Some(format!("v1={}", hex::encode(mac.finalize().into_bytes())))
    }

    /// Posts a document, again and again as long as that makes sense.
    async fn hand_over(&self, body: serde_json::Value) -> Result<(), SendCodeError> {
        let body = Zeroizing::new(body.to_string().into_bytes());
        (|| self.post(&body)).retry(backoff()).when(|failure| matches!(failure, Failure::Passing(_))).await.map_err(
            |failure| match failure {
                Failure::Passing(reason) | Failure::Final(reason) => SendCodeError(reason),
            },
        )
    }

    async fn post(&self, body: &[u8]) -> Result<(), Failure> {
        let timestamp = self.clock.now().millis() / 1000;
        let signature = self.signature(timestamp, body).ok_or(Failure::Final("the secret can't be used".to_owned()))?;
        let sent = self
            .client
            .post(self.url.clone())
            .header("content-type", "application/json")
            .header(TIMESTAMP_HEADER, timestamp)
            .header(SIGNATURE_HEADER, signature)
            .body(body.to_vec())
            .send()
            .await;
        match sent.map(|response| response.status()) {
            Ok(status) if status.is_success() => Ok(()),
            Ok(status) if status.is_server_error() || matches!(status.as_u16(), 408 | 429) => {
                Err(Failure::Passing(format!("the webhook answered {status}")))
            }
            // A redirection too: a code goes to no other place than the one that is set.
            Ok(status) => Err(Failure::Final(format!("the webhook answered {status}"))),
            // Its text may hold the URL.
            Err(error) => Err(Failure::Passing(format!("the webhook could not be reached: {}", error.without_url()))),
        }
    }
}

/// What went wrong, and whether trying again may help.
enum Failure {
    Passing(String),
    Final(String),
}

impl fmt::Debug for Webhook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Webhook").field("host", &self.url.host_str()).finish_non_exhaustive()
    }
}

#[async_trait]
impl CodeSender for Webhook {
    async fn send(&self, identifier: &Identifier, code: &Code, expires_at: Timestamp) -> Result<(), SendCodeError> {
        let body = serde_json::json!({ "to": identifier.address(), "code": code.digits(), "expires_at": expires_at });
        self.hand_over(body).await
    }

    async fn tell_of_claim(&self, identifier: &Identifier, effective_at: Timestamp) -> Result<(), SendCodeError> {
        let body = serde_json::json!({ "to": identifier.address(), "notice": "claimed", "effective_at": effective_at });
        self.hand_over(body).await
    }
}

//! Notifiers: how codes, and notices of claims, reach phones and mailboxes.

mod console;
mod smtp;
mod webhook;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use backon::ExponentialBuilder;
pub use console::Console;
use rossby_commands::{CodeSender, SendCodeError};
use rossby_crypto::keyed_hash::Code;
use rossby_schemas::identifier::{Identifier, IdentifierKind};
use rossby_schemas::time::Timestamp;
pub use smtp::{BadSmtpUrl, Smtp};
pub use webhook::{BadWebhook, SIGNATURE_HEADER, TIMESTAMP_HEADER, Webhook};

/// Sends codes and notices to mailboxes one way and to phones another.
#[derive(Debug, Clone)]
pub struct Notifiers {
    /// For email addresses.
    pub email: Arc<dyn CodeSender>,
    /// For phone numbers.
    pub sms: Arc<dyn CodeSender>,
}

#[async_trait]
impl CodeSender for Notifiers {
    async fn send(&self, identifier: &Identifier, code: &Code, expires_at: Timestamp) -> Result<(), SendCodeError> {
        self.for_kind(identifier.kind()).send(identifier, code, expires_at).await
    }

    async fn tell_of_claim(&self, identifier: &Identifier, effective_at: Timestamp) -> Result<(), SendCodeError> {
        self.for_kind(identifier.kind()).tell_of_claim(identifier, effective_at).await
    }
}

impl Notifiers {
    fn for_kind(&self, kind: IdentifierKind) -> &dyn CodeSender {
        match kind {
            IdentifierKind::Email => &*self.email,
            IdentifierKind::Phone => &*self.sms,
        }
    }
}

/// A code is good for ten minutes: a server that is away for a moment is asked again for one.
fn backoff() -> ExponentialBuilder {
    ExponentialBuilder::default()
        .with_min_delay(Duration::from_millis(500))
        .with_max_delay(Duration::from_secs(15))
        .with_max_times(6)
        .with_jitter()
}

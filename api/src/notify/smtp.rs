//! Codes and notices by email (SMTP, RFC 5321).

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use backon::Retryable as _;
use lettre::message::Mailbox;
use lettre::message::header::ContentType;
use lettre::{AsyncSmtpTransport, AsyncTransport as _, Message, Tokio1Executor};
use rossby_commands::{CodeSender, SendCodeError};
use rossby_crypto::keyed_hash::Code;
use rossby_schemas::identifier::Identifier;
use rossby_schemas::time::Timestamp;

use super::backoff;

const TIMEOUT: Duration = Duration::from_secs(20);

/// Sends codes and notices through an SMTP server.
pub struct Smtp {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
}

/// Settings that can't be used. Says nothing of the URL, which may hold a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadSmtpUrl {
    /// The URL.
    #[error("is no URL with smtp:// or smtps://")]
    Url,
    /// The sender.
    #[error("is no email address")]
    From,
}

impl Smtp {
    /// Sends through `smtps://USER:PASSWORD@HOST`, or `smtp://HOST` with `?tls=required` for STARTTLS, as `from`.
    ///
    /// # Errors
    /// [`BadSmtpUrl`].
    pub fn new(url: &str, from: &str) -> Result<Self, BadSmtpUrl> {
        let transport = AsyncSmtpTransport::<Tokio1Executor>::from_url(url).map_err(|_| BadSmtpUrl::Url)?;
        let from = from.parse().map_err(|_| BadSmtpUrl::From)?;
        Ok(Self { transport: transport.timeout(Some(TIMEOUT)).build(), from })
    }

    async fn mail(&self, identifier: &Identifier, subject: &str, body: String) -> Result<(), SendCodeError> {
        let to =
            identifier.address().parse().map_err(|_| SendCodeError("the address can't be mailed to".to_owned()))?;
        let message = Message::builder()
            .from(self.from.clone())
            .to(Mailbox::new(None, to))
            .subject(subject)
            .header(ContentType::TEXT_PLAIN)
            .body(body)
            .map_err(|error| SendCodeError(error.to_string()))?;
        let send = || async { self.transport.send(message.clone()).await };
        send.retry(backoff())
            .when(|error| !error.is_permanent())
            .await
            .map(|_| ())
            // What the server said may hold the address.
            .map_err(|error| {
                SendCodeError(match error.status() {
                    Some(status) => format!("the mail server answered {status}"),
                    None => "the mail server could not be reached".to_owned(),
                })
            })
    }
}

impl fmt::Debug for Smtp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Smtp").field("from", &self.from.email).finish_non_exhaustive()
    }
}

#[async_trait]
impl CodeSender for Smtp {
    async fn send(&self, identifier: &Identifier, code: &Code, expires_at: Timestamp) -> Result<(), SendCodeError> {
        let body = format!(
            "{}\n\nis your code for Rossby. It is good until {expires_at}.\n\
             If you did not ask for it, do nothing, and give it to nobody.\n",
            code.digits()
        );
        self.mail(identifier, "Your code for Rossby", body).await
    }

    async fn tell_of_claim(&self, identifier: &Identifier, effective_at: Timestamp) -> Result<(), SendCodeError> {
        let body = format!(
            "Somebody has shown a code that was sent to this address, and wants it\n\
             for another Rossby account. It is theirs from this time on:\n\n    {effective_at}\n\n\
             If that was you, there is nothing to do but wait. If it was not,\n\
             object on a device of yours:\n\n    rossby identifiers object {}\n",
            identifier.address()
        );
        self.mail(identifier, "Somebody claims this address for another Rossby account", body).await
    }
}

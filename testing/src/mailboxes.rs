//! Where codes and notices go.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use rossby_commands::{CodeSender, SendCodeError};
use rossby_crypto::keyed_hash::Code;
use rossby_schemas::identifier::Identifier;
use rossby_schemas::time::Timestamp;

use crate::until;

/// Keeps the codes that were sent.
#[derive(Debug, Default)]
pub struct Mailboxes {
    sent: Mutex<Vec<(String, String)>>,
    claims: Mutex<Vec<(String, Timestamp)>>,
    /// Nothing gets there while this is set.
    pub are_full: AtomicBool,
}

impl Mailboxes {
    /// Waits until a code has been sent to an identifier that is not among the first `known`.
    pub async fn code(&self, identifier: &str, known: usize) -> String {
        until("a code", async || self.codes(identifier).len() > known).await;
        self.codes(identifier).remove(known)
    }

    /// The claims that an identifier was told of, by the times at which they take effect.
    pub fn claims(&self, identifier: &str) -> Vec<Timestamp> {
        let identifier: Identifier = identifier.parse().unwrap();
        let claims = self.claims.lock().unwrap();
        claims.iter().filter(|(to, _)| to == identifier.as_uri()).map(|(_, at)| *at).collect()
    }

    /// The codes that an identifier got, in order.
    pub fn codes(&self, identifier: &str) -> Vec<String> {
        let identifier: Identifier = identifier.parse().unwrap();
        let sent = self.sent.lock().unwrap();
        sent.iter().filter(|(to, _)| to == identifier.as_uri()).map(|(_, code)| code.clone()).collect()
    }
}

#[async_trait]
impl CodeSender for Mailboxes {
    async fn send(&self, identifier: &Identifier, code: &Code, _: Timestamp) -> Result<(), SendCodeError> {
        if self.are_full.load(Ordering::Relaxed) {
            return Err(SendCodeError("the mailbox is full".to_owned()));
        }
        self.sent.lock().unwrap().push((identifier.as_uri().to_owned(), code.digits().to_owned()));
        Ok(())
    }

    async fn tell_of_claim(&self, identifier: &Identifier, effective_at: Timestamp) -> Result<(), SendCodeError> {
        self.claims.lock().unwrap().push((identifier.as_uri().to_owned(), effective_at));
        Ok(())
    }
}

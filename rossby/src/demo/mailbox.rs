//! Where the demo's codes go, instead of to a phone or a mailbox.

use std::time::Duration;

use anyhow::Context as _;
use async_trait::async_trait;
use rossby_commands::{CodeSender, SendCodeError};
use rossby_crypto::keyed_hash::Code;
use rossby_schemas::identifier::Identifier;
use rossby_schemas::time::Timestamp;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// The server's end.
#[derive(Debug)]
pub(super) struct Sender(UnboundedSender<String>);

/// The people's end.
#[derive(Debug)]
pub(super) struct Mailbox(UnboundedReceiver<String>);

pub(super) fn new() -> (Sender, Mailbox) {
    let (sender, receiver) = unbounded_channel();
    (Sender(sender), Mailbox(receiver))
}

#[async_trait]
impl CodeSender for Sender {
    async fn send(&self, _: &Identifier, code: &Code, _: Timestamp) -> Result<(), SendCodeError> {
        // Nobody reads any more when the demo is over.
        let _ = self.0.send(code.digits().to_owned());
        Ok(())
    }

    async fn tell_of_claim(&self, _: &Identifier, _: Timestamp) -> Result<(), SendCodeError> {
        Ok(())
    }
}

impl Mailbox {
    /// The next code.
    pub(super) async fn code(&mut self) -> anyhow::Result<String> {
        let came = tokio::time::timeout(Duration::from_secs(30), self.0.recv()).await;
        came.context("no code came in time")?.context("the server has gone")
    }
}

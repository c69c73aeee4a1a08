//! A device's subscription: what its stream is given, and what it gives back.

use std::sync::Arc;

use rossby_schemas::http::messages::{ConfirmRequest, ConfirmResponse, FetchedMessage, Lost};
use rossby_schemas::http::signals::ReceivedSignal;
use rossby_schemas::http::stream::Changed;
use tokio::sync::mpsc;
use tokio::task::AbortHandle;
use tokio_util::sync::CancellationToken;

use super::hub::{Hub, Line};
use super::pump::Confirmed;
use crate::error::CommandError;
use crate::service::Service;
use crate::token::Caller;

/// What a device is given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Delivery {
    /// A message that waits for it.
    Message(Box<FetchedMessage>),
    /// A signal to its box.
    Signal(Box<ReceivedSignal>),
    /// Something of its account is another than before.
    Changed(Changed),
    /// All that waits was given.
    CaughtUp {
        /// What expired before the device fetched it.
        lost: Option<Lost>,
    },
}

/// A device that is connected. Dropped, it is no longer.
#[derive(Debug)]
pub struct Subscription {
    pub(super) service: Service,
    pub(super) caller: Caller,
    pub(super) deliveries: mpsc::Receiver<Delivery>,
    pub(super) confirmed: mpsc::UnboundedSender<Confirmed>,
    pub(super) line: Arc<Line>,
    pub(super) hub: Arc<Hub>,
    pub(super) partition: u32,
    pub(super) pump: AbortHandle,
}

/// Confirms messages that were given.
#[derive(Debug, Clone)]
pub struct Confirmer {
    service: Service,
    caller: Caller,
    confirmed: mpsc::UnboundedSender<Confirmed>,
}

impl Subscription {
    /// The next that the device is given. None only after a defect. Nothing is lost when the future is dropped.
    pub async fn next(&mut self) -> Option<Delivery> {
        self.deliveries.recv().await
    }

    /// Cancelled once the token with which the device connected is no longer good.
    #[must_use]
    pub fn revoked(&self) -> CancellationToken {
        self.line.revoked.clone()
    }

    /// What confirms messages of this device.
    #[must_use]
    pub fn confirmer(&self) -> Confirmer {
        let (service, confirmed) = (self.service.clone(), self.confirmed.clone());
        Confirmer { service, caller: self.caller, confirmed }
    }
}

impl Confirmer {
    /// Confirms messages, as [`Service::confirm_messages`] does, and makes room for others.
    ///
    /// # Errors
    /// As there.
    pub async fn confirm(&self, request: &ConfirmRequest) -> Result<ConfirmResponse, CommandError> {
        let (messages, position) = self.service.acknowledge(self.caller, request).await?;
        let confirmed = messages.len();
        // Its receiver is gone when the device is.
        let _ = self.confirmed.send(Confirmed { messages, offset: position.offset });
        Ok(ConfirmResponse { confirmed, position: position.token() })
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.pump.abort();
        if let Some(partition) = self.hub.partition(self.partition) {
            partition.leave(self.caller.box_id, &self.line);
        }
    }
}

//! What the two devices leave for each other.

use std::collections::HashSet;
use std::time::Duration;

use rossby_crypto::linking::{LinkMessage, LinkMessageError, LinkSecret, LinkSide};
use rossby_schemas::encoding::Octets;
use rossby_schemas::http::messages::MAX_WAIT_SECONDS;
use rossby_schemas::http::rendezvous::{MAX_RENDEZVOUS_MESSAGES, RendezvousRequest, RendezvousResponse};

use crate::Client;
use crate::error::ClientError;
use crate::http::Call;
use crate::random::rng;

/// What was left at a rendezvous.
pub(super) struct Heard {
    /// By the side that was listened to.
    pub(super) messages: Vec<LinkMessage>,
    /// By the other side: this device's own, or those of others who have the secret too.
    pub(super) others: Vec<LinkMessage>,
    /// How many there are in all.
    pub(super) count: usize,
    /// Whether something was there that neither side made.
    pub(super) has_foreign: bool,
}

impl Client {
    pub(super) async fn say(&self, secret: &LinkSecret, message: &LinkMessage) -> Result<(), ClientError> {
        let sealed = secret.seal(&mut rng(), message).map_err(ClientError::bad_answer)?;
        let path = format!("/v1/rendezvous/{}", secret.rendezvous());
        let _: RendezvousResponse = self.http.call(&Call::post(path, &RendezvousRequest { sealed }), None).await?;
        Ok(())
    }

    /// What one side has left, once there is more than was `seen`, or the time is over.
    pub(super) async fn hear(
        &self,
        secret: &LinkSecret,
        side: LinkSide,
        seen: usize,
        wait: Duration,
    ) -> Result<Heard, ClientError> {
        let seconds = wait.as_secs().min(u64::from(MAX_WAIT_SECONDS));
        let path = format!("/v1/rendezvous/{}?seen={seen}&wait={seconds}", secret.rendezvous());
        let answer: RendezvousResponse = self.http.call(&Call::get(path).waiting(wait), None).await?;
        let count = answer.messages.len();
        let mut heard = Heard { messages: Vec::new(), others: Vec::new(), count, has_foreign: false };
        let other_side = if side == LinkSide::New { LinkSide::Old } else { LinkSide::New };
        let distinct: HashSet<&Octets> = answer.messages.iter().take(MAX_RENDEZVOUS_MESSAGES).collect();
        for sealed in distinct {
            match secret.open(side, sealed) {
                Ok(message) => heard.messages.push(message),
                Err(LinkMessageError::Malformed(_)) => heard.has_foreign = true,
                Err(LinkMessageError::DoesNotOpen) => match secret.open(other_side, sealed) {
                    Ok(message) => heard.others.push(message),
                    Err(_) => heard.has_foreign = true,
                },
            }
        }
        Ok(heard)
    }
}

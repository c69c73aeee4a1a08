//! A rendezvous: where a device that is to be linked and one of the box's leave sealed messages for each other. Whoever knows
//! its id, which comes from a secret, can read and write there for a few minutes. The server learns neither whose it is nor
//! what is said.

use std::time::Duration;

use rossby_log::AppendError;
use rossby_schemas::encoding::Octets;
use rossby_schemas::events::Event;
use rossby_schemas::events::inbox::RendezvousPostedV1;
use rossby_schemas::http::messages::MAX_WAIT_SECONDS;
use rossby_schemas::http::rendezvous::{
    MAX_RENDEZVOUS_MESSAGES, MAX_RENDEZVOUS_OCTETS, RendezvousRequest, RendezvousResponse,
};
use rossby_schemas::ids::{CommandId, EventId, RendezvousId};
use rossby_schemas::topic::Topic;
use sha2::{Digest as _, Sha256};
use tokio::time::Instant;

use crate::error::{CommandError, Refusal};
use crate::service::Service;

impl Service {
    /// Leaves a message. Leaving the same again is harmless.
    ///
    /// # Errors
    /// [`Refusal::Invalid`] for one that is empty, and when the rendezvous is full; [`Refusal::TooLarge`].
    pub async fn post_to_rendezvous(
        &self,
        id: RendezvousId,
        request: &RendezvousRequest,
    ) -> Result<RendezvousResponse, CommandError> {
        let octets = request.sealed.as_slice();
        if octets.is_empty() {
            return Err(Refusal::invalid("/sealed", "is empty").into());
        }
        if octets.len() > MAX_RENDEZVOUS_OCTETS {
            return Err(Refusal::TooLarge { field: "/sealed".to_owned(), limit: MAX_RENDEZVOUS_OCTETS }.into());
        }
        let messages = self.rendezvous_messages(id).await?;
        if messages.contains(&request.sealed) {
            return Ok(RendezvousResponse { messages });
        }
        if messages.len() >= MAX_RENDEZVOUS_MESSAGES {
            let reason = format!("the rendezvous has {MAX_RENDEZVOUS_MESSAGES} messages already");
            return Err(Refusal::invalid("/sealed", reason).into());
        }
        let expires_at = self.now().plus(self.config.limits.rendezvous_lifetime);
        let event = Event::RendezvousPostedV1(RendezvousPostedV1 {
            rendezvous_id: id,
            sealed: request.sealed.clone(),
            expires_at,
        });
        // The same message is the same event.
        let digest: [u8; 32] = Sha256::digest(octets).into();
        let (first, _) = digest.split_first_chunk::<16>().unwrap_or((&[0; 16], &[]));
        let event_id = EventId::derive(Topic::Inbox, &id.to_string(), CommandId::from_bytes(*first), 0);
        match self.appender.fact(&id.to_string(), event_id, self.now(), &event).await {
            Ok(position) => {
                self.wait_for(position).await?;
                Ok(RendezvousResponse { messages: self.rendezvous_messages(id).await? })
            }
            Err(AppendError::Refused(error)) => Err(CommandError::Unavailable(error.to_string())),
            Err(AppendError::TooLarge { limit, .. }) => {
                Err(Refusal::TooLarge { field: "/sealed".to_owned(), limit }.into())
            }
            Err(AppendError::Unknown(reason)) => Err(CommandError::OutcomeUnknown { status: None, reason }),
        }
    }

    /// The messages of a rendezvous. Who has `seen` so many waits for more, for at most `wait_seconds`.
    ///
    /// # Errors
    /// [`Refusal::Invalid`] for a wait that is too long.
    pub async fn rendezvous(
        &self,
        id: RendezvousId,
        seen: u32,
        wait_seconds: u32,
    ) -> Result<RendezvousResponse, CommandError> {
        if wait_seconds > MAX_WAIT_SECONDS {
            return Err(Refusal::invalid("wait", format!("must be at most {MAX_WAIT_SECONDS}")).into());
        }
        let deadline = Instant::now() + Duration::from_secs(wait_seconds.into());
        let mut arrivals = if wait_seconds == 0 { None } else { Some(self.arrivals(&id.to_string()).await) };
        loop {
            let messages = self.rendezvous_messages(id).await?;
            self.looks.add();
            let has_more = messages.len() > usize::try_from(seen).unwrap_or(usize::MAX);
            match &mut arrivals {
                Some(arrivals) if !has_more && Instant::now() < deadline => arrivals.next(deadline).await,
                _ => return Ok(RendezvousResponse { messages }),
            }
        }
    }

    async fn rendezvous_messages(&self, id: RendezvousId) -> Result<Vec<Octets>, CommandError> {
        let limit = u32::try_from(MAX_RENDEZVOUS_MESSAGES).unwrap_or(u32::MAX);
        Ok(self.models.rendezvous(id, self.now(), limit).await?)
    }
}

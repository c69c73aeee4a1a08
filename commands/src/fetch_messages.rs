//! Fetch messages: what waits for this device. Nothing moves until it confirms.

use std::time::Duration;

use rossby_crypto::keyed_hash::MessageHandle;
use rossby_crypto::message::MessageValue;
use rossby_projections::{Projection, WaitingMessage};
use rossby_schemas::encoding::Octets;
use rossby_schemas::http::messages::{FetchResponse, FetchedMessage, MAX_FETCHED, MAX_WAIT_SECONDS};
use rossby_schemas::topic::{Topic, TopicName};
use tokio::time::Instant;

use crate::error::{CommandError, Refusal};
use crate::position::Position;
use crate::service::Service;
use crate::token::Caller;

/// How many octets of messages one answer has, about.
const MAX_OCTETS: usize = 4 * 1024 * 1024;

/// What to fetch.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Fetch {
    /// How many messages at most, 1 to 500.
    pub limit: Option<u32>,
    /// How long to wait for one if there is none, in seconds, at most 30.
    pub wait_seconds: Option<u32>,
    /// A position that the answer must have seen.
    pub position: Option<Position>,
}

impl Service {
    /// What waits for the caller's device, in the order in which it was accepted.
    ///
    /// # Errors
    /// [`Refusal::Invalid`] for numbers out of their range.
    pub async fn fetch_messages(&self, caller: Caller, fetch: Fetch) -> Result<FetchResponse, CommandError> {
        let limit = fetch.limit.unwrap_or(100);
        if !(1..=MAX_FETCHED).contains(&limit) {
            return Err(Refusal::invalid("limit", format!("must be between 1 and {MAX_FETCHED}")).into());
        }
        let wait = fetch.wait_seconds.unwrap_or(0);
        if wait > MAX_WAIT_SECONDS {
            return Err(Refusal::invalid("wait", format!("must be at most {MAX_WAIT_SECONDS}")).into());
        }
        let position_seen = match fetch.position {
            None => None,
            Some(position) => Some(self.wait_for(position).await?),
        };
        let deadline = Instant::now() + Duration::from_secs(wait.into());
        // Listened first and asked then, so that nothing is missed between the two.
        let mut arrivals = if wait == 0 { None } else { Some(self.arrivals(&caller.box_id.to_string()).await) };
        let waiting = loop {
            let waiting = self.models.waiting(caller.box_id, caller.device_id, self.now(), limit, MAX_OCTETS).await?;
            self.looks.add();
            match &mut arrivals {
                Some(arrivals) if waiting.messages.is_empty() && Instant::now() < deadline => {
                    arrivals.next(deadline).await;
                }
                _ => break waiting,
            }
        };
        let lost = self.models.lost(caller.box_id, caller.device_id).await?;
        let messages = waiting.messages.into_iter().map(|message| self.fetched(caller, message));
        Ok(FetchResponse { messages: messages.collect::<Result<_, _>>()?, more: waiting.more, position_seen, lost })
    }

    /// One device's part of a message, with the handle that confirms it.
    pub(crate) fn fetched(&self, caller: Caller, message: WaitingMessage) -> Result<FetchedMessage, CommandError> {
        let defect = |what: &str| CommandError::Internal(format!("the message {} {what}", message.outer_id));
        let value = MessageValue::parse(&Octets(message.value.clone())).map_err(|_| defect("can't be read"))?;
        let wrap = value.wrap(caller.device_id).ok_or_else(|| defect("is not for the device"))?;
        let handle = MessageHandle {
            outer_id: message.outer_id,
            content_hash: message.content_hash,
            expires_at: message.expires_at,
        };
        Ok(FetchedMessage {
            outer_id: message.outer_id,
            content_hash: message.content_hash,
            accepted_at: message.accepted_at,
            expires_at: message.expires_at,
            recipient_head: value.recipient_head,
            sealing_counter: wrap.sealing_counter,
            enc: wrap.enc.as_slice().into(),
            wrapped_key: wrap.wrapped_key.as_slice().into(),
            handle: handle.give(self.secrets.current(), caller.box_id, caller.device_id),
            content: value.content,
        })
    }

    /// Waits until the inbox has applied a position of this region; another region's can't be waited for yet.
    pub(crate) async fn wait_for(&self, position: Position) -> Result<bool, CommandError> {
        if position.region != self.config.region || position.topic != Topic::Inbox {
            return Ok(false);
        }
        let topic = TopicName::local(Topic::Inbox);
        let patience = self.config.timeouts.position;
        Ok(self.models.wait_offset(Projection::Inbox, &topic, position.partition, position.offset, patience).await?)
    }
}

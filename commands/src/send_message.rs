//! Send message: to one or many boxes, each standing by itself. Checked in this order: permission, an id that was accepted
//! already, the head and the devices.

use std::collections::BTreeMap;

use rossby_crypto::key_record::{HeadRelation, KeyRecord, VerifiedSealingStatement};
use rossby_crypto::message::{MessageValue, content_hash};
use rossby_log::AppendError;
use rossby_projections::{AcceptedMessage, Projection, StoredKeyRecord};
use rossby_schemas::events::Event;
use rossby_schemas::events::inbox::MessageEnqueuedV1;
use rossby_schemas::http::messages::{MAX_SENT, OutgoingMessage, SendOutcome, SendRequest, SendResponse, SendResult};
use rossby_schemas::ids::{BoxId, CommandId, DeviceId, EventId};
use rossby_schemas::time::Timestamp;
use rossby_schemas::topic::{MESSAGE_LIFETIME, Topic};
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::error::{CommandError, Refusal};
use crate::position::Position;
use crate::service::Service;
use crate::token::Caller;

/// Whether a value may be sent to a box whose record is this.
#[derive(Debug)]
enum Standing {
    /// It is sealed to the devices of the current head.
    Current,
    /// The head is older, or the devices or their keys are others: seal it anew.
    Stale(SendOutcome),
    /// The head, or a sealing key, is one that hasn't arrived here yet.
    Ahead,
    /// The record can't be read: a defect, or a closed box.
    None,
}

/// Compares what a value says with the record.
fn standing(value: &MessageValue, stored: &StoredKeyRecord, caller: Caller, now: Timestamp) -> Standing {
    let Ok(record) = KeyRecord::verify(&stored.statements) else { return Standing::None };
    let sealing: Vec<VerifiedSealingStatement> =
        stored.sealing_statements.iter().filter_map(|octets| record.verify_sealing(octets, None).ok()).collect();
    let stale = || {
        let since = record.statements_since(value.recipient_head).unwrap_or_else(|| record.statements());
        Standing::Stale(SendOutcome::Stale {
            head: record.head(),
            statements: since.to_vec(),
            sealing_statements: stored.sealing_statements.clone(),
        })
    };
    match record.relation(value.recipient_head) {
        HeadRelation::Ahead => return Standing::Ahead,
        HeadRelation::Older | HeadRelation::Fork => return stale(),
        HeadRelation::Same => {}
    }
    let except = (record.box_id() == caller.box_id).then_some(caller.device_id);
    let due: BTreeMap<DeviceId, u64> = record
        .sealable(&sealing, except, now)
        .devices
        .iter()
        .map(|statement| (statement.content().device_id, statement.content().counter))
        .collect();
    let stated: BTreeMap<DeviceId, u64> =
        value.wraps.iter().map(|wrap| (wrap.device_id, wrap.sealing_counter)).collect();
    let is_ahead = stated.iter().any(|(device, counter)| due.get(device).is_some_and(|known| counter > known));
    if stated == due {
        Standing::Current
    } else if is_ahead {
        Standing::Ahead
    } else {
        stale()
    }
}

/// Refuses what no answer for each recipient could say: the whole request changes nothing.
fn check_request(
    request: &SendRequest,
    now: Timestamp,
    skew: std::time::Duration,
) -> Result<Vec<MessageValue>, Refusal> {
    if request.messages.is_empty() || request.messages.len() > MAX_SENT {
        return Err(Refusal::invalid("/messages", format!("must have between 1 and {MAX_SENT} messages")));
    }
    let mut seen = std::collections::BTreeSet::new();
    let mut values = Vec::with_capacity(request.messages.len());
    for (index, message) in request.messages.iter().enumerate() {
        let field = |name| format!("/messages/{index}/{name}");
        if !seen.insert((message.recipient, message.outer_id)) {
            return Err(Refusal::invalid(field("outer_id"), "stands twice for this recipient"));
        }
        let value = MessageValue::parse(&message.value).map_err(|error| Refusal::invalid(field("value"), error))?;
        if value.expires_at > now.plus(MESSAGE_LIFETIME).plus(skew) {
            return Err(Refusal::invalid(field("value"), "expires more than 30 days ahead"));
        }
        if value.expires_at <= now {
            return Err(Refusal::invalid(field("value"), "has expired"));
        }
        values.push(value);
    }
    Ok(values)
}

impl Service {
    /// Sends messages. Each is accepted or not by itself; repeating the request gives the same answers.
    ///
    /// # Errors
    /// [`Refusal::Invalid`] for a request that is malformed; [`Refusal::IdReused`] when an id was accepted with another
    /// value. Nothing was sent then.
    pub async fn send_message(&self, caller: Caller, request: &SendRequest) -> Result<SendResponse, CommandError> {
        let values = check_request(request, self.now(), self.config.limits.clock_skew)?;
        for (index, message) in request.messages.iter().enumerate() {
            self.check_id(caller, index, message).await?;
        }
        let mut sending = JoinSet::new();
        for (index, (message, value)) in request.messages.iter().cloned().zip(values).enumerate() {
            let service = self.clone();
            sending.spawn(async move { (index, service.send_one(caller, &message, &value).await) });
        }
        let mut results: Vec<SendResult> = request
            .messages
            .iter()
            .map(|message| SendResult {
                recipient: message.recipient,
                outer_id: message.outer_id,
                outcome: SendOutcome::OutcomeUnknown,
            })
            .collect();
        while let Some(sent) = sending.join_next().await {
            // A task that has failed leaves its outcome unknown, which is what it is.
            if let Ok((index, outcome)) = sent
                && let Some(result) = results.get_mut(index)
            {
                result.outcome = outcome;
            }
        }
        Ok(SendResponse { results })
    }

    /// Refuses an id that was accepted with another value, if the caller may know of it at all.
    async fn check_id(&self, caller: Caller, index: usize, message: &OutgoingMessage) -> Result<(), CommandError> {
        let accepted = self.models.accepted(message.recipient, message.outer_id).await?;
        let hash = content_hash(&message.value);
        let is_reused = !accepted.is_empty() && accepted.iter().all(|other| other.content_hash != hash);
        if is_reused && self.relation(caller, message.recipient).await?.may_write() {
            return Err(Refusal::IdReused { field: format!("/messages/{index}/outer_id") }.into());
        }
        Ok(())
    }

    async fn send_one(&self, caller: Caller, message: &OutgoingMessage, value: &MessageValue) -> SendOutcome {
        match self.try_send(caller, message, value).await {
            Ok(outcome) => outcome,
            Err(CommandError::Refused(_) | CommandError::NoSuchCommand) => SendOutcome::NoSuchRecipient,
            Err(CommandError::OutcomeUnknown { .. }) => SendOutcome::OutcomeUnknown,
            Err(error @ (CommandError::Unavailable(_) | CommandError::Internal(_))) => {
                tracing::warn!(%error, "a message could not be accepted");
                SendOutcome::Unavailable
            }
        }
    }

    async fn try_send(
        &self,
        caller: Caller,
        message: &OutgoingMessage,
        value: &MessageValue,
    ) -> Result<SendOutcome, CommandError> {
        if !self.relation(caller, message.recipient).await?.may_write() {
            return Ok(SendOutcome::NoSuchRecipient);
        }
        let hash = content_hash(&message.value);
        let accepted = self.models.accepted(message.recipient, message.outer_id).await?;
        if let Some(before) = accepted.iter().find(|other| other.content_hash == hash) {
            return Ok(self.as_before(before));
        }
        match self.settled_standing(caller, message.recipient, value).await? {
            Standing::Current => {}
            Standing::Stale(outcome) => return Ok(outcome),
            Standing::Ahead => return Ok(SendOutcome::Unavailable),
            Standing::None => return Ok(SendOutcome::NoSuchRecipient),
        }
        // The same message is the same event, however often and wherever it is sent.
        let (outer, digest) = (CommandId::from_bytes(*message.outer_id.as_bytes()), hash.as_slice());
        let step = digest.first_chunk::<4>().map_or(0, |octets| u32::from_be_bytes(*octets));
        let id = EventId::derive(Topic::Inbox, &message.recipient.to_string(), outer, step);
        let accepted_at = self.now();
        let event = Event::MessageEnqueuedV1(MessageEnqueuedV1 {
            box_id: message.recipient,
            outer_id: message.outer_id,
            value: message.value.clone(),
        });
        match self.appender.fact(message.recipient, id, accepted_at, &event).await {
            Ok(position) => Ok(SendOutcome::Accepted { accepted_at, position: position.token() }),
            Err(AppendError::Refused(error)) => Err(CommandError::Unavailable(error.to_string())),
            Err(AppendError::TooLarge { limit, .. }) => Err(Refusal::TooLarge { field: String::new(), limit }.into()),
            Err(AppendError::Unknown(_)) => Ok(SendOutcome::OutcomeUnknown),
        }
    }

    fn as_before(&self, before: &AcceptedMessage) -> SendOutcome {
        let position =
            Position { region: before.region, topic: Topic::Inbox, partition: before.partition, offset: before.offset };
        SendOutcome::Accepted { accepted_at: before.accepted_at, position: position.token() }
    }

    /// Where the value stands, once this region's record is as new as the sender's, or time is up.
    async fn settled_standing(
        &self,
        caller: Caller,
        box_id: BoxId,
        value: &MessageValue,
    ) -> Result<Standing, CommandError> {
        let deadline = Instant::now() + self.config.timeouts.newer_head;
        loop {
            let Some(stored) = self.models.key_record(box_id).await? else { return Ok(Standing::None) };
            let standing = standing(value, &stored, caller, self.now());
            let left = deadline.saturating_duration_since(Instant::now());
            if !matches!(standing, Standing::Ahead) || left.is_zero() {
                return Ok(standing);
            }
            let stream = box_id.to_string();
            self.models.wait_past(Projection::Keys, Topic::Keys, &stream, stored.version, left).await?;
        }
    }
}

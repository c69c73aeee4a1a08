//! Send message: to one or many boxes, each standing by itself. Checked in this order: permission, an id that was accepted
//! already, the head and the devices, and before all of it how much the sender sends.

use std::collections::BTreeSet;
use std::time::Duration;

use rossby_crypto::message::{MessageValue, content_hash};
use rossby_log::AppendError;
use rossby_projections::{AcceptedMessage, Projection};
use rossby_schemas::events::Event;
use rossby_schemas::events::inbox::MessageEnqueuedV1;
use rossby_schemas::http::messages::{MAX_SENT, OutgoingMessage, SendOutcome, SendRequest, SendResponse, SendResult};
use rossby_schemas::ids::{BoxId, CommandId, EventId};
use rossby_schemas::time::Timestamp;
use rossby_schemas::topic::{MESSAGE_LIFETIME, Topic};
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::error::{CommandError, Refusal};
use crate::position::Position;
use crate::service::Service;
use crate::standing::{Standing, Told, standing};
use crate::token::Caller;

/// How many of a request's messages are dealt with at once. Each asks the database a few times: a group's 250 leave most of
/// its connections to others, while enough appends go together to share the log's commits.
const AT_ONCE: usize = 16;

/// Refuses what no answer for each recipient could say: the whole request changes nothing. `list` is the request's field.
pub(crate) fn check_messages(
    list: &str,
    messages: &[OutgoingMessage],
    limit: usize,
    now: Timestamp,
    skew: Duration,
) -> Result<Vec<MessageValue>, Refusal> {
    if messages.is_empty() || messages.len() > limit {
        return Err(Refusal::invalid(format!("/{list}"), format!("must have between 1 and {limit} {list}")));
    }
    let mut seen = BTreeSet::new();
    let mut values = Vec::with_capacity(messages.len());
    for (index, message) in messages.iter().enumerate() {
        let field = |name| format!("/{list}/{index}/{name}");
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

/// The same message is the same event, however often and wherever it is sent.
pub(crate) fn event_id(topic: Topic, message: &OutgoingMessage) -> EventId {
    let (outer, hash) = (CommandId::from_bytes(*message.outer_id.as_bytes()), content_hash(&message.value));
    let step = hash.as_slice().first_chunk::<4>().map_or(0, |octets| u32::from_be_bytes(*octets));
    EventId::derive(topic, &message.recipient.to_string(), outer, step)
}

/// Runs futures side by side, a few at once, and gives what they came to in their order; none for one that panicked.
pub(crate) async fn all<T: Send + 'static>(
    futures: impl ExactSizeIterator<Item = impl Future<Output = T> + Send + 'static>,
) -> Vec<Option<T>> {
    let mut results: Vec<Option<T>> = Vec::new();
    results.resize_with(futures.len(), || None);
    let mut futures = futures.enumerate();
    let mut running = JoinSet::new();
    loop {
        for (index, future) in futures.by_ref().take(AT_ONCE - running.len()) {
            running.spawn(async move { (index, future.await) });
        }
        let Some(ended) = running.join_next().await else { return results };
        if let Ok((index, result)) = ended
            && let Some(slot) = results.get_mut(index)
        {
            *slot = Some(result);
        }
    }
}

/// The answer for a recipient whose message could not be accepted.
fn failed(error: &CommandError) -> SendOutcome {
    match error {
        CommandError::Refused(_) | CommandError::NoSuchCommand => SendOutcome::NoSuchRecipient,
        CommandError::OutcomeUnknown { .. } => SendOutcome::OutcomeUnknown,
        CommandError::Unavailable(_) | CommandError::StorageFull(_) | CommandError::Internal(_) => {
            tracing::warn!(%error, "a message could not be accepted");
            SendOutcome::Unavailable
        }
    }
}

fn as_before(before: &AcceptedMessage) -> SendOutcome {
    let position =
        Position { region: before.region, topic: Topic::Inbox, partition: before.partition, offset: before.offset };
    SendOutcome::Accepted { accepted_at: before.accepted_at, position: position.token() }
}

impl Service {
    /// Sends messages. Each is accepted or not by itself; repeating the request gives the same answers.
    ///
    /// # Errors
    /// [`Refusal::Invalid`] for a request that is malformed; [`Refusal::IdReused`] when an id was accepted with another
    /// value; [`Refusal::TooManyMessages`]. Nothing was sent then.
    pub async fn send_message(&self, caller: Caller, request: &SendRequest) -> Result<SendResponse, CommandError> {
        let begun = Instant::now();
        let skew = self.config.limits.clock_skew;
        let values = check_messages("messages", &request.messages, MAX_SENT, self.now(), skew)?;
        self.take_messages(caller, request.messages.len())?;
        // All are looked at before any is sent: an id that was used otherwise refuses the whole.
        let looking = request.messages.iter().cloned().map(|message| {
            let service = self.clone();
            async move { service.known_outcome(caller, &message).await }
        });
        let mut sending = Vec::new();
        for (index, known) in all(looking).await.into_iter().enumerate() {
            let known = match known {
                Some(Ok(known)) => known,
                Some(Err(CommandError::Refused(Refusal::IdReused { .. }))) => {
                    return Err(Refusal::IdReused { field: format!("/messages/{index}/outer_id") }.into());
                }
                Some(Err(error)) => Some(failed(&error)),
                // The task has failed before anything was sent.
                None => Some(SendOutcome::Unavailable),
            };
            sending.push(known);
        }
        let told = Told::default();
        let sending = request.messages.iter().cloned().zip(values).zip(sending).map(|((message, value), known)| {
            let (service, told) = (self.clone(), told.clone());
            async move {
                match known {
                    Some(outcome) => outcome,
                    None => {
                        service.send_one(caller, &message, &value, &told).await.unwrap_or_else(|error| failed(&error))
                    }
                }
            }
        });
        let outcomes = all(sending).await;
        let results = request.messages.iter().zip(outcomes).map(|(message, outcome)| SendResult {
            recipient: message.recipient,
            outer_id: message.outer_id,
            // A task that has failed leaves its outcome unknown, which is what it is.
            outcome: outcome.unwrap_or(SendOutcome::OutcomeUnknown),
        });
        let mut results: Vec<SendResult> = results.collect();
        for result in &mut results {
            if let SendOutcome::Stale { statements, sealing_statements, .. } = &mut result.outcome
                && let Some(stale) = told.tell(result.recipient)
            {
                (*statements, *sealing_statements) = (stale.statements, stale.sealing_statements);
            }
        }
        if results.iter().any(|result| result.outcome == SendOutcome::NoSuchRecipient) {
            self.until_refusal(begun).await;
        }
        Ok(SendResponse { results })
    }

    /// What becomes of a message that its recipient doesn't let in, or that was accepted before; none for all others.
    async fn known_outcome(
        &self,
        caller: Caller,
        message: &OutgoingMessage,
    ) -> Result<Option<SendOutcome>, CommandError> {
        // The same for a recipient who lets nobody in, and for one who isn't there.
        if !self.take_message_to(caller, message.recipient) {
            return Ok(Some(SendOutcome::Unavailable));
        }
        // First, and for all the same: who is not let in learns nothing more.
        if !self.relation(caller, message.recipient).await?.may_write() {
            return Ok(Some(SendOutcome::NoSuchRecipient));
        }
        let hash = content_hash(&message.value);
        let accepted = self.models.accepted(message.recipient, message.outer_id).await?;
        match accepted.iter().find(|other| other.content_hash == hash) {
            Some(before) => Ok(Some(as_before(before))),
            None if accepted.is_empty() => Ok(None),
            None => Err(Refusal::IdReused { field: String::new() }.into()),
        }
    }

    async fn send_one(
        &self,
        caller: Caller,
        message: &OutgoingMessage,
        value: &MessageValue,
        told: &Told,
    ) -> Result<SendOutcome, CommandError> {
        match self.settled_standing(caller, message.recipient, value).await? {
            Standing::Current => {}
            Standing::Stale(stale) => {
                let head = told.keep(message.recipient, stale);
                return Ok(SendOutcome::Stale { head, statements: Vec::new(), sealing_statements: Vec::new() });
            }
            Standing::Ahead => return Ok(SendOutcome::Unavailable),
            Standing::None => return Ok(SendOutcome::NoSuchRecipient),
        }
        if self.is_full(message.recipient).await? {
            return Ok(SendOutcome::Unavailable);
        }
        let id = event_id(Topic::Inbox, message);
        let accepted_at = self.now();
        let event = Event::MessageEnqueuedV1(MessageEnqueuedV1 {
            box_id: message.recipient,
            outer_id: message.outer_id,
            value: message.value.clone(),
        });
        match self.appender.fact(&message.recipient.to_string(), id, accepted_at, &event).await {
            Ok(position) => Ok(SendOutcome::Accepted { accepted_at, position: position.token() }),
            Err(AppendError::Refused(error)) => Err(CommandError::Unavailable(error.to_string())),
            Err(AppendError::TooLarge { limit, .. }) => Err(Refusal::TooLarge { field: String::new(), limit }.into()),
            Err(AppendError::Unknown(_)) => Ok(SendOutcome::OutcomeUnknown),
        }
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
            let Some(known) = self.key_record(box_id).await? else { return Ok(Standing::None) };
            let standing = standing(value, &known, caller, self.now());
            let left = deadline.saturating_duration_since(Instant::now());
            if !matches!(standing, Standing::Ahead) || left.is_zero() {
                return Ok(standing);
            }
            let stream = box_id.to_string();
            self.models.wait_past(Projection::Keys, Topic::Keys, &stream, known.version, left).await?;
        }
    }
}

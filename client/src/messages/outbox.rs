//! The outbox: what was signed and sealed is handed to the server until it says what became of it.

use std::collections::HashMap;
use std::time::Duration;

use rossby_schemas::encoding::Octets;
use rossby_schemas::http::messages::{
    MAX_SEND_OCTETS, MAX_SENT, OutgoingMessage, SEND_OCTETS_A_SECOND, SendOutcome, SendRequest, SendResponse,
};
use rossby_schemas::http::problem::ProblemType;
use rossby_schemas::ids::BoxId;
use rossby_schemas::time::Timestamp;
use tokio::time::Instant;

use crate::Client;
use crate::contacts::{Known, Peer, may_send};
use crate::error::ClientError;
use crate::groups::is_of_groups;
use crate::http::Call;
use crate::store::device::Device;
use crate::store::messages::{self, State};
use crate::store::outbox::{self, LeftOut, Outgoing, RecipientRow, Sealed};
use crate::warning::Warning;

/// How often a message is sealed anew, or handed over again, before it stays in the outbox.
const TRIES: u32 = 5;
/// How often the server may say that it hasn't yet seen the record that a message is sealed to.
const TRIES_BEFORE_OLDER: u32 = 3;
/// How often it waits when the server has enough of this device: after the look-ups of a group's members it can have.
const MAX_WAITS: u32 = 3;
const FIRST_PAUSE: Duration = Duration::from_millis(200);
/// Why a message was not sent to somebody whom the server doesn't show.
const NOBODY: &str = "there is no such user, or none who takes messages from you";
/// What stands around a message's value in a request: names, two ids, punctuation.
const AROUND_A_VALUE: usize = 160;

/// Why the outbox was not emptied.
#[derive(Debug)]
pub(crate) struct Stopped {
    /// Whose messages wait; none if all do.
    peer: Option<BoxId>,
    pub(super) error: ClientError,
}

impl Stopped {
    /// Whether messages to this box wait for it.
    pub(super) fn concerns(&self, recipient: BoxId) -> bool {
        self.peer.is_none_or(|peer| peer == recipient)
    }
}

/// Whether others' messages may get through where this one didn't.
fn is_about_recipient(error: &ClientError) -> bool {
    match error {
        ClientError::Refused(problem) => matches!(problem.status, 400 | 404 | 413 | 422),
        ClientError::Forked(_)
        | ClientError::BadRecord { .. }
        | ClientError::NotTaken(_)
        | ClientError::NoDevice(_)
        | ClientError::ClockAhead(_)
        | ClientError::RootChanged { .. }
        | ClientError::Seal(_)
        | ClientError::BadAnswer(_) => true,
        _ => false,
    }
}

/// Whether a shorter request may get through where this one didn't.
fn is_about_length(error: &ClientError) -> bool {
    matches!(error, ClientError::Refused(problem) if matches!(problem.status, 408 | 413))
}

/// How far one emptying of the outbox has come.
struct Flush {
    stopped: Vec<Stopped>,
    tries: HashMap<BoxId, Tries>,
    /// How many messages a request may carry: fewer after one that was refused as a whole, until the message is alone that it
    /// was refused for.
    fit: usize,
    /// How often it has waited because the server had enough of this device.
    waits: u32,
    /// Whether what was written by a wrong clock has got another expiry. Once: a server could put the clock back again and again.
    is_clock_right: bool,
}

/// How often a recipient's first message was handed over.
struct Tries {
    message: i64,
    count: u32,
    pause: Duration,
    not_before: Instant,
}

impl Flush {
    fn new() -> Self {
        Self { stopped: Vec::new(), tries: HashMap::new(), fit: MAX_SENT, waits: 0, is_clock_right: false }
    }

    fn stop(&mut self, recipient: BoxId, error: ClientError) {
        let peer = is_about_recipient(&error).then_some(recipient);
        self.stopped.push(Stopped { peer, error });
    }

    fn is_stopped(&self, recipient: BoxId) -> bool {
        self.stopped.iter().any(|stopped| stopped.concerns(recipient))
    }

    /// When a message may be handed over; none for one that need not wait.
    fn not_before(&self, message: i64, recipient: BoxId) -> Option<Instant> {
        self.tries.get(&recipient).filter(|tries| tries.message == message).map(|tries| tries.not_before)
    }

    /// Counts that a message was handed over.
    fn count(&mut self, outgoing: &Outgoing) -> &mut Tries {
        let new = || Tries { message: outgoing.message, count: 0, pause: FIRST_PAUSE, not_before: Instant::now() };
        let tries = self.tries.entry(outgoing.recipient).or_insert_with(new);
        if tries.message != outgoing.message {
            *tries = new();
        }
        tries.count += 1;
        tries
    }
}

impl Client {
    /// Hands over what is in the outbox: of each recipient the oldest message, as many as fit into a request, until nothing is
    /// left. Gives what stopped it: for one recipient, whose later messages wait then, or for all.
    ///
    /// A request carries one message for each recipient at most: the server takes a request's messages side by side, and each
    /// recipient's must come in their order.
    pub(crate) async fn flush(&self) -> Result<Vec<Stopped>, ClientError> {
        let mut flush = Flush::new();
        loop {
            // What goes out can bring more: the box's other devices are told of it.
            let mut heads = self.store.outbox_heads().await?;
            heads.retain(|(_, recipient)| !flush.is_stopped(*recipient));
            let not_before = |(message, recipient): &(i64, BoxId)| flush.not_before(*message, *recipient);
            let Some(first) = heads.iter().map(not_before).min() else { return Ok(flush.stopped) };
            if let Some(first) = first {
                tokio::time::sleep_until(first).await;
            }
            let now = Instant::now();
            heads.retain(|head| not_before(head).is_none_or(|at| at <= now));
            let device = self.device().await?;
            let batch = self.batch(&device, &mut flush, &heads).await?;
            let batch = self.attempt(batch).await?;
            if batch.is_empty() {
                continue;
            }
            let handed_over = self.hand_over(&device, &batch).await;
            if let Err(ClientError::Unreachable { may_be_done: false, .. }) = &handed_over {
                self.attempt_failed(&batch).await?;
            }
            match handed_over {
                Ok(outcomes) => {
                    flush.fit = MAX_SENT.min(flush.fit * 2);
                    for ((outgoing, sealed), outcome) in batch.iter().zip(outcomes) {
                        let handed_over = (outgoing, sealed);
                        if let Err(error) = self.heed_outcome(&device, &mut flush, handed_over, outcome).await {
                            flush.stop(outgoing.recipient, error);
                        }
                    }
                }
                // The answer has set this device's clock right, by which one of them expired too late.
                Err(ClientError::Refused(_)) if !flush.is_clock_right && self.expires_too_late(&batch) => {
                    flush.is_clock_right = true;
                }
                // It was refused as a whole, for one of them or for its length.
                Err(error) if batch.len() > 1 && (is_about_recipient(&error) || is_about_length(&error)) => {
                    flush.fit = batch.len() / 2;
                }
                Err(error) => match error.asked_to_wait().filter(|_| flush.waits < MAX_WAITS) {
                    Some(wait) => {
                        flush.waits += 1;
                        tokio::time::sleep(wait).await;
                    }
                    None => flush.stop(batch[0].0.recipient, error),
                },
            }
        }
    }

    fn expires_too_late(&self, batch: &[(Outgoing, Sealed)]) -> bool {
        batch.iter().any(|(outgoing, _)| outgoing.expires_at > self.latest_expiry())
    }

    /// Of these messages, those that one request carries. What has expired or can't be sealed leaves the way meanwhile.
    async fn batch(
        &self,
        device: &Device,
        flush: &mut Flush,
        heads: &[(i64, BoxId)],
    ) -> Result<Vec<(Outgoing, Sealed)>, ClientError> {
        let (mut batch, mut octets) = (Vec::new(), 0);
        for (message, recipient) in heads {
            // Another process may have handed it over.
            let Some(mut outgoing) = self.store.outgoing(*message, *recipient).await? else { continue };
            if outgoing.expires_at <= self.http.server_now() {
                self.not_sent(&outgoing, "it expired in the outbox").await?;
                continue;
            }
            // What was sealed before may not go out any more.
            if *recipient != device.box_id
                && let Err(error) = may_send(&mut *self.store.read().await?, *recipient).await
            {
                flush.stop(*recipient, error);
                continue;
            }
            // It was written while this device's clock was ahead: no server keeps it so long.
            if outgoing.expires_at > self.latest_expiry() {
                (outgoing.expires_at, outgoing.sealed) = (self.new_expiry(), None);
            }
            let sealed = match outgoing.sealed.clone() {
                Some(sealed) => sealed,
                None => match self.seal_at_last(device, &outgoing).await {
                    Ok(Some(sealed)) => sealed,
                    Ok(None) => continue,
                    Err(error) => {
                        flush.stop(*recipient, error);
                        continue;
                    }
                },
            };
            // Base64 writes three octets as four.
            octets += sealed.value.as_slice().len().div_ceil(3) * 4 + AROUND_A_VALUE;
            if !batch.is_empty() && (octets > MAX_SEND_OCTETS || batch.len() >= flush.fit) {
                break;
            }
            batch.push((outgoing, sealed));
        }
        Ok(batch)
    }

    /// Seals a message for a recipient for whom there was no key before. None if it goes nowhere any more.
    async fn seal_at_last(&self, device: &Device, outgoing: &Outgoing) -> Result<Option<Sealed>, ClientError> {
        let recipient = match self.recipient_among_many(&Peer::Box(outgoing.recipient)).await {
            // Whoever may not look them up can have their keys of another member of a group.
            Err(error) if error.problem() == Some(ProblemType::NoSuchRecipient) => {
                let mut connection = self.store.read().await?;
                let known = Known::load(&mut connection, outgoing.recipient).await?;
                match known.filter(|known| !known.is_forked && !self.sealable(device, known).devices.is_empty()) {
                    Some(known) => known,
                    None => {
                        let stored = messages::message(&mut connection, &self.vault, outgoing.message).await?;
                        drop(connection);
                        if stored.thread.peer().is_none() || is_of_groups(stored.kind) {
                            return Err(error);
                        }
                        // Nobody else has the keys. It is as if it had been handed over: what waited would come out of its time
                        // once they take messages again.
                        self.not_sent(outgoing, NOBODY).await?;
                        return Ok(None);
                    }
                }
            }
            found => found?,
        };
        self.seal_anew(device, &recipient, outgoing).await
    }

    /// Says in the store that these may go out from now on. Gives those that are still to: others were taken back, or another
    /// process has handed them over.
    async fn attempt(&self, batch: Vec<(Outgoing, Sealed)>) -> Result<Vec<(Outgoing, Sealed)>, ClientError> {
        let mut attempted = Vec::with_capacity(batch.len());
        let mut transaction = self.store.begin().await?;
        for (outgoing, sealed) in batch {
            if outbox::attempt(&mut transaction, &outgoing).await? {
                attempted.push((outgoing, sealed));
            }
        }
        transaction.commit().await?;
        Ok(attempted)
    }

    async fn attempt_failed(&self, batch: &[(Outgoing, Sealed)]) -> Result<(), ClientError> {
        let mut transaction = self.store.begin().await?;
        for (outgoing, _) in batch {
            outbox::attempt_failed(&mut transaction, outgoing).await?;
        }
        Ok(transaction.commit().await?)
    }

    async fn hand_over(&self, device: &Device, batch: &[(Outgoing, Sealed)]) -> Result<Vec<SendOutcome>, ClientError> {
        let messages: Vec<_> = batch
            .iter()
            .map(|(outgoing, sealed)| OutgoingMessage {
                recipient: outgoing.recipient,
                outer_id: sealed.outer_id,
                value: sealed.value.clone(),
            })
            .collect();
        let call = Call::post("/v1/messages", &SendRequest { messages });
        let seconds = u64::try_from(call.octets() / SEND_OCTETS_A_SECOND).unwrap_or(u64::MAX);
        let answer: SendResponse = self.ask(device, &call.waiting(Duration::from_secs(seconds))).await?;
        let is_about = answer.results.len() == batch.len()
            && batch.iter().zip(&answer.results).all(|((outgoing, sealed), result)| {
                (result.recipient, result.outer_id) == (outgoing.recipient, sealed.outer_id)
            });
        if !is_about {
            return Err(ClientError::bad_answer("it is about other messages"));
        }
        Ok(answer.results.into_iter().map(|result| result.outcome).collect())
    }

    /// Does what the server's answer for one recipient asks for.
    async fn heed_outcome(
        &self,
        device: &Device,
        flush: &mut Flush,
        (outgoing, sealed): (&Outgoing, &Sealed),
        outcome: SendOutcome,
    ) -> Result<(), ClientError> {
        let tries = flush.count(outgoing);
        match outcome {
            SendOutcome::Accepted { accepted_at, .. } => return self.sent(device, outgoing, sealed, accepted_at).await,
            SendOutcome::NoSuchRecipient => {
                return self.not_sent(outgoing, NOBODY).await;
            }
            SendOutcome::Stale { statements, sealing_statements, .. } => {
                let recipient = self.newer(outgoing.recipient, &statements, &sealing_statements).await?;
                self.seal_anew(device, &recipient, outgoing).await?;
            }
            // It may wait for a statement that it is never given: one that came with a message alone.
            SendOutcome::Unavailable if tries.count == TRIES_BEFORE_OLDER => {
                if let Some(recipient) = self.as_served(outgoing.recipient).await? {
                    self.seal_anew(device, &recipient, outgoing).await?;
                }
            }
            SendOutcome::OutcomeUnknown | SendOutcome::Unavailable => {
                tries.not_before = Instant::now() + tries.pause;
                tries.pause *= 2;
            }
        }
        if tries.count < TRIES { Ok(()) } else { Err(ClientError::NotTaken(outgoing.recipient)) }
    }

    /// The server has a message for a recipient: the own devices are told, once. So is the person, of devices that can't read it: the
    /// server takes no message that one is left out of whose key it has.
    async fn sent(
        &self,
        device: &Device,
        outgoing: &Outgoing,
        sealed: &Sealed,
        accepted_at: Timestamp,
    ) -> Result<(), ClientError> {
        let recipient = RecipientRow::new(outgoing.recipient, State::Sent, Some(accepted_at));
        let mut transaction = self.store.begin().await?;
        if outbox::settle(&mut transaction, outgoing.message, &recipient).await? {
            let stored = messages::message(&mut transaction, &self.vault, outgoing.message).await?;
            self.tell_sent(&mut transaction, device, &stored, accepted_at).await?;
            for LeftOut { device_id, reason } in sealed.left_out.clone() {
                self.warn(&mut transaction, &Warning::LeftOut { device_id, reason }).await?;
            }
            self.settled(&mut transaction, &stored).await?;
        }
        Ok(transaction.commit().await?)
    }

    /// The recipient's record as far as the server has it, if that is less than what is known.
    async fn as_served(&self, box_id: BoxId) -> Result<Option<Known>, ClientError> {
        let known = self.look_up(&Peer::Box(box_id)).await?;
        if known.is_forked { Err(ClientError::Forked(box_id)) } else { Ok(known.served()) }
    }

    /// The recipient's record with what the server says has changed. What doesn't fit is looked up as a whole.
    pub(crate) async fn newer(
        &self,
        box_id: BoxId,
        statements: &[Octets],
        sealing_statements: &[Octets],
    ) -> Result<Known, ClientError> {
        let known = match self.keep_record(box_id, statements, sealing_statements).await {
            Err(ClientError::BadRecord { .. }) => self.look_up(&Peer::Box(box_id)).await?,
            other => other?,
        };
        if known.is_forked { Err(ClientError::Forked(box_id)) } else { Ok(known) }
    }
}

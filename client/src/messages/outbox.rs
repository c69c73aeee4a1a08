//! The outbox: what was signed and sealed is handed to the server until it says what became of it.

use std::time::Duration;

use rossby_schemas::encoding::Octets;
use rossby_schemas::http::messages::{OutgoingMessage, SendOutcome, SendRequest, SendResponse};
use rossby_schemas::ids::BoxId;

use crate::Client;
use crate::contacts::{Known, Peer};
use crate::error::ClientError;
use crate::http::Call;
use crate::store::device::Device;
use crate::store::messages::{self, Outgoing, State, StoredMessage};
use crate::warning::Warning;

/// How many messages are in memory at once.
const PAGE: u32 = 50;
/// How often a message is sealed anew, or handed over again, before it stays in the outbox.
const TRIES: u32 = 5;
/// How often the server may say that it hasn't yet seen the record that a message is sealed to.
const TRIES_BEFORE_OLDER: u32 = 3;
const FIRST_PAUSE: Duration = Duration::from_millis(200);

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
        | ClientError::RootChanged { .. }
        | ClientError::Seal(_)
        | ClientError::BadAnswer(_) => true,
        _ => false,
    }
}

impl Client {
    /// Hands over what is in the outbox, the oldest first. Gives what stopped it: for one recipient, whose later messages wait
    /// then, or for all.
    pub(crate) async fn flush(&self) -> Result<Vec<Stopped>, ClientError> {
        let mut stopped: Vec<Stopped> = Vec::new();
        let mut after = 0;
        loop {
            // What goes out can bring more: the box's other devices are told of it.
            let waiting = self.store.outbox(after, PAGE).await?;
            if waiting.is_empty() || stopped.iter().any(|stopped| stopped.peer.is_none()) {
                return Ok(stopped);
            }
            let device = self.device().await?;
            for outgoing in waiting {
                after = outgoing.message;
                let stored = self.store.message(&self.vault, outgoing.message).await?;
                // Each recipient's messages go out in their order.
                if stopped.iter().any(|stopped| stopped.concerns(stored.peer)) {
                    continue;
                }
                if let Err(error) = self.deliver(&device, &stored, outgoing).await {
                    let peer = is_about_recipient(&error).then_some(stored.peer);
                    stopped.push(Stopped { peer, error });
                }
            }
        }
    }

    /// Hands one message over until it is known what became of it, within reason.
    async fn deliver(
        &self,
        device: &Device,
        stored: &StoredMessage,
        mut outgoing: Outgoing,
    ) -> Result<(), ClientError> {
        let mut pause = FIRST_PAUSE;
        for attempt in 1..=TRIES {
            if outgoing.expires_at <= self.http.server_now() {
                return self.not_sent(stored, "it expired in the outbox").await;
            }
            match self.hand_over(device, stored.peer, &outgoing).await? {
                SendOutcome::Accepted { accepted_at, .. } => {
                    let mut transaction = self.store.begin().await?;
                    if messages::settle(&mut transaction, stored.id, State::Sent, Some(accepted_at)).await? {
                        self.tell_sent(&mut transaction, device, stored, accepted_at).await?;
                    }
                    return Ok(transaction.commit().await?);
                }
                SendOutcome::NoSuchRecipient => {
                    return self.not_sent(stored, "there is no such user, or none who takes messages from you").await;
                }
                SendOutcome::Stale { statements, sealing_statements, .. } => {
                    let recipient = self.newer(stored.peer, &statements, &sealing_statements).await?;
                    outgoing = self.seal_anew(device, &recipient, stored, outgoing).await?;
                }
                // It may wait for a statement that it is never given: one that came with a message alone.
                SendOutcome::Unavailable if attempt == TRIES_BEFORE_OLDER => {
                    if let Some(recipient) = self.as_served(stored.peer).await? {
                        outgoing = self.seal_anew(device, &recipient, stored, outgoing).await?;
                    }
                }
                SendOutcome::OutcomeUnknown | SendOutcome::Unavailable => {
                    tokio::time::sleep(pause).await;
                    pause *= 2;
                }
            }
        }
        Err(ClientError::NotTaken(stored.peer))
    }

    /// A message will not be sent: that is told, once.
    async fn not_sent(&self, stored: &StoredMessage, reason: &str) -> Result<(), ClientError> {
        let mut transaction = self.store.begin().await?;
        if messages::settle(&mut transaction, stored.id, State::Failed, None).await? && stored.is_shown {
            let warning = Warning::NotSent { recipient: stored.peer, reason: reason.to_owned() };
            self.warn(&mut transaction, &warning).await?;
        }
        Ok(transaction.commit().await?)
    }

    /// The recipient's record as far as the server has it, if that is less than what is known.
    async fn as_served(&self, box_id: BoxId) -> Result<Option<Known>, ClientError> {
        let known = self.look_up(&Peer::Box(box_id)).await?;
        if known.is_forked { Err(ClientError::Forked(box_id)) } else { Ok(known.served()) }
    }

    async fn hand_over(
        &self,
        device: &Device,
        recipient: BoxId,
        outgoing: &Outgoing,
    ) -> Result<SendOutcome, ClientError> {
        let message = OutgoingMessage { recipient, outer_id: outgoing.outer_id, value: outgoing.value.clone() };
        let call = Call::post("/v1/messages", &SendRequest { messages: vec![message] });
        let answer: SendResponse = self.ask(device, &call).await?;
        match answer.results.into_iter().next() {
            Some(result) if (result.recipient, result.outer_id) == (recipient, outgoing.outer_id) => Ok(result.outcome),
            _ => Err(ClientError::bad_answer("it is about another message")),
        }
    }

    /// The recipient's record with what the server says has changed. What doesn't fit is looked up as a whole.
    async fn newer(
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

//! Telling others that the person writes: those whom they have accepted, and only if they want it known.

use std::time::Duration;

use rossby_crypto::group::GroupId;
use rossby_crypto::key_record::KeyRecord;
use rossby_crypto::message::{MessageContent, RecipientDevice, seal};
use rossby_schemas::encoding::Octets;
use rossby_schemas::http::messages::OutgoingMessage;
use rossby_schemas::http::signals::{SignalOutcome, SignalRequest, SignalResponse};
use rossby_schemas::ids::{BoxId, MessageId, OuterId};
use tokio::sync::mpsc;
use tokio::time::Instant;
use uuid::Uuid;

use super::Live;
use crate::Client;
use crate::contacts::{Known, may_send};
use crate::content::{self, Standing};
use crate::error::ClientError;
use crate::http::Call;
use crate::messages::Conversation;
use crate::random::rng;
use crate::store::device::Device;
use crate::store::{peers, records};

/// How often it is said again that somebody writes. Who hears it takes it to be over after seven seconds.
const REPEAT: Duration = Duration::from_secs(3);
/// In a group of more members nobody is told: it would be many signals, again and again.
const MOST_TOLD: usize = 50;
/// When a signal is worth nothing any more, by what its value says; the server is stricter.
const LIFETIME: Duration = Duration::from_secs(60);

/// What became of telling somebody once that the person writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Indicated {
    /// Their devices that are connected get it; whether one is, is told to nobody.
    Sent,
    /// There is no such user, or none who takes messages from this one.
    NoSuchRecipient,
    /// The server could not take it.
    NotTaken,
    /// There is nobody to tell: of the group's members the person has accepted none, or it is a large group, or not theirs.
    Nobody,
}

/// An open stream's way out for signals. Dropped, there is none.
pub(super) struct Open<'a> {
    live: &'a Live,
    number: u64,
}

impl Live {
    /// Signals go out this way, until what is given is dropped.
    pub(super) fn open(&self, signals: mpsc::Sender<Vec<OutgoingMessage>>) -> Open<'_> {
        let mut outgoing = self.outgoing();
        let number = outgoing.as_ref().map_or(0, |(number, _)| number + 1);
        *outgoing = Some((number, signals));
        Open { live: self, number }
    }

    /// Whether it is time to say this; noted as said.
    fn is_due(&self, conversation: Conversation, is_typing: bool, now: Instant) -> bool {
        let mut indicated = self.indicated();
        indicated.retain(|_, (at, _)| now.duration_since(*at) < REPEAT * 2);
        let is_due = match indicated.get(&conversation) {
            Some((at, true)) if is_typing => now.duration_since(*at) >= REPEAT,
            Some((_, said)) => *said != is_typing,
            // Nobody has to be told that somebody stopped who had not begun.
            None => is_typing,
        };
        if is_due {
            indicated.insert(conversation, (now, is_typing));
        }
        is_due
    }
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        let mut outgoing = self.live.outgoing();
        if outgoing.as_ref().is_some_and(|(number, _)| *number == self.number) {
            *outgoing = None;
        }
    }
}

impl Client {
    /// Tells those who are in a conversation that the person writes, or has stopped. To be called as often as one likes: it goes
    /// out every few seconds, while [`Client::follow`] has a stream, to people who were accepted, if the person wants it known. Gives
    /// whether it went out.
    ///
    /// # Errors
    /// The store's.
    pub async fn indicate_typing(&self, conversation: Conversation, is_typing: bool) -> Result<bool, ClientError> {
        let outgoing = self.live.outgoing().as_ref().map(|(_, outgoing)| outgoing.clone());
        let Some(outgoing) = outgoing else { return Ok(false) };
        if !self.live.is_due(conversation, is_typing, Instant::now()) {
            return Ok(false);
        }
        let device = self.device().await?;
        let (signals, _) = match self.typing_signals(&device, conversation, is_typing).await {
            Err(ClientError::TypingOff) => return Ok(false),
            signals => signals?,
        };
        // A stream that takes none now takes the next.
        Ok(!signals.is_empty() && outgoing.try_send(signals).is_ok())
    }

    /// Tells those who are in a conversation once that the person writes, by a request of its own.
    ///
    /// # Errors
    /// [`ClientError::TypingOff`], [`ClientError::NotAccepted`], what withholds messages from somebody, and what the server says.
    pub async fn signal_typing(&self, conversation: Conversation) -> Result<Indicated, ClientError> {
        let device = self.device().await?;
        let mut indicated = Indicated::NotTaken;
        // Once more, sealed to what has changed.
        for _ in 0..2 {
            let (signals, refused) = self.typing_signals(&device, conversation, true).await?;
            if signals.is_empty() {
                // Of a group's members none was accepted, or none can be written to.
                let refused = refused.filter(|_| conversation.peer().is_some());
                return refused.map_or(Ok(Indicated::Nobody), Err);
            }
            let recipients: Vec<BoxId> = signals.iter().map(|signal| signal.recipient).collect();
            let call = Call::post("/v1/signals", &SignalRequest { signals }).harmless();
            let answer: SignalResponse = self.ask(&device, &call).await?;
            let mut is_stale = false;
            for result in answer.results.into_iter().filter(|result| recipients.contains(&result.recipient)) {
                match result.outcome {
                    SignalOutcome::Accepted => indicated = Indicated::Sent,
                    SignalOutcome::NoSuchRecipient if indicated == Indicated::NotTaken => {
                        indicated = Indicated::NoSuchRecipient;
                    }
                    SignalOutcome::Stale { statements, sealing_statements, .. } => {
                        is_stale = true;
                        self.newer(result.recipient, &statements, &sealing_statements).await?;
                    }
                    SignalOutcome::NoSuchRecipient | SignalOutcome::OutcomeUnknown | SignalOutcome::Unavailable => {}
                }
            }
            if !is_stale {
                break;
            }
        }
        Ok(indicated)
    }

    /// A signal for each box of a conversation that is told; and why the last one that isn't is not.
    async fn typing_signals(
        &self,
        device: &Device,
        conversation: Conversation,
        is_typing: bool,
    ) -> Result<(Vec<OutgoingMessage>, Option<ClientError>), ClientError> {
        let mut connection = self.store.read().await?;
        if !peers::receipts(&mut connection).await?.typing {
            return Err(ClientError::TypingOff);
        }
        let mut recipients = match conversation {
            Conversation::Direct(peer) => vec![peer],
            Conversation::Group(id) => self.fellows(&mut connection, device.box_id, GroupId(id)).await?,
        };
        drop(connection);
        recipients.retain(|recipient| *recipient != device.box_id);
        if recipients.len() > MOST_TOLD {
            recipients.clear();
        }
        let (mut signals, mut refused) = (Vec::new(), None);
        for recipient in recipients {
            match self.typing_signal(device, conversation, recipient, is_typing).await {
                Ok(signal) => signals.push(signal),
                Err(error) => {
                    tracing::debug!(%error, "somebody is not told that the person writes");
                    refused = Some(error);
                }
            }
        }
        Ok((signals, refused))
    }

    /// A signal for one box, signed and sealed as a message is.
    async fn typing_signal(
        &self,
        device: &Device,
        conversation: Conversation,
        recipient: BoxId,
        is_typing: bool,
    ) -> Result<OutgoingMessage, ClientError> {
        let mut connection = self.store.read().await?;
        if peers::state(&mut connection, recipient).await?.standing != Standing::Accepted {
            return Err(ClientError::NotAccepted(recipient));
        }
        may_send(&mut connection, recipient).await?;
        let Some(known) = Known::load(&mut connection, recipient).await? else {
            return Err(ClientError::NoDevice(recipient));
        };
        let own = records::own_record(&mut connection, device.box_id).await?;
        drop(connection);
        let sealable = self.sealable(device, &known);
        if sealable.devices.is_empty() {
            return Err(self.no_device(recipient));
        }
        let id = conversation.id(device.box_id);
        let body = content::encode(&content::Typing { conversation: id, is_typing })?;
        let content = self.signal_content(device, (&own, &known.record), id, body);
        let signed = content.sign(&device.signing_key).map_err(|error| ClientError::Seal(error.into()))?;
        let devices: Vec<RecipientDevice<'_>> = sealable.devices.iter().map(|device| (*device).into()).collect();
        let (outer_id, expires_at) = (OuterId(Uuid::new_v4()), self.http.server_now().plus(LIFETIME));
        let value = seal(&mut rng(), &signed, outer_id, expires_at, &devices)?;
        Ok(OutgoingMessage { recipient, outer_id, value })
    }

    /// What is signed: a message of no chain, which nobody keeps.
    fn signal_content(
        &self,
        device: &Device,
        (own, recipient): (&KeyRecord, &KeyRecord),
        conversation: Uuid,
        body: Octets,
    ) -> MessageContent {
        MessageContent {
            sender: device.box_id,
            sender_device: device.device_id,
            sender_head: own.head(),
            recipient: recipient.box_id(),
            recipient_head: recipient.head(),
            conversation,
            message_id: MessageId(Uuid::new_v4()),
            sequence: 1,
            previous: None,
            // The server's clock, so that it is new by the recipient's too.
            time: self.http.server_now(),
            kind: content::Typing::KIND,
            body,
            statements: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_said_again_now_and_then_and_its_end_once() {
        let (live, begin) = (Live::new(Duration::ZERO), Instant::now());
        let in_seconds = |seconds| begin + Duration::from_secs(seconds);
        let conversation = Conversation::Direct(BoxId::from_bytes([1; 16]));
        let says = |seconds, is_typing| live.is_due(conversation, is_typing, in_seconds(seconds));
        assert!(!says(0, false), "it had not begun");
        assert!(says(0, true) && !says(1, true) && !says(2, true) && says(3, true));
        assert!(says(4, false) && !says(4, false) && says(5, true));
        assert!(!says(20, false), "they have forgotten by themselves");
        assert!(live.is_due(Conversation::Direct(BoxId::from_bytes([2; 16])), true, in_seconds(20)));
    }

    #[test]
    fn a_stream_that_is_gone_takes_nothing_from_the_one_after_it() {
        let live = Live::new(Duration::ZERO);
        let (first, _one) = mpsc::channel(1);
        let (second, _two) = mpsc::channel(1);
        let old = live.open(first);
        let new = live.open(second);
        drop(old);
        assert!(live.outgoing().is_some());
        drop(new);
        assert!(live.outgoing().is_none());
    }
}

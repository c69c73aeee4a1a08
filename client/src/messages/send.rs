//! Sending: signed, sealed and stored first, then handed to the server until it says what became of it.

use std::time::Duration;

use rossby_crypto::conversation::direct_conversation;
use rossby_crypto::key_record::KeyRecord;
use rossby_crypto::message::{MessageContent, RecipientDevice, SignedContent, seal};
use rossby_schemas::encoding::{Octets, Sha256Digest};
use rossby_schemas::http::messages::{OutgoingMessage, SendOutcome, SendRequest, SendResponse};
use rossby_schemas::ids::{BoxId, MessageId, OuterId};
use rossby_schemas::time::Timestamp;
use sqlx::SqliteConnection;
use uuid::Uuid;

use super::{Kind, MAX_TEXT_OCTETS, MessageState};
use crate::Client;
use crate::contacts::{Known, Peer};
use crate::error::ClientError;
use crate::http::Call;
use crate::random::rng;
use crate::store::contacts;
use crate::store::device::Device;
use crate::store::messages::{self, At, Chain, Outgoing, State, StoredMessage};
use crate::store::records;
use crate::warning::Warning;

/// How long a message may wait for its recipient: what the server allows, less an hour for the way.
const LIFETIME: Duration = Duration::from_secs(30 * 24 * 3600 - 3600);
/// How often a message is sealed anew, or handed over again, before it stays in the outbox.
const TRIES: u32 = 5;
/// How often the server may say that it hasn't yet seen the record that a message is sealed to.
const TRIES_BEFORE_OLDER: u32 = 3;
const FIRST_PAUSE: Duration = Duration::from_millis(200);

/// What became of a message that was sent.
#[derive(Debug)]
pub struct Sent {
    /// The message.
    pub message_id: MessageId,
    /// The recipient's box.
    pub recipient: BoxId,
    /// What became of it.
    pub state: MessageState,
    /// When the server accepted it.
    pub accepted_at: Option<Timestamp>,
    /// Why it is still in the outbox, if it is.
    pub reason: Option<ClientError>,
}

/// Why the outbox was not emptied.
#[derive(Debug)]
pub(crate) struct Stopped {
    /// Whose messages wait; none if all do.
    peer: Option<BoxId>,
    error: ClientError,
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

/// What a message says, the same however often it is sealed.
struct Draft {
    conversation: Uuid,
    message_id: MessageId,
    sequence: u64,
    previous: Option<Sha256Digest>,
    time: Timestamp,
    kind: u32,
    body: Octets,
}

impl Client {
    /// Sends a text. It is in the store before the server hears of it: if the server can't be reached, it stays in the outbox,
    /// and goes out with the next `send` or `receive`.
    ///
    /// # Errors
    /// [`ClientError::RootChanged`], [`ClientError::Forked`], [`ClientError::NoDevice`], [`ClientError::TooLong`],
    /// [`ClientError::Oneself`]: nothing was sent or stored. So too what the server says of the recipient's look-up.
    pub async fn send(&self, peer: &Peer, text: &str) -> Result<Sent, ClientError> {
        if text.len() > MAX_TEXT_OCTETS {
            return Err(ClientError::TooLong { octets: text.len(), limit: MAX_TEXT_OCTETS });
        }
        let device = self.device().await?;
        let recipient = self.recipient(peer).await?;
        if recipient.record.box_id() == device.box_id && recipient.record.members().count() < 2 {
            return Err(ClientError::Oneself);
        }
        let (id, message_id) = self.write(&device, &recipient, Kind::Text, text.as_bytes().into()).await?;
        // What was written before goes out before.
        let stopped = self.flush().await?;
        let stored = self.store.message(&self.vault, id).await?;
        let is_reason = |stopped: &Stopped| stopped.peer.is_none_or(|peer| peer == stored.peer);
        let reason = stopped.into_iter().find(is_reason).map(|stopped| stopped.error);
        Ok(Sent {
            message_id,
            recipient: recipient.record.box_id(),
            state: stored.state.into(),
            accepted_at: stored.accepted_at,
            reason,
        })
    }

    /// Stores a message with the next number of its conversation, sealed, in the outbox.
    async fn write(
        &self,
        device: &Device,
        recipient: &Known,
        kind: Kind,
        body: Octets,
    ) -> Result<(i64, MessageId), ClientError> {
        let peer = recipient.record.box_id();
        let conversation = direct_conversation(device.box_id, peer);
        let chain = Chain { sender: device.box_id, device: device.device_id, conversation };
        let mut transaction = self.store.begin().await?;
        let last = messages::link(&mut transaction, &self.vault, chain, At::Last).await?;
        let draft = Draft {
            conversation,
            message_id: MessageId(Uuid::new_v4()),
            sequence: last.map_or(1, |link| link.sequence + 1),
            previous: last.map(|link| link.hash),
            time: self.now(),
            kind: kind.number(),
            body,
        };
        let own = records::own_record(&mut transaction, device.box_id).await?;
        let knows = contacts::knows_version(&mut transaction, peer).await?;
        let signed = sign(device, &own, recipient, &draft, knows)?;
        let expires_at = self.http.server_now().plus(LIFETIME);
        let (outer_id, value) = self.seal(&mut transaction, device, recipient, &signed, expires_at).await?;
        let stored = StoredMessage {
            id: 0,
            peer,
            conversation,
            sender: device.box_id,
            sender_device: device.device_id,
            sequence: draft.sequence,
            previous: draft.previous,
            link_hash: signed.link_hash(),
            message_id: draft.message_id,
            time: draft.time,
            accepted_at: None,
            kind: draft.kind,
            body: draft.body,
            state: State::Pending,
        };
        let message = messages::insert(&mut transaction, &self.vault, &stored).await?;
        messages::keep_outgoing(&mut transaction, &Outgoing { message, outer_id, expires_at, value }).await?;
        transaction.commit().await?;
        Ok((message, stored.message_id))
    }

    /// Seals for every device of the recipient's that can be sealed to, under a new outer id.
    async fn seal(
        &self,
        connection: &mut SqliteConnection,
        device: &Device,
        recipient: &Known,
        signed: &SignedContent,
        expires_at: Timestamp,
    ) -> Result<(OuterId, Octets), ClientError> {
        let except = (recipient.record.box_id() == device.box_id).then_some(device.device_id);
        // The server can't make an expired key good by setting our clock back.
        let now = self.now().max(self.http.server_now());
        let sealable = recipient.record.sealable(&recipient.sealing, except, now);
        if sealable.devices.is_empty() {
            return Err(ClientError::NoDevice(recipient.record.box_id()));
        }
        for (device_id, why) in &sealable.left_out {
            let warning = Warning::LeftOut { device_id: *device_id, reason: why.to_string() };
            self.warn(connection, &warning).await?;
        }
        let devices: Vec<RecipientDevice<'_>> = sealable.devices.iter().map(|device| (*device).into()).collect();
        let outer_id = OuterId(Uuid::new_v4());
        Ok((outer_id, seal(&mut rng(), signed, outer_id, expires_at, &devices)?))
    }

    /// Hands over what is in the outbox, the oldest first. Gives what stopped it: for one recipient, whose later messages wait
    /// then, or for all.
    pub(crate) async fn flush(&self) -> Result<Vec<Stopped>, ClientError> {
        let waiting = self.store.outbox().await?;
        let mut stopped: Vec<Stopped> = Vec::new();
        if waiting.is_empty() {
            return Ok(stopped);
        }
        let device = self.device().await?;
        for outgoing in waiting {
            let stored = self.store.message(&self.vault, outgoing.message).await?;
            // Each recipient's messages go out in their order.
            if stopped.iter().any(|stopped| stopped.peer.is_none_or(|peer| peer == stored.peer)) {
                continue;
            }
            if let Err(error) = self.deliver(&device, &stored, outgoing).await {
                let peer = is_about_recipient(&error).then_some(stored.peer);
                stopped.push(Stopped { peer, error });
            }
        }
        Ok(stopped)
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
                    messages::settle(&mut transaction, stored.id, State::Sent, Some(accepted_at)).await?;
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
        if messages::settle(&mut transaction, stored.id, State::Failed, None).await? {
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
        let answer: SendResponse = self.http.call(&call.signed(device.token()?)).await?;
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

    /// Seals a stored message again, to the recipient's record as it is now. Its number and what it says stay.
    async fn seal_anew(
        &self,
        device: &Device,
        recipient: &Known,
        stored: &StoredMessage,
        outgoing: Outgoing,
    ) -> Result<Outgoing, ClientError> {
        let draft = Draft {
            conversation: stored.conversation,
            message_id: stored.message_id,
            sequence: stored.sequence,
            previous: stored.previous,
            time: stored.time,
            kind: stored.kind,
            body: stored.body.clone(),
        };
        let mut transaction = self.store.begin().await?;
        let own = records::own_record(&mut transaction, device.box_id).await?;
        let knows = contacts::knows_version(&mut transaction, stored.peer).await?;
        let signed = sign(device, &own, recipient, &draft, knows)?;
        let (outer_id, value) = self.seal(&mut transaction, device, recipient, &signed, outgoing.expires_at).await?;
        let outgoing = Outgoing { outer_id, value, ..outgoing };
        messages::keep_outgoing(&mut transaction, &outgoing).await?;
        transaction.commit().await?;
        Ok(outgoing)
    }
}

/// Signs a message for a recipient who has the sender's record up to version `knows`.
fn sign(
    device: &Device,
    own: &KeyRecord,
    recipient: &Known,
    draft: &Draft,
    knows: u32,
) -> Result<SignedContent, ClientError> {
    let unknown = own.head_at(knows).and_then(|head| own.statements_since(head)).unwrap_or_else(|| own.statements());
    let content = MessageContent {
        sender: device.box_id,
        sender_device: device.device_id,
        sender_head: own.head(),
        recipient: recipient.record.box_id(),
        recipient_head: recipient.record.head(),
        conversation: draft.conversation,
        message_id: draft.message_id,
        sequence: draft.sequence,
        previous: draft.previous,
        time: draft.time,
        kind: draft.kind,
        body: draft.body.clone(),
        statements: unknown.to_vec(),
    };
    content.sign(&device.signing_key).map_err(|error| ClientError::Seal(error.into()))
}

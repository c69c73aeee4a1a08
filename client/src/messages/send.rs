//! Sending: signed, sealed and stored in the outbox first.

use std::collections::BTreeSet;
use std::time::Duration;

use rossby_crypto::key_record::{KeyRecord, Sealable};
use rossby_crypto::message::{MessageContent, RecipientDevice, seal};
use rossby_schemas::encoding::{Octets, Sha256Digest};
use rossby_schemas::ids::{BoxId, Head, MessageId, OuterId};
use rossby_schemas::time::Timestamp;
use sqlx::SqliteConnection;
use uuid::Uuid;

use super::{Conversation, Kind, MAX_TEXT_OCTETS, MessageState};
use crate::Client;
use crate::contacts::{Known, Peer};
use crate::error::ClientError;
use crate::random::rng;
use crate::store::contacts;
use crate::store::device::Device;
use crate::store::messages::{self, At, Chain, State, StoredMessage};
use crate::store::outbox::{self, Outgoing, RecipientRow, Sealed};
use crate::store::records;
use crate::warning::Warning;

/// How long a message may wait for its recipient: what the server allows, less an hour for the way.
const LIFETIME: Duration = Duration::from_secs(30 * 24 * 3600 - 3600);

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

/// What is to be sent.
pub(crate) struct Written {
    pub(crate) conversation: Conversation,
    /// The kind's number.
    pub(crate) kind: u32,
    pub(crate) body: Octets,
    /// Whether people read it.
    pub(crate) is_shown: bool,
}

/// What a message says, the same for whomever and however often it is sealed.
struct Draft {
    conversation: Uuid,
    message_id: MessageId,
    sequence: u64,
    previous: Option<Sha256Digest>,
    time: Timestamp,
    kind: u32,
    body: Octets,
}

impl Draft {
    /// The draft of a message that was stored.
    fn of(stored: &StoredMessage) -> Self {
        Self {
            conversation: stored.conversation,
            message_id: stored.message_id,
            sequence: stored.sequence,
            previous: stored.previous,
            time: stored.time,
            kind: stored.kind,
            body: stored.body.clone(),
        }
    }

    /// What is signed for a recipient: this, to whom, and what of the sender's record that one may not have.
    fn content(&self, device: &Device, own: &KeyRecord, to: (BoxId, Head), statements: &[Octets]) -> MessageContent {
        MessageContent {
            sender: device.box_id,
            sender_device: device.device_id,
            sender_head: own.head(),
            recipient: to.0,
            recipient_head: to.1,
            conversation: self.conversation,
            message_id: self.message_id,
            sequence: self.sequence,
            previous: self.previous,
            time: self.time,
            kind: self.kind,
            body: self.body.clone(),
            statements: statements.to_vec(),
        }
    }
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
        let box_id = recipient.record.box_id();
        if box_id == device.box_id && recipient.record.members().count() < 2 {
            return Err(ClientError::Oneself);
        }
        if self.sealable(&device, &recipient).devices.is_empty() {
            return Err(ClientError::NoDevice(box_id));
        }
        let conversation = Conversation::Direct(box_id);
        let written = Written { conversation, kind: Kind::Text.number(), body: text.as_bytes().into(), is_shown: true };
        let mut transaction = self.store.begin().await?;
        let (id, _) = self.compose(&mut transaction, &device, &[box_id], written).await?;
        transaction.commit().await?;
        self.sent_away(id, box_id).await
    }

    /// Hands over what waits, a message among it, and says what became of that one.
    async fn sent_away(&self, id: i64, recipient: BoxId) -> Result<Sent, ClientError> {
        // What was written before goes out before.
        let stopped = self.flush().await?;
        let stored = self.store.message(&self.vault, id).await?;
        let reason = stopped.into_iter().find(|stopped| stopped.concerns(recipient)).map(|stopped| stopped.error);
        let (message_id, state) = (stored.message_id, stored.state.into());
        Ok(Sent { message_id, recipient, state, accepted_at: stored.accepted_at, reason })
    }

    /// Stores a message with the next number of its conversation, and puts it into the outbox for each of these boxes: signed and
    /// sealed for it, or to be sealed later where there is no key to seal to now. The own box can be among them, for the
    /// person's other devices.
    pub(crate) async fn compose(
        &self,
        connection: &mut SqliteConnection,
        device: &Device,
        recipients: &[BoxId],
        written: Written,
    ) -> Result<(i64, MessageId), ClientError> {
        let conversation = written.conversation.id(device.box_id);
        let chain = Chain { sender: device.box_id, device: device.device_id, conversation };
        let last = messages::link(connection, &self.vault, chain, At::Last).await?;
        let draft = Draft {
            conversation,
            message_id: MessageId(Uuid::new_v4()),
            sequence: last.map_or(1, |link| link.sequence + 1),
            previous: last.map(|link| link.hash),
            time: self.now(),
            kind: written.kind,
            body: written.body,
        };
        let own = records::own_record(connection, device.box_id).await?;
        let is_alone = own.members().count() < 2;
        let recipients: BTreeSet<BoxId> =
            recipients.iter().copied().filter(|box_id| *box_id != device.box_id || !is_alone).collect();
        let stored = StoredMessage {
            id: 0,
            thread: written.conversation,
            conversation,
            sender: device.box_id,
            sender_device: device.device_id,
            sequence: draft.sequence,
            previous: draft.previous,
            // It is the same for every recipient.
            link_hash: draft.content(device, &own, (device.box_id, own.head()), &[]).link_hash(),
            message_id: draft.message_id,
            time: draft.time,
            accepted_at: None,
            kind: draft.kind,
            body: draft.body.clone(),
            state: if recipients.is_empty() { State::Sent } else { State::Pending },
            is_shown: written.is_shown,
        };
        let message = messages::insert(connection, &self.vault, &stored).await?;
        let expires_at = self.http.server_now().plus(LIFETIME);
        for recipient in recipients {
            let row = RecipientRow { box_id: recipient, state: State::Pending, accepted_at: None, reason: None };
            outbox::add_recipient(connection, message, &row).await?;
            let known = Known::load(connection, recipient).await?.filter(|known| !known.is_forked);
            let sealed = match known {
                Some(known) if !self.sealable(device, &known).devices.is_empty() => {
                    Some(self.sign_and_seal(connection, device, (&own, &known), &draft, expires_at).await?)
                }
                _ => None,
            };
            outbox::keep_outgoing(connection, &Outgoing { message, recipient, expires_at, sealed }).await?;
        }
        Ok((message, stored.message_id))
    }

    /// Which of a recipient's devices can be sealed to. The own device is none of them.
    fn sealable<'a>(&self, device: &Device, recipient: &'a Known) -> Sealable<'a> {
        let except = (recipient.record.box_id() == device.box_id).then_some(device.device_id);
        // The server can't make an expired key good by setting our clock back.
        let now = self.now().max(self.http.server_now());
        recipient.record.sealable(&recipient.sealing, except, now)
    }

    /// Signs for a recipient, and seals for every device of theirs that can be sealed to, under a new outer id.
    async fn sign_and_seal(
        &self,
        connection: &mut SqliteConnection,
        device: &Device,
        (own, recipient): (&KeyRecord, &Known),
        draft: &Draft,
        expires_at: Timestamp,
    ) -> Result<Sealed, ClientError> {
        let box_id = recipient.record.box_id();
        let sealable = self.sealable(device, recipient);
        if sealable.devices.is_empty() {
            return Err(ClientError::NoDevice(box_id));
        }
        // That one's own devices can't be reached is seen in their list.
        let left_out = if box_id == device.box_id { &[] } else { &sealable.left_out[..] };
        for (device_id, why) in left_out {
            let warning = Warning::LeftOut { device_id: *device_id, reason: why.to_string() };
            self.warn(connection, &warning).await?;
        }
        let knows = contacts::knows_version(connection, box_id).await?;
        let known = own.head_at(knows).and_then(|head| own.statements_since(head));
        let content =
            draft.content(device, own, (box_id, recipient.record.head()), known.unwrap_or_else(|| own.statements()));
        let signed = content.sign(&device.signing_key).map_err(|error| ClientError::Seal(error.into()))?;
        let devices: Vec<RecipientDevice<'_>> = sealable.devices.iter().map(|device| (*device).into()).collect();
        let outer_id = OuterId(Uuid::new_v4());
        Ok(Sealed { outer_id, value: seal(&mut rng(), &signed, outer_id, expires_at, &devices)? })
    }

    /// Seals a stored message again, to a recipient's record as it is now. Its number and what it says stay.
    pub(super) async fn seal_anew(
        &self,
        device: &Device,
        recipient: &Known,
        outgoing: &Outgoing,
    ) -> Result<Sealed, ClientError> {
        let draft = Draft::of(&self.store.message(&self.vault, outgoing.message).await?);
        let mut transaction = self.store.begin().await?;
        let own = records::own_record(&mut transaction, device.box_id).await?;
        let expires_at = outgoing.expires_at;
        let sealed = self.sign_and_seal(&mut transaction, device, (&own, recipient), &draft, expires_at).await?;
        let outgoing = Outgoing { sealed: Some(sealed.clone()), ..outgoing.clone() };
        outbox::keep_outgoing(&mut transaction, &outgoing).await?;
        transaction.commit().await?;
        Ok(sealed)
    }
}

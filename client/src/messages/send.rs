//! Sending: signed, sealed and stored in the outbox first.

use std::time::Duration;

use rossby_crypto::conversation::direct_conversation;
use rossby_crypto::key_record::KeyRecord;
use rossby_crypto::message::{MessageContent, RecipientDevice, SignedContent, seal};
use rossby_schemas::encoding::{Octets, Sha256Digest};
use rossby_schemas::ids::{BoxId, MessageId, OuterId};
use rossby_schemas::time::Timestamp;
use sqlx::SqliteConnection;
use uuid::Uuid;

use super::{Kind, MAX_TEXT_OCTETS, MessageState};
use crate::Client;
use crate::contacts::{Known, Peer};
use crate::error::ClientError;
use crate::random::rng;
use crate::store::contacts;
use crate::store::device::Device;
use crate::store::messages::{self, At, Chain, Outgoing, State, StoredMessage};
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

/// What is to be sent: the kind's number, the body, and whether people read it.
pub(super) struct Written {
    pub(super) kind: u32,
    pub(super) body: Octets,
    pub(super) is_shown: bool,
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
        let written = Written { kind: Kind::Text.number(), body: text.as_bytes().into(), is_shown: true };
        let mut transaction = self.store.begin().await?;
        let (id, message_id) = self.compose(&mut transaction, &device, &recipient, written).await?;
        transaction.commit().await?;
        // What was written before goes out before.
        let stopped = self.flush().await?;
        let stored = self.store.message(&self.vault, id).await?;
        let reason = stopped.into_iter().find(|stopped| stopped.concerns(stored.peer)).map(|stopped| stopped.error);
        Ok(Sent {
            message_id,
            recipient: recipient.record.box_id(),
            state: stored.state.into(),
            accepted_at: stored.accepted_at,
            reason,
        })
    }

    /// Stores a message with the next number of its conversation, sealed, in the outbox.
    pub(super) async fn compose(
        &self,
        connection: &mut SqliteConnection,
        device: &Device,
        recipient: &Known,
        written: Written,
    ) -> Result<(i64, MessageId), ClientError> {
        let peer = recipient.record.box_id();
        let conversation = direct_conversation(device.box_id, peer);
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
        let knows = contacts::knows_version(connection, peer).await?;
        let signed = sign(device, &own, recipient, &draft, knows)?;
        let expires_at = self.http.server_now().plus(LIFETIME);
        let (outer_id, value) = self.seal(connection, device, recipient, &signed, expires_at).await?;
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
            is_shown: written.is_shown,
        };
        let message = messages::insert(connection, &self.vault, &stored).await?;
        messages::keep_outgoing(connection, &Outgoing { message, outer_id, expires_at, value }).await?;
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
        // That one's own devices can't be reached is seen in their list.
        let left_out = if except.is_none() { &sealable.left_out[..] } else { &[] };
        for (device_id, why) in left_out {
            let warning = Warning::LeftOut { device_id: *device_id, reason: why.to_string() };
            self.warn(connection, &warning).await?;
        }
        let devices: Vec<RecipientDevice<'_>> = sealable.devices.iter().map(|device| (*device).into()).collect();
        let outer_id = OuterId(Uuid::new_v4());
        Ok((outer_id, seal(&mut rng(), signed, outer_id, expires_at, &devices)?))
    }

    /// Seals a stored message again, to the recipient's record as it is now. Its number and what it says stay.
    pub(super) async fn seal_anew(
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

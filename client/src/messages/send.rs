//! Sending: signed, sealed and stored in the outbox first.

use std::collections::BTreeSet;
use std::time::Duration;

use rossby_crypto::group::GroupId;
use rossby_crypto::key_record::{KeyRecord, Sealable};
use rossby_crypto::message::{MessageContent, RecipientDevice, seal};
use rossby_schemas::encoding::{Octets, Sha256Digest};
use rossby_schemas::ids::{BoxId, Head, MessageId, OuterId};
use rossby_schemas::time::Timestamp;
use sqlx::SqliteConnection;
use uuid::Uuid;

use super::outbox::Stopped;
use super::{Conversation, MessageState, Recipient};
use crate::Client;
use crate::contacts::{Known, Peer};
use crate::content::{Content, Kind, MAX_CONTENT_OCTETS, Standing};
use crate::error::ClientError;
use crate::groups::GROUP_CONTENT;
use crate::random::{self, rng};
use crate::store::contacts;
use crate::store::device::Device;
use crate::store::groups::{self, Frame, FrameRow};
use crate::store::messages::{self, At, Chain, State, StoredMessage};
use crate::store::outbox::{self, LeftOut, Outgoing, RecipientRow, Sealed};
use crate::store::records;

/// How long a message may wait for its recipient: what the server allows, less an hour for the way.
const LIFETIME: Duration = Duration::from_secs(30 * 24 * 3600 - 3600);
/// How many octets of statements a message brings: beside the longest body that fits into it.
const MAX_BROUGHT_OCTETS: usize = 65_536;

/// How much longer than that one may seem to live, by a clock that was put back a little since.
const SLACK: Duration = Duration::from_secs(1800);

/// A message's expiry, which the server sees, is another one for each recipient within this: the log shall not show which messages
/// are one.
const EXPIRY_SPREAD: Duration = Duration::from_secs(24 * 3600);

/// A random part of a span of time, to the millisecond.
fn random_part_of(span: Duration) -> Duration {
    let millis = u64::from_be_bytes(random::octets()) % u64::try_from(span.as_millis()).unwrap_or(u64::MAX).max(1);
    Duration::from_millis(millis)
}

/// What became of a message that was sent.
#[derive(Debug)]
pub struct Sent {
    /// The message.
    pub message_id: MessageId,
    /// What it belongs to.
    pub conversation: Conversation,
    /// What became of it.
    pub state: MessageState,
    /// When the server accepted it.
    pub accepted_at: Option<Timestamp>,
    /// Why it is still in the outbox, if it is.
    pub reason: Option<ClientError>,
    /// What became of it for each recipient.
    pub recipients: Vec<Recipient>,
}

/// What is to be sent.
pub(crate) struct Written {
    pub(crate) conversation: Conversation,
    /// The kind's number.
    pub(crate) kind: u32,
    pub(crate) body: Octets,
    /// Whether people read it.
    pub(crate) is_shown: bool,
    /// What stands around the body, if it goes to a group.
    pub(crate) frame: Option<Frame>,
    /// The group of which it brings something to one box, or asks it.
    pub(crate) beside: Option<GroupId>,
}

impl Written {
    /// The conversation in whose chain it stands.
    fn conversation_id(&self, own: BoxId) -> Uuid {
        match self.beside {
            Some(group) => self.conversation.id_beside(own, group),
            None => self.conversation.id(own),
        }
    }

    /// The kind and the body that are signed.
    fn signed_part(&self) -> Result<(u32, Octets), ClientError> {
        in_frame(self.frame.as_ref(), self.kind, &self.body)
    }
}

/// The kind and the body that are signed: a group's message has what it says within a frame.
fn in_frame(frame: Option<&Frame>, kind: u32, body: &Octets) -> Result<(u32, Octets), ClientError> {
    let Some(frame) = frame else { return Ok((kind, body.clone())) };
    let framed = Frame { kind, body: body.clone(), ..frame.clone() };
    Ok((GROUP_CONTENT, framed.to_octets().map_err(|error| ClientError::Seal(error.into()))?))
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
    /// The draft of a message that was stored, and of what stood around it.
    fn of(stored: &StoredMessage, frame: Option<&Frame>) -> Result<Self, ClientError> {
        let (kind, body) = in_frame(frame, stored.kind, &stored.body)?;
        Ok(Self {
            conversation: stored.conversation,
            message_id: stored.message_id,
            sequence: stored.sequence,
            previous: stored.previous,
            time: stored.time,
            kind,
            body,
        })
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
    /// [`ClientError::RootChanged`], [`ClientError::Forked`], [`ClientError::NoDevice`], [`ClientError::ClockAhead`],
    /// [`ClientError::TooLong`], [`ClientError::Oneself`]: nothing was sent or stored. So too what the server says of the recipient's look-up.
    pub async fn send(&self, peer: &Peer, text: &str) -> Result<Sent, ClientError> {
        self.send_content(peer, &Content::Text(text.to_owned())).await
    }

    /// Sends what a message may say, as [`Client::send`] does a text. Whoever it goes to is accepted by it.
    ///
    /// # Errors
    /// Those of [`Client::send`], and [`ClientError::Content`] for what no message may say.
    pub async fn send_content(&self, peer: &Peer, content: &Content) -> Result<Sent, ClientError> {
        let body = body_of(content)?;
        let device = self.device().await?;
        let box_id = self.recipient_box(&device, peer).await?;
        self.write_and_send(&device, Conversation::Direct(box_id), content.kind(), body).await
    }

    /// The box of somebody to whom something can be sent now.
    pub(crate) async fn recipient_box(&self, device: &Device, peer: &Peer) -> Result<BoxId, ClientError> {
        let recipient = self.recipient(peer).await?;
        let box_id = recipient.record.box_id();
        if box_id == device.box_id && recipient.record.members().count() < 2 {
            return Err(ClientError::Oneself);
        }
        // A note to oneself waits for a key.
        if box_id != device.box_id && self.sealable(device, &recipient).devices.is_empty() {
            return Err(self.no_device(box_id));
        }
        Ok(box_id)
    }

    /// Why nobody of a box can be sealed to: by a clock that is far ahead all keys are too old.
    pub(crate) fn no_device(&self, box_id: BoxId) -> ClientError {
        self.http.clock_ahead().map_or(ClientError::NoDevice(box_id), ClientError::ClockAhead)
    }

    /// Stores a message for all who are in a conversation, and hands it over.
    pub(crate) async fn write_and_send(
        &self,
        device: &Device,
        conversation: Conversation,
        kind: Kind,
        body: Octets,
    ) -> Result<Sent, ClientError> {
        let mut transaction = self.store.begin().await?;
        let (recipients, written) = self.written_to(&mut transaction, device, conversation, (kind, body)).await?;
        let (id, _) = self.compose(&mut transaction, device, &recipients, written).await?;
        transaction.commit().await?;
        self.write_receipts(device).await?;
        self.sent_away(id, &recipients).await
    }

    /// What goes to a conversation, and to whom. Whoever it goes to is accepted by it.
    pub(crate) async fn written_to(
        &self,
        connection: &mut SqliteConnection,
        device: &Device,
        conversation: Conversation,
        (kind, body): (Kind, Octets),
    ) -> Result<(Vec<BoxId>, Written), ClientError> {
        match conversation {
            Conversation::Direct(peer) => {
                self.stand(connection, device, peer, Standing::Accepted).await?;
                let (kind, is_shown) = (kind.number(), kind.is_shown());
                Ok((vec![peer], Written { conversation, kind, body, is_shown, frame: None, beside: None }))
            }
            Conversation::Group(id) => self.written_to_group(connection, device, GroupId(id), (kind, body)).await,
        }
    }

    /// Hands over what waits, a message among it, and says what became of that one.
    pub(crate) async fn sent_away(&self, id: i64, recipients: &[BoxId]) -> Result<Sent, ClientError> {
        // What was written before goes out before.
        let stopped = self.flush().await?;
        let stored = self.store.message(&self.vault, id).await?;
        let rows = outbox::recipients(&mut *self.store.read().await?, id).await?;
        let concerns = |stopped: &Stopped| recipients.iter().any(|recipient| stopped.concerns(*recipient));
        Ok(Sent {
            message_id: stored.message_id,
            conversation: stored.thread,
            state: stored.state.into(),
            accepted_at: stored.accepted_at,
            reason: stopped.into_iter().find(concerns).map(|stopped| stopped.error),
            recipients: rows.into_iter().filter(|row| row.box_id != stored.sender).map(Recipient::from).collect(),
        })
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
        let conversation = written.conversation_id(device.box_id);
        let chain = Chain { sender: device.box_id, device: device.device_id, conversation };
        let last = messages::link(connection, &self.vault, chain, At::Last).await?;
        let (signed_kind, signed_body) = written.signed_part()?;
        let draft = Draft {
            conversation,
            message_id: MessageId(Uuid::new_v4()),
            sequence: last.map_or(1, |link| link.sequence + 1),
            previous: last.map(|link| link.hash),
            time: self.now(),
            kind: signed_kind,
            body: signed_body,
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
            kind: written.kind,
            body: written.body,
            state: if recipients.is_empty() { State::Sent } else { State::Pending },
            is_shown: written.is_shown,
        };
        let rows: Vec<_> = recipients.iter().map(|box_id| RecipientRow::new(*box_id, State::Pending, None)).collect();
        let message = self.file(connection, &stored, &rows).await?;
        if let Some(frame) = written.frame {
            let row = FrameRow { frame, signed: None, is_late: false };
            groups::keep_frame(connection, &self.vault, message, &row, self.now()).await?;
        }
        for recipient in recipients {
            let expires_at = self.new_expiry();
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

    /// When a message expires that is written now.
    pub(super) fn new_expiry(&self) -> Timestamp {
        self.http.server_now().plus(LIFETIME).minus(random_part_of(EXPIRY_SPREAD))
    }

    /// After which time no message expires, unless this device's clock was ahead when it was written.
    pub(super) fn latest_expiry(&self) -> Timestamp {
        self.http.server_now().plus(LIFETIME + SLACK)
    }

    /// Which of a recipient's devices can be sealed to. The own device is none of them.
    pub(crate) fn sealable<'a>(&self, device: &Device, recipient: &'a Known) -> Sealable<'a> {
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
            return Err(self.no_device(box_id));
        }
        // That one's own devices can't be reached is seen in their list.
        let left_out = if box_id == device.box_id { &[] } else { &sealable.left_out[..] };
        let left_out =
            left_out.iter().map(|(device_id, why)| LeftOut { device_id: *device_id, reason: why.to_string() });
        // One that was linked since may neither have the record nor be let look it up.
        let sealed_to: Vec<_> = sealable.devices.iter().map(|statement| statement.content().device_id).collect();
        let knows = contacts::known_by_all(connection, box_id, &sealed_to).await?;
        let known = own.head_at(knows).and_then(|head| own.statements_since(head));
        let brought = last_that_fit(known.unwrap_or_else(|| own.statements()));
        let content = draft.content(device, own, (box_id, recipient.record.head()), brought);
        let signed = content.sign(&device.signing_key).map_err(|error| ClientError::Seal(error.into()))?;
        let devices: Vec<RecipientDevice<'_>> = sealable.devices.iter().map(|device| (*device).into()).collect();
        let outer_id = OuterId(Uuid::new_v4());
        let value = seal(&mut rng(), &signed, outer_id, expires_at, &devices)?;
        Ok(Sealed { outer_id, value, left_out: left_out.collect() })
    }

    /// Seals a stored message again, to a recipient's record as it is now. Its number and what it says stay. None if what became
    /// of it is known by now.
    pub(super) async fn seal_anew(
        &self,
        device: &Device,
        recipient: &Known,
        outgoing: &Outgoing,
    ) -> Result<Option<Sealed>, ClientError> {
        let mut transaction = self.store.begin().await?;
        // Another process may have handed it over, and erased what it says.
        if !outbox::waits(&mut transaction, outgoing).await? {
            return Ok(None);
        }
        let stored = messages::message(&mut transaction, &self.vault, outgoing.message).await?;
        let framed = groups::frame(&mut transaction, &self.vault, outgoing.message).await?;
        let draft = Draft::of(&stored, framed.as_ref().map(|row| &row.frame))?;
        let own = records::own_record(&mut transaction, device.box_id).await?;
        let expires_at = outgoing.expires_at;
        let sealed = self.sign_and_seal(&mut transaction, device, (&own, recipient), &draft, expires_at).await?;
        outbox::reseal(&mut transaction, outgoing, &sealed).await?;
        transaction.commit().await?;
        Ok(Some(sealed))
    }
}

/// The last statements that have room in a message. Who lacks those before asks the server for them.
fn last_that_fit(statements: &[Octets]) -> &[Octets] {
    let mut octets = 0;
    let fit = statements.iter().rev().take_while(|statement| {
        octets += statement.as_slice().len();
        octets <= MAX_BROUGHT_OCTETS
    });
    &statements[statements.len() - fit.count()..]
}

/// The body of what is to be sent. It must leave room for the copy for the sender's other devices.
pub(crate) fn body_of(content: &Content) -> Result<Octets, ClientError> {
    let too_long = |octets| ClientError::TooLong { octets, limit: MAX_CONTENT_OCTETS };
    if let Content::Text(text) = content
        && text.len() > MAX_CONTENT_OCTETS
    {
        return Err(too_long(text.len()));
    }
    let body = content.encode()?;
    match body.as_slice().len() {
        octets if octets > MAX_CONTENT_OCTETS => Err(too_long(octets)),
        _ => Ok(body),
    }
}

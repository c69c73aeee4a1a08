//! Receiving: opened, verified and stored first, then confirmed. What comes again is known by its place in its sender's
//! chain, and stored once.

use std::collections::HashSet;
use std::time::Duration;

use rossby_crypto::conversation::direct_conversation;
use rossby_crypto::key_record::{HeadRelation, KeyRecord, KeyRecordError};
use rossby_crypto::message::{ContentError, MessageContent, SealedMessage, SignedContent, open};
use rossby_crypto::statements::MembershipStatement;
use rossby_schemas::encoding::FixedOctets;
use rossby_schemas::http::messages::{
    ConfirmRequest, ConfirmResponse, FetchResponse, FetchedMessage, MAX_CONFIRMED, MAX_WAIT_SECONDS,
};
use rossby_schemas::http::problem::ProblemType;
use rossby_schemas::ids::BoxId;
use rossby_schemas::time::Timestamp;
use sqlx::SqliteConnection;

use super::own_devices::{FIRST_OWN_KIND, OwnMessage};
use crate::Client;
use crate::account::Own;
use crate::contacts::{Peer, contradicting};
use crate::error::ClientError;
use crate::http::Call;
use crate::store::contacts;
use crate::store::device::lost_more;
use crate::store::messages::{self, At, Chain, State, StoredMessage};
use crate::store::records;
use crate::warning::Warning;

/// How many messages are fetched at once: they are all in memory.
const BATCH: u32 = 50;

/// No device writes so many messages, and every number up to it can be stored, and held in JSON.
const MAX_SEQUENCE: u64 = (1 << 53) - 1;

/// How many batches one call fetches: more than a device has waiting, unless somebody floods it.
const MAX_BATCHES: usize = 20;

/// What came. What the person should know of it is among [`Client::warnings`].
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Received {
    /// How many messages are new.
    pub new: usize,
    /// How many came before already.
    pub duplicates: usize,
    /// How many were refused.
    pub refused: usize,
    /// How many were confirmed.
    pub confirmed: usize,
    /// Whether more waits: call it again.
    pub more: bool,
}

/// What became of a fetched message.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Taken {
    New,
    Duplicate,
    Refused(Warning),
}

/// What one call of [`Client::receive`] knows.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) own: Own,
    /// Senders of whom the server knows nothing: it isn't asked again for each of their messages.
    unknown: HashSet<BoxId>,
}

impl Session {
    pub(super) fn new(own: Own) -> Self {
        Self { own, unknown: HashSet::new() }
    }
}

impl Client {
    /// Fetches what waits for this device, stores it, and confirms it; then sends what waits in the outbox. With a `wait` the server
    /// holds the request until something comes, for at most 30 seconds. What came before an error is stored.
    ///
    /// # Errors
    /// What the server says.
    pub async fn receive(&self, wait: Duration) -> Result<Received, ClientError> {
        let mut session = Session::new(self.audit().await?);
        let received = self.receive_as(&mut session, wait).await?;
        for stopped in self.flush().await? {
            tracing::debug!(?stopped, "the outbox could not be emptied");
        }
        Ok(received)
    }

    async fn receive_as(&self, session: &mut Session, wait: Duration) -> Result<Received, ClientError> {
        // What a device that died has stored and not confirmed.
        let mut received = Received { confirmed: self.confirm(&session.own).await?, ..Received::default() };
        let mut seconds = wait.as_secs().min(u64::from(MAX_WAIT_SECONDS));
        for _ in 0..MAX_BATCHES {
            let path = format!("/v1/messages?limit={BATCH}&wait={seconds}");
            let call = Call::get(path).waiting(Duration::from_secs(seconds));
            let fetched: FetchResponse = self.ask(&session.own.device, &call).await?;
            if let Some(lost) = fetched.lost {
                let mut transaction = self.store.begin().await?;
                if lost_more(&mut transaction, lost.messages).await? {
                    self.warn(&mut transaction, &Warning::Lost(lost)).await?;
                }
                transaction.commit().await?;
            }
            for message in &fetched.messages {
                match self.take(session, message).await? {
                    Taken::New => received.new += 1,
                    Taken::Duplicate => received.duplicates += 1,
                    Taken::Refused(_) => received.refused += 1,
                }
            }
            received.confirmed += self.confirm(&session.own).await?;
            received.more = fetched.more && !fetched.messages.is_empty();
            if !received.more {
                break;
            }
            seconds = 0;
        }
        Ok(received)
    }

    /// Confirms what is stored.
    async fn confirm(&self, own: &Own) -> Result<usize, ClientError> {
        let mut confirmed = 0;
        let limit = u32::try_from(MAX_CONFIRMED).unwrap_or(u32::MAX);
        loop {
            let handles = self.store.confirmations(limit).await?;
            if handles.is_empty() {
                return Ok(confirmed);
            }
            let call = Call::post("/v1/messages/confirm", &ConfirmRequest { handles: handles.clone() });
            let answer: Result<ConfirmResponse, _> = self.ask(&own.device, &call).await;
            match answer {
                Ok(_) => confirmed += handles.len(),
                // The server does not know its own handles: the messages come again, with others.
                Err(error) if error.problem() == Some(ProblemType::InvalidRequest) => {}
                Err(error) => return Err(error),
            }
            self.store.confirmed(&handles).await?;
        }
    }

    /// Opens, verifies and stores a message. Whatever became of it, it is to be confirmed: it would come to the same again.
    pub(super) async fn take(&self, session: &mut Session, fetched: &FetchedMessage) -> Result<Taken, ClientError> {
        let opened = match self.open_message(&session.own, fetched).await? {
            Ok(signed) => self.verified(session, &signed, fetched).await?.map(|record| (signed, record)),
            Err(reason) => Err(Refusal::Because(reason)),
        };
        // A record that is newer than ours is our own doing: another of our devices was linked or removed.
        if let Ok((signed, _)) = &opened
            && session.own.record.relation(signed.content().recipient_head) == HeadRelation::Ahead
        {
            session.own = self.audit().await?;
        }
        let mut transaction = self.store.begin().await?;
        let kept = match opened {
            Ok((signed, sender)) => self.keep(&mut transaction, &session.own, fetched, &signed, &sender).await?,
            Err(refusal) => Err(refusal),
        };
        let taken = kept.unwrap_or_else(|refusal| {
            Taken::Refused(match refusal {
                Refusal::Told(warning) => warning,
                Refusal::Because(reason) => {
                    Warning::RefusedMessage { outer_id: fetched.outer_id, accepted_at: fetched.accepted_at, reason }
                }
            })
        });
        if let Taken::Refused(warning) = &taken {
            self.warn(&mut transaction, warning).await?;
        }
        messages::keep_confirmation(&mut transaction, &fetched.handle).await?;
        transaction.commit().await?;
        Ok(taken)
    }

    /// Opens a message with the key that it was sealed to. The inner error says why it never will.
    async fn open_message(
        &self,
        own: &Own,
        fetched: &FetchedMessage,
    ) -> Result<Result<SignedContent, String>, ClientError> {
        let Some(key) = self.store.sealing_secret(&self.vault, fetched.sealing_counter).await? else {
            return Ok(Err("it was sealed to a key that this device has erased, or never had".to_owned()));
        };
        let Ok(enc) = FixedOctets::try_from(fetched.enc.as_slice()) else {
            return Ok(Err("its encapsulated key has another length".to_owned()));
        };
        let sealed = SealedMessage {
            recipient: own.device.box_id,
            device_id: own.device.device_id,
            recipient_head: fetched.recipient_head,
            outer_id: fetched.outer_id,
            content: &fetched.content,
            sealing_counter: fetched.sealing_counter,
            enc: &enc,
            wrapped_key: &fetched.wrapped_key,
        };
        Ok(open(&sealed, &key).map_err(|error| error.to_string()))
    }

    /// The sender's record, once it has shown that the sender wrote the message. The inner error says why not.
    async fn verified(
        &self,
        session: &mut Session,
        signed: &SignedContent,
        fetched: &FetchedMessage,
    ) -> Result<Result<KeyRecord, Refusal>, ClientError> {
        let content = signed.content();
        let mut connection = self.store.read().await?;
        let known = records::key_record(&mut connection, content.sender).await?;
        drop(connection);
        let mut record = match (signed.sender_record(known.as_ref()), &known) {
            (Ok(record), _) => record,
            (Err(error @ KeyRecordError::Fork { .. }), Some(known)) => {
                return match contradicting(known, &content.statements) {
                    Some(other) if signed.verify(&other).is_ok() => self.fork(signed).await.map(Err),
                    _ => Ok(Err(Refusal::of(&error))),
                };
            }
            // It brings too little of the record, or none: the server may have the rest.
            (Err(error), _) => match self.record_of(session, content.sender).await? {
                Some(record) => record,
                None => return Ok(Err(Refusal::of(&error))),
            },
        };
        if record.relation(content.sender_head) == HeadRelation::Ahead
            && let Some(newer) = self.record_of(session, content.sender).await?
        {
            record = newer;
        }
        match signed.verify(&record) {
            Ok(()) => {}
            Err(ContentError::Fork) => return self.fork(signed).await.map(Err),
            Err(error) => return Ok(Err(Refusal::of(&error))),
        }
        if let Some(removed_at) = removal(&record, content)
            && fetched.accepted_at > removed_at
        {
            let reason = "its device had been removed from the sender's box before it was accepted";
            return Ok(Err(Refusal::of(&reason)));
        }
        Ok(Ok(record))
    }

    /// What the server shows of a sender, if it shows anything that can be taken.
    async fn record_of(&self, session: &mut Session, sender: BoxId) -> Result<Option<KeyRecord>, ClientError> {
        if session.unknown.contains(&sender) {
            return Ok(None);
        }
        match self.look_up(&Peer::Box(sender)).await {
            Ok(known) => Ok(Some(known.record)),
            Err(error) if is_final(&error) => {
                session.unknown.insert(sender);
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// Keeps a message that shows another record of its sender's than the known one.
    async fn fork(&self, signed: &SignedContent) -> Result<Refusal, ClientError> {
        let sender = signed.content().sender;
        let mut transaction = self.store.begin().await?;
        self.keep_fork(&mut transaction, sender, signed).await?;
        transaction.commit().await?;
        Ok(Refusal::Told(Warning::Fork(sender)))
    }

    /// Keeps a signed message as evidence against a box's record.
    async fn keep_fork(
        &self,
        connection: &mut SqliteConnection,
        box_id: BoxId,
        signed: &SignedContent,
    ) -> Result<(), ClientError> {
        records::keep_fork(connection, &self.vault, box_id, &[signed.octets().as_slice()], self.now()).await
    }

    /// Stores a verified message, if its place in its sender's chain is free. The inner error says why not.
    async fn keep(
        &self,
        connection: &mut SqliteConnection,
        own: &Own,
        fetched: &FetchedMessage,
        signed: &SignedContent,
        sender: &KeyRecord,
    ) -> Result<Result<Taken, Refusal>, ClientError> {
        let content = signed.content();
        let (device, conversation) = (content.sender_device, content.conversation);
        // A device writes itself nothing, and a conversation has the two who are in it: else anybody could take places in it.
        if (content.sender, device) == (own.device.box_id, own.device.device_id) {
            return Ok(Err(Refusal::of(&"it says to be written by this very device")));
        }
        if conversation != direct_conversation(content.sender, own.device.box_id) {
            return Ok(Err(Refusal::of(&"its conversation is not that of its sender with this box")));
        }
        let is_ours = content.sender == own.device.box_id;
        if content.kind >= FIRST_OWN_KIND && !is_ours {
            return Ok(Err(Refusal::of(&"it is of a kind that only one's own devices may send")));
        }
        let told = match OwnMessage::read(content.kind, &content.body) {
            Ok(told) => told,
            Err(reason) => return Ok(Err(Refusal::Because(reason))),
        };
        if content.sequence > MAX_SEQUENCE {
            return Ok(Err(Refusal::Because(format!("its number is over {MAX_SEQUENCE}"))));
        }
        // Another process may have learned of another record since this one was verified.
        if !records::keep_record(connection, sender).await? {
            self.keep_fork(connection, content.sender, signed).await?;
            return Ok(Err(Refusal::Told(Warning::Fork(content.sender))));
        }
        match own.record.relation(content.recipient_head) {
            HeadRelation::Same | HeadRelation::Older => {
                contacts::set_knows_version(connection, content.sender, content.recipient_head.version).await?;
            }
            // The sender was shown another record of ours.
            HeadRelation::Ahead | HeadRelation::Fork => {
                self.keep_fork(connection, own.device.box_id, signed).await?;
                self.warn(connection, &Warning::Fork(own.device.box_id)).await?;
            }
        }
        let chain = Chain { sender: content.sender, device, conversation };
        let link_hash = signed.link_hash();
        let held = messages::link(connection, &self.vault, chain, At::Exactly(content.sequence)).await?;
        if let Some(held) = held {
            return Ok(if held.hash == link_hash {
                Ok(Taken::Duplicate)
            } else {
                Err(Refusal::Told(Warning::TwoBodies { sender: content.sender }))
            });
        }
        self.check_chain(connection, chain, signed).await?;
        let mut stored = StoredMessage {
            id: 0,
            peer: content.sender,
            conversation,
            sender: content.sender,
            sender_device: device,
            sequence: content.sequence,
            previous: content.previous,
            link_hash,
            message_id: content.message_id,
            time: content.time,
            accepted_at: Some(fetched.accepted_at),
            kind: content.kind,
            body: content.body.clone(),
            state: State::New,
            is_shown: content.kind < FIRST_OWN_KIND,
        };
        match told {
            Some(OwnMessage::Sent(sent)) => {
                (stored.peer, stored.message_id, stored.time) = (sent.peer, sent.message_id, sent.time);
                (stored.kind, stored.body, stored.accepted_at) = (sent.kind, sent.body, sent.accepted_at);
                (stored.state, stored.is_shown) = (State::Sent, true);
            }
            Some(told) => self.heed(connection, &own.device, &told).await?,
            None => {}
        }
        messages::insert(connection, &self.vault, &stored).await?;
        Ok(Ok(Taken::New))
    }

    /// Warns of what is missing before a message, and of what doesn't fit around it.
    async fn check_chain(
        &self,
        connection: &mut SqliteConnection,
        chain: Chain,
        signed: &SignedContent,
    ) -> Result<(), ClientError> {
        let content = signed.content();
        let sender = chain.sender;
        let before = messages::link(connection, &self.vault, chain, At::Before(content.sequence)).await?;
        match before {
            Some(before) if before.sequence + 1 == content.sequence => {
                if content.previous != Some(before.hash) {
                    self.warn(connection, &Warning::BrokenChain { sender }).await?;
                }
            }
            before => {
                let missing = content.sequence - 1 - before.map_or(0, |before| before.sequence);
                if missing > 0 {
                    self.warn(connection, &Warning::Gap { sender, missing }).await?;
                }
            }
        }
        let next = At::Exactly(content.sequence + 1);
        if let Some(after) = messages::link(connection, &self.vault, chain, next).await?
            && after.previous != Some(signed.link_hash())
        {
            self.warn(connection, &Warning::BrokenChain { sender }).await?;
        }
        Ok(())
    }
}

/// Why a message is refused.
#[derive(Debug)]
enum Refusal {
    /// What the warning says.
    Told(Warning),
    /// For this reason.
    Because(String),
}

impl Refusal {
    fn of(reason: &dyn std::fmt::Display) -> Self {
        Self::Because(reason.to_string())
    }
}

/// Whether asking for a sender's record again would come to the same. What isn't final leaves the message in the queue.
fn is_final(error: &ClientError) -> bool {
    matches!(error, ClientError::BadRecord { .. } | ClientError::Forked(_))
        || error.problem() == Some(ProblemType::NoSuchRecipient)
}

/// When the sending device was removed, by the remover's clock, if it was.
fn removal(record: &KeyRecord, content: &MessageContent) -> Option<Timestamp> {
    let version = record.device(content.sender_device)?.removed_version?;
    let index = usize::try_from(version).ok()?.checked_sub(1)?;
    match MembershipStatement::parse(record.statements().get(index)?) {
        Ok(MembershipStatement::Removed(removed)) => Some(removed.content().time),
        _ => None,
    }
}

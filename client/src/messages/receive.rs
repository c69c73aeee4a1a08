//! Receiving: opened, verified and stored first, then confirmed. What comes again is known by its place in its sender's
//! chain, and stored once.

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
use rossby_schemas::time::Timestamp;
use sqlx::SqliteConnection;

use crate::Client;
use crate::account::Own;
use crate::contacts::{Peer, contradicting};
use crate::error::ClientError;
use crate::http::Call;
use crate::store::contacts;
use crate::store::messages::{self, At, Chain, State, StoredMessage};
use crate::store::records;
use crate::warning::Warning;

/// How many messages are fetched at once: they are all in memory.
const BATCH: u32 = 50;

/// No device writes so many messages, and every number up to it can be stored, and held in JSON.
const MAX_SEQUENCE: u64 = (1 << 53) - 1;

/// What came.
#[derive(Debug, Default)]
pub struct Received {
    /// How many messages are new.
    pub new: usize,
    /// How many came before already.
    pub duplicates: usize,
    /// How many were confirmed.
    pub confirmed: usize,
    /// What the person should know.
    pub warnings: Vec<Warning>,
    /// What failed after all this.
    pub failure: Option<ClientError>,
}

impl Received {
    const fn is_empty(&self) -> bool {
        self.new == 0 && self.duplicates == 0 && self.confirmed == 0 && self.warnings.is_empty()
    }
}

/// What became of a fetched message.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Taken {
    New(Vec<Warning>),
    Duplicate,
    Refused(String, Option<Warning>),
}

impl Client {
    /// Fetches what waits for this device, stores it, and confirms it; then sends what waits in the outbox. With a `wait` the server
    /// holds the request until something comes, for at most 30 seconds.
    ///
    /// # Errors
    /// What the server says, if nothing came before it; else it is in [`Received::failure`].
    pub async fn receive(&self, wait: Duration) -> Result<Received, ClientError> {
        let mut received = Received::default();
        let own = self.audit(&mut received.warnings).await?;
        let done = self.receive_as(own, wait, &mut received).await;
        let done = match done {
            Ok(()) => self.flush(&mut received.warnings).await.map(|stopped| {
                for stopped in stopped {
                    tracing::debug!(?stopped, "the outbox could not be emptied");
                }
            }),
            Err(error) => Err(error),
        };
        match done {
            // What came and what is to be told of it isn't lost with what failed later.
            Err(error) if received.is_empty() => Err(error),
            Err(error) => Ok(Received { failure: Some(error), ..received }),
            Ok(()) => Ok(received),
        }
    }

    async fn receive_as(&self, mut own: Own, wait: Duration, received: &mut Received) -> Result<(), ClientError> {
        // What a device that died has stored and not confirmed.
        received.confirmed += self.confirm(&own).await?;
        let mut seconds = wait.as_secs().min(u64::from(MAX_WAIT_SECONDS));
        loop {
            let path = format!("/v1/messages?limit={BATCH}&wait={seconds}");
            let call = Call::get(path).waiting(Duration::from_secs(seconds));
            let fetched: FetchResponse = self.http.call(&call.signed(own.device.token()?)).await?;
            if let Some(lost) = fetched.lost
                && self.store.lost_more(lost.messages).await?
            {
                received.warnings.push(Warning::Lost(lost));
            }
            for message in &fetched.messages {
                match self.take(&mut own, message, &mut received.warnings).await? {
                    Taken::New(warnings) => {
                        received.new += 1;
                        received.warnings.extend(warnings);
                    }
                    Taken::Duplicate => received.duplicates += 1,
                    Taken::Refused(reason, warning) => {
                        received.warnings.push(warning.unwrap_or(Warning::RefusedMessage { reason }));
                    }
                }
            }
            received.confirmed += self.confirm(&own).await?;
            if !fetched.more || fetched.messages.is_empty() {
                return Ok(());
            }
            seconds = 0;
        }
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
            let answer: Result<ConfirmResponse, _> = self.http.call(&call.signed(own.device.token()?)).await;
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
    pub(super) async fn take(
        &self,
        own: &mut Own,
        fetched: &FetchedMessage,
        warnings: &mut Vec<Warning>,
    ) -> Result<Taken, ClientError> {
        let opened = match self.open_message(own, fetched).await? {
            Ok(signed) => self.verified(&signed, fetched).await?.map(|record| (signed, record)),
            Err(reason) => Err((reason, None)),
        };
        // A record that is newer than ours is our own doing: another of our devices was linked or removed.
        if let Ok((signed, _)) = &opened
            && own.record.relation(signed.content().recipient_head) == HeadRelation::Ahead
        {
            *own = self.audit(warnings).await?;
        }
        let mut transaction = self.store.begin().await?;
        let taken = match opened {
            Ok((signed, sender)) => self.keep(&mut transaction, own, fetched, &signed, &sender).await?,
            Err((reason, warning)) => Taken::Refused(reason, warning),
        };
        if let Taken::Refused(reason, _) = &taken {
            messages::keep_refused(&mut transaction, fetched.outer_id, fetched.accepted_at, reason).await?;
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
        signed: &SignedContent,
        fetched: &FetchedMessage,
    ) -> Result<Result<KeyRecord, (String, Option<Warning>)>, ClientError> {
        let content = signed.content();
        let mut connection = self.store.read().await?;
        let known = records::key_record(&mut connection, content.sender).await?;
        drop(connection);
        let refused = |error: &dyn std::fmt::Display| Ok(Err((error.to_string(), None)));
        let mut record = match (signed.sender_record(known.as_ref()), &known) {
            (Ok(record), _) => record,
            (Err(error @ KeyRecordError::Fork { .. }), Some(known)) => {
                return match contradicting(known, &content.statements) {
                    Some(other) if signed.verify(&other).is_ok() => self.fork(signed).await.map(Err),
                    _ => refused(&error),
                };
            }
            // It brings too little of the record, or none: the server may have the rest.
            (Err(error), _) => match self.look_up(&Peer::Box(content.sender)).await {
                Ok(known) => known.record,
                Err(other) if is_final(&other) => return refused(&error),
                Err(other) => return Err(other),
            },
        };
        if record.relation(content.sender_head) == HeadRelation::Ahead {
            match self.look_up(&Peer::Box(content.sender)).await {
                Ok(known) => record = known.record,
                Err(other) if is_final(&other) => {}
                Err(other) => return Err(other),
            }
        }
        match signed.verify(&record) {
            Ok(()) => {}
            Err(ContentError::Fork) => return self.fork(signed).await.map(Err),
            Err(error) => return refused(&error),
        }
        if let Some(removed_at) = removal(&record, content)
            && fetched.accepted_at > removed_at
        {
            return refused(&"its device had been removed from the sender's box before it was accepted");
        }
        Ok(Ok(record))
    }

    /// Keeps a message that shows another record of its sender's than the known one.
    async fn fork(&self, signed: &SignedContent) -> Result<(String, Option<Warning>), ClientError> {
        let sender = signed.content().sender;
        let mut transaction = self.store.begin().await?;
        records::keep_fork(&mut transaction, &self.vault, sender, &[signed.octets().as_slice()], self.now()).await?;
        transaction.commit().await?;
        Ok(("its sender's key record contradicts the known one".to_owned(), Some(Warning::Fork(sender))))
    }

    /// Stores a verified message, if its place in its sender's chain is free.
    async fn keep(
        &self,
        connection: &mut SqliteConnection,
        own: &Own,
        fetched: &FetchedMessage,
        signed: &SignedContent,
        sender: &KeyRecord,
    ) -> Result<Taken, ClientError> {
        let content = signed.content();
        let (device, conversation) = (content.sender_device, content.conversation);
        let refused = |reason: &str| Ok(Taken::Refused(reason.to_owned(), None));
        // A device writes itself nothing, and a conversation has the two who are in it: else anybody could take places in it.
        if (content.sender, device) == (own.device.box_id, own.device.device_id) {
            return refused("it says to be written by this very device");
        }
        if conversation != direct_conversation(content.sender, own.device.box_id) {
            return refused("its conversation is not that of its sender with this box");
        }
        let link_hash = signed.link_hash();
        if content.sequence > MAX_SEQUENCE {
            return Ok(Taken::Refused(format!("its number is over {MAX_SEQUENCE}"), None));
        }
        records::keep_record(connection, sender).await?;
        let mut warnings = Vec::new();
        match own.record.relation(content.recipient_head) {
            HeadRelation::Same | HeadRelation::Older => {
                contacts::set_knows_version(connection, content.sender, content.recipient_head.version).await?;
            }
            // The sender was shown another record of ours.
            HeadRelation::Ahead | HeadRelation::Fork => {
                records::keep_fork(
                    connection,
                    &self.vault,
                    own.device.box_id,
                    &[signed.octets().as_slice()],
                    self.now(),
                )
                .await?;
                warnings.push(Warning::Fork(own.device.box_id));
            }
        }
        let chain = Chain { sender: content.sender, device, conversation };
        if let Some(held) = messages::link(connection, chain, At::Exactly(content.sequence)).await? {
            return Ok(if held.hash == link_hash {
                Taken::Duplicate
            } else {
                let warning = Warning::TwoBodies { sender: content.sender };
                Taken::Refused(warning.to_string(), Some(warning))
            });
        }
        warnings.extend(self.chain_warnings(connection, signed).await?);
        let stored = StoredMessage {
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
        };
        messages::insert(connection, &self.vault, &stored).await?;
        Ok(Taken::New(warnings))
    }

    /// What is missing before a message, and whether it fits those around it.
    async fn chain_warnings(
        &self,
        connection: &mut SqliteConnection,
        signed: &SignedContent,
    ) -> Result<Vec<Warning>, ClientError> {
        let content = signed.content();
        let sender = content.sender;
        let chain = Chain { sender, device: content.sender_device, conversation: content.conversation };
        let mut warnings = Vec::new();
        let before = messages::link(connection, chain, At::Before(content.sequence)).await?;
        match before {
            Some(before) if before.sequence + 1 == content.sequence => {
                if content.previous != Some(before.hash) {
                    warnings.push(Warning::BrokenChain { sender });
                }
            }
            before => {
                let missing = content.sequence - 1 - before.map_or(0, |before| before.sequence);
                if missing > 0 {
                    warnings.push(Warning::Gap { sender, missing });
                }
            }
        }
        if let Some(next) = content.sequence.checked_add(1)
            && let Some(after) = messages::link(connection, chain, At::Exactly(next)).await?
            && after.previous != Some(signed.link_hash())
        {
            warnings.push(Warning::BrokenChain { sender });
        }
        Ok(warnings)
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

//! Whether its sender wrote a message: by the sender's key record, which a message can extend and contradict.

use std::time::Duration;

use rossby_crypto::key_record::{HeadRelation, KeyRecord, KeyRecordError};
use rossby_crypto::message::{ContentError, MessageContent, SignedContent};
use rossby_crypto::statements::MembershipStatement;
use rossby_schemas::http::messages::FetchedMessage;
use rossby_schemas::http::problem::ProblemType;
use rossby_schemas::ids::BoxId;
use rossby_schemas::time::Timestamp;
use rossby_schemas::topic::MESSAGE_LIFETIME;
use sqlx::SqliteConnection;

use super::receive::Taking;
use crate::Client;
use crate::contacts::{Peer, contradicting};
use crate::error::ClientError;
use crate::store::records;
use crate::warning::Warning;

/// For how long a server keeps a message, and a day for each of two clocks.
const LONGEST_LIFE: Duration = Duration::from_secs(MESSAGE_LIFETIME.as_secs() + 2 * 24 * 3600);
/// By how much a remover's clock may be behind the server's, which said when a message was accepted: a server takes requests from
/// clocks that differ by less, and a removed device's not at all.
const CLOCK_DIFFERENCE: Duration = Duration::from_secs(2 * 60);
/// How often a sender is looked up while messages are taken: anybody can name a record that is always newer than what the server has.
const MAX_LOOKUPS: u8 = 4;

/// Why a message is refused.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// What the warning says.
    Told(Warning),
    /// For this reason.
    Because(String),
}

impl Refusal {
    pub(crate) fn of(reason: &dyn std::fmt::Display) -> Self {
        Self::Because(reason.to_string())
    }
}

impl Client {
    /// The sender's record, once it has shown that the sender wrote the message. The inner error says why not.
    pub(super) async fn verified(
        &self,
        session: &mut Taking,
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
        if let Some(removed_at) = removal(&record, content) {
            if fetched.accepted_at > removed_at.plus(CLOCK_DIFFERENCE) {
                let reason = "its device had been removed from the sender's box before it was accepted";
                return Ok(Err(Refusal::of(&reason)));
            }
            // The server alone says when it accepted a message: this bounds for how long it can go on with a removed device.
            if self.now().min(self.http.server_now()) > removed_at.plus(LONGEST_LIFE) {
                let reason = "its device was removed from the sender's box longer ago than any message lives";
                return Ok(Err(Refusal::of(&reason)));
            }
        }
        Ok(Ok(record))
    }

    /// What the server shows of a sender, if it shows anything that can be taken.
    pub(super) async fn record_of(
        &self,
        session: &mut Taking,
        sender: BoxId,
    ) -> Result<Option<KeyRecord>, ClientError> {
        let lookups = &mut session.lookups;
        if lookups.unknown.contains(&sender) {
            return Ok(None);
        }
        let found = lookups.found.entry(sender).or_default();
        if *found >= MAX_LOOKUPS {
            return records::key_record(&mut *self.store.read().await?, sender).await;
        }
        if let Some(problem) = &lookups.had_enough {
            return Err(ClientError::Refused(problem.clone()));
        }
        match self.look_up(&Peer::Box(sender)).await {
            Ok(known) => {
                *found += 1;
                Ok(Some(known.record))
            }
            Err(error) if is_final(&error) => {
                lookups.unknown.insert(sender);
                Ok(None)
            }
            Err(error) => {
                if let ClientError::Refused(problem) = &error
                    && error.asked_to_wait().is_some()
                {
                    lookups.had_enough = Some(problem.clone());
                }
                Err(error)
            }
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
    pub(super) async fn keep_fork(
        &self,
        connection: &mut SqliteConnection,
        box_id: BoxId,
        signed: &SignedContent,
    ) -> Result<(), ClientError> {
        records::keep_fork(connection, &self.vault, box_id, &[signed.octets().as_slice()], self.now()).await
    }
}

/// Whether asking for a sender's record again would come to the same. What isn't final leaves the message in the queue.
pub(crate) fn is_final(error: &ClientError) -> bool {
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

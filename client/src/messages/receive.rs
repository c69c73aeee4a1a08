//! Receiving: opened, verified and stored first, then confirmed. What comes again is known by its place in its sender's
//! chain, and stored once.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use rossby_crypto::key_record::HeadRelation;
use rossby_crypto::message::{SealedMessage, SignedContent, open};
use rossby_schemas::encoding::{FixedOctets, Octets};
use rossby_schemas::http::messages::{
    ConfirmRequest, ConfirmResponse, FetchResponse, FetchedMessage, Lost, MAX_CONFIRMED, MAX_WAIT_SECONDS,
};
use rossby_schemas::http::problem::{Problem, ProblemType};
use rossby_schemas::http::signals::ReceivedSignal;
use rossby_schemas::ids::{BoxId, Head, OuterId};

use super::verify::Refusal;
use crate::Client;
use crate::account::Own;
use crate::error::ClientError;
use crate::groups::GROUP_CHANGES;
use crate::http::Call;
use crate::store::device::lost_more;
use crate::store::messages;
use crate::warning::Warning;

/// How many messages are fetched at once: they are all in memory.
const BATCH: u32 = 50;

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
    /// How many wait for changes of their group that have not come.
    pub waiting: usize,
    /// How many were confirmed.
    pub confirmed: usize,
    /// Whether more waits: call it again.
    pub more: bool,
}

impl Received {
    /// Counts what became of a message.
    pub(crate) fn count(&mut self, taken: &Taken) {
        match taken {
            Taken::New => self.new += 1,
            Taken::Duplicate => self.duplicates += 1,
            Taken::Waiting => self.waiting += 1,
            Taken::PassedOver => {}
            Taken::Refused(_) => self.refused += 1,
        }
    }
}

/// What became of a fetched message.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Taken {
    New,
    Duplicate,
    /// It waits for changes of its group that have not come.
    Waiting,
    /// The person takes no part in what it is about.
    PassedOver,
    Refused(Warning),
}

/// What is known while messages are taken: by one call of [`Client::receive`], or over one stream.
#[derive(Debug)]
pub(crate) struct Taking {
    pub(crate) own: Own,
    pub(super) lookups: Lookups,
}

/// What came of looking senders up: the server isn't asked again for each of their messages.
#[derive(Debug, Default)]
pub(super) struct Lookups {
    /// Senders of whom the server knows nothing.
    pub(super) unknown: HashSet<BoxId>,
    /// How often each of the others was found.
    pub(super) found: HashMap<BoxId, u8>,
    /// How the server said that it has had enough for the moment.
    pub(super) had_enough: Option<Box<Problem>>,
}

impl Taking {
    pub(super) fn new(own: Own) -> Self {
        Self { own, lookups: Lookups::default() }
    }

    /// Looks at the account again.
    pub(crate) async fn renew(&mut self, client: &Client) -> Result<(), ClientError> {
        self.own = client.audit().await?;
        self.lookups = Lookups::default();
        Ok(())
    }
}

/// This device's part of a message or a signal, as the server gives it.
pub(crate) struct SealedPart<'a> {
    outer_id: OuterId,
    recipient_head: Head,
    content: &'a Octets,
    sealing_counter: u64,
    enc: &'a Octets,
    wrapped_key: &'a Octets,
}

/// Of things that have the fields.
macro_rules! sealed_part {
    ($($kind:ty),*) => {
        $(impl<'a> From<&'a $kind> for SealedPart<'a> {
            fn from(given: &'a $kind) -> Self {
                Self {
                    outer_id: given.outer_id,
                    recipient_head: given.recipient_head,
                    content: &given.content,
                    sealing_counter: given.sealing_counter,
                    enc: &given.enc,
                    wrapped_key: &given.wrapped_key,
                }
            }
        })*
    };
}

sealed_part!(FetchedMessage, ReceivedSignal);

impl Client {
    /// Fetches what waits for this device, stores it, and confirms it; then sends what waits in the outbox. With a `wait` the server
    /// holds the request until something comes, for at most 30 seconds. What came before an error is stored.
    ///
    /// # Errors
    /// What the server says.
    pub async fn receive(&self, wait: Duration) -> Result<Received, ClientError> {
        let mut session = Taking::new(self.audit().await?);
        let received = self.receive_as(&mut session, wait).await?;
        self.follow_up(&session.own, !received.more).await?;
        Ok(received)
    }

    /// Does what follows on what came, and is due in any case; then sends what waits in the outbox.
    pub(crate) async fn follow_up(&self, own: &Own, has_all_come: bool) -> Result<(), ClientError> {
        self.refresh_contacts().await?;
        // What has not come by now is not on its way.
        if has_all_come {
            self.ask_members(own).await?;
        }
        self.look_up_waiting_authors(own).await?;
        self.affirm_to_groups(own).await?;
        self.state_profile_or_later().await;
        self.hand_over_what_waits().await
    }

    pub(super) async fn receive_as(&self, session: &mut Taking, wait: Duration) -> Result<Received, ClientError> {
        // What a device that died has stored and not confirmed.
        let mut received = Received { confirmed: self.confirm(&session.own).await?, ..Received::default() };
        let mut seconds = wait.as_secs().min(u64::from(MAX_WAIT_SECONDS));
        for _ in 0..MAX_BATCHES {
            let path = format!("/v1/messages?limit={BATCH}&wait={seconds}");
            let call = Call::get(path).waiting(Duration::from_secs(seconds));
            let fetched: FetchResponse = self.ask(&session.own.device, &call).await?;
            self.tell_lost(fetched.lost).await?;
            let mut taken = 0;
            for message in &fetched.messages {
                match self.take(session, message).await {
                    Ok(what) => received.count(&what),
                    // Its sender can't be looked up just now: it comes again with the next call.
                    Err(error) if error.asked_to_wait().is_some() => continue,
                    Err(error) => return Err(error),
                }
                taken += 1;
            }
            received.confirmed += self.confirm(&session.own).await?;
            received.more = fetched.more && taken > 0;
            if !received.more {
                break;
            }
            seconds = 0;
        }
        Ok(received)
    }

    /// Tells of messages that expired before this device fetched them, if they are more than was told.
    pub(crate) async fn tell_lost(&self, lost: Option<Lost>) -> Result<(), ClientError> {
        let Some(lost) = lost else { return Ok(()) };
        let mut transaction = self.store.begin().await?;
        if lost_more(&mut transaction, lost.messages).await? {
            self.warn(&mut transaction, &Warning::Lost(lost)).await?;
        }
        Ok(transaction.commit().await?)
    }

    /// Begins to take messages: with an account that is looked at.
    pub(crate) async fn begin_to_take(&self) -> Result<Taking, ClientError> {
        Ok(Taking::new(self.audit().await?))
    }

    /// Confirms what is stored.
    pub(crate) async fn confirm(&self, own: &Own) -> Result<usize, ClientError> {
        let mut confirmed = 0;
        let limit = u32::try_from(MAX_CONFIRMED).unwrap_or(u32::MAX);
        loop {
            let handles = self.store.confirmations(limit).await?;
            if handles.is_empty() {
                return Ok(confirmed);
            }
            let call = Call::post("/v1/messages/confirm", &ConfirmRequest { handles: handles.clone() }).harmless();
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
    pub(crate) async fn take(&self, session: &mut Taking, fetched: &FetchedMessage) -> Result<Taken, ClientError> {
        let opened = match self.open_message(&session.own, fetched.into()).await? {
            Ok(signed) => self.verified(session, &signed, fetched).await?.map(|record| (signed, record)),
            Err(reason) => Err(Refusal::Because(reason)),
        };
        // A record that is newer than ours is our own doing: another of our devices was linked or removed.
        if let Ok((signed, _)) = &opened
            && session.own.record.relation(signed.content().recipient_head) == HeadRelation::Ahead
        {
            session.own = self.audit().await?;
        }
        if let Ok((signed, _)) = &opened
            && signed.content().kind == GROUP_CHANGES
            && self.would_keep(&session.own, signed.content()).await?
        {
            self.learn_authors(&session.own, signed.content()).await?;
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
    pub(crate) async fn open_message(
        &self,
        own: &Own,
        sealed: SealedPart<'_>,
    ) -> Result<Result<SignedContent, String>, ClientError> {
        let Some(key) = self.store.sealing_secret(&self.vault, sealed.sealing_counter).await? else {
            return Ok(Err("it was sealed to a key that this device has erased, or never had".to_owned()));
        };
        let Ok(enc) = FixedOctets::try_from(sealed.enc.as_slice()) else {
            return Ok(Err("its encapsulated key has another length".to_owned()));
        };
        let sealed = SealedMessage {
            recipient: own.device.box_id,
            device_id: own.device.device_id,
            recipient_head: sealed.recipient_head,
            outer_id: sealed.outer_id,
            content: sealed.content,
            sealing_counter: sealed.sealing_counter,
            enc: &enc,
            wrapped_key: sealed.wrapped_key,
        };
        Ok(open(&sealed, &key).map_err(|error| error.to_string()))
    }
}

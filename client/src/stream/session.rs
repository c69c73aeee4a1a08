//! Following over a stream: messages are taken as they come, and confirmed some at a time once it is quiet.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rossby_schemas::encoding::Octets;
use rossby_schemas::http::messages::{FetchedMessage, MAX_CONFIRMED, OutgoingMessage};
use rossby_schemas::http::problem::{Problem, ProblemType};
use rossby_schemas::http::signals::{SignalOutcome, SignalResult};
use rossby_schemas::http::stream::{Changed, ClientFrame, ConfirmFrame, ServerFrame, SignalFrame};
use rossby_schemas::ids::BoxId;
use tokio::sync::{Notify, mpsc};
use tokio::time::Instant;

use super::connection::{Connection, Lost};
use super::{End, Event, Follower, passes};
use crate::Client;
use crate::error::ClientError;
use crate::messages::{Received, Taking};

/// So many messages are taken before they are confirmed, if more come at once; and it is quiet after so long without one.
const TOGETHER: usize = 20;
const QUIET: Duration = Duration::from_millis(20);
/// How long after a failure what was to be done is tried again.
const AGAIN: Duration = Duration::from_secs(5);
/// How often the account is looked at in any case, and at most.
const AUDIT: (Duration, Duration) = (Duration::from_secs(3600), Duration::from_secs(1));
/// How often what waits in the outbox is handed over, if nothing else asks for it.
const FOLLOW_UP: Duration = Duration::from_secs(30);
/// How many signals wait for the stream to take them, and for answers.
const SIGNALS: usize = 8;

/// Messages that are being confirmed.
struct Confirming {
    reference: u64,
    handles: Vec<Octets>,
    /// Until when its answer is waited for.
    until: Instant,
}

/// One stream.
pub(super) struct Session {
    connection: Connection,
    taking: Taking,
    /// The confirmation that is under way.
    confirming: Option<Confirming>,
    /// What was taken since it was told and confirmed last, and how much.
    received: Received,
    taken: usize,
    /// When that is done: some time after the last message.
    settle_at: Option<Instant>,
    /// When the account is looked at.
    audit_at: Instant,
    audited: Instant,
    has_changed: bool,
    /// To whom signals went that weren't answered yet.
    signalled: HashMap<u64, Vec<BoxId>>,
    reference: u64,
}

impl Session {
    /// Looks at the account first, as a fetch does. The inner error is that the stream is of no use.
    pub(super) async fn begin(follower: &mut Follower<'_>, connection: Connection) -> Result<Result<Self, Lost>, End> {
        let now = Instant::now();
        let taking = match follower.client.begin_to_take().await {
            Ok(taking) => taking,
            Err(error) if passes(&error).is_some() => return Ok(Err(Lost::because(error.to_string()))),
            Err(error) => return Err(error.into()),
        };
        Ok(Ok(Self {
            connection,
            taking,
            confirming: None,
            received: Received::default(),
            taken: 0,
            // What a device that died has stored and not confirmed.
            settle_at: Some(now),
            audit_at: now + AUDIT.0,
            audited: now,
            has_changed: false,
            signalled: HashMap::new(),
            reference: 0,
        }))
    }

    /// Works until the stream is lost.
    pub(super) async fn run(&mut self, follower: &mut Follower<'_>) -> Result<Lost, End> {
        let (work, client) = (Work::default(), follower.client);
        let (signals, mut outgoing) = mpsc::channel(SIGNALS);
        let _open = client.live.open(signals);
        tokio::select! {
            lost = self.talk(follower, &work, &mut outgoing) => lost,
            error = follow_up(client, &work) => Err(error.into()),
        }
    }

    async fn talk(
        &mut self,
        follower: &mut Follower<'_>,
        work: &Work,
        outgoing: &mut mpsc::Receiver<Vec<OutgoingMessage>>,
    ) -> Result<Lost, End> {
        work.wake.notify_one();
        loop {
            let far = Instant::now() + AUDIT.0;
            let (settle_at, expire_at) = (self.settle_at.unwrap_or(far), follower.heard.expire_at().unwrap_or(far));
            let keep_at = self.connection.keep_at();
            let unanswered_at = self.confirming.as_ref().map_or(far, |confirming| confirming.until);
            let done = tokio::select! {
                () = follower.events.closed() => return Err(End::Left),
                frame = self.connection.next() => match frame {
                    Ok(Some(frame)) => self.heed(follower, work, frame).await?,
                    Ok(None) => Ok(()),
                    Err(lost) => Err(lost),
                },
                Some(signals) = outgoing.recv() => self.signal(signals).await,
                () = tokio::time::sleep_until(settle_at) => self.settle(follower, work).await?,
                () = tokio::time::sleep_until(expire_at) => {
                    for typing in follower.heard.expire(Instant::now()) {
                        follower.tell(Event::Typing(typing)).await?;
                    }
                    Ok(())
                }
                () = tokio::time::sleep_until(self.audit_at) => self.audit(follower).await?,
                () = tokio::time::sleep_until(unanswered_at) => self.confirm_otherwise(follower.client).await?,
                () = tokio::time::sleep_until(keep_at) => self.connection.keep().await,
            };
            if let Err(lost) = done {
                // What was taken is told, though it isn't confirmed: it comes again, and is known.
                follower.tell_received(std::mem::take(&mut self.received)).await?;
                return Ok(lost);
            }
        }
    }

    async fn heed(
        &mut self,
        follower: &mut Follower<'_>,
        work: &Work,
        frame: ServerFrame,
    ) -> Result<Result<(), Lost>, End> {
        match frame {
            ServerFrame::Message(message) => return self.take(follower, work, &message).await,
            ServerFrame::Signal(signal) => {
                if let Some(typing) = follower.heard.hear(follower.client, &self.taking.own, &signal).await? {
                    follower.tell(Event::Typing(typing)).await?;
                }
            }
            ServerFrame::CaughtUp { lost } => {
                follower.client.tell_lost(lost).await?;
                work.has_all_come.store(true, Ordering::Relaxed);
                self.settle_at = Some(Instant::now());
            }
            ServerFrame::Changed { what: Changed::Account } => {
                self.has_changed = true;
                self.audit_at = self.audit_at.min(self.audited + AUDIT.1);
            }
            ServerFrame::Changed { what } => follower.tell(Event::Changed(what)).await?,
            ServerFrame::Confirmed { reference, .. } => self.confirmed(follower.client, reference).await?,
            ServerFrame::Signalled { reference, results } => {
                self.answered(follower.client, reference, results).await?;
            }
            ServerFrame::Problem { reference, problem } => self.refused(follower.client, reference, &problem).await?,
        }
        Ok(Ok(()))
    }

    async fn take(
        &mut self,
        follower: &mut Follower<'_>,
        work: &Work,
        message: &FetchedMessage,
    ) -> Result<Result<(), Lost>, End> {
        match follower.client.take(&mut self.taking, message).await {
            Ok(taken) => self.received.count(&taken),
            // It is not taken, and comes again.
            Err(error) if passes(&error).is_some() => return Ok(Err(Lost::because(error.to_string()))),
            Err(error) => return Err(error.into()),
        }
        self.taken += 1;
        if self.taken >= TOGETHER {
            return self.settle(follower, work).await;
        }
        self.settle_at = Some(Instant::now() + QUIET);
        Ok(Ok(()))
    }

    /// Tells what was taken, and confirms it.
    async fn settle(&mut self, follower: &mut Follower<'_>, work: &Work) -> Result<Result<(), Lost>, End> {
        (self.settle_at, self.taken) = (None, 0);
        let received = std::mem::take(&mut self.received);
        follower.tell_received(received).await?;
        if received.new + received.waiting > 0 {
            // Receipts, and what one of the own devices has to be told.
            work.wake.notify_one();
        }
        if self.confirming.is_some() {
            return Ok(Ok(()));
        }
        let limit = u32::try_from(MAX_CONFIRMED).unwrap_or(u32::MAX);
        let handles = follower.client.store.confirmations(limit).await?;
        if handles.is_empty() {
            return Ok(Ok(()));
        }
        self.reference += 1;
        let (reference, until) = (self.reference, Instant::now() + follower.client.live.confirm_patience);
        let frame = ConfirmFrame { reference: Some(reference), handles: handles.clone() };
        self.confirming = Some(Confirming { reference, handles, until });
        Ok(self.connection.send(&ClientFrame::Confirm(frame)).await)
    }

    async fn confirmed(&mut self, client: &Client, reference: Option<u64>) -> Result<(), End> {
        let is_ours = |ours: &mut Confirming| reference == Some(ours.reference);
        if let Some(confirming) = self.confirming.take_if(is_ours) {
            client.store.confirmed(&confirming.handles).await?;
            // What came meanwhile.
            self.settle_at = Some(Instant::now());
        }
        Ok(())
    }

    /// The server doesn't answer to a confirmation: it is made by a request, as one who fetches does. Where that can't be had
    /// either, the stream is given up.
    async fn confirm_otherwise(&mut self, client: &Client) -> Result<Result<(), Lost>, End> {
        tracing::debug!("a confirmation over the stream has no answer");
        self.confirming = None;
        match client.confirm(&self.taking.own).await {
            Ok(_) => Ok(Ok(())),
            Err(error) if passes(&error).is_some() => Ok(Err(Lost::because(error.to_string()))),
            Err(error) => Err(error.into()),
        }
    }

    async fn refused(&mut self, client: &Client, reference: Option<u64>, problem: &Problem) -> Result<(), End> {
        tracing::debug!(%problem.title, "the server refused a frame");
        // The server does not know its own handles: the messages come again, with others.
        if problem.problem_type() == Some(ProblemType::InvalidRequest) {
            return self.confirmed(client, reference).await;
        }
        if self.confirming.take_if(|ours| reference == Some(ours.reference)).is_some() {
            self.settle_at = Some(Instant::now() + AGAIN);
        }
        if let Some(reference) = reference {
            self.signalled.remove(&reference);
        }
        Ok(())
    }

    /// Sends signals. One that can't be sent is no loss.
    async fn signal(&mut self, signals: Vec<OutgoingMessage>) -> Result<(), Lost> {
        self.reference += 1;
        if self.signalled.len() >= SIGNALS {
            self.signalled.clear();
        }
        self.signalled.insert(self.reference, signals.iter().map(|signal| signal.recipient).collect());
        self.connection.send(&ClientFrame::Signal(SignalFrame { reference: Some(self.reference), signals })).await
    }

    /// Heeds what became of signals: the next ones are sealed to what has changed.
    async fn answered(
        &mut self,
        client: &Client,
        reference: Option<u64>,
        results: Vec<SignalResult>,
    ) -> Result<(), End> {
        let Some(recipients) = reference.and_then(|reference| self.signalled.remove(&reference)) else { return Ok(()) };
        for result in results {
            if let SignalOutcome::Stale { statements, sealing_statements, .. } = result.outcome
                && recipients.contains(&result.recipient)
                && let Err(error) = client.newer(result.recipient, &statements, &sealing_statements).await
            {
                tracing::debug!(%error, "what the server says of a recipient of signals is not taken");
            }
        }
        Ok(())
    }

    /// Looks at the account: whether this device belongs to it, which others came and went, whether a key is due.
    async fn audit(&mut self, follower: &mut Follower<'_>) -> Result<Result<(), Lost>, End> {
        self.audited = Instant::now();
        match self.taking.renew(follower.client).await {
            Ok(()) => {}
            Err(error) if passes(&error).is_some() => {
                self.audit_at = Instant::now() + AGAIN;
                return Ok(Ok(()));
            }
            Err(error) => return Err(error.into()),
        }
        self.audit_at = Instant::now() + AUDIT.0;
        if std::mem::take(&mut self.has_changed) {
            follower.tell(Event::Changed(Changed::Account)).await?;
        }
        Ok(Ok(()))
    }
}

/// What is to be done beside taking messages.
#[derive(Debug, Default)]
struct Work {
    wake: Notify,
    /// Whether everything that waited for this device has come.
    has_all_come: AtomicBool,
}

/// Does what follows on what came, when it is woken and now and then. Ends with what waiting doesn't cure.
async fn follow_up(client: &Client, work: &Work) -> ClientError {
    loop {
        let done = async {
            let own = client.as_stored().await?;
            client.follow_up(&own, work.has_all_come.load(Ordering::Relaxed)).await
        };
        match done.await {
            Ok(()) => {}
            Err(error) if passes(&error).is_some() => {}
            Err(error) => return error,
        }
        let _ = tokio::time::timeout(FOLLOW_UP, work.wake.notified()).await;
    }
}

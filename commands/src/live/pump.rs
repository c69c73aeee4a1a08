//! One stream's task: gives what arrives, and what waits in the tables, each message once, in order, within the window.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use rossby_log::Offset;
use rossby_projections::{StoreError, WaitingMessage};
use rossby_schemas::encoding::Sha256Digest;
use rossby_schemas::http::signals::ReceivedSignal;
use rossby_schemas::http::stream::Changed;
use rossby_schemas::ids::OuterId;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use super::account;
use super::figures::{Figures, dropped};
use super::gate::Room;
use super::hub::{Line, Seen};
use super::signals::is_fresh;
use super::subscription::Delivery;
use crate::service::Service;
use crate::token::Caller;

/// When a database that can't be asked is asked again.
const ASK_AGAIN: Duration = Duration::from_secs(1);
/// How long a full window stays full before the tables are asked whether its messages were confirmed elsewhere, at first and
/// at most.
const CHECK: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));

/// A message is known by its id and its content.
pub(super) type Key = (OuterId, Sha256Digest);

/// Messages that the device has confirmed, and where the confirmation stands.
#[derive(Debug)]
pub(super) struct Confirmed {
    pub(super) messages: Vec<Key>,
    pub(super) offset: Offset,
}

/// A message that was given. Until its confirmation is in the tables it would come from them again.
#[derive(Debug)]
struct Held {
    octets: usize,
    confirmed_at: Option<Offset>,
}

/// The subscription has ended.
pub(super) struct Ended;

pub(super) struct Pump {
    pub(super) service: Service,
    pub(super) figures: Arc<Figures>,
    pub(super) caller: Caller,
    pub(super) line: Arc<Line>,
    pub(super) out: mpsc::Sender<Delivery>,
    pub(super) arrivals: mpsc::UnboundedReceiver<WaitingMessage>,
    pub(super) signals: mpsc::Receiver<ReceivedSignal>,
    pub(super) confirmed: mpsc::UnboundedReceiver<Confirmed>,
    pub(super) fed: watch::Receiver<Option<Offset>>,
    pub(super) seen: watch::Receiver<Seen>,
    /// How often the tables are asked for what nobody offers: records that were applied out of their order.
    pub(super) look_again: Duration,
    /// What the device was told of its box last.
    told: Seen,
    held: HashMap<Key, Held>,
    /// How many of them are confirmed.
    unapplied: usize,
    /// Whether the device is to be told when it has caught up.
    is_to_tell: bool,
    check_after: Duration,
}

/// What a pump is made of.
pub(super) struct Ends {
    pub(super) out: mpsc::Sender<Delivery>,
    pub(super) arrivals: mpsc::UnboundedReceiver<WaitingMessage>,
    pub(super) signals: mpsc::Receiver<ReceivedSignal>,
    pub(super) confirmed: mpsc::UnboundedReceiver<Confirmed>,
    pub(super) fed: watch::Receiver<Option<Offset>>,
}

impl Pump {
    pub(super) fn new(
        service: Service,
        figures: Arc<Figures>,
        caller: Caller,
        line: Arc<Line>,
        ends: Ends,
        look_again: Duration,
    ) -> Self {
        let Ends { out, arrivals, signals, confirmed, fed } = ends;
        let seen = line.seen.subscribe();
        Self {
            service,
            figures,
            caller,
            line,
            out,
            arrivals,
            signals,
            confirmed,
            fed,
            seen,
            look_again,
            told: Seen::default(),
            held: HashMap::new(),
            unapplied: 0,
            is_to_tell: true,
            check_after: CHECK.0,
        }
    }

    /// Works until the subscription is dropped.
    pub(super) async fn run(mut self) {
        let _ended: Result<(), Ended> = self.work().await;
    }

    async fn work(&mut self) -> Result<(), Ended> {
        self.begin().await?;
        let mut look_again = Instant::now() + self.look_again;
        let mut check_at = Instant::now() + self.check_after;
        loop {
            // What was queued before comes before what the tables tell.
            let room = if self.arrivals.is_empty() { self.room() } else { None };
            if let Some(room) = room {
                self.catch_up(room).await?;
                check_at = Instant::now() + self.check_after;
                continue;
            }
            let is_full = self.line.gate().is_behind() && self.arrivals.is_empty();
            tokio::select! {
                () = self.out.closed() => return Err(Ended),
                Some(message) = self.arrivals.recv() => self.arrived(message).await?,
                Some(confirmed) = self.confirmed.recv() => self.confirm(&confirmed),
                Ok(()) = self.fed.changed(), if self.unapplied > 0 => self.release(),
                Ok(()) = self.seen.changed() => self.changed().await?,
                Some(signal) = self.signals.recv() => self.signal(signal).await?,
                () = self.line.fell_behind.notified() => {}
                () = tokio::time::sleep_until(check_at), if is_full => {
                    self.check_held().await?;
                    check_at = Instant::now() + self.check_after;
                }
                () = tokio::time::sleep_until(look_again) => {
                    self.line.gate().fall_behind();
                    look_again = Instant::now() + self.look_again;
                }
            }
        }
    }

    /// Waits until the partition is fed, and takes what the box is like now for told: what comes after is not missed then.
    async fn begin(&mut self) -> Result<(), Ended> {
        tokio::select! {
            () = self.out.closed() => return Err(Ended),
            fed = self.fed.wait_for(Option::is_some) => fed.map_err(|_| Ended)?,
        };
        let (service, caller) = (self.service.clone(), self.caller);
        self.told = self.ask(|| account::look(&service, caller.box_id, &self.line)).await?;
        Ok(())
    }

    /// Asks the database until it answers, unless the subscription ends before.
    async fn ask<T, Fut>(&self, what: impl Fn() -> Fut) -> Result<T, Ended>
    where
        Fut: Future<Output = Result<T, StoreError>>,
    {
        let asking = async {
            loop {
                match what().await {
                    Ok(answer) => return answer,
                    // The feeder says so once for all streams.
                    Err(error) => tracing::debug!(%error, "a stream could not ask the read models; it asks again"),
                }
                tokio::time::sleep(ASK_AGAIN).await;
            }
        };
        tokio::select! {
            () = self.out.closed() => Err(Ended),
            answer = asking => Ok(answer),
        }
    }

    /// How much may be asked of the tables, if anything is to be.
    fn room(&self) -> Option<Room> {
        let gate = self.line.gate();
        if gate.is_behind() { gate.room() } else { None }
    }

    /// Gives what waits in the tables and was not given.
    async fn catch_up(&mut self, room: Room) -> Result<(), Ended> {
        self.line.gate().ask();
        let known: Vec<OuterId> = self.held.keys().map(|(outer_id, _)| *outer_id).collect();
        let limit = u32::try_from(room.messages).unwrap_or(u32::MAX);
        let (models, caller, service) = (self.service.models.clone(), self.caller, self.service.clone());
        let ask = || models.waiting_besides(caller.box_id, caller.device_id, service.now(), &known, limit, room.octets);
        let waiting = self.ask(ask).await?;
        self.figures.catch_ups.add();
        for message in waiting.messages {
            self.line.gate().hold(message.value.len());
            self.is_to_tell = true;
            self.give(message).await?;
        }
        if !waiting.more && self.line.gate().catch_up() && self.is_to_tell {
            let ask = || models.lost(caller.box_id, caller.device_id);
            let lost = self.ask(ask).await?;
            self.is_to_tell = false;
            self.send(Delivery::CaughtUp { lost }).await?;
        }
        Ok(())
    }

    /// A message was offered and is taken out of the queue.
    async fn arrived(&mut self, message: WaitingMessage) -> Result<(), Ended> {
        let octets = message.value.len();
        self.line.gate().unqueue(octets);
        // The tables may have told of it already.
        if self.held.contains_key(&(message.outer_id, message.content_hash)) {
            self.line.gate().release(octets);
            return Ok(());
        }
        self.give(message).await
    }

    async fn give(&mut self, message: WaitingMessage) -> Result<(), Ended> {
        let held = Held { octets: message.value.len(), confirmed_at: None };
        self.held.insert((message.outer_id, message.content_hash), held);
        match self.service.fetched(self.caller, message) {
            Ok(fetched) => self.send(Delivery::Message(Box::new(fetched))).await,
            Err(error) => {
                tracing::error!(%error, "a message can't be given");
                Ok(())
            }
        }
    }

    /// The device has confirmed messages. They count until their confirmation is in the tables.
    fn confirm(&mut self, confirmed: &Confirmed) {
        for key in &confirmed.messages {
            if let Some(held) = self.held.get_mut(key) {
                self.unapplied += usize::from(held.confirmed_at.is_none());
                held.confirmed_at = Some(confirmed.offset);
            }
        }
        self.release();
    }

    /// Lets go of what is confirmed in the tables.
    fn release(&mut self) {
        let Some(fed) = *self.fed.borrow_and_update() else { return };
        let before = self.held.len();
        let mut gate = self.line.gate();
        self.held.retain(|_, held| {
            let is_over = held.confirmed_at.is_some_and(|offset| offset < fed);
            if is_over {
                gate.release(held.octets);
            }
            !is_over
        });
        drop(gate);
        let released = before - self.held.len();
        self.unapplied -= released;
        if released > 0 {
            self.check_after = CHECK.0;
        }
    }

    /// Lets go of what no longer waits, though it was not confirmed here: by another stream of the device's, or by a fetch.
    async fn check_held(&mut self) -> Result<(), Ended> {
        let known: Vec<OuterId> = self.held.keys().map(|(outer_id, _)| *outer_id).collect();
        let (models, caller, service) = (self.service.models.clone(), self.caller, self.service.clone());
        let ask = || models.still_waiting(caller.box_id, caller.device_id, service.now(), &known);
        let waiting = self.ask(ask).await?;
        self.figures.checks.add();
        let before = self.held.len();
        let mut gate = self.line.gate();
        self.held.retain(|key, held| {
            let is_over = !waiting.contains(key);
            if is_over {
                gate.release(held.octets);
                self.unapplied -= usize::from(held.confirmed_at.is_some());
            }
            !is_over
        });
        drop(gate);
        let has_changed = self.held.len() < before;
        self.check_after = if has_changed { CHECK.0 } else { CHECK.1.min(self.check_after * 2) };
        Ok(())
    }

    async fn changed(&mut self) -> Result<(), Ended> {
        let seen = *self.seen.borrow_and_update();
        let is_other = |now: Option<u64>, told: Option<u64>| now.is_some() && now != told;
        let account = is_other(seen.devices, self.told.devices) || is_other(seen.identifiers, self.told.identifiers);
        let profile = is_other(seen.profile, self.told.profile);
        self.told = Seen {
            devices: seen.devices.or(self.told.devices),
            identifiers: seen.identifiers.or(self.told.identifiers),
            profile: seen.profile.or(self.told.profile),
        };
        for (has_changed, what) in [(account, Changed::Account), (profile, Changed::Profile)] {
            if has_changed {
                self.send(Delivery::Changed(what)).await?;
            }
        }
        Ok(())
    }

    async fn signal(&mut self, signal: ReceivedSignal) -> Result<(), Ended> {
        if !is_fresh(signal.sent_at, self.service.now()) {
            dropped("old");
            return Ok(());
        }
        self.send(Delivery::Signal(Box::new(signal))).await
    }

    async fn send(&self, delivery: Delivery) -> Result<(), Ended> {
        self.out.send(delivery).await.map_err(|_| Ended)
    }
}

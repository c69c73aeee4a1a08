//! One partition's feeder: on a wake-up it asks once what a batch brought to all connected boxes of the partition, and offers it
//! to their streams.
//!
//! Within a partition offsets are in order and the projection's position moves by compare-and-set, so everything before the
//! position is in the tables: the feeder need not look back. What is applied out of its order (from quarantine) each stream
//! finds by itself, now and then.

use std::sync::Arc;
use std::time::Duration;

use rossby_log::Offset;
use rossby_projections::{Applied, ArrivalLimits, Projection, StoreError};
use rossby_schemas::topic::{Topic, TopicName};
use tokio::sync::broadcast::error::{RecvError, TryRecvError};
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use super::figures::Figures;
use super::hub::{Hub, Partition};
use super::{MOST_BOXES, account};
use crate::service::Service;

/// How much one query gives at most. A message has 64 devices at most.
const LIMITS: ArrivalLimits = ArrivalLimits { deliveries: 2000, octets: 4 * 1024 * 1024 };

/// Where the feeder stands in each of the partition's topics; none before it has begun.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct At {
    inbox: Option<Offset>,
    keys: Option<Offset>,
    profiles: Option<Offset>,
}

/// What a wake-up asks for.
#[derive(Debug, Default)]
struct Due {
    /// How far the projections went, as far as wake-ups said.
    to: At,
    /// Whether that has to be asked, because a wake-up may be missing.
    all: bool,
    /// Whether records were applied that the position had passed.
    again: bool,
}

pub(super) struct Feeder {
    pub(super) service: Service,
    pub(super) hub: Arc<Hub>,
    pub(super) figures: Arc<Figures>,
    pub(super) number: u32,
    pub(super) poll: Duration,
    at: At,
    /// Whether the last query failed, which is told once.
    has_failed: bool,
}

impl Feeder {
    pub(super) fn new(service: Service, hub: Arc<Hub>, figures: Arc<Figures>, number: u32, poll: Duration) -> Self {
        Self { service, hub, figures, number, poll, at: At::default(), has_failed: false }
    }

    /// Works until `stop` is cancelled.
    pub(super) async fn run(mut self, stop: CancellationToken) {
        stop.run_until_cancelled(self.work()).await;
    }

    async fn work(&mut self) {
        let hub = Arc::clone(&self.hub);
        let Some(partition) = hub.partition(self.number) else { return };
        // Subscribed first and asked then, so that nothing is missed between the two.
        let mut wakes = self.service.models.subscribe();
        let mut ticks = tokio::time::interval(self.poll);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let mut due = Due::default();
            if partition.rests() {
                self.at = At::default();
                partition.joined.notified().await;
                wakes = wakes.resubscribe();
                due.all = true;
            } else {
                tokio::select! {
                    wake = wakes.recv() => self.note(&mut due, wake),
                    _ = ticks.tick() => due.all = true,
                    () = partition.joined.notified() => due.all = self.at.inbox.is_none(),
                }
            }
            // Batches that came while the last was fed are fed together.
            loop {
                match wakes.try_recv() {
                    Ok(applied) => self.note(&mut due, Ok(applied)),
                    Err(TryRecvError::Lagged(missed)) => self.note(&mut due, Err(RecvError::Lagged(missed))),
                    Err(TryRecvError::Empty | TryRecvError::Closed) => break,
                }
            }
            let done = self.work_off(partition, due).await;
            if let Err(error) = &done
                && !self.has_failed
            {
                tracing::warn!(partition = self.number, %error, "live streams can't be fed; it is tried again");
            }
            self.has_failed = done.is_err();
        }
    }

    fn note(&self, due: &mut Due, wake: Result<Applied, RecvError>) {
        let Ok(applied) = wake else {
            due.all = true;
            return;
        };
        if applied.partition != self.number {
            return;
        }
        due.all |= applied.next_offset.is_none();
        let place = if applied.is_of(Projection::Inbox, Topic::Inbox) {
            due.again |= applied.next_offset.is_none();
            &mut due.to.inbox
        } else if applied.is_of(Projection::Keys, Topic::Keys) {
            &mut due.to.keys
        } else if applied.is_of(Projection::Profiles, Topic::Profiles) {
            &mut due.to.profiles
        } else {
            return;
        };
        *place = (*place).max(applied.next_offset);
    }

    async fn work_off(&mut self, partition: &Partition, due: Due) -> Result<(), StoreError> {
        let mut to = due.to;
        if due.all {
            let now = self.positions().await?;
            to = At {
                inbox: to.inbox.max(now.inbox),
                keys: to.keys.max(now.keys),
                profiles: to.profiles.max(now.profiles),
            };
            if now.inbox < self.at.inbox {
                // The tables were made anew: what the streams have is in them again, or will be.
                self.at = At::default();
                partition.all_lines().iter().for_each(|line| line.fall_behind());
            }
            if self.at.inbox.is_none() {
                self.at = now;
                partition.fed.send_replace(now.inbox);
            }
        }
        if due.again {
            partition.all_lines().iter().for_each(|line| line.fall_behind());
        }
        // Who has lost the right to listen hears no more of what comes.
        if to.keys > self.at.keys {
            account::look_at_devices(&self.service.models, &self.figures, partition).await?;
            self.at.keys = to.keys;
        }
        if let (Some(from), Some(to)) = (self.at.inbox, to.inbox)
            && to > from
        {
            self.feed(partition, from, to).await?;
        }
        if to.profiles > self.at.profiles {
            account::look_at_profiles(&self.service.models, &self.figures, partition).await?;
            self.at.profiles = to.profiles;
        }
        Ok(())
    }

    /// Offers what a stretch brought, all of which is in the tables: whoever connects while this goes on finds it there.
    async fn feed(&mut self, partition: &Partition, from: Offset, to: Offset) -> Result<(), StoreError> {
        let place = (self.service.config.region, self.number);
        for boxes in partition.boxes().chunks(MOST_BOXES) {
            let mut from = from;
            while from < to {
                let now = self.service.now();
                let arrivals = self.service.models.arrivals(place, from..to, boxes, now, LIMITS).await?;
                self.figures.feeds.add();
                arrivals.messages.iter().for_each(|arrival| partition.offer(arrival));
                from = arrivals.next_offset;
            }
        }
        self.at.inbox = Some(to);
        partition.fed.send_replace(Some(to));
        Ok(())
    }

    /// Where the projections stand in the partition now; at its beginning where they haven't begun.
    async fn positions(&self) -> Result<At, StoreError> {
        let positions = self.service.models.positions_in(self.number).await?;
        let position = |projection: Projection, topic: Topic| {
            let topic = TopicName::local(topic).to_string();
            let row = positions.iter().find(|row| row.projection == projection.name() && row.topic == topic);
            Some(row.map_or(0, |row| row.next_offset))
        };
        Ok(At {
            inbox: position(Projection::Inbox, Topic::Inbox),
            keys: position(Projection::Keys, Topic::Keys),
            profiles: position(Projection::Profiles, Topic::Profiles),
        })
    }
}

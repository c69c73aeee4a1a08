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
use rossby_schemas::ids::RegionNumber;
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

/// The offset that is next in the topic of each region, this one's first; none before it was begun with.
type Offsets = Vec<Option<Offset>>;

/// Where the feeder stands in each of the partition's topics.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
struct At {
    inbox: Offsets,
    keys: Offsets,
    profiles: Offsets,
}

impl At {
    fn nowhere(regions: usize) -> Self {
        let none = vec![None; regions];
        Self { inbox: none.clone(), keys: none.clone(), profiles: none }
    }

    /// The farther of both, each.
    fn max(mut self, other: &Self) -> Self {
        go_to(&mut self.inbox, &other.inbox);
        go_to(&mut self.keys, &other.keys);
        go_to(&mut self.profiles, &other.profiles);
        self
    }
}

/// Goes on to where each is farther.
fn go_to(at: &mut Offsets, to: &Offsets) {
    at.iter_mut().zip(to).for_each(|(at, to)| *at = (*at).max(*to));
}

/// Whether there is anything new in any region's topic.
fn is_past(to: &Offsets, at: &Offsets) -> bool {
    to.iter().zip(at).any(|(to, at)| to > at)
}

/// What a wake-up asks for.
#[derive(Debug)]
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
    /// The regions, this one first, each with its name if it is another.
    regions: Vec<(RegionNumber, Option<String>)>,
    at: At,
    /// Whether the last query failed, which is told once.
    has_failed: bool,
}

impl Feeder {
    pub(super) fn new(service: Service, hub: Arc<Hub>, figures: Arc<Figures>, number: u32, poll: Duration) -> Self {
        let config = &service.config;
        let others = config.others.iter().map(|other| (other.number, Some(other.name.clone())));
        let regions: Vec<_> = std::iter::once((config.region, None)).chain(others).collect();
        let at = At::nowhere(regions.len());
        Self { service, hub, figures, number, poll, regions, at, has_failed: false }
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
            let mut due = Due { to: At::nowhere(self.regions.len()), all: false, again: false };
            if partition.rests() {
                self.at = At::nowhere(self.regions.len());
                partition.joined.notified().await;
                wakes = wakes.resubscribe();
                due.all = true;
            } else {
                tokio::select! {
                    wake = wakes.recv() => self.note(&mut due, wake),
                    _ = ticks.tick() => due.all = true,
                    () = partition.joined.notified() => due.all = !self.has_begun(),
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
        let places = if applied.is_of(Projection::Inbox, Topic::Inbox) {
            due.again |= applied.next_offset.is_none();
            &mut due.to.inbox
        } else if applied.is_of(Projection::Keys, Topic::Keys) {
            &mut due.to.keys
        } else if applied.is_of(Projection::Profiles, Topic::Profiles) {
            &mut due.to.profiles
        } else {
            return;
        };
        let region = self.regions.iter().position(|(_, name)| *name == applied.topic.mirrored_from);
        if let Some(place) = region.and_then(|region| places.get_mut(region)) {
            *place = (*place).max(applied.next_offset);
        }
    }

    /// Whether it stands anywhere yet.
    fn has_begun(&self) -> bool {
        self.at.inbox.iter().all(Option::is_some)
    }

    async fn work_off(&mut self, partition: &Partition, due: Due) -> Result<(), StoreError> {
        let mut to = due.to;
        if due.all {
            let now = self.positions().await?;
            to = to.max(&now);
            if now.inbox.iter().zip(&self.at.inbox).any(|(now, at)| now < at) {
                // The tables were made anew, or a mirrored topic: what the streams have is in them again, or will be.
                self.at = At::nowhere(self.regions.len());
                partition.all_lines().iter().for_each(|line| line.fall_behind());
            }
            if !self.has_begun() {
                self.at = now;
                partition.fed.send_replace(self.own_position());
            }
        }
        if due.again {
            partition.all_lines().iter().for_each(|line| line.fall_behind());
        }
        // Who has lost the right to listen hears no more of what comes.
        if is_past(&to.keys, &self.at.keys) {
            account::look_at_devices(&self.service.models, &self.figures, partition).await?;
            go_to(&mut self.at.keys, &to.keys);
        }
        for (index, to) in to.inbox.into_iter().enumerate() {
            if let (Some(Some(from)), Some(to)) = (self.at.inbox.get(index).copied(), to)
                && to > from
            {
                self.feed(partition, index, from, to).await?;
            }
        }
        if is_past(&to.profiles, &self.at.profiles) {
            account::look_at_profiles(&self.service.models, &self.figures, partition).await?;
            go_to(&mut self.at.profiles, &to.profiles);
        }
        Ok(())
    }

    /// Up to where this region's own inbox was fed, which is where confirmations stand.
    fn own_position(&self) -> Option<Offset> {
        self.at.inbox.first().copied().flatten()
    }

    /// Offers what a stretch of a region's inbox brought, all of which is in the tables: whoever connects while this goes on finds
    /// it there.
    async fn feed(&mut self, partition: &Partition, index: usize, from: Offset, to: Offset) -> Result<(), StoreError> {
        let Some((region, _)) = self.regions.get(index) else { return Ok(()) };
        let place = (*region, self.number);
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
        if let Some(at) = self.at.inbox.get_mut(index) {
            *at = Some(to);
        }
        if index == 0 {
            partition.fed.send_replace(Some(to));
        }
        Ok(())
    }

    /// Where the projections stand in the partition now; at its beginning where they haven't begun.
    async fn positions(&self) -> Result<At, StoreError> {
        let positions = self.service.models.positions_in(self.number).await?;
        let offsets = |projection: Projection, topic: Topic| {
            let position = |(_, name): &(RegionNumber, Option<String>)| {
                let topic = TopicName { mirrored_from: name.clone(), topic }.to_string();
                let row = positions.iter().find(|row| row.projection == projection.name() && row.topic == topic);
                Some(row.map_or(0, |row| row.next_offset))
            };
            self.regions.iter().map(position).collect()
        };
        Ok(At {
            inbox: offsets(Projection::Inbox, Topic::Inbox),
            keys: offsets(Projection::Keys, Topic::Keys),
            profiles: offsets(Projection::Profiles, Topic::Profiles),
        })
    }
}

//! Waiting for what the inbox brings: a fetch for its box's messages, a reader for those of a rendezvous.
//!
//! Whoever waits hears of everything that is applied anywhere, so each wake-up is looked at before the tables are asked: many
//! who wait must not ask them for what concerns none of them.

use std::time::Duration;

use rossby_projections::{Applied, Projection};
use rossby_schemas::topic::Topic;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::{Instant, sleep_until, timeout_at};

use crate::service::Service;

/// Who waits looks at least so often, whether a wake-up comes or not.
const POLL: Duration = Duration::from_secs(1);
/// And hardly ever more often than this, however much its partition brings to others.
const REST: Duration = Duration::from_millis(100);

/// What may bring something to one who waits.
#[derive(Debug)]
pub(crate) struct Arrivals {
    wakes: Receiver<Applied>,
    /// In which partition of an inbox it would stand; none if that can't be told.
    partition: Option<u32>,
    /// A wake-up before that is heeded then.
    rests_until: Instant,
}

impl Arrivals {
    fn new(wakes: Receiver<Applied>, partition: Option<u32>) -> Self {
        Self { wakes, partition, rests_until: Instant::now() }
    }

    /// Waits until there may be something new, at most until `deadline`. What is asked afterwards has seen all that was applied
    /// before.
    pub(crate) async fn next(&mut self, deadline: Instant) {
        let until = deadline.min(Instant::now() + POLL);
        loop {
            match timeout_at(until, self.wakes.recv()).await {
                Ok(Ok(applied)) if !self.may_bring(&applied) => {}
                // One that concerns it, or some that it missed.
                Ok(Ok(_) | Err(RecvError::Lagged(_))) => break,
                Ok(Err(RecvError::Closed)) => return sleep_until(until).await,
                Err(_) => return,
            }
        }
        sleep_until(self.rests_until.min(deadline)).await;
        self.rests_until = Instant::now() + REST;
        // What has come meanwhile is answered by the same question.
        self.wakes = self.wakes.resubscribe();
    }

    /// Any region's inbox may, and a key has the same partition in all of them.
    fn may_bring(&self, applied: &Applied) -> bool {
        let is_elsewhere = self.partition.is_some_and(|partition| partition != applied.partition);
        applied.is_of(Projection::Inbox, Topic::Inbox) && !is_elsewhere
    }
}

impl Service {
    /// What is applied from now on that may bring something under this key of the inbox.
    pub(crate) async fn arrivals(&self, key: &str) -> Arrivals {
        let wakes = self.models.subscribe();
        Arrivals::new(wakes, self.appender.partition(Topic::Inbox, key).await.ok())
    }

    /// How often the tables were asked for what waits for a device or at a rendezvous since this process began.
    #[must_use]
    pub fn looks(&self) -> u64 {
        self.looks.get()
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::broadcast::Sender;

    use rossby_schemas::topic::TopicName;

    use super::*;

    fn applied(projection: Projection, topic: Topic, partition: u32) -> Applied {
        Applied { projection, topic: TopicName::local(topic), partition, next_offset: Some(1) }
    }

    fn own() -> Applied {
        applied(Projection::Inbox, Topic::Inbox, 3)
    }

    async fn waited(arrivals: &mut Arrivals, deadline: Duration) -> Duration {
        let began = Instant::now();
        arrivals.next(began + deadline).await;
        began.elapsed()
    }

    #[tokio::test(start_paused = true)]
    async fn only_what_may_concern_it_wakes() {
        let sender = Sender::new(16);
        let mut arrivals = Arrivals::new(sender.subscribe(), Some(3));
        for other in [
            applied(Projection::Inbox, Topic::Inbox, 4),
            applied(Projection::Keys, Topic::Inbox, 3),
            applied(Projection::Inbox, Topic::Registrations, 3),
        ] {
            sender.send(other).unwrap();
        }
        assert_eq!(waited(&mut arrivals, Duration::from_secs(30)).await, POLL);
        sender.send(own()).unwrap();
        assert_eq!(waited(&mut arrivals, Duration::from_secs(30)).await, Duration::ZERO);
        sender.send(Applied { topic: TopicName::mirrored("west", Topic::Inbox), ..own() }).unwrap();
        assert_eq!(waited(&mut arrivals, Duration::from_secs(30)).await, REST, "another region's inbox wakes too");
        // Whose partition isn't known hears of all of them.
        let mut arrivals = Arrivals::new(sender.subscribe(), None);
        sender.send(applied(Projection::Inbox, Topic::Inbox, 4)).unwrap();
        assert_eq!(waited(&mut arrivals, Duration::from_secs(30)).await, Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn however_often_it_is_woken_it_rests_between() {
        let sender = Sender::new(16);
        let mut arrivals = Arrivals::new(sender.subscribe(), Some(3));
        let mut waits = Vec::new();
        for _ in 0..3 {
            // More than it keeps in mind.
            (0..40).for_each(|_| assert!(sender.send(own()).is_ok()));
            waits.push(waited(&mut arrivals, Duration::from_secs(30)).await);
        }
        assert_eq!(waits, [Duration::ZERO, REST, REST]);
        // One batch is one wake-up.
        assert_eq!(waited(&mut arrivals, Duration::from_millis(300)).await, Duration::from_millis(300));
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_is_waited_for_past_the_deadline() {
        let sender = Sender::new(16);
        let mut arrivals = Arrivals::new(sender.subscribe(), Some(3));
        sender.send(own()).unwrap();
        assert_eq!(waited(&mut arrivals, Duration::from_secs(30)).await, Duration::ZERO);
        sender.send(own()).unwrap();
        assert_eq!(waited(&mut arrivals, Duration::from_millis(20)).await, Duration::from_millis(20));
        // No projector is left.
        drop(sender);
        assert_eq!(waited(&mut arrivals, Duration::from_secs(30)).await, POLL);
    }
}

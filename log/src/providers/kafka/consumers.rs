//! The consumers. A consumer costs threads and connections, so readers share them: each reader has one partition of one
//! consumer, with a queue of its own, and readers of the same partition have different consumers.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use rdkafka::ClientConfig;
use rdkafka::consumer::stream_consumer::StreamPartitionQueue;
use rdkafka::consumer::{Consumer as _, StreamConsumer};
use rdkafka::error::KafkaResult;
use rdkafka::{Offset as KafkaOffset, TopicPartitionList};
use tokio::sync::mpsc;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::context::Context;
use super::errors::log_error;
use crate::error::LogError;
use crate::port::Offset;

/// A topic of the cluster, and a partition of it.
pub(super) type Place = (String, i32);

type Client = StreamConsumer<Context>;

/// The consumers of all readers. They stay for later readers when theirs are gone.
#[derive(Default)]
pub(super) struct Consumers {
    config: ClientConfig,
    all: Mutex<Vec<Arc<Consumer>>>,
}

/// One consumer and who reads with it.
pub(super) struct Consumer {
    /// Never the last one: the serving task has another, until the guard below is dropped.
    pub(super) client: Arc<Client>,
    /// Which partitions are taken, each with the number of its reader.
    taken: Mutex<Taken>,
    released: mpsc::UnboundedSender<(Place, u64)>,
    _serving: DropGuard,
}

#[derive(Default)]
struct Taken {
    places: HashMap<Place, u64>,
    readers: u64,
}

impl Consumers {
    pub(super) fn new(config: ClientConfig) -> Self {
        Self { config, all: Mutex::default() }
    }

    /// A queue of the partition's records from an offset on.
    pub(super) async fn assign(self: &Arc<Self>, place: Place, from: Offset) -> Result<Assignment, LogError> {
        let consumers = Arc::clone(self);
        // librdkafka answers from its own thread, which may be busy.
        blocking(move || consumers.assign_now(place, from)).await?
    }

    fn assign_now(&self, place: Place, from: Offset) -> Result<Assignment, LogError> {
        let (consumer, number) = self.reserve(&place)?;
        // From here on its drop gives the partition back.
        let mut assignment = Assignment { consumer, place, number, queue: None };
        let (topic, partition) = &assignment.place;
        // Before the partition is assigned, or its first records go to the queue of all.
        let queue = assignment.consumer.client.split_partition_queue(topic, *partition);
        assignment.queue = Some(queue.ok_or_else(|| LogError::Failed(format!("{topic} has no queue")))?);
        assignment.consumer.client.incremental_assign(&list(&assignment.place, from)?).map_err(|e| log_error(&e))?;
        Ok(assignment)
    }

    /// A consumer that does not read the partition yet.
    fn reserve(&self, place: &Place) -> Result<(Arc<Consumer>, u64), LogError> {
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        for consumer in all.iter() {
            if let Some(number) = consumer.take(place) {
                return Ok((Arc::clone(consumer), number));
            }
        }
        let consumer = Consumer::start(&self.config)?;
        let number = consumer.take(place).unwrap_or_default();
        all.push(Arc::clone(&consumer));
        Ok((consumer, number))
    }

    /// Lets the consumers go. Those that still have readers go with them.
    pub(super) fn close(&self) {
        self.all.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

impl Consumer {
    /// Makes a consumer that reads nothing yet. Must be called in a runtime.
    pub(super) fn start(config: &ClientConfig) -> Result<Arc<Self>, LogError> {
        let client: Client = config.create_with_context(Context { client: "reader" }).map_err(|e| log_error(&e))?;
        let client = Arc::new(client);
        let (released, mut gone) = mpsc::unbounded_channel();
        let stop = CancellationToken::new();
        let consumer = Arc::new_cyclic(|weak: &std::sync::Weak<Self>| {
            let (weak, served, stopped) = (weak.clone(), Arc::clone(&client), stop.clone());
            tokio::spawn(async move {
                loop {
                    tokio::select! {
                        () = stopped.cancelled() => break,
                        // What is no reader's: errors of the whole client.
                        event = served.recv() => if let Err(error) = event {
                            tracing::debug!(%error, "a consumer of the log reports");
                        },
                        Some((place, number)) = gone.recv() => if let Some(consumer) = weak.upgrade() {
                            let _ = blocking(move || consumer.release(&place, number)).await;
                        },
                    }
                }
                // Closing a consumer waits for its threads.
                let _ = blocking(move || drop(served)).await;
            });
            Self { client, taken: Mutex::default(), released, _serving: stop.drop_guard() }
        });
        Ok(consumer)
    }

    fn take(&self, place: &Place) -> Option<u64> {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if taken.places.contains_key(place) {
            return None;
        }
        taken.readers += 1;
        let number = taken.readers;
        taken.places.insert(place.clone(), number);
        Some(number)
    }

    fn release(&self, place: &Place, number: u64) {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if taken.places.get(place) != Some(&number) {
            return;
        }
        if let Err(error) = list(place, 0).and_then(|list| unassigned(self.client.incremental_unassign(&list))) {
            tracing::debug!(%error, topic = place.0, partition = place.1, "a partition was not given back");
        }
        taken.places.remove(place);
    }

    /// Fetches anew from an offset, for a reader that is still there.
    fn restart(&self, place: &Place, number: u64, from: Offset) -> Result<(), LogError> {
        let taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if taken.places.get(place) != Some(&number) {
            return Ok(());
        }
        let list = list(place, from)?;
        if let Err(error) = unassigned(self.client.incremental_unassign(&list)) {
            tracing::debug!(%error, topic = place.0, partition = place.1, "a partition was not given back");
        }
        self.client.incremental_assign(&list).map_err(|e| log_error(&e))
    }
}

/// A reader's partition. Dropping it gives the partition back.
pub(super) struct Assignment {
    consumer: Arc<Consumer>,
    place: Place,
    number: u64,
    /// None only while it is dropped.
    queue: Option<StreamPartitionQueue<Context>>,
}

impl Assignment {
    /// What comes for the partition; none when there is no queue.
    pub(super) fn queue(&self) -> Option<&StreamPartitionQueue<Context>> {
        self.queue.as_ref()
    }

    /// Fetches anew from an offset. What was fetched before does not come any more.
    pub(super) async fn restart(&self, from: Offset) -> Result<(), LogError> {
        let (consumer, place, number) = (Arc::clone(&self.consumer), self.place.clone(), self.number);
        blocking(move || consumer.restart(&place, number, from)).await?
    }
}

impl Drop for Assignment {
    fn drop(&mut self) {
        // Its end takes away the wake-up, which the partition's next reader sets.
        self.queue = None;
        let _ = self.consumer.released.send((std::mem::take(&mut self.place), self.number));
    }
}

fn list((topic, partition): &Place, from: Offset) -> Result<TopicPartitionList, LogError> {
    let mut list = TopicPartitionList::new();
    let offset = KafkaOffset::Offset(i64::try_from(from).unwrap_or(i64::MAX));
    list.add_partition_offset(topic, *partition, offset).map_err(|e| log_error(&e))?;
    Ok(list)
}

fn unassigned(result: KafkaResult<()>) -> Result<(), LogError> {
    result.map_err(|e| log_error(&e))
}

/// Runs what waits for librdkafka or the network, away from the tasks.
pub(super) async fn blocking<T: Send + 'static>(what: impl FnOnce() -> T + Send + 'static) -> Result<T, LogError> {
    tokio::task::spawn_blocking(what).await.map_err(|error| LogError::Unavailable(error.to_string()))
}

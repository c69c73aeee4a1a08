//! Where a projection goes on, and when it may not.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use rossby_log::{
    AppendError, Batch, BatchLimit, Bounds, Log, LogError, LogRecord, Offset, PartitionReader, ReadError,
};
use rossby_projections::SecretCheck;
use rossby_schemas::topic::{MESSAGE_LIFETIME, Topic, TopicName};
use tokio::sync::Semaphore;

use super::events::*;
use super::{PARTITIONS, Running, World, eventually, stops};

pub(crate) async fn a_restart_goes_on_where_it_stood(mut world: World) {
    let now = world.now();
    for round in 0_u32..3 {
        for number in 0..5 {
            let box_id = box_number(round * 5 + number);
            let id = u128::from(round * 5 + number);
            world.append(Topic::Keys, &key_event(box_id, id, 0, now, &founded(box_id, device(1)))).await;
        }
        assert_eq!(stops(&world.project().await), Vec::<String>::new());
        world.restart().await;
    }
    let positions = world.models.positions().await.unwrap();
    let keys = positions.iter().filter(|p| p.topic == "rossby.keys" && p.projection == "keys");
    assert_eq!(keys.map(|p| p.next_offset).sum::<u64>(), 15);
    for number in 0..15 {
        assert_eq!(world.models.key_record(box_number(number)).await.unwrap().unwrap().statements.len(), 1);
    }
}

pub(crate) async fn what_the_secret_is_known_by_is_kept_once(mut world: World) {
    assert_eq!(world.models.secret_check().await.unwrap(), None);
    let check = |number| SecretCheck { number, check_value: [7; 32].into() };
    assert_eq!(world.models.keep_secret_check(check(1)).await.unwrap(), check(1));
    assert_eq!(world.models.keep_secret_check(check(2)).await.unwrap(), check(1));
    world.restart().await;
    assert_eq!(world.models.secret_check().await.unwrap(), Some(check(1)));
    // Two processes that start at once agree on one.
    let models = world.empty_models().await;
    let (one, other) = tokio::join!(models.keep_secret_check(check(3)), models.keep_secret_check(check(4)));
    assert_eq!(one.unwrap(), other.unwrap());
}

/// A log whose readers wait for a permit before they hand on records.
#[derive(Debug)]
struct Held {
    log: Arc<dyn Log>,
    permits: Arc<Semaphore>,
    /// How many readers hold records.
    holding: Arc<AtomicU32>,
}

#[derive(Debug)]
struct HeldReader {
    reader: Box<dyn PartitionReader>,
    permits: Arc<Semaphore>,
    holding: Arc<AtomicU32>,
}

#[async_trait]
impl PartitionReader for HeldReader {
    async fn next(&mut self, limit: BatchLimit) -> Result<Batch, ReadError> {
        let batch = self.reader.next(limit).await?;
        if !batch.records.is_empty() {
            self.holding.fetch_add(1, Ordering::SeqCst);
            self.permits.acquire().await.unwrap().forget();
        }
        Ok(batch)
    }
}

#[async_trait]
impl Log for Held {
    async fn partitions(&self, topic: &TopicName) -> Result<u32, LogError> {
        self.log.partitions(topic).await
    }

    async fn append(&self, topic: &TopicName, partition: u32, record: LogRecord) -> Result<Offset, AppendError> {
        self.log.append(topic, partition, record).await
    }

    async fn bounds(&self, topic: &TopicName, partition: u32) -> Result<Bounds, LogError> {
        self.log.bounds(topic, partition).await
    }

    async fn read(
        &self,
        topic: &TopicName,
        partition: u32,
        from: Offset,
    ) -> Result<Box<dyn PartitionReader>, ReadError> {
        let reader = self.log.read(topic, partition, from).await?;
        Ok(Box::new(HeldReader { reader, permits: self.permits.clone(), holding: self.holding.clone() }))
    }

    async fn health(&self) -> Result<(), LogError> {
        self.log.health().await
    }

    async fn close(&self) {}
}

pub(crate) async fn a_projector_that_wakes_late_does_nothing(world: World) {
    let (now, hash) = (world.now(), identifier(7));
    let stream = rossby_schemas::events::registrations::stream(hash, now);
    let event =
        |number, expected, event| control(Topic::Registrations, &stream, command(number), expected, now, &event);
    world.project().await;
    let (permits, holding) = (Arc::new(Semaphore::new(0)), Arc::new(AtomicU32::new(0)));
    let held = Held { log: world.log.clone(), permits: permits.clone(), holding: holding.clone() };
    let zombie = Running::start(&world.models, Arc::new(held), &world.clock);
    // The zombie has read the first record and holds it, while another applies it and one more.
    world.append(Topic::Registrations, &event(1, 0, asked(hash, 1, box_number(1)))).await;
    eventually(async || holding.load(Ordering::SeqCst) == 1).await;
    world.append(Topic::Registrations, &event(2, 1, guess(1, 1, false))).await;
    world.project().await;
    // It may go on with what it holds, and loses: the position doesn't go back. Then it holds what it reads next.
    permits.add_permits(1);
    eventually(async || holding.load(Ordering::SeqCst) == 2).await;
    let positions = world.models.positions().await.unwrap();
    let position = positions.iter().filter(|p| p.topic == "rossby.registrations").map(|p| p.next_offset);
    assert_eq!(position.sum::<u64>(), 2);
    permits.add_permits(1000);
    zombie.until_idle(&*world.log).await;
    assert_eq!(stops(&zombie.stop().await), Vec::<String>::new());
    let day = world.models.registration_day(&stream).await.unwrap();
    assert_eq!((day.version, day.guesses), (2, 1));
}

pub(crate) async fn a_topic_made_anew_is_recognised(world: World) {
    let now = world.now();
    let found = |number: u32| {
        let box_id = box_number(number);
        key_event(box_id, u128::from(number), 0, now, &founded(box_id, device(1)))
    };
    let make_anew = async || {
        let topic = TopicName::local(Topic::Keys);
        world.log.remove_topic(&topic).await.unwrap();
        let specs = rossby_log::topics::TopicSpec::local(PARTITIONS);
        world.log.ensure_topics(&specs).await.unwrap();
    };
    for number in 0..8 {
        world.append(Topic::Keys, &found(number)).await;
    }
    world.project().await;
    // Shorter than the position.
    make_anew().await;
    let status = world.project().await;
    assert_eq!(stops(&status).len(), 4 * usize::try_from(PARTITIONS).unwrap());
    assert!(stops(&status).iter().all(|reason| reason.contains("made anew")), "{status:?}");
    // Longer than the position, with other records.
    for number in 100..130 {
        world.append(Topic::Keys, &found(number)).await;
    }
    let status = world.project().await;
    assert_eq!(stops(&status).len(), 4 * usize::try_from(PARTITIONS).unwrap());
    assert_eq!(world.models.key_record(box_number(100)).await.unwrap(), None);
}

pub(crate) async fn lost_records_stop_control_topics(mut world: World) {
    let (now, box_id) = (world.now(), box_number(1));
    let event = |number, expected, event| key_event(box_id, number, expected, now, &event);
    let first = event(1, 0, founded(box_id, device(1)));
    let partition = super::partition(&first);
    world.append(Topic::Keys, &first).await;
    world.project().await;
    for number in 2_u64..5 {
        world.append(Topic::Keys, &event(number.into(), number - 1, sealing(box_id, device(1), number))).await;
    }
    world.log.truncate(&TopicName::local(Topic::Keys), partition, 2).await.unwrap();
    let status = world.project().await;
    assert_eq!(stops(&status).len(), 4);
    assert!(stops(&status).iter().all(|reason| reason.contains("lost 1 records")), "{status:?}");
    // Nor can an empty database be built from what is left.
    let empty = world.empty_models().await;
    let status = world.project_into(&empty).await;
    assert_eq!(stops(&status).len(), 4);
    assert!(stops(&status).iter().all(|reason| reason.contains("can't be built")), "{status:?}");
}

pub(crate) async fn a_truncated_queue_goes_on(world: World) {
    let box_id = box_number(1);
    let message = |world: &World, outer| {
        let now = world.now();
        enqueued(box_id, outer, &value(1, &[device(1)], now.plus(MESSAGE_LIFETIME)), now)
    };
    let first = message(&world, 1);
    world.append(Topic::Inbox, &first).await;
    world.project().await;
    world.append(Topic::Inbox, &message(&world, 2)).await;
    world.clock.advance(MESSAGE_LIFETIME + Duration::from_secs(3 * 24 * 3600));
    world.append(Topic::Inbox, &message(&world, 3)).await;
    assert_eq!(world.retire().await, 2);
    assert_eq!(stops(&world.project().await), Vec::<String>::new());
    let waiting = world.models.waiting(box_id, device(1), world.now(), 10, usize::MAX).await.unwrap();
    assert_eq!(waiting.messages.len(), 1);
}

pub(crate) async fn a_quiet_partition_moves_past_what_retention_took(world: World) {
    let (now, box_id) = (world.now(), box_number(1));
    let envelope = enqueued(box_id, 1, &value(1, &[device(1)], now.plus(MESSAGE_LIFETIME)), now);
    world.project().await;
    world.append(Topic::Inbox, &envelope).await;
    world.clock.advance(MESSAGE_LIFETIME + Duration::from_secs(3 * 24 * 3600));
    assert_eq!(world.retire().await, 1);
    assert_eq!(stops(&world.project().await), Vec::<String>::new());
    // Nothing came after it, and yet the loss is behind: no later start counts it again.
    let positions = world.models.positions().await.unwrap();
    let position = positions
        .iter()
        .find(|position| position.topic == "rossby.inbox" && position.partition == super::partition(&envelope));
    assert_eq!(position.unwrap().next_offset, 1);
}

pub(crate) async fn a_truncated_day_of_registrations_is_no_error(mut world: World) {
    let (now, hash) = (world.now(), identifier(7));
    let stream = rossby_schemas::events::registrations::stream(hash, now);
    let event =
        |number, expected, event| control(Topic::Registrations, &stream, command(number), expected, now, &event);
    let first = event(1, 0, asked(hash, 1, box_number(1)));
    world.append(Topic::Registrations, &first).await;
    world.project().await;
    for (number, expected) in [(2, 1), (3, 2)] {
        world.append(Topic::Registrations, &event(number, expected, guess(1, 1, false))).await;
    }
    // The second event is lost before it was applied: what is left of the stream means nothing.
    world.log.truncate(&TopicName::local(Topic::Registrations), super::partition(&first), 2).await.unwrap();
    assert_eq!(stops(&world.project().await), Vec::<String>::new());
    assert_eq!(world.models.registration_day(&stream).await.unwrap().version, 0);
    // An empty database comes to the same.
    let rebuilt = world.empty_models().await;
    assert_eq!(stops(&world.project_into(&rebuilt).await), Vec::<String>::new());
    assert_eq!(world.models.snapshot(now).await.unwrap(), rebuilt.snapshot(now).await.unwrap());
    // And the partition goes on.
    let other = rossby_schemas::events::registrations::stream(hash, now.plus(Duration::from_secs(24 * 3600)));
    let event = control(Topic::Registrations, &other, command(4), 0, now, &asked(hash, 2, box_number(1)));
    world.append(Topic::Registrations, &event).await;
    world.project().await;
    assert_eq!(world.models.registration_day(&other).await.unwrap().version, 1);
}

/// A log that can't be reached for a while.
#[derive(Debug)]
struct Unreachable {
    log: Arc<dyn Log>,
    /// How many calls fail yet.
    failures: Arc<AtomicU32>,
}

#[derive(Debug)]
struct UnreachableReader {
    reader: Box<dyn PartitionReader>,
    failures: Arc<AtomicU32>,
}

fn fail(failures: &AtomicU32) -> Result<(), LogError> {
    let failed = failures.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
    failed.map_or(Ok(()), |_| Err(LogError::Unavailable("it is being tested".to_owned())))
}

#[async_trait]
impl PartitionReader for UnreachableReader {
    async fn next(&mut self, limit: BatchLimit) -> Result<Batch, ReadError> {
        let batch = self.reader.next(limit).await?;
        fail(&self.failures)?;
        Ok(batch)
    }
}

#[async_trait]
impl Log for Unreachable {
    async fn partitions(&self, topic: &TopicName) -> Result<u32, LogError> {
        fail(&self.failures)?;
        self.log.partitions(topic).await
    }

    async fn append(&self, topic: &TopicName, partition: u32, record: LogRecord) -> Result<Offset, AppendError> {
        self.log.append(topic, partition, record).await
    }

    async fn bounds(&self, topic: &TopicName, partition: u32) -> Result<Bounds, LogError> {
        fail(&self.failures)?;
        self.log.bounds(topic, partition).await
    }

    async fn read(
        &self,
        topic: &TopicName,
        partition: u32,
        from: Offset,
    ) -> Result<Box<dyn PartitionReader>, ReadError> {
        fail(&self.failures)?;
        let reader = self.log.read(topic, partition, from).await?;
        Ok(Box::new(UnreachableReader { reader, failures: self.failures.clone() }))
    }

    async fn health(&self) -> Result<(), LogError> {
        self.log.health().await
    }

    async fn close(&self) {}
}

pub(crate) async fn a_log_that_comes_back_is_read_on(world: World) {
    let now = world.now();
    let failures = Arc::new(AtomicU32::new(5));
    let log = Unreachable { log: world.log.clone(), failures: failures.clone() };
    let running = Running::start(&world.models, Arc::new(log), &world.clock);
    for round in 0_u32..3 {
        for number in 0..10 {
            let (box_id, id) = (box_number(round * 10 + number), u128::from(round * 10 + number));
            world.append(Topic::Keys, &key_event(box_id, id, 0, now, &founded(box_id, device(1)))).await;
            failures.store(3, Ordering::SeqCst);
        }
        running.until_idle(&*world.log).await;
    }
    assert_eq!(stops(&running.stop().await), Vec::<String>::new());
    for number in 0..30 {
        assert_eq!(world.models.key_record(box_number(number)).await.unwrap().unwrap().statements.len(), 1);
    }
}

//! What comes from other regions, in topics that a mirror writes.

use std::time::Duration;

use rossby_log::topics::TopicSpec;
use rossby_projections::{Homes, OtherRegion, ProjectorConfig, ProjectorStatus, ReadModels, RegionsCheck};
use rossby_schemas::envelope::Envelope;
use rossby_schemas::events::Event;
use rossby_schemas::ids::{BoxId, OuterId, RegionNumber};
use rossby_schemas::topic::{Topic, TopicName};

use super::events::*;
use super::{HOME, PARTITIONS, Running, World, append_to, stops};

const DAY: Duration = Duration::from_secs(24 * 3600);
const WEST: RegionNumber = RegionNumber(2);

/// A box at home in the west, by number.
fn western(number: u32) -> BoxId {
    let mut octets = *box_number(number).as_bytes();
    octets[0] = WEST.0;
    BoxId::from_bytes(octets)
}

fn west() -> OtherRegion {
    OtherRegion { number: WEST, name: "west".to_owned() }
}

/// Of two regions, of which the west has the upper half of the slots.
fn two_regions() -> ProjectorConfig {
    let slots = (0..1024).map(|slot| if slot < 512 { HOME } else { WEST }).collect();
    ProjectorConfig { others: vec![west()], homes: Homes::new(slots).unwrap(), ..ProjectorConfig::single_region(HOME) }
}

async fn make_mirrored(world: &World) {
    world.log.ensure_topics(&TopicSpec::mirrored("west", PARTITIONS)).await.unwrap();
}

/// Appends to a topic as the mirror does.
async fn mirror(world: &World, topic: Topic, envelope: &Envelope) {
    append_to(&*world.log, &west().topic(topic), envelope).await;
}

async fn project(world: &World, models: &ReadModels) -> ProjectorStatus {
    let running = Running::with(models, world.log.clone(), &world.clock, two_regions());
    running.until_idle(&*world.log).await;
    running.stop().await
}

async fn waiting(models: &ReadModels, box_id: BoxId, now: rossby_schemas::time::Timestamp) -> Vec<OuterId> {
    let waiting = models.waiting(box_id, device(1), now, 100, usize::MAX / 2).await.unwrap();
    waiting.messages.iter().map(|message| message.outer_id).collect()
}

fn outer(number: u8) -> OuterId {
    OuterId::from_bytes([number; 16])
}

pub(crate) async fn the_logs_of_all_regions_are_read(world: World) {
    make_mirrored(&world).await;
    let now = world.now();
    let (here, there) = (box_number(1), western(2));
    let event = |box_id, number, event: Event| key_event(box_id, number, 0, now, &event);
    world.append(Topic::Keys, &event(here, 1, founded(here, device(1)))).await;
    mirror(&world, Topic::Keys, &event(there, 2, founded(there, device(1)))).await;
    // Each in the other's log, where it doesn't belong.
    world.append(Topic::Keys, &event(western(3), 3, founded(western(3), device(1)))).await;
    mirror(&world, Topic::Keys, &event(box_number(4), 4, founded(box_number(4), device(1)))).await;
    let (upper, lower) = (identifier(0xff), identifier(1));
    let own = |hash, number, box_id| {
        let event = verified(hash, box_id, 1);
        control(Topic::Identifiers, &hash.to_string(), command(number), 0, now, &event)
    };
    mirror(&world, Topic::Identifiers, &own(upper, 5, there)).await;
    mirror(&world, Topic::Identifiers, &own(lower, 6, there)).await;

    // Any region takes messages for any box, and the same one may come twice.
    let text = value(1, &[device(1)], now.plus(DAY));
    world.append(Topic::Inbox, &enqueued(there, 1, &text, now)).await;
    mirror(&world, Topic::Inbox, &enqueued(there, 2, &text, now.plus(Duration::from_millis(1)))).await;
    mirror(&world, Topic::Inbox, &enqueued(there, 1, &text, now.plus(Duration::from_millis(2)))).await;
    mirror(&world, Topic::Inbox, &enqueued(here, 3, &text, now)).await;
    // Confirmed in the other region, before it came there.
    mirror(&world, Topic::Inbox, &acknowledged(here, device(1), 4, &text, now.plus(DAY), now)).await;
    world.append(Topic::Inbox, &enqueued(here, 4, &text, now)).await;

    let status = project(&world, &world.models).await;
    assert_eq!(stops(&status), Vec::<String>::new());
    assert_eq!(world.models.key_record(here).await.unwrap().unwrap().version, 1);
    assert_eq!(world.models.key_record(there).await.unwrap().unwrap().version, 1);
    assert_eq!(world.models.key_record(western(3)).await.unwrap(), None);
    assert_eq!(world.models.key_record(box_number(4)).await.unwrap(), None);
    assert_eq!(world.models.identifier(upper).await.unwrap().owner.unwrap().box_id, there);
    assert_eq!(world.models.identifier(lower).await.unwrap().owner, None);
    // Two boxes for four projections, and an identifier for two.
    assert_eq!(world.models.quarantined().await.unwrap(), 10);
    assert_eq!(waiting(&world.models, there, now).await, [outer(1), outer(2)]);
    assert_eq!(waiting(&world.models, here, now).await, [outer(3)]);
    // Each topic has positions of its own, and a status.
    let topics = |name: &str| status.partitions.iter().filter(|p| p.topic.to_string() == name).count();
    assert_eq!((topics("rossby.keys"), topics("west.rossby.keys"), topics("west.rossby.inbox")), (8, 8, 2));
}

pub(crate) async fn a_mirrored_topic_made_anew_is_read_again(mut world: World) {
    make_mirrored(&world).await;
    let now = world.now();
    let there = western(2);
    let found = |box_id: BoxId, number| key_event(box_id, number, 0, now, &founded(box_id, device(1)));
    let text = value(1, &[device(1)], now.plus(DAY));
    mirror(&world, Topic::Keys, &found(there, 1)).await;
    for number in 1..=3 {
        mirror(&world, Topic::Inbox, &enqueued(there, number, &text, now)).await;
    }
    world.append(Topic::Inbox, &acknowledged(there, device(1), 1, &text, now.plus(DAY), now)).await;
    project(&world, &world.models).await;
    assert_eq!(waiting(&world.models, there, now).await, [outer(2), outer(3)]);
    // The mirror begins again: with less at first, in another order, and then with more.
    for topic in [Topic::Keys, Topic::Inbox] {
        world.log.remove_topic(&west().topic(topic)).await.unwrap();
    }
    make_mirrored(&world).await;
    mirror(&world, Topic::Inbox, &enqueued(there, 3, &text, now)).await;
    assert_eq!(stops(&project(&world, &world.models).await), Vec::<String>::new());
    assert_eq!(waiting(&world.models, there, now).await, [outer(2), outer(3)]);
    for number in [1, 4, 2] {
        mirror(&world, Topic::Inbox, &enqueued(there, number, &text, now)).await;
    }
    mirror(&world, Topic::Keys, &found(there, 1)).await;
    let later = key_event(there, 9, 1, now, &sealing(there, device(1), 2));
    mirror(&world, Topic::Keys, &later).await;
    world.restart().await;
    assert_eq!(stops(&project(&world, &world.models).await), Vec::<String>::new());
    assert_eq!(world.models.key_record(there).await.unwrap().unwrap().version, 2);
    assert_eq!(waiting(&world.models, there, now).await, [outer(2), outer(3), outer(4)], "what was confirmed stays so");
    // Rows of before have the offsets of other records now: a stretch gives each of them for itself.
    let partition = super::partition(&found(there, 1));
    let limits = rossby_projections::ArrivalLimits { deliveries: 100, octets: 1 << 20 };
    let arrivals = world.models.arrivals((WEST, partition), 0..99, &[there], now, limits).await.unwrap();
    let mut arrived: Vec<OuterId> = arrivals.messages.iter().map(|arrival| arrival.message.outer_id).collect();
    arrived.sort();
    assert_eq!(arrived, [outer(2), outer(3), outer(4)]);
}

pub(crate) async fn a_record_that_a_mirror_lost_stops_its_partition_alone(world: World) {
    make_mirrored(&world).await;
    let (now, there) = (world.now(), western(2));
    let event = |number, expected, event| key_event(there, number, expected, now, &event);
    mirror(&world, Topic::Keys, &event(1, 0, founded(there, device(1)))).await;
    mirror(&world, Topic::Keys, &event(3, 2, sealing(there, device(1), 3))).await;
    let here = box_number(1);
    world.append(Topic::Keys, &key_event(here, 4, 0, now, &founded(here, device(1)))).await;
    let status = project(&world, &world.models).await;
    let stopped: Vec<String> =
        status.partitions.iter().filter(|p| p.stopped.is_some()).map(|p| p.topic.to_string()).collect();
    assert_eq!(stopped, ["west.rossby.keys"; 4]);
    assert!(stops(&status).iter().all(|reason| reason.contains("a record is lost")), "{status:?}");
    assert_eq!(world.models.key_record(here).await.unwrap().unwrap().version, 1);
}

pub(crate) async fn a_truncated_day_of_one_region_leaves_the_others(world: World) {
    make_mirrored(&world).await;
    let now = world.now();
    let stream = |hash| rossby_schemas::events::registrations::stream(hash, now);
    // Two identifiers of one partition, at home in different regions.
    let here = identifier(1);
    let partition =
        |hash| super::partition(&control(Topic::Registrations, &stream(hash), command(1), 0, now, &guess(1, 1, false)));
    let there = (0x80..=0xff).map(identifier).find(|hash| partition(*hash) == partition(here)).unwrap();
    let event = |hash, number, expected, event| {
        control(Topic::Registrations, &stream(hash), command(number), expected, now, &event)
    };
    world.append(Topic::Registrations, &event(here, 1, 0, asked(here, 1, box_number(1)))).await;
    mirror(&world, Topic::Registrations, &event(there, 2, 0, asked(there, 2, western(2)))).await;
    project(&world, &world.models).await;
    for (number, expected) in [(3, 1), (4, 2)] {
        mirror(&world, Topic::Registrations, &event(there, number, expected, guess(2, 1, false))).await;
    }
    world.log.truncate(&west().topic(Topic::Registrations), partition(there), 2).await.unwrap();
    assert_eq!(stops(&project(&world, &world.models).await), Vec::<String>::new());
    let version = async |hash| world.models.registration_day(&stream(hash)).await.unwrap().version;
    assert_eq!((version(here).await, version(there).await), (1, 0));
}

pub(crate) async fn the_regions_are_kept_once(mut world: World) {
    assert_eq!(world.models.regions_check().await.unwrap(), None);
    let check = |here: u8, regions: &str| RegionsCheck { here: RegionNumber(here), regions: regions.to_owned() };
    assert_eq!(world.models.keep_regions_check(check(1, "one")).await.unwrap(), check(1, "one"));
    assert_eq!(world.models.keep_regions_check(check(2, "other")).await.unwrap(), check(1, "one"));
    world.restart().await;
    assert_eq!(world.models.regions_check().await.unwrap(), Some(check(1, "one")));
    // It is replaced by whoever knows what is kept.
    let late = world.models.replace_regions_check(check(1, "none"), "two".to_owned()).await.unwrap();
    assert_eq!(late, check(1, "one"));
    let replaced = world.models.replace_regions_check(check(1, "one"), "two".to_owned()).await.unwrap();
    assert_eq!(replaced, check(1, "two"));
    let models = world.empty_models().await;
    let (one, other) = tokio::join!(models.keep_regions_check(check(1, "a")), models.keep_regions_check(check(1, "b")));
    assert_eq!(one.unwrap(), other.unwrap());
}

pub(crate) async fn a_mirrored_topic_that_is_gone_is_waited_for(world: World) {
    make_mirrored(&world).await;
    let (now, there) = (world.now(), western(2));
    let found = key_event(there, 1, 0, now, &founded(there, device(1)));
    mirror(&world, Topic::Keys, &found).await;
    project(&world, &world.models).await;
    let running = Running::with(&world.models, world.log.clone(), &world.clock, two_regions());
    running.until_idle(&*world.log).await;
    world.log.remove_topic(&TopicName::mirrored("west", Topic::Keys)).await.unwrap();
    make_mirrored(&world).await;
    mirror(&world, Topic::Keys, &found).await;
    mirror(&world, Topic::Keys, &key_event(there, 2, 1, now, &sealing(there, device(1), 2))).await;
    super::eventually(async || world.models.key_record(there).await.unwrap().is_some_and(|record| record.version == 2))
        .await;
    assert_eq!(stops(&running.stop().await), Vec::<String>::new());
}

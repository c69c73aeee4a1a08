//! What devices that are connected are told of.

use std::time::Duration;

use rossby_log::partition_for;
use rossby_projections::{ArrivalLimits, Projection};
use rossby_schemas::events::profiles::Audience;
use rossby_schemas::ids::{BoxId, OuterId};
use rossby_schemas::topic::{Topic, TopicName};

use super::events::*;
use super::{HOME, PARTITIONS, World};

const DAY: Duration = Duration::from_secs(24 * 3600);
const ALL: ArrivalLimits = ArrivalLimits { deliveries: 1000, octets: usize::MAX };

/// So many boxes of partition 0.
fn boxes(count: usize) -> Vec<BoxId> {
    let all = (1..).map(box_number);
    all.filter(|id| partition_for(id.to_string().as_bytes(), PARTITIONS) == 0).take(count).collect()
}

fn outer(number: u8) -> OuterId {
    OuterId::from_bytes([number; 16])
}

pub(crate) async fn a_stretch_gives_what_it_brought_to_these_boxes(world: World) {
    let now = world.now();
    let expires_at = now.plus(DAY);
    let [one, two, other] = boxes(3)[..] else { unreachable!() };
    let both = value(1, &[device(1), device(2)], expires_at);
    world.append(Topic::Keys, &key_event(two, 10, 0, now, &founded(two, device(1)))).await;
    world.append(Topic::Keys, &key_event(two, 11, 1, now, &removed(two, device(2)))).await;
    for (box_id, number) in [(one, 1), (two, 2), (other, 3), (one, 4), (one, 5), (one, 6)] {
        world.append(Topic::Inbox, &enqueued(box_id, number, &both, now)).await;
    }
    // Confirmed by one device; by both; and expired.
    world.append(Topic::Inbox, &acknowledged(one, device(1), 4, &both, expires_at, now)).await;
    for number in [1, 2] {
        world.append(Topic::Inbox, &acknowledged(one, device(number), 5, &both, expires_at, now)).await;
    }
    let short = value(2, &[device(1)], now.plus(Duration::from_secs(1)));
    world.append(Topic::Inbox, &enqueued(one, 7, &short, now)).await;
    world.project().await;

    let positions = world.models.positions_in(0).await.unwrap();
    let inbox = TopicName::local(Topic::Inbox).to_string();
    let position = positions.iter().find(|row| row.projection == Projection::Inbox.name() && row.topic == inbox);
    let end = position.unwrap().next_offset;
    let later = now.plus(Duration::from_secs(2));
    let asked = [one, two];
    let all = world.models.arrivals((HOME, 0), 0..end, &asked, later, ALL).await.unwrap();
    assert_eq!(all.next_offset, end);
    let seen: Vec<_> = all.messages.iter().map(|a| (a.box_id, a.message.outer_id, a.devices.clone())).collect();
    let expected = [
        (one, outer(1), vec![device(1), device(2)]),
        (two, outer(2), vec![device(1)]),
        (one, outer(4), vec![device(2)]),
        (one, outer(6), vec![device(1), device(2)]),
    ];
    assert_eq!(seen, expected);
    assert!(all.messages.iter().all(|arrival| arrival.message.value == both.0));
    assert_eq!(world.models.arrivals((HOME, 0), 0..end, &asked, now, ALL).await.unwrap().messages.len(), 5);

    // In parts of whatever size: each once, in the same order, every one with all its devices.
    let octets = both.as_slice().len();
    for limits in [
        ArrivalLimits { deliveries: 3, octets: usize::MAX },
        ArrivalLimits { deliveries: 4, octets: usize::MAX },
        ArrivalLimits { deliveries: 1000, octets: 1 },
        ArrivalLimits { deliveries: 1000, octets: 2 * octets },
        ArrivalLimits { deliveries: 3, octets: octets + 1 },
    ] {
        let (mut from, mut parts, mut queries) = (0, Vec::new(), 0);
        while from < end {
            let part = world.models.arrivals((HOME, 0), from..end, &asked, later, limits).await.unwrap();
            assert!(part.next_offset > from, "{limits:?} does not move on from {from}");
            from = part.next_offset;
            parts.extend(part.messages);
            queries += 1;
        }
        assert_eq!(parts, all.messages, "{limits:?}");
        assert!(queries > 1, "{limits:?} is none");
    }

    // Nothing for nobody, elsewhere, or in a stretch that is empty.
    assert_eq!(world.models.arrivals((HOME, 0), 0..end, &[], now, ALL).await.unwrap().messages, []);
    assert_eq!(world.models.arrivals((HOME, 1), 0..end, &asked, now, ALL).await.unwrap().messages, []);
    assert_eq!(world.models.arrivals((HOME, 0), end..end, &asked, now, ALL).await.unwrap().messages, []);
}

pub(crate) async fn what_waits_is_told_without_what_is_known(world: World) {
    let (now, box_id) = (world.now(), box_number(1));
    let expires_at = now.plus(DAY);
    let message = value(1, &[device(1)], expires_at);
    for number in 1..=5 {
        world
            .append(Topic::Inbox, &enqueued(box_id, number, &message, now.plus(Duration::from_millis(number.into()))))
            .await;
    }
    world.append(Topic::Inbox, &acknowledged(box_id, device(1), 2, &message, expires_at, now)).await;
    world.project().await;
    let waiting = async |known: &[OuterId], limit| {
        let waiting = world.models.waiting_besides(box_id, device(1), now, known, limit, usize::MAX).await.unwrap();
        (waiting.messages.iter().map(|message| message.outer_id).collect::<Vec<_>>(), waiting.more)
    };
    assert_eq!(waiting(&[], 10).await, (vec![outer(1), outer(3), outer(4), outer(5)], false));
    assert_eq!(waiting(&[outer(1), outer(4), outer(9)], 10).await, (vec![outer(3), outer(5)], false));
    assert_eq!(waiting(&[outer(1)], 2).await, (vec![outer(3), outer(4)], true));
    let known: Vec<_> = [1, 2, 5, 9].map(outer).to_vec();
    let mut still = world.models.still_waiting(box_id, device(1), now, &known).await.unwrap();
    still.sort_unstable();
    assert_eq!(still.iter().map(|(id, _)| *id).collect::<Vec<_>>(), [outer(1), outer(5)]);
    assert_eq!(world.models.still_waiting(box_id, device(1), expires_at, &known).await.unwrap(), []);
    assert_eq!(world.models.still_waiting(box_id, device(2), now, &known).await.unwrap(), []);
}

pub(crate) async fn what_changed_of_boxes_is_told_in_one_query_each(world: World) {
    let now = world.now();
    let [one, two, other] = boxes(3)[..] else { unreachable!() };
    for (box_id, number) in [(one, 10), (two, 20), (other, 30)] {
        world.append(Topic::Keys, &key_event(box_id, number, 0, now, &founded(box_id, device(1)))).await;
    }
    world.append(Topic::Keys, &key_event(one, 11, 1, now, &sealing(one, device(1), 2))).await;
    world.append(Topic::Keys, &key_event(two, 21, 1, now, &removed(two, device(1)))).await;
    world.append(Topic::Keys, &key_event(other, 31, 1, now, &closing(other))).await;
    let set = discoverable(two, Audience::Nobody);
    world.append(Topic::Profiles, &control(Topic::Profiles, &two.to_string(), command(22), 0, now, &set)).await;
    for (number, box_id) in [(1, two), (2, one), (3, two), (4, other)] {
        let hash = identifier(number);
        let event = verified(hash, box_id, number);
        world
            .append(Topic::Identifiers, &control(Topic::Identifiers, &hash.to_string(), command(40), 0, now, &event))
            .await;
    }
    world.project().await;
    let asked = [one, two];
    let devices = world.models.watched_devices(&[one, two, other]).await.unwrap();
    let seen: Vec<_> = devices.iter().map(|d| (d.box_id, d.state.removed, d.sealing_counter)).collect();
    let mut expected = [(one, false, 2), (two, true, 0), (other, true, 0)];
    expected.sort_unstable_by_key(|(box_id, ..)| *box_id);
    assert_eq!(seen, expected);
    assert_eq!(world.models.profile_versions(&asked).await.unwrap(), [(two, 1)]);
    let mut identifiers = world.models.watched_identifiers(&asked).await.unwrap();
    identifiers.sort_unstable_by_key(|watched| watched.hash.0);
    let seen: Vec<_> = identifiers.iter().map(|watched| (watched.box_id, watched.hash, watched.claims)).collect();
    assert_eq!(seen, [(two, identifier(1), 0), (one, identifier(2), 0), (two, identifier(3), 0)]);
    assert_eq!(world.models.watched_devices(&[]).await.unwrap(), []);
}

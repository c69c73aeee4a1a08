//! The queue as a set of facts.

use std::time::Duration;

use rossby_projections::DevicePointer;
use rossby_schemas::envelope::Envelope;
use rossby_schemas::ids::{BoxId, OuterId};
use rossby_schemas::time::Timestamp;
use rossby_schemas::topic::Topic;

use super::events::*;
use super::{Running, World, append};

const DAY: Duration = Duration::from_secs(24 * 3600);

/// What a box's two devices see: comparable between boxes.
#[derive(Debug, PartialEq, Eq)]
struct View {
    waiting: Vec<Vec<(OuterId, Vec<u8>, Timestamp)>>,
    pointers: Vec<DevicePointer>,
    accepted: Vec<(Vec<u8>, Timestamp)>,
}

async fn view(world: &World, box_id: BoxId, now: Timestamp) -> View {
    let mut view = View { waiting: Vec::new(), pointers: Vec::new(), accepted: Vec::new() };
    for number in [1, 2] {
        let waiting = world.models.waiting(box_id, device(number), now, 100, usize::MAX).await.unwrap();
        assert!(!waiting.more);
        let rows = waiting.messages.into_iter();
        view.waiting
            .push(rows.map(|m| (m.outer_id, m.content_hash.as_slice().to_vec(), m.accepted_at)).collect::<Vec<_>>());
        view.pointers.push(world.models.device_pointer(box_id, device(number), now).await.unwrap());
    }
    let accepted = world.models.accepted(box_id, OuterId::from_bytes([1; 16])).await.unwrap();
    view.accepted = accepted.iter().map(|m| (m.content_hash.as_slice().to_vec(), m.accepted_at)).collect();
    view
}

/// Every order of six facts: a message, the same accepted again later, a second body under its id, and confirmations.
fn facts(box_id: BoxId, now: Timestamp) -> Vec<Envelope> {
    let expires_at = now.plus(DAY);
    let both = [device(1), device(2)];
    let (one, other) = (value(1, &both, expires_at), value(2, &both, expires_at));
    vec![
        enqueued(box_id, 1, &one, now),
        enqueued(box_id, 1, &one, now.plus(Duration::from_secs(9))),
        enqueued(box_id, 1, &other, now.plus(Duration::from_secs(1))),
        acknowledged(box_id, device(1), 1, &one, expires_at, now),
        acknowledged(box_id, device(2), 1, &one, expires_at, now),
        acknowledged(box_id, device(1), 1, &other, expires_at, now),
    ]
}

fn permutations(items: Vec<usize>) -> Vec<Vec<usize>> {
    if items.len() < 2 {
        return vec![items];
    }
    let mut all = Vec::new();
    for (i, first) in items.iter().enumerate() {
        let mut rest = items.clone();
        rest.remove(i);
        for mut order in permutations(rest) {
            order.insert(0, *first);
            all.push(order);
        }
    }
    all
}

pub(crate) async fn every_order_of_facts_gives_the_same(world: World) {
    let now = world.now();
    let orders = permutations((0..6).collect());
    // Each order in a box of its own; a projector applies while they are appended, and sweeps come in between.
    let running = Running::start(&world.models, world.log.clone(), &world.clock);
    let mut appending = tokio::task::JoinSet::new();
    for (number, order) in orders.iter().cloned().enumerate() {
        let log = world.log.clone();
        appending.spawn(async move {
            let facts = facts(box_number(u32::try_from(number).unwrap()), now);
            for fact in order {
                append(&*log, Topic::Inbox, &facts[fact]).await;
            }
        });
    }
    let mut done = 0;
    while let Some(appended) = appending.join_next().await {
        appended.unwrap();
        done += 1;
        if done % 200 == 0 {
            world.models.sweep(now).await.unwrap();
        }
    }
    running.until_idle(&*world.log).await;
    running.stop().await;

    let first = view(&world, box_number(0), now).await;
    assert_eq!(first.waiting.iter().map(Vec::len).collect::<Vec<_>>(), [0, 1]);
    assert_eq!((first.pointers[0].confirmed, first.pointers[1].confirmed), (2, 1));
    assert_eq!(first.accepted.len(), 2);
    assert!(first.accepted.iter().all(|(_, at)| *at <= now.plus(Duration::from_secs(1))));
    for (number, order) in orders.iter().enumerate() {
        let other = view(&world, box_number(u32::try_from(number).unwrap()), now).await;
        assert_eq!(other, first, "{order:?}");
    }
    // Of the first body nothing is left to give, of the second one device's share.
    world.models.sweep(now).await.unwrap();
    assert_eq!(world.models.queue_depth(now).await.unwrap(), orders.len() as u64);
}

pub(crate) async fn a_removal_and_a_closing_take_the_share_whenever_they_come(world: World) {
    let now = world.now();
    let expires_at = now.plus(DAY);
    let both = [device(1), device(2)];
    let message = |box_id| enqueued(box_id, 1, &value(1, &both, expires_at), now);
    let [before, after, closed_before, closed_after] = [1, 2, 3, 4].map(box_number);
    for (number, box_id) in (0_u128..).zip([before, after, closed_before, closed_after]) {
        world.append(Topic::Keys, &key_event(box_id, 10 + number, 0, now, &founded(box_id, device(1)))).await;
    }
    let remove = |box_id| key_event(box_id, 20, 1, now, &removed(box_id, device(2)));
    let close =
        |box_id| [key_event(box_id, 30, 1, now, &closing(box_id)), key_event(box_id, 31, 2, now, &closed(box_id))];
    world.append(Topic::Keys, &remove(before)).await;
    for event in close(closed_before) {
        world.append(Topic::Keys, &event).await;
    }
    world.project().await;
    for box_id in [before, after, closed_before, closed_after] {
        world.append(Topic::Inbox, &message(box_id)).await;
    }
    world.project().await;
    world.append(Topic::Keys, &remove(after)).await;
    for event in close(closed_after) {
        world.append(Topic::Keys, &event).await;
    }
    assert_eq!(super::stops(&world.project().await), Vec::<String>::new());

    let kept = view(&world, before, now).await;
    assert_eq!(kept.waiting.iter().map(Vec::len).collect::<Vec<_>>(), [1, 0]);
    assert_eq!(view(&world, after, now).await, kept);
    let gone = view(&world, closed_before, now).await;
    assert_eq!(gone.waiting.iter().map(Vec::len).collect::<Vec<_>>(), [0, 0]);
    assert_eq!(view(&world, closed_after, now).await, gone);
    // Nobody waits for the closed boxes' bodies; a confirmation of the only device empties the others.
    let at = world.models.snapshot(now).await.unwrap();
    assert_eq!(world.models.sweep(now).await.unwrap().bodies, 2);
    assert_eq!(world.models.snapshot(now).await.unwrap(), at);
    // All that the queue had of them goes, whatever comes again later; the others' tombstones stay.
    for _ in 0..2 {
        for (box_id, rows) in [(before, 1), (after, 1), (closed_before, 0), (closed_after, 0)] {
            assert_eq!(world.models.accepted(box_id, OuterId::from_bytes([1; 16])).await.unwrap().len(), rows);
        }
        let late = acknowledged(closed_after, device(1), 1, &value(1, &both, expires_at), expires_at, now);
        for event in [message(closed_before), late] {
            world.append(Topic::Inbox, &event).await;
        }
        world.project().await;
        world.models.sweep(now).await.unwrap();
        let pointer = world.models.device_pointer(closed_after, device(1), now).await.unwrap();
        assert_eq!((pointer.confirmed, pointer.last_confirmed_at), (0, None));
    }
    for box_id in [before, after] {
        let done = acknowledged(box_id, device(1), 1, &value(1, &both, expires_at), expires_at, now);
        world.append(Topic::Inbox, &done).await;
    }
    world.project().await;
    assert_eq!(world.models.sweep(now).await.unwrap().bodies, 2);
    assert_eq!(world.models.queue_depth(now).await.unwrap(), 0);
}

pub(crate) async fn two_projectors_at_once_apply_each_record_once(world: World) {
    let now = world.now();
    let expires_at = now.plus(DAY);
    let one = Running::start(&world.models, world.log.clone(), &world.clock);
    let other = Running::start(&world.models, world.log.clone(), &world.clock);
    for number in 0..40 {
        let box_id = box_number(number);
        let message = value(1, &[device(1)], expires_at);
        world.append(Topic::Inbox, &enqueued(box_id, 1, &message, now)).await;
        world.append(Topic::Keys, &key_event(box_id, u128::from(number), 0, now, &founded(box_id, device(1)))).await;
        world.append(Topic::Inbox, &acknowledged(box_id, device(1), 1, &message, expires_at, now)).await;
    }
    super::eventually(async || {
        let positions = world.models.positions().await.unwrap();
        positions.iter().map(|position| position.next_offset).sum::<u64>() == 40 * 2 + 40 * 4
    })
    .await;
    let stopped = [super::stops(&one.stop().await), super::stops(&other.stop().await)];
    assert_eq!(stopped, [Vec::<String>::new(), Vec::new()]);
    let models = &world.models;
    for number in 0..40 {
        let box_id = box_number(number);
        assert_eq!(models.key_record(box_id).await.unwrap().unwrap().version, 1);
        assert_eq!(models.key_record(box_id).await.unwrap().unwrap().statements.len(), 1);
        let pointer = models.device_pointer(box_id, device(1), now).await.unwrap();
        assert_eq!((pointer.waiting, pointer.confirmed), (0, 1));
    }
}

pub(crate) async fn what_expires_is_left_out_counted_and_swept(world: World) {
    let now = world.now();
    let box_id = box_number(1);
    let both = [device(1), device(2)];
    let (soon, later) = (now.plus(DAY), now.plus(2 * DAY));
    for (outer, expires_at) in [(1, soon), (2, soon), (3, later)] {
        world.append(Topic::Inbox, &enqueued(box_id, outer, &value(outer, &both, expires_at), now)).await;
    }
    world.append(Topic::Inbox, &acknowledged(box_id, device(1), 1, &value(1, &both, soon), soon, now)).await;
    world.project().await;

    let waiting = |now| world.models.waiting(box_id, device(2), now, 100, usize::MAX);
    assert_eq!(waiting(now).await.unwrap().messages.len(), 3);
    assert_eq!(waiting(soon).await.unwrap().messages.len(), 1, "expired, though nothing was swept");
    let swept = world.models.sweep(soon).await.unwrap();
    assert_eq!((swept.messages, swept.acknowledgements), (2, 1));
    let lost = async |number| world.models.device_pointer(box_id, device(number), soon).await.unwrap().lost;
    let (first, second) = (lost(1).await.unwrap(), lost(2).await.unwrap());
    assert_eq!((first.messages, first.from, first.until), (1, now, now), "the other was confirmed");
    assert_eq!(second.messages, 2);
    world.models.sweep(soon).await.unwrap();
    assert_eq!(lost(2).await.unwrap().messages, 2, "counted once");
    assert_eq!(waiting(soon).await.unwrap().messages.len(), 1);
}

pub(crate) async fn a_repeated_record_brings_nothing_back(world: World) {
    let now = world.now();
    let (box_id, expires_at) = (box_number(1), now.plus(DAY));
    let message = value(1, &[device(1)], expires_at);
    world.append(Topic::Inbox, &enqueued(box_id, 1, &message, now)).await;
    world.append(Topic::Inbox, &acknowledged(box_id, device(1), 1, &message, expires_at, now)).await;
    world.project().await;
    assert_eq!(world.models.sweep(now).await.unwrap().bodies, 1);
    world.append(Topic::Inbox, &enqueued(box_id, 1, &message, now)).await;
    world.project().await;
    assert_eq!(world.models.waiting(box_id, device(1), now, 10, usize::MAX).await.unwrap().messages.len(), 0);
    // Nor does the same message accepted earlier in another region, though it moves the time.
    let earlier = now.minus(Duration::from_secs(9));
    world.append(Topic::Inbox, &enqueued(box_id, 1, &message, earlier)).await;
    world.project().await;
    assert_eq!(world.models.queue_depth(now).await.unwrap(), 0, "the body is gone");
    let accepted = world.models.accepted(box_id, OuterId::from_bytes([1; 16])).await.unwrap();
    assert_eq!(accepted.iter().map(|message| message.accepted_at).collect::<Vec<_>>(), [earlier], "a tombstone");
}

pub(crate) async fn a_fetch_gives_no_more_than_asked(world: World) {
    let now = world.now();
    let (box_id, expires_at) = (box_number(1), now.plus(DAY));
    let size = value(1, &[device(1)], expires_at).as_slice().len();
    for outer in [3, 1, 2] {
        let accepted_at = now.plus(Duration::from_secs(u64::from(outer / 3)));
        world.append(Topic::Inbox, &enqueued(box_id, outer, &value(1, &[device(1)], expires_at), accepted_at)).await;
    }
    world.project().await;
    for (limit, max_octets, given, more) in [
        (10, usize::MAX, 3, false),
        (3, 3 * size, 3, false),
        (3, 3 * size - 1, 2, true),
        (2, usize::MAX, 2, true),
        (10, 2 * size, 2, true),
        (10, 0, 1, true),
        (1, size, 1, true),
    ] {
        let waiting = world.models.waiting(box_id, device(1), now, limit, max_octets).await.unwrap();
        let ids: Vec<_> = waiting.messages.iter().map(|message| message.outer_id.as_bytes()[0]).collect();
        assert_eq!((ids.as_slice(), waiting.more), (&[1, 2, 3][..given], more), "{limit} {max_octets}");
        assert!(waiting.messages.iter().all(|message| message.value.len() == size));
    }
}

pub(crate) async fn what_was_confirmed_is_swept_and_leaves_the_rest_in_order(world: World) {
    let now = world.now();
    let (box_id, expires_at) = (box_number(1), now.plus(DAY));
    let both = [device(1), device(2)];
    let message = value(1, &both, expires_at);
    let at = |seconds: u8| now.plus(Duration::from_secs(seconds.into()));
    for outer in 1..=9 {
        // The later the number, the earlier it was accepted; the fifth in another region, and there before all others.
        world.append(Topic::Inbox, &enqueued(box_id, outer, &message, at(20 - outer))).await;
    }
    world.append(Topic::Inbox, &enqueued(box_id, 5, &message, now)).await;
    for outer in [2, 4, 6, 8] {
        world.append(Topic::Inbox, &acknowledged(box_id, device(1), outer, &message, expires_at, now)).await;
    }
    world.project().await;
    let waits = async |number| {
        let waiting = world.models.waiting(box_id, device(number), now, 100, usize::MAX).await.unwrap();
        waiting.messages.iter().map(|message| message.outer_id.as_bytes()[0]).collect::<Vec<_>>()
    };
    let (first, second) = (vec![5, 9, 7, 3, 1], vec![5, 9, 8, 7, 6, 4, 3, 2, 1]);
    let before = world.models.snapshot(now).await.unwrap();
    assert_eq!((waits(1).await, waits(2).await), (first.clone(), second.clone()));
    for settled in [4, 1] {
        assert_eq!(world.models.sweep(now).await.unwrap().settled, settled);
        assert_eq!((waits(1).await, waits(2).await), (first.clone(), second.clone()));
        assert_eq!(world.models.snapshot(now).await.unwrap(), before, "swept or not");
        // Accepted once more, later, it is not owed again to who has confirmed it.
        world.append(Topic::Inbox, &enqueued(box_id, 2, &message, at(60))).await;
        world.project().await;
        assert_eq!(waits(1).await, first);
    }
    // A removed device's share goes too.
    world.append(Topic::Keys, &key_event(box_id, 1, 0, now, &founded(box_id, device(1)))).await;
    world.append(Topic::Keys, &key_event(box_id, 2, 1, now, &removed(box_id, device(2)))).await;
    world.project().await;
    // Beside it once more what was accepted last.
    assert_eq!(world.models.sweep(now).await.unwrap().settled, 9 + 1);
    assert_eq!((waits(1).await, waits(2).await), (first, vec![]));
}

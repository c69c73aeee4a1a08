//! Which control events take effect.

use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::*;
use proptest::sample::Index;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use rossby_projections::{EventStatus, Projection};
use rossby_schemas::events::registrations;
use rossby_schemas::ids::{BoxId, RegistrationId};
use rossby_schemas::topic::Topic;

use super::events::*;
use super::{HOME, World, stops};

pub(crate) async fn versions_decide(world: World) {
    let (now, box_id) = (world.now(), box_number(1));
    let stream = box_id.to_string();
    let first = key_event(box_id, 1, 0, now, &founded(box_id, device(1)));
    let second = key_event(box_id, 2, 1, now, &sealing(box_id, device(1), 2));
    let late = key_event(box_id, 3, 1, now, &sealing(box_id, device(1), 3));
    // The same command, decided again on the version that it met.
    let again = key_event(box_id, 3, 2, now, &sealing(box_id, device(1), 3));
    for event in [&first, &second, &late, &first, &again, &again, &late] {
        world.append(Topic::Keys, event).await;
    }
    assert_eq!(stops(&world.project().await), Vec::<String>::new());

    let models = &world.models;
    for projection in Projection::ALL {
        assert_eq!(models.stream_version(projection, Topic::Keys, &stream).await.unwrap(), 3, "{projection}");
        let taken = models.taken(projection, Topic::Keys, &stream, 1).await.unwrap().unwrap();
        assert_eq!((taken.event_id, taken.command_id), (second.id, command(2)), "{projection}");
    }
    assert_eq!(models.taken(Projection::Keys, Topic::Keys, &stream, 3).await.unwrap(), None);
    let record = models.key_record(box_id).await.unwrap().unwrap();
    assert_eq!((record.version, record.statements.len()), (3, 1));
    assert_eq!(record.sealing_statements, [b"sealing 3".as_slice().into()]);
    // The superseded event stays visible beside the admitted one.
    let events = models.command(command(3)).await.unwrap();
    let seen: Vec<_> = events.iter().map(|event| (event.expected_version, event.status)).collect();
    assert_eq!(seen, [(2, EventStatus::Admitted), (1, EventStatus::Superseded)]);
}

pub(crate) async fn a_lost_record_stops_its_partition_alone(world: World) {
    let (now, box_id) = (world.now(), box_number(1));
    let skipped = key_event(box_id, 2, 1, now, &sealing(box_id, device(1), 2));
    world.append(Topic::Keys, &skipped).await;
    let message = value(1, &[device(1)], now.plus(Duration::from_secs(60)));
    world.append(Topic::Inbox, &enqueued(box_id, 1, &message, now)).await;
    let status = world.project().await;
    // Every projection that reads the partition stops there, and nowhere else.
    assert_eq!(stops(&status).len(), 4);
    assert!(stops(&status).iter().all(|reason| reason.contains("a record is lost")), "{status:?}");
    let stopped: Vec<_> = status.partitions.iter().filter(|p| p.stopped.is_some()).collect();
    assert!(stopped.iter().all(|p| p.topic.topic == Topic::Keys && p.partition == super::partition(&skipped)));
    assert!(stopped.iter().all(|p| p.next_offset == 0));
    assert_eq!(world.models.waiting(box_id, device(1), now, 1, 1).await.unwrap().messages.len(), 1);
}

pub(crate) async fn what_cannot_be_read_stops_control_streams_and_is_put_aside_in_the_queue(world: World) {
    let (now, box_id) = (world.now(), box_number(1));
    let message = value(1, &[device(1)], now.plus(Duration::from_secs(60)));
    let good = enqueued(box_id, 1, &message, now);
    let mut unknown = enqueued(box_id, 2, &message, now);
    unknown.event_type = "org.rossby.inbox.message-enqueued.v99".to_owned();
    let mut malformed = enqueued(box_id, 3, &message, now);
    malformed.data = malformed.data.slice(..100);
    let strange = key_event(box_id, 9, 0, now, &founded(box_id, device(1)));
    // PostgreSQL's texts hold no NUL.
    let mut unprintable = enqueued(box_id, 4, &message, now);
    unprintable.event_type = "org.rossby.inbox\0.v1".to_owned();
    for event in [&unknown, &malformed, &strange, &unprintable, &good] {
        world.append(Topic::Inbox, event).await;
    }
    assert_eq!(stops(&world.project().await), Vec::<String>::new());
    assert_eq!(world.models.quarantined().await.unwrap(), 4);
    assert_eq!(world.models.waiting(box_id, device(1), now, 9, usize::MAX).await.unwrap().messages.len(), 1);

    // What lies aside holds ciphertext, and goes when the log would have let it go.
    assert_eq!(world.models.sweep(now).await.unwrap().quarantined, 0);
    let late = now.plus(Duration::from_secs(100 * 365 * 24 * 3600));
    assert_eq!(world.models.sweep(late).await.unwrap().quarantined, 4);
    assert_eq!(world.models.quarantined().await.unwrap(), 0);

    let mut unknown = key_event(box_id, 1, 0, now, &founded(box_id, device(1)));
    unknown.event_type = "org.rossby.keys.box-founded.v99".to_owned();
    world.append(Topic::Keys, &unknown).await;
    let stops = stops(&world.project().await);
    assert_eq!(stops.len(), 4);
    assert!(stops.iter().all(|reason| reason.contains("box-founded.v99 is unknown")), "{stops:?}");
}

pub(crate) async fn checkpoints_are_passed_over(world: World) {
    let (now, box_id) = (world.now(), box_number(1));
    let first = key_event(box_id, 1, 0, now, &founded(box_id, device(1)));
    let second = key_event(box_id, 2, 1, now, &sealing(box_id, device(1), 2));
    let checkpoint = checkpoint(box_id, first.id, now);
    for event in [&first, &checkpoint, &second, &checkpoint] {
        world.append(Topic::Keys, event).await;
    }
    let message = value(1, &[device(1)], now.plus(Duration::from_secs(60)));
    for event in [&checkpoint, &enqueued(box_id, 1, &message, now)] {
        world.append(Topic::Inbox, event).await;
    }
    assert_eq!(stops(&world.project().await), Vec::<String>::new());
    assert_eq!(world.models.quarantined().await.unwrap(), 0);
    assert_eq!(world.models.key_record(box_id).await.unwrap().unwrap().version, 2);
    assert_eq!(world.models.waiting(box_id, device(1), now, 9, usize::MAX).await.unwrap().messages.len(), 1);
}

pub(crate) async fn a_stream_at_home_elsewhere_is_put_aside(world: World) {
    let now = world.now();
    let mut octets = *box_number(1).as_bytes();
    octets[0] = 2;
    let elsewhere = BoxId::from_bytes(octets);
    world.append(Topic::Keys, &key_event(elsewhere, 1, 0, now, &founded(elsewhere, device(1)))).await;
    assert_eq!(stops(&world.project().await), Vec::<String>::new());
    assert_eq!(world.models.quarantined().await.unwrap(), 4);
    assert_eq!(world.models.key_record(elsewhere).await.unwrap(), None);
}

/// What a writer does: it appends an event of its own command on the version that it knows, or an old one lands again.
#[derive(Debug, Clone, Copy)]
struct Step {
    command: u8,
    /// How far behind the writer's knowledge is.
    behind: u8,
    /// Which of those that were appended before comes again, if any.
    repeats: Option<Index>,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = (0_u8..6, 0_u8..3, any::<Option<Index>>()).prop_map(|(command, behind, repeats)| Step {
        command,
        behind,
        repeats,
    });
    proptest::collection::vec(step, 1..25)
}

pub(crate) async fn any_interleaving_gives_one_history(world: World) {
    let now = world.now();
    let mut runner = TestRunner::deterministic();
    let mut histories = BTreeMap::new();
    for number in 0..60 {
        let box_id = box_number(number);
        let steps = steps().new_tree(&mut runner).unwrap().current();
        // The model: versions alone decide, and an event takes effect once.
        let mut admitted: Vec<u128> = vec![u128::from(number) << 8 | 0xff];
        world.append(Topic::Keys, &key_event(box_id, admitted[0], 0, now, &founded(box_id, device(1)))).await;
        let mut appended = Vec::new();
        for step in &steps {
            let id = u128::from(number) << 8 | u128::from(step.command);
            let version = admitted.len() as u64;
            let expected = version.saturating_sub(u64::from(step.behind)).max(1);
            let event = match step.repeats {
                Some(index) if !appended.is_empty() => index.get(&appended),
                _ => {
                    appended.push((id, expected, key_event(box_id, id, expected, now, &sealing(box_id, device(1), 2))));
                    appended.last().unwrap()
                }
            };
            let (id, expected, envelope) = event;
            world.append(Topic::Keys, envelope).await;
            if !admitted.contains(id) && *expected == version {
                admitted.push(*id);
            }
        }
        histories.insert(number, (admitted, steps));
    }
    assert_eq!(stops(&world.project().await), Vec::<String>::new());
    for (number, (admitted, steps)) in histories {
        let stream = box_number(number).to_string();
        for projection in Projection::ALL {
            let version = world.models.stream_version(projection, Topic::Keys, &stream).await.unwrap();
            assert_eq!(version, admitted.len() as u64, "{steps:?}");
            for (expected, id) in (0..).zip(&admitted) {
                let taken = world.models.taken(projection, Topic::Keys, &stream, expected).await.unwrap().unwrap();
                assert_eq!(taken.command_id, command(*id), "{steps:?}");
            }
        }
    }
}

pub(crate) async fn an_identifier_has_one_owner(world: World) {
    let (now, hash) = (world.now(), identifier(7));
    let stream = hash.to_string();
    for number in [1_u8, 2] {
        let event = verified(hash, box_number(u32::from(number)), number);
        let envelope = control(Topic::Identifiers, &stream, command(u128::from(number)), 0, now, &event);
        world.append(Topic::Identifiers, &envelope).await;
    }
    world.project().await;
    let state = world.models.identifier(hash).await.unwrap();
    assert_eq!(state.version, 1);
    let owner = state.owner.unwrap();
    assert_eq!((owner.box_id, owner.founded, owner.closing), (box_number(1), false, false));
    // Half-done until its box is founded, which whoever meets it can do.
    let unfounded = world.models.unfounded_identifiers(HOME, 10).await.unwrap();
    assert_eq!(unfounded.iter().map(|(hash, _)| *hash).collect::<Vec<_>>(), [hash]);
    assert_eq!(unfounded[0].1.owner.as_ref().unwrap().founding, owner.founding);
    let box_id = box_number(1);
    world.append(Topic::Keys, &key_event(box_id, 9, 0, now, &founded(box_id, device(1)))).await;
    world.project().await;
    assert!(world.models.identifier(hash).await.unwrap().owner.unwrap().founded);
    assert_eq!(world.models.unfounded_identifiers(HOME, 10).await.unwrap(), []);
    world.append(Topic::Keys, &key_event(box_id, 10, 1, now, &closing(box_id))).await;
    world.project().await;
    assert!(world.models.identifier(hash).await.unwrap().owner.unwrap().closing);
}

pub(crate) async fn the_rest_of_an_expired_day_is_ignored(world: World) {
    let (now, hash) = (world.now(), identifier(7));
    let stream = registrations::stream(hash, now);
    let event =
        |number, expected, event| control(Topic::Registrations, &stream, command(number), expected, now, &event);
    // The first two of the stream's events have expired from the log.
    world.append(Topic::Registrations, &event(3, 2, guess(1, 1, false))).await;
    assert_eq!(stops(&world.project().await), Vec::<String>::new());
    assert_eq!(world.models.registration_day(&stream).await.unwrap().guesses, 0);

    let tomorrow = now.plus(Duration::from_secs(24 * 3600));
    let stream = registrations::stream(hash, tomorrow);
    let event =
        |number, expected, event| control(Topic::Registrations, &stream, command(number), expected, tomorrow, &event);
    let expires_at = tomorrow.plus(Duration::from_secs(600));
    for envelope in [
        event(10, 0, asked(hash, 1, box_number(1))),
        event(11, 1, code(1, 1, expires_at)),
        event(12, 2, guess(1, 1, false)),
        event(13, 2, guess(1, 1, false)),
        event(14, 3, guess(1, 1, true)),
    ] {
        world.append(Topic::Registrations, &envelope).await;
    }
    world.project().await;
    let day = world.models.registration_day(&stream).await.unwrap();
    assert_eq!((day.version, day.codes_issued, day.guesses), (4, 1, 2), "a late guess counts for nothing");
    let registration = world.models.registration(RegistrationId::from_bytes([1; 16])).await.unwrap().unwrap();
    assert_eq!(registration.right_command, Some(command(14)));
    assert_eq!((registration.codes[0].number, registration.codes[0].wrong_guesses), (1, 1));
    assert_eq!((registration.stream.as_str(), registration.asked_at), (stream.as_str(), tomorrow));
    // It stays for a day after its own.
    world.models.sweep(tomorrow.plus(Duration::from_secs(24 * 3600))).await.unwrap();
    assert!(world.models.registration(registration.id).await.unwrap().is_some());
    world.models.sweep(tomorrow.plus(Duration::from_secs(48 * 3600))).await.unwrap();
    assert!(world.models.registration(registration.id).await.unwrap().is_none());
    assert_eq!(world.models.registration_day(&stream).await.unwrap().version, 0);
}

pub(crate) async fn waiting_ends_when_the_version_is_passed(world: World) {
    let (now, box_id) = (world.now(), box_number(1));
    let stream = box_id.to_string();
    let models = world.models.clone();
    let wait = |version, patience| models.wait_past(Projection::Keys, Topic::Keys, &stream, version, patience);
    assert!(!wait(0, Duration::from_millis(20)).await.unwrap());
    let running = super::Running::start(&world.models, world.log.clone(), &world.clock);
    let event = key_event(box_id, 1, 0, now, &founded(box_id, device(1)));
    let (passed, ()) = tokio::join!(wait(0, Duration::from_secs(60)), world.append(Topic::Keys, &event));
    assert!(passed.unwrap());
    running.stop().await;
}

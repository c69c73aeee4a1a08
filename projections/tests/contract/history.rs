//! The history of accounts.

use rossby_projections::{HistoryPage, ReadModels};
use rossby_schemas::events::profiles::Audience;
use rossby_schemas::http::history::HistoryEntry;
use rossby_schemas::ids::BoxId;
use rossby_schemas::topic::Topic;

use super::World;
use super::events::*;

const ALL: HistoryPage = HistoryPage { after: None, limit: 500, max_octets: 1 << 20 };

async fn history(models: &ReadModels, box_id: BoxId) -> Vec<HistoryEntry> {
    models.account_history(box_id, &ALL).await.unwrap().entries
}

/// The topics, versions and types, without what all types begin with.
fn told(entries: &[HistoryEntry]) -> Vec<(&str, u64, &str)> {
    let short = |entry: &HistoryEntry| entry.event_type.rfind('.').and_then(|end| entry.event_type[..end].rfind('.'));
    entries
        .iter()
        .map(|entry| (&entry.topic["rossby.".len()..], entry.version, &entry.event_type[short(entry).unwrap() + 1..]))
        .collect()
}

pub(crate) async fn a_box_has_what_happened_to_it_and_nothing_of_others(world: World) {
    let [ann, ben, eve] = [1, 2, 3].map(box_number);
    let (now, hash) = (world.now(), identifier(1));
    let of_identifier = |number, expected, event| {
        control(Topic::Identifiers, &hash.to_string(), command(number), expected, now, &event)
    };
    let of_profile =
        |number, expected, event| control(Topic::Profiles, &ann.to_string(), command(number), expected, now, &event);
    for box_id in [ann, ben] {
        let number = if box_id == ann { 1 } else { 2 };
        world.append(Topic::Keys, &key_event(box_id, number, 0, now, &founded(box_id, device(1)))).await;
    }
    // One that comes too late, and one twice.
    let blocks = of_profile(10, 0, blocked(ann, [1; 32]));
    for event in [blocks.clone(), of_profile(11, 0, discoverable(ann, Audience::Nobody)), blocks] {
        world.append(Topic::Profiles, &event).await;
    }
    for event in [
        of_identifier(20, 0, verified(hash, ann, 1)),
        of_identifier(21, 1, claimed(hash, 9, ann, ben, now)),
        // It takes effect: from Ann it goes to Ben, who takes it away; Eve gets it.
        of_identifier(22, 2, verified(hash, ben, 9)),
        of_identifier(23, 3, released(hash, ben)),
        of_identifier(24, 4, verified(hash, eve, 3)),
    ] {
        world.append(Topic::Identifiers, &event).await;
    }
    assert_eq!(super::stops(&world.project().await), Vec::<String>::new());

    let of_ann = history(&world.models, ann).await;
    assert_eq!(
        told(&of_ann),
        [
            ("identifiers", 1, "identifier-verified.v1"),
            ("identifiers", 2, "identifier-claimed.v1"),
            ("identifiers", 3, "identifier-verified.v1"),
            ("keys", 1, "box-founded.v1"),
            ("profiles", 1, "box-blocked.v1"),
        ]
    );
    // What is Ben's too is told without what it says of him.
    assert_eq!(of_ann.iter().map(|entry| entry.data.is_some()).collect::<Vec<_>>(), [true, false, false, true, true]);
    assert_eq!(of_ann[1].device_id, None);
    assert_eq!(of_ann[3].device_id, Some(device(1)));
    let envelope = key_event(ann, 1, 0, now, &founded(ann, device(1)));
    assert_eq!(of_ann[3].data.as_ref().map(|data| data.as_slice()), Some(&envelope.data[..]));
    assert_eq!((of_ann[3].event_id, of_ann[3].time, of_ann[3].region), (envelope.id, now, super::HOME));
    let of_ben = history(&world.models, ben).await;
    assert_eq!(
        told(&of_ben),
        [
            ("identifiers", 2, "identifier-claimed.v1"),
            ("identifiers", 3, "identifier-verified.v1"),
            ("identifiers", 4, "identifier-released.v2"),
            ("keys", 1, "box-founded.v1"),
        ]
    );
    assert_eq!(of_ben[0].data, None);
    assert_eq!(of_ben[0].device_id, Some(device(9)));
    assert_eq!(told(&history(&world.models, eve).await), [("identifiers", 5, "identifier-verified.v1")]);
    assert_eq!(world.models.history_identifiers(ben).await.unwrap(), [hash.to_string()]);

    // Of a closed box nothing is given, and nothing stays, whatever comes after.
    world.append(Topic::Keys, &key_event(ben, 30, 1, now, &closing(ben))).await;
    world.append(Topic::Keys, &key_event(ben, 31, 2, now, &closed(ben))).await;
    world.project().await;
    let late = control(Topic::Profiles, &ben.to_string(), command(32), 0, now, &blocked(ben, [2; 32]));
    world.append(Topic::Profiles, &late).await;
    world.project().await;
    assert_eq!(history(&world.models, ben).await, []);
    world.models.sweep(now).await.unwrap();
    assert_eq!(world.models.history_identifiers(ben).await.unwrap(), Vec::<String>::new());
    assert_eq!(history(&world.models, ann).await, of_ann);
}

pub(crate) async fn a_page_goes_on_where_the_one_before_ended(world: World) {
    let ann = box_number(1);
    let now = world.now();
    world.append(Topic::Keys, &key_event(ann, 1, 0, now, &founded(ann, device(1)))).await;
    for number in 1..=5_u8 {
        let event = key_event(ann, 1 + u128::from(number), number.into(), now, &sealing(ann, device(1), number.into()));
        world.append(Topic::Keys, &event).await;
        let set = blocked(ann, [number; 32]);
        let expected = u64::from(number) - 1;
        let event = control(Topic::Profiles, &ann.to_string(), command(u128::from(number) + 50), expected, now, &set);
        world.append(Topic::Profiles, &event).await;
    }
    world.project().await;
    let all = history(&world.models, ann).await;
    assert_eq!(all.len(), 11);
    for (limit, max_octets, pages) in [(500, 1 << 20, 1), (3, 1 << 20, 4), (500, 1, 11), (11, 1 << 20, 1)] {
        let (mut found, mut after, mut number) = (Vec::new(), None, 0);
        loop {
            let page = HistoryPage { after: after.clone(), limit, max_octets };
            let part = world.models.account_history(ann, &page).await.unwrap();
            found.extend(part.entries);
            number += 1;
            if !part.more {
                break;
            }
            after = found.last().map(|last: &HistoryEntry| {
                let topic = if last.topic == Topic::Keys.name() { Topic::Keys } else { Topic::Profiles };
                (topic, last.stream.clone(), last.version)
            });
        }
        assert_eq!((&found, number), (&all, pages));
    }
}

pub(crate) async fn it_is_built_from_the_logs_beginning_beside_tables_that_live(mut world: World) {
    use rossby_projections::{Projection, ProjectorConfig};

    let ann = box_number(1);
    let now = world.now();
    world.append(Topic::Keys, &key_event(ann, 1, 0, now, &founded(ann, device(1)))).await;
    // As a version of before had it: everything but the history.
    let before = [Projection::Inbox, Projection::Keys, Projection::Profiles];
    let config = ProjectorConfig { projections: before.to_vec(), ..ProjectorConfig::single_region(super::HOME) };
    let running = super::Running::with(&world.models, world.log.clone(), &world.clock, config);
    let models = world.models.clone();
    super::eventually(async || models.key_record(ann).await.unwrap().is_some()).await;
    running.stop().await;
    assert_eq!(history(&world.models, ann).await, []);
    world.restart().await;
    world.project().await;
    assert_eq!(told(&history(&world.models, ann).await), [("keys", 1, "box-founded.v1")]);
}

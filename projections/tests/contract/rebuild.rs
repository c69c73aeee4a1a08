//! A rebuild from an empty database gives the tables that live, at one moment.

use std::collections::BTreeSet;
use std::time::Duration;

use rossby_projections::{DERIVED_TABLES, Snapshot};
use rossby_schemas::encoding::FixedOctets;
use rossby_schemas::events::identifiers::ObjectionProof;
use rossby_schemas::events::profiles::Audience;
use rossby_schemas::events::registrations::{self, CodePurpose};
use rossby_schemas::topic::Topic;

use super::World;
use super::events::*;

const DAY: Duration = Duration::from_secs(24 * 3600);

/// Some of everything, as a day brings it; each day in boxes of its own.
async fn a_day(world: &World, day: u8) {
    let now = world.now();
    let number = u128::from(day) * 100;
    let hash = identifier(day);
    let stream = registrations::stream(hash, now);
    let register =
        |id, expected, event| control(Topic::Registrations, &stream, command(number + id), expected, now, &event);
    let [ann, ben, gone] = [0, 1, 2].map(|n| box_number(u32::from(day) * 10 + n));
    for event in [
        register(0, 0, asked(hash, day, ann)),
        register(1, 1, code(day, 1, now.plus(Duration::from_secs(600)))),
        register(2, 2, guess(day, 1, false)),
        register(3, 2, guess(day, 1, false)),
        register(4, 3, guess(day, 1, true)),
        register(19, 4, code_asked(hash, day + 100, ann, CodePurpose::Add)),
        register(20, 5, code(day + 100, 1, now.plus(Duration::from_secs(600)))),
    ] {
        world.append(Topic::Registrations, &event).await;
    }
    let verify = control(Topic::Identifiers, &hash.to_string(), command(number + 5), 0, now, &verified(hash, ann, day));
    world.append(Topic::Identifiers, &verify).await;
    // One that was added and taken away again, and one that stays.
    let [gone_hash, added_hash] = [100, 150].map(|n| identifier(day + n));
    for (id, hash, expected, event) in [
        (16, gone_hash, 0, added(gone_hash, ann, day)),
        (17, gone_hash, 1, released(gone_hash, ann)),
        (18, added_hash, 0, added(added_hash, ann, day)),
        (21, added_hash, 1, claimed(added_hash, day + 50, ann, ben, now.plus(DAY))),
        (22, added_hash, 2, claimed(added_hash, day + 60, ann, gone, now.plus(DAY))),
        (23, added_hash, 3, objected(added_hash, day + 60, ann, ObjectionProof::RecoveryKey)),
        (24, added_hash, 4, claimed(added_hash, day + 70, ann, ben, now.plus(DAY))),
    ] {
        let event = control(Topic::Identifiers, &hash.to_string(), command(number + id), expected, now, &event);
        world.append(Topic::Identifiers, &event).await;
    }
    for (id, box_id) in [(6, ann), (7, ben), (8, gone)] {
        world.append(Topic::Keys, &key_event(box_id, number + id, 0, now, &founded(box_id, device(1)))).await;
    }
    world.append(Topic::Keys, &key_event(ann, number + 9, 1, now, &sealing(ann, device(1), 2))).await;
    world.append(Topic::Keys, &key_event(ann, number + 10, 1, now, &sealing(ann, device(1), 2))).await;
    world.append(Topic::Keys, &key_event(ben, number + 11, 1, now, &removed(ben, device(2)))).await;
    let profile =
        |id, expected, event| control(Topic::Profiles, &gone.to_string(), command(number + id), expected, now, &event);
    world.append(Topic::Profiles, &profile(12, 0, discoverable(gone, Audience::Nobody))).await;
    world.append(Topic::Profiles, &profile(13, 1, blocked(gone, [day; 32]))).await;
    world.append(Topic::Keys, &key_event(gone, number + 14, 1, now, &closing(gone))).await;
    world.append(Topic::Keys, &key_event(gone, number + 15, 2, now, &closed(gone))).await;
    // One message that is confirmed, one that waits long, one that expires, one for the removed, one for the closed.
    let both = [device(1), device(2)];
    let (soon, late) = (now.plus(DAY), now.plus(30 * DAY));
    for (box_id, outer, expires_at) in [(ann, 1, late), (ann, 2, late), (ann, 3, soon), (ben, 4, late), (gone, 5, late)]
    {
        world.append(Topic::Inbox, &enqueued(box_id, outer, &value(outer, &both, expires_at), now)).await;
    }
    // What is left at a rendezvous is forgotten on its own.
    for (body, expires_at) in [(1, late), (2, soon)] {
        world.append(Topic::Inbox, &posted(day, body, expires_at, now)).await;
    }
    for number in [1, 2] {
        let done = acknowledged(ann, device(number), 1, &value(1, &both, late), late, now);
        world.append(Topic::Inbox, &done).await;
    }
}

/// The tables in which two snapshots differ.
fn differences(one: &Snapshot, other: &Snapshot) -> Vec<String> {
    let mut tables = Vec::new();
    for table in DERIVED_TABLES {
        let (one, other): (BTreeSet<_>, BTreeSet<_>) = (one[table].iter().collect(), other[table].iter().collect());
        let rows: Vec<_> = one.symmetric_difference(&other).collect();
        if !rows.is_empty() {
            tables.push(format!("{table}: {rows:?}"));
        }
    }
    tables
}

pub(crate) async fn a_rebuild_gives_the_same_tables(mut world: World) {
    for day in 1..=5_u8 {
        a_day(&world, day).await;
        assert_eq!(super::stops(&world.project().await), Vec::<String>::new());
        world.models.sweep(world.now()).await.unwrap();
        world.retire().await;
        world.restart().await;
        world.clock.advance(if day == 3 { 20 * DAY } else { DAY });
    }
    // The last day's records are applied in one go, after the log has lost what it no longer keeps.
    world.clock.advance(11 * DAY);
    a_day(&world, 6).await;
    assert!(world.retire().await > 0, "the log has lost nothing");
    world.project().await;

    // The moment alone decides, and not whether the sweeper was there.
    let at = world.now();
    let live = world.models.snapshot(at).await.unwrap();
    for (table, rows) in &live {
        // Each day's only profile is of a box that was closed.
        assert_eq!(rows.is_empty(), ["profiles", "profile_tags"].contains(table), "{table}");
    }
    world.models.sweep(at).await.unwrap();
    assert_eq!(differences(&live, &world.models.snapshot(at).await.unwrap()), Vec::<String>::new());

    let rebuilt = world.empty_models().await;
    assert_eq!(super::stops(&world.project_into(&rebuilt).await), Vec::<String>::new());
    assert_eq!(differences(&live, &rebuilt.snapshot(at).await.unwrap()), Vec::<String>::new());
    rebuilt.sweep(at).await.unwrap();
    assert_eq!(differences(&live, &rebuilt.snapshot(at).await.unwrap()), Vec::<String>::new());

    // The comparison sees what differs.
    let other = world.empty_models().await;
    assert!(differences(&live, &other.snapshot(at).await.unwrap()).len() > 10);
}

pub(crate) async fn keys_and_profiles_say_what_was_admitted(world: World) {
    a_day(&world, 1).await;
    world.project().await;
    let models = &world.models;
    let [ann, ben, gone] = [10, 11, 12].map(box_number);
    let record = models.key_record(ann).await.unwrap().unwrap();
    assert_eq!((record.version, record.closing, record.closed), (2, false, false));
    assert_eq!(record.sealing_statements, [b"sealing 2".as_slice().into()]);
    assert_eq!(models.device(ann, device(1)).await.unwrap().map(|d| (d.epoch, d.removed)), Some((1, false)));
    assert_eq!(models.key_record(ben).await.unwrap().unwrap().statements.len(), 2);
    let record = models.key_record(gone).await.unwrap().unwrap();
    assert_eq!((record.closed, record.statements.len(), record.version), (true, 0, 3));
    assert_eq!(models.devices(gone).await.unwrap(), []);
    assert_eq!(models.key_record(box_number(99)).await.unwrap(), None);

    let profile = models.profile(gone).await.unwrap();
    assert_eq!((profile.version, profile.discoverable), (2, Audience::Nobody));
    assert_eq!(profile.blocks, [FixedOctets([1; 32])]);
    assert_eq!(models.profile(ann).await.unwrap().discoverable, Audience::Everyone);
    let permission = models.permission(gone, FixedOctets([1; 32])).await.unwrap();
    assert_eq!((permission.exists, permission.blocked, permission.contact), (false, true, false));
    let permission = models.permission(ann, FixedOctets([1; 32])).await.unwrap();
    assert_eq!((permission.exists, permission.blocked), (true, false));
    assert!(!models.permission(box_number(99), FixedOctets([1; 32])).await.unwrap().exists);
}

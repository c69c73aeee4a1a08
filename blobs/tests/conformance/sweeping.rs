//! Expiry.

use std::time::Duration;

use rossby_blobs::SweptBlobs;
use rossby_testing::DAY;

use crate::world::{CHUNK, Setting, World, is_not_there, octets, on_both};

const HOUR: Duration = Duration::from_secs(3600);

on_both!(
    what_has_expired_is_swept_and_nothing_else,
    uploads_that_were_not_completed_are_swept_sooner,
    two_sweep_at_once,
);

async fn what_has_expired_is_swept_and_nothing_else(world: World) {
    assert_eq!(world.store.sweep(world.now()).await.unwrap(), SweptBlobs::default(), "an empty store");
    let octets = octets(CHUNK + 1);
    let first = world.upload(world.plan(1, octets.len()), &octets).await;
    world.clock.advance(DAY);
    let second = world.upload(world.plan(2, octets.len()), &octets).await;
    let files = world.files().len();
    // The first one's day is over, and for less than an hour.
    world.clock.set("2026-12-05T00:30:00Z".parse().unwrap());
    assert_eq!(world.store.sweep(world.now()).await.unwrap(), SweptBlobs::default());
    assert_eq!(world.files().len(), files);
    assert!(is_not_there(&world.download(first).await), "expired, swept or not");
    world.clock.advance(HOUR);
    assert_eq!(world.store.sweep(world.now()).await.unwrap(), SweptBlobs { days: 1, uploads: 0, objects: 3 });
    assert_eq!(world.files().len(), files - 3);
    assert_eq!(world.download(second).await.unwrap(), octets);
    world.clock.advance(DAY);
    world.store.sweep(world.now()).await.unwrap();
    assert_eq!(world.files(), Vec::<String>::new());
}

async fn uploads_that_were_not_completed_are_swept_sooner(world: World) {
    let plan = world.plan(1, CHUNK + 1);
    let id = world.begin(plan).await.blob_id;
    world.put(id, plan, 1, b"x").await.unwrap();
    let complete = world.upload(world.plan(2, 5), b"hello").await;
    // What a process leaves that dies while it writes; and while it completes an upload.
    if let Setting::Folder(folder) = &world.setting {
        let marker = world.files().into_iter().find(|file| file.starts_with("uploads/")).unwrap();
        let marker = folder.path().join(marker);
        std::fs::write(marker.with_extension("#1"), "half").unwrap();
    }
    world.clock.advance(DAY);
    assert!(is_not_there(&world.put(id, plan, 1, b"x").await), "its time is over");
    world.clock.set("2026-11-26T00:59:59Z".parse().unwrap());
    assert_eq!(world.store.sweep(world.now()).await.unwrap(), SweptBlobs::default());
    world.clock.advance(Duration::from_secs(1));
    let swept = world.store.sweep(world.now()).await.unwrap();
    assert_eq!(swept, SweptBlobs { days: 0, uploads: 1, objects: 3 });
    assert_eq!(world.download(complete).await.unwrap(), b"hello");
    let left = world.files();
    assert!(left.len() == 2 && left.iter().all(|file| file.starts_with("blobs/")), "{left:?}");
}

async fn two_sweep_at_once(world: World) {
    for key in 0..4 {
        world.upload(world.plan(key, 5), b"hello").await;
        world.begin(world.plan(key + 100, 5)).await;
    }
    world.clock.advance(12 * DAY);
    let other = world.other_process();
    let (one, two) = tokio::join!(world.store.sweep(world.now()), other.sweep(world.now()));
    // One may meet what the other has just taken away; the next sweep finds nothing left to do.
    let _ = (one, two);
    world.store.sweep(world.now()).await.unwrap();
    assert_eq!(world.files(), Vec::<String>::new());
}

//! Downloads.

use std::time::Duration;

use rossby_blobs::BlobError;
use rossby_schemas::encoding::FixedOctets;

use crate::world::{CHUNK, Setting, World, is_not_there, octets, on_both};

on_both!(any_range_is_read, what_is_not_there_is_one_and_the_same, a_damaged_blob_ends_early);

async fn any_range_is_read(world: World) {
    let octets = octets(2 * CHUNK + 100);
    let id = world.upload(world.plan(1, octets.len()), &octets).await;
    let (chunk, end) = (CHUNK as u64, octets.len() as u64);
    for range in [0..end, 0..1, end - 1..end, chunk - 1..chunk + 1, chunk..2 * chunk, 5..5, chunk - 3..2 * chunk + 50] {
        let read = world.download_range(id, range.clone()).await.unwrap();
        let (begin, end) = (usize::try_from(range.start).unwrap(), usize::try_from(range.end).unwrap());
        assert_eq!(read, &octets[begin..end], "{range:?}");
    }
}

async fn what_is_not_there_is_one_and_the_same(world: World) {
    let unknown = FixedOctets([9; 34]);
    assert!(is_not_there(&world.download(unknown).await));
    let incomplete = world.begin(world.plan(1, 5)).await.blob_id;
    assert!(is_not_there(&world.download(incomplete).await));
    let plan = world.plan(2, 5);
    let id = world.upload(plan, b"hello").await;
    world.clock.set(plan.expires_at.minus(Duration::from_millis(1)));
    assert_eq!(world.download(id).await.unwrap(), b"hello");
    world.clock.set(plan.expires_at);
    assert!(is_not_there(&world.download(id).await));
    assert!(is_not_there(&world.put(id, plan, 0, b"hello").await), "an expired one is not written either");
}

/// A store that lost or changed something: what is read ends with an error, never with other octets.
async fn a_damaged_blob_ends_early(world: World) {
    let octets = octets(2 * CHUNK);
    let id = world.upload(world.plan(1, octets.len()), &octets).await;
    let root = match &world.setting {
        Setting::Folder(folder) => folder.path().to_owned(),
        Setting::S3(s3) => s3.objects(),
    };
    let files = world.files();
    let chunk = root.join(files.iter().find(|file| file.ends_with("/00000001")).unwrap());
    std::fs::write(&chunk, &octets[..1000]).unwrap();
    assert!(world.download(id).await.is_err());
    std::fs::remove_file(&chunk).unwrap();
    assert!(world.download(id).await.is_err());
    let about = root.join(files.iter().find(|file| file.ends_with("/about")).unwrap());
    std::fs::write(&about, "{}").unwrap();
    assert!(matches!(world.download(id).await, Err(BlobError::Damaged(_))));
}

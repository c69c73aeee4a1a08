//! Uploads.

use std::sync::Arc;

use bytes::Bytes;
use rossby_blobs::{BlobError, Plan};
use rossby_schemas::encoding::FixedOctets;
use rossby_schemas::http::blobs::{UploadKey, UploadResponse};
use rossby_testing::DAY;

use crate::world::{CHUNK, World, is_not_there, octets, on_both};

on_both!(
    what_was_uploaded_is_downloaded,
    an_upload_goes_on_in_another_process,
    a_chunk_is_stored_once_and_never_changed,
    only_the_right_key_writes,
    a_key_is_of_one_upload,
    chunks_have_their_number_and_length,
    a_deleted_blob_is_gone,
);

async fn what_was_uploaded_is_downloaded(world: World) {
    for (key, count) in (1..).zip([1, 1000, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK + 5]) {
        let (plan, octets) = (world.plan(key, count), octets(count));
        let id = world.upload(plan, &octets).await;
        assert_eq!(world.download(id).await.unwrap(), octets, "{count}");
        let again: UploadResponse = world.store.complete(id, &plan.key, world.now()).await.unwrap().into();
        assert!(again.complete && again.next_chunk == again.chunks);
    }
}

async fn an_upload_goes_on_in_another_process(world: World) {
    let (plan, octets) = (world.plan(1, 2 * CHUNK + 7), octets(2 * CHUNK + 7));
    let begun = world.begin(plan).await;
    assert_eq!((begun.chunks, begun.next_chunk, begun.complete), (3, 0, false));
    world.put(begun.blob_id, plan, 0, &octets[..CHUNK]).await.unwrap();
    world.put(begun.blob_id, plan, 2, &octets[2 * CHUNK..]).await.unwrap();
    let early = world.store.complete(begun.blob_id, &plan.key, world.now()).await;
    assert!(matches!(early, Err(BlobError::Incomplete { next_chunk: 1 })), "{early:?}");
    assert!(is_not_there(&world.download(begun.blob_id).await), "half a blob is none");

    let other = world.other_process();
    let found: UploadResponse = other.begun(plan, world.now()).await.unwrap().unwrap().into();
    assert_eq!((found.blob_id, found.next_chunk), (begun.blob_id, 1));
    // Begun again, it is the same: its time is that of the first.
    let again: UploadResponse = other.begin(plan, world.now().plus(2 * DAY), world.now()).await.unwrap().into();
    assert_eq!(again, found);
    let chunk = Bytes::copy_from_slice(&octets[CHUNK..2 * CHUNK]);
    other.put_chunk(begun.blob_id, &plan.key, 1, chunk, world.now()).await.unwrap();
    other.complete(begun.blob_id, &plan.key, world.now()).await.unwrap();
    assert_eq!(world.download(begun.blob_id).await.unwrap(), octets);
}

async fn a_chunk_is_stored_once_and_never_changed(world: World) {
    let (plan, octets) = (world.plan(1, CHUNK + 9), octets(CHUNK + 9));
    let id = world.begin(plan).await.blob_id;
    world.put(id, plan, 1, &octets[CHUNK..]).await.unwrap();
    world.put(id, plan, 1, &octets[CHUNK..]).await.unwrap();
    let other = world.put(id, plan, 1, b"123456789").await;
    assert!(matches!(other, Err(BlobError::ChunkDiffers)), "{other:?}");
    world.put(id, plan, 0, &octets[..CHUNK]).await.unwrap();
    world.store.complete(id, &plan.key, world.now()).await.unwrap();
    // Complete, too.
    world.put(id, plan, 1, &octets[CHUNK..]).await.unwrap();
    assert!(matches!(world.put(id, plan, 1, b"123456789").await, Err(BlobError::ChunkDiffers)));
    assert_eq!(world.download(id).await.unwrap(), octets);
}

/// On a folder alone: the store of the tests that speaks S3 looks whether an object is there, and writes it then, where others
/// do both at once.
#[tokio::test]
async fn of_two_that_differ_at_the_same_moment_one_stays() {
    let world = Arc::new(World::folder());
    for key in 0..8 {
        let plan = world.plan(key, 4096);
        let id = world.begin(plan).await.blob_id;
        let writers = [b'a', b'b', b'a', b'b'].map(|letter| {
            let world = Arc::clone(&world);
            tokio::spawn(async move { (letter, world.put(id, plan, 0, &[letter; 4096]).await) })
        });
        let mut stored = Vec::new();
        for writer in writers {
            match writer.await.unwrap() {
                (letter, Ok(())) => stored.push(letter),
                (_, Err(BlobError::ChunkDiffers)) => {}
                (_, Err(error)) => panic!("{error}"),
            }
        }
        world.store.complete(id, &plan.key, world.now()).await.unwrap();
        let kept = world.download(id).await.unwrap();
        assert!(!stored.is_empty() && stored.iter().all(|letter| kept == [*letter; 4096]));
    }
}

async fn only_the_right_key_writes(world: World) {
    let plan = world.plan(1, 5);
    let id = world.begin(plan).await.blob_id;
    let thief = Plan { key: UploadKey(FixedOctets([2; 32])), ..plan };
    assert!(is_not_there(&world.put(id, thief, 0, b"12345").await));
    assert!(is_not_there(&world.store.progress(id, &thief.key, world.now()).await));
    world.put(id, plan, 0, b"hello").await.unwrap();
    assert!(is_not_there(&world.store.complete(id, &thief.key, world.now()).await));
    world.store.complete(id, &plan.key, world.now()).await.unwrap();
    assert!(is_not_there(&world.store.delete(id, &thief.key, world.now()).await));
    assert_eq!(world.download(id).await.unwrap(), b"hello");
}

async fn a_key_is_of_one_upload(world: World) {
    let plan = world.plan(1, 5);
    world.begin(plan).await;
    let other = world.store.begun(Plan { octets: 6, ..plan }, world.now()).await;
    assert!(matches!(other, Err(BlobError::OtherUpload)), "{other:?}");
    let later = Plan { expires_at: plan.expires_at.plus(std::time::Duration::from_secs(1)), ..plan };
    assert!(matches!(world.store.begun(later, world.now()).await, Err(BlobError::OtherUpload)));
    let second = Plan { key: UploadKey(FixedOctets([2; 32])), ..plan };
    assert_eq!(world.store.begun(second, world.now()).await.unwrap(), None);
}

async fn chunks_have_their_number_and_length(world: World) {
    let plan = world.plan(1, CHUNK + 5);
    let id = world.begin(plan).await.blob_id;
    for (chunk, length, expected) in [(0, CHUNK - 1, CHUNK), (0, 0, CHUNK), (1, 6, 5), (1, 4, 5)] {
        let refused = world.put(id, plan, chunk, &octets(length)).await;
        let Err(BlobError::ChunkLength { expected: found }) = refused else { panic!("{refused:?}") };
        assert_eq!(found, expected as u64);
    }
    for chunk in [2, u32::MAX] {
        let refused = world.put(id, plan, chunk, b"12345").await;
        assert!(matches!(refused, Err(BlobError::NoSuchChunk { chunks: 2 })), "{refused:?}");
    }
    assert!(!world.files().iter().any(|file| file.ends_with("/00000000")));
}

async fn a_deleted_blob_is_gone(world: World) {
    let plan = world.plan(1, CHUNK + 1);
    let id = world.upload(plan, &octets(CHUNK + 1)).await;
    let unfinished = world.plan(2, CHUNK + 1);
    let begun = world.begin(unfinished).await.blob_id;
    world.put(begun, unfinished, 1, b"x").await.unwrap();
    for (id, plan) in [(id, plan), (begun, unfinished)] {
        world.store.delete(id, &plan.key, world.now()).await.unwrap();
        assert!(is_not_there(&world.download(id).await));
        assert!(is_not_there(&world.store.delete(id, &plan.key, world.now()).await));
        assert!(is_not_there(&world.put(id, plan, 1, b"x").await));
    }
    assert_eq!(world.files(), Vec::<String>::new());
}

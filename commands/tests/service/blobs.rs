//! Blobs: what a box may upload in a day, and what is refused.

use bytes::Bytes;
use futures::TryStreamExt as _;
use rossby_commands::{Caller, Refusal};
use rossby_schemas::encoding::FixedOctets;
use rossby_schemas::http::blobs::{UploadKey, UploadRequest, UploadResponse};
use rossby_schemas::ids::{BoxId, DeviceId};
use rossby_testing::{DAY, refusal};

use crate::world::World;

const MIB: u64 = 1024 * 1024;

/// Blobs ask for no key record: any caller will do.
fn caller(number: u8) -> Caller {
    Caller { box_id: BoxId::from_bytes([number; 16]), device_id: DeviceId::from_bytes([number; 16]) }
}

fn request(world: &World, key: u8, octets: u64) -> UploadRequest {
    let expires_at = world.now().plus(10 * DAY);
    UploadRequest { upload_key: UploadKey(FixedOctets([key; 32])), octets, expires_at }
}

async fn read(world: &World, begun: &UploadResponse) -> Vec<u8> {
    let blob = world.service.blob(begun.blob_id).await.unwrap();
    let end = blob.octets();
    blob.read(0..end).try_collect::<Vec<Bytes>>().await.unwrap().concat()
}

#[tokio::test(flavor = "multi_thread")]
async fn any_box_uploads_and_any_downloads() {
    let world = World::new().await;
    let request = request(&world, 1, 5);
    let begun = world.service.begin_upload(caller(1), &request).await.unwrap();
    let key = request.upload_key;
    world.service.put_chunk(begun.blob_id, key, 0, Bytes::from_static(b"hello")).await.unwrap();
    let other = world.other_process();
    assert_eq!(other.upload(begun.blob_id, key).await.unwrap().next_chunk, 1);
    assert!(other.complete_upload(begun.blob_id, key).await.unwrap().complete);
    assert_eq!(read(&world, &begun).await, b"hello");
    other.delete_blob(begun.blob_id, key).await.unwrap();
    assert_eq!(refusal(world.service.blob(begun.blob_id).await), Refusal::NoSuchBlob);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_days_uploads_are_counted_for_each_box_in_all_processes_and_over_a_restart() {
    let mut world = World::new().await;
    // Two gibioctets a day, a hundred mebioctets a blob: twenty fit, with 48 mebioctets left.
    for key in 0..20 {
        let process = if key % 2 == 0 { world.service.clone() } else { world.other_process() };
        process.begin_upload(caller(1), &request(&world, key, 100 * MIB)).await.unwrap();
    }
    let exhausted = |refused| matches!(refused, Refusal::UploadsExhausted { retry_after: 1..=86_400 });
    assert!(exhausted(refusal(world.service.begin_upload(caller(1), &request(&world, 20, 49 * MIB)).await)));
    // Begun again is not counted again; another box has its own.
    world.service.begin_upload(caller(1), &request(&world, 3, 100 * MIB)).await.unwrap();
    world.service.begin_upload(caller(2), &request(&world, 21, 100 * MIB)).await.unwrap();
    world.restart().await;
    assert!(exhausted(refusal(world.service.begin_upload(caller(1), &request(&world, 22, 49 * MIB)).await)));
    // An octet counts as a whole chunk.
    for key in 23..71 {
        world.service.begin_upload(caller(1), &request(&world, key, 1)).await.unwrap();
    }
    assert!(exhausted(refusal(world.service.begin_upload(caller(1), &request(&world, 71, 1)).await)));
    world.clock.advance(DAY);
    world.service.begin_upload(caller(1), &request(&world, 72, 100 * MIB)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_at_the_same_moment_no_more_pass_than_may() {
    let world = World::new().await;
    let begins = (0..30).map(|key| {
        let (service, request) = (world.other_process(), request(&world, key, 100 * MIB));
        tokio::spawn(async move { service.begin_upload(caller(1), &request).await.is_ok() })
    });
    let mut passed = 0;
    for begin in begins.collect::<Vec<_>>() {
        passed += usize::from(begin.await.unwrap());
    }
    assert_eq!(passed, 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_that_came_to_nothing_is_not_counted() {
    let world = World::new().await;
    // A file stands where the store would make a folder.
    world.break_blobs();
    for key in 0..30 {
        let failed = world.service.begin_upload(caller(1), &request(&world, key, 100 * MIB)).await.unwrap_err();
        assert!(matches!(failed, rossby_commands::CommandError::Unavailable(_)), "{failed}");
    }
    world.mend_blobs();
    for key in 0..20 {
        world.service.begin_upload(caller(1), &request(&world, key, 100 * MIB)).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sizes_and_expiries_out_of_bounds_are_refused() {
    let world = World::new().await;
    let good = request(&world, 1, 5);
    let begin = async |request: UploadRequest| refusal(world.service.begin_upload(caller(1), &request).await);
    let invalid = |refused, at: &str| matches!(refused, Refusal::Invalid { field, .. } if field == at);
    assert!(invalid(begin(UploadRequest { octets: 0, ..good.clone() }).await, "/octets"));
    assert_eq!(
        begin(UploadRequest { octets: 100 * MIB + 1, ..good.clone() }).await,
        Refusal::TooLarge { field: "/octets".to_owned(), limit: 100 * 1024 * 1024 }
    );
    assert!(invalid(begin(UploadRequest { expires_at: world.now(), ..good.clone() }).await, "/expires_at"));
    assert!(invalid(
        begin(UploadRequest { expires_at: world.now().plus(31 * DAY), ..good.clone() }).await,
        "/expires_at"
    ));
    world.service.begin_upload(caller(1), &good).await.unwrap();
    assert_eq!(
        begin(UploadRequest { octets: 6, ..good.clone() }).await,
        Refusal::IdReused { field: "/upload_key".to_owned() }
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_expired_is_gone_and_swept() {
    let world = World::new().await;
    let request = request(&world, 1, 5);
    let begun = world.service.begin_upload(caller(1), &request).await.unwrap();
    world.service.put_chunk(begun.blob_id, request.upload_key, 0, Bytes::from_static(b"hello")).await.unwrap();
    world.service.complete_upload(begun.blob_id, request.upload_key).await.unwrap();
    world.clock.advance(12 * DAY);
    assert_eq!(refusal(world.service.blob(begun.blob_id).await), Refusal::NoSuchBlob);
    assert_eq!(world.service.sweep_blobs().await.unwrap().days, 1);
}

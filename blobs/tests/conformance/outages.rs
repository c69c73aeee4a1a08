//! A store that is away, refuses, or is full.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use futures::stream::BoxStream;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore, PutMultipartOptions,
    PutOptions, PutPayload, PutResult,
};
use rossby_blobs::{BlobError, BlobStore, S3Config};

use crate::world::{Setting, World, config};

#[tokio::test]
async fn a_store_that_is_away_is_told_soon_and_comes_back() {
    let mut world = World::s3().await;
    let id = world.upload(world.plan(1, 5), b"hello").await;
    let Setting::S3(s3) = &mut world.setting else { panic!() };
    s3.stop();
    let begin = Instant::now();
    let away = world.download(id).await;
    assert!(matches!(away, Err(BlobError::Away(_))), "{away:?}");
    let away = world.store.begin(world.plan(2, 5), world.now(), world.now()).await;
    assert!(matches!(away, Err(BlobError::Away(_))), "{away:?}");
    assert!(begin.elapsed() < Duration::from_secs(20));
    let Setting::S3(s3) = &mut world.setting else { panic!() };
    s3.restart().await;
    assert_eq!(world.download(id).await.unwrap(), b"hello");
}

#[tokio::test]
async fn a_store_that_refuses_is_away() {
    let world = World::s3().await;
    let Setting::S3(s3) = &world.setting else { panic!() };
    let right = config(s3);
    for wrong in [
        S3Config { secret_access_key: "another".to_owned(), ..right.clone() },
        S3Config { access_key_id: "another".to_owned(), ..right.clone() },
    ] {
        let store = BlobStore::s3(&wrong).unwrap();
        let refused = store.begin(world.plan(1, 5), world.now(), world.now()).await;
        let Err(BlobError::Away(text)) = refused else { panic!("{refused:?}") };
        assert!(!text.contains(&right.secret_access_key), "{text}");
    }
    assert!(!format!("{right:?}").contains(&right.secret_access_key));
}

/// A store whose disk is full.
#[derive(Debug)]
struct FullDisk(InMemory);

impl fmt::Display for FullDisk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FullDisk")
    }
}

#[async_trait]
impl ObjectStore for FullDisk {
    async fn put_opts(&self, _: &Path, _: PutPayload, _: PutOptions) -> object_store::Result<PutResult> {
        let source = io::Error::from(io::ErrorKind::StorageFull);
        Err(object_store::Error::Generic { store: "FullDisk", source: Box::new(source) })
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> object_store::Result<Box<dyn MultipartUpload>> {
        self.0.put_multipart_opts(location, options).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> object_store::Result<GetResult> {
        self.0.get_opts(location, options).await
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, object_store::Result<Path>>,
    ) -> BoxStream<'static, object_store::Result<Path>> {
        self.0.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, object_store::Result<ObjectMeta>> {
        self.0.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> object_store::Result<ListResult> {
        self.0.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> object_store::Result<()> {
        self.0.copy_opts(from, to, options).await
    }
}

#[tokio::test]
async fn a_full_disk_is_told_as_one() {
    let world = World::folder();
    let full = BlobStore::on(Arc::new(FullDisk(InMemory::new())));
    let refused = full.begin(world.plan(1, 5), world.now(), world.now()).await;
    assert!(matches!(refused, Err(BlobError::Full(_))), "{refused:?}");
}

#[test]
fn a_folder_that_is_not_there_is_told_at_the_start() {
    let refused = BlobStore::folder(std::path::Path::new("/nowhere/at/all"));
    assert!(matches!(refused, Err(BlobError::Setup(_))), "{refused:?}");
}

//! A store in a setting, with a clock that stands.

use bytes::Bytes;
use futures::TryStreamExt as _;
use rossby_blobs::{BlobError, BlobStore, Plan, S3Config};
use rossby_schemas::encoding::FixedOctets;
use rossby_schemas::http::blobs::{BlobId, UploadKey, UploadResponse};
use rossby_schemas::time::{Clock as _, ManualClock, Timestamp};
use rossby_testing::{DAY, S3};
use tempfile::TempDir;

/// One mebioctet.
pub(crate) const CHUNK: usize = 1024 * 1024;

pub(crate) enum Setting {
    Folder(TempDir),
    S3(S3),
}

pub(crate) struct World {
    pub(crate) setting: Setting,
    pub(crate) store: BlobStore,
    pub(crate) clock: ManualClock,
}

/// Makes a test of each function, in each setting.
macro_rules! on_both {
    ($($name:ident),* $(,)?) => {
        mod folder {
            $(#[tokio::test]
            async fn $name() {
                super::$name(crate::world::World::folder()).await;
            })*
        }
        mod s3 {
            $(#[tokio::test]
            async fn $name() {
                super::$name(crate::world::World::s3().await).await;
            })*
        }
    };
}
pub(crate) use on_both;

impl World {
    pub(crate) fn folder() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = BlobStore::folder(folder.path()).unwrap();
        Self { setting: Setting::Folder(folder), store, clock: clock() }
    }

    pub(crate) async fn s3() -> Self {
        let s3 = S3::start().await;
        let store = BlobStore::s3(&config(&s3)).unwrap();
        Self { setting: Setting::S3(s3), store, clock: clock() }
    }

    /// Another process on the same objects.
    pub(crate) fn other_process(&self) -> BlobStore {
        match &self.setting {
            Setting::Folder(folder) => BlobStore::folder(folder.path()).unwrap(),
            Setting::S3(s3) => BlobStore::s3(&config(s3)).unwrap(),
        }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// A plan for a blob that lives ten days.
    pub(crate) fn plan(&self, key: u8, octets: usize) -> Plan {
        let expires_at = self.now().plus(10 * DAY);
        Plan { key: UploadKey(FixedOctets([key; 32])), octets: octets as u64, expires_at }
    }

    pub(crate) async fn begin(&self, plan: Plan) -> UploadResponse {
        self.store.begin(plan, self.now().plus(DAY), self.now()).await.unwrap().into()
    }

    pub(crate) async fn put(&self, id: BlobId, plan: Plan, chunk: u32, octets: &[u8]) -> Result<(), BlobError> {
        self.store.put_chunk(id, &plan.key, chunk, Bytes::copy_from_slice(octets), self.now()).await
    }

    /// A whole blob.
    pub(crate) async fn upload(&self, plan: Plan, octets: &[u8]) -> BlobId {
        let id = self.begin(plan).await.blob_id;
        for (number, chunk) in octets.chunks(CHUNK).enumerate() {
            self.put(id, plan, u32::try_from(number).unwrap(), chunk).await.unwrap();
        }
        let upload: UploadResponse = self.store.complete(id, &plan.key, self.now()).await.unwrap().into();
        assert!(upload.complete);
        id
    }

    pub(crate) async fn download(&self, id: BlobId) -> Result<Vec<u8>, BlobError> {
        let blob = self.store.blob(id, self.now()).await?;
        let end = blob.octets();
        self.download_range(id, 0..end).await
    }

    pub(crate) async fn download_range(&self, id: BlobId, range: std::ops::Range<u64>) -> Result<Vec<u8>, BlobError> {
        let pieces: Vec<Bytes> = self.store.blob(id, self.now()).await?.read(range).try_collect().await?;
        assert!(pieces.iter().all(|piece| piece.len() <= CHUNK));
        Ok(pieces.concat())
    }

    /// The files in which the objects are, by their paths.
    pub(crate) fn files(&self) -> Vec<String> {
        let root = match &self.setting {
            Setting::Folder(folder) => folder.path().to_owned(),
            Setting::S3(s3) => s3.objects(),
        };
        let mut files = Vec::new();
        let mut folders = vec![root.clone()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    files.push(path.strip_prefix(&root).unwrap().display().to_string());
                }
            }
        }
        files.sort();
        files
    }
}

fn clock() -> ManualClock {
    ManualClock::new("2026-11-24T09:00:00Z".parse().unwrap())
}

pub(crate) fn config(s3: &S3) -> S3Config {
    S3Config {
        endpoint: s3.endpoint(),
        bucket: S3::BUCKET.to_owned(),
        region: S3::REGION.to_owned(),
        access_key_id: S3::ACCESS_KEY_ID.to_owned(),
        secret_access_key: S3::SECRET_ACCESS_KEY.to_owned(),
    }
}

/// Octets that differ from place to place.
pub(crate) fn octets(count: usize) -> Vec<u8> {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut octets = Vec::with_capacity(count + 8);
    while octets.len() < count {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        octets.extend_from_slice(&state.to_le_bytes());
    }
    octets.truncate(count);
    octets
}

pub(crate) fn is_not_there<T: std::fmt::Debug>(result: &Result<T, BlobError>) -> bool {
    matches!(result, Err(BlobError::NotThere))
}

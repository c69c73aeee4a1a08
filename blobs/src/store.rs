//! A folder or an S3-compatible store, opened.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use object_store::aws::AmazonS3Builder;
use object_store::local::LocalFileSystem;
use object_store::{BackoffConfig, ClientOptions, ObjectStore, ObjectStoreExt as _, PutMode, RetryConfig};

use crate::about::About;
use crate::error::BlobError;
use crate::place::Place;

/// A store that doesn't answer is given up before a client gives the server up.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
const REQUEST_TIMEOUT: Duration = Duration::from_secs(15);
const RETRY_TIMEOUT: Duration = Duration::from_secs(10);
const RETRIES: usize = 2;

/// An S3-compatible store.
#[derive(Clone)]
pub struct S3Config {
    /// Its URL, such as `https://s3.eu-central-1.amazonaws.com`.
    pub endpoint: String,
    /// The bucket, which must be there.
    pub bucket: String,
    /// The region that requests are signed for.
    pub region: String,
    /// The access key's id.
    pub access_key_id: String,
    /// The access key's secret.
    pub secret_access_key: String,
}

impl fmt::Debug for S3Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("S3Config")
            .field("endpoint", &self.endpoint)
            .field("bucket", &self.bucket)
            .finish_non_exhaustive()
    }
}

/// Where blobs are kept. Cheap to clone.
#[derive(Debug, Clone)]
pub struct BlobStore {
    pub(crate) objects: Arc<dyn ObjectStore>,
    /// The folder, if it is one.
    pub(crate) folder: Option<PathBuf>,
}

impl BlobStore {
    /// Blobs in a folder, which is there. Each chunk is on the disk before it is acknowledged.
    ///
    /// # Errors
    /// [`BlobError::Setup`].
    pub fn folder(folder: &Path) -> Result<Self, BlobError> {
        let failed = |error: object_store::Error| BlobError::Setup(error.to_string());
        let objects = LocalFileSystem::new_with_prefix(folder).map_err(failed)?.with_fsync(true);
        Ok(Self { objects: Arc::new(objects.with_automatic_cleanup(true)), folder: Some(folder.to_owned()) })
    }

    /// Blobs in a bucket of an S3-compatible store, which must heed `If-None-Match: *`. Nothing is asked of it yet.
    ///
    /// # Errors
    /// [`BlobError::Setup`].
    pub fn s3(config: &S3Config) -> Result<Self, BlobError> {
        // Another part of the process may have installed one already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = ClientOptions::new()
            .with_allow_http(config.endpoint.starts_with("http://"))
            .with_connect_timeout(CONNECT_TIMEOUT)
            .with_timeout(REQUEST_TIMEOUT);
        let retry = RetryConfig {
            backoff: BackoffConfig { max_backoff: Duration::from_secs(2), ..BackoffConfig::default() },
            max_retries: RETRIES,
            retry_timeout: RETRY_TIMEOUT,
        };
        let objects = AmazonS3Builder::new()
            .with_endpoint(&config.endpoint)
            .with_bucket_name(&config.bucket)
            .with_region(&config.region)
            .with_access_key_id(&config.access_key_id)
            .with_secret_access_key(&config.secret_access_key)
            .with_client_options(client)
            .with_retry(retry)
            .build()
            .map_err(|error| BlobError::Setup(error.to_string()))?;
        Ok(Self::on(Arc::new(objects)))
    }

    /// Blobs in any store that the crate `object_store` knows.
    #[must_use]
    pub fn on(objects: Arc<dyn ObjectStore>) -> Self {
        Self { objects, folder: None }
    }

    /// What is known of a blob.
    pub(crate) async fn about(&self, place: &Place) -> Result<About, BlobError> {
        About::read(&self.objects.get(&place.about()).await?.bytes().await?)
    }

    /// Stores an object that nobody has stored. Gives whether it was so.
    pub(crate) async fn create(&self, path: &object_store::path::Path, octets: Bytes) -> Result<bool, BlobError> {
        match self.objects.put_opts(path, octets.into(), PutMode::Create.into()).await {
            Ok(_) => Ok(true),
            Err(object_store::Error::AlreadyExists { .. } | object_store::Error::Precondition { .. }) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}

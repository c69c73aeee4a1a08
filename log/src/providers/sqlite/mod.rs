//! The log on SQLite: one file, one process that writes, nothing to set up.
//!
//! All writes go through one task with a connection of its own, which commits whatever has gathered while it was busy
//! with the commit before: under load many appends share one `fsync`, and when idle none waits for another. The file is in
//! WAL mode with `synchronous=FULL`, so an acknowledged record survives the loss of power. Readers have connections
//! of their own and see committed records only.
//!
//! Offsets come from a counter for each partition, not from what is left in it, so that they are never used again.
//! Partitions have no holes: a reader that finds one reports a damaged file.
//!
//! A lock file keeps a second process from opening the same folder for writing. Others may open it with
//! [`SqliteLog::open_read_only`] meanwhile.

mod database;
mod headers;
mod lock;
mod reader;
mod restore;
mod retention;
mod topics;
mod writer;

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use rossby_schemas::time::Clock;
use rossby_schemas::topic::TopicName;
use sqlx::SqlitePool;
use tokio::sync::watch;
use tokio::task::JoinHandle;

pub use self::retention::Swept;
use self::topics::{Partition, Topics};
use self::writer::Writer;
use crate::error::{AppendError, LogError, ReadError};
use crate::metrics;
use crate::port::{Bounds, Log, LogRecord, Offset, PartitionReader};

/// Where the log is and how long it may take.
#[derive(Debug, Clone)]
pub struct SqliteConfig {
    /// The folder of the log's files; made if it is not there.
    pub folder: PathBuf,
    /// After this an append is answered, whatever has become of it.
    pub delivery_timeout: Duration,
    /// The most octets that the file may have. Appends beyond it are refused, as on a full disk.
    pub max_bytes: Option<u64>,
}

impl SqliteConfig {
    /// The log in `folder`, with a delivery time-out of 5 seconds and no limit but the disk's.
    #[must_use]
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into(), delivery_timeout: Duration::from_secs(5), max_bytes: None }
    }
}

/// The log on SQLite.
pub struct SqliteLog {
    config: SqliteConfig,
    clock: Arc<dyn Clock>,
    readers: SqlitePool,
    topics: Topics,
    /// None where the log was opened for reading only.
    writer: Option<Writer>,
    /// Wakes readers when another process has written, where this one does not write.
    watcher: Option<JoinHandle<()>>,
}

impl fmt::Debug for SqliteLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteLog").field("folder", &self.config.folder).finish_non_exhaustive()
    }
}

impl SqliteLog {
    /// Opens the log for reading and writing, and makes it if it is not there.
    ///
    /// # Errors
    /// [`LogError::Failed`] when another process has it open for writing, when SQLite is older than 3.51.3 (those can
    /// corrupt a WAL), or when the files can't be opened or were made by a newer Rossby.
    pub async fn open(config: SqliteConfig, clock: Arc<dyn Clock>) -> Result<Self, LogError> {
        let lock = lock::FolderLock::take(&config.folder)?;
        let file = database::create_file(&config.folder)?;
        let mut connection = database::connect(&file, &config).await?;
        database::check_version(&mut connection).await?;
        database::create_schema(&mut connection).await?;
        let readers = database::reading_pool(&file).await?;
        let topics = Topics::default();
        topics.load(&readers).await?;
        let writer = Writer::start(connection, file, config.clone(), Arc::clone(&clock), lock);
        Ok(Self { config, clock, readers, topics, writer: Some(writer), watcher: None })
    }

    /// Opens a log for reading while another process may be writing it. Appends are refused.
    ///
    /// # Errors
    /// As [`open`](Self::open), and [`LogError::Failed`] when there is no log in the folder.
    pub async fn open_read_only(config: SqliteConfig, clock: Arc<dyn Clock>) -> Result<Self, LogError> {
        let file = database::existing_file(&config.folder)?;
        let readers = database::reading_pool(&file).await?;
        let mut connection = readers.acquire().await.map_err(database::unavailable)?;
        database::check_version(&mut connection).await?;
        database::check_schema(&mut connection).await?;
        drop(connection);
        let topics = Topics::default();
        topics.load(&readers).await?;
        let watcher = tokio::spawn(reader::watch_other_process(readers.clone(), topics.clone()));
        Ok(Self { config, clock, readers, topics, writer: None, watcher: Some(watcher) })
    }

    fn partition(&self, topic: &TopicName, partition: u32) -> Result<Partition, LogError> {
        self.topics.partition(topic, partition)
    }

    fn writer(&self) -> Result<&Writer, LogError> {
        self.writer.as_ref().ok_or_else(|| LogError::Failed("it was opened for reading only".to_owned()))
    }
}

#[async_trait]
impl Log for SqliteLog {
    async fn partitions(&self, topic: &TopicName) -> Result<u32, LogError> {
        self.topics.partitions(topic)
    }

    async fn append(&self, topic: &TopicName, partition: u32, record: LogRecord) -> Result<Offset, AppendError> {
        let started = Instant::now();
        let result = async {
            record.check_size()?;
            let partition = self.partition(topic, partition)?;
            self.writer()?.append(partition, record).await
        }
        .await;
        metrics::appended(topic, started, &result);
        result
    }

    async fn bounds(&self, topic: &TopicName, partition: u32) -> Result<Bounds, LogError> {
        let slot = self.partition(topic, partition)?.slot;
        reader::bounds(&self.readers, slot).await?.ok_or_else(|| LogError::NoSuchTopic(topic.clone()))
    }

    async fn read(
        &self,
        topic: &TopicName,
        partition: u32,
        from: Offset,
    ) -> Result<Box<dyn PartitionReader>, ReadError> {
        let bounds = self.bounds(topic, partition).await?;
        if from < bounds.start || from > bounds.end {
            return Err(ReadError::OutOfRange { from, bounds });
        }
        let place = self.partition(topic, partition)?;
        Ok(Box::new(reader::SqliteReader::new(self.readers.clone(), topic.clone(), place, from)))
    }

    async fn health(&self) -> Result<(), LogError> {
        if let Some(writer) = &self.writer {
            writer.health()?;
        }
        sqlx::query("select 1").execute(&self.readers).await.map(|_| ()).map_err(database::unavailable)
    }

    async fn close(&self) {
        if let Some(watcher) = &self.watcher {
            watcher.abort();
        }
        if let Some(writer) = &self.writer {
            writer.close().await;
        }
        self.readers.close().await;
    }
}

impl Drop for SqliteLog {
    fn drop(&mut self) {
        if let Some(watcher) = &self.watcher {
            watcher.abort();
        }
    }
}

/// The sender by which a partition's readers are woken; what it carries has no meaning.
type Wake = Arc<watch::Sender<()>>;

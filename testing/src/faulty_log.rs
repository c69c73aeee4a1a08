//! A log whose appends and readers fail when a test says so.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use rossby_log::{
    AppendError, Batch, BatchLimit, Bounds, Log, LogError, LogRecord, Offset, PartitionReader, ReadError,
};
use rossby_schemas::topic::{Topic, TopicName};
use tokio::sync::watch;

/// What becomes of appends to a topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Refused before anything was handed over.
    Refused,
    /// Never written, but nobody can tell.
    UnknownLost,
    /// Written, but nobody can tell.
    UnknownWritten,
    /// On its way still: it lands when the test says so.
    UnknownHeld,
}

/// A log whose appends and readers fail as a test says.
#[derive(Debug)]
pub struct FaultyLog {
    log: Arc<dyn Log>,
    faults: Mutex<BTreeMap<Topic, Fault>>,
    /// How many more appends are taken, if that is bounded.
    left: Mutex<Option<usize>>,
    held: Mutex<Vec<(TopicName, u32, LogRecord)>>,
    unreadable: watch::Sender<BTreeSet<Topic>>,
}

impl FaultyLog {
    /// This log, with no fault yet.
    #[must_use]
    pub fn new(log: Arc<dyn Log>) -> Self {
        let unreadable = watch::Sender::default();
        Self { log, faults: Mutex::default(), left: Mutex::default(), held: Mutex::default(), unreadable }
    }

    /// What becomes of appends to every topic from now on.
    pub fn set_all(&self, fault: Option<Fault>) {
        for topic in Topic::ALL {
            self.set(topic, fault);
        }
    }

    /// What becomes of appends to a topic from now on.
    pub fn set(&self, topic: Topic, fault: Option<Fault>) {
        let mut faults = self.faults.lock().unwrap();
        match fault {
            Some(fault) => faults.insert(topic, fault),
            None => faults.remove(&topic),
        };
    }

    /// Takes so many more appends, and refuses all after them: as for a process that dies between two steps.
    pub fn refuse_after(&self, appends: Option<usize>) {
        *self.left.lock().unwrap() = appends;
    }

    fn is_used_up(&self) -> bool {
        match &mut *self.left.lock().unwrap() {
            None => false,
            Some(0) => true,
            Some(left) => {
                *left -= 1;
                false
            }
        }
    }

    /// Whether a topic's readers fail from now on, those too that are there already.
    pub fn set_unreadable(&self, topic: Topic, is_unreadable: bool) {
        self.unreadable.send_modify(|topics| {
            if is_unreadable {
                topics.insert(topic);
            } else {
                topics.remove(&topic);
            }
        });
    }

    /// What was held back lands now, in its order.
    pub async fn land(&self) {
        let held = std::mem::take(&mut *self.held.lock().unwrap());
        for (topic, partition, record) in held {
            self.log.append(&topic, partition, record).await.unwrap();
        }
    }
}

#[async_trait]
impl Log for FaultyLog {
    async fn partitions(&self, topic: &TopicName) -> Result<u32, LogError> {
        self.log.partitions(topic).await
    }

    async fn append(&self, topic: &TopicName, partition: u32, record: LogRecord) -> Result<Offset, AppendError> {
        let fault = self.faults.lock().unwrap().get(&topic.topic).copied();
        let fault = if self.is_used_up() { Some(Fault::Refused) } else { fault };
        let unknown = || Err(AppendError::Unknown("timed out".to_owned()));
        match fault {
            None => self.log.append(topic, partition, record).await,
            Some(Fault::Refused) => Err(AppendError::Refused(LogError::Unavailable("down".to_owned()))),
            Some(Fault::UnknownLost) => unknown(),
            Some(Fault::UnknownWritten) => {
                self.log.append(topic, partition, record).await?;
                unknown()
            }
            Some(Fault::UnknownHeld) => {
                self.held.lock().unwrap().push((topic.clone(), partition, record));
                unknown()
            }
        }
    }

    async fn bounds(&self, topic: &TopicName, partition: u32) -> Result<Bounds, LogError> {
        self.log.bounds(topic, partition).await
    }

    async fn read(
        &self,
        topic: &TopicName,
        partition: u32,
        from: Offset,
    ) -> Result<Box<dyn PartitionReader>, ReadError> {
        let (topic_kind, unreadable) = (topic.topic, self.unreadable.subscribe());
        let reader = self.log.read(topic, partition, from).await?;
        Ok(Box::new(FaultyReader { reader, topic: topic_kind, unreadable }))
    }

    async fn health(&self) -> Result<(), LogError> {
        self.log.health().await
    }

    async fn close(&self) {
        self.log.close().await;
    }
}

/// A reader that fails while its topic is unreadable.
#[derive(Debug)]
struct FaultyReader {
    reader: Box<dyn PartitionReader>,
    topic: Topic,
    unreadable: watch::Receiver<BTreeSet<Topic>>,
}

#[async_trait]
impl PartitionReader for FaultyReader {
    async fn next(&mut self, limit: BatchLimit) -> Result<Batch, ReadError> {
        let topic = self.topic;
        tokio::select! {
            biased;
            _ = self.unreadable.wait_for(|topics| topics.contains(&topic)) => {
                Err(LogError::Failed("it can't be read".to_owned()).into())
            }
            batch = self.reader.next(limit) => batch,
        }
    }
}

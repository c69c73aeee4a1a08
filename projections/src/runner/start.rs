//! Where to begin in a partition, and what a position that does not fit means.

use rossby_log::{BatchLimit, Bounds, LogError, Offset, PartitionReader, ReadError, StoredRecord};
use rossby_schemas::encoding::{FixedOctets, Sha256Digest};
use rossby_schemas::topic::{MESSAGE_LIFETIME, Topic};
use sha2::{Digest as _, Sha256};

use super::partition::{Interruption, Worker};
use super::status;
use crate::store::Position;

/// Where a worker begins.
pub(super) struct Start {
    pub(super) reader: Box<dyn PartitionReader>,
    /// The offset in the stored position, from which the next move is made.
    pub(super) stored: Option<Offset>,
}

impl Worker {
    /// Finds where to begin: the stored position, if the partition is still the one that it is of.
    pub(super) async fn start(&self) -> Result<Start, Interruption> {
        let position = self.models.store.position(self.projection, &self.topic, self.partition).await?;
        let bounds = self.log.bounds(&self.topic, self.partition).await?;
        let mut stored = position.map(|position| position.next_offset);
        let from = match position {
            None => self.first_start(bounds)?,
            Some(position) if self.is_another_partition(position, bounds).await? => self.made_anew(bounds)?,
            Some(position) if position.next_offset < bounds.start && self.topic.topic == Topic::Registrations => {
                self.forget_registrations(position.next_offset, bounds.start).await?;
                stored = Some(bounds.start);
                bounds.start
            }
            Some(position) if position.next_offset < bounds.start => self.overtaken(position, bounds).await?,
            Some(position) => position.next_offset,
        };
        let reader = self.log.read(&self.topic, self.partition, from).await.map_err(Interruption::from)?;
        self.change_status(|status| {
            status.next_offset = from;
            status.end = bounds.end;
        });
        Ok(Start { reader, stored })
    }

    /// An empty database: from the beginning, if it is still there.
    fn first_start(&self, bounds: Bounds) -> Result<Offset, Interruption> {
        if bounds.start > 0 && self.is_kept_for_ever() {
            return Err(Interruption::Stop(format!(
                "the log has lost its records before offset {}, without which the tables can't be built",
                bounds.start
            )));
        }
        Ok(bounds.start)
    }

    /// Whether the partition is another one by the same name: it ends before the position, or has another record where the
    /// last one was applied.
    async fn is_another_partition(&self, position: Position, bounds: Bounds) -> Result<bool, Interruption> {
        if position.next_offset > bounds.end {
            return Ok(true);
        }
        match position.last {
            Some(last) if last.offset >= bounds.start => match self.record_at(last.offset).await? {
                Some(record) => Ok(record_hash(&record) != last.hash),
                None => Ok(true),
            },
            _ => Ok(false),
        }
    }

    async fn record_at(&self, offset: Offset) -> Result<Option<StoredRecord>, Interruption> {
        let mut reader = self.log.read(&self.topic, self.partition, offset).await.map_err(Interruption::from)?;
        let batch = reader.next(BatchLimit { records: 1, bytes: 1 }).await.map_err(Interruption::from)?;
        Ok(batch.records.into_iter().next().filter(|record| record.offset == offset))
    }

    /// A mirrored topic is read again from its start, since all is idempotent. A local one was replaced by mistake.
    fn made_anew(&self, bounds: Bounds) -> Result<Offset, Interruption> {
        if self.topic.mirrored_from.is_some() {
            tracing::warn!(topic = %self.topic, partition = self.partition, "the mirrored topic was made anew; reading it again");
            return Ok(bounds.start);
        }
        Err(Interruption::Stop(
            "the topic was made anew: it has not the record that was applied last. Restore the log, or build the read \
             models anew from an empty database"
                .to_owned(),
        ))
    }

    /// Retention has removed records that were not applied.
    async fn overtaken(&self, position: Position, bounds: Bounds) -> Result<Offset, Interruption> {
        let missed = bounds.start - position.next_offset;
        match self.topic.topic {
            Topic::Registrations | Topic::Signals => {}
            Topic::Inbox => {
                // What was appended before a record that is older than any message lives has expired.
                let oldest = if bounds.start < bounds.end { self.record_at(bounds.start).await? } else { None };
                let horizon = self.clock.now().minus(MESSAGE_LIFETIME);
                if oldest.is_none_or(|record| record.appended_at > horizon) {
                    tracing::error!(
                        topic = %self.topic, partition = self.partition, records = missed,
                        "the log has lost records that were not applied, and messages with them"
                    );
                    status::count(self.projection, "lost", missed);
                }
            }
            Topic::Identifiers | Topic::Keys | Topic::Profiles => {
                return Err(Interruption::Stop(format!(
                    "the log has lost {missed} records that were not applied, before offset {}",
                    bounds.start
                )));
            }
        }
        Ok(bounds.start)
    }

    fn is_kept_for_ever(&self) -> bool {
        matches!(self.topic.topic, Topic::Identifiers | Topic::Keys | Topic::Profiles)
    }
}

/// SHA-256 over a record: its key, headers and value, each with its length.
pub(super) fn record_hash(record: &StoredRecord) -> Sha256Digest {
    let mut hash = Sha256::new();
    let mut field = |octets: Option<&[u8]>| {
        let length = octets.map_or(u64::MAX, |octets| octets.len() as u64);
        hash.update(length.to_be_bytes());
        hash.update(octets.unwrap_or_default());
    };
    field(record.record.key.as_deref());
    for (name, value) in &record.record.headers {
        field(Some(name.as_bytes()));
        field(Some(value));
    }
    field(record.record.value.as_deref());
    FixedOctets(hash.finalize().into())
}

impl From<ReadError> for Interruption {
    fn from(error: ReadError) -> Self {
        match error {
            // The next start finds out why.
            ReadError::OutOfRange { .. } => Self::Retry(error.to_string()),
            ReadError::Log(error) => error.into(),
        }
    }
}

impl From<LogError> for Interruption {
    fn from(error: LogError) -> Self {
        match error {
            LogError::Unavailable(_) | LogError::Closed => Self::Retry(error.to_string()),
            LogError::NoSuchTopic(_) => Self::NoTopic(error.to_string()),
            LogError::NoSuchPartition { .. } | LogError::Failed(_) => Self::Stop(error.to_string()),
        }
    }
}

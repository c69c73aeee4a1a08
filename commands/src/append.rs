//! From events to records: the one place where envelopes are built and appended.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use rossby_log::{AppendError, Log, LogError, LogRecord, Offset, partition_for};
use rossby_schemas::envelope::{Control, Envelope};
use rossby_schemas::events::Event;
use rossby_schemas::ids::{BoxId, CommandId, EventId, IdentifierHash, RegionNumber};
use rossby_schemas::time::{Clock, Timestamp};
use rossby_schemas::topic::{Topic, TopicName};

use crate::config::{IdentifierSlots, ServiceConfig};
use crate::identity::CommandIdentity;
use crate::position::Position;

/// A control stream, and what its records are partitioned by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stream {
    pub(crate) topic: Topic,
    pub(crate) name: String,
    of: Of,
}

/// Whose stream it is: its key, from which its home follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Of {
    Identifier(IdentifierHash),
    Box(BoxId),
}

impl Stream {
    /// An identifier's registrations of one day, by the stream's name.
    pub(crate) fn registrations(identifier: IdentifierHash, name: String) -> Self {
        Self { topic: Topic::Registrations, name, of: Of::Identifier(identifier) }
    }

    pub(crate) fn identifier(identifier: IdentifierHash) -> Self {
        Self { topic: Topic::Identifiers, name: identifier.to_string(), of: Of::Identifier(identifier) }
    }

    pub(crate) fn keys(box_id: BoxId) -> Self {
        Self { topic: Topic::Keys, name: box_id.to_string(), of: Of::Box(box_id) }
    }

    pub(crate) fn profile(box_id: BoxId) -> Self {
        Self { topic: Topic::Profiles, name: box_id.to_string(), of: Of::Box(box_id) }
    }

    fn key(&self) -> String {
        match self.of {
            Of::Identifier(hash) => hash.to_string(),
            Of::Box(box_id) => box_id.to_string(),
        }
    }

    /// The id of the event that a command's step appends to this stream.
    pub(crate) fn event_id(&self, command: CommandId, step: u32) -> EventId {
        EventId::derive(self.topic, &self.name, command, step)
    }
}

/// Appends control events to the log of their stream's home, and everything else to this region's.
#[derive(Debug, Clone)]
pub(crate) struct Appender {
    region: RegionNumber,
    slots: IdentifierSlots,
    log: Arc<dyn Log>,
    /// The logs of the other regions.
    others: BTreeMap<RegionNumber, Arc<dyn Log>>,
    clock: Arc<dyn Clock>,
}

impl Appender {
    pub(crate) fn new(
        config: &ServiceConfig,
        log: Arc<dyn Log>,
        others: BTreeMap<RegionNumber, Arc<dyn Log>>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self { region: config.region, slots: config.slots.clone(), log, others, clock }
    }

    /// The log that decides for a stream.
    fn home(&self, stream: &Stream) -> Result<&dyn Log, LogError> {
        let home = match stream.of {
            Of::Box(box_id) => Some(box_id.region()),
            Of::Identifier(hash) => self.slots.home(hash.slot()),
        };
        match home {
            Some(home) if home == self.region => Ok(&*self.log),
            home => {
                let log = home.and_then(|home| self.others.get(&home));
                log.map(|log| &**log)
                    .ok_or_else(|| LogError::Unavailable(format!("no log of region {home:?} is known")))
            }
        }
    }

    /// Appends a control event that was decided on `expected_version` of its stream.
    pub(crate) async fn control(
        &self,
        stream: &Stream,
        command: &CommandIdentity,
        step: u32,
        expected_version: u64,
        event: &Event,
    ) -> Result<EventId, AppendError> {
        let id = stream.event_id(command.id, step);
        let control = Control { expected_version, command: command.id, step, command_hash: command.hash };
        let envelope = self.envelope(id, stream.name.clone(), self.clock.now(), Some(control), event);
        append(self.home(stream)?, stream.topic, &stream.key(), &envelope).await?;
        Ok(id)
    }

    /// Appends a fact to the inbox: of the box or rendezvous with this key. The event's id is the one given, so that a repeated
    /// fact is the same event.
    pub(crate) async fn fact(
        &self,
        key: &str,
        id: EventId,
        accepted_at: Timestamp,
        event: &Event,
    ) -> Result<Position, AppendError> {
        let envelope = self.envelope(id, key.to_owned(), accepted_at, None, event);
        self.local(Topic::Inbox, key, &envelope).await
    }

    /// Appends a signal to its box's.
    pub(crate) async fn signal(
        &self,
        box_id: BoxId,
        id: EventId,
        sent_at: Timestamp,
        event: &Event,
    ) -> Result<Position, AppendError> {
        let key = box_id.to_string();
        let envelope = self.envelope(id, key.clone(), sent_at, None, event);
        self.local(Topic::Signals, &key, &envelope).await
    }

    /// This region's log.
    pub(crate) fn log(&self) -> Arc<dyn Log> {
        Arc::clone(&self.log)
    }

    /// The partition of this region's topic in which a key's records stand.
    pub(crate) async fn partition(&self, topic: Topic, key: &str) -> Result<u32, AppendError> {
        Ok(partition(&*self.log, topic, key).await?)
    }

    fn envelope(
        &self,
        id: EventId,
        stream: String,
        time: Timestamp,
        control: Option<Control>,
        event: &Event,
    ) -> Envelope {
        let (content_type, data) = event.encode();
        Envelope {
            id,
            event_type: event.event_type().to_owned(),
            region: self.region,
            stream,
            time,
            control,
            outer_id: event.outer_id(),
            content_type: content_type.to_owned(),
            data,
        }
    }

    async fn local(&self, topic: Topic, key: &str, envelope: &Envelope) -> Result<Position, AppendError> {
        let (partition, offset) = append(&*self.log, topic, key, envelope).await?;
        Ok(Position { region: self.region, topic, partition, offset })
    }
}

/// The partition in which a key's records stand in the region that has this log.
async fn partition(log: &dyn Log, topic: Topic, key: &str) -> Result<u32, LogError> {
    let partitions = log.partitions(&TopicName::local(topic)).await?;
    Ok(partition_for(key.as_bytes(), partitions))
}

async fn append(log: &dyn Log, topic: Topic, key: &str, envelope: &Envelope) -> Result<(u32, Offset), AppendError> {
    let partition = partition(log, topic, key).await?;
    let record = LogRecord {
        key: Some(Bytes::copy_from_slice(key.as_bytes())),
        headers: envelope.headers(),
        value: Some(envelope.data.clone()),
    };
    let offset = log.append(&TopicName::local(topic), partition, record).await?;
    Ok((partition, offset))
}

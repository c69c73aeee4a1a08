//! From events to records: the one place where envelopes are built and appended.

use std::sync::Arc;

use bytes::Bytes;
use rossby_log::{AppendError, Log, LogRecord, partition_for};
use rossby_schemas::envelope::{Control, Envelope};
use rossby_schemas::events::Event;
use rossby_schemas::ids::{BoxId, CommandId, EventId, IdentifierHash, RegionNumber};
use rossby_schemas::time::{Clock, Timestamp};
use rossby_schemas::topic::{Topic, TopicName};

use crate::identity::CommandIdentity;
use crate::position::Position;

/// A control stream, and the key under which its records are partitioned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stream {
    pub(crate) topic: Topic,
    pub(crate) name: String,
    key: String,
}

impl Stream {
    /// An identifier's registrations of one day, by the stream's name.
    pub(crate) fn registrations(identifier: IdentifierHash, name: String) -> Self {
        Self { topic: Topic::Registrations, name, key: identifier.to_string() }
    }

    pub(crate) fn identifier(identifier: IdentifierHash) -> Self {
        let name = identifier.to_string();
        Self { topic: Topic::Identifiers, key: name.clone(), name }
    }

    pub(crate) fn keys(box_id: BoxId) -> Self {
        let name = box_id.to_string();
        Self { topic: Topic::Keys, key: name.clone(), name }
    }

    pub(crate) fn profile(box_id: BoxId) -> Self {
        let name = box_id.to_string();
        Self { topic: Topic::Profiles, key: name.clone(), name }
    }

    /// The id of the event that a command's step appends to this stream.
    pub(crate) fn event_id(&self, command: CommandId, step: u32) -> EventId {
        EventId::derive(self.topic, &self.name, command, step)
    }
}

/// Appends events to this region's own topics.
#[derive(Debug, Clone)]
pub(crate) struct Appender {
    region: RegionNumber,
    log: Arc<dyn Log>,
    clock: Arc<dyn Clock>,
}

impl Appender {
    pub(crate) fn new(region: RegionNumber, log: Arc<dyn Log>, clock: Arc<dyn Clock>) -> Self {
        Self { region, log, clock }
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
        self.append(stream.topic, &stream.key, &envelope).await?;
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
        self.append(Topic::Inbox, key, &envelope).await
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
        self.append(Topic::Signals, &key, &envelope).await
    }

    /// The log that it appends to.
    pub(crate) fn log(&self) -> Arc<dyn Log> {
        Arc::clone(&self.log)
    }

    /// The partition of this region's topic in which a key's records stand.
    pub(crate) async fn partition(&self, topic: Topic, key: &str) -> Result<u32, AppendError> {
        let partitions = self.log.partitions(&TopicName::local(topic)).await?;
        Ok(partition_for(key.as_bytes(), partitions))
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

    async fn append(&self, topic: Topic, key: &str, envelope: &Envelope) -> Result<Position, AppendError> {
        let partition = self.partition(topic, key).await?;
        let record = LogRecord {
            key: Some(Bytes::copy_from_slice(key.as_bytes())),
            headers: envelope.headers(),
            value: Some(envelope.data.clone()),
        };
        let offset = self.log.append(&TopicName::local(topic), partition, record).await?;
        Ok(Position { region: self.region, topic, partition, offset })
    }
}

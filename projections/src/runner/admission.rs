//! Admission: which records take effect. The versions alone decide, so that a replay decides the same for ever.

use rossby_log::{Batch, StoredRecord};
use rossby_schemas::envelope::{Control, Envelope};
use rossby_schemas::events::{DecodeError, Event};
use rossby_schemas::ids::RegionNumber;
use rossby_schemas::topic::{Topic, TopicName};

use super::homes::Homes;
use super::start::record_hash;
use crate::inbox::Place;
use crate::projection::Projection;
use crate::store::{LastRecord, Position, Quarantined, StoreError, Tx};
use crate::{history, inbox, keys, profiles};

/// What is needed to apply a partition's records.
pub(super) struct Applying<'a> {
    pub(super) projection: Projection,
    pub(super) topic: &'a TopicName,
    pub(super) partition: u32,
    /// The region that writes the topic: its streams are at home there, and no others stand in it.
    pub(super) source: RegionNumber,
    pub(super) homes: &'a Homes,
}

/// What came of a batch.
pub(super) struct Admission {
    /// Where the projection stands after it.
    pub(super) position: Position,
    /// Why it may not go on, if it may not: the record at the position is the cause.
    pub(super) stop: Option<String>,
    /// How many records had which outcome.
    pub(super) counts: Vec<(&'static str, u64)>,
}

/// What becomes of a record.
enum Outcome {
    /// It was applied, or has no effect.
    Passed(&'static str),
    /// It can't be applied, and later ones can.
    Aside { event_type: String, reason: String },
    /// It can't be applied, and later ones may depend on it.
    Stop(String),
}

impl Applying<'_> {
    /// Applies records up to the first that stops the partition.
    pub(super) async fn batch(&self, tx: &mut Tx, batch: &Batch) -> Result<Admission, StoreError> {
        let mut position = Position { next_offset: batch.next_offset, last: None };
        let (mut stop, mut counts) = (None, Vec::new());
        for record in &batch.records {
            let outcome = match self.record(tx, record).await? {
                Outcome::Passed(outcome) => outcome,
                Outcome::Aside { event_type, reason } => {
                    self.put_aside(tx, record, event_type, reason).await?;
                    "quarantined"
                }
                Outcome::Stop(reason) => {
                    position.next_offset = record.offset;
                    stop = Some(format!("offset {}: {reason}", record.offset));
                    break;
                }
            };
            match counts.iter_mut().find(|(counted, _)| *counted == outcome) {
                Some((_, count)) => *count += 1,
                None => counts.push((outcome, 1)),
            }
            position.last = Some(LastRecord { offset: record.offset, hash: record_hash(record) });
        }
        Ok(Admission { position, stop, counts })
    }

    async fn record(&self, tx: &mut Tx, record: &StoredRecord) -> Result<Outcome, StoreError> {
        let envelope = match Envelope::from_record(&record.record.headers, record.record.value.as_ref()) {
            Ok(envelope) => envelope,
            Err(error) => return Ok(self.not_applicable(String::new(), error.to_string())),
        };
        let event = match Event::decode(&envelope) {
            Ok(Event::PartitionCheckpointV1(_)) => return Ok(Outcome::Passed("checkpoint")),
            Ok(event) => event,
            Err(error @ (DecodeError::UnknownType(_) | DecodeError::Malformed { .. })) => {
                return Ok(self.not_applicable(envelope.event_type, error.to_string()));
            }
        };
        if self.topic.topic == Topic::Inbox {
            return self.fact(tx, &envelope, &event, record).await;
        }
        match self.check_place(&envelope, &event) {
            Ok(control) => self.control(tx, &envelope, control, &event).await,
            Err(outcome) => Ok(outcome),
        }
    }

    /// A control stream can't do without a record, the queue can.
    fn not_applicable(&self, event_type: String, reason: String) -> Outcome {
        if self.topic.topic.is_control() { Outcome::Stop(reason) } else { Outcome::Aside { event_type, reason } }
    }

    async fn fact(
        &self,
        tx: &mut Tx,
        envelope: &Envelope,
        event: &Event,
        record: &StoredRecord,
    ) -> Result<Outcome, StoreError> {
        match inbox::fact(envelope, event) {
            Ok(fact) => {
                let place = Place { region: self.source, partition: self.partition, offset: record.offset };
                inbox::apply_fact(tx, envelope, event, &fact, place).await?;
                Ok(Outcome::Passed("applied"))
            }
            Err(why) => Ok(self.not_applicable(envelope.event_type.clone(), why.to_string())),
        }
    }

    /// Whether a control event stands where it says that it belongs.
    fn check_place<'e>(&self, envelope: &'e Envelope, event: &Event) -> Result<&'e Control, Outcome> {
        let Some(control) = &envelope.control else {
            return Err(Outcome::Stop("a control event without an expected version".to_owned()));
        };
        if event.topic() != Some(self.topic.topic) {
            return Err(Outcome::Stop(format!("an event of type {} in {}", event.event_type(), self.topic)));
        }
        if !is_of_stream(event, &envelope.stream) {
            return Err(Outcome::Stop("the event's data is of another stream than its subject".to_owned()));
        }
        match self.homes.of(self.topic.topic, &envelope.stream) {
            Some(home) if home == self.source => Ok(control),
            Some(home) => Err(Outcome::Aside {
                event_type: envelope.event_type.clone(),
                reason: format!("the stream is at home in region {home}"),
            }),
            None => Err(Outcome::Stop("the event's subject names no stream of the topic".to_owned())),
        }
    }

    /// The duplicate check comes before the version check: a repeated event is no conflict.
    async fn control(
        &self,
        tx: &mut Tx,
        envelope: &Envelope,
        control: &Control,
        event: &Event,
    ) -> Result<Outcome, StoreError> {
        if tx.was_admitted(self.projection, envelope.id).await? {
            return Ok(Outcome::Passed("duplicate"));
        }
        let topic = self.topic.topic;
        let version = tx.version(self.projection, topic, &envelope.stream).await?;
        if control.expected_version < version {
            tx.supersede(self.projection, topic, envelope, control).await?;
            return Ok(Outcome::Passed("superseded"));
        }
        if control.expected_version > version {
            // The beginning of a day's stream may have expired; what is left of it means nothing.
            if topic == Topic::Registrations && version == 0 {
                return Ok(Outcome::Passed("ignored"));
            }
            return Ok(Outcome::Stop(format!(
                "the stream {} is at version {version}, and the event expects {}: a record is lost",
                envelope.stream, control.expected_version
            )));
        }
        tx.admit(self.projection, topic, envelope, control).await?;
        match self.projection {
            Projection::Inbox => inbox::apply(tx, envelope, control, event).await?,
            Projection::Keys => keys::apply(tx, envelope, control, event).await?,
            Projection::Profiles => profiles::apply(tx, event).await?,
            Projection::History => history::apply(tx, topic, envelope, control, event).await?,
        }
        Ok(Outcome::Passed("admitted"))
    }

    async fn put_aside(
        &self,
        tx: &mut Tx,
        record: &StoredRecord,
        event_type: String,
        reason: String,
    ) -> Result<(), StoreError> {
        tracing::warn!(
            projection = %self.projection, topic = %self.topic, partition = self.partition, offset = record.offset,
            event_type, reason, "a record was put into quarantine"
        );
        let quarantined = Quarantined {
            offset: record.offset,
            appended_at: record.appended_at,
            event_type,
            reason,
            headers: record.record.headers.clone(),
            value: record.record.value.clone(),
        };
        tx.put_aside(self.projection, self.topic, self.partition, &quarantined).await
    }
}

/// Applies a quarantined record of the inbox if this version knows it.
pub(super) async fn apply_known(
    tx: &mut Tx,
    (region, partition): (RegionNumber, u32),
    record: &Quarantined,
) -> Result<bool, StoreError> {
    let Ok(envelope) = Envelope::from_record(&record.headers, record.value.as_ref()) else { return Ok(false) };
    let Ok(event) = Event::decode(&envelope) else { return Ok(false) };
    let Ok(fact) = inbox::fact(&envelope, &event) else { return Ok(false) };
    let place = Place { region, partition, offset: record.offset };
    inbox::apply_fact(tx, &envelope, &event, &fact, place).await?;
    Ok(true)
}

/// Whether an event's data is of the stream that its subject names.
fn is_of_stream(event: &Event, stream: &str) -> bool {
    let of_box = |id: rossby_schemas::ids::BoxId| id.to_string() == stream;
    let of_identifier = |hash: rossby_schemas::ids::IdentifierHash| {
        stream.strip_prefix(hash.to_string().as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    match event {
        Event::RegistrationAskedV1(e) => of_identifier(e.identifier_hash),
        // They name the registration alone.
        Event::CodeIssuedV1(_) | Event::CodeGuessedV1(_) => true,
        Event::CodeAskedV1(e) => of_identifier(e.identifier_hash),
        Event::IdentifierVerifiedV1(e) => of_identifier(e.identifier_hash),
        Event::IdentifierVerifiedV2(e) => of_identifier(e.identifier_hash),
        Event::IdentifierReleasedV1(e) => of_identifier(e.identifier_hash),
        Event::IdentifierReleasedV2(e) => of_identifier(e.identifier_hash),
        Event::IdentifierClaimedV1(e) => of_identifier(e.identifier_hash),
        Event::ClaimObjectedV1(e) => of_identifier(e.identifier_hash),
        Event::BoxFoundedV1(e) => of_box(e.box_id),
        Event::DeviceLinkedV1(e) => of_box(e.box_id),
        Event::SealingKeyStatedV1(e) => of_box(e.box_id),
        Event::DeviceRemovedV1(e) => of_box(e.box_id),
        Event::TokenRevokedV1(e) => of_box(e.box_id),
        Event::BoxClosingV1(e) => of_box(e.box_id),
        Event::BoxClosedV1(e) => of_box(e.box_id),
        Event::DiscoverableSetV1(e) => of_box(e.box_id),
        Event::AcceptFromSetV1(e) => of_box(e.box_id),
        Event::BoxBlockedV1(e) => of_box(e.box_id),
        Event::BoxUnblockedV1(e) => of_box(e.box_id),
        Event::ContactAddedV1(e) => of_box(e.box_id),
        Event::ContactRemovedV1(e) => of_box(e.box_id),
        Event::ProfileBlobSetV1(e) => of_box(e.box_id),
        Event::MessagesAcknowledgedV1(e) => of_box(e.box_id),
        Event::MessageEnqueuedV1(e) => of_box(e.box_id),
        Event::SignalSentV1(e) => of_box(e.box_id),
        Event::RendezvousPostedV1(e) => e.rendezvous_id.to_string() == stream,
        Event::PartitionCheckpointV1(_) => true,
    }
}

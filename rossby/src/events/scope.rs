//! What of the log concerns one box: what is keyed by it, and every stream of an identifier that ever named it.

use std::collections::BTreeSet;

use rossby_log::LogRecord;
use rossby_schemas::envelope::Envelope;
use rossby_schemas::events::Event;
use rossby_schemas::ids::BoxId;
use rossby_schemas::topic::{Topic, TopicName};

use super::source::Source;

/// The keys of the records that concern a box.
#[derive(Debug, Clone)]
pub(crate) struct Scope {
    box_id: BoxId,
    /// The identifiers that were registered, verified or claimed for it, or belonged to it then.
    identifiers: BTreeSet<Vec<u8>>,
}

impl Scope {
    /// Looks for the identifiers of a box in the whole log: streams are taken from their first event on, or those events would have
    /// nothing to stand on.
    ///
    /// # Errors
    /// The log can't be read.
    pub(crate) async fn of_box(source: &Source, box_id: BoxId) -> anyhow::Result<Self> {
        let mut scope = Self { box_id, identifiers: BTreeSet::new() };
        for stretch in source.stretches(|topic| is_by_identifier(topic.topic)).await? {
            source
                .scan(&stretch, |record| {
                    scope.learn(&record.record);
                    Ok(())
                })
                .await?;
        }
        Ok(scope)
    }

    /// Whether a record concerns the box.
    pub(crate) fn takes(&self, topic: &TopicName, record: &LogRecord) -> bool {
        let Some(key) = record.key.as_deref() else { return false };
        match is_by_identifier(topic.topic) {
            true => self.identifiers.contains(key),
            false => key == self.box_id.to_string().as_bytes(),
        }
    }

    /// Takes up the identifier of a record that names the box.
    pub(crate) fn learn(&mut self, record: &LogRecord) {
        let Ok(envelope) = Envelope::from_record(&record.headers, record.value.as_ref()) else { return };
        let Ok(event) = Event::decode(&envelope) else { return };
        if let (true, Some(key)) = (boxes(&event).contains(&self.box_id), &record.key) {
            self.identifiers.insert(key.to_vec());
        }
    }
}

/// Whether a topic's records are keyed by identifiers.
pub(crate) const fn is_by_identifier(topic: Topic) -> bool {
    matches!(topic, Topic::Registrations | Topic::Identifiers)
}

/// The boxes that an event of an identifier's streams names.
fn boxes(event: &Event) -> Vec<BoxId> {
    match event {
        Event::RegistrationAskedV1(e) => vec![e.box_id],
        Event::CodeAskedV1(e) => vec![e.box_id],
        Event::IdentifierVerifiedV1(e) => vec![e.box_id],
        Event::IdentifierVerifiedV2(e) => vec![e.box_id],
        Event::IdentifierReleasedV1(e) => vec![e.box_id],
        Event::IdentifierReleasedV2(e) => vec![e.box_id],
        Event::IdentifierClaimedV1(e) => vec![e.box_id, e.owner],
        Event::ClaimObjectedV1(e) => vec![e.box_id],
        _ => Vec::new(),
    }
}

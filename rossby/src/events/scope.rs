//! What of the log concerns a box: what is keyed by it, and every stream of an identifier that ever named it.

use std::collections::BTreeSet;

use rossby_log::{LogRecord, StoredRecord};
use rossby_projections::named_boxes;
use rossby_schemas::envelope::Envelope;
use rossby_schemas::events::Event;
use rossby_schemas::ids::{BoxId, IdentifierHash};
use rossby_schemas::topic::{Topic, TopicName};

use super::source::{Source, Stretch};

/// The keys of the records that concern some boxes.
#[derive(Debug, Clone)]
pub(crate) struct Scope {
    boxes: BTreeSet<BoxId>,
    /// The identifiers that were registered, verified or claimed for them, or belonged to them then.
    identifiers: BTreeSet<Vec<u8>>,
}

impl Scope {
    /// Looks for the identifiers of a box in the whole log: streams are taken from their first event on, or those events would have
    /// nothing to stand on.
    ///
    /// # Errors
    /// The log can't be read.
    pub(crate) async fn of_box(source: &Source, box_id: BoxId) -> anyhow::Result<Self> {
        Self::of_boxes(source, &BTreeSet::from([box_id])).await
    }

    /// What concerns an identifier alone.
    pub(crate) fn of_identifiers(hashes: &[IdentifierHash]) -> Self {
        let identifiers = hashes.iter().map(|hash| hash.to_string().into_bytes()).collect();
        Self { boxes: BTreeSet::new(), identifiers }
    }

    /// The same for several boxes.
    ///
    /// # Errors
    /// The log can't be read.
    pub(crate) async fn of_boxes(source: &Source, boxes: &BTreeSet<BoxId>) -> anyhow::Result<Self> {
        let mut scope = Self { boxes: boxes.clone(), identifiers: BTreeSet::new() };
        let stretches = source.stretches(|topic| is_by_identifier(topic.topic)).await?;
        let learn = |_: &Stretch, record: &StoredRecord| {
            scope.learn(&record.record);
            Ok(())
        };
        source.scan(&stretches, "looking for identifiers", learn).await?;
        Ok(scope)
    }

    /// Whether a record concerns them.
    pub(crate) fn takes(&self, topic: &TopicName, record: &LogRecord) -> bool {
        let Some(key) = record.key.as_deref() else { return false };
        match is_by_identifier(topic.topic) {
            true => self.identifiers.contains(key),
            false => {
                let id = std::str::from_utf8(key).ok().and_then(|key| key.parse().ok());
                id.is_some_and(|id| self.boxes.contains(&id))
            }
        }
    }

    /// Takes up the identifier of a record that names one of the boxes.
    pub(crate) fn learn(&mut self, record: &LogRecord) {
        let Ok(envelope) = Envelope::from_record(&record.headers, record.value.as_ref()) else { return };
        let Ok(event) = Event::decode(&envelope) else { return };
        if let (true, Some(key)) = (named_boxes(&event).iter().any(|id| self.boxes.contains(id)), &record.key) {
            self.identifiers.insert(key.to_vec());
        }
    }
}

/// Whether a topic's records are keyed by identifiers.
pub(crate) const fn is_by_identifier(topic: Topic) -> bool {
    matches!(topic, Topic::Registrations | Topic::Identifiers)
}

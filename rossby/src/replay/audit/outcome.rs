//! Which events counted: what the projections themselves make of them, in a temporary database.

use std::sync::Arc;

use rossby_log::Log;
use rossby_projections::{EventStatus, Projection, ReadModels};
use rossby_schemas::events::Event;
use rossby_schemas::topic::Topic;
use tempfile::TempDir;

use super::super::build;
use super::super::part::{Cut, Part};
use super::Candidate;
use crate::config::Settings;
use crate::events::scope::Scope;
use crate::events::source::Source;
use crate::serve::regions::projector_config;

/// What the projections have made of a part of the log.
#[derive(Debug)]
pub(super) struct Outcomes {
    models: ReadModels,
    /// Removed with it.
    _folder: TempDir,
    pub(super) stopped: Vec<String>,
}

impl Outcomes {
    /// Replays a part of the log.
    ///
    /// # Errors
    /// The log can't be read, or there is no room.
    pub(super) async fn of(settings: &Settings, source: &Source, scope: Scope) -> anyhow::Result<Self> {
        let (models, folder) = build::temporary().await?;
        let log: Arc<dyn Log> = Arc::new(Part::new(Arc::clone(&source.log), Cut::here(source).await?, Some(scope)));
        let config = projector_config(&settings.regions()?)?;
        let stopped = build::run(&models, &log, config, "replaying").await?.stopped;
        Ok(Self { models, _folder: folder, stopped })
    }

    /// What became of an event, and why.
    ///
    /// # Errors
    /// The temporary database can't be read.
    pub(super) async fn of_event(
        &self,
        candidate: &Candidate,
        is_repeated: bool,
    ) -> anyhow::Result<(&'static str, String)> {
        let Candidate { topic, envelope, event, .. } = candidate;
        let projection = match topic.topic {
            Topic::Registrations | Topic::Identifiers => Projection::Inbox,
            Topic::Keys => Projection::Keys,
            Topic::Profiles => Projection::Profiles,
            Topic::Inbox | Topic::Signals => {
                let is_mark = matches!(event, Event::PartitionCheckpointV1(_));
                let why = if is_repeated { "it was there already, and counts once" } else { "" };
                return Ok((if is_mark { "a mark of the log" } else { "a fact" }, why.to_owned()));
            }
        };
        let Some(control) = &envelope.control else { return Ok(("not applied", "it has no version".to_owned())) };
        let expected = control.expected_version;
        let events = self.models.command(control.command).await?;
        let known = events.iter().filter(|known| known.event_id == envelope.id);
        let status = known.map(|known| known.status).next();
        Ok(match status {
            Some(EventStatus::Admitted) if is_repeated => {
                ("duplicate", "the same event was admitted before".to_owned())
            }
            Some(EventStatus::Admitted) => ("admitted", format!("it took version {expected} of its stream")),
            Some(EventStatus::Superseded) => {
                let taken = self.models.taken(projection, topic.topic, &envelope.stream, expected).await?;
                let by = taken.map_or_else(|| "another event".to_owned(), |taken| format!("event {}", taken.event_id));
                ("superseded", format!("{by} had taken version {expected} of its stream before"))
            }
            None => {
                let why = "its stream is at home elsewhere, what stood before it is gone, or its partition has stopped";
                ("not applied", why.to_owned())
            }
        })
    }

    pub(super) async fn close(self) {
        self.models.close().await;
    }
}

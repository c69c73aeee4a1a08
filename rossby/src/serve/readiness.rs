//! Which parts of this process are not ready.

use std::sync::Arc;

use async_trait::async_trait;
use rossby_api::{NotReady, Readiness};
use rossby_log::Log;
use rossby_projections::{ReadModels, StatusHandle};

/// The parts of this process.
pub(super) struct Parts {
    pub(super) log: Arc<dyn Log>,
    pub(super) models: ReadModels,
    /// The projector, if one runs in this process.
    pub(super) projector: Option<StatusHandle>,
}

#[async_trait]
impl Readiness for Parts {
    async fn not_ready(&self) -> Vec<NotReady> {
        let mut not_ready = Vec::new();
        let mut add = |part: &str, reason: String| not_ready.push(NotReady { part: part.to_owned(), reason });
        if let Err(error) = self.log.health().await {
            add("log", error.to_string());
        }
        if let Err(error) = self.models.health().await {
            // What the database says may hold its address.
            tracing::warn!(%error, "the read models don't answer");
            add("read models", "the database does not answer".to_owned());
        }
        let Some(projector) = &self.projector else { return not_ready };
        let partitions = projector.get().partitions;
        if partitions.is_empty() {
            add("projections", "they have not begun".to_owned());
        }
        for partition in partitions {
            let part = format!("projection {} of {}/{}", partition.projection, partition.topic, partition.partition);
            match partition.stopped {
                // As when the other region were cut off: what is new there isn't known here, and everything else goes on. The
                // figures and the log tell it.
                Some(_) if partition.topic.mirrored_from.is_some() => {}
                // Why, with the stream's name, stands in the log.
                Some(_) => add(&part, "stopped; the log says why".to_owned()),
                None if !partition.caught_up => add(&part, format!("catching up: {} records behind", partition.lag())),
                None => {}
            }
        }
        not_ready
    }
}

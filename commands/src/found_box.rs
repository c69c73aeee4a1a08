//! Founding a box: the last step of authorize, which whoever meets it half-done can finish, and finishing twice is harmless.

use rossby_projections::Projection;
use rossby_schemas::events::Event;
use rossby_schemas::events::identifiers::Founding;
use rossby_schemas::events::keys::BoxFoundedV1;
use rossby_schemas::ids::BoxId;
use rossby_schemas::topic::Topic;

use crate::append::Stream;
use crate::error::CommandError;
use crate::executor::{Decision, Loaded, Running, WhenSuperseded};
use crate::service::Service;

/// The step of authorize that founds the box.
const STEP: u32 = 2;

impl Service {
    /// Whether a box was founded; one that was closed since, was.
    pub(crate) async fn is_founded(&self, box_id: BoxId) -> Result<bool, CommandError> {
        Ok(self.keys_version(box_id).await? > 0)
    }

    async fn keys_version(&self, box_id: BoxId) -> Result<u64, CommandError> {
        Ok(self.models.stream_version(Projection::Keys, Topic::Keys, &box_id.to_string()).await?)
    }

    pub(crate) async fn found_box(
        &self,
        running: &Running,
        box_id: BoxId,
        founding: &Founding,
    ) -> Result<(), CommandError> {
        let stream = Stream::keys(box_id);
        let load = || async {
            let version = self.keys_version(box_id).await?;
            Ok(Loaded { version, state: version })
        };
        let decide = |version: &u64| {
            Ok(if *version > 0 {
                Decision::Nothing
            } else {
                Decision::Append(Event::BoxFoundedV1(BoxFoundedV1 {
                    box_id,
                    device_id: founding.device_id,
                    founding_statement: founding.founding_statement.clone(),
                    sealing_statement: founding.sealing_statement.clone(),
                }))
            })
        };
        self.executor.step(running, &stream, STEP, WhenSuperseded::DecideAgain, load, decide).await.map(|_| ())
    }
}

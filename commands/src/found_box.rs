//! Founding a box: the last step of authorize, which whoever meets it half-done can finish, and finishing twice is harmless.

use rossby_schemas::events::Event;
use rossby_schemas::events::identifiers::Founding;
use rossby_schemas::events::keys::BoxFoundedV1;
use rossby_schemas::ids::BoxId;
use rossby_schemas::topic::Topic;

use crate::append::Stream;
use crate::error::CommandError;
use crate::executor::{Decision, Loaded, Running, WhenSuperseded};
use crate::identity::CommandIdentity;
use crate::service::Service;

/// The step of authorize that founds the box.
const STEP: u32 = 2;
/// How many half-done registrations are finished at once.
const BATCH: u32 = 100;

impl Service {
    pub(crate) async fn found_box(
        &self,
        running: &Running,
        box_id: BoxId,
        founding: &Founding,
    ) -> Result<(), CommandError> {
        let stream = Stream::keys(box_id);
        let load = || async {
            let version =
                self.models.stream_version(rossby_projections::Projection::Keys, Topic::Keys, &stream.name).await?;
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

    /// Founds the boxes of identifiers whose authorize ended half-way. Gives how many. For a loop in the background.
    ///
    /// # Errors
    /// The log or the read models can't be reached; what was left is met again. One that is refused does not stop the others.
    pub async fn reconcile(&self) -> Result<u64, CommandError> {
        let mut founded = 0;
        for (hash, state) in self.models.unfounded_identifiers(BATCH).await? {
            let Some(owner) = state.owner else { continue };
            let Some(founding) = owner.founding else { continue };
            // The command that verified it goes on: the same event, should both come to it.
            let events = self.models.command(owner.verified_by).await?;
            let Some(event) = events.iter().find(|event| event.topic == Topic::Identifiers) else { continue };
            let identity = CommandIdentity { id: owner.verified_by, hash: event.command_hash };
            let running = self.executor.resume(identity);
            match self.found_box(&running, owner.box_id, &founding).await {
                Ok(()) => {}
                Err(error @ (CommandError::Unavailable(_) | CommandError::OutcomeUnknown { .. })) => return Err(error),
                Err(error) => {
                    tracing::error!(box.id = %owner.box_id, %error, "a half-done registration can't be finished");
                    continue;
                }
            }
            tracing::info!(identifier.slot = hash.slot(), box.id = %owner.box_id, "finished a half-done registration");
            founded += 1;
        }
        Ok(founded)
    }
}

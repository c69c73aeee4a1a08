//! Finishing what was left half-done: by a process that died between two steps, or because only time was missing. For a loop in
//! the background of any process.

use rossby_schemas::topic::Topic;

use crate::error::CommandError;
use crate::identity::CommandIdentity;
use crate::service::Service;

/// How much of a kind is finished at once.
const BATCH: u32 = 100;

/// What of several half-done things was finished.
#[derive(Debug, Default)]
pub(crate) struct Finished {
    count: u64,
    left: Option<CommandError>,
}

impl Finished {
    /// Takes up what became of one, and gives whether it was finished. What can't be reached, another region perhaps, says nothing of
    /// the next, and is met again.
    ///
    /// # Errors
    /// Whatever asking again doesn't cure.
    pub(crate) fn one(&mut self, done: Result<bool, CommandError>) -> Result<bool, CommandError> {
        match done {
            Err(error @ (CommandError::Unavailable(_) | CommandError::OutcomeUnknown { .. })) => {
                self.left.get_or_insert(error);
                Ok(false)
            }
            done => done.inspect(|is_finished| self.count += u64::from(*is_finished)),
        }
    }

    /// How many were finished.
    ///
    /// # Errors
    /// Why the first of those that are left is.
    pub(crate) fn all(self) -> Result<u64, CommandError> {
        self.left.map_or(Ok(self.count), Err)
    }
}

impl Service {
    /// Founds the boxes of identifiers whose authorize ended half-way, finishes closings, and lets claims take effect whose time
    /// has come. Each is done by the region that is home to it: to the box, or to the identifier that is claimed. Gives how many.
    ///
    /// # Errors
    /// The log or the read models can't be reached; what was left is met again. One that is refused does not stop the others.
    pub async fn reconcile(&self) -> Result<u64, CommandError> {
        // What can't be finished of one kind, another region being away, is no reason to leave the others.
        let founded = self.found_boxes(BATCH).await;
        let closed = self.finish_closings(BATCH).await;
        let settled = self.settle_claims(BATCH).await;
        Ok(founded? + closed? + settled?)
    }

    async fn found_boxes(&self, limit: u32) -> Result<u64, CommandError> {
        let mut founded = 0;
        for (hash, state) in self.models.unfounded_identifiers(self.config.region, limit).await? {
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

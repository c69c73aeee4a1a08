//! Closing a box: its closing names its identifiers, which count as free from then on. Each is released on its own stream, and
//! then the box is closed. Whoever meets it half-done finishes it, and finishing twice is harmless.

use std::time::Duration;

use rossby_projections::{BoxIdentifier, IdentifierState, StoredKeyRecord};
use rossby_schemas::events::Event;
use rossby_schemas::events::identifiers::IdentifierReleasedV2;
use rossby_schemas::events::keys::BoxClosedV1;
use rossby_schemas::ids::{BoxId, IdentifierHash};
use rossby_schemas::topic::Topic;

use crate::append::Stream;
use crate::error::{CommandError, Refusal};
use crate::executor::{Decision, Loaded, Running, WhenSuperseded};
use crate::identity::CommandIdentity;
use crate::reconcile::Finished;
use crate::service::Service;

/// The steps of a closing after the first: on an identifier's stream, and again on the box's.
const RELEASE: u32 = 1;
const CLOSE: u32 = 2;
/// For so long a closed box is looked at for identifiers that were added to it at the moment of its closing. Longer than any
/// command lives, and any mirror lags.
const LOOKED_AFTER: Duration = Duration::from_secs(7 * 24 * 3600);

/// Refuses a closing that names other identifiers than the box has: its person would not know what is freed.
pub(crate) fn check_named(named: &[IdentifierHash], own: &[BoxIdentifier]) -> Result<(), Refusal> {
    let mut own: Vec<IdentifierHash> = own.iter().map(|own| own.hash).collect();
    own.sort_unstable();
    if named == own { Ok(()) } else { Err(Refusal::statement("/command", "names other identifiers than the box has")) }
}

fn decide_release(state: &IdentifierState, hash: IdentifierHash, box_id: BoxId) -> Decision {
    match &state.owner {
        Some(owner) if owner.box_id == box_id => Decision::Append(Event::IdentifierReleasedV2(IdentifierReleasedV2 {
            identifier_hash: hash,
            box_id,
            signed: None,
        })),
        _ => Decision::Nothing,
    }
}

impl Service {
    /// Finishes the closing of a box whose closing stands in its stream.
    pub(crate) async fn finish_closing(&self, running: &Running, box_id: BoxId) -> Result<(), CommandError> {
        for own in self.models.identifiers_of(box_id).await? {
            let stream = Stream::identifier(own.hash);
            let load = || self.identifier_state(own.hash);
            let decide = |state: &IdentifierState| Ok(decide_release(state, own.hash, box_id));
            self.executor.step(running, &stream, RELEASE, WhenSuperseded::DecideAgain, load, decide).await?;
        }
        let load = || async {
            let state = self.models.key_record(box_id).await?.ok_or(Refusal::NotADevice)?;
            Ok(Loaded { version: state.version, state })
        };
        let decide = |state: &StoredKeyRecord| {
            let is_due = state.closing && !state.closed;
            Ok(if is_due { Decision::Append(Event::BoxClosedV1(BoxClosedV1 { box_id })) } else { Decision::Nothing })
        };
        let stream = Stream::keys(box_id);
        self.executor.step(running, &stream, CLOSE, WhenSuperseded::DecideAgain, load, decide).await.map(|_| ())
    }

    /// Finishes closings, of boxes at home here, that ended half-way. Gives how many. For a loop in the background.
    pub(crate) async fn finish_closings(&self, limit: u32) -> Result<u64, CommandError> {
        let mut finished = Finished::default();
        let (region, since) = (self.config.region, self.now().minus(LOOKED_AFTER));
        for (box_id, command) in self.models.half_closed_boxes(region, since, limit).await? {
            let events = self.models.command(command).await?;
            let Some(event) = events.iter().find(|event| event.topic == Topic::Keys) else { continue };
            let running = self.executor.resume(CommandIdentity { id: command, hash: event.command_hash });
            let closed = self.finish_closing(&running, box_id).await;
            match finished.one(closed.map(|()| true)) {
                Ok(true) => tracing::info!(box.id = %box_id, "finished a half-done closing"),
                Ok(false) => {}
                Err(error) => tracing::error!(box.id = %box_id, %error, "a half-done closing can't be finished"),
            }
        }
        finished.all()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own(number: u8) -> BoxIdentifier {
        let hash = IdentifierHash([number; 32]);
        BoxIdentifier { hash, version: 1, verified_at: None, signed: None, recovery_objections: 0 }
    }

    #[test]
    fn a_closing_names_what_the_box_has() {
        let named = [1, 2].map(|number| IdentifierHash([number; 32]));
        assert_eq!(check_named(&named, &[own(2), own(1)]), Ok(()));
        assert_eq!(check_named(&[], &[]), Ok(()));
        for own in [vec![own(1)], vec![own(1), own(2), own(3)], vec![own(1), own(3)], vec![]] {
            assert!(matches!(check_named(&named, &own), Err(Refusal::Statement { .. })), "{own:?}");
        }
    }
}

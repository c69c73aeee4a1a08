//! What becomes of a claim: it waits, ends, or takes effect.

use rossby_crypto::authorize::ClaimProof;
use rossby_crypto::key_record::KeyRecord;
use rossby_projections::{Claim, ClaimState, IdentifierState};
use rossby_schemas::events::Event;
use rossby_schemas::events::identifiers::IdentifierVerifiedV2;
use rossby_schemas::http::identifiers::{ClaimResponse, FollowClaimRequest};
use rossby_schemas::ids::RegistrationId;
use rossby_schemas::time::Timestamp;
use rossby_schemas::topic::Topic;

use super::response;
use crate::append::Stream;
use crate::error::{CommandError, Refusal};
use crate::executor::{Decision, Loaded, Running, WhenSuperseded};
use crate::identity::CommandIdentity;
use crate::reconcile::Finished;
use crate::service::Service;

/// The step of a claim's command by which it takes effect.
const STEP: u32 = 3;

/// What a claim's taking effect is decided on.
pub(super) struct Effect {
    pub(super) identifier: IdentifierState,
    /// The claim of the identifier that waits.
    pub(super) open: Option<Claim>,
    /// Whether the box that it is for still takes it.
    pub(super) is_wanted: bool,
}

/// Whether a claim takes effect now, on the identifier as it is.
pub(super) fn decide_effect(state: &Effect, claim: &Claim, now: Timestamp) -> Decision {
    let Effect { identifier, open, is_wanted } = state;
    let is_free = identifier.owner.as_ref().is_none_or(|owner| owner.closing);
    let is_due = is_free || now >= claim.effective_at;
    // Nobody is left for whom it was claimed; or another claim, or an objection, has ended it.
    if claim.closing || open.as_ref().is_none_or(|open| open.id != claim.id) || !is_due || !is_wanted {
        return Decision::Nothing;
    }
    Decision::Append(Event::IdentifierVerifiedV2(IdentifierVerifiedV2 {
        identifier_hash: claim.identifier_hash,
        secret_number: claim.secret_number,
        slot: claim.slot,
        box_id: claim.box_id,
        registration_id: claim.id,
        founding: claim.founding.clone(),
        signed: claim.signed.clone(),
    }))
}

impl Service {
    /// Goes on with a claim: tells what became of it, and lets it take effect once its time has come. Founds the new box, and
    /// gives the device its token. Repeating it gives the same.
    ///
    /// # Errors
    /// [`Refusal::NoSuchClaim`] for one that is unknown or of another device, [`Refusal::Statement`] for a signature that does
    /// not verify.
    pub async fn follow_claim(
        &self,
        id: RegistrationId,
        request: &FollowClaimRequest,
    ) -> Result<ClaimResponse, CommandError> {
        let claim = self.models.claim(id).await?.filter(|claim| claim.device_id == request.device_id);
        let claim = claim.ok_or(Refusal::NoSuchClaim)?;
        let record = match &claim.founding {
            Some(founding) => KeyRecord::verify(std::slice::from_ref(&founding.founding_statement)).ok(),
            None => self.key_record(claim.box_id).await?.map(|known| known.record.clone()),
        };
        let record = record.ok_or(Refusal::NoSuchClaim)?;
        let device = record.device(claim.device_id).filter(|device| device.is_member()).ok_or(Refusal::NoSuchClaim)?;
        ClaimProof { claim_id: id, device_id: claim.device_id }
            .verify(&device.signing_key, &request.signature)
            .map_err(|error| Refusal::statement("/signature", error))?;

        let running = self.claims_command(&claim).await?;
        self.settle_claim(&running, &claim).await?;
        let claim = self.models.claim(id).await.map_err(|error| running.half_done(error.into()))?;
        let claim = claim.ok_or(Refusal::NoSuchClaim)?;
        let mut answer = response(&claim);
        if claim.state == ClaimState::Effective && claim.founding.is_some() {
            let token = self.current_token(claim.box_id, claim.device_id).await;
            answer.authorized = Some(token.map_err(|error| running.half_done(error))?);
        }
        Ok(answer)
    }

    /// The command by which a claim was made, which goes on: the same events, whoever comes to them.
    async fn claims_command(&self, claim: &Claim) -> Result<Running, CommandError> {
        let events = self.models.command(claim.claimed_by).await?;
        let event = events.iter().find(|event| event.topic == Topic::Identifiers);
        let event = event.ok_or_else(|| CommandError::Internal("a claim without its event".to_owned()))?;
        Ok(self.executor.resume(CommandIdentity { id: claim.claimed_by, hash: event.command_hash }))
    }

    /// Whether the box that a claim is for takes it still: it is to be founded by it, or has the device that claimed, and room.
    async fn is_wanted(&self, claim: &Claim) -> Result<bool, CommandError> {
        let Some(known) = self.key_record(claim.box_id).await? else {
            return Ok(claim.founding.is_some() && !self.is_founded(claim.box_id).await?);
        };
        let is_member = known.record.device(claim.device_id).is_some_and(|device| device.is_member());
        if known.closing || !is_member {
            return Ok(false);
        }
        let own = self.models.identifiers_of(claim.box_id).await?;
        let is_own = own.iter().any(|own| own.hash == claim.identifier_hash);
        Ok(is_own || own.len() < self.config.limits.identifiers)
    }

    /// Lets a claim take effect if its time has come, and founds its box. Gives whether it has taken effect.
    async fn settle_claim(&self, running: &Running, claim: &Claim) -> Result<bool, CommandError> {
        if claim.state == ClaimState::Open {
            let hash = claim.identifier_hash;
            let load = || async {
                let loaded = self.identifier_state(hash).await?;
                let open = self.models.open_claim(hash).await?;
                let is_wanted = self.is_wanted(claim).await?;
                Ok(Loaded { version: loaded.version, state: Effect { identifier: loaded.state, open, is_wanted } })
            };
            let decide = |state: &Effect| Ok(decide_effect(state, claim, self.now()));
            let stream = Stream::identifier(hash);
            self.executor.step(running, &stream, STEP, WhenSuperseded::DecideAgain, load, decide).await?;
        }
        let now = self.models.claim(claim.id).await.map_err(|error| running.half_done(error.into()))?;
        let is_effective = now.is_some_and(|now| now.state == ClaimState::Effective);
        if let (true, Some(founding)) = (is_effective, &claim.founding) {
            self.found_box(running, claim.box_id, founding).await?;
        }
        Ok(is_effective)
    }

    /// Lets claims take effect whose time has come. Gives how many. For a loop in the background.
    pub(crate) async fn settle_claims(&self, limit: u32) -> Result<u64, CommandError> {
        let mut settled = Finished::default();
        let room = u64::try_from(self.config.limits.identifiers).unwrap_or(u64::MAX);
        // The home of an identifier does it; so it is done while other regions are cut off.
        let slots = self.config.slots.home_slots(self.config.region);
        for claim in self.models.due_claims(self.now(), limit, room, slots.as_deref()).await? {
            let done = match self.claims_command(&claim).await {
                Ok(running) => self.settle_claim(&running, &claim).await,
                Err(error) => Err(error),
            };
            match settled.one(done) {
                Ok(true) => {
                    tracing::info!(identifier.slot = claim.slot, claim.id = %claim.id, "a claim has taken effect");
                }
                Ok(false) => {}
                Err(error) => tracing::error!(claim.id = %claim.id, %error, "a claim can't take effect"),
            }
        }
        settled.all()
    }
}

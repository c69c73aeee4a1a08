//! A device's own account.

use std::collections::BTreeMap;

use rossby_schemas::http::account::{AccountResponse, DeviceStatus, ProfileDocument};
use rossby_schemas::http::identifiers::{ClaimOnIdentifier, OwnClaim, OwnIdentifier};

use crate::claim;
use crate::error::CommandError;
use crate::service::Service;
use crate::token::Caller;

impl Service {
    /// The account as its own devices see it.
    ///
    /// # Errors
    /// [`Refusal::NotADevice`](crate::Refusal::NotADevice) for a box that was closed meanwhile.
    pub async fn account(&self, caller: Caller) -> Result<AccountResponse, CommandError> {
        let record = self.own_record(caller.box_id).await?;
        // Of removed devices, of which there may be many, nothing waits and nothing is counted.
        let pointers: BTreeMap<_, _> =
            self.models.device_pointers(caller.box_id, self.now()).await?.into_iter().collect();
        let devices = self.models.devices(caller.box_id).await?.into_iter().map(|(device_id, state)| {
            let pointer = pointers.get(&device_id).copied().unwrap_or_default();
            DeviceStatus {
                device_id,
                epoch: state.epoch,
                removed: state.removed,
                waiting: pointer.waiting,
                confirmed: pointer.confirmed,
                last_confirmed_at: pointer.last_confirmed_at,
                lost: pointer.lost,
            }
        });
        let devices = devices.collect();
        let identifiers = self.own_identifiers(caller).await?;
        let claims = self.models.claims_for(caller.box_id).await?.into_iter().map(|claim| OwnClaim {
            claim_id: claim.id,
            identifier_hash: claim.identifier_hash,
            effective_at: claim.effective_at,
            state: claim::state(claim.state),
        });
        let profile = self.models.profile(caller.box_id).await?;
        Ok(AccountResponse {
            box_id: caller.box_id,
            device_id: caller.device_id,
            key_record: record.document(),
            keys_version: record.version,
            devices,
            identifiers,
            claims: claims.collect(),
            profile: ProfileDocument {
                version: profile.version,
                discoverable: profile.discoverable,
                accept_from: profile.accept_from,
                blob: profile.blob,
                blocks: profile.blocks,
                contacts: profile.contacts,
            },
        })
    }

    /// The box's identifiers, each with the claim of it that waits.
    async fn own_identifiers(&self, caller: Caller) -> Result<Vec<OwnIdentifier>, CommandError> {
        let own = self.models.identifiers_of(caller.box_id).await?;
        let claims = self.models.claims_on(caller.box_id).await?;
        let limit = self.config.limits.recovery_objections;
        let shown = own.into_iter().map(|own| OwnIdentifier {
            identifier_hash: own.hash,
            version: own.version,
            added_at: own.verified_at,
            signed: own.signed,
            claim: claims.iter().find(|claim| claim.identifier_hash == own.hash).map(|claim| ClaimOnIdentifier {
                claim_id: claim.id,
                claimed_at: claim.claimed_at,
                effective_at: claim.effective_at,
                recovery_objections_left: limit.saturating_sub(own.recovery_objections),
            }),
        });
        Ok(shown.collect())
    }
}

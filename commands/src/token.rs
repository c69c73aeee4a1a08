//! Who asks: a device's token, how it gets one, and whether it is still good.

use rossby_crypto::authorize::TokenProof;
use rossby_crypto::key_record::VerifiedSealingStatement;
use rossby_crypto::keyed_hash::{HawkKey, TokenId};
use rossby_crypto::token::DeviceToken;
use rossby_projections::DeviceState;
use rossby_schemas::http::registration::AuthorizeResponse;
use rossby_schemas::http::token::TokenRequest;
use rossby_schemas::ids::{BoxId, DeviceId};

use crate::error::{CommandError, Refusal};

use crate::service::Service;

/// The device that asks, once it is authenticated. Devices choose their own ids, so that one alone names nobody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Caller {
    /// Its box.
    pub box_id: BoxId,
    /// The device.
    pub device_id: DeviceId,
}

/// Why a token is no good.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// No such device, or removed, or its token was revoked, or the secret is no longer accepted. One answer for all.
    #[error("the token is not good")]
    NotGood,
    /// It can't be told now.
    #[error("the read models can't be asked: {0}")]
    Unavailable(#[from] rossby_projections::StoreError),
}

/// Whether a token of this epoch is good for a device in this state.
pub(crate) fn is_good(device: Option<DeviceState>, epoch: u32) -> bool {
    device.is_some_and(|device| !device.removed && device.epoch == epoch)
}

impl Service {
    /// Gives a device of a box its token, sealed to its sealing key: once it is linked, and again when the one that it has is no
    /// longer good. Asking again gives the same.
    ///
    /// # Errors
    /// [`Refusal::NotADevice`] for whoever is none, or hasn't signed: one answer for all.
    pub async fn issue_token(&self, request: &TokenRequest) -> Result<AuthorizeResponse, CommandError> {
        let (box_id, device_id) = (request.box_id, request.device_id);
        let own = self.own_record(box_id).await?;
        let device = own.record.device(device_id).filter(|device| device.is_member()).ok_or(Refusal::NotADevice)?;
        TokenProof { box_id, device_id }
            .verify(&device.signing_key, &request.signature)
            .map_err(|_| Refusal::NotADevice)?;
        self.current_token(box_id, device_id).await
    }

    /// The token of a device that belongs to a box, sealed to its present sealing key.
    pub(crate) async fn current_token(
        &self,
        box_id: BoxId,
        device_id: DeviceId,
    ) -> Result<AuthorizeResponse, CommandError> {
        let own = self.own_record(box_id).await?;
        let sealing = own.sealing.iter().find(|statement| statement.content().device_id == device_id);
        self.sealed_token(sealing.ok_or(Refusal::NotADevice)?).await
    }

    /// A device's token, derived and sealed to the key that it stated.
    pub(crate) async fn sealed_token(
        &self,
        sealing: &VerifiedSealingStatement,
    ) -> Result<AuthorizeResponse, CommandError> {
        let (box_id, device_id) = (sealing.content().box_id, sealing.content().device_id);
        let state = self.models.device(box_id, device_id).await?.filter(|state| !state.removed);
        let epoch = state.ok_or(Refusal::NotADevice)?.epoch;
        let secret = self.secrets.current();
        let token = DeviceToken::derive(secret, secret.token_id(box_id, device_id, epoch));
        let mut rng = rand_core::UnwrapErr(getrandom::SysRng);
        let sealed_token =
            token.seal(&mut rng, &sealing.content().key).map_err(|error| CommandError::Internal(error.to_string()))?;
        Ok(AuthorizeResponse { box_id, device_id, token_id: token.id.to_string(), sealed_token })
    }

    /// The Hawk key of a token, whether it is good or not, or was ever given: it comes from the secret alone, so that a signature
    /// can be checked before anything is asked. None if the secret is no longer accepted.
    #[must_use]
    pub fn hawk_key(&self, id: TokenId) -> Option<HawkKey> {
        let secret = self.secrets.by_number(id.secret_number)?;
        Some(secret.hawk_key(id.box_id, id.device_id, id.epoch))
    }

    /// Whether a token is good at this moment. Asked of the read models each time: a token that is revoked stops at once.
    ///
    /// # Errors
    /// [`TokenError`].
    pub async fn check_token(&self, id: TokenId) -> Result<(), TokenError> {
        if self.secrets.by_number(id.secret_number).is_some()
            && is_good(self.models.device(id.box_id, id.device_id).await?, id.epoch)
        {
            return Ok(());
        }
        Err(TokenError::NotGood)
    }
}

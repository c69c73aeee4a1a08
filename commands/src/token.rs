//! Who asks: a device's token, and whether it is still good.

use rossby_crypto::keyed_hash::{HawkKey, TokenId};
use rossby_schemas::ids::{BoxId, DeviceId};

use crate::service::Service;

/// The device that asks, once it is authenticated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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

impl Service {
    /// The Hawk key of a token, if it is good at this moment. Asked of the read models each time: a token that is revoked
    /// stops at once.
    ///
    /// # Errors
    /// [`TokenError`].
    pub async fn token_key(&self, id: TokenId) -> Result<HawkKey, TokenError> {
        let secret = self.secrets.by_number(id.secret_number).ok_or(TokenError::NotGood)?;
        let device = self.models.device(id.box_id, id.device_id).await?.ok_or(TokenError::NotGood)?;
        if device.removed || device.epoch != id.epoch {
            return Err(TokenError::NotGood);
        }
        Ok(secret.hawk_key(id.box_id, id.device_id, id.epoch))
    }
}

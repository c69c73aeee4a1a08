//! The device's token: opened, used, and asked for again when it is no longer good.

use rossby_crypto::authorize::TokenProof;
use rossby_crypto::keyed_hash::TokenId;
use rossby_crypto::sealing::SealingSecretKey;
use rossby_crypto::token::DeviceToken;
use rossby_schemas::http::problem::ProblemType;
use rossby_schemas::http::registration::AuthorizeResponse;
use rossby_schemas::http::token::TokenRequest;
use rossby_schemas::ids::{BoxId, DeviceId};
use serde::de::DeserializeOwned;

use crate::Client;
use crate::error::ClientError;
use crate::http::{Call, Stream, WebSocket};
use crate::store::device::Device;

impl Client {
    /// Sends a request, signed with the device's token. One that is no longer good is renewed, once.
    ///
    /// # Errors
    /// [`ClientError::NotKnown`] if the server gives this device no other, and what it says else.
    pub(crate) async fn ask<T: DeserializeOwned>(&self, device: &Device, call: &Call) -> Result<T, ClientError> {
        match self.http.call(call, Some(device.token()?)).await {
            Err(error) if error.problem() == Some(ProblemType::Unauthenticated) => {
                let renewed = self.renew_token(device).await?;
                self.http.call(call, Some(renewed.token()?)).await
            }
            other => other,
        }
    }

    /// Sends a request whose answer is long, as [`Client::ask`] does one.
    ///
    /// # Errors
    /// Those of [`Client::ask`].
    pub(crate) async fn ask_for_stream(&self, device: &Device, call: &Call) -> Result<Stream, ClientError> {
        match self.http.open(call, Some(device.token()?)).await {
            Err(error) if error.problem() == Some(ProblemType::Unauthenticated) => {
                let renewed = self.renew_token(device).await?;
                self.http.open(call, Some(renewed.token()?)).await
            }
            other => other,
        }
    }

    /// Opens a WebSocket, as [`Client::ask`] sends a request.
    ///
    /// # Errors
    /// Those of [`Client::ask`]; also where the way to the server passes no WebSocket.
    pub(crate) async fn ask_for_web_socket(&self, device: &Device, path: &str) -> Result<WebSocket, ClientError> {
        match self.http.upgrade(path, device.token()?).await {
            Err(error) if error.problem() == Some(ProblemType::Unauthenticated) => {
                let renewed = self.renew_token(device).await?;
                self.http.upgrade(path, renewed.token()?).await
            }
            other => other,
        }
    }

    /// Asks for another token: the one that this device has was revoked, or hangs on a secret of the server's that is no more.
    async fn renew_token(&self, device: &Device) -> Result<Device, ClientError> {
        let (box_id, device_id) = (device.box_id, device.device_id);
        let now = self.device().await?;
        if now.token()?.id != device.token()?.id {
            return Ok(now);
        }
        let signature = TokenProof { box_id, device_id }.sign(&device.signing_key);
        let request = TokenRequest { box_id, device_id, signature };
        let answer = self.http.call(&Call::post("/v1/tokens", &request).harmless(), None).await;
        match answer {
            Err(ClientError::Refused(problem)) if problem.problem_type() == Some(ProblemType::Unauthenticated) => {
                Err(ClientError::NotKnown(self.server().to_owned()))
            }
            answer => {
                let token = self.open_token(device, &answer?).await?;
                self.store.authorized(&self.vault, &token).await?;
                self.device().await
            }
        }
    }

    /// Opens a token that was sealed to one of this device's keys.
    pub(super) async fn open_token(
        &self,
        device: &Device,
        answer: &AuthorizeResponse,
    ) -> Result<DeviceToken, ClientError> {
        let mut keys = Vec::new();
        for key in self.store.sealing_keys().await? {
            keys.extend(self.store.sealing_secret(&self.vault, key.counter).await?);
        }
        own_token(answer, device.box_id, device.device_id, &keys)
    }
}

/// Opens the token of an answer, which must be that of this device.
pub(super) fn own_token(
    answer: &AuthorizeResponse,
    box_id: BoxId,
    device_id: DeviceId,
    keys: &[SealingSecretKey],
) -> Result<DeviceToken, ClientError> {
    let id = answer.token_id.parse().map_err(ClientError::bad_answer)?;
    let TokenId { box_id: of_box, device_id: of_device, .. } = id;
    if (of_box, of_device) != (box_id, device_id) || (answer.box_id, answer.device_id) != (box_id, device_id) {
        return Err(ClientError::bad_answer("its token is another device's"));
    }
    let token = keys.iter().find_map(|key| DeviceToken::open(id, &answer.sealed_token, key).ok());
    token.ok_or_else(|| ClientError::bad_answer("its token does not open with this device's key"))
}

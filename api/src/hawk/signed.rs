//! Extractors for requests that a device has signed.

use axum::extract::{FromRequest, Request};
use rossby_commands::Caller;
use serde::de::DeserializeOwned;

use crate::body::{self, MAX_BODY};
use crate::error::ApiError;
use crate::state::Api;

/// A request without a body that matters, and who signed it.
pub(crate) struct Signed(pub(crate) Caller);

/// A request with a JSON body, and who signed it.
pub(crate) struct SignedJson<T>(pub(crate) Caller, pub(crate) T);

async fn authenticate(request: Request, api: &Api) -> Result<(Caller, axum::http::HeaderMap, bytes::Bytes), ApiError> {
    let (parts, body) = request.into_parts();
    let body = body::read(api, body, MAX_BODY).await?;
    match api.hawk.authenticate(&api.service, &parts, &body).await {
        Ok(caller) => {
            api.limiters.check_device(caller.device_id)?;
            Ok((caller, parts.headers, body))
        }
        Err(error) => {
            // Who fails to authenticate spends the address's share.
            api.limiters.check_address(&parts.extensions)?;
            Err(error)
        }
    }
}

impl FromRequest<Api> for Signed {
    type Rejection = ApiError;

    async fn from_request(request: Request, api: &Api) -> Result<Self, ApiError> {
        authenticate(request, api).await.map(|(caller, ..)| Self(caller))
    }
}

impl<T: DeserializeOwned> FromRequest<Api> for SignedJson<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, api: &Api) -> Result<Self, ApiError> {
        let (caller, headers, body) = authenticate(request, api).await?;
        Ok(Self(caller, body::parse(&headers, &body)?))
    }
}

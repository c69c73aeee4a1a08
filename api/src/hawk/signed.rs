//! Extractors for requests that a device has signed.

use axum::extract::{FromRequest, Request};
use axum::http::HeaderMap;
use bytes::Bytes;
use rossby_commands::Caller;
use serde::de::DeserializeOwned;

use crate::body::{self, MAX_BODY};
use crate::error::ApiError;
use crate::state::Api;

/// A request without a body that matters, and who signed it.
pub(crate) struct Signed(pub(crate) Caller);

/// A request with a JSON body, and who signed it.
pub(crate) struct SignedJson<T>(pub(crate) Caller, pub(crate) T);

async fn authenticate(request: Request, api: &Api) -> Result<(Caller, HeaderMap, Bytes), ApiError> {
    let (parts, body) = request.into_parts();
    // Who fails to authenticate spends the address's share.
    let strangers = |error| api.limiters.check_address(&parts.extensions).err().unwrap_or(error);
    // Strangers send no body: it is read only once its sender is known.
    let head = api.hawk.check_head(&api.service, &parts).await.map_err(strangers)?;
    let caller = head.caller();
    api.limiters.check_device(caller.device_id)?;
    let body = body::read(api, body, MAX_BODY).await?;
    head.check_body(&parts.headers, &body).map_err(strangers)?;
    Ok((caller, parts.headers, body))
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

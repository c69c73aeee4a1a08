//! Extractors for requests that a device has signed.

use axum::extract::{FromRequest, Request};
use axum::http::HeaderMap;
use bytes::Bytes;
use rossby_commands::Caller;
use rossby_schemas::http::messages::{MAX_SEND_OCTETS, SendRequest};
use rossby_schemas::http::problem::ProblemType;
use serde::de::DeserializeOwned;

use crate::body::{self, LargePlace, MAX_BODY};
use crate::error::ApiError;
use crate::state::Api;

/// The media type of a body that is plain octets.
const OCTETS: &str = "application/octet-stream";

/// A request without a body that matters, and who signed it.
pub(crate) struct Signed(pub(crate) Caller);

/// A request with a JSON body, and who signed it.
pub(crate) struct SignedJson<T>(pub(crate) Caller, pub(crate) T);

/// Messages to send, and who signed them: a whole group's, which is more than other bodies may have. The place is held while
/// they are dealt with.
pub(crate) struct SignedMessages(pub(crate) Caller, pub(crate) SendRequest, pub(crate) Option<LargePlace>);

/// A request whose body is plain octets, signed by a device of which nothing is to be known but that there is one.
pub(crate) struct SignedOctets(pub(crate) Bytes);

async fn authenticate(request: Request, api: &Api) -> Result<(Caller, HeaderMap, Bytes), ApiError> {
    let (caller, headers, body, _) = authenticate_up_to(request, api, MAX_BODY).await?;
    Ok((caller, headers, body))
}

async fn authenticate_up_to(
    request: Request,
    api: &Api,
    limit: usize,
) -> Result<(Caller, HeaderMap, Bytes, Option<LargePlace>), ApiError> {
    let (parts, body) = request.into_parts();
    // Who fails to authenticate spends the address's share.
    let strangers = |error| api.limiters.check_address(&parts.extensions).err().unwrap_or(error);
    // Strangers send no body: it is read only once its sender is known.
    let head = api.hawk.check_head(&api.service, &parts).await.map_err(strangers)?;
    let caller = head.caller();
    api.limiters.check_device(caller.device_id)?;
    let place =
        if limit > MAX_BODY { api.large_bodies.place_for(&parts.headers, api.request_timeout).await? } else { None };
    let body = match &place {
        Some(place) => body::read_within(body, limit, api.request_timeout + place.more_time()).await?,
        None => body::read(api, body, limit.min(MAX_BODY)).await?,
    };
    head.check_body(&parts.headers, &body).map_err(strangers)?;
    Ok((caller, parts.headers, body, place))
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

impl FromRequest<Api> for SignedMessages {
    type Rejection = ApiError;

    async fn from_request(request: Request, api: &Api) -> Result<Self, ApiError> {
        let (caller, headers, body, place) = authenticate_up_to(request, api, MAX_SEND_OCTETS).await?;
        Ok(Self(caller, body::parse(&headers, &body)?, place))
    }
}

impl FromRequest<Api> for SignedOctets {
    type Rejection = ApiError;

    async fn from_request(request: Request, api: &Api) -> Result<Self, ApiError> {
        let (_, headers, body) = authenticate(request, api).await?;
        if body::media_type(&headers) != OCTETS {
            let reason = format!("must be {OCTETS}");
            return Err(ApiError::field(ProblemType::UnsupportedMediaType, "content-type", reason));
        }
        Ok(Self(body))
    }
}

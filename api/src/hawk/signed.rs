//! Extractors for requests that a device has signed.

use axum::extract::{FromRequest, Request};
use axum::http::HeaderMap;
use bytes::Bytes;
use rossby_commands::Caller;
use rossby_crypto::keyed_hash::TokenId;
use rossby_schemas::http::messages::{MAX_SEND_OCTETS, SendRequest};
use rossby_schemas::http::problem::ProblemType;
use serde::de::DeserializeOwned;

use crate::body::{self, LargePlace, MAX_BODY};
use crate::error::ApiError;
use crate::hawk::SignedHead;
use crate::state::Api;

/// The media type of a body that is plain octets.
const OCTETS: &str = "application/octet-stream";

/// A request without a body that matters, and who signed it.
pub(crate) struct Signed(pub(crate) Caller);

/// A request with a JSON body, and who signed it.
pub(crate) struct SignedJson<T>(pub(crate) Caller, pub(crate) T);

/// A request without a body that matters, and the token that it was signed with.
pub(crate) struct SignedToken(pub(crate) TokenId);

/// Messages to send, and who signed them: a whole group's, which is more than other bodies may have. The place is held while
/// they are dealt with.
pub(crate) struct SignedMessages(pub(crate) Caller, pub(crate) SendRequest, pub(crate) Option<LargePlace>);

/// A request whose body is plain octets, signed by a device of which nothing is to be known but that there is one.
pub(crate) struct SignedOctets(pub(crate) Bytes);

async fn authenticate(request: Request, api: &Api) -> Result<(SignedHead, HeaderMap, Bytes), ApiError> {
    let (head, headers, body, _) = authenticate_up_to(request, api, MAX_BODY).await?;
    Ok((head, headers, body))
}

async fn authenticate_up_to(
    request: Request,
    api: &Api,
    limit: usize,
) -> Result<(SignedHead, HeaderMap, Bytes, Option<LargePlace>), ApiError> {
    let (parts, body) = request.into_parts();
    // Who fails to authenticate spends the address's share.
    let strangers = |error| api.limiters.check_address(&parts.extensions).err().unwrap_or(error);
    // Strangers send no body: it is read only once its sender is known.
    let head = api.hawk.check_head(&api.service, &parts).await.map_err(strangers)?;
    api.limiters.check_device(head.caller())?;
    api.hawk.check_first(&head).map_err(strangers)?;
    let place =
        if limit > MAX_BODY { api.large_bodies.place_for(&parts.headers, api.request_timeout).await? } else { None };
    let body = match &place {
        Some(place) => body::read_within(body, limit, api.request_timeout + place.more_time()).await?,
        None => body::read(api, body, limit.min(MAX_BODY)).await?,
    };
    head.check_body(&parts.headers, &body).map_err(strangers)?;
    Ok((head, parts.headers, body, place))
}

impl FromRequest<Api> for Signed {
    type Rejection = ApiError;

    async fn from_request(request: Request, api: &Api) -> Result<Self, ApiError> {
        authenticate(request, api).await.map(|(head, ..)| Self(head.caller()))
    }
}

impl FromRequest<Api> for SignedToken {
    type Rejection = ApiError;

    async fn from_request(request: Request, api: &Api) -> Result<Self, ApiError> {
        authenticate(request, api).await.map(|(head, ..)| Self(head.token()))
    }
}

impl<T: DeserializeOwned> FromRequest<Api> for SignedJson<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, api: &Api) -> Result<Self, ApiError> {
        let (head, headers, body) = authenticate(request, api).await?;
        Ok(Self(head.caller(), body::parse(&headers, &body)?))
    }
}

impl FromRequest<Api> for SignedMessages {
    type Rejection = ApiError;

    async fn from_request(request: Request, api: &Api) -> Result<Self, ApiError> {
        let (head, headers, body, place) = authenticate_up_to(request, api, MAX_SEND_OCTETS).await?;
        Ok(Self(head.caller(), body::parse(&headers, &body)?, place))
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

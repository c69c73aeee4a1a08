//! Extractors for requests that a device has signed.

use axum::extract::{FromRequest, Request};
use axum::http::HeaderMap;
use bytes::Bytes;
use rossby_commands::Caller;
use rossby_crypto::keyed_hash::TokenId;
use rossby_schemas::http::messages::{MAX_SEND_OCTETS, SendRequest};
use rossby_schemas::http::problem::ProblemType;
use serde::de::DeserializeOwned;

use crate::body::{self, Held, LargePlace, MAX_BODY, MAX_SMALL_BODY};
use crate::error::ApiError;
use crate::hawk::SignedHead;
use crate::state::Api;

/// The media type of a body that is plain octets.
const OCTETS: &str = "application/octet-stream";

/// A request without a body that matters, and who signed it.
pub(crate) struct Signed(pub(crate) Caller);

/// A request with a JSON body, and who signed it. Most bodies are short.
pub(crate) struct SignedJson<T, const MAX: usize = MAX_SMALL_BODY>(pub(crate) Caller, pub(crate) T);

/// A request without a body that matters, and the token that it was signed with.
pub(crate) struct SignedToken(pub(crate) TokenId);

/// Messages to send, and who signed them: a whole group's, which is more than other bodies may have. Their room is held while they
/// are dealt with.
pub(crate) struct SignedMessages(pub(crate) Caller, pub(crate) SendRequest, pub(crate) Room);

/// A request whose body is plain octets, signed by a device of which nothing is to be known but that there is one. Their room is
/// held while they are dealt with.
pub(crate) struct SignedOctets(pub(crate) Bytes, pub(crate) Room);

/// What a body takes of what there is for all, until it is dropped.
pub(crate) struct Room {
    _place: Option<LargePlace>,
    _held: Held,
}

/// A request that is authentic.
struct Authentic {
    head: SignedHead,
    headers: HeaderMap,
    body: Bytes,
    room: Room,
}

async fn authenticate(request: Request, api: &Api, limit: usize) -> Result<Authentic, ApiError> {
    let (parts, body) = request.into_parts();
    // Who fails to authenticate spends the address's share.
    let strangers = |error| api.limiters.check_address(&parts.extensions).err().unwrap_or(error);
    // Strangers send no body: it is read only once its sender is known.
    let head = api.hawk.check_head(&api.service, &parts).await.map_err(strangers)?;
    api.limiters.check_device(head.caller())?;
    api.hawk.check_first(&head).map_err(strangers)?;
    let place =
        if limit > MAX_BODY { api.large_bodies.place_for(&parts.headers, api.request_timeout).await? } else { None };
    let (limit, patience) = match &place {
        Some(place) => (limit, api.request_timeout + place.more_time()),
        None => (limit.min(MAX_BODY), api.request_timeout),
    };
    let (body, held) = body::read(body, limit, patience, &api.held_octets).await?;
    head.check_body(&parts.headers, &body).map_err(strangers)?;
    Ok(Authentic { head, headers: parts.headers, body, room: Room { _place: place, _held: held } })
}

impl FromRequest<Api> for Signed {
    type Rejection = ApiError;

    async fn from_request(request: Request, api: &Api) -> Result<Self, ApiError> {
        authenticate(request, api, MAX_SMALL_BODY).await.map(|authentic| Self(authentic.head.caller()))
    }
}

impl FromRequest<Api> for SignedToken {
    type Rejection = ApiError;

    async fn from_request(request: Request, api: &Api) -> Result<Self, ApiError> {
        authenticate(request, api, MAX_SMALL_BODY).await.map(|authentic| Self(authentic.head.token()))
    }
}

impl<T: DeserializeOwned, const MAX: usize> FromRequest<Api> for SignedJson<T, MAX> {
    type Rejection = ApiError;

    async fn from_request(request: Request, api: &Api) -> Result<Self, ApiError> {
        let Authentic { head, headers, body, .. } = authenticate(request, api, MAX).await?;
        Ok(Self(head.caller(), body::parse(&headers, &body)?))
    }
}

impl FromRequest<Api> for SignedMessages {
    type Rejection = ApiError;

    async fn from_request(request: Request, api: &Api) -> Result<Self, ApiError> {
        let Authentic { head, headers, body, room } = authenticate(request, api, MAX_SEND_OCTETS).await?;
        Ok(Self(head.caller(), body::parse(&headers, &body)?, room))
    }
}

impl FromRequest<Api> for SignedOctets {
    type Rejection = ApiError;

    async fn from_request(request: Request, api: &Api) -> Result<Self, ApiError> {
        let Authentic { headers, body, room, .. } = authenticate(request, api, MAX_BODY).await?;
        if body::media_type(&headers) != OCTETS {
            let reason = format!("must be {OCTETS}");
            return Err(ApiError::field(ProblemType::UnsupportedMediaType, "content-type", reason));
        }
        Ok(Self(body, room))
    }
}

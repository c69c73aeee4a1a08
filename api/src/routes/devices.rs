//! Devices: linked to a box, and given their tokens.

use axum::Json;
use axum::extract::State;
use rossby_schemas::http::account::{CommandResponse, LinkDeviceRequest};
use rossby_schemas::http::problem::Problem;
use rossby_schemas::http::registration::AuthorizeResponse;
use rossby_schemas::http::token::TokenRequest;

use crate::body::OpenJson;
use crate::error::{ApiError, to_its_end};
use crate::hawk::SignedJson;
use crate::state::Api;

/// Link a device
///
/// By a linking statement, signed by the device that asks and countersigned by the new one. How the two come to it is between
/// them; they can talk at a rendezvous.
#[utoipa::path(
    post, path = "/v1/account/devices", tag = "devices", request_body = LinkDeviceRequest, security(("hawk" = [])),
    responses(
        (status = 200, description = "The device is linked", body = CommandResponse),
        (status = 400, description = "`invalid-request`", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "`unauthenticated` or `stale-timestamp`", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "`too-many-devices`", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "`invalid-statement` or `id-reused`", body = Problem, content_type = "application/problem+json"),
        (status = 429, description = "`rate-limited`", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "`unavailable` or `outcome-unknown`", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn link(
    State(api): State<Api>,
    SignedJson(caller, request): SignedJson<LinkDeviceRequest>,
) -> Result<Json<CommandResponse>, ApiError> {
    to_its_end(async move { api.service.link_device(caller, &request).await }).await.map(Json)
}

/// Get a device's token
///
/// For a device that belongs to a box: once it is linked, and again when its token is no longer good. The token is sealed to
/// the device's sealing key, so the answer is worth nothing to anyone else.
#[utoipa::path(
    post, path = "/v1/tokens", tag = "devices", request_body = TokenRequest,
    responses(
        (status = 200, description = "The device's token", body = AuthorizeResponse),
        (status = 400, description = "`invalid-request`", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "`unauthenticated`: no such device of no such box, or it hasn't signed", body = Problem, content_type = "application/problem+json"),
        (status = 429, description = "`rate-limited`", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "`unavailable`", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn token(
    State(api): State<Api>,
    OpenJson(request): OpenJson<TokenRequest>,
) -> Result<Json<AuthorizeResponse>, ApiError> {
    Ok(Json(api.service.issue_token(&request).await?))
}

//! Register and authorize.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use rossby_schemas::http::problem::Problem;
use rossby_schemas::http::registration::{
    AuthorizeRequest, AuthorizeResponse, IssueCodeRequest, RegisterRequest, RegisterResponse,
};

use super::{ACCEPTED, id};
use crate::body::OpenJson;
use crate::error::{ApiError, to_its_end};
use crate::state::Api;

/// Register
///
/// An identifier and the statements of a box to be founded. A code is sent to the identifier. The answer is the same whether
/// the identifier is taken or not.
#[utoipa::path(
    post, path = "/v1/registrations", tag = "registration", request_body = RegisterRequest,
    responses(
        (status = 202, description = "The registration waits for its code", body = RegisterResponse),
        (status = 400, description = "`invalid-request`: no JSON, a field that is wrong, or no identifier", body = Problem, content_type = "application/problem+json"),
        (status = 408, description = "`request-timeout`", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "`too-large`", body = Problem, content_type = "application/problem+json"),
        (status = 415, description = "`unsupported-media-type`", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "`invalid-statement` or `id-reused`", body = Problem, content_type = "application/problem+json"),
        (status = 429, description = "`rate-limited` or `codes-exhausted`", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "`unavailable` or `outcome-unknown`", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn register(
    State(api): State<Api>,
    OpenJson(request): OpenJson<RegisterRequest>,
) -> Result<(StatusCode, Json<RegisterResponse>), ApiError> {
    let response = to_its_end(async move { api.service.register(&request).await }).await?;
    Ok((ACCEPTED, Json(response)))
}

/// Ask for another code
#[utoipa::path(
    post, path = "/v1/registrations/{registration_id}/codes", tag = "registration", request_body = IssueCodeRequest,
    params(("registration_id" = uuid::Uuid, Path, description = "The registration")),
    responses(
        (status = 202, description = "A code was sent", body = RegisterResponse),
        (status = 400, description = "`invalid-request`", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "`no-such-registration`: unknown, its day is over, or of another identifier", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "`id-reused`", body = Problem, content_type = "application/problem+json"),
        (status = 429, description = "`rate-limited` or `codes-exhausted`", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "`unavailable` or `outcome-unknown`", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn issue_code(
    State(api): State<Api>,
    Path(registration): Path<String>,
    OpenJson(request): OpenJson<IssueCodeRequest>,
) -> Result<(StatusCode, Json<RegisterResponse>), ApiError> {
    let registration = id("registration_id", &registration)?;
    let response = to_its_end(async move { api.service.issue_code(registration, &request).await }).await?;
    Ok((ACCEPTED, Json(response)))
}

/// Authorize
///
/// Shows the code, signed by the registration's device. The box is founded, and the device gets its token, sealed to its
/// key. Repeating it gives the same token.
#[utoipa::path(
    post, path = "/v1/registrations/{registration_id}/authorize", tag = "registration", request_body = AuthorizeRequest,
    params(("registration_id" = uuid::Uuid, Path, description = "The registration")),
    responses(
        (status = 200, description = "The device is authorized", body = AuthorizeResponse),
        (status = 400, description = "`invalid-request`", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "`unauthenticated`: the device was removed meanwhile", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "`wrong-code`, with the guesses left, or `code-spent`", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "`no-such-registration`", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "`identifier-taken`: link a device instead, or claim it", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "`invalid-statement`: the signature does not verify; or `id-reused`", body = Problem, content_type = "application/problem+json"),
        (status = 429, description = "`rate-limited` or `codes-exhausted`", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "`unavailable` or `outcome-unknown`", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn authorize(
    State(api): State<Api>,
    Path(registration): Path<String>,
    OpenJson(request): OpenJson<AuthorizeRequest>,
) -> Result<Json<AuthorizeResponse>, ApiError> {
    let registration = id("registration_id", &registration)?;
    to_its_end(async move { api.service.authorize(registration, &request).await }).await.map(Json)
}

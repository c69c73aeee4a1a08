//! A box's identifiers. They are added and taken away by commands that a device signs; what is here leads to them.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use rossby_schemas::http::identifiers::{AskCodeRequest, AskCodeResponse, ShowCodeRequest, ShowCodeResponse};
use rossby_schemas::http::problem::Problem;

use super::{ACCEPTED, id};
use crate::error::{ApiError, to_its_end};
use crate::hawk::SignedJson;
use crate::state::Api;

/// Ask for a code
///
/// To add an identifier: a code is sent to it, from its codes of the day, and the answer is the same whether it is taken or not.
/// To object to a claim of an identifier that the box has: from the device's own codes of the day.
#[utoipa::path(
    post, path = "/v1/account/identifiers", tag = "identifiers", request_body = AskCodeRequest, security(("hawk" = [])),
    responses(
        (status = 202, description = "A code was sent", body = AskCodeResponse),
        (status = 400, description = "`invalid-request`: no JSON, a field that is wrong, or no identifier", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "`unauthenticated` or `stale-timestamp`", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "`no-such-claim`: the box has no such identifier, or that claim doesn't wait", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "`too-many-identifiers`", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "`id-reused`", body = Problem, content_type = "application/problem+json"),
        (status = 429, description = "`rate-limited` or `codes-exhausted`", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "`unavailable` or `outcome-unknown`", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn ask_code(
    State(api): State<Api>,
    SignedJson(caller, request): SignedJson<AskCodeRequest>,
) -> Result<(StatusCode, Json<AskCodeResponse>), ApiError> {
    let response = to_its_end(async move { api.service.ask_code(caller, &request).await }).await?;
    Ok((ACCEPTED, Json(response)))
}

/// Show a code
///
/// The code that was sent to the identifier, signed by the device that asked for it. Gives what the device needs to sign the
/// command that adds the identifier, or objects to the claim, for `/v1/account/commands`.
#[utoipa::path(
    post, path = "/v1/account/identifiers/{registration_id}/code", tag = "identifiers", request_body = ShowCodeRequest,
    params(("registration_id" = uuid::Uuid, Path, description = "What the code was asked for by")),
    security(("hawk" = [])),
    responses(
        (status = 200, description = "The code is right", body = ShowCodeResponse),
        (status = 400, description = "`invalid-request`", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "`unauthenticated` or `stale-timestamp`", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "`wrong-code`, with the guesses left, or `code-spent`", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "`no-such-registration`: unknown, its day is over, or of another device", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "`identifier-taken`, with what a claim is signed on", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "`invalid-statement`: the signature does not verify; or `id-reused`", body = Problem, content_type = "application/problem+json"),
        (status = 429, description = "`rate-limited` or `codes-exhausted`", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "`unavailable` or `outcome-unknown`", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn show_code(
    State(api): State<Api>,
    Path(registration): Path<String>,
    SignedJson(caller, request): SignedJson<ShowCodeRequest>,
) -> Result<Json<ShowCodeResponse>, ApiError> {
    let registration = id("registration_id", &registration)?;
    to_its_end(async move { api.service.show_code(caller, registration, &request).await }).await.map(Json)
}

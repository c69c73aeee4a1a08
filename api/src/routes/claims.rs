//! Claims: an identifier that belongs to another box, proven again by its person.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use rossby_schemas::http::identifiers::{ClaimForBoxRequest, ClaimRequest, ClaimResponse, FollowClaimRequest};
use rossby_schemas::http::problem::Problem;

use super::{ACCEPTED, id};
use crate::body::OpenJson;
use crate::error::{ApiError, to_its_end};
use crate::hawk::SignedJson;
use crate::state::Api;

/// Claim a registration's identifier
///
/// For a person who has lost all devices: the identifier belongs to another box, and is to lead to the new one. The devices of
/// the other box are told, and a notice goes to the identifier; they have until `effective_at` to object. Go on at
/// `/v1/claims/{claim_id}`. A later claim of the same identifier takes this one's place.
#[utoipa::path(
    post, path = "/v1/registrations/{registration_id}/claim", tag = "registration", request_body = ClaimRequest,
    params(("registration_id" = uuid::Uuid, Path, description = "The registration, whose id is the claim's")),
    responses(
        (status = 202, description = "The claim waits", body = ClaimResponse),
        (status = 400, description = "`invalid-request`", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "`wrong-code`, with the guesses left, or `code-spent`", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "`no-such-registration`: also for another identifier than the registration's", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "`identifier-not-taken`: authorize instead; or `claim-too-soon` after an objection", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "`invalid-statement`: the signature does not verify; or `id-reused`", body = Problem, content_type = "application/problem+json"),
        (status = 429, description = "`rate-limited` or `codes-exhausted`", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "`unavailable` or `outcome-unknown`", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn claim(
    State(api): State<Api>,
    Path(registration): Path<String>,
    OpenJson(request): OpenJson<ClaimRequest>,
) -> Result<(StatusCode, Json<ClaimResponse>), ApiError> {
    let registration = id("registration_id", &registration)?;
    let response = to_its_end(async move { api.service.claim_identifier(registration, &request).await }).await?;
    Ok((ACCEPTED, Json(response)))
}

/// Claim an identifier for the device's box
///
/// The same for a box that is there: its device has shown the code, was told that the identifier is taken, and claims it by
/// the signed command that would add it.
#[utoipa::path(
    post, path = "/v1/account/identifiers/{registration_id}/claim", tag = "identifiers", request_body = ClaimForBoxRequest,
    params(("registration_id" = uuid::Uuid, Path, description = "What the code was asked for by, whose id is the claim's")),
    security(("hawk" = [])),
    responses(
        (status = 202, description = "The claim waits", body = ClaimResponse),
        (status = 400, description = "`invalid-request`", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "`unauthenticated` or `stale-timestamp`", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "`no-such-registration`: for another identifier than the registration's", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "`identifier-not-taken`: add it instead; `claim-too-soon`, `too-many-identifiers` or `version-conflict`", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "`invalid-statement`: it does not verify, or the code was not shown; or `id-reused`", body = Problem, content_type = "application/problem+json"),
        (status = 429, description = "`rate-limited`", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "`unavailable` or `outcome-unknown`", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn claim_for_box(
    State(api): State<Api>,
    Path(registration): Path<String>,
    SignedJson(caller, request): SignedJson<ClaimForBoxRequest>,
) -> Result<(StatusCode, Json<ClaimResponse>), ApiError> {
    let registration = id("registration_id", &registration)?;
    let response = to_its_end(async move { api.service.claim_for_box(caller, registration, &request).await }).await?;
    Ok((ACCEPTED, Json(response)))
}

/// Go on with a claim
///
/// Tells what became of it. Once its time has come and nobody has objected, it takes effect: the new box is founded, and the
/// device gets its token. Repeating it gives the same.
#[utoipa::path(
    post, path = "/v1/claims/{claim_id}", tag = "registration", request_body = FollowClaimRequest,
    params(("claim_id" = uuid::Uuid, Path, description = "The claim")),
    responses(
        (status = 200, description = "What became of it", body = ClaimResponse),
        (status = 400, description = "`invalid-request`", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "`unauthenticated`: the device was removed meanwhile", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "`no-such-claim`: unknown, forgotten, or of another device", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "`invalid-statement`: the signature does not verify", body = Problem, content_type = "application/problem+json"),
        (status = 429, description = "`rate-limited`", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "`unavailable` or `outcome-unknown`", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn follow(
    State(api): State<Api>,
    Path(claim): Path<String>,
    OpenJson(request): OpenJson<FollowClaimRequest>,
) -> Result<Json<ClaimResponse>, ApiError> {
    let claim = id("claim_id", &claim)?;
    to_its_end(async move { api.service.follow_claim(claim, &request).await }).await.map(Json)
}

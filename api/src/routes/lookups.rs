//! Request key and profile.

use axum::Json;
use axum::extract::State;
use rossby_schemas::http::lookup::{LookupRequest, LookupResponse};
use rossby_schemas::http::problem::Problem;

use crate::error::ApiError;
use crate::hawk::SignedJson;
use crate::state::Api;

/// Request key and profile
///
/// By identifier or by BoxID. No such user, not discoverable, and not allowed are one and the same answer.
#[utoipa::path(
    post, path = "/v1/lookups", tag = "keys", request_body = LookupRequest, security(("hawk" = [])),
    responses(
        (status = 200, description = "The user's key record and profile", body = LookupResponse),
        (status = 400, description = "`invalid-request`", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "`unauthenticated` or `stale-timestamp`", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "`no-such-recipient`", body = Problem, content_type = "application/problem+json"),
        (status = 429, description = "`rate-limited`", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "`unavailable`", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn request_key(
    State(api): State<Api>,
    SignedJson(caller, request): SignedJson<LookupRequest>,
) -> Result<Json<LookupResponse>, ApiError> {
    Ok(Json(api.service.request_key(caller, &request).await?))
}

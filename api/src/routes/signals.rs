//! Send signals.

use axum::Json;
use axum::extract::State;
use rossby_schemas::http::problem::Problem;
use rossby_schemas::http::signals::{SignalRequest, SignalResponse};

use crate::body::MAX_BODY;
use crate::error::{ApiError, to_its_end};
use crate::hawk::SignedJson;
use crate::state::Api;

/// Send signals
///
/// To one or many boxes, each standing by itself: sealed like messages, given to the devices that are connected now, and kept
/// nowhere. What is checked of a message is checked of a signal, in the same order. The answer does not say whether anybody is
/// connected. After ten seconds a signal is given to no one.
#[utoipa::path(
    post, path = "/v1/signals", tag = "messages", request_body = SignalRequest, security(("hawk" = [])),
    responses(
        (status = 200, description = "What became of each signal, in the request's order", body = SignalResponse),
        (status = 400, description = "`invalid-request`: nothing was sent", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "`unauthenticated` or `stale-timestamp`", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "`too-large`: nothing was sent", body = Problem, content_type = "application/problem+json"),
        (status = 429, description = "`rate-limited`: nothing was sent", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "`unavailable`", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn send_signals(
    State(api): State<Api>,
    SignedJson(caller, request): SignedJson<SignalRequest, MAX_BODY>,
) -> Result<Json<SignalResponse>, ApiError> {
    api.limiters.check_signals(caller, request.signals.len())?;
    to_its_end(async move { api.service.send_signals(caller, &request).await }).await.map(Json)
}

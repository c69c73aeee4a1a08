//! Where a device that is to be linked and one of the box's meet.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::Extensions;
use rossby_schemas::http::problem::Problem;
use rossby_schemas::http::rendezvous::{RendezvousRequest, RendezvousResponse};
use serde::Deserialize;
use utoipa::IntoParams;

use super::{id, invalid};
use crate::body::OpenJson;
use crate::error::{ApiError, to_its_end};
use crate::state::Api;

/// Leave a message at a rendezvous
///
/// Sealed by one of two devices for the other, under a secret from which the rendezvous's id comes too. It is forgotten after
/// ten minutes. Leaving the same again is harmless.
#[utoipa::path(
    post, path = "/v1/rendezvous/{rendezvous_id}", tag = "devices", request_body = RendezvousRequest,
    params(("rendezvous_id" = uuid::Uuid, Path, description = "The rendezvous")),
    responses(
        (status = 200, description = "All messages that are there now", body = RendezvousResponse),
        (status = 400, description = "`invalid-request`: also when the rendezvous is full", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "`too-large`", body = Problem, content_type = "application/problem+json"),
        (status = 429, description = "`rate-limited`", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "`unavailable` or `outcome-unknown`", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn post(
    State(api): State<Api>,
    Path(rendezvous): Path<String>,
    extensions: Extensions,
    OpenJson(request): OpenJson<RendezvousRequest>,
) -> Result<Json<RendezvousResponse>, ApiError> {
    let rendezvous = id("rendezvous_id", &rendezvous)?;
    api.limiters.check_rendezvous(&extensions, request.sealed.as_slice().len())?;
    to_its_end(async move { api.service.post_to_rendezvous(rendezvous, &request).await }).await.map(Json)
}

/// What to read.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct RendezvousQuery {
    /// How many messages are known already: the answer waits for more.
    #[serde(default)]
    seen: u32,
    /// How many seconds to wait for more, at most 30.
    #[serde(default)]
    #[param(maximum = 30)]
    wait: u32,
}

/// Read a rendezvous
///
/// The messages that were left there and are not forgotten; none for a rendezvous that nobody has come to.
#[utoipa::path(
    get, path = "/v1/rendezvous/{rendezvous_id}", tag = "devices",
    params(("rendezvous_id" = uuid::Uuid, Path, description = "The rendezvous"), RendezvousQuery),
    responses(
        (status = 200, description = "All messages that are there now", body = RendezvousResponse),
        (status = 400, description = "`invalid-request`", body = Problem, content_type = "application/problem+json"),
        (status = 429, description = "`rate-limited`", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "`unavailable`", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn read(
    State(api): State<Api>,
    Path(rendezvous): Path<String>,
    query: Result<Query<RendezvousQuery>, QueryRejection>,
    extensions: Extensions,
) -> Result<Json<RendezvousResponse>, ApiError> {
    api.limiters.check_address(&extensions)?;
    let rendezvous = id("rendezvous_id", &rendezvous)?;
    let Query(query) = query.map_err(|_| invalid("query", "takes seen and wait, both numbers"))?;
    let _seat = if query.wait > 0 { api.limiters.address_wait(&extensions)? } else { None };
    let read = tokio::select! {
        read = api.service.rendezvous(rendezvous, query.seen, query.wait) => read,
        () = api.stop.cancelled() => api.service.rendezvous(rendezvous, 0, 0).await,
    };
    Ok(Json(read?))
}

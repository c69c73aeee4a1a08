//! All that the server holds of a box.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use rossby_commands::ExportPage;
use rossby_schemas::encoding::Octets;
use rossby_schemas::http::export::ExportResponse;
use rossby_schemas::http::problem::Problem;
use serde::Deserialize;
use utoipa::IntoParams;

use super::invalid;
use crate::error::ApiError;
use crate::hawk::Signed;
use crate::state::Api;

/// Which page.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ExportQuery {
    /// What the page before gave as `next`; none for the first page.
    #[param(format = "base64url")]
    cursor: Option<String>,
    /// How many messages at most, 1 to 500; 100 if it is not said.
    #[param(minimum = 1, maximum = 500)]
    limit: Option<u32>,
}

/// All that the server holds of the box
///
/// A page at a time: the first has everything but the queue, and each has some of the queue's messages, for all devices of the box,
/// about 4 MiB at most. `next` is the cursor of the page that follows, good for this device alone. Nothing moves: what waits goes on
/// waiting. A message that is there all the time is in exactly one page.
#[utoipa::path(
    get, path = "/v1/account/export", tag = "account", params(ExportQuery), security(("hawk" = [])),
    responses(
        (status = 200, description = "A page", body = ExportResponse),
        (status = 400, description = "`invalid-request`", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "`unauthenticated` or `stale-timestamp`", body = Problem, content_type = "application/problem+json"),
        (status = 429, description = "`rate-limited`", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "`unavailable`", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn export(
    State(api): State<Api>,
    query: Result<Query<ExportQuery>, QueryRejection>,
    Signed(caller): Signed,
) -> Result<Json<ExportResponse>, ApiError> {
    let Query(query) = query.map_err(|_| invalid("query", "takes cursor and limit, a number"))?;
    let cursor = query.cursor.map(|text| text.parse::<Octets>().map_err(|error| invalid("cursor", error.to_string())));
    let page = ExportPage { cursor: cursor.transpose()?, limit: query.limit };
    Ok(Json(api.service.export_account(caller, &page).await?))
}

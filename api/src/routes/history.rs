//! What happened to the account.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use rossby_commands::HistoryQuery;
use rossby_schemas::encoding::Octets;
use rossby_schemas::http::history::HistoryResponse;
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
pub(crate) struct PageQuery {
    /// What the page before gave as `next`; none for the first page.
    #[param(format = "base64url")]
    cursor: Option<String>,
    /// How many entries at most, 1 to 500; 100 if it is not said.
    #[param(minimum = 1, maximum = 500)]
    limit: Option<u32>,
}

/// What happened to the account
///
/// Every event of its devices, keys, identifiers, settings, blocks and contacts that took effect, as it is in the log, a page at a
/// time: stream by stream, the oldest first, each entry with the hash of the chain up to it. Who keeps the last hash of each
/// stream sees later whether anything before it was left out or changed. `next` is the cursor of the page that follows, good for
/// this device alone. A page has about 1 MiB of data at most.
#[utoipa::path(
    get, path = "/v1/account/history", tag = "account", params(PageQuery), security(("hawk" = [])),
    responses(
        (status = 200, description = "A page", body = HistoryResponse),
        (status = 400, description = "`invalid-request`", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "`unauthenticated` or `stale-timestamp`", body = Problem, content_type = "application/problem+json"),
        (status = 429, description = "`rate-limited`", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "`unavailable`: also while the history is built", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn history(
    State(api): State<Api>,
    query: Result<Query<PageQuery>, QueryRejection>,
    Signed(caller): Signed,
) -> Result<Json<HistoryResponse>, ApiError> {
    let Query(query) = query.map_err(|_| invalid("query", "takes cursor and limit, a number"))?;
    let cursor = query.cursor.map(|text| text.parse::<Octets>().map_err(|error| invalid("cursor", error.to_string())));
    let query = HistoryQuery { cursor: cursor.transpose()?, limit: query.limit };
    Ok(Json(api.service.account_history(caller, &query).await?))
}

//! Outcomes that could not be told.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, Request, State};
use rossby_commands::StatusToken;
use rossby_schemas::http::command::CommandStatus;
use rossby_schemas::http::problem::Problem;
use serde::Deserialize;
use utoipa::IntoParams;

use super::{id, invalid};
use crate::error::ApiError;
use crate::state::Api;

/// Where to look.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct StatusQuery {
    /// The token of an `outcome-unknown` answer's `status_path`.
    token: Option<String>,
}

/// What became of a command
///
/// The random id is the capability. `pending` until the command's stream has passed the version that it expects.
#[utoipa::path(
    get, path = "/v1/commands/{command_id}", tag = "commands",
    params(("command_id" = uuid::Uuid, Path, description = "The command"), StatusQuery),
    responses(
        (status = 200, description = "What became of it", body = CommandStatus),
        (status = 400, description = "`invalid-request`", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "`no-such-command`", body = Problem, content_type = "application/problem+json"),
        (status = 429, description = "`rate-limited`", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "`unavailable`", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn command_status(
    State(api): State<Api>,
    Path(command): Path<String>,
    query: Result<Query<StatusQuery>, QueryRejection>,
    request: Request,
) -> Result<Json<CommandStatus>, ApiError> {
    api.limiters.check_address(request.extensions())?;
    let command = id("command_id", &command)?;
    let Query(query) = query.map_err(|_| invalid("query", "takes token alone"))?;
    let token: Option<StatusToken> =
        query.token.map(|token| token.parse().map_err(|_| invalid("token", "is no token"))).transpose()?;
    Ok(Json(api.service.command_status(command, token.as_ref()).await?))
}

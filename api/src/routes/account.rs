//! A device's own account.

use axum::Json;
use axum::extract::State;
use rossby_schemas::http::account::{AccountCommandRequest, AccountResponse, CommandResponse, StatementRequest};
use rossby_schemas::http::problem::Problem;

use crate::error::{ApiError, to_its_end};
use crate::hawk::{Signed, SignedJson};
use crate::state::Api;

/// The account as its own devices see it
#[utoipa::path(
    get, path = "/v1/account", tag = "account", security(("hawk" = [])),
    responses(
        (status = 200, description = "Key record, devices, settings", body = AccountResponse),
        (status = 401, description = "`unauthenticated` or `stale-timestamp`", body = Problem, content_type = "application/problem+json"),
        (status = 429, description = "`rate-limited`", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "`unavailable`", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn account(State(api): State<Api>, Signed(caller): Signed) -> Result<Json<AccountResponse>, ApiError> {
    Ok(Json(api.service.account(caller).await?))
}

/// Change the account
///
/// A command that the device has signed over the stream's version: settings, blocks, contacts, the encrypted profile, the
/// revocation of a token, identifiers added and taken away, objections to claims.
#[utoipa::path(
    post, path = "/v1/account/commands", tag = "account", request_body = AccountCommandRequest, security(("hawk" = [])),
    responses(
        (status = 200, description = "It took effect", body = CommandResponse),
        (status = 400, description = "`invalid-request`", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "`unauthenticated` or `stale-timestamp`", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "`no-such-claim`", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "`version-conflict`: sign anew on the current version; `identifier-taken`, `too-many-identifiers`, `last-identifier` or `code-needed`", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "`too-large`", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "`invalid-statement` or `id-reused`", body = Problem, content_type = "application/problem+json"),
        (status = 429, description = "`rate-limited`", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "`unavailable` or `outcome-unknown`", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn account_command(
    State(api): State<Api>,
    SignedJson(caller, request): SignedJson<AccountCommandRequest>,
) -> Result<Json<CommandResponse>, ApiError> {
    to_its_end(async move { api.service.account_command(caller, &request).await }).await.map(Json)
}

/// Add a statement to the key record
///
/// The removal of a device, or the device's new sealing statement.
#[utoipa::path(
    post, path = "/v1/account/statements", tag = "account", request_body = StatementRequest, security(("hawk" = [])),
    responses(
        (status = 200, description = "It took effect", body = CommandResponse),
        (status = 400, description = "`invalid-request`", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "`unauthenticated` or `stale-timestamp`", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "`invalid-statement` or `id-reused`", body = Problem, content_type = "application/problem+json"),
        (status = 429, description = "`rate-limited`", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "`unavailable` or `outcome-unknown`", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn statement(
    State(api): State<Api>,
    SignedJson(caller, request): SignedJson<StatementRequest>,
) -> Result<Json<CommandResponse>, ApiError> {
    to_its_end(async move { api.service.statement(caller, &request).await }).await.map(Json)
}

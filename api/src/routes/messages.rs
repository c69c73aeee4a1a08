//! Send, fetch and confirm.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use rossby_commands::{Caller, Fetch};
use rossby_schemas::http::messages::{ConfirmRequest, ConfirmResponse, FetchResponse, SendRequest, SendResponse};
use rossby_schemas::http::problem::Problem;
use serde::Deserialize;
use utoipa::IntoParams;

use super::invalid;
use crate::error::{ApiError, to_its_end};
use crate::hawk::{SignedJson, SignedMessages, SignedToken, check_token};
use crate::state::Api;

/// Send messages
///
/// To one or many boxes, each standing by itself. Checked in this order: permission, an id already accepted (the same answer
/// as before), the head and the devices. Sending again with the same ids is safe for as long as the messages live.
///
/// A request has up to 300 messages and 8 MiB. One of more than 2 MiB must say how long it is, and waits while many such are
/// dealt with.
#[utoipa::path(
    post, path = "/v1/messages", tag = "messages", request_body = SendRequest, security(("hawk" = [])),
    responses(
        (status = 200, description = "What became of each message, in the request's order", body = SendResponse),
        (status = 400, description = "`invalid-request`: nothing was sent", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "`unauthenticated` or `stale-timestamp`", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "`too-large`", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "`id-reused`: nothing was sent", body = Problem, content_type = "application/problem+json"),
        (status = 429, description = "`rate-limited`", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "`unavailable`", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn send(
    State(api): State<Api>,
    SignedMessages(caller, request, room): SignedMessages,
) -> Result<Json<SendResponse>, ApiError> {
    let sending = async move {
        let _room = room;
        api.service.send_message(caller, &request).await
    };
    to_its_end(sending).await.map(Json)
}

/// What to fetch.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct FetchQuery {
    /// How many messages at most, 1 to 500; 100 if it is not said.
    #[param(minimum = 1, maximum = 500)]
    limit: Option<u32>,
    /// How many seconds to wait for a message if there is none, at most 30.
    #[param(maximum = 30)]
    wait: Option<u32>,
    /// A position that the answer must have seen, as a write gave it.
    #[param(example = "1/rossby.inbox/3/42")]
    position: Option<String>,
}

/// Fetch messages
///
/// What waits for this device, in the order in which it was accepted. Nothing moves until it is confirmed.
#[utoipa::path(
    get, path = "/v1/messages", tag = "messages", params(FetchQuery), security(("hawk" = [])),
    responses(
        (status = 200, description = "What waits", body = FetchResponse),
        (status = 400, description = "`invalid-request`", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "`unauthenticated` or `stale-timestamp`", body = Problem, content_type = "application/problem+json"),
        (status = 429, description = "`rate-limited`", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "`unavailable`", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn fetch(
    State(api): State<Api>,
    query: Result<Query<FetchQuery>, QueryRejection>,
    SignedToken(token): SignedToken,
) -> Result<Json<FetchResponse>, ApiError> {
    let caller = Caller { box_id: token.box_id, device_id: token.device_id };
    let Query(query) = query.map_err(|_| invalid("query", "takes limit, wait and position, the first two numbers"))?;
    let position = query.position.map(|text| {
        text.parse().map_err(|error: rossby_commands::NotAPosition| invalid("position", error.to_string()))
    });
    let fetch = Fetch { limit: query.limit, wait_seconds: query.wait, position: position.transpose()? };
    let seat = query.wait.filter(|wait| *wait > 0).map(|_| api.limiters.device_wait(caller)).transpose()?;
    let fetched = tokio::select! {
        fetched = api.service.fetch_messages(caller, fetch) => fetched,
        () = api.stop.cancelled() => {
            api.service.fetch_messages(caller, Fetch { wait_seconds: None, ..fetch }).await
        }
    };
    if seat.is_some() {
        // It may have been revoked while the request waited.
        check_token(&api.service, token).await?;
    }
    Ok(Json(fetched?))
}

/// Confirm messages
///
/// By the handles that fetch gave: they are no longer given to this device. Confirming twice is harmless.
#[utoipa::path(
    post, path = "/v1/messages/confirm", tag = "messages", request_body = ConfirmRequest, security(("hawk" = [])),
    responses(
        (status = 200, description = "They are confirmed", body = ConfirmResponse),
        (status = 400, description = "`invalid-request`: a handle was not given to this device; nothing was confirmed", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "`unauthenticated` or `stale-timestamp`", body = Problem, content_type = "application/problem+json"),
        (status = 429, description = "`rate-limited`", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "`unavailable` or `outcome-unknown`", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn confirm(
    State(api): State<Api>,
    SignedJson(caller, request): SignedJson<ConfirmRequest>,
) -> Result<Json<ConfirmResponse>, ApiError> {
    to_its_end(async move { api.service.confirm_messages(caller, &request).await }).await.map(Json)
}

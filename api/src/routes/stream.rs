//! The live stream's handshake.

use axum::Extension;
use axum::extract::State;
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::response::Response;
use rossby_commands::Caller;
use rossby_schemas::http::problem::{Problem, ProblemType};
use rossby_schemas::http::stream::ServerFrame;

use crate::error::ApiError;
use crate::hawk::SignedToken;
use crate::server::Place;
use crate::state::Api;
use crate::stream::{Session, open};

/// Open the live stream
///
/// A WebSocket (RFC 6455). Frames are JSON texts with a `type`: the server's are `ServerFrame`, the client's `ClientFrame`. What
/// waits for the device is sent first, in the order in which it was accepted, up to `caught-up`; then what arrives. A message
/// is sent again on the next stream until it is confirmed, here or by `POST /v1/messages/confirm`; so many may be unconfirmed at
/// once, and no more are sent until some are. Pings must be answered. A stream is closed with 1001 when the server stops, 1003,
/// 1007 or 1009 after a frame that can't be read, 1011 after a defect, 4401 when the token is no longer good, and 4408 when
/// nothing is heard of the client.
#[utoipa::path(
    get, path = "/v1/stream", tag = "messages", security(("hawk" = [])),
    responses(
        (status = 101, description = "The stream: frames of the server's", body = ServerFrame),
        (status = 401, description = "`unauthenticated` or `stale-timestamp`", body = Problem, content_type = "application/problem+json"),
        (status = 426, description = "`upgrade-required`", body = Problem, content_type = "application/problem+json"),
        (status = 429, description = "`rate-limited`: too many requests, or the device has as many streams open as it may", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "`unavailable`: also when the process has as many streams open as it may", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn stream(
    State(api): State<Api>,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
    place: Option<Extension<Place>>,
    SignedToken(token): SignedToken,
) -> Result<Response, ApiError> {
    let upgrade = upgrade.map_err(|_| ApiError::new(ProblemType::UpgradeRequired))?;
    let caller = Caller { box_id: token.box_id, device_id: token.device_id };
    let seat = api.streams.seat(caller)?;
    let subscription = api.live.connect(token).await?;
    let place = place.map(|Extension(place)| place);
    Ok(open(upgrade, Session { api, caller, subscription, seat, place }))
}

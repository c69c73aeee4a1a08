//! What operators ask: is it alive, is it ready, how is it doing. All but the first is told on a listener of its own: figures say
//! when somebody is connected, and what isn't ready is nobody else's business.

use async_trait::async_trait;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use axum::{Json, Router};
use rossby_schemas::http::problem::ProblemType;
use serde::Serialize;
use tower_http::catch_panic::CatchPanicLayer;

use crate::error::ApiError;
use crate::observe::{observe, panicked};
use crate::state::Api;

/// A part that is not ready, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NotReady {
    /// The part: the log, the read models, a projection.
    pub part: String,
    /// Why it is not ready.
    pub reason: String,
}

/// Tells which parts of a process are not ready.
#[async_trait]
pub trait Readiness: Send + Sync + 'static {
    /// The parts that are not ready; none if all are.
    async fn not_ready(&self) -> Vec<NotReady>;
}

/// Whether the process can do its work.
#[derive(Debug, Serialize)]
struct ReadyResponse {
    ready: bool,
    not_ready: Vec<NotReady>,
}

/// The process is alive.
#[utoipa::path(get, path = "/healthz", tag = "operators", responses((status = 200, description = "The process is alive")))]
pub(crate) async fn healthz() -> &'static str {
    "alive\n"
}

/// Whether the process can do its work, and what is not ready.
async fn readyz(State(api): State<Api>) -> impl IntoResponse {
    let not_ready = api.readiness.not_ready().await;
    let ready = not_ready.is_empty();
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(ReadyResponse { ready, not_ready }))
}

/// Figures in Prometheus's text format.
async fn metrics(State(api): State<Api>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], api.metrics.render())
}

/// The operators' paths, for a listener that strangers don't reach.
pub fn operator_router(api: Api) -> Router {
    Router::new()
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
        .fallback(async || ApiError::new(ProblemType::NoSuchResource))
        .method_not_allowed_fallback(async || ApiError::new(ProblemType::MethodNotAllowed))
        .layer(CatchPanicLayer::custom(panicked))
        .layer(axum::middleware::from_fn(observe))
        .with_state(api)
}

//! The routes, by resource, and the document that describes them.

mod account;
mod blobs;
mod claims;
mod commands;
mod devices;
mod examples;
mod export;
mod history;
mod identifiers;
mod lookups;
mod messages;
mod registrations;
mod rendezvous;
mod signals;
mod stream;

use axum::Router;
use axum::http::StatusCode;
use rossby_schemas::http::problem::{Problem, ProblemType};
use rossby_schemas::http::stream::ClientFrame;
use tower_http::catch_panic::CatchPanicLayer;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, SecurityScheme};
use utoipa::{Modify, OpenApi};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use utoipa_swagger_ui::SwaggerUi;

use crate::error::ApiError;
use crate::observe::{observe, panicked};
use crate::operator;
use crate::state::Api;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Rossby",
        description = "An end-to-end encrypted message service. Binary fields are base64url without padding, times are \
            RFC 3339, errors are problem documents (RFC 9457) with a stable `type`. Requests marked with `hawk` are signed \
            with the device's token, their body too.",
        license(name = "Apache-2.0", identifier = "Apache-2.0")
    ),
    components(schemas(Problem, ClientFrame)),
    modifiers(&Hawk)
)]
struct Document;

struct Hawk;

impl Modify for Hawk {
    fn modify(&self, openapi: &mut utoipa::openapi::OpenApi) {
        let description = "Hawk 1 (https://github.com/mozilla/hawk): `Hawk id=\"…\", ts=\"…\", nonce=\"…\", hash=\"…\", \
            mac=\"…\"` with SHA-256. The payload's hash is required, also of an empty body. A clock that is off by more than \
            a minute gets the server's time, with a MAC, in `WWW-Authenticate`.";
        let header = ApiKey::Header(ApiKeyValue::with_description("Authorization", description));
        openapi.components.get_or_insert_default().add_security_scheme("hawk", SecurityScheme::ApiKey(header));
    }
}

/// All routes, and the document that describes them.
fn routes() -> (Router<Api>, utoipa::openapi::OpenApi) {
    let (router, mut document) = OpenApiRouter::with_openapi(Document::openapi())
        .routes(routes!(registrations::register))
        .routes(routes!(registrations::issue_code))
        .routes(routes!(registrations::authorize))
        .routes(routes!(lookups::request_key))
        .routes(routes!(messages::send, messages::fetch))
        .routes(routes!(messages::confirm))
        .routes(routes!(stream::stream))
        .routes(routes!(signals::send_signals))
        .routes(routes!(account::account))
        .routes(routes!(export::export))
        .routes(routes!(history::history))
        .routes(routes!(account::account_command))
        .routes(routes!(account::statement))
        .routes(routes!(identifiers::ask_code))
        .routes(routes!(identifiers::show_code))
        .routes(routes!(claims::claim))
        .routes(routes!(claims::claim_for_box))
        .routes(routes!(claims::follow))
        .routes(routes!(devices::link))
        .routes(routes!(devices::token))
        .routes(routes!(rendezvous::post, rendezvous::read))
        .routes(routes!(blobs::begin_upload))
        .routes(routes!(blobs::upload))
        .routes(routes!(blobs::put_chunk))
        .routes(routes!(blobs::complete_upload))
        .routes(routes!(blobs::download, blobs::delete_blob))
        .routes(routes!(commands::command_status))
        .routes(routes!(operator::healthz))
        .split_for_parts();
    examples::complete(&mut document);
    (router, document)
}

/// The API's description, as it is served and checked in.
#[must_use]
pub fn openapi() -> utoipa::openapi::OpenApi {
    routes().1
}

/// All routes, with the description at `/openapi.json` and a page for it at `/docs`.
pub fn router(api: Api) -> Router {
    let (router, document) = routes();
    router
        .merge(SwaggerUi::new("/docs").url("/openapi.json", document))
        .fallback(async || ApiError::new(ProblemType::NoSuchResource))
        .method_not_allowed_fallback(async || ApiError::new(ProblemType::MethodNotAllowed))
        .layer(CatchPanicLayer::custom(panicked))
        .layer(axum::middleware::from_fn(observe))
        .with_state(api)
}

/// A query or a path that can't be read, by the name of its parameter.
fn invalid(name: &str, reason: impl Into<String>) -> ApiError {
    ApiError::field(ProblemType::InvalidRequest, name, reason)
}

/// An id in a path.
fn id<T: std::str::FromStr>(name: &str, text: &str) -> Result<T, ApiError> {
    text.parse().map_err(|_| invalid(name, "is no UUID"))
}

const ACCEPTED: StatusCode = StatusCode::ACCEPTED;

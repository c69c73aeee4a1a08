//! Downloads.

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::header::{ACCEPT_RANGES, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};
use futures::TryStreamExt as _;
use rossby_schemas::http::problem::{Problem, ProblemType};

use super::blob_id;
use super::range::{Asked, asked};
use crate::error::ApiError;
use crate::hawk::Signed;
use crate::state::Api;

/// Download a blob
///
/// Whole, or the one range that a `Range` header asks for. A blob that is unknown, not complete, expired or deleted is one and the
/// same answer. Nothing is kept of who downloads what.
#[utoipa::path(
    get, path = "/v1/blobs/{blob_id}", tag = "blobs", security(("hawk" = [])),
    params(
        ("blob_id" = String, Path, description = "The blob, 34 octets in base64url"),
        ("range" = Option<String>, Header, description = "One range of octets (RFC 9110)", example = "bytes=1048576-"),
    ),
    responses(
        (status = 200, description = "The blob", body = Vec<u8>, content_type = "application/octet-stream"),
        (status = 206, description = "The range that was asked for", body = Vec<u8>, content_type = "application/octet-stream"),
        (status = 400, description = "`invalid-request`", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "`unauthenticated` or `stale-timestamp`", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "`no-such-blob`", body = Problem, content_type = "application/problem+json"),
        (status = 416, description = "`no-such-range`: `content-range` says how many octets the blob has", body = Problem, content_type = "application/problem+json"),
        (status = 429, description = "`rate-limited`", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "`unavailable`", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn download(
    State(api): State<Api>,
    Path(id): Path<String>,
    headers: HeaderMap,
    Signed(_): Signed,
) -> Result<Response, ApiError> {
    let blob = api.service.blob(blob_id(&id)?).await?;
    let octets = blob.octets();
    let (status, range) = match asked(&headers, octets) {
        Asked::All => (StatusCode::OK, 0..octets),
        Asked::Part(range) => (StatusCode::PARTIAL_CONTENT, range),
        Asked::Nothing => {
            let mut refused = ApiError::new(ProblemType::NoSuchRange).into_response();
            refused.headers_mut().insert(CONTENT_RANGE, value(&format!("bytes */{octets}")));
            return Ok(refused);
        }
    };
    // What fails from here on can only be told by ending early.
    let told = |error: &_| tracing::warn!(%error, "a download ended early");
    let body = Body::from_stream(blob.read(range.clone()).inspect_err(told));
    let mut response = (status, body).into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    headers.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    headers.insert(CONTENT_LENGTH, HeaderValue::from(range.end - range.start));
    if status == StatusCode::PARTIAL_CONTENT {
        headers.insert(CONTENT_RANGE, value(&format!("bytes {}-{}/{octets}", range.start, range.end - 1)));
    }
    Ok(response)
}

/// Numbers and a few letters, which a header takes.
fn value(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).unwrap_or_else(|_| HeaderValue::from_static(""))
}

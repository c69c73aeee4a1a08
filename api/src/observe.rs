//! Each request gets an id, a line in the log, and its place in the figures. Never a body, a query or a header's value.

use std::any::Any;
use std::time::Instant;

use axum::extract::{MatchedPath, Request};
use axum::http::{HeaderValue, Method};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use metrics::{Unit, counter, describe_counter, describe_gauge, describe_histogram, histogram};
use rossby_schemas::http::problem::ProblemType;
use tracing::Instrument as _;
use uuid::Uuid;

use crate::error::ApiError;

const REQUEST_ID: &str = "x-request-id";

/// Says what the figures are, once a recorder is installed.
pub fn describe_metrics() {
    describe_counter!("rossby_http_requests_total", "Requests answered, by path, method and status");
    describe_histogram!("rossby_http_request_seconds", Unit::Seconds, "Time from a request's head to its answer");
    describe_counter!("rossby_projection_records_total", "Records met by projections, by what became of them");
    describe_gauge!("rossby_projection_lag_records", "Records that a projection has not applied yet");
    describe_gauge!("rossby_projection_stopped_partitions", "Partitions on which a projection has stopped");
    describe_counter!("rossby_blob_stored_octets_total", Unit::Bytes, "Octets of blobs that were stored");
    describe_counter!("rossby_blob_read_octets_total", Unit::Bytes, "Octets of blobs that were read");
    describe_counter!("rossby_blobs_completed_total", "Blobs that were uploaded whole");
    describe_counter!("rossby_blob_store_failures_total", "Failures of the blob store");
    describe_gauge!("rossby_queue_depth_messages", "Messages that wait for some device");
    describe_gauge!("rossby_streams_open", "Live streams that are open");
    describe_counter!("rossby_streams_closed_total", "Live streams that ended, by reason");
    describe_counter!("rossby_stream_frames_total", "Frames of live streams, by direction and type");
    rossby_commands::describe_metrics();
}

/// A method as a label: clients may make up any number of them, and each would be a figure of its own.
fn label(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}

/// The answer when a handler has panicked. What the panic said may hold anything, so none of it is repeated.
pub(crate) fn panicked(_: Box<dyn Any + Send>) -> Response {
    tracing::error!("a handler has failed");
    ApiError::new(ProblemType::Internal).into_response()
}

/// Around every handler.
pub(crate) async fn observe(request: Request, next: Next) -> Response {
    let (id, begin) = (Uuid::new_v4().to_string(), Instant::now());
    let path = request.extensions().get::<MatchedPath>().map_or("none", MatchedPath::as_str).to_owned();
    let method = label(request.method());
    let span = tracing::info_span!("request", request.id = %id, http.method = %method, http.route = %path);
    let mut response = next.run(request).instrument(span.clone()).await;
    let (status, seconds) = (response.status().as_u16(), begin.elapsed().as_secs_f64());
    span.in_scope(|| tracing::info!(http.status = status, duration_ms = seconds * 1000.0, "answered"));
    let labels = [("path", path), ("method", method.to_owned()), ("status", status.to_string())];
    counter!("rossby_http_requests_total", &labels).increment(1);
    histogram!("rossby_http_request_seconds", &labels).record(seconds);
    if let Ok(value) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    response
}

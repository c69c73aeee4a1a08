//! Errors as problem documents, in one place.

use axum::body::Body;
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER, UPGRADE, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, Response, StatusCode};
use axum::response::IntoResponse;
use rossby_commands::CommandError;
use rossby_schemas::http::problem::{FieldError, PROBLEM_JSON, Problem, ProblemType};

/// An answer that is a problem document.
#[derive(Debug)]
pub(crate) struct ApiError {
    problem: Box<Problem>,
    authenticate: Option<HeaderValue>,
}

impl ApiError {
    pub(crate) fn new(kind: ProblemType) -> Self {
        Problem::new(kind).into()
    }

    /// A field that is wrong.
    pub(crate) fn field(kind: ProblemType, field: impl Into<String>, reason: impl Into<String>) -> Self {
        let errors = vec![FieldError { field: field.into(), reason: reason.into() }];
        Problem { errors, ..Problem::new(kind) }.into()
    }

    /// A limit was reached, or a part is away: try again after so many seconds.
    pub(crate) fn later(kind: ProblemType, detail: &str, seconds: u64) -> Self {
        let detail = Some(detail.to_owned());
        Problem { detail, retry_after: Some(seconds), ..Problem::new(kind) }.into()
    }

    /// The document alone.
    pub(crate) fn into_problem(self) -> Problem {
        *self.problem
    }

    /// With the challenge that tells a client how to authenticate.
    pub(crate) fn with_challenge(mut self, challenge: HeaderValue) -> Self {
        self.authenticate = Some(challenge);
        self
    }
}

impl From<Problem> for ApiError {
    fn from(problem: Problem) -> Self {
        Self { problem: Box::new(problem), authenticate: None }
    }
}

impl From<CommandError> for ApiError {
    /// What the server's own log should know is logged here, once.
    fn from(error: CommandError) -> Self {
        match &error {
            CommandError::Refused(_) | CommandError::NoSuchCommand => {}
            CommandError::Unavailable(reason) => tracing::warn!(reason, "a command was not possible"),
            CommandError::StorageFull(reason) => tracing::error!(reason, "there is no room left"),
            CommandError::OutcomeUnknown { reason, .. } => tracing::warn!(reason, "a command's outcome is not known"),
            CommandError::Internal(reason) => tracing::error!(reason, "a command met a defect"),
        }
        error.problem().into()
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response<Body> {
        let status = StatusCode::from_u16(self.problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = serde_json::to_vec(&*self.problem).unwrap_or_default();
        let mut response = (status, [(CONTENT_TYPE, PROBLEM_JSON)], body).into_response();
        let headers = response.headers_mut();
        if let Some(seconds) = self.problem.retry_after {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        if self.problem.problem_type() == Some(ProblemType::UpgradeRequired) {
            headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
        }
        if let Some(challenge) = self.authenticate {
            headers.insert(WWW_AUTHENTICATE, challenge);
        }
        response
    }
}

/// Runs a write to its end even if the client goes away meanwhile: a handler's future is dropped with its connection.
pub(crate) async fn to_its_end<T: Send + 'static>(
    write: impl Future<Output = Result<T, CommandError>> + Send + 'static,
) -> Result<T, ApiError> {
    match tokio::spawn(tracing::Instrument::in_current_span(write)).await {
        Ok(result) => result.map_err(ApiError::from),
        Err(error) => {
            tracing::error!(%error, "a handler has failed");
            Err(ApiError::new(ProblemType::Internal))
        }
    }
}

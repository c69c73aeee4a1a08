//! How a server that can't be reached is asked again.

use std::time::Duration;

use backon::ExponentialBuilder;

use crate::error::ClientError;
use rossby_schemas::http::problem::ProblemType;

/// A server that takes a request and is silent for so long is not asked again at once.
pub(super) const NO_ANSWER: &str = "it does not answer";

/// How a server that can't be reached, or does not know its outcome, is asked again before that is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retries {
    /// How often.
    pub times: usize,
    /// How long it waits before the first time; before each other about twice as long.
    pub first_pause: Duration,
    /// How long it waits at most.
    pub longest_pause: Duration,
}

impl Default for Retries {
    /// A few seconds in all: somebody waits for it.
    fn default() -> Self {
        Self { times: 4, first_pause: Duration::from_millis(200), longest_pause: Duration::from_secs(2) }
    }
}

impl Retries {
    pub(super) fn backoff(self) -> ExponentialBuilder {
        ExponentialBuilder::default()
            .with_jitter()
            .with_min_delay(self.first_pause)
            .with_max_delay(self.longest_pause)
            .with_max_times(self.times)
    }
}

/// Whether asking again may help at once.
pub(super) fn passes(error: &ClientError) -> bool {
    match error {
        ClientError::Unreachable { reason, .. } => reason != NO_ANSWER,
        ClientError::Refused(problem) => {
            matches!(problem.problem_type(), Some(ProblemType::Unavailable | ProblemType::OutcomeUnknown))
        }
        _ => false,
    }
}

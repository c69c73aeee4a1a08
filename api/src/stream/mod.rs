//! The live stream: a WebSocket for each connected device, on which the service's live delivery speaks.

mod frames;
mod session;
mod writer;

use std::sync::Arc;
use std::time::Duration;

use metrics::{counter, gauge};
use rossby_commands::Caller;
use rossby_schemas::http::problem::ProblemType;
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;

pub(crate) use self::session::{Session, open};
use crate::error::ApiError;
use crate::seats::{self, Full, Seats};

/// What streams may take.
#[derive(Debug, Clone, Copy)]
pub struct StreamLimits {
    /// Streams that one device has open here at once.
    pub per_device: usize,
    /// Streams that all devices have open here at once.
    pub per_process: usize,
    /// How often a client is asked whether it is there.
    pub ping: Duration,
    /// After how long a client that was not heard of, or took nothing, is given up.
    pub silence: Duration,
}

/// The streams of this process.
#[derive(Debug)]
pub(crate) struct Streams {
    limits: StreamLimits,
    seats: Arc<Seats<Caller>>,
    tracker: TaskTracker,
}

/// A stream's place among those that may be open. Dropped, it is free.
#[derive(Debug)]
pub(crate) struct Seat {
    _place: seats::Seat<Caller>,
    _token: TaskTrackerToken,
}

impl Streams {
    pub(crate) fn new(limits: StreamLimits) -> Self {
        let seats = Arc::new(Seats::new(limits.per_device, limits.per_process));
        Self { limits, seats, tracker: TaskTracker::new() }
    }

    /// A seat for a device's stream, if there is one.
    pub(crate) fn seat(&self, caller: Caller) -> Result<Seat, ApiError> {
        // A stream whose client went away without a word is given up after the silence.
        let later = self.limits.silence.as_secs().max(1);
        let place = self.seats.seat(caller).map_err(|full| match full {
            Full::All => ApiError::later(ProblemType::Unavailable, "No more streams are opened here now.", later),
            Full::Own(own) => {
                let detail = format!("The device has {own} streams open: close one first.");
                ApiError::later(ProblemType::RateLimited, &detail, later)
            }
        })?;
        gauge!("rossby_streams_open").increment(1.0);
        Ok(Seat { _place: place, _token: self.tracker.token() })
    }

    /// Waits until all have ended.
    pub(crate) async fn finish(&self) {
        self.tracker.close();
        self.tracker.wait().await;
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        gauge!("rossby_streams_open").decrement(1.0);
    }
}

/// Counts a frame.
fn count(direction: &'static str, kind: &'static str) {
    counter!("rossby_stream_frames_total", "direction" => direction, "type" => kind).increment(1);
}

#[cfg(test)]
mod tests {
    use rossby_schemas::ids::{BoxId, DeviceId};

    use super::*;

    #[test]
    fn there_are_as_many_seats_as_the_limits_say_and_a_free_one_is_taken_again() {
        let silence = Duration::from_secs(60);
        let limits = StreamLimits { per_device: 2, per_process: 3, ping: silence, silence };
        let streams = Streams::new(limits);
        let device_id = DeviceId::from_bytes([1; 16]);
        // The device's id is the same: anyone may take it.
        let [ann, ben] = [1, 2].map(|number| Caller { box_id: BoxId::from_bytes([number; 16]), device_id });
        let refused = |device| streams.seat(device).unwrap_err().into_problem();
        let first = streams.seat(ann).unwrap();
        let _second = streams.seat(ann).unwrap();
        let problem = refused(ann);
        assert_eq!((problem.problem_type(), problem.retry_after), (Some(ProblemType::RateLimited), Some(60)));
        let _third = streams.seat(ben).unwrap();
        assert_eq!(refused(ben).problem_type(), Some(ProblemType::Unavailable));
        drop(first);
        assert!(streams.seat(ben).is_ok());
    }
}

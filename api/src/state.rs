//! What all handlers share.

use std::sync::Arc;
use std::time::Duration;

use metrics_exporter_prometheus::PrometheusHandle;
use rossby_commands::{Live, Service};
use rossby_schemas::time::Clock;
use tokio_util::sync::CancellationToken;

use crate::body::{HeldOctets, LargeBodies};
use crate::hawk::{Hawk, PublicUrl};
use crate::limits::{ApiLimits, Limiters};
use crate::operator::Readiness;
use crate::stream::{StreamLimits, Streams};

/// Everything that the routes need. Cheap to clone.
#[derive(Clone)]
pub struct Api {
    pub(crate) service: Service,
    pub(crate) live: Live,
    pub(crate) streams: Arc<Streams>,
    pub(crate) hawk: Arc<Hawk>,
    pub(crate) limiters: Arc<Limiters>,
    pub(crate) held_octets: Arc<HeldOctets>,
    pub(crate) large_bodies: Arc<LargeBodies>,
    pub(crate) readiness: Arc<dyn Readiness>,
    pub(crate) metrics: PrometheusHandle,
    /// How long a request may take to arrive.
    pub(crate) request_timeout: Duration,
    /// Cancelled when the server stops: nobody is let wait for messages any more, and streams end.
    pub(crate) stop: CancellationToken,
}

impl Api {
    /// An API in front of a service. Requests must be signed for one of `urls`; once `stop` is cancelled, fetches that wait are
    /// answered with what there is, and streams are closed.
    #[must_use]
    pub fn new(
        (service, live): (Service, Live),
        urls: Vec<PublicUrl>,
        (limits, streams): (ApiLimits, StreamLimits),
        clock: Arc<dyn Clock>,
        readiness: Arc<dyn Readiness>,
        metrics: PrometheusHandle,
        stop: CancellationToken,
    ) -> Self {
        Self {
            service,
            live,
            streams: Arc::new(Streams::new(streams)),
            hawk: Arc::new(Hawk::new(urls, clock)),
            limiters: Arc::new(Limiters::new(limits)),
            held_octets: Arc::new(HeldOctets::new()),
            large_bodies: Arc::new(LargeBodies::new()),
            readiness,
            metrics,
            request_timeout: limits.request_timeout,
            stop,
        }
    }
    /// Waits until the streams have ended, once the server was stopped.
    pub async fn finish(&self) {
        self.streams.finish().await;
    }
}

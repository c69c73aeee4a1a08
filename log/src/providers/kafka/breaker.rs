//! The circuit breaker: after one append that was not answered in time, further ones are refused at once, until the
//! cluster answers again.

use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::error::LogError;
use crate::metrics;

/// How long it waits between two probes.
const PAUSE: Duration = Duration::from_millis(250);

#[derive(Debug, Clone)]
pub(super) struct Breaker {
    /// Why it is open, if it is.
    open: Arc<Mutex<Option<String>>>,
    closed_log: CancellationToken,
}

impl Breaker {
    /// A closed one. Its probes end with `closed_log`.
    pub(super) fn new(closed_log: CancellationToken) -> Self {
        metrics::breaker(0.0);
        Self { open: Arc::default(), closed_log }
    }

    /// Refuses while it is open.
    pub(super) fn check(&self) -> Result<(), LogError> {
        match &*self.open.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(why) => Err(LogError::Unavailable(why.clone())),
            None => Ok(()),
        }
    }

    /// Opens it, and probes in the background until one succeeds. Does nothing while it is open.
    pub(super) fn open<P, F>(&self, why: String, probe: P)
    where
        P: Fn() -> F + Send + 'static,
        F: Future<Output = Result<(), LogError>> + Send,
    {
        {
            let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
            if open.is_some() {
                return;
            }
            tracing::warn!(why, "appends to the log are refused until the cluster answers");
            *open = Some(why);
            metrics::breaker(1.0);
        }
        let breaker = self.clone();
        tokio::spawn(async move {
            let closed_log = breaker.closed_log.clone();
            let _ = closed_log.run_until_cancelled(breaker.probe_until_answered(probe)).await;
        });
    }

    async fn probe_until_answered<P, F>(&self, probe: P)
    where
        P: Fn() -> F,
        F: Future<Output = Result<(), LogError>>,
    {
        while let Err(error) = probe().await {
            tracing::debug!(%error, "the cluster does not answer yet");
            tokio::time::sleep(PAUSE).await;
        }
        *self.open.lock().unwrap_or_else(PoisonError::into_inner) = None;
        metrics::breaker(-1.0);
        tracing::info!("the cluster answers again; appends go on");
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn it_closes_when_a_probe_succeeds() {
        let (breaker, probes) = (Breaker::new(CancellationToken::new()), Arc::new(AtomicUsize::new(0)));
        assert_eq!(breaker.check(), Ok(()));
        let counted = Arc::clone(&probes);
        breaker.open("late".into(), move || {
            let probes = counted.fetch_add(1, Ordering::SeqCst);
            async move { if probes < 3 { Err(LogError::Unavailable("no".into())) } else { Ok(()) } }
        });
        // Open is open: this one is never asked.
        breaker.open("later".into(), || async { Ok(()) });
        assert_eq!(breaker.check(), Err(LogError::Unavailable("late".into())));
        tokio::time::sleep(PAUSE * 2).await;
        assert!(breaker.check().is_err());
        tokio::time::sleep(PAUSE * 2).await;
        assert_eq!((breaker.check(), probes.load(Ordering::SeqCst)), (Ok(()), 4));
    }
}

//! The signals by which an operator stops the server.

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// A token that is cancelled at the first SIGINT or SIGTERM. A second one ends the process at once.
///
/// # Errors
/// The signals can't be listened to.
pub(super) fn stop_token() -> std::io::Result<CancellationToken> {
    let mut interrupts = signal(SignalKind::interrupt())?;
    let mut terminations = signal(SignalKind::terminate())?;
    let stop = CancellationToken::new();
    let stopping = stop.clone();
    tokio::spawn(async move {
        for first in [true, false] {
            tokio::select! {
                _ = interrupts.recv() => {}
                _ = terminations.recv() => {}
            }
            if first {
                tracing::info!("stopping; a second signal ends the process at once");
                stopping.cancel();
            } else {
                tracing::warn!("ended by a second signal");
                std::process::exit(130);
            }
        }
    });
    Ok(stop)
}

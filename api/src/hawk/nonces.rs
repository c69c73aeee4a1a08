//! The nonces that this process has seen.

use std::time::Duration;

use moka::policy::EvictionPolicy;
use moka::sync::Cache;
use rossby_crypto::keyed_hash::TokenId;

/// If there are more, the oldest are forgotten early; writes are idempotent by id, so a replay does nothing even then.
const CAPACITY: u64 = 1_000_000;

pub(super) struct Nonces(Cache<(TokenId, u64, String), ()>);

impl Nonces {
    pub(super) fn new(lifetime: Duration) -> Self {
        Self::with_capacity(lifetime, CAPACITY)
    }

    /// The default policy would rather not take a new nonce into a full cache than forget an old one.
    fn with_capacity(lifetime: Duration, capacity: u64) -> Self {
        let cache = Cache::builder().max_capacity(capacity).eviction_policy(EvictionPolicy::lru());
        Self(cache.time_to_live(lifetime).build())
    }

    /// Whether a nonce is used for the first time with this token and time. Unlike the cache's `or_insert`,
    /// `or_insert_with` lets one of several at the same moment win.
    pub(super) fn is_first(&self, id: TokenId, ts: u64, nonce: &str) -> bool {
        self.0.entry((id, ts, nonce.to_owned())).or_insert_with(|| ()).is_fresh()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use rossby_schemas::ids::{BoxId, DeviceId};

    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn id() -> TokenId {
        let (box_id, device_id) = (BoxId::from_bytes([1; 16]), DeviceId::from_bytes([2; 16]));
        TokenId { box_id, device_id, epoch: 1, secret_number: 1 }
    }

    #[test]
    fn of_requests_at_the_same_moment_one_is_the_first() {
        const THREADS: usize = 4;
        const ROUNDS: u64 = 5000;
        let (nonces, barrier, first) = (Nonces::new(MINUTE), Barrier::new(THREADS), AtomicUsize::new(0));
        std::thread::scope(|scope| {
            for _ in 0..THREADS {
                scope.spawn(|| {
                    for ts in 0..ROUNDS {
                        barrier.wait();
                        first.fetch_add(usize::from(nonces.is_first(id(), ts, "nonce")), Ordering::Relaxed);
                    }
                });
            }
        });
        assert_eq!(first.into_inner() as u64, ROUNDS);
    }

    #[test]
    fn a_full_cache_forgets_the_oldest() {
        let nonces = Nonces::with_capacity(MINUTE, 100);
        for ts in 0..1000 {
            assert!(nonces.is_first(id(), ts, "nonce"));
            nonces.0.run_pending_tasks();
            assert!(!nonces.is_first(id(), ts, "nonce"), "{ts} was not taken in");
        }
        assert!(nonces.0.entry_count() <= 100);
    }
}

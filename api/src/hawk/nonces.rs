//! The nonces that this process has seen.

use std::time::Duration;

use moka::policy::EvictionPolicy;
use moka::sync::Cache;
use rossby_crypto::keyed_hash::TokenId;
use sha2::{Digest as _, Sha256};

/// If there are more, the oldest are forgotten early; writes are idempotent by id, so a replay does nothing even then.
const CAPACITY: u64 = 1_000_000;

/// What is kept of a nonce: the same few octets whatever its sender chose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct NonceHash([u8; 16]);

impl NonceHash {
    /// Of a nonce with this token and time.
    pub(super) fn of(id: TokenId, ts: u64, nonce: &str) -> Self {
        let mut hash = Sha256::new_with_prefix(id.box_id.as_bytes());
        hash.update(id.device_id.as_bytes());
        hash.update(id.epoch.to_be_bytes());
        hash.update(id.secret_number.to_be_bytes());
        hash.update(ts.to_be_bytes());
        hash.update(nonce);
        let mut first = [0; 16];
        first.copy_from_slice(&hash.finalize()[..16]);
        Self(first)
    }
}

pub(super) struct Nonces(Cache<NonceHash, ()>);

impl Nonces {
    pub(super) fn new(lifetime: Duration) -> Self {
        Self::with_capacity(lifetime, CAPACITY)
    }

    /// The default policy would rather not take a new nonce into a full cache than forget an old one.
    fn with_capacity(lifetime: Duration, capacity: u64) -> Self {
        let cache = Cache::builder().max_capacity(capacity).eviction_policy(EvictionPolicy::lru());
        Self(cache.time_to_live(lifetime).build())
    }

    /// Whether a nonce is used for the first time. Unlike the cache's `or_insert`, `or_insert_with` lets one of several at the
    /// same moment win.
    pub(super) fn is_first(&self, nonce: NonceHash) -> bool {
        self.0.entry(nonce).or_insert_with(|| ()).is_fresh()
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
    fn nonces_differ_by_each_of_their_parts() {
        let hash = NonceHash::of(id(), 1, "nonce");
        assert_eq!(hash, NonceHash::of(id(), 1, "nonce"));
        let (other_box, other_device) = (BoxId::from_bytes([9; 16]), DeviceId::from_bytes([9; 16]));
        for other in [
            NonceHash::of(TokenId { box_id: other_box, ..id() }, 1, "nonce"),
            NonceHash::of(TokenId { device_id: other_device, ..id() }, 1, "nonce"),
            NonceHash::of(TokenId { epoch: 2, ..id() }, 1, "nonce"),
            NonceHash::of(TokenId { secret_number: 2, ..id() }, 1, "nonce"),
            NonceHash::of(id(), 2, "nonce"),
            NonceHash::of(id(), 1, "nonces"),
        ] {
            assert_ne!(hash, other);
        }
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
                        first.fetch_add(
                            usize::from(nonces.is_first(NonceHash::of(id(), ts, "nonce"))),
                            Ordering::Relaxed,
                        );
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
            let nonce = NonceHash::of(id(), ts, "nonce");
            assert!(nonces.is_first(nonce));
            nonces.0.run_pending_tasks();
            assert!(!nonces.is_first(nonce), "{ts} was not taken in");
        }
        assert!(nonces.0.entry_count() <= 100);
    }
}

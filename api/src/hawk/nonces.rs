//! The nonces that this process has seen.

use std::time::Duration;

use moka::sync::Cache;
use rossby_crypto::keyed_hash::TokenId;

/// More are forgotten early; writes are idempotent by id, so a replay does nothing even then.
const CAPACITY: u64 = 1_000_000;

pub(super) struct Nonces(Cache<(TokenId, u64, String), ()>);

impl Nonces {
    pub(super) fn new(lifetime: Duration) -> Self {
        Self(Cache::builder().max_capacity(CAPACITY).time_to_live(lifetime).build())
    }

    /// Whether a nonce is used for the first time with this token and time.
    pub(super) fn is_first(&self, id: TokenId, ts: u64, nonce: &str) -> bool {
        self.0.entry((id, ts, nonce.to_owned())).or_insert(()).is_fresh()
    }
}

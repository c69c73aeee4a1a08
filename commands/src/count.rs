//! What is counted.

use std::sync::atomic::{AtomicU64, Ordering};

/// A number that only grows, and its name among the process's metrics.
#[derive(Debug)]
pub(crate) struct Count {
    name: &'static str,
    value: AtomicU64,
}

impl Count {
    pub(crate) const fn new(name: &'static str) -> Self {
        Self { name, value: AtomicU64::new(0) }
    }

    pub(crate) fn add(&self) {
        self.value.fetch_add(1, Ordering::Relaxed);
        metrics::counter!(self.name).increment(1);
    }

    pub(crate) fn get(&self) -> u64 {
        self.value.load(Ordering::Relaxed)
    }
}

//! What the servers' tests share: people with keys, mailboxes for codes, a log that fails when it is told to.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::missing_panics_doc, missing_docs)]

mod faulty_log;
mod mailboxes;
mod person;

use std::time::Duration;

pub use faulty_log::{Fault, FaultyLog};
pub use mailboxes::Mailboxes;
pub use person::Person;
use rossby_commands::{CommandError, Refusal};
use rossby_schemas::ids::{CommandId, RegionNumber};
use uuid::Uuid;

pub const HOME: RegionNumber = RegionNumber(1);
pub const DAY: Duration = Duration::from_secs(24 * 3600);

pub fn rng() -> impl rand_core::CryptoRng {
    rand_core::UnwrapErr(getrandom::SysRng)
}

#[must_use]
pub fn command() -> CommandId {
    CommandId(Uuid::new_v4())
}

/// Looks until it is so; fails after a minute.
pub async fn until(what: &str, look: impl AsyncFn() -> bool) {
    for _ in 0..6000 {
        if look().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("never came: {what}");
}

/// Why a command was refused.
pub fn refusal<T: std::fmt::Debug>(result: Result<T, CommandError>) -> Refusal {
    match result {
        Err(CommandError::Refused(refusal)) => refusal,
        other => panic!("not refused: {other:?}"),
    }
}

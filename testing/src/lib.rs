//! What the servers' tests share: people with keys, mailboxes for codes, a log that fails when it is told to, a mirror
//! between two logs, a store that speaks S3.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::missing_panics_doc, missing_docs)]

mod faulty_log;
mod mailboxes;
mod mirror;
mod person;
#[cfg(feature = "s3")]
mod s3;

use std::time::Duration;

pub use faulty_log::{Fault, FaultyLog};
pub use mailboxes::Mailboxes;
pub use mirror::Mirror;
pub use person::Person;
use rossby_commands::{CommandError, Refusal};
use rossby_schemas::ids::{CommandId, RegionNumber};
#[cfg(feature = "s3")]
pub use s3::S3;
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
    until_some(what, async || look().await.then_some(())).await;
}

/// Looks until there is something; fails after a minute.
pub async fn until_some<T>(what: &str, look: impl AsyncFn() -> Option<T>) -> T {
    for _ in 0..6000 {
        if let Some(found) = look().await {
            return found;
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

//! What a blob store promises, on a folder and on a store that speaks S3.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod downloads;
mod outages;
mod sweeping;
mod uploads;
mod world;

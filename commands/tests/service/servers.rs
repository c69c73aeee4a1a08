//! The same on Kafka and PostgreSQL, which run already.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod account;
mod blobs;
mod budgets;
mod claims;
mod closing;
mod cursors;
mod devices;
mod effects;
mod export;
mod founders;
mod history;
mod identifiers;
mod limits;
mod linking;
mod live;
mod messages;
mod outcomes;
mod registration;
mod restart;
#[path = "setting_servers.rs"]
mod setting;
mod signals;
mod waits;
mod world;

//! The same with the read models on PostgreSQL, in databases of their own in a server that runs already.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod account;
mod limits;
mod messages;
mod outcomes;
mod registration;
mod restart;
#[path = "setting_postgres.rs"]
mod setting;
mod world;

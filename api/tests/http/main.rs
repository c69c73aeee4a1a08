//! The API over real connections, on a real log and real read models.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod authentication;
mod bad_input;
mod connections;
mod privacy;
mod site;
mod world;

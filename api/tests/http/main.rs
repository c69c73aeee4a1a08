//! The API over real connections, on a real log and real read models.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod authentication;
mod bad_input;
mod blobs;
mod claims;
mod connections;
mod disconnects;
mod export;
mod history;
mod identifiers;
mod logs;
mod operators;
mod outages;
mod pages;
mod privacy;
mod proxies;
mod signals;
mod site;
mod statements;
mod stream;
mod stream_client;
mod stream_limits;
mod timing;
mod waits;
mod world;

//! The crate from outside: published vectors, its own checked-in vectors, and what must be refused.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod account;
mod archives;
mod attachments;
mod chain;
mod chain_properties;
mod groups;
mod linking;
mod messages;
mod profiles;
mod published;
mod sealing_statements;
mod secrets;
mod small_order;
mod vectors;
mod verification;
mod world;

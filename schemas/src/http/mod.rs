//! The types of the HTTP API, which the server and every client share.
//!
//! Requests refuse unknown fields, so that a misspelt one is never silently without effect. Responses may gain fields;
//! clients pass over those they do not know.

pub mod account;
pub mod blobs;
pub mod command;
pub mod export;
pub mod history;
pub mod identifiers;
pub mod lookup;
pub mod messages;
pub mod problem;
pub mod registration;
pub mod rendezvous;
pub mod signals;
pub mod stream;
pub mod token;

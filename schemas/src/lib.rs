//! What every part of Rossby names alike: ids, identifiers, topics, events by version, the envelope in which an event
//! crosses the log, and the types of the HTTP API.
//!
//! Nothing here does input or output, and nothing here decides anything: commands decide, projections apply.

pub mod encoding;
pub mod envelope;
pub mod events;
pub mod http;
pub mod identifier;
pub mod ids;
pub mod time;
pub mod topic;

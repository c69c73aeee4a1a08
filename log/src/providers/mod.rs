//! The providers of the log port.

pub mod kafka;
pub mod sqlite;

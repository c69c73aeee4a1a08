//! The providers of the log port.

pub mod sqlite;

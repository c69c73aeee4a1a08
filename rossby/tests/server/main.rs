//! The real binary as a server.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod command_line;
mod kills;
mod process;
mod rebuild;
mod regions;
mod secrets;

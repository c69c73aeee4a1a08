//! Rossby: an end-to-end encrypted message service over a log. One binary: the server's commands and a person's.

mod config;
fn main() {}

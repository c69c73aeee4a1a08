//! The notifiers against real servers: an SMTP server in a process of its own, and a receiver of webhooks.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod sink;
mod smtp;
mod webhook;

use rossby_crypto::keyed_hash::Code;
use rossby_schemas::identifier::Identifier;
use rossby_schemas::time::Timestamp;

const CODE: &str = "40718253";
const EXPIRES_AT: &str = "2026-11-24T09:10:00.000Z";

fn code() -> Code {
    CODE.parse().unwrap()
}

fn expires_at() -> Timestamp {
    EXPIRES_AT.parse().unwrap()
}

fn identifier(text: &str) -> Identifier {
    text.parse().unwrap()
}

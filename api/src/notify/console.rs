//! The notifier of the embedded default: the server prints the codes.

use async_trait::async_trait;
use rossby_commands::{CodeSender, SendCodeError};
use rossby_crypto::keyed_hash::Code;
use rossby_schemas::identifier::Identifier;
use rossby_schemas::time::Timestamp;

/// Prints codes and notices to the standard output, for trying Rossby out: whoever reads it can authorize as anyone.
#[derive(Debug, Clone, Copy, Default)]
pub struct Console;

#[async_trait]
impl CodeSender for Console {
    async fn send(&self, identifier: &Identifier, code: &Code, _: Timestamp) -> Result<(), SendCodeError> {
        print(&format!("code for {}: {}", identifier.as_uri(), code.digits()))
    }

    async fn tell_of_claim(&self, identifier: &Identifier, effective_at: Timestamp) -> Result<(), SendCodeError> {
        print(&format!("notice for {}: somebody claims it, and has it from {effective_at} on", identifier.as_uri()))
    }
}

fn print(line: &str) -> Result<(), SendCodeError> {
    use std::io::Write as _;
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}").and_then(|()| out.flush()).map_err(|error| SendCodeError(error.to_string()))
}

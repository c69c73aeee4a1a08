//! The process's own log lines, by `tracing`.

use std::io::{self, IsTerminal as _, Write};

use anyhow::Context as _;
use tracing_subscriber::EnvFilter;

use crate::config::{LogFormat, Settings};

/// Starts writing log lines to the standard error, as the settings say.
///
/// # Errors
/// A filter that can't be read.
pub(crate) fn start(settings: &Settings) -> anyhow::Result<()> {
    let filter = EnvFilter::try_new(&settings.logging.filter)
        .with_context(|| format!("the setting logging.filter ({:?}) can't be read", settings.logging.filter))?;
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(|| Lines).log_internal_errors(false);
    match settings.logging.format {
        LogFormat::Text => lines.with_ansi(io::stderr().is_terminal()).init(),
        LogFormat::Json => lines.json().flatten_event(true).init(),
    }
    Ok(())
}

/// The standard error. A line that can't be written any more, since its reader has gone or the disk is full, is lost, and stops
/// nothing: whoever logs is at work for somebody.
struct Lines;

impl Write for Lines {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        let _ = io::stderr().write_all(octets);
        Ok(octets.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let _ = io::stderr().flush();
        Ok(())
    }
}

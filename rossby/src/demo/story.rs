//! How a story is told on a terminal: numbered steps, what happens in them, and what is quoted.

use std::cell::Cell;
use std::io::{self, Write as _};

use anstyle::Style;

const BOLD: Style = Style::new().bold();
const FAINT: Style = Style::new().dimmed();

/// A story on the standard output.
#[derive(Debug)]
pub(crate) struct Story {
    step: Cell<u32>,
}

impl Story {
    pub(crate) const fn new() -> Self {
        Self { step: Cell::new(0) }
    }

    /// Begins the next step.
    pub(crate) fn step(&self, title: &str) -> anyhow::Result<()> {
        self.step.set(self.step.get() + 1);
        line(&format!("\n{BOLD}{}. {title}{BOLD:#}", self.step.get()))
    }

    /// Says what happens.
    pub(crate) fn says(&self, text: &str) -> anyhow::Result<()> {
        line(&format!("   {text}"))
    }

    /// Shows something as it is.
    pub(crate) fn quote(&self, text: &str) -> anyhow::Result<()> {
        line(&format!("     {FAINT}{text}{FAINT:#}"))
    }
}

fn line(text: &str) -> anyhow::Result<()> {
    let mut out = anstream::stdout().lock();
    match writeln!(out, "{text}").and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}

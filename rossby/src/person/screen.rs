//! What a person sees: lines for people, JSON for scripts, and nothing that a stranger's text could do to the terminal.

use std::fmt::Display;
use std::io::{self, IsTerminal as _, Write as _};

use anstyle::{AnsiColor, Style};
use rossby_client::Warning;
use rossby_schemas::time::Timestamp;
use serde_json::{Value, json};

/// Where a command prints.
#[derive(Debug)]
pub(super) struct Screen {
    is_json: bool,
}

const BOLD: Style = Style::new().bold();
const FAINT: Style = Style::new().dimmed();
const ALERT: Style = AnsiColor::Yellow.on_default().bold();
const FAILED: Style = AnsiColor::Red.on_default().bold();

impl Screen {
    pub(super) const fn new(is_json: bool) -> Self {
        Self { is_json }
    }

    /// Prints what a command came to: the text for people, or the document for scripts.
    pub(super) fn result(&self, text: impl Display, document: &Value) -> io::Result<()> {
        let mut out = anstream::stdout().lock();
        if self.is_json {
            writeln!(out, "{document}")?;
        } else {
            write!(out, "{text}")?;
        }
        out.flush()
    }

    /// Says what a person should know; in JSON it stands in the document.
    pub(super) fn warnings(&self, warnings: &[Warning]) {
        if !self.is_json {
            let mut err = anstream::stderr().lock();
            for warning in warnings {
                let _ = writeln!(err, "{ALERT}warning:{ALERT:#} {}", printable(&warning.to_string()));
            }
        }
    }

    /// Says what goes on, to people alone.
    pub(super) fn note(&self, text: &str) {
        if !self.is_json {
            let _ = writeln!(anstream::stderr().lock(), "{FAINT}{}{FAINT:#}", printable(text));
        }
    }

    /// Says why a command failed.
    pub(super) fn error(&self, name: &str, text: &str) {
        let mut err = anstream::stderr().lock();
        let _ = if self.is_json {
            writeln!(err, "{}", json!({ "error": name, "detail": text }))
        } else {
            writeln!(err, "{FAILED}error:{FAILED:#} {}", printable(text))
        };
    }

    pub(super) fn is_terminal() -> bool {
        io::stdin().is_terminal()
    }
}

pub(super) fn bold(text: &str) -> String {
    format!("{BOLD}{text}{BOLD:#}")
}

pub(super) fn faint(text: &str) -> String {
    format!("{FAINT}{text}{FAINT:#}")
}

/// A time as people read it, in UTC to the minute.
pub(super) fn minute(time: Timestamp) -> String {
    let text = time.to_string();
    let (day, rest) = text.split_once('T').unwrap_or((&text, ""));
    format!("{day} {}Z", rest.get(..5).unwrap_or_default())
}

/// A text without what would move the cursor, change the screen, or turn the direction of writing around: anyone can send
/// such a text. Line breaks and tabs stay.
pub(super) fn printable(text: &str) -> String {
    let harmless = |c: char| {
        let is_direction = matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        if (c.is_control() && c != '\n' && c != '\t') || is_direction { '\u{fffd}' } else { c }
    };
    text.chars().map(harmless).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobodys_text_commands_the_terminal() {
        assert_eq!(
            printable("a\tb\nc \u{1b}[2J\u{7}\u{9b}1m\r\u{202e}x"),
            "a\tb\nc \u{fffd}[2J\u{fffd}\u{fffd}1m\u{fffd}\u{fffd}x"
        );
        assert_eq!(printable("Grüße 👋🏽 שלום"), "Grüße 👋🏽 שלום");
    }

    #[test]
    fn times_are_short() {
        assert_eq!(minute("2026-11-24T09:30:59.123Z".parse().unwrap()), "2026-11-24 09:30Z");
    }
}

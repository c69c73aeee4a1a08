//! What a person sees: lines for people, JSON for scripts, and nothing that a stranger's text could do to the terminal.

use std::fmt::Display;
use std::io::{self, IsTerminal as _, Write as _};
use std::sync::atomic::{AtomicBool, Ordering};

use anstyle::{AnsiColor, Style};
use qrcode::QrCode;
use qrcode::render::unicode::Dense1x2;
use rossby_client::{Client, Notice};
use rossby_schemas::time::Timestamp;
use serde_json::{Value, json};

use super::documents;

/// Where a command prints.
#[derive(Debug)]
pub(super) struct Screen {
    is_json: bool,
    /// Whether the last line on the terminal is a passing note.
    has_passing_note: AtomicBool,
}

const BOLD: Style = Style::new().bold();
const FAINT: Style = Style::new().dimmed();
const ALERT: Style = AnsiColor::Yellow.on_default().bold();
const FAILED: Style = AnsiColor::Red.on_default().bold();

impl Screen {
    pub(super) const fn new(is_json: bool) -> Self {
        Self { is_json, has_passing_note: AtomicBool::new(false) }
    }

    /// Shows a note that goes with what is printed next, or shows none any more. On a terminal alone.
    pub(super) fn passing_note(&self, text: Option<String>) {
        if self.is_json || !io::stderr().is_terminal() {
            return;
        }
        self.wipe();
        if let Some(text) = text {
            let mut err = anstream::stderr().lock();
            let _ = write!(err, "{FAINT}{}{FAINT:#}", printable(&text)).and_then(|()| err.flush());
            self.has_passing_note.store(true, Ordering::Relaxed);
        }
    }

    /// Takes the passing note away, before something else is printed.
    fn wipe(&self) {
        if self.has_passing_note.swap(false, Ordering::Relaxed) {
            let mut err = anstream::stderr().lock();
            let _ = write!(err, "\r\u{1b}[2K").and_then(|()| err.flush());
        }
    }

    /// Prints what a command came to: the text for people, or the document for scripts.
    pub(super) fn result(&self, text: impl Display, document: &Value) -> io::Result<()> {
        self.wipe();
        let mut out = anstream::stdout().lock();
        if self.is_json {
            writeln!(out, "{}", escaped(&document.to_string()))?;
        } else {
            write!(out, "{text}")?;
        }
        out.flush()
    }

    /// Prints what a command came to, with what the person should know: in JSON it stands in the document, which must be
    /// an object. It is told once, if it could be written.
    pub(super) async fn result_and_warnings(
        &self,
        client: &Client,
        text: impl Display,
        mut document: Value,
    ) -> anyhow::Result<()> {
        let notices = client.warnings().await?;
        document["warnings"] = documents::warnings(&notices);
        self.warnings(&notices)?;
        self.result(text, &document)?;
        Ok(client.warnings_shown(&notices).await?)
    }

    fn warnings(&self, notices: &[Notice]) -> io::Result<()> {
        if self.is_json {
            return Ok(());
        }
        self.wipe();
        let mut err = anstream::stderr().lock();
        for notice in notices {
            writeln!(err, "{ALERT}warning:{ALERT:#} {}", printable(&notice.to_string()))?;
        }
        Ok(())
    }

    /// Tells what the person should know, while nothing else is printed: in JSON each on a line of its own.
    pub(super) async fn pending_warnings(&self, client: &Client) -> anyhow::Result<()> {
        let notices = client.warnings().await?;
        if notices.is_empty() {
            return Ok(());
        }
        self.warnings(&notices)?;
        if self.is_json {
            for notice in documents::warnings(&notices).as_array().into_iter().flatten() {
                self.result("", &documents::event("warning", notice.clone()))?;
            }
        }
        Ok(client.warnings_shown(&notices).await?)
    }

    /// Says what goes on, to people alone.
    pub(super) fn note(&self, text: &str) {
        if !self.is_json {
            self.wipe();
            let _ = writeln!(anstream::stderr().lock(), "{FAINT}{}{FAINT:#}", printable(text));
        }
    }

    /// Says why a command failed.
    pub(super) fn error(&self, name: &str, text: &str) {
        self.wipe();
        let mut err = anstream::stderr().lock();
        let _ = if self.is_json {
            writeln!(err, "{}", escaped(&json!({ "error": name, "detail": text }).to_string()))
        } else {
            writeln!(err, "{FAILED}error:{FAILED:#} {}", printable(text))
        };
    }

    pub(super) const fn is_json(&self) -> bool {
        self.is_json
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

/// An identifier as people write it: without the scheme of its URI.
pub(super) fn address(uri: &str) -> &str {
    uri.split_once(':').map_or(uri, |(_, address)| address)
}

/// A time as people read it, in UTC to the minute.
pub(super) fn minute(time: Timestamp) -> String {
    time.utc_minute()
}

/// So many of something, whose name takes an s where they are not one.
pub(super) fn counted(count: impl TryInto<u64>, what: &str) -> String {
    match count.try_into() {
        Ok(1) => format!("1 {what}"),
        Ok(count) => format!("{count} {what}s"),
        Err(_) => format!("many {what}s"),
    }
}

/// A short text as a picture of characters, for a camera.
pub(super) fn qr_code(text: &[u8]) -> String {
    // So short a text always fits.
    QrCode::new(text)
        .map(|code| code.render::<Dense1x2>().dark_color(Dense1x2::Light).light_color(Dense1x2::Dark).build())
        .unwrap_or_default()
}

/// A text without what would move the cursor, change the screen, or turn the direction of writing around: anyone can send
/// such a text. Line breaks and tabs stay.
pub(super) fn printable(text: &str) -> String {
    let harmless = |c: char| if c == '\n' || c == '\t' || !is_command(c) { c } else { '\u{fffd}' };
    text.chars().map(harmless).collect()
}

/// A stranger's text for the middle of a line: it ends no line, and sets nothing apart in it.
pub(crate) fn one_line(text: &str) -> String {
    printable(text).replace(['\n', '\t'], " ")
}

/// What somebody calls themselves, to stand beside their address.
pub(super) fn claimed(name: &str) -> String {
    format!("calls themselves {}", in_quotes(name))
}

/// What a group is called. Its members chose the name, which may be somebody's address: it never stands by itself.
pub(super) fn group_name(name: &str) -> String {
    format!("group {}", in_quotes(name))
}

/// What somebody chose to be called, in one line, within marks that it can't end.
fn in_quotes(name: &str) -> String {
    let name: String =
        one_line(name).chars().map(|c| if matches!(c, '“' | '”' | '„' | '‟' | '"') { '\'' } else { c }).collect();
    format!("“{name}”")
}

/// A JSON text of which a terminal takes nothing for a command. What is escaped here stands within strings alone.
fn escaped(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    for c in json.chars() {
        if is_command(c) {
            text += &format!("\\u{:04x}", u32::from(c));
        } else {
            text.push(c);
        }
    }
    text
}

/// Whether a terminal may do something else with it than show it. The characters of direction are those of Unicode's UAX #9.
pub(super) fn is_command(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
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
        let hostile = json!({ "text": "a\u{9b}1m\u{7f}\u{202e}\u{61c}\n" });
        let shown = escaped(&hostile.to_string());
        assert_eq!(shown, r#"{"text":"a\u009b1m\u007f\u202e\u061c\n"}"#);
        assert_eq!(serde_json::from_str::<Value>(&shown).unwrap(), hostile);
        assert_eq!(printable("Grüße 👋🏽 שלום"), "Grüße 👋🏽 שלום");
    }

    #[test]
    fn chosen_names_stay_within_their_marks() {
        assert_eq!(group_name("ann@example.org"), "group “ann@example.org”");
        assert_eq!(claimed("Ann” (verified) “\n"), "calls themselves “Ann' (verified) ' ”");
    }

    #[test]
    fn one_is_not_many() {
        assert_eq!([0_u64, 1, 2].map(|count| counted(count, "group")), ["0 groups", "1 group", "2 groups"]);
        assert_eq!(counted(1_usize, "new device"), "1 new device");
    }

    #[test]
    fn times_are_short() {
        assert_eq!(minute("2026-11-24T09:30:59.123Z".parse().unwrap()), "2026-11-24 09:30Z");
    }
}

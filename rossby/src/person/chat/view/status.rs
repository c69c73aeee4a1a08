//! The lines at the edges: warnings above; what was just said, the connection and the most needed keys below.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use rossby_client::{Step, Way};
use rossby_schemas::time::Timestamp;

use super::View;
use crate::person::chat::state::event::{Connection, Lost, Transfer};
use crate::person::chat::state::{Focus, State};
use crate::person::chat::text::{cut, one_line, width};

/// The key that matters while the connection is lost.
const TRY_NOW: &str = "Ctrl-R tries now  F1 keys ";

impl View {
    pub(super) fn warnings(self, frame: &mut Frame<'_>, area: Rect, state: &State) {
        let Some(first) = state.warnings.first().filter(|_| area.height > 0) else { return };
        let more = match state.warnings.len() {
            1 => String::new(),
            count => format!(" ({} more)", count - 1),
        };
        let keys = format!("{more} [F2] ");
        let room = usize::from(area.width).saturating_sub(width(&keys));
        let text = cut(&format!(" warning: {}", one_line(&first.to_string())), room);
        let line = self.sides((text, Style::new()), (keys, Style::new()), usize::from(area.width));
        let line = line.style(self.theme.alert().patch(self.theme.chosen()));
        frame.buffer_mut().set_line(area.x, area.y, &line, area.width);
    }

    /// How far files are: the first, and how many there are besides.
    pub(super) fn transfers(self, frame: &mut Frame<'_>, area: Rect, state: &State) {
        if area.height == 0 {
            return;
        }
        let waiting = state.waiting_files().count();
        let (text, more) = match (state.transfers.first(), state.waiting_files().next()) {
            (Some(first), _) => {
                (format!("{} {}", progress(first), one_line(&first.name)), state.transfers.len() + waiting - 1)
            }
            (None, Some(first)) => (format!("waits to be sent: {}", one_line(&first.name)), waiting - 1),
            (None, None) => return,
        };
        let more = if more > 0 { format!(" ({more} more)") } else { String::new() };
        let (text, more) = (format!(" {text}"), format!("{more} [Ctrl-T] "));
        let style = self.theme.faint();
        let line = self.sides((text, style), (more, style), usize::from(area.width));
        frame.buffer_mut().set_line(area.x, area.y, &line, area.width);
    }

    pub(super) fn said(self, frame: &mut Frame<'_>, area: Rect, state: &State) {
        let Some(said) = state.said.as_ref().filter(|_| area.height > 0) else { return };
        let style = if said.is_error { self.theme.failed() } else { self.theme.good() };
        let text = cut(&format!(" {}", one_line(&said.text)), usize::from(area.width));
        frame.buffer_mut().set_string(area.x, area.y, text, style);
    }

    pub(super) fn status(self, frame: &mut Frame<'_>, area: Rect, state: &State) {
        let (text, style) = match &state.connection {
            Connection::Connecting => ("connecting ...".to_owned(), self.theme.alert()),
            Connection::Connected(Way::Stream) => ("connected".to_owned(), self.theme.good()),
            Connection::Connected(Way::Asking) => ("connected, without a live stream".to_owned(), self.theme.good()),
            Connection::Lost(lost) => (self.lost(lost, state.now), self.theme.failed()),
            Connection::Ended(_) => ("offline, for good".to_owned(), self.theme.failed()),
        };
        let keys = match state.focus {
            _ if !state.overlays.is_empty() => "Esc leaves",
            Focus::List => "Enter opens  n new  / search  F1 keys  q quit",
            Focus::Transcript => "r reply  e edit  x delete  + emoji  F1 keys",
            Focus::Composer => "Enter sends  Alt-Enter new line  F1 keys",
        };
        let cells = usize::from(area.width);
        // That there is no connection matters more than other keys.
        let keys = match &state.connection {
            Connection::Connected(_) | Connection::Connecting if width(&text) + width(keys) + 4 <= cells => {
                format!("{keys} ")
            }
            Connection::Lost(_) if width(&text) + width(TRY_NOW) + 3 <= cells => TRY_NOW.to_owned(),
            _ if cells > 2 * width("F1 keys ") => "F1 keys ".to_owned(),
            _ => String::new(),
        };
        let line = self.sides((format!(" {text}"), style), (keys, self.theme.faint()), cells);
        frame.buffer_mut().set_line(area.x, area.y, &line, area.width);
    }

    /// Why there is no connection.
    pub(super) fn reason(self, frame: &mut Frame<'_>, area: Rect, state: &State) {
        if let Some(reason) = reason(&state.connection).filter(|_| area.height > 0) {
            let text = cut(&format!(" {}", one_line(reason)), usize::from(area.width));
            frame.buffer_mut().set_string(area.x, area.y, text, self.theme.failed());
        }
    }

    /// Since when the connection is lost, and when it is tried again.
    fn lost(self, lost: &Lost, now: Timestamp) -> String {
        let since = self.zone.short(lost.since, now);
        let next = match lost.next_try.filter(|next| *next > now) {
            // The last part of a second counts as one.
            Some(next) => format!("next try in {} s", next.since(now).as_millis().div_ceil(1000)),
            None => "trying now".to_owned(),
        };
        format!("connection lost since {since}, {next}")
    }
}

/// Why there is no connection.
pub(super) fn reason(connection: &Connection) -> Option<&str> {
    match connection {
        Connection::Lost(Lost { reason, .. }) | Connection::Ended(reason) => Some(reason),
        Connection::Connecting | Connection::Connected(_) => None,
    }
}

/// How far a file is.
pub(super) fn progress(transfer: &Transfer) -> String {
    let step = match transfer.step {
        None => return "waiting".to_owned(),
        Some(Step::Encrypting) => "encrypting",
        Some(Step::Uploading) => "uploading",
        Some(Step::Downloading) => "downloading",
        Some(Step::Decrypting) => "decrypting",
        Some(Step::Exporting) => "exporting",
        Some(Step::Checking) => "checking",
        Some(Step::Importing) => "importing",
    };
    format!("{step} {}%", transfer.percent)
}

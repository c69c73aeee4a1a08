//! Where the person writes.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::Line;
use rossby_client::MAX_TEXT_OCTETS;

use super::View;
use crate::person::chat::state::event::Measures;
use crate::person::chat::state::{Focus, State};
use crate::person::chat::text::{cut, rows, width};

/// How many rows of a text are seen at most.
const MAX_ROWS: usize = 8;
/// What stands before each row.
const MARK: &str = "> ";

impl View {
    /// How many rows the composer takes, with the line above it: a third of the conversation at most.
    pub(super) fn composer_rows(self, state: &State, area: Rect) -> u16 {
        let cells = cells(area);
        let text = state.composer().map_or(1, |composer| rows(composer.editor().text(), cells).len());
        let most = MAX_ROWS.min(usize::from(area.height / 3)).max(1);
        u16::try_from(text.clamp(1, most) + 1).unwrap_or(2).min(area.height.saturating_sub(1))
    }

    pub(super) fn composer(self, frame: &mut Frame<'_>, area: Rect, state: &State, measures: &mut Measures) {
        let cells = cells(area);
        measures.composer = cells;
        let has_focus = state.focus == Focus::Composer;
        let style = if has_focus { self.theme.active() } else { self.theme.faint() };
        let label = cut(&label(state), usize::from(area.width));
        let rest = usize::from(area.width).saturating_sub(width(&label));
        let line = Line::styled(format!("{label}{}", "─".repeat(rest)), style);
        if area.height > 0 {
            frame.buffer_mut().set_line(area.x, area.y, &line, area.width);
        }
        let window = usize::from(area.height.saturating_sub(1));
        let (text, cursor) = state
            .composer()
            .map_or(("", (0, 0)), |composer| (composer.editor().text(), composer.editor().position(cells)));
        let first = (cursor.0 + 1).saturating_sub(window);
        let shown = rows(text, cells).into_iter().skip(first).take(window);
        for (y, row) in (area.top() + 1..area.bottom()).zip(shown) {
            let row = format!("{MARK}{}", &text[row]);
            frame.buffer_mut().set_stringn(area.x, y, row, usize::from(area.width), ratatui::style::Style::new());
        }
        if has_focus && state.overlays.is_empty() && window > 0 {
            let (row, column) = (cursor.0 - first, cursor.1 + MARK.len());
            let [row, column] = [row, column].map(|cells| u16::try_from(cells).unwrap_or(0));
            frame.set_cursor_position((area.x + column, area.y + 1 + row));
        }
    }
}

/// How many cells the text is wide.
fn cells(area: Rect) -> usize {
    usize::from(area.width).saturating_sub(MARK.len() + 1).max(1)
}

/// What is being written.
fn label(state: &State) -> String {
    let Some(composer) = state.composer() else { return "─ message ".to_owned() };
    let octets = composer.editor().text().len();
    let room = match octets {
        octets if octets > MAX_TEXT_OCTETS => format!("{} octets too long ", octets - MAX_TEXT_OCTETS),
        octets if octets > MAX_TEXT_OCTETS / 10 * 9 => format!("{} octets left ", MAX_TEXT_OCTETS - octets),
        _ => String::new(),
    };
    match (&composer.edit, &composer.reply_to) {
        (Some(_), _) => format!("─ edit (Esc leaves it as it was) {room}"),
        (None, Some(quote)) => format!("─ reply to {}: {} {room}", quote.author, quote.text),
        (None, None) => format!("─ message {room}"),
    }
}

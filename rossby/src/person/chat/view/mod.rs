//! The screen: a state drawn into a terminal, at any size.

mod composer;
mod conversation;
pub(super) mod keys;
mod list;
mod message;
mod sheets;
mod status;
#[cfg(test)]
mod tests;
pub(super) mod theme;
pub(super) mod time;
mod welcome;

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::Line;
use theme::Theme;
use time::Zone;

use super::state::event::Measures;
use super::state::{Focus, State};

/// From how many cells on the list and the conversation stand side by side.
const WIDE: u16 = 70;
/// With less than this nothing can be shown.
const MIN_WIDTH: u16 = 20;
const MIN_HEIGHT: u16 = 6;
/// How many cells the list has side by side with a conversation: about a third, within these.
const LIST: (u16, u16) = (24, 40);

/// How a state is drawn.
#[derive(Debug, Clone, Copy)]
pub(super) struct View {
    pub(super) theme: Theme,
    pub(super) zone: Zone,
}

impl View {
    /// Draws a state. Gives how it came out.
    pub(super) fn draw(self, frame: &mut Frame<'_>, state: &State) -> Measures {
        let area = frame.area();
        let mut measures = Measures { is_wide: area.width >= WIDE, composer: 1, list: 1, ..Measures::default() };
        if area.width < MIN_WIDTH || area.height < MIN_HEIGHT {
            let text = Line::styled("too small", self.theme.alert());
            frame.render_widget(text, Rect { height: area.height.min(1), ..area });
            return measures;
        }
        let warnings = u16::from(!state.warnings.is_empty());
        let said = u16::from(state.said.is_some());
        let transfers = u16::from(!state.transfers.is_empty() || state.waiting_files().next().is_some());
        // Where there is no room for both, that the connection is lost says enough.
        let reason = u16::from(status::reason(&state.connection).is_some() && area.height > MIN_HEIGHT * 2);
        let rows = [
            Constraint::Length(warnings),
            Constraint::Min(0),
            Constraint::Length(transfers),
            Constraint::Length(said),
            Constraint::Length(reason),
            Constraint::Length(1),
        ];
        let [warnings, body, transfers, said, reason, status] = Layout::vertical(rows).areas(area);
        self.warnings(frame, warnings, state);
        self.body(frame, body, state, &mut measures);
        self.transfers(frame, transfers, state);
        self.said(frame, said, state);
        self.reason(frame, reason, state);
        self.status(frame, status, state);
        for overlay in &state.overlays {
            measures.sheet = self.overlay(frame, body, state, overlay);
        }
        measures
    }

    fn body(self, frame: &mut Frame<'_>, area: Rect, state: &State, measures: &mut Measures) {
        if !measures.is_wide {
            match &state.open {
                Some(open) if state.focus != Focus::List => self.conversation(frame, area, state, open, measures),
                _ => self.list(frame, area, state, measures),
            }
            return;
        }
        let width = (area.width / 3).clamp(LIST.0, LIST.1);
        let [list, line, conversation] =
            Layout::horizontal([Constraint::Length(width), Constraint::Length(1), Constraint::Min(0)]).areas(area);
        self.list(frame, list, state, measures);
        for y in line.top()..line.bottom() {
            frame.buffer_mut().set_string(line.x, y, "│", self.theme.faint());
        }
        match &state.open {
            Some(open) => self.conversation(frame, conversation, state, open, measures),
            None => self.nothing_open(frame, conversation, state),
        }
    }
}

//! What stands over the conversations: questions and sheets.

mod files;
mod groups;
mod people;
mod questions;
mod settings;
mod yourself;

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Clear};
use rossby_client::Conversation;
use rossby_schemas::ids::BoxId;

use super::View;
use super::conversation::name_of;
use super::keys::{KEYS, Key};
use crate::person::chat::names;
use crate::person::chat::state::State;
use crate::person::chat::state::overlay::Overlay;
use crate::person::chat::text::{cut, one_line, width, wrapped};

/// How wide a sheet is at most, with its border.
const MAX_WIDTH: u16 = 78;

/// What a sheet shows.
struct Sheet {
    title: String,
    lines: Vec<Line<'static>>,
    /// Its first row on the screen, if it is scrolled by hand; else the row that must be seen.
    top: Option<usize>,
    chosen: usize,
    /// The row and cell of the cursor.
    cursor: Option<(usize, usize)>,
    /// Whether what it shows is not there yet.
    is_waiting: bool,
}

impl Sheet {
    fn new(title: impl Into<String>, lines: Vec<Line<'static>>) -> Self {
        Self { title: title.into(), lines, top: None, chosen: 0, cursor: None, is_waiting: false }
    }
}

impl View {
    /// Draws a sheet in the middle. Gives how many rows it has, and how many are seen.
    pub(super) fn overlay(self, frame: &mut Frame<'_>, area: Rect, state: &State, overlay: &Overlay) -> (usize, usize) {
        let width = area.width.min(MAX_WIDTH);
        let cells = usize::from(width).saturating_sub(4).max(1);
        let mut sheet = match overlay {
            Overlay::Help { top, has_commands } => {
                Sheet { top: Some(*top), ..Sheet::new("Keys", self.help(*has_commands, cells)) }
            }
            Overlay::Prompt(prompt) => self.prompt(prompt, cells),
            Overlay::Confirm(confirm) => self.confirm(confirm, cells),
            Overlay::Message { id, top } => {
                let message = state.open.iter().flat_map(|open| &open.messages).find(|message| message.id == *id);
                let called = |who| called(state, who);
                let lines = message.map(|message| self.details(message, called, cells)).unwrap_or_default();
                Sheet { top: Some(*top), ..Sheet::new("Message", lines) }
            }
            Overlay::Warnings { chosen } => self.warnings_sheet(state, *chosen, cells),
            Overlay::Files { chosen } => self.files(state, *chosen, cells),
            Overlay::Devices { devices, chosen } => self.devices(devices.as_deref(), *chosen, cells),
            Overlay::Linking => Sheet::new(
                "Link a device",
                Self::paragraph("Waiting for the new device ... Keep `rossby link` running there; Esc stops.", cells),
            ),
            Overlay::Settings { settings, chosen } => self.settings(settings.as_ref(), *chosen),
            Overlay::Person { person: None, .. } => self.waiting("About them"),
            Overlay::Person { person: Some(person), top, .. } => {
                let lines = self.person(person, cells);
                Sheet { top: Some(*top), ..Sheet::new("About them", lines) }
            }
            Overlay::Code(code) => self.code(code, (cells, usize::from(area.height.saturating_sub(2)))),
            Overlay::Groups { groups, chosen } => self.groups(groups.as_deref(), *chosen, cells),
            Overlay::Group { group, chosen, .. } => self.group(group.as_deref(), *chosen, cells),
            Overlay::GroupHistory { history, top, .. } => {
                Sheet { top: Some(*top), ..self.group_history(history.as_deref(), cells) }
            }
            Overlay::Yourself { profile, identifiers, chosen } => {
                self.yourself(state, profile.as_deref(), identifiers.as_deref(), *chosen, cells)
            }
        };
        if let Some(reason) = state.sheet_error.as_ref().filter(|_| sheet.is_waiting) {
            sheet.lines = wrapped(&one_line(reason), cells)
                .into_iter()
                .map(|row| Line::styled(row.to_owned(), self.theme.failed()))
                .collect();
        }
        self.draw_sheet(frame, area, width, &sheet)
    }

    fn draw_sheet(self, frame: &mut Frame<'_>, area: Rect, width: u16, sheet: &Sheet) -> (usize, usize) {
        let rows = sheet.lines.len();
        let height = u16::try_from(rows + 2).unwrap_or(u16::MAX).min(area.height);
        let outer =
            Rect { x: area.x + (area.width - width) / 2, y: area.y + (area.height - height) / 2, width, height };
        let title = cut(&format!(" {} ", sheet.title), usize::from(width.saturating_sub(2)));
        let block = Block::bordered().title(title).border_style(self.theme.active());
        let inner = block.inner(outer);
        frame.render_widget(Clear, outer);
        frame.render_widget(block, outer);
        let window = usize::from(inner.height);
        let top = match sheet.top {
            Some(top) => top.min(rows.saturating_sub(window)),
            None => (sheet.chosen + 1).min(rows).saturating_sub(window),
        };
        for (y, line) in (inner.top()..inner.bottom()).zip(sheet.lines.iter().skip(top)) {
            frame.buffer_mut().set_line(inner.x + 1, y, line, inner.width.saturating_sub(2));
        }
        if top + window < rows && inner.width > 2 {
            frame.buffer_mut().set_string(outer.right() - 3, outer.bottom() - 1, "↓", self.theme.active());
        }
        if let Some((row, column)) = sheet.cursor.and_then(|(row, column)| Some((row.checked_sub(top)?, column))) {
            let [row, column] = [row, column].map(|cells| u16::try_from(cells).unwrap_or(0));
            frame.set_cursor_position((inner.x + 1 + column, inner.y + row));
        }
        (rows, window)
    }

    fn help(self, has_commands: bool, cells: usize) -> Vec<Line<'static>> {
        const INDENT: usize = 16;
        let mut lines = Vec::new();
        for (part, keys) in KEYS {
            if !lines.is_empty() {
                lines.push(Line::default());
            }
            lines.push(Line::styled(*part, self.theme.strong()));
            for Key(key, what, commands) in *keys {
                lines.extend(self.fact(key, what, INDENT, cells));
                for command in commands.iter().filter(|_| has_commands) {
                    let rows = self.fact("", &format!("rossby {command}"), INDENT, cells).into_iter();
                    lines.extend(rows.map(|row| row.style(self.theme.faint())));
                }
            }
        }
        lines
    }

    /// A name and what belongs to it, which begins so many cells further right and may take several rows.
    fn fact(self, name: &str, value: &str, indent: usize, cells: usize) -> Vec<Line<'static>> {
        let name = one_line(name);
        let is_long = width(&name) >= indent;
        let mut lines = Vec::new();
        let mut head = if is_long {
            let rows = wrapped(&name, cells).into_iter().map(|row| Line::styled(row.to_owned(), self.theme.active()));
            lines.extend(rows);
            String::new()
        } else {
            name
        };
        for row in wrapped(value, cells.saturating_sub(indent).max(1)) {
            let gap = indent.saturating_sub(width(&head));
            let name = Span::styled(std::mem::take(&mut head), self.theme.active());
            lines.push(Line::from(vec![name, Span::raw(" ".repeat(gap)), Span::raw(row.to_owned())]));
        }
        lines
    }

    fn paragraph(text: &str, cells: usize) -> Vec<Line<'static>> {
        wrapped(text, cells).into_iter().map(|row| Line::raw(row.to_owned())).collect()
    }

    fn warnings_sheet(self, state: &State, chosen: usize, cells: usize) -> Sheet {
        let mut lines = vec![Line::styled(cut("Enter dismisses one, X all", cells), self.theme.faint())];
        let mut last = 0;
        for (index, notice) in state.warnings.iter().enumerate() {
            let style = if index == chosen { self.theme.chosen() } else { ratatui::style::Style::new() };
            let text = format!("{} {}", self.zone.full(notice.seen_at), one_line(&notice.to_string()));
            lines.extend(wrapped(&text, cells).into_iter().map(|row| Line::styled(row.to_owned(), style)));
            if index == chosen {
                last = lines.len() - 1;
            }
        }
        Sheet { chosen: last, ..Sheet::new("Warnings", lines) }
    }

    fn waiting(self, title: &str) -> Sheet {
        let lines = vec![Line::styled("Asking the server ...", self.theme.faint())];
        Sheet { is_waiting: true, ..Sheet::new(title, lines) }
    }
}

/// What somebody is called whom the open conversation knows.
fn called(state: &State, who: BoxId) -> String {
    let overview = state.list.overview(Conversation::Direct(who)).map(names::overview);
    match &state.open {
        _ if who == state.you.box_id => "you".to_owned(),
        Some(open) => overview.unwrap_or_else(|| name_of(open, who)),
        None => overview.unwrap_or_else(|| names::person(who, None)),
    }
}

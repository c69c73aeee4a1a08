//! What stands over the conversations: questions and sheets.

mod files;
mod groups;
mod people;

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Clear};
use rossby_client::{Content, ReceiptSettings, Settings};
use rossby_schemas::events::profiles::Audience;

use super::View;
use super::keys::KEYS;
use crate::person::chat::names;
use crate::person::chat::state::State;
use crate::person::chat::state::overlay::{Ask, Confirm, EMOJIS, Overlay, Prompt};
use crate::person::chat::text::{cut, one_line, rows, width, wrapped};

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
}

impl Sheet {
    fn new(title: impl Into<String>, lines: Vec<Line<'static>>) -> Self {
        Self { title: title.into(), lines, top: None, chosen: 0, cursor: None }
    }
}

impl View {
    /// Draws a sheet in the middle. Gives how many rows it has, and how many are seen.
    pub(super) fn overlay(self, frame: &mut Frame<'_>, area: Rect, state: &State, overlay: &Overlay) -> (usize, usize) {
        let width = area.width.min(MAX_WIDTH);
        let cells = usize::from(width).saturating_sub(4).max(1);
        let sheet = match overlay {
            Overlay::Help { top } => Sheet { top: Some(*top), ..Sheet::new("Keys", self.help(cells)) },
            Overlay::Prompt(prompt) => self.prompt(prompt, cells),
            Overlay::Confirm(confirm) => self.confirm(confirm, cells),
            Overlay::Message { id, top } => {
                let message = state.open.iter().flat_map(|open| &open.messages).find(|message| message.id == *id);
                let lines = message.map(|message| self.details(message, cells)).unwrap_or_default();
                Sheet { top: Some(*top), ..Sheet::new("Message", lines) }
            }
            Overlay::Warnings { chosen } => self.warnings_sheet(state, *chosen, cells),
            Overlay::Files { chosen } => self.files(state, *chosen, cells),
            Overlay::Devices { devices, chosen } => self.devices(devices.as_deref(), *chosen, cells),
            Overlay::Settings { settings, chosen } => self.settings(settings.as_ref(), *chosen),
            Overlay::Person { person, top, .. } => {
                let lines = self.person(person.as_deref(), cells);
                Sheet { top: Some(*top), ..Sheet::new("About them", lines) }
            }
            Overlay::Code(code) => self.code(code, (cells, usize::from(area.height.saturating_sub(2)))),
            Overlay::Groups { groups, chosen } => self.groups(groups.as_deref(), *chosen, cells),
            Overlay::Group { group, chosen, .. } => self.group(group.as_deref(), *chosen, cells),
        };
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

    fn help(self, cells: usize) -> Vec<Line<'static>> {
        let mut lines = Vec::new();
        for (part, keys) in KEYS {
            if !lines.is_empty() {
                lines.push(Line::default());
            }
            lines.push(Line::styled(*part, self.theme.strong()));
            for (key, what) in *keys {
                lines.extend(self.fact(key, what, 16, cells));
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

    fn prompt(self, prompt: &Prompt, cells: usize) -> Sheet {
        let (title, what) = question(&prompt.ask);
        let mut lines = Self::paragraph(&what, cells);
        let (text, (row, column)) = (prompt.editor.text(), prompt.editor.position(cells));
        let typed = lines.len();
        lines.extend(rows(text, cells).into_iter().map(|row| Line::styled(text[row].to_owned(), self.theme.strong())));
        let (said, style) = match (&prompt.waits_for, &prompt.error) {
            (Some(_), _) => ("Wait ...".to_owned(), self.theme.alert()),
            (None, Some(error)) => (one_line(error), self.theme.failed()),
            (None, None) => ("Enter goes on, Esc leaves".to_owned(), self.theme.faint()),
        };
        lines.extend(wrapped(&said, cells).into_iter().map(|row| Line::styled(row.to_owned(), style)));
        let cursor = prompt.waits_for.is_none().then_some((typed + row, column));
        Sheet { chosen: lines.len().saturating_sub(1), cursor, ..Sheet::new(title, lines) }
    }

    fn confirm(self, confirm: &Confirm, cells: usize) -> Sheet {
        let mut lines = Self::paragraph(&one_line(&confirm.question), cells);
        lines.push(Line::styled("y yes   n no", self.theme.strong()));
        Sheet { chosen: lines.len() - 1, ..Sheet::new("Are you sure?", lines) }
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

    fn settings(self, settings: Option<&(Settings, ReceiptSettings)>, chosen: usize) -> Sheet {
        let Some((settings, receipts)) = settings else { return self.waiting("Settings") };
        let values = [
            ("who may find you", who(settings.discoverable)),
            ("who may write to you", who(settings.accept_from)),
            ("others learn that messages came", on_or_off(receipts.delivery)),
            ("others learn that you read them", on_or_off(receipts.read)),
            ("others learn that you write", on_or_off(receipts.typing)),
        ];
        let mut lines = vec![Line::styled("Enter changes one", self.theme.faint())];
        lines.extend(values.iter().enumerate().map(|(index, (name, value))| {
            let style = if index == chosen { self.theme.chosen() } else { ratatui::style::Style::new() };
            Line::styled(format!("{name:<33}{value}"), style)
        }));
        Sheet { chosen: chosen + 1, ..Sheet::new("Settings", lines) }
    }

    fn waiting(self, title: &str) -> Sheet {
        Sheet::new(title, vec![Line::styled("Asking the server ...", self.theme.faint())])
    }
}

const fn who(audience: Audience) -> &'static str {
    match audience {
        Audience::Everyone => "everyone",
        Audience::Contacts => "contacts",
        Audience::Nobody => "nobody",
    }
}

const fn on_or_off(is_on: bool) -> &'static str {
    if is_on { "on" } else { "off" }
}

/// What is asked: a title, and what to type.
fn question(ask: &Ask) -> (&'static str, String) {
    match ask {
        Ask::Whom => ("New conversation", "With whom: a phone number, an email address, or a box".to_owned()),
        Ask::Emoji { .. } => {
            let choices: Vec<String> = (1..).zip(EMOJIS).map(|(digit, emoji)| format!("{digit} {emoji}")).collect();
            ("Emoji", format!("An emoji, or a digit: {}. One that is yours is taken away", choices.join("  ")))
        }
        Ask::Place(_) => ("Send a place", "Degrees to the north and to the east: LATITUDE,LONGITUDE".to_owned()),
        Ask::DeviceName(_) => ("Name a device", "What to call it; only your own devices learn it".to_owned()),
        Ask::File(_) => ("Send a file", "Its path; it is encrypted before it leaves this device".to_owned()),
        Ask::Caption { path, .. } => {
            let name = one_line(&path.display().to_string());
            ("Send a file", format!("{name}: what you say of it; nothing, if you like"))
        }
        Ask::SaveTo(message) => {
            let name = match &message.content {
                Some(Content::Attachment(attachment)) => one_line(&attachment.name),
                _ => String::new(),
            };
            ("Save a file", format!("{name}: a folder, or the file's own path"))
        }
        Ask::Verify(_) => (
            "Verify",
            "The safety number's 60 digits, as they read them out; or paste what a camera read from the code on their screen"
                .to_owned(),
        ),
        Ask::GroupName => ("New group", "What it is called".to_owned()),
        Ask::GroupMembers { name } => {
            ("New group", format!("Who is in {}: phone numbers, email addresses, or boxes, with blanks between", names::group(name)))
        }
        Ask::AddMembers(_) => {
            ("Add people", "Phone numbers, email addresses, or boxes, with blanks between".to_owned())
        }
        Ask::RenameGroup(_) => ("Rename the group", "What it is called from now on".to_owned()),
        Ask::LinkCode => (
            "Link a device",
            "Run `rossby link` on the new device. Type the code that it shows, or paste what a camera read from its picture"
                .to_owned(),
        ),
    }
}

//! The list of conversations.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use rossby_client::{ConversationOverview, Standing};

use super::View;
use crate::person::chat::names;
use crate::person::chat::state::event::Measures;
use crate::person::chat::state::list::Entry;
use crate::person::chat::state::{Focus, State};
use crate::person::chat::text::{cut, width, wrapped};

/// How many rows an entry has.
const ENTRY: usize = 2;

impl View {
    pub(super) fn list(self, frame: &mut Frame<'_>, area: Rect, state: &State, measures: &mut Measures) {
        let (cells, rows) = (usize::from(area.width), usize::from(area.height));
        let mut lines = vec![self.list_title(state)];
        if let Some(search) = &state.list.search {
            lines.push(Line::from(vec![Span::raw(" /"), Span::raw(cut(search.text(), cells.saturating_sub(3)))]));
        }
        if state.focus == Focus::List && state.list.is_searching && state.overlays.is_empty() && lines.len() <= rows {
            let column = state.list.search.as_ref().map_or(0, |search| search.position(cells.saturating_sub(3)).1);
            frame.set_cursor_position((area.x + 2 + u16::try_from(column).unwrap_or(0), area.y + 1));
        }
        let room = rows.saturating_sub(lines.len());
        let entries = state.list.entries();
        measures.list = (room / ENTRY).max(1);
        let chosen = entries.iter().position(|entry| Some(entry.conversation) == state.list.chosen).unwrap_or(0);
        let mut shown = Vec::new();
        let mut chosen_end = 0;
        for (index, entry) in entries.iter().enumerate() {
            if entry.is_request() && !entries[..index].last().is_some_and(Entry::is_request) {
                shown.push(Line::styled(cut(" Message requests", cells), self.theme.alert()));
            }
            let is_chosen = index == chosen;
            shown.extend(self.entry(entry, state, cells, is_chosen));
            if is_chosen {
                chosen_end = shown.len();
            }
        }
        if entries.is_empty() {
            let text = match (&state.list.search, state.list.is_loaded) {
                (Some(_), _) => "Nothing is called so",
                (None, true) => "No conversations yet; n begins one",
                (None, false) => "Reading ...",
            };
            let rows = wrapped(text, cells.saturating_sub(1)).into_iter();
            shown.extend(rows.map(|row| Line::styled(format!(" {}", row), self.theme.faint())));
        }
        lines.extend(shown.into_iter().skip(chosen_end.saturating_sub(room)).take(room));
        for (y, line) in (area.top()..area.bottom()).zip(lines) {
            frame.buffer_mut().set_line(area.x, y, &line, area.width);
        }
    }

    fn list_title(self, state: &State) -> Line<'static> {
        let style = if state.focus == Focus::List { self.theme.active() } else { self.theme.strong() };
        match state.list.unread() {
            0 => Line::styled(" Conversations", style),
            unread => Line::styled(format!(" Conversations ({unread} unread)"), style),
        }
    }

    fn entry(self, entry: &Entry<'_>, state: &State, cells: usize, is_chosen: bool) -> [Line<'static>; ENTRY] {
        let unread = entry.overview.map_or(0, |overview| overview.unread);
        let time = entry.overview.map(|overview| self.zone.short(overview.last.time, state.now)).unwrap_or_default();
        let name_style = if unread > 0 { self.theme.strong() } else { Style::new() };
        let is_open = state.open.as_ref().is_some_and(|open| open.conversation == entry.conversation);
        let marker = if is_open { "▸" } else { " " };
        let time = format!("{}{time}", mark(entry.overview).0);
        let first = self.sides((format!("{marker}{}", entry.name), name_style), (time, self.theme.faint()), cells);
        let badge = if unread > 0 { format!("{unread} new") } else { String::new() };
        let standing = entry.overview.and_then(|overview| overview.standing);
        let draft = state.drafts.of(entry.conversation).filter(|composer| !composer.draft.is_empty());
        let last = match (draft, entry.overview) {
            _ if standing == Some(Standing::Blocked) => "blocked".to_owned(),
            (Some(composer), _) if !is_open => {
                format!("draft: {}", crate::person::chat::text::one_line(composer.draft.text()))
            }
            (_, Some(overview)) => names::summary(&overview.last),
            (_, None) => "no messages yet".to_owned(),
        };
        let second = self.sides((format!("  {last}"), self.theme.faint()), (badge, self.theme.alert()), cells);
        let lines = [first, second];
        // What is chosen is marked by more than a colour.
        match is_chosen && state.focus == Focus::List {
            true => lines.map(|line| line.patch_style(self.theme.chosen())),
            false => lines,
        }
    }

    /// A line with something on its left, cut if need be, and something on its right.
    pub(super) fn sides(self, left: (String, Style), right: (String, Style), cells: usize) -> Line<'static> {
        let room = cells.saturating_sub(width(&right.0) + 1);
        let text = cut(&left.0, if right.0.is_empty() { cells } else { room });
        let gap = cells.saturating_sub(width(&text) + width(&right.0));
        Line::from(vec![Span::styled(text, left.1), Span::raw(" ".repeat(gap)), Span::styled(right.0, right.1)])
    }
}

/// What is known of the other side, as a sign and in words.
pub(super) fn mark(overview: Option<&ConversationOverview>) -> (&'static str, &'static str) {
    match overview {
        Some(overview) if overview.is_changed => ("! ", " (leads to another box now)"),
        Some(overview) if overview.verified.is_some() => ("✓ ", " (verified)"),
        _ => ("", ""),
    }
}

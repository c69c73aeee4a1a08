//! The open conversation: who it is with, and its messages.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::{Line, Span};
use rossby_client::{Conversation, ConversationOverview, Message, Standing};
use rossby_schemas::time::Timestamp;

use super::View;
use super::list::mark;
use super::message::{GUTTER, cells_of};
use crate::person::chat::names;
use crate::person::chat::state::drafts::Say;
use crate::person::chat::state::event::Measures;
use crate::person::chat::state::open::Open;
use crate::person::chat::state::{Focus, State};
use crate::person::chat::text::{cut, one_line, shown, wrapped};
use crate::person::screen::claimed as claimed_name;

/// After how long a pause the author is named again.
const PAUSE_SECONDS: u64 = 10 * 60;

impl View {
    pub(super) fn nothing_open(self, frame: &mut Frame<'_>, area: Rect, state: &State) {
        let lines = [
            format!("You are {}", state.you.address),
            "Enter opens a conversation, n begins one, F1 shows all keys".to_owned(),
        ];
        let cells = usize::from(area.width.saturating_sub(2));
        let rows = lines.iter().flat_map(|line| wrapped(line, cells));
        for (y, row) in (area.top() + area.height / 3..area.bottom()).zip(rows) {
            frame.buffer_mut().set_string(area.x + 1, y, row, self.theme.faint());
        }
    }

    pub(super) fn conversation(
        self,
        frame: &mut Frame<'_>,
        area: Rect,
        state: &State,
        open: &Open,
        measures: &mut Measures,
    ) {
        let overview = state.list.overview(open.conversation);
        let standing = overview.and_then(|overview| overview.standing);
        let asks = match standing {
            None if overview.is_some_and(ConversationOverview::is_request) => {
                Some("You were added to this group: Esc, then a takes part, x doesn't; writing takes part")
            }
            Some(Standing::Stranger) => {
                Some("A message request: Esc, then a accepts, x declines, b blocks; writing accepts")
            }
            Some(Standing::Blocked) => Some("Blocked: Esc, then b takes it away"),
            _ => None,
        };
        let composer = self.composer_rows(state, area);
        let rows = [
            Constraint::Length(1),
            Constraint::Length(u16::from(asks.is_some())),
            Constraint::Min(0),
            Constraint::Length(composer),
        ];
        let [title, notice, messages, composer] = Layout::vertical(rows).areas(area);
        let cells = usize::from(area.width);
        frame.buffer_mut().set_line(title.x, title.y, &self.title(state, open, cells), title.width);
        if let Some(text) = asks.filter(|_| notice.height > 0) {
            let text = cut(&format!(" {text}"), cells);
            frame.buffer_mut().set_string(notice.x, notice.y, text, self.theme.alert());
        }
        let below = self.transcript(frame, messages, state, open, measures);
        self.composer(frame, composer, state, measures);
        if below > 0 {
            let text = format!(" {below} rows below ↓ ");
            let x = composer.right().saturating_sub(u16::try_from(text.chars().count()).unwrap_or(0));
            frame.buffer_mut().set_string(x.max(composer.x), composer.y, text, self.theme.chosen());
        }
    }

    fn title(self, state: &State, open: &Open, cells: usize) -> Line<'static> {
        let style = if state.focus == Focus::List { self.theme.strong() } else { self.theme.active() };
        let mark = mark(state.list.overview(open.conversation)).1;
        let writing: Vec<String> = state.typing.of(open.conversation).map(|who| name_of(open, who)).collect();
        let writing = match (writing.as_slice(), open.conversation) {
            ([], _) => String::new(),
            (_, Conversation::Direct(_)) => "is writing ...".to_owned(),
            ([name], Conversation::Group(_)) => format!("{name} is writing ..."),
            (names, Conversation::Group(_)) => format!("{} are writing ...", names.join(", ")),
        };
        let overview = state.list.overview(open.conversation);
        let claimed = overview.and_then(|overview| overview.claimed_name.as_deref());
        let claimed = claimed.map(|name| format!(" ({})", one_line(&claimed_name(name)))).unwrap_or_default();
        let name = format!(" {}{mark}{claimed}", state.list.name(open.conversation));
        // Whom it is with matters more than that many write.
        self.sides((name, style), (cut(&writing, cells / 2), self.theme.good()), cells)
    }

    /// Draws the messages. Gives how many rows of them are below the last one that is seen.
    fn transcript(
        self,
        frame: &mut Frame<'_>,
        area: Rect,
        state: &State,
        open: &Open,
        measures: &mut Measures,
    ) -> usize {
        let cells = usize::from(area.width);
        let room = cells.saturating_sub(GUTTER + 1).max(1);
        let mut lines: Vec<Line<'static>> = Vec::new();
        let mut before: Option<&Message> = None;
        for message in &open.messages {
            let start = lines.len();
            lines.extend(self.above(message, before, open, cells));
            let mut rows = self.message(message, room, quoted_author(open, message));
            let is_chosen = open.chosen == Some(message.id);
            for row in &mut rows {
                let gutter = if is_chosen { Span::styled("┃ ", self.theme.active()) } else { Span::raw("  ") };
                row.spans.insert(0, gutter);
            }
            lines.append(&mut rows);
            measures.rows.push((message.id, lines.len() - start));
            before = Some(message);
        }
        let stored = lines.len();
        for sending in state.drafts.sending(open.conversation) {
            let what = if matches!(sending.say, Say::Edit { .. }) { "changing a message" } else { "sending" };
            let text = shown(sending.say.text());
            let mut rows: Vec<Line<'static>> =
                wrapped(&text, room).into_iter().map(|row| Line::raw(row.to_owned())).collect();
            self.end(&mut rows, Line::styled(format!("{what} ..."), self.theme.faint()), room);
            lines.extend(rows.into_iter().map(|mut row| {
                row.spans.insert(0, Span::raw("  "));
                row
            }));
        }
        if lines.is_empty() && open.is_loaded {
            lines.push(Line::styled(cut("  No messages yet", cells), self.theme.faint()));
        }
        measures.window = usize::from(area.height);
        // What is being sent stands below the last message, and is seen unless one is chosen.
        let first = match open.chosen {
            Some(_) => open.first_row(&measures.rows, measures.window),
            None => lines.len().saturating_sub(measures.window),
        };
        measures.seen = seen(&measures.rows, first, measures.window);
        let below = stored.saturating_sub(first + measures.window);
        // Few messages stand at the bottom, beside the composer.
        let blank = measures.window.saturating_sub(lines.len());
        for (y, line) in (area.top()..area.bottom()).skip(blank).zip(lines.iter().skip(first)) {
            frame.buffer_mut().set_line(area.x, y, line, area.width);
        }
        below
    }

    /// What stands above a message: a new day, that what follows is new, and who wrote it.
    fn above(self, message: &Message, before: Option<&Message>, open: &Open, cells: usize) -> Vec<Line<'static>> {
        let mut lines = Vec::new();
        let day = |time: Timestamp| self.zone.day(time);
        let is_new_day = before.is_none_or(|before| day(before.time) != day(message.time));
        if is_new_day {
            lines.push(self.rule(&day(message.time), cells));
        }
        let is_first_new = open.first_new == Some(message.id);
        if is_first_new {
            let mut rule = self.rule("new", cells);
            rule.style = self.theme.alert();
            lines.push(rule);
        }
        let is_other = before.is_none_or(|before| {
            before.author != message.author || message.time.since(before.time).as_secs() >= PAUSE_SECONDS
        });
        if is_new_day || is_first_new || is_other {
            let style = if message.is_outgoing { self.theme.own() } else { self.theme.strong() };
            lines.push(Line::styled(cut(&format!(" {}", names::author(message)), cells), style));
        }
        lines
    }

    /// A line through all cells, with a text in its middle.
    fn rule(self, text: &str, cells: usize) -> Line<'static> {
        let text = cut(&format!(" {text} "), cells);
        let line = Line::raw(text.clone());
        let rest = cells.saturating_sub(cells_of(&line));
        let (left, right) = ("─".repeat(rest / 2), "─".repeat(rest - rest / 2));
        Line::styled(format!("{left}{text}{right}"), self.theme.faint())
    }
}

/// The messages of which the last row is among those on the screen.
fn seen(rows: &[(i64, usize)], first: usize, window: usize) -> Vec<i64> {
    let mut end = 0;
    let ends = rows.iter().map(|(id, rows)| {
        end += rows;
        (*id, end)
    });
    ends.filter(|(_, end)| *end > first && *end <= first + window).map(|(id, _)| id).collect()
}

/// What somebody of a conversation is called.
pub(super) fn name_of(open: &Open, who: rossby_schemas::ids::BoxId) -> String {
    let message = open.messages.iter().find(|message| message.author == who);
    message.map_or_else(|| names::person(who, None), names::author)
}

/// Who wrote the message that another one answers.
fn quoted_author(open: &Open, message: &Message) -> Option<String> {
    message.refers_to.as_ref().map(|referred| name_of(open, referred.message.box_id))
}

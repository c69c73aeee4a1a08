//! A message as the rows in which it stands among the others.

use ratatui::text::{Line, Span};
use rossby_client::{Attachment, Content, Kind, Message, MessageState, Recipient};
use rossby_schemas::ids::BoxId;

use super::View;
use crate::person::attachments;
use crate::person::chat::names;
use crate::person::chat::text::{cut, one_line, shown, width, wrapped};

/// How far messages stand in from the edge, which shows what is chosen.
pub(super) const GUTTER: usize = 2;

impl View {
    /// What a message says, with what was said of it, in rows of so many cells.
    pub(super) fn message(self, message: &Message, cells: usize, quoted_author: Option<String>) -> Vec<Line<'static>> {
        let mut lines = Vec::new();
        if let (Some(referred), Some(Content::Reply(_))) = (&message.refers_to, &message.content) {
            let (who, text) = names::quoted(referred, quoted_author);
            lines.push(Line::styled(cut(&format!("│ {who}: {text}"), cells), self.theme.faint()));
        }
        if message.is_late {
            let late = "its author had been removed before this came, and may have written it after";
            lines.extend(wrapped(late, cells).into_iter().map(|row| Line::styled(row.to_owned(), self.theme.alert())));
        }
        match body(message) {
            Ok(text) => lines.extend(wrapped(&text, cells).into_iter().map(|row| Line::raw(row.to_owned()))),
            Err(what) => {
                let rows =
                    wrapped(&what, cells).into_iter().map(|row| Line::styled(row.to_owned(), self.theme.faint()));
                lines.extend(rows);
            }
        }
        self.end(&mut lines, self.marks(message), cells);
        if !message.reactions.is_empty() {
            let reactions = message.reactions.iter().map(|emoji| match emoji.authors.len() {
                1 => one_line(&emoji.emoji),
                count => format!("{} {count}", one_line(&emoji.emoji)),
            });
            lines.push(Line::raw(cut(&reactions.collect::<Vec<_>>().join("  "), cells)));
        }
        lines
    }

    /// Puts something at the right end of the last row, or of another one if there is no room.
    pub(super) fn end(self, lines: &mut Vec<Line<'static>>, end: Line<'static>, cells: usize) {
        let wide = cells_of(&end);
        let used = lines.last().map_or(cells, cells_of);
        if used + 1 + wide > cells || lines.is_empty() {
            lines.push(Line::default());
        }
        if let Some(last) = lines.last_mut() {
            let gap = cells.saturating_sub(cells_of(last) + wide);
            last.spans.push(Span::raw(" ".repeat(gap)));
            last.spans.extend(end.spans);
        }
    }

    /// When a message was written, and what became of it.
    fn marks(self, message: &Message) -> Line<'static> {
        let mut spans = Vec::new();
        if message.edited_at.is_some() {
            spans.push(Span::styled("edited ", self.theme.faint()));
        }
        spans.push(Span::styled(self.zone.minute(message.time), self.theme.faint()));
        if message.is_outgoing {
            let style = match message.state {
                MessageState::Failed => self.theme.failed(),
                MessageState::Pending => self.theme.alert(),
                _ => self.theme.faint(),
            };
            spans.push(Span::styled(format!(" {}", became(message)), style));
        }
        Line::from(spans)
    }

    /// All of one message, for a sheet of its own.
    pub(super) fn details(
        self,
        message: &Message,
        called: impl Fn(BoxId) -> String,
        cells: usize,
    ) -> Vec<Line<'static>> {
        let fact = |name: &str, value: String| {
            Line::from(vec![Span::styled(format!("{name:<10}"), self.theme.faint()), Span::raw(value)])
        };
        let mut lines = vec![fact("from", names::author(message)), fact("written", self.zone.full(message.time))];
        if let Some(at) = message.accepted_at {
            lines.push(fact("accepted", self.zone.full(at)));
        }
        if let Some(at) = message.edited_at {
            lines.push(fact("edited", self.zone.full(at)));
        }
        lines.push(fact("id", message.message_id.to_string()));
        for recipient in &message.recipients {
            lines.push(fact("to", called(recipient.box_id)));
            lines.extend(self.recipient(recipient).into_iter().map(|(name, value)| fact(name, value)));
        }
        for emoji in &message.reactions {
            let by = emoji.authors.iter().map(|author| called(*author)).collect::<Vec<_>>().join(", ");
            lines.push(fact(&one_line(&emoji.emoji), by));
        }
        lines.push(Line::default());
        let text = body(message).unwrap_or_else(|what| what);
        lines.extend(wrapped(&text, cells).into_iter().map(|row| Line::raw(row.to_owned())));
        lines
    }

    fn recipient(self, recipient: &Recipient) -> Vec<(&'static str, String)> {
        let mut facts = vec![("state", state(recipient).to_owned())];
        facts.extend(recipient.reason.as_ref().map(|reason| ("because", one_line(reason))));
        facts.extend(recipient.delivered_at.map(|at| ("delivered", self.zone.full(at))));
        facts.extend(recipient.read_at.map(|at| ("read", self.zone.full(at))));
        facts
    }
}

/// What a message says; or what it is, if it says nothing that could be shown.
fn body(message: &Message) -> Result<String, String> {
    match &message.content {
        _ if message.is_deleted => Err("deleted".to_owned()),
        Some(Content::Location(location)) => Ok(format!("place {}", one_line(&location.to_string()))),
        Some(Content::Attachment(attachment)) => Ok(file(attachment)),
        Some(content) => content.text().map(shown).ok_or_else(|| names::kind(message.kind)),
        None if message.kind == Kind::GroupChange => Err(names::deeds(message)),
        None => Err(names::kind(message.kind)),
    }
}

/// An attachment as text: what it is, and what its sender says of it.
fn file(attachment: &Attachment) -> String {
    let what = one_line(&attachments::summary(attachment));
    match &attachment.caption {
        Some(caption) => format!("{what}\n{}", shown(caption)),
        None => what,
    }
}

const fn state(recipient: &Recipient) -> &'static str {
    match recipient.state {
        MessageState::Pending => "in the outbox",
        MessageState::Failed => "not sent",
        _ if recipient.read_at.is_some() => "read",
        _ if recipient.delivered_at.is_some() => "delivered",
        _ => "sent",
    }
}

/// What became of a message that was sent.
pub(super) fn became(message: &Message) -> String {
    let (all, recipients) = (message.recipients.len(), &message.recipients);
    let count = |is: fn(&Recipient) -> bool| recipients.iter().filter(|recipient| is(recipient)).count();
    let (read, delivered) = (count(|r| r.read_at.is_some()), count(|r| r.delivered_at.is_some()));
    let failed = count(|r| r.state == MessageState::Failed);
    let partly =
        |what: &str, count: usize| if count == all { what.to_owned() } else { format!("{what} {count}/{all}") };
    let mut text = match message.state {
        MessageState::Pending => "in the outbox".to_owned(),
        MessageState::Failed => return "not sent".to_owned(),
        _ if read > 0 => partly("read", read),
        _ if delivered > 0 => partly("delivered", delivered),
        _ => "sent".to_owned(),
    };
    if failed > 0 {
        text += &format!(", not sent {failed}/{all}");
    }
    text
}

/// How many cells a line's text takes.
pub(super) fn cells_of(line: &Line<'_>) -> usize {
    line.spans.iter().map(|span| width(&span.content)).sum()
}

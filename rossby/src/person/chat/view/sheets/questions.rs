//! Questions: those that are answered by a text, and those by yes or no.

use ratatui::text::Line;
use rossby_client::Content;

use super::{Sheet, View};
use crate::person::chat::names;
use crate::person::chat::state::overlay::{Ask, Confirm, EMOJIS, Prompt};
use crate::person::chat::text::{one_line, rows, wrapped};

impl View {
    pub(super) fn prompt(self, prompt: &Prompt, cells: usize) -> Sheet {
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

    pub(super) fn confirm(self, confirm: &Confirm, cells: usize) -> Sheet {
        let mut lines = Self::paragraph(&one_line(&confirm.question), cells);
        lines.push(Line::styled("y yes   n no", self.theme.strong()));
        Sheet { chosen: lines.len() - 1, ..Sheet::new("Are you sure?", lines) }
    }
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
        Ask::ProfileName => (
            "What you call yourself",
            "Those see it whom you have accepted; the server can't. Nothing takes it away".to_owned(),
        ),
        Ask::ProfilePicture => (
            "A picture of you",
            "The path of a JPEG, PNG or WebP; it is made small, and loses where, when and with what it was taken. Nothing takes the \
             picture away"
                .to_owned(),
        ),
        Ask::NewIdentifier => {
            ("One more address", "A phone number or an email address, to which a code is sent".to_owned())
        }
        Ask::IdentifierCode => ("The code that came", "Its 8 digits".to_owned()),
        Ask::LinkCode => (
            "Link a device",
            "Run `rossby link`, or `rossby chat`, on the new device. Type the code that it shows, or paste what a camera read from its \
             picture"
                .to_owned(),
        ),
    }
}

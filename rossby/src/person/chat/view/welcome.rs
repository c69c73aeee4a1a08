//! The screen of a device that has no account yet.

use ratatui::Frame;
use ratatui::text::Line;

use super::View;
use crate::person::chat::state::welcome::Welcome;
use crate::person::chat::text::{one_line, width, wrapped};
use crate::person::devices::picture;

impl View {
    /// Draws what the device shows without an account.
    pub(in crate::person::chat) fn welcome(self, frame: &mut Frame<'_>, welcome: &Welcome) {
        let area = frame.area();
        let (cells, rows) = (usize::from(area.width.saturating_sub(2)), usize::from(area.height));
        let mut lines = Vec::new();
        let mut say = |text: &str, style| {
            lines.extend(wrapped(text, cells).into_iter().map(|row| Line::styled(row.to_owned(), style)));
        };
        let (plain, faint) = (ratatui::style::Style::new(), self.theme.faint());
        match welcome {
            Welcome::Waiting { code, until } => {
                say(
                    "On a device that you have, press v and then l in its chat, or run `rossby devices add`. Type there:",
                    plain,
                );
                say(code, self.theme.strong());
                let until = self.zone.minute(*until);
                say(&format!("Good until {until}, for one device; show it to nobody. Waiting ... Esc stops"), faint);
                let picture = picture(code);
                let picture: Vec<&str> = picture.lines().collect();
                // Whole, or not at all: half a code is none.
                if picture.iter().all(|row| width(row) <= cells) && lines.len() + picture.len() <= rows {
                    let style = self.theme.picture();
                    lines.extend(picture.into_iter().map(|row| Line::styled(row.to_owned(), style)));
                }
            }
            Welcome::Choice | Welcome::Asking | Welcome::Failed(_) => {
                say("This device has no account yet.", self.theme.strong());
                say("", plain);
                say("l makes it one more device of an account that you have elsewhere.", plain);
                say("For a new account press q, and run: rossby register YOUR_ADDRESS", plain);
                say("", plain);
                match welcome {
                    Welcome::Asking => say("Asking the server for a code ... Esc stops", faint),
                    Welcome::Failed(reason) => say(&one_line(reason), self.theme.failed()),
                    _ => {}
                }
            }
        }
        for (y, line) in (area.top()..area.bottom()).zip(&lines) {
            frame.buffer_mut().set_line(area.x + area.width.min(1), y, line, area.width.saturating_sub(1));
        }
    }
}

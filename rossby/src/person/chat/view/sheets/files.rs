//! The sheet about files that are on their way, and those that wait.

use ratatui::style::Style;
use ratatui::text::Line;

use super::{Sheet, View};
use crate::person::chat::state::State;
use crate::person::chat::text::{cut, one_line};
use crate::person::chat::view::status::progress;

/// How many cells show how much of a step is done.
const BAR: usize = 12;
/// Below so many cells there is no room for that.
const WIDE: usize = 60;

impl View {
    pub(super) fn files(self, state: &State, chosen: usize, cells: usize) -> Sheet {
        let on_their_way = state.transfers.iter().map(|transfer| {
            let bar = if cells >= WIDE { bar(transfer.percent) } else { String::new() };
            (&transfer.name, format!("{}{bar}", progress(transfer)))
        });
        let waiting = state
            .waiting_files()
            .map(|upload| (&upload.name, format!("waits since {}", self.zone.short(upload.begun_at, state.now))));
        let mut lines = vec![Line::styled(cut("x stops one", cells), self.theme.faint())];
        for (index, (name, how)) in on_their_way.chain(waiting).enumerate() {
            let style = if index == chosen { self.theme.chosen() } else { Style::new() };
            lines.push(self.sides((one_line(name), style), (how, Style::new()), cells));
        }
        if lines.len() == 1 {
            lines = vec![Line::raw(cut("No file is on its way", cells))];
        }
        Sheet { chosen: chosen + 1, ..Sheet::new("Files on their way", lines) }
    }
}

/// How much is done, as a picture.
fn bar(percent: u64) -> String {
    let done = usize::try_from(percent).unwrap_or(100).min(100) * BAR / 100;
    format!(" {}{}", "█".repeat(done), "░".repeat(BAR - done))
}

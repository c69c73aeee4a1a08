//! The sheet about the person themselves.

use ratatui::style::Style;
use ratatui::text::Line;
use rossby_client::{AccountIdentifier, Profile};

use super::{Sheet, View};
use crate::person::attachments::size;
use crate::person::chat::names;
use crate::person::chat::state::State;
use crate::person::chat::text::{cut, one_line, wrapped};

const KEYS: &str = "n your name, p your picture; a one more address, c the code that came, x takes an address away, o objects to a claim";

impl View {
    pub(super) fn yourself(
        self,
        state: &State,
        profile: Option<&Profile>,
        identifiers: Option<&[AccountIdentifier]>,
        chosen: usize,
        cells: usize,
    ) -> Sheet {
        const INDENT: usize = 10;
        let Some(profile) = profile else { return self.waiting("You") };
        let faint = |text: &str| Line::styled(text.to_owned(), self.theme.faint());
        let mut lines: Vec<Line<'static>> = wrapped(KEYS, cells).into_iter().map(faint).collect();
        let name = profile.name.as_deref().map_or_else(|| "none".to_owned(), one_line);
        lines.extend(self.fact("name", &name, INDENT, cells));
        let picture = profile.picture.as_ref().map_or_else(
            || "none".to_owned(),
            |picture| {
                let octets = u64::try_from(picture.data.as_slice().len()).unwrap_or(u64::MAX);
                format!("{}, {}", one_line(&picture.media_type), size(octets))
            },
        );
        lines.extend(self.fact("picture", &picture, INDENT, cells));
        lines.extend(self.fact("box", &state.you.box_id.to_string(), INDENT, cells));
        lines.push(Line::default());
        let Some(identifiers) = identifiers else {
            let line = match &state.sheet_error {
                Some(error) => Line::styled(cut(&one_line(error), cells), self.theme.failed()),
                None => faint("Asking the server ..."),
            };
            return self.with_addresses(lines, line);
        };
        if identifiers.is_empty() {
            return self.with_addresses(lines, Line::raw("No address: nobody finds you"));
        }
        let mut last = 0;
        for (index, identifier) in identifiers.iter().enumerate() {
            let style = if index == chosen { self.theme.chosen() } else { Style::new() };
            let (how, how_style) = match (identifier.awaited_until, identifier.claimed_from, identifier.added_at) {
                (Some(until), _, _) => (format!("yours from {}", self.zone.full(until)), self.theme.alert()),
                (None, Some(from), _) => {
                    (format!("somebody claims it, from {}", self.zone.full(from)), self.theme.failed())
                }
                (None, None, _) if identifier.is_strange => {
                    ("added by no device of yours".to_owned(), self.theme.failed())
                }
                (None, None, Some(at)) => (format!("since {}", self.zone.full(at)), self.theme.faint()),
                (None, None, None) => ("registered with it".to_owned(), self.theme.faint()),
            };
            lines.push(self.sides((names::identifier(identifier), style), (how, how_style), cells));
            if index == chosen {
                last = lines.len() - 1;
            }
        }
        Sheet { chosen: last, ..Sheet::new("You", lines) }
    }

    fn with_addresses(self, mut lines: Vec<Line<'static>>, addresses: Line<'static>) -> Sheet {
        lines.push(addresses);
        Sheet { chosen: lines.len() - 1, ..Sheet::new("You", lines) }
    }
}

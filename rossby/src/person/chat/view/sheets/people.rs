//! Sheets about people: the person's own devices, somebody, and the code that the other one's camera reads.

use ratatui::style::Style;
use ratatui::text::Line;
use rossby_client::{OwnDevice, Standing};

use super::{Sheet, View};
use crate::person::chat::state::action::Person;
use crate::person::chat::text::{cut, one_line, width, wrapped};
use crate::person::screen::{self, claimed, counted, qr_code};

impl View {
    pub(super) fn devices(self, devices: Option<&[OwnDevice]>, chosen: usize, cells: usize) -> Sheet {
        let Some(devices) = devices else { return self.waiting("Your devices") };
        let mut lines =
            vec![Line::styled(cut("l links a new one, r names one, x removes one", cells), self.theme.faint())];
        let mut last = 0;
        for (index, device) in devices.iter().enumerate() {
            let style = if index == chosen { self.theme.chosen() } else { Style::new() };
            let name = one_line(device.name.as_deref().unwrap_or("unnamed"));
            let this = if device.is_this { " (this one)" } else { "" };
            lines.push(Line::styled(cut(&format!("{name}{this}"), cells), style));
            let facts = match device.removed_at {
                Some(at) => format!("removed {}", self.zone.full(at)),
                None => {
                    let verb = if device.waiting == 1 { "waits" } else { "wait" };
                    let waiting = counted(device.waiting, "message");
                    format!("linked {}, {waiting} {verb} for it", self.zone.full(device.linked_at))
                }
            };
            let text = format!("  {} {facts}", device.device_id);
            lines.extend(wrapped(&text, cells).into_iter().map(|row| Line::styled(row.to_owned(), self.theme.faint())));
            if index == chosen {
                last = lines.len() - 1;
            }
        }
        Sheet { chosen: last, ..Sheet::new("Your devices", lines) }
    }

    pub(super) fn person(self, person: &Person, cells: usize) -> Vec<Line<'static>> {
        const INDENT: usize = 15;
        let mut lines = Vec::new();
        for address in &person.identifiers {
            lines.extend(self.fact("address", &one_line(screen::address(address)), INDENT, cells));
        }
        lines.extend(self.fact("box", &person.box_id.to_string(), INDENT, cells));
        let standing = match person.standing {
            Standing::Accepted => "accepted",
            Standing::Stranger => "not accepted",
            Standing::Blocked => "blocked",
        };
        lines.extend(self.fact("standing", standing, INDENT, cells));
        if let Some(known) = &person.known {
            if let Some(name) = &known.claimed_name {
                lines.extend(self.fact("name", &one_line(&claimed(name)), INDENT, cells));
            }
            let verified = match &known.verified {
                None => "no".to_owned(),
                Some(verified) => match verified.new_devices {
                    0 => self.zone.full(verified.at),
                    more => format!("{}; {} since", self.zone.full(verified.at), counted(more, "new device")),
                },
            };
            lines.extend(self.fact("verified", &verified, INDENT, cells));
            for device in &known.devices {
                lines.extend(self.fact("device", &one_line(device), INDENT, cells));
            }
            lines.extend(self.fact("safety number", &known.safety_number, INDENT, cells));
        } else {
            lines.extend(self.fact("devices", "the box is gone, or not to be found any more", INDENT, cells));
        }
        for address in &person.changed {
            let address = one_line(screen::address(address));
            let text = format!(
                "{address} leads to another box now; nothing is sent to it. c takes that one for the right one"
            );
            let rows = wrapped(&text, cells).into_iter().map(|row| Line::styled(row.to_owned(), self.theme.failed()));
            lines.extend(rows);
        }
        lines.push(Line::default());
        lines.extend(Self::paragraph(
            "Compare the safety number with them, by voice or side by side: it is the same for both if nobody stands between you. \
             v takes what they say, p shows a code for their camera, u takes it back that they are verified.",
            cells,
        ));
        lines
    }

    /// A code for a camera, in whatever colours: what is light is light on every terminal that has any.
    pub(super) fn code(self, code: &str, (cells, rows): (usize, usize)) -> Sheet {
        let picture = qr_code(code.as_bytes());
        let picture: Vec<&str> = picture.lines().collect();
        let (wide, high) = (picture.first().map_or(0, |row| width(row)), picture.len());
        if wide > cells || high > rows {
            let text = format!(
                "The code needs a window of {} columns and {} rows: make this one larger, or its letters smaller.",
                wide + 4,
                high + 4
            );
            return Sheet::new("For their camera", Self::paragraph(&text, cells));
        }
        let style = self.theme.picture();
        let lines = picture.into_iter().map(|row| Line::styled(row.to_owned(), style)).collect();
        Sheet::new("For their camera", lines)
    }
}

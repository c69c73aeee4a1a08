//! The settings.

use ratatui::style::Style;
use ratatui::text::Line;
use rossby_client::{ReceiptSettings, Settings};
use rossby_schemas::events::profiles::Audience;

use super::{Sheet, View};

impl View {
    pub(super) fn settings(self, settings: Option<&(Settings, ReceiptSettings)>, chosen: usize) -> Sheet {
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
            let style = if index == chosen { self.theme.chosen() } else { Style::new() };
            Line::styled(format!("{name:<33}{value}"), style)
        }));
        Sheet { chosen: chosen + 1, ..Sheet::new("Settings", lines) }
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

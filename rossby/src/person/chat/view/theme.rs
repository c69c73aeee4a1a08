//! How things look. Without colours all that they say is said otherwise too.

use ratatui::style::{Color, Modifier, Style};

/// How things look.
#[derive(Debug, Clone, Copy)]
pub(in crate::person::chat) struct Theme {
    has_colours: bool,
}

impl Theme {
    pub(in crate::person::chat) const fn new(has_colours: bool) -> Self {
        Self { has_colours }
    }

    const fn coloured(self, style: Style, colour: Color) -> Style {
        if self.has_colours { style.fg(colour) } else { style }
    }

    /// What matters less.
    pub(super) const fn faint(self) -> Style {
        self.coloured(Style::new().add_modifier(Modifier::DIM), Color::Reset)
    }

    /// Names, titles, what is new.
    pub(super) const fn strong(self) -> Style {
        Style::new().add_modifier(Modifier::BOLD)
    }

    /// What the person wrote.
    pub(super) const fn own(self) -> Style {
        self.coloured(self.strong(), Color::Cyan)
    }

    /// What is chosen.
    pub(super) const fn chosen(self) -> Style {
        Style::new().add_modifier(Modifier::REVERSED)
    }

    /// The part that has the keys.
    pub(super) const fn active(self) -> Style {
        self.coloured(self.strong(), Color::Cyan)
    }

    /// That all is well.
    pub(super) const fn good(self) -> Style {
        self.coloured(Style::new(), Color::Green)
    }

    /// What should be looked at.
    pub(super) const fn alert(self) -> Style {
        self.coloured(self.strong(), Color::Yellow)
    }

    /// A picture for a camera: light on dark, whatever the terminal's own colours.
    pub(super) const fn picture(self) -> Style {
        if self.has_colours { Style::new().fg(Color::White).bg(Color::Black) } else { Style::new() }
    }

    /// What went wrong.
    pub(super) const fn failed(self) -> Style {
        self.coloured(self.strong(), Color::Red)
    }
}

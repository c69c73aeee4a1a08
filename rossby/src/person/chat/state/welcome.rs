//! The chat on a device that has no account yet: it can become a device of one.

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use rossby_schemas::time::Timestamp;
use zeroize::Zeroizing;

/// What the screen shows.
#[derive(Clone, Default)]
pub(in crate::person::chat) enum Welcome {
    /// What can be done.
    #[default]
    Choice,
    /// A code is being asked for.
    Asking,
    /// A code is shown until then, and the other device is waited for.
    Waiting { code: Zeroizing<String>, until: Timestamp },
    /// It was not linked, and why.
    Failed(String),
}

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::person::chat) enum Wish {
    /// This device is offered as a new one.
    Link,
    /// It is waited for nobody any more.
    Stop,
    /// The chat ends.
    Quit,
}

impl Welcome {
    /// What a key means.
    pub(in crate::person::chat) fn wish(&self, key: KeyEvent) -> Option<Wish> {
        if key.kind == KeyEventKind::Release {
            return None;
        }
        let is_waiting = matches!(self, Self::Asking | Self::Waiting { .. });
        match (key.code, key.modifiers.contains(KeyModifiers::CONTROL)) {
            (KeyCode::Char('c' | 'q'), true) => Some(Wish::Quit),
            (KeyCode::Esc, _) if is_waiting => Some(Wish::Stop),
            (KeyCode::Char('q'), false) => Some(Wish::Quit),
            (KeyCode::Char('l'), false) if !is_waiting => Some(Wish::Link),
            _ => None,
        }
    }
}

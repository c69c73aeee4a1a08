//! The terminal: taken over, and given back however the chat ends.

mod guard;
#[cfg(test)]
mod tests;

use std::io;
use std::thread;

use ratatui::backend::CrosstermBackend;
use ratatui::crossterm::event::{self, Event as TerminalEvent};
use ratatui::{Frame, Terminal};
use tokio::sync::mpsc::UnboundedSender;

use self::guard::{Guard, Pages};
use super::Woken;
use crate::person::chat::state::event::Event;

/// The terminal, as long as it is taken over.
pub(super) struct Screen {
    terminal: Terminal<CrosstermBackend<Pages>>,
    guard: Guard,
}

impl Screen {
    /// Takes the terminal over.
    pub(super) fn take() -> io::Result<Self> {
        let guard = Guard::take()?;
        let terminal = Terminal::new(CrosstermBackend::new(Pages::default()))?;
        Ok(Self { terminal, guard })
    }

    /// Draws what has changed.
    pub(super) fn draw(&mut self, draw: impl FnOnce(&mut Frame<'_>)) -> io::Result<()> {
        self.terminal.draw(draw).map(drop)
    }

    /// Draws everything anew the next time. `Terminal::clear` would ask the terminal where its cursor is, and get no answer while
    /// another thread reads.
    pub(super) fn forget(&mut self) -> io::Result<()> {
        let size = self.terminal.size()?;
        self.terminal.resize(size.into())
    }

    /// Whether it is still taken over: what panics gives it back.
    pub(super) fn is_taken(&self) -> bool {
        self.guard.is_taken()
    }
}

/// Reads the terminal in a thread of its own, until nobody listens or the terminal is gone.
pub(super) fn listen(to: UnboundedSender<Woken>) {
    thread::spawn(move || {
        loop {
            let woken = match event::read() {
                Ok(TerminalEvent::Key(key)) => Woken::By(Event::Key(key)),
                Ok(TerminalEvent::Paste(text)) => Woken::By(Event::Pasted(text)),
                Ok(TerminalEvent::FocusGained) => Woken::By(Event::Watched(true)),
                Ok(TerminalEvent::FocusLost) => Woken::By(Event::Watched(false)),
                Ok(TerminalEvent::Resize(..)) => Woken::Resized,
                Ok(TerminalEvent::Mouse(_)) => continue,
                Err(error) => Woken::Gone(error),
            };
            let is_last = matches!(woken, Woken::Gone(_));
            if to.send(woken).is_err() || is_last {
                return;
            }
        }
    });
}

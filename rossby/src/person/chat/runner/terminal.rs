//! The terminal: taken over, and given back however the chat ends.

use std::io::{self, Stdout, Write, stdout};
use std::panic;
use std::sync::Once;
use std::thread;

use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;
use ratatui::crossterm::cursor::Show;
use ratatui::crossterm::event::{
    self, DisableBracketedPaste, DisableFocusChange, EnableBracketedPaste, EnableFocusChange, Event as TerminalEvent,
};
use ratatui::crossterm::execute;
use ratatui::crossterm::terminal::{EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode};
use tokio::sync::mpsc::UnboundedSender;

use super::Woken;
use crate::person::chat::state::event::Event;

/// The terminal, as long as it is taken over.
pub(super) struct Screen {
    pub(super) terminal: Terminal<CrosstermBackend<Stdout>>,
}

impl Screen {
    /// Takes the terminal over.
    pub(super) fn take() -> io::Result<Self> {
        give_back_on_panic();
        let taken = enable_raw_mode()
            .and_then(|()| execute!(stdout(), EnterAlternateScreen, EnableBracketedPaste, EnableFocusChange))
            .and_then(|()| Terminal::new(CrosstermBackend::new(stdout())));
        match taken {
            Ok(terminal) => Ok(Self { terminal }),
            Err(error) => {
                give_back();
                Err(error)
            }
        }
    }
}

impl Screen {
    /// Draws everything anew the next time. `Terminal::clear` would ask the terminal where its cursor is, and get no answer while
    /// another thread reads.
    pub(super) fn forget(&mut self) -> io::Result<()> {
        let size = self.terminal.size()?;
        self.terminal.resize(size.into())
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        give_back();
    }
}

/// Gives the terminal back as it was. One that is gone can't be.
fn give_back() {
    let mut out = stdout();
    let _ = execute!(out, DisableFocusChange, DisableBracketedPaste, LeaveAlternateScreen, Show);
    let _ = out.flush();
    let _ = disable_raw_mode();
}

/// What a panic says can be read only on a terminal that was given back.
fn give_back_on_panic() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            give_back();
            before(panic);
        }));
    });
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

//! Who has the terminal: the chat, from when it takes it until it ends or anything panics; and nobody draws on it afterwards.

use std::io::{self, Write, stdout};
use std::panic;
use std::sync::{Mutex, MutexGuard, Once, PoisonError};

use ratatui::crossterm::cursor::Show;
use ratatui::crossterm::event::{DisableBracketedPaste, DisableFocusChange, EnableBracketedPaste, EnableFocusChange};
use ratatui::crossterm::execute;
use ratatui::crossterm::terminal::{
    Clear, ClearType, EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode,
};

/// Whether the terminal is taken over. Held while something is written to it, so that nothing is drawn into a panic's text.
static IS_TAKEN: Mutex<bool> = Mutex::new(false);

fn is_taken() -> MutexGuard<'static, bool> {
    IS_TAKEN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Gives the terminal back when it is dropped.
pub(super) struct Guard(());

impl Guard {
    /// Takes the terminal over.
    pub(super) fn take() -> io::Result<Self> {
        give_back_on_panic();
        let mut taken = is_taken();
        enable_raw_mode()?;
        *taken = true;
        // Dropped, it gives back what was taken by then.
        let guard = Self(());
        // A terminal that has one screen only is not empty.
        let empty = Clear(ClearType::All);
        let entered = execute!(stdout(), EnterAlternateScreen, empty, EnableBracketedPaste, EnableFocusChange);
        drop(taken);
        entered.map(|()| guard)
    }

    /// Whether it is still taken over.
    #[expect(clippy::unused_self, reason = "whoever has no guard has taken nothing")]
    pub(super) fn is_taken(&self) -> bool {
        *is_taken()
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        give_back();
    }
}

/// Gives the terminal back as it was, once: a second time would set the cursor onto what was printed since. One that is gone
/// can't be given back.
fn give_back() {
    let mut taken = is_taken();
    if std::mem::take(&mut *taken) {
        let mut out = stdout();
        let _ = execute!(out, DisableFocusChange, DisableBracketedPaste, LeaveAlternateScreen, Show);
        let _ = disable_raw_mode();
    }
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

/// What is drawn: collected, and written at once when it is complete, unless the terminal was given back meanwhile.
#[derive(Debug, Default)]
pub(super) struct Pages(Vec<u8>);

impl Write for Pages {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        self.0.extend_from_slice(octets);
        Ok(octets.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let page = std::mem::take(&mut self.0);
        let taken = is_taken();
        if !*taken {
            return Ok(());
        }
        let mut out = stdout().lock();
        out.write_all(&page)?;
        out.flush()
    }
}

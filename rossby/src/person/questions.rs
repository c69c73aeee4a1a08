//! What a person is asked on a terminal.

use std::io::{BufRead as _, Write as _};

use anyhow::{Context as _, bail};
use zeroize::Zeroizing;

use super::screen::Screen;

/// Asks for something secret; not shown while it is typed.
pub(super) fn asked(prompt: &str) -> anyhow::Result<Zeroizing<String>> {
    if Screen::is_terminal() {
        return rpassword::prompt_password(prompt).map(Zeroizing::new).context("it can't be asked for");
    }
    let mut line = Zeroizing::new(String::new());
    std::io::stdin().lock().read_line(&mut line).context("the standard input can't be read")?;
    Ok(line)
}

/// Asks whether something is meant. Where nobody can be asked, it must have been said.
pub(super) fn confirmed(question: &str) -> anyhow::Result<bool> {
    if !Screen::is_terminal() {
        bail!("nobody can be asked here whether that is meant; say so with --yes");
    }
    let mut err = anstream::stderr().lock();
    write!(err, "{question}")?;
    err.flush()?;
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer)?;
    Ok(matches!(answer.trim().to_lowercase().as_str(), "y" | "yes"))
}

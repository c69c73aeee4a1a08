//! What servers write: their folders go when xtask ends, so that what is worth reading is kept elsewhere.

use std::fs;
use std::path::{Path, PathBuf};

use crate::layout;

/// How many lines of a log are shown.
const LINES: usize = 30;

/// Copies a server's log to the cache, and says where it is.
pub(crate) fn keep(name: &str, log: &Path) -> PathBuf {
    let folder = layout::cache().join("logs");
    let kept = folder.join(format!("{}.log", name.to_lowercase()));
    match fs::create_dir_all(&folder).and_then(|()| fs::copy(log, &kept)) {
        Ok(_) => kept,
        Err(_) => log.to_path_buf(),
    }
}

/// The last lines of a server's log, indented, and where all of it is kept.
pub(crate) fn ending(name: &str, log: &Path) -> String {
    let text = fs::read(log).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default();
    format!("{name}'s log, {}, ends with:\n{}", keep(name, log).display(), last_lines(&text))
}

fn last_lines(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(LINES)..].iter().map(|line| format!("    {line}\n")).collect()
}

#[cfg(test)]
mod tests {
    use super::{LINES, last_lines};

    #[test]
    fn the_last_lines_are_shown_and_all_of_a_short_log() {
        assert_eq!(last_lines("a\nb"), "    a\n    b\n");
        let long: String = (0..100).map(|number| format!("{number}\n")).collect();
        let shown = last_lines(&long);
        assert_eq!(shown.lines().count(), LINES);
        assert!(shown.ends_with("    99\n"), "{shown}");
    }
}

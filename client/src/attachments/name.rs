//! Names of files: what strangers call theirs is no path, and no name that a system takes for something else.

use crate::content::MAX_NAME_OCTETS;

/// What a file is called that has no name that can be used.
const NAMELESS: &str = "attachment";
/// Room for what is put around a name while its file is not whole.
const MAX_FILE_NAME_OCTETS: usize = 200;
/// Names that mean devices to Windows, with any ending.
const RESERVED: [&str; 4] = ["CON", "PRN", "AUX", "NUL"];
const RESERVED_PORTS: [&str; 2] = ["COM", "LPT"];

/// A name under which a file can be stored that somebody else has named: the last part of a path, without what no system
/// takes, what hides it, what turns the writing around, and what means a device.
#[must_use]
pub fn safe_name(name: &str) -> String {
    let last = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let kept: String = last.chars().filter(|c| !is_unseen(*c)).map(|c| if is_forbidden(c) { '_' } else { c }).collect();
    let trimmed = kept.trim_matches(|c: char| c == '.' || c.is_whitespace());
    let mut safe = shortened(trimmed, MAX_FILE_NAME_OCTETS);
    if is_reserved(&safe) {
        safe.insert(0, '_');
    }
    if safe.is_empty() { NAMELESS.to_owned() } else { safe }
}

/// The name that a message gives to one's own file.
pub(super) fn own_name(path: &std::path::Path) -> String {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    shortened(&safe_name(&name), MAX_NAME_OCTETS)
}

/// Controls, and the characters of direction (UAX #9) and of no width, by which one name looks like another.
fn is_unseen(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

/// What some file system doesn't take.
const fn is_forbidden(c: char) -> bool {
    matches!(c, '<' | '>' | ':' | '"' | '|' | '?' | '*')
}

fn is_reserved(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or_default().trim_end().to_ascii_uppercase();
    let is_port = |port: &str| {
        let mut number = stem.strip_prefix(port).unwrap_or_default().chars();
        matches!((number.next(), number.next()), (Some('0'..='9' | '¹' | '²' | '³'), None))
    };
    RESERVED.contains(&stem.as_str()) || RESERVED_PORTS.into_iter().any(is_port)
}

/// A name of so many octets at most, with its ending.
fn shortened(name: &str, limit: usize) -> String {
    if name.len() <= limit {
        return name.to_owned();
    }
    let ending = name.rfind('.').map(|at| &name[at..]).filter(|ending| ending.len() <= 16).unwrap_or_default();
    let mut end = limit - ending.len();
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}{ending}", &name[..end])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_from_strangers_are_made_safe() {
        for (name, safe) in [
            ("holiday.jpg", "holiday.jpg"),
            ("Grüße 👋🏽.pdf", "Grüße 👋🏽.pdf"),
            ("../../etc/passwd", "passwd"),
            ("/etc/passwd", "passwd"),
            ("C:\\Windows\\system32\\cmd.exe", "cmd.exe"),
            ("..", "attachment"),
            (".", "attachment"),
            ("", "attachment"),
            ("a/", "attachment"),
            (".bashrc", "bashrc"),
            ("...hidden", "hidden"),
            ("name.", "name"),
            (" name ", "name"),
            ("a\u{0}b\nc\u{1b}[2J", "abc[2J"),
            ("invoice\u{202e}gpj.exe", "invoicegpj.exe"),
            ("a\u{200b}b", "ab"),
            ("what?.txt", "what_.txt"),
            ("file:stream", "file_stream"),
            ("CON", "_CON"),
            ("nul.txt", "_nul.txt"),
            ("com1.tar.gz", "_com1.tar.gz"),
            ("LPT9", "_LPT9"),
            ("com10", "com10"),
            ("console", "console"),
        ] {
            assert_eq!(safe_name(name), safe, "{name:?}");
        }
        let long = safe_name(&format!("{}.jpeg", "ä".repeat(300)));
        assert!(long.len() <= MAX_FILE_NAME_OCTETS && long.ends_with("ä.jpeg"), "{long}");
    }

    proptest! {
        #[test]
        fn no_name_leads_anywhere(name in any::<String>()) {
            let safe = safe_name(&name);
            let path = std::path::Path::new(&safe);
            prop_assert!(path.file_name().is_some_and(|name| name == safe.as_str()));
            prop_assert!(!safe.starts_with('.') && !safe.contains(['/', '\\', '\0', '\n']) && safe.len() <= MAX_FILE_NAME_OCTETS + 1);
            prop_assert_eq!(safe_name(&safe), safe);
        }
    }
}

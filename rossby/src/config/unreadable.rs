//! What is wrong with settings that can't be read: where it stands, which setting it is, and what may have been meant.

use figment::error::{Error, Kind};
use figment::{Metadata, Source};

use super::regions::RegionEntry;
use super::settings::Settings;

/// How many characters may be wrong in a name that is known again.
const WRONG_CHARACTERS: usize = 2;

/// Says each mistake once, on one line.
pub(super) fn text(error: Error) -> String {
    let mistakes: Vec<String> = error.into_iter().map(|error| mistake(&error)).collect();
    mistakes.join("; ")
}

fn mistake(error: &Error) -> String {
    let key = error.path.join(".");
    let environment = error.metadata.as_ref().is_some_and(|metadata| metadata.name.contains("environment"));
    let named = |key: &str| {
        if environment { format!("ROSSBY_{}", key.replace('.', "__").to_uppercase()) } else { key.to_owned() }
    };
    let name = named(&key);
    let says = match &error.kind {
        Kind::UnknownField(..) if !key.is_empty() => {
            let meant = meant(&key).map(|meant| format!("; did you mean {}?", named(&meant)));
            format!("there is no setting {name}{}", meant.unwrap_or_default())
        }
        // A parser's message shows lines of the file, and may be several lines long itself.
        kind if key.is_empty() => one_line(&kind.to_string()),
        Kind::InvalidType(_, wanted) => format!("the setting {name} must be {}", in_words(wanted)),
        kind => format!("the setting {name} can't be used: {}", one_line(&kind.to_string())),
    };
    match error.metadata.as_ref().and_then(file) {
        Some(file) => format!("{file}: {says}"),
        None => says,
    }
}

/// What a type is called by people.
fn in_words(wanted: &str) -> &str {
    match wanted {
        "u8" | "u16" | "u32" | "u64" | "usize" => "a whole number, not below 0",
        "a string" | "string" | "path string" => "a text in quotes",
        "a boolean" => "true or false",
        "a sequence" => "a list",
        "a map" => "a table",
        other => other,
    }
}

fn file(metadata: &Metadata) -> Option<String> {
    match &metadata.source {
        Some(Source::File(path)) => Some(path.display().to_string()),
        _ => None,
    }
}

fn one_line(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    words.join(" ")
}

/// The setting that is called most like it: of the same section, or one whose section was left out or is another.
fn meant(key: &str) -> Option<String> {
    let defaults = toml::Table::try_from(Settings::default()).ok()?;
    let mut names: Vec<String> = defaults.keys().cloned().collect();
    for (section, settings) in &defaults {
        names.extend(settings.as_table()?.keys().map(|name| format!("{section}.{name}")));
    }
    // Which of the regions it is makes no difference.
    let key = &key.split('.').filter(|part| part.parse::<usize>().is_err()).collect::<Vec<_>>().join(".");
    let region = toml::Table::try_from(RegionEntry::default()).ok()?;
    names.extend(region.keys().map(|name| format!("regions.{name}")));
    let last = |name: &str| name.rsplit('.').next().unwrap_or_default().to_owned();
    let near = names.into_iter().filter_map(|name| {
        let (whole, part) = (distance(key, &name), distance(&last(key), &last(&name)));
        // A name of a few characters is like too many others.
        let limit = WRONG_CHARACTERS.min(last(key).len() / 2);
        (whole.min(part) <= limit).then_some((whole.min(part), whole, name))
    });
    near.min().map(|(_, _, name)| name)
}

/// How many characters must be changed, put in or left out to come from one to the other (Levenshtein).
fn distance(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (i, left) in from.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, right) in to.iter().enumerate() {
            let changed = diagonal + usize::from(left != *right);
            diagonal = row[j + 1];
            row[j + 1] = changed.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_meant() {
        for (key, name) in [
            ("server.listn", Some("server.listen")),
            ("server.litsen", Some("server.listen")),
            ("listen", Some("server.listen")),
            ("sever", Some("server")),
            ("regions.1.nmae", Some("regions.name")),
            ("log.url", Some("read_models.url")),
            ("server.colour", None),
            ("a.b", None),
        ] {
            assert_eq!(meant(key).as_deref(), name, "{key}");
        }
    }
}

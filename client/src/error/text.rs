//! Parts of what an error says.

use rossby_crypto::group::Refused;
use rossby_schemas::http::problem::Problem;

pub(super) fn unreachable(url: &str, reason: &str, may_be_done: bool) -> String {
    let unknown = if may_be_done { ". It is not known whether it has done this: look, or do it again" } else { "" };
    format!("the server at {url} can't be reached: {reason}{unknown}")
}

pub(super) fn refused_change(refused: &Refused) -> String {
    match refused {
        Refused::NotAllowed => "only an admin of the group can do that, and as far as this device knows you are none; \
                                `rossby inbox` fetches what is new"
            .to_owned(),
        refused => format!("the group can't be changed so: {refused}"),
    }
}

/// How long people are told to wait: never less than it is.
pub(super) fn lasting(seconds: u64) -> String {
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7200 => format!("{} min", seconds.div_ceil(60)),
        _ => format!("{} h", seconds.div_ceil(3600)),
    }
}

/// What a problem document says, with what the kind's own fields add.
pub(super) fn said(problem: &Problem) -> String {
    let mut text = clause(problem.detail.as_ref().unwrap_or(&problem.title));
    for error in &problem.errors {
        text += &format!("; {}: {}", error.field, error.reason);
    }
    if let Some(left) = problem.guesses_left {
        text += &format!("; guesses left: {left}");
    }
    if let Some(seconds) = problem.retry_after {
        text += &format!("; try again in {}", lasting(seconds));
    }
    text
}

/// A sentence of the server's as it stands within another one: without its capital, unless it is a word of capitals, and its full stop.
pub(super) fn clause(sentence: &str) -> String {
    let mut rest = sentence.strip_suffix('.').unwrap_or(sentence).chars();
    match rest.next() {
        Some(first) if !rest.as_str().starts_with(char::is_uppercase) => first.to_lowercase().chain(rest).collect(),
        first => first.into_iter().chain(rest).collect(),
    }
}

/// What may be wrong with the home's medium, where SQLite's error alone doesn't tell.
pub(super) fn store_hint(error: &sqlx::Error) -> &'static str {
    let sqlx::Error::Database(database) = error else { return "" };
    // The low octet is the kind of error, and the rest says more.
    match database.code().and_then(|code| code.parse::<u32>().ok()).map(|code| code & 0xff) {
        Some(10 | 13) => "; is the disk full?",
        Some(8 | 14) => "; the home and the files in it must be yours to write, also where messages are only read",
        Some(11 | 26) => "; rossby.sqlite in the home is damaged: link a new device to the account, in another --home",
        _ => "",
    }
}

/// How large a file is.
pub(super) fn size(octets: &u64) -> String {
    const MEGA: u64 = 1_000_000;
    let octets = *octets;
    if octets < MEGA {
        return format!("{octets} octets");
    }
    format!("{}.{} MB", octets / MEGA, octets % MEGA / (MEGA / 10))
}

pub(super) fn taken(limit: &Option<u64>) -> String {
    match limit {
        Some(limit) => format!("the server takes {} at most, as it is encrypted and padded", size(limit)),
        None => "the server takes none that is so large".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentence_is_set_into_another() {
        for (sentence, within) in [
            ("There is no such user", "there is no such user"),
            ("The code's time is over.", "the code's time is over"),
            ("TLS is needed", "TLS is needed"),
            ("", ""),
        ] {
            assert_eq!(clause(sentence), within);
        }
    }

    #[test]
    fn sizes_are_said_with_a_tenth() {
        let said = [999_999, 1_000_000, 104_857_600].map(|octets| size(&octets));
        assert_eq!(said, ["999999 octets", "1.0 MB", "104.8 MB"]);
        assert!(taken(&Some(5)).contains("5 octets at most"));
    }
}

//! The `Range` header (RFC 9110, section 14): one range of octets.

use std::ops::Range;

use axum::http::HeaderMap;
use axum::http::header::RANGE;

/// What of a body is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Asked {
    /// All of it. A header that is of no form that is known here, or names several ranges, is passed over, as the RFC allows.
    All,
    /// A part.
    Part(Range<u64>),
    /// A part that it doesn't have.
    Nothing,
}

/// What the headers ask for, of a body with so many octets.
pub(super) fn asked(headers: &HeaderMap, octets: u64) -> Asked {
    headers.get(RANGE).and_then(|value| value.to_str().ok()).and_then(|text| parse(text, octets)).unwrap_or(Asked::All)
}

fn parse(text: &str, octets: u64) -> Option<Asked> {
    let (unit, range) = text.split_once('=')?;
    let (first, last) = range.trim().split_once('-')?;
    if !unit.trim().eq_ignore_ascii_case("bytes") {
        return None;
    }
    let range = match (number(first), number(last)) {
        (Some(first), Some(last)) if first <= last => first..last.saturating_add(1).min(octets),
        (Some(first), None) if last.is_empty() => first..octets,
        // The last so many.
        (None, Some(count)) if first.is_empty() => octets.saturating_sub(count)..octets,
        _ => return None,
    };
    Some(if range.is_empty() { Asked::Nothing } else { Asked::Part(range) })
}

/// Digits alone: a sign is none of the header's.
fn number(text: &str) -> Option<u64> {
    if text.bytes().all(|b| b.is_ascii_digit()) { text.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_range_is_read_and_what_is_none_is_passed_over() {
        let asked = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(RANGE, text.parse().unwrap());
            asked(&headers, 100)
        };
        for (text, range) in [
            ("bytes=0-0", 0..1),
            ("bytes=0-99", 0..100),
            ("bytes=10-", 10..100),
            ("Bytes = 10-1000", 10..100),
            ("bytes=-5", 95..100),
            ("bytes=-500", 0..100),
            ("bytes=99-18446744073709551615", 99..100),
        ] {
            assert_eq!(asked(text), Asked::Part(range), "{text}");
        }
        for text in ["bytes=100-", "bytes=100-200", "bytes=-0", "bytes=18446744073709551615-"] {
            assert_eq!(asked(text), Asked::Nothing, "{text}");
        }
        for text in [
            "bytes=5-4",
            "bytes=0-1,3-4",
            "bytes=-",
            "bytes=a-b",
            "bytes=+1-2",
            "lines=1-2",
            "0-1",
            "bytes=1-99999999999999999999",
        ] {
            assert_eq!(asked(text), Asked::All, "{text}");
        }
        assert_eq!(super::asked(&HeaderMap::new(), 100), Asked::All);
    }
}

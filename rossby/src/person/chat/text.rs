//! Text on a terminal: what of it is shown, how wide it is, and where its lines break.

use std::ops::Range;

use ratatui::buffer::CellWidth as _;
use unicode_segmentation::UnicodeSegmentation as _;

use crate::person::screen::printable;

/// How many code points of one grapheme cluster are shown: more than any emoji has, and too few to paint over other lines.
const MAX_CLUSTER: usize = 16;
/// What a tab is shown as.
const TAB: &str = "    ";
/// What stands for what was cut off.
const CUT: &str = "…";

/// How many cells a grapheme cluster takes.
fn cells(cluster: &str) -> usize {
    if cluster.chars().any(char::is_control) { 0 } else { usize::from(cluster.cell_width()) }
}

/// How many cells a text takes in one line.
pub(super) fn width(text: &str) -> usize {
    text.graphemes(true).map(cells).sum()
}

/// A text of somebody's as it may stand on the screen, with its line breaks.
pub(super) fn shown(text: &str) -> String {
    let printable = printable(text).replace('\t', TAB);
    let mut shown = String::with_capacity(printable.len());
    for cluster in printable.graphemes(true) {
        match cluster.char_indices().nth(MAX_CLUSTER) {
            Some((end, _)) => shown.push_str(&cluster[..end]),
            None => shown.push_str(cluster),
        }
    }
    shown
}

/// A text of somebody's in one line.
pub(super) fn one_line(text: &str) -> String {
    shown(text).split('\n').map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join(" ")
}

/// The beginning of a line that takes no more than so many cells, and a mark where something was cut off.
pub(super) fn cut(line: &str, limit: usize) -> String {
    if width(line) <= limit {
        return line.to_owned();
    }
    let mut left = limit.saturating_sub(1);
    let mut kept = String::new();
    for cluster in line.graphemes(true) {
        let Some(rest) = left.checked_sub(cells(cluster)) else { break };
        left = rest;
        kept.push_str(cluster);
    }
    if limit > 0 {
        kept.push_str(CUT);
    }
    kept
}

/// The rows in which a text stands that is `limit` cells wide, as ranges of its octets without the line breaks. Words stay whole
/// where they fit; spaces at the end of a row may stick out.
pub(super) fn rows(text: &str, limit: usize) -> Vec<Range<usize>> {
    let limit = limit.max(1);
    let mut rows = Vec::new();
    let mut line_start = 0;
    for line in text.split('\n') {
        let (mut start, mut used) = (0, 0);
        // After the last space, and how much was used up to there.
        let mut space: Option<(usize, usize)> = None;
        for (at, cluster) in line.grapheme_indices(true) {
            let more = cells(cluster);
            if cluster.chars().all(char::is_whitespace) {
                used += more;
                space = Some((at + cluster.len(), used));
                continue;
            }
            if used + more > limit && at > start {
                let (end, before) = space.take().unwrap_or((at, used));
                rows.push(line_start + start..line_start + end);
                (start, used) = (end, used - before);
                // A word that is wider than the whole row.
                if used + more > limit && at > start {
                    rows.push(line_start + start..line_start + at);
                    (start, used) = (at, 0);
                }
            }
            used += more;
        }
        rows.push(line_start + start..line_start + line.len());
        line_start += line.len() + 1;
    }
    rows
}

/// The rows of a text as texts, without spaces at their ends.
pub(super) fn wrapped(text: &str, limit: usize) -> Vec<&str> {
    rows(text, limit).into_iter().map(|row| text[row].trim_end()).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn words_stay_whole_where_they_fit() {
        assert_eq!(wrapped("a quick brown fox", 7), ["a quick", "brown", "fox"]);
        assert_eq!(wrapped("abcdefgh ij", 3), ["abc", "def", "gh", "ij"]);
        assert_eq!(wrapped("one\n\ntwo ", 10), ["one", "", "two"]);
        assert_eq!(wrapped("", 10), [""]);
        assert_eq!(wrapped("漢字漢字", 5), ["漢字", "漢字"]);
        assert_eq!(wrapped("漢", 1), ["漢"]);
        assert_eq!(wrapped("👩‍👩‍👧‍👦👩‍👩‍👧‍👦", 2), ["👩‍👩‍👧‍👦", "👩‍👩‍👧‍👦"]);
    }

    #[test]
    fn lines_are_cut_between_clusters() {
        assert_eq!(cut("Grüße", 5), "Grüße");
        assert_eq!(cut("Grüße!", 5), "Grüß…");
        assert_eq!(cut("漢字漢字", 4), "漢…");
        assert_eq!((cut("ab", 1).as_str(), cut("ab", 0).as_str()), ("…", ""));
    }

    #[test]
    fn nothing_paints_over_other_lines() {
        let tower = format!("a{}b", "\u{301}".repeat(1000));
        assert_eq!(shown(&tower).chars().count(), MAX_CLUSTER + 1);
        assert_eq!(shown("a\u{1b}[2J\tb\nc"), "a\u{fffd}[2J    b\nc");
        assert_eq!(one_line(" a\n\n\u{202e}b\r\nc "), "a \u{fffd}b\u{fffd} c");
        assert_eq!(shown("👩‍👩‍👧‍👦 👋🏽 שלום"), "👩‍👩‍👧‍👦 👋🏽 שלום");
    }

    proptest! {
        #[test]
        fn rows_hold_the_whole_text_in_its_order(text in any::<String>(), limit in 0_usize..20) {
            let rows = rows(&text, limit);
            let mut at = 0;
            for row in rows {
                // Between two rows there is at most a line break.
                prop_assert!(row.start == at || row.start == at + 1 && text[at..row.start] == *"\n");
                let fits = width(text[row.clone()].trim_end()) <= limit.max(1);
                prop_assert!(fits || text[row.clone()].trim().graphemes(true).count() == 1);
                at = row.end;
            }
            prop_assert_eq!(at, text.len());
        }

        #[test]
        fn what_is_cut_fits(text in "\\PC*", limit in 0_usize..20) {
            prop_assert!(width(&cut(&text, limit)) <= limit);
        }
    }
}

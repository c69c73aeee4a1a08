//! A text that is being written, with its cursor: moved by grapheme clusters, words and rows, with what is needed to undo.

use unicode_segmentation::UnicodeSegmentation as _;
use zeroize::Zeroizing;

use super::text::{rows, width};
use crate::person::screen::is_command;

/// How long a text may become here: far more than can be sent, so that it can be shortened.
const MAX_OCTETS: usize = 1024 * 1024;
/// How many steps can be undone.
const MAX_STEPS: usize = 100;
/// How long a secret may become: it must not move in memory.
const MAX_SECRET_OCTETS: usize = 512;

/// What was done last: steps of one kind that follow each other are undone together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Step {
    #[default]
    Other,
    Typed,
    Erased,
}

/// A text that is being written.
#[derive(Debug, Clone, Default)]
pub(super) struct Editor {
    text: Zeroizing<String>,
    /// Where the cursor is, in octets: always between two grapheme clusters.
    cursor: usize,
    is_one_line: bool,
    is_secret: bool,
    /// The column that the cursor keeps while it moves up and down.
    column: Option<usize>,
    last: Step,
    undone: Vec<(String, usize)>,
    done: Vec<(String, usize)>,
}

/// Where the cursor goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Move {
    Left,
    Right,
    WordLeft,
    WordRight,
    LineStart,
    LineEnd,
    Start,
    End,
}

impl Editor {
    /// A text with the cursor at its end.
    pub(super) fn new(text: &str) -> Self {
        let mut editor = Self::default();
        editor.text = Zeroizing::new(editor.admitted(text));
        editor.cursor = editor.text.len();
        editor
    }

    /// An empty text that has no line breaks.
    pub(super) fn one_line() -> Self {
        Self { is_one_line: true, ..Self::default() }
    }

    /// An empty text without line breaks that nobody else shall see: it is kept nowhere but here, and overwritten at the end.
    pub(super) fn secret() -> Self {
        let text = Zeroizing::new(String::with_capacity(MAX_SECRET_OCTETS));
        Self { text, is_one_line: true, is_secret: true, ..Self::default() }
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    #[cfg(test)]
    pub(super) const fn cursor(&self) -> usize {
        self.cursor
    }

    pub(super) fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// Puts a text in at the cursor, without what a terminal could take for a command. Gives whether there was room for it.
    pub(super) fn insert(&mut self, text: &str) -> bool {
        let text = self.admitted(text);
        let limit = if self.is_secret { MAX_SECRET_OCTETS } else { MAX_OCTETS };
        if self.text.len() + text.len() > limit {
            return false;
        }
        if text.is_empty() {
            return true;
        }
        let is_typed = text.graphemes(true).count() == 1 && !text.chars().all(char::is_whitespace);
        self.keep_for_undo(if is_typed { Step::Typed } else { Step::Other });
        self.text.insert_str(self.cursor, &text);
        // What was put in may have joined with what follows.
        self.cursor = self.boundary_from(self.cursor + text.len());
        true
    }

    fn admitted(&self, text: &str) -> String {
        let line_break = if self.is_one_line { " " } else { "\n" };
        let text = text.replace("\r\n", line_break).replace(['\n', '\r'], line_break).replace('\t', "    ");
        text.chars().filter(|c| *c == '\n' || !is_command(*c)).collect()
    }

    pub(super) fn erase_before(&mut self) {
        self.erase(self.before(), self.cursor);
    }

    pub(super) fn erase_after(&mut self) {
        self.erase(self.cursor, self.after());
    }

    pub(super) fn erase_word(&mut self) {
        self.erase(self.word_before(), self.cursor);
    }

    /// Erases to the beginning of the line, or the line break before it.
    pub(super) fn erase_to_line_start(&mut self) {
        let start = self.line_start();
        self.erase(if start == self.cursor { self.before() } else { start }, self.cursor);
    }

    /// Erases to the end of the line, or the line break after it.
    pub(super) fn erase_to_line_end(&mut self) {
        let end = self.line_end();
        self.erase(self.cursor, if end == self.cursor { self.after() } else { end });
    }

    fn erase(&mut self, from: usize, to: usize) {
        if from >= to {
            return;
        }
        self.keep_for_undo(Step::Erased);
        self.text.replace_range(from..to, "");
        self.cursor = self.boundary_from(from);
    }

    /// Takes the text out.
    pub(super) fn take(&mut self) -> String {
        self.keep_for_undo(Step::Other);
        self.cursor = 0;
        std::mem::take(&mut *self.text)
    }

    pub(super) fn undo(&mut self) {
        if let Some((text, cursor)) = self.done.pop() {
            self.undone.push((std::mem::replace(&mut *self.text, text), self.cursor));
            self.cursor = cursor;
            self.last = Step::Other;
            self.column = None;
        }
    }

    pub(super) fn redo(&mut self) {
        if let Some((text, cursor)) = self.undone.pop() {
            self.done.push((std::mem::replace(&mut *self.text, text), self.cursor));
            self.cursor = cursor;
            self.last = Step::Other;
            self.column = None;
        }
    }

    fn keep_for_undo(&mut self, step: Step) {
        if !self.is_secret && (step == Step::Other || step != self.last) {
            self.done.push((String::clone(&self.text), self.cursor));
            if self.done.len() > MAX_STEPS {
                self.done.remove(0);
            }
        }
        self.undone.clear();
        self.last = step;
        self.column = None;
    }

    pub(super) fn go(&mut self, to: Move) {
        self.cursor = match to {
            Move::Left => self.before(),
            Move::Right => self.after(),
            Move::WordLeft => self.word_before(),
            Move::WordRight => self.word_after(),
            Move::LineStart => self.line_start(),
            Move::LineEnd => self.line_end(),
            Move::Start => 0,
            Move::End => self.text.len(),
        };
        self.last = Step::Other;
        self.column = None;
    }

    /// Moves the cursor up by a row of so many cells, or down. Gives whether there was one.
    pub(super) fn go_by_row(&mut self, limit: usize, is_down: bool) -> bool {
        let rows = rows(&self.text, limit);
        let (row, column) = self.position(limit);
        let target = if is_down { Some(row + 1) } else { row.checked_sub(1) };
        let Some((target, range)) = target.and_then(|target| Some((target, rows.get(target)?.clone()))) else {
            return false;
        };
        let column = self.column.unwrap_or(column);
        let mut at = range.start;
        for (index, cluster) in self.text[range.clone()].grapheme_indices(true) {
            if width(&self.text[range.start..range.start + index + cluster.len()]) > column {
                break;
            }
            at = range.start + index + cluster.len();
        }
        // The end of a row that goes on is the beginning of the next one.
        if at == range.end && rows.get(target + 1).is_some_and(|next| next.start == at) && at > range.start {
            at = self.boundary_before(at);
        }
        self.cursor = at;
        self.column = Some(column);
        self.last = Step::Other;
        true
    }

    /// The row and the cell in which the cursor is, in rows of so many cells.
    pub(super) fn position(&self, limit: usize) -> (usize, usize) {
        let rows = rows(&self.text, limit);
        let row = rows.iter().rposition(|row| row.start <= self.cursor).unwrap_or(0);
        let start = rows.get(row).map_or(0, |row| row.start);
        (row, width(&self.text[start..self.cursor]).min(limit.max(1) - 1))
    }

    fn before(&self) -> usize {
        self.boundary_before(self.cursor)
    }

    fn after(&self) -> usize {
        self.text[self.cursor..].graphemes(true).next().map_or(self.cursor, |next| self.cursor + next.len())
    }

    fn boundary_before(&self, at: usize) -> usize {
        self.text[..at].grapheme_indices(true).next_back().map_or(0, |(index, _)| index)
    }

    /// The first place between two clusters from here on.
    fn boundary_from(&self, at: usize) -> usize {
        let mut places = self.text.grapheme_indices(true).map(|(index, _)| index);
        places.find(|index| *index >= at).unwrap_or(self.text.len())
    }

    fn word_before(&self) -> usize {
        let before = &self.text[..self.cursor];
        let kept = before.trim_end();
        let start = kept.char_indices().rev().find(|(_, c)| c.is_whitespace());
        self.boundary_from(start.map_or(0, |(index, c)| index + c.len_utf8())).min(self.cursor)
    }

    fn word_after(&self) -> usize {
        let after = &self.text[self.cursor..];
        let skipped = after.len() - after.trim_start().len();
        let end = after[skipped..].find(char::is_whitespace).map_or(after.len(), |index| skipped + index);
        self.boundary_from(self.cursor + end)
    }

    fn line_start(&self) -> usize {
        self.text[..self.cursor].rfind('\n').map_or(0, |index| index + 1)
    }

    fn line_end(&self) -> usize {
        self.text[self.cursor..].find('\n').map_or(self.text.len(), |index| self.cursor + index)
    }
}

#[cfg(test)]
mod tests;

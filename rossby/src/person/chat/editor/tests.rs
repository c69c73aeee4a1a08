use proptest::prelude::*;

use super::*;

const WIDTH: usize = 10;

#[test]
fn the_cursor_moves_by_clusters() {
    let mut editor = Editor::new("a👩‍👩‍👧‍👦é");
    editor.insert("\u{301}");
    assert_eq!(editor.position(WIDTH), (0, 4));
    editor.go(Move::Left);
    assert_eq!(editor.position(WIDTH), (0, 3));
    editor.go(Move::Left);
    assert_eq!(editor.position(WIDTH), (0, 1));
    editor.erase_after();
    assert_eq!(editor.text(), "aé\u{301}");
    editor.erase_before();
    assert_eq!((editor.text(), editor.cursor()), ("é\u{301}", 0));
}

#[test]
fn words_and_lines_are_erased() {
    let mut editor = Editor::new("one two\nthree  four");
    editor.erase_word();
    assert_eq!(editor.text(), "one two\nthree  ");
    editor.erase_word();
    assert_eq!(editor.text(), "one two\n");
    editor.erase_to_line_start();
    assert_eq!(editor.text(), "one two");
    editor.go(Move::WordLeft);
    editor.erase_to_line_end();
    assert_eq!(editor.text(), "one ");
    editor.erase_to_line_start();
    assert!(editor.is_empty());
    editor.erase_word();
    editor.erase_to_line_end();
}

#[test]
fn rows_keep_the_column() {
    let mut editor = Editor::new("a long line of words\nx\nlast one");
    // The rows are: a long, line of, words, x, last one. The end of one that goes on is in the next one.
    for expected in [(3, 1), (2, 5), (1, 7), (0, 6)] {
        assert!(editor.go_by_row(WIDTH, false));
        assert_eq!(editor.position(WIDTH), expected);
    }
    assert!(!editor.go_by_row(WIDTH, false), "there is no row above the first");
    for _ in 0..4 {
        assert!(editor.go_by_row(WIDTH, true));
    }
    assert_eq!(editor.cursor(), editor.text().len());
    assert!(!editor.go_by_row(WIDTH, true));
}

#[test]
fn what_was_done_is_undone_in_runs() {
    let mut editor = Editor::default();
    for letter in ["o", "n", "e", " ", "t", "w", "o"] {
        editor.insert(letter);
    }
    editor.erase_before();
    editor.erase_before();
    let mut texts = vec![editor.text().to_owned()];
    for _ in 0..5 {
        editor.undo();
        texts.push(editor.text().to_owned());
    }
    assert_eq!(texts, ["one t", "one two", "one ", "one", "", ""]);
    for _ in 0..9 {
        editor.redo();
    }
    assert_eq!(editor.text(), "one t");
    assert_eq!(editor.take(), "one t");
    editor.undo();
    assert_eq!(editor.text(), "one t", "what was taken out comes back too");
}

#[test]
fn a_paste_is_text() {
    let mut editor = Editor::default();
    editor.insert("a\r\nb\rc\td\u{1b}[2J\u{202e}\u{200d}");
    assert_eq!(editor.text(), "a\nb\nc    d[2J\u{200d}");
    let mut editor = Editor::one_line();
    editor.insert("a\r\nb\n");
    assert_eq!(editor.text(), "a b ");
    assert!(!editor.insert(&"x".repeat(MAX_OCTETS)), "there is no room");
    assert_eq!(editor.text(), "a b ");
}

#[derive(Debug, Clone)]
enum Act {
    Insert(String),
    Go(usize),
    Row(bool),
    Erase(usize),
    Undo,
    Redo,
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let pieces =
        prop::sample::select(vec!["a", " ", "\n", "漢", "\u{301}", "👩", "\u{200d}", "👧", "🇩", "🇪", "ﾞ", "word "]);
    let act = prop_oneof![
        3 => pieces.prop_map(|piece| Act::Insert(piece.to_owned())),
        1 => any::<String>().prop_map(Act::Insert),
        2 => (0_usize..8).prop_map(Act::Go),
        1 => any::<bool>().prop_map(Act::Row),
        1 => (0_usize..5).prop_map(Act::Erase),
        1 => Just(Act::Undo),
        1 => Just(Act::Redo),
    ];
    prop::collection::vec(act, 0..40)
}

proptest! {
    #[test]
    fn the_cursor_is_always_between_two_clusters(acts in acts(), limit in 0_usize..12) {
        let mut editor = Editor::default();
        for act in acts {
            match act {
                Act::Insert(text) => { editor.insert(&text); }
                Act::Go(to) => editor.go([
                    Move::Left, Move::Right, Move::WordLeft, Move::WordRight,
                    Move::LineStart, Move::LineEnd, Move::Start, Move::End,
                ][to]),
                Act::Row(is_down) => { editor.go_by_row(limit, is_down); }
                Act::Erase(0) => editor.erase_before(),
                Act::Erase(1) => editor.erase_after(),
                Act::Erase(2) => editor.erase_word(),
                Act::Erase(3) => editor.erase_to_line_start(),
                Act::Erase(_) => editor.erase_to_line_end(),
                Act::Undo => editor.undo(),
                Act::Redo => editor.redo(),
            }
            let mut places = editor.text().grapheme_indices(true).map(|(index, _)| index);
            prop_assert!(editor.cursor() == editor.text().len() || places.any(|index| index == editor.cursor()));
            prop_assert!(!editor.text().chars().any(|c| c != '\n' && is_command(c)));
            let (row, column) = editor.position(limit);
            prop_assert!(row < rows(editor.text(), limit).len() && column < limit.max(1));
        }
    }
}

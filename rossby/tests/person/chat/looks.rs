//! What the terminal is told: at any size, without colours, and nothing that a stranger wrote.

use std::process::Stdio;

use super::terminal::{ENTER, ESC, F1};
use super::{Two, chat, tell};

#[test]
fn it_fits_any_size() {
    tell(|Two { ann, ben }, _server, _| {
        ben.done(&["send", "ann@example.org", "Hello Ann"]);
        let mut terminal = chat(&ann, 100, 30);
        terminal.shows("Hello Ann").types(ENTER).shows("Esc, then a accepts");
        terminal.types("a reply").shows("> a reply");
        terminal.resize(40, 12).hides("Conversations").shows("> a reply");
        terminal.types(ESC).shows("Message requests").types(ENTER).shows("> a reply");
        terminal.resize(15, 4).shows("too small");
        terminal.resize(20, 6).shows("> a reply");
        terminal.resize(120, 40).shows("Conversations").shows("> a reply").shows("Hello Ann");
        terminal.types(F1).shows("this help").types(ESC).hides("this help");
    });
}

#[test]
fn without_colours_it_says_the_same() {
    tell(|Two { ann, ben }, _server, _| {
        ben.done(&["send", "ann@example.org", "Hello Ann"]);
        let is_coloured = |screen: &vt100::Screen| {
            let (rows, columns) = screen.size();
            let cells = (0..rows.get()).flat_map(|row| (0..columns.get()).map(move |column| (row, column)));
            let mut colours = cells.filter_map(|(row, column)| screen.cell(row, column)).map(vt100::Cell::fgcolor);
            colours.any(|colour| colour != vt100::Color::Default)
        };
        let mut terminal = chat(&ann, 80, 20);
        terminal.shows("Hello Ann").until("there are colours", is_coloured);
        let mut terminal = chat(&ann.with("NO_COLOR", "1"), 80, 20);
        terminal.shows("Hello Ann").types(ENTER).shows("Esc, then a accepts").shows("connected");
        terminal.until("there are no colours", |screen| !is_coloured(screen));
    });
}

#[test]
fn what_strangers_write_commands_no_terminal() {
    tell(|Two { ann, ben }, _server, _| {
        // Leaves the screen, hides the cursor, sets the title, moves, turns the writing around.
        let hostile = "\u{1b}[?1049l\u{1b}[?25l\u{1b}]0;owned\u{7}\u{1b}[5;5Hhere\u{9b}2J\u{202e}drawkcab";
        ben.done(&["send", "ann@example.org", hostile]);
        let mut terminal = chat(&ann, 80, 20);
        // The emulator shows none of the signs that stand for what is left out.
        terminal.shows("[?1049l").types(ENTER).shows("Esc, then a accepts");
        terminal.until("the screen is the chat's", |screen| {
            screen.alternate_screen() && !screen.hide_cursor() && screen.contents().contains("here2Jdrawkcab")
        });
        assert!(terminal.wrote("here\u{fffd}2J\u{fffd}drawkcab"));
        assert!(!terminal.wrote("\u{1b}]0;"), "the title is the person's");
    });
}

#[test]
fn without_a_terminal_it_says_what_to_do_instead() {
    tell(|Two { ann, .. }, _server, _| {
        let output = ann.command(&["chat"]).stdin(Stdio::null()).output().unwrap();
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && error.contains("needs a terminal") && output.stdout.is_empty(), "{error}");
        let (name, text) = ann.refused(&["chat"]);
        assert!(name == "usage" && text.contains("no JSON"), "{text}");
    });
}

//! A panic in a real terminal: this program runs one of its tests again there, and that one panics.

use std::io::Read as _;

use portable_pty::{CommandBuilder, PtySize, native_pty_system};
use ratatui::style::Style;
use vt100::Parser;

use super::*;

/// Tells the program in the terminal that it is there, and what is to panic.
const PANICS: &str = "ROSSBY_TEST_PANICS";
const SIZE: PtySize = PtySize { rows: 24, cols: 80, pixel_width: 0, pixel_height: 0 };
/// What a terminal is told that goes back to its own screen.
const LEAVE: &str = "\u{1b}[?1049l";

fn draw(screen: &mut Screen, text: &'static str) {
    screen.draw(|frame| frame.buffer_mut().set_string(0, 0, text, Style::new())).unwrap();
}

/// What is done in the terminal.
fn panic_in(what: &str) {
    let mut screen = Screen::take().unwrap();
    draw(&mut screen, "calm");
    assert!(screen.is_taken());
    if what == "drawing" {
        screen.draw(|_| panic!("the mast has broken")).unwrap();
    }
    assert!(thread::spawn(|| panic!("the mast has broken")).join().is_err());
    assert!(!screen.is_taken());
    draw(&mut screen, "onwards");
    drop(screen);
    panic!("it has sunk");
}

/// Runs the test in a terminal until it has ended. Gives what the terminal was told, and whether it takes lines as they are typed.
fn told(what: &str) -> (String, bool) {
    let pty = native_pty_system().openpty(SIZE).unwrap();
    let mut command = CommandBuilder::new(std::env::current_exe().unwrap());
    let test = "person::chat::runner::terminal::tests::whatever_panics_the_terminal_is_given_back_and_says_so";
    command.args([test, "--exact", "--nocapture", "--test-threads=1"]);
    command.env("TERM", "xterm-256color");
    command.env("RUST_BACKTRACE", "0");
    command.env(PANICS, what);
    let mut child = pty.slave.spawn_command(command).unwrap();
    drop(pty.slave);
    let (mut reader, mut octets) = (pty.master.try_clone_reader().unwrap(), Vec::new());
    // A terminal that nobody has open any more ends with an error.
    let _ = reader.read_to_end(&mut octets);
    assert!(!child.wait().unwrap().success());
    let flags = format!("{:?}", pty.master.get_termios().unwrap().local_flags);
    let is_set = |wanted: &&str| flags.split([' ', '|', '(', ')']).any(|flag| flag == *wanted);
    (String::from_utf8(octets).unwrap(), ["ECHO", "ICANON", "ISIG"].iter().all(is_set))
}

#[test]
fn whatever_panics_the_terminal_is_given_back_and_says_so() {
    if let Ok(what) = std::env::var(PANICS) {
        return panic_in(&what);
    }
    for what in ["drawing", "another thread"] {
        let (text, is_cooked) = told(what);
        assert!(is_cooked, "{what}: lines are not taken as they are typed");
        let (on_screen, after) = text.split_once(LEAVE).unwrap();
        assert!(on_screen.contains("calm") && !on_screen.contains("the mast has broken"), "{what}: {text}");
        assert!(after.contains("the mast has broken"), "{what}: {text}");
        assert!(!after.contains(LEAVE), "{what}: given back twice, the cursor goes back onto the panic's text: {text}");
        assert!(!after.contains("onwards"), "{what}: drawn over what the panic says: {text}");
        let mut parser = Parser::new(SIZE.rows.try_into().unwrap(), SIZE.cols.try_into().unwrap(), 0);
        parser.process(text.as_bytes());
        let screen = parser.screen();
        assert!(screen.contents().contains("the mast has broken"), "{what}: {}", screen.contents());
        assert!(!screen.alternate_screen() && !screen.hide_cursor() && !screen.bracketed_paste(), "{what}");
    }
}

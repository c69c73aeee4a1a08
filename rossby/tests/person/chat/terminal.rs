//! A terminal with the real binary in it: what is typed goes in, what is shown is waited for.

use std::io::Write;
use std::num::NonZeroU16;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use portable_pty::{Child, CommandBuilder, ExitStatus, MasterPty, PtySize, native_pty_system};
use vt100::Parser;

/// How long anything may take that isn't a failure.
const PATIENCE: Duration = Duration::from_secs(60);

/// What the terminal shows, as it comes.
struct Shown {
    /// The terminal, and whether it is closed.
    parser: Mutex<(Parser, bool)>,
    /// All that was written to it.
    octets: Mutex<Vec<u8>>,
    came: Condvar,
    /// Whether nobody is to look at it any more.
    is_left: AtomicBool,
}

/// A terminal in which a person's command runs.
pub(crate) struct Terminal {
    child: Running,
    master: Box<dyn MasterPty + Send>,
    keyboard: Box<dyn Write + Send>,
    shown: Arc<Shown>,
    reader: JoinHandle<()>,
}

/// A command that runs, until this is dropped.
struct Running(Box<dyn Child + Send + Sync>);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What keys send.
pub(crate) const ENTER: &str = "\r";
pub(crate) const ALT_ENTER: &str = "\u{1b}\r";
pub(crate) const ESC: &str = "\u{1b}";
pub(crate) const TAB: &str = "\t";
pub(crate) const UP: &str = "\u{1b}[A";
pub(crate) const F1: &str = "\u{1b}OP";
pub(crate) const DOWN: &str = "\u{1b}[B";
pub(crate) const END: &str = "\u{1b}[F";
pub(crate) const CTRL_C: &str = "\u{3}";
pub(crate) const CTRL_F: &str = "\u{6}";
pub(crate) const CTRL_R: &str = "\u{12}";
pub(crate) const CTRL_T: &str = "\u{14}";
pub(crate) const CTRL_U: &str = "\u{15}";

fn size(columns: u16, rows: u16) -> PtySize {
    PtySize { rows, cols: columns, pixel_width: 0, pixel_height: 0 }
}

fn cells(number: u16) -> NonZeroU16 {
    NonZeroU16::new(number).unwrap()
}

impl Terminal {
    /// Runs a command in a terminal of so many columns and rows.
    pub(crate) fn run(command: &Command, columns: u16, rows: u16) -> Self {
        let pty = native_pty_system().openpty(size(columns, rows)).unwrap();
        let mut builder = CommandBuilder::new(command.get_program());
        builder.args(command.get_args());
        builder.env("TERM", "xterm-256color");
        builder.env("TZ", "UTC");
        // Said by the command alone.
        builder.env_remove("NO_COLOR");
        for (name, value) in command.get_envs() {
            builder.env(name, value.unwrap());
        }
        let child = pty.slave.spawn_command(builder).unwrap();
        // The terminal ends when the last one closes it.
        drop(pty.slave);
        let mut output = pty.master.try_clone_reader().unwrap();
        let keyboard = pty.master.take_writer().unwrap();
        let parser = Mutex::new((Parser::new(cells(rows), cells(columns), 0), false));
        let (octets, is_left) = (Mutex::default(), AtomicBool::new(false));
        let shown = Arc::new(Shown { parser, octets, came: Condvar::new(), is_left });
        let to = Arc::clone(&shown);
        let reader = std::thread::spawn(move || {
            let mut octets = [0; 4096];
            loop {
                // A terminal that nobody has open any more ends with an error.
                let count = output.read(&mut octets).unwrap_or(0);
                to.octets.lock().unwrap().extend_from_slice(&octets[..count]);
                let mut parser = to.parser.lock().unwrap();
                parser.0.process(&octets[..count]);
                parser.1 = count == 0;
                to.came.notify_all();
                if count == 0 || to.is_left.load(Ordering::Acquire) {
                    return;
                }
            }
        });
        Self { child: Running(child), master: pty.master, keyboard, shown, reader }
    }

    /// Types.
    pub(crate) fn types(&mut self, text: &str) -> &mut Self {
        self.keyboard.write_all(text.as_bytes()).unwrap();
        self.keyboard.flush().unwrap();
        self
    }

    /// Waits until the screen is so.
    pub(crate) fn until(&mut self, what: &str, is_so: impl Fn(&vt100::Screen) -> bool) -> &mut Self {
        let deadline = Instant::now() + PATIENCE;
        let mut parser = self.shown.parser.lock().unwrap();
        while !is_so(parser.0.screen()) {
            let left = deadline.saturating_duration_since(Instant::now());
            let screen = parser.0.screen().contents();
            if left.is_zero() || parser.1 {
                drop(parser);
                panic!("it does not come to this: {what}\n{screen}");
            }
            parser = self.shown.came.wait_timeout(parser, left).unwrap().0;
        }
        drop(parser);
        self
    }

    /// Waits until a text is on the screen.
    pub(crate) fn shows(&mut self, text: &str) -> &mut Self {
        self.until(&format!("{text:?} is there"), |screen| screen.contents().contains(text))
    }

    /// Waits until a text is not on the screen any more.
    pub(crate) fn hides(&mut self, text: &str) -> &mut Self {
        self.until(&format!("{text:?} is gone"), |screen| !screen.contents().contains(text))
    }

    /// Waits until a row has all of these texts.
    pub(crate) fn shows_row(&mut self, texts: &[&str]) -> &mut Self {
        self.until(&format!("a row has {texts:?}"), |screen| {
            screen.contents().lines().any(|row| texts.iter().all(|text| row.contains(text)))
        })
    }

    /// Whether something was written to the terminal, seen or not.
    pub(crate) fn wrote(&self, text: &str) -> bool {
        let octets = self.shown.octets.lock().unwrap();
        octets.windows(text.len()).any(|window| window == text.as_bytes())
    }

    /// What there is to be seen on the screen now.
    pub(crate) fn screen<T>(&self, look: impl Fn(&vt100::Screen) -> T) -> T {
        look(self.shown.parser.lock().unwrap().0.screen())
    }

    /// What is on the screen now.
    pub(crate) fn contents(&self) -> String {
        self.shown.parser.lock().unwrap().0.screen().contents()
    }

    /// Gives the terminal another size.
    pub(crate) fn resize(&mut self, columns: u16, rows: u16) -> &mut Self {
        // First here: what is drawn for the new size must find it.
        self.shown.parser.lock().unwrap().0.set_size(cells(rows), cells(columns));
        self.master.resize(size(columns, rows)).unwrap();
        self
    }

    /// Whether the terminal is as it was before: its own screen, a cursor, and lines as they are typed.
    pub(crate) fn is_given_back(&self) -> bool {
        let parser = self.shown.parser.lock().unwrap();
        let screen = parser.0.screen();
        let is_cooked = self.master.get_termios().is_some_and(|termios| {
            let flags = format!("{:?}", termios.local_flags);
            ["ECHO", "ICANON", "ISIG"]
                .iter()
                .all(|wanted| flags.split([' ', '|', '(', ')']).any(|flag| flag == *wanted))
        });
        !screen.alternate_screen() && !screen.hide_cursor() && !screen.bracketed_paste() && is_cooked
    }

    pub(crate) fn process_id(&self) -> u32 {
        self.child.0.process_id().unwrap()
    }

    /// Closes the terminal, as if its window was closed, and waits until the command has ended.
    pub(crate) fn hangs_up(mut self) {
        self.shown.is_left.store(true, Ordering::Release);
        // What reads the terminal has it open too: something is shown, and it leaves.
        self.types(F1);
        let Self { mut child, master, keyboard, reader, .. } = self;
        reader.join().unwrap();
        drop((master, keyboard));
        child.0.wait().unwrap();
    }

    /// Waits until the command has ended, and all that it wrote is there.
    pub(crate) fn ends(&mut self) -> ExitStatus {
        let status = self.child.0.wait().unwrap();
        let parser = self.shown.parser.lock().unwrap();
        let ended = self.shown.came.wait_timeout_while(parser, PATIENCE, |parser| !parser.1).unwrap();
        assert!(ended.0.1, "the terminal is still open");
        drop(ended);
        status
    }
}

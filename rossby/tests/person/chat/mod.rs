//! `rossby chat` in a terminal: two people at their keyboards, and a server that goes away and comes back.

mod elsewhere;
mod ends;
mod files;
mod groups;
mod looks;
mod people;
mod talk;
mod terminal;
mod yourself;

use std::path::Path;

use self::terminal::Terminal;
use crate::human::Human;
use crate::process::Server;
use crate::set_up::SetUp;

/// Two people who have accounts.
struct Two {
    ann: Human,
    ben: Human,
}

/// A person's chat in a terminal.
fn chat(human: &Human, columns: u16, rows: u16) -> Terminal {
    Terminal::run(&human.command(&["chat"]), columns, rows)
}

/// Tells a story of two people with accounts on a server.
fn tell(story: impl FnOnce(Two, Server, &Path)) {
    let folder = tempfile::tempdir().unwrap();
    let server = SetUp::embedded().start(&folder.path().join("data"), 0);
    let ann = Human::new(folder.path(), "ann@example.org", &server);
    let ben = Human::new(folder.path(), "ben@example.org", &server);
    ann.join(&server);
    ben.join(&server);
    story(Two { ann, ben }, server, folder.path());
}

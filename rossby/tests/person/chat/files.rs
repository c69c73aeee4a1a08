//! The story of a file.

use std::fs;

use rustix::process::{Pid, Signal, kill_process};

use super::terminal::{CTRL_F, CTRL_T, CTRL_U, ENTER, ESC, UP};
use super::{Two, chat, tell};
use crate::process::Server;
use crate::set_up::SetUp;

fn signal_server(server: &Server, signal: Signal) {
    kill_process(Pid::from_raw(i32::try_from(server.pid()).unwrap()).unwrap(), signal).unwrap();
}

#[test]
fn files_are_sent_and_saved() {
    tell(|Two { ann, ben }, server, folder| {
        ann.done(&["send", "ben@example.org", "Hello"]);
        ben.reads(&["Hello"]);
        ben.done(&["requests", "accept", "ann@example.org"]);
        let report = folder.join("report.txt");
        fs::write(&report, "what was found").unwrap();

        let mut ann_sees = chat(&ann, 100, 30);
        ann_sees.shows("connected").types(ENTER).shows("─ message").types(CTRL_F).shows("Send a file");
        ann_sees.types(report.to_str().unwrap()).types(ENTER).shows("what you say of it");
        ann_sees.types("Read this").types(ENTER).shows("The file is sent");
        ann_sees.shows("[file] report.txt, 14 B, text/plain").shows_row(&["Read this", "sent"]);

        let mut ben_sees = chat(&ben, 100, 30);
        ben_sees.shows("[file] report.txt").types(ENTER).shows_row(&["Read this"]).types(UP).types("d");
        let save = |terminal: &mut super::Terminal| {
            terminal.shows("Save a file").types(CTRL_U).types(folder.join("saved").to_str().unwrap()).types(ENTER);
        };
        fs::create_dir(folder.join("saved")).unwrap();
        save(&mut ben_sees);
        ben_sees.shows("Saved as");
        assert_eq!(fs::read_to_string(folder.join("saved/report.txt")).unwrap(), "what was found");
        // Nothing is overwritten.
        ben_sees.types("d");
        save(&mut ben_sees);
        ben_sees.shows("is there already");
        ann_sees.shows_row(&["Read this", "read"]);

        // A server that stands still: what is on its way is stopped.
        signal_server(&server, Signal::STOP);
        fs::remove_file(folder.join("saved/report.txt")).unwrap();
        ben_sees.types("d");
        save(&mut ben_sees);
        ben_sees.shows("[Ctrl-T]").types(CTRL_T).shows("Files on their way").types("x").shows("Stopped.");
        ben_sees.shows("No file is on its way").types(ESC).hides("Files on their way");
        ann_sees.types(CTRL_F).shows("Send a file").types(report.to_str().unwrap()).types(ENTER);
        ann_sees.shows("what you say of it").types("Given up").types(ENTER).shows("[Ctrl-T]").types(CTRL_T);
        ann_sees
            .shows("x stops one")
            .types("x")
            .shows("Give up report.txt?")
            .types("y")
            .shows("Given up: the file is not");
        ann_sees.shows("No file is on its way").types(ESC).hides("Files on their way");
        assert_eq!(ann.done(&["uploads"])["uploads"], serde_json::json!([]));
        signal_server(&server, Signal::CONT);
        ben_sees.types("d");
        save(&mut ben_sees);
        ben_sees.shows("Saved as");
        assert_eq!(fs::read_to_string(folder.join("saved/report.txt")).unwrap(), "what was found");

        // While the server is away a file is kept, and goes out when it is back.
        let port = server.port();
        server.kill();
        ann_sees.shows("connection lost").types(CTRL_F).shows("Send a file");
        fs::write(&report, "what was found later").unwrap();
        ann_sees.types(report.to_str().unwrap()).types(ENTER).shows("what you say of it").types(ENTER);
        ann_sees.shows("The file is kept");
        fs::remove_file(&report).unwrap();
        let server = SetUp::embedded().start(&folder.join("data"), port);
        ann_sees.shows("[file] report.txt, 20 B, text/plain");
        ben_sees.shows("[file] report.txt, 20 B, text/plain");
        drop(server);
    });
}

//! However the chat ends, the terminal is given back, and what was being written is there the next time.

use std::time::{Duration, Instant};

use rossby_client::{Client, ClientConfig, Unlock};
use rustix::process::{Pid, Signal, kill_process};

use super::terminal::{CTRL_C, ENTER, Terminal};
use super::{Two, chat, tell};
use crate::human::Human;
use crate::process::PATIENCE;

fn signal(terminal: &Terminal, signal: Signal) {
    let pid = Pid::from_raw(i32::try_from(terminal.process_id()).unwrap()).unwrap();
    kill_process(pid, signal).unwrap();
}

#[test]
fn quitting_gives_the_terminal_back_and_keeps_drafts() {
    tell(|Two { ann, .. }, _server, _| {
        let begin = |terminal: &mut Terminal| {
            terminal.shows("connected").types("n").shows("New conversation").types("ben@example.org").types(ENTER);
            terminal.shows("No messages yet");
        };
        let mut terminal = chat(&ann, 80, 20);
        begin(&mut terminal);
        terminal.types("half a thou").shows("half a thou").types(CTRL_C);
        assert!(terminal.ends().success());
        assert!(terminal.is_given_back(), "{}", terminal.contents());

        // By a signal, as a system that is shut down sends it.
        let mut terminal = chat(&ann, 80, 20);
        terminal.shows("draft: half a thou").shows("ben@example.org").types(ENTER).shows("> half a thou");
        terminal.types("ght").shows("> half a thought");
        signal(&terminal, Signal::TERM);
        assert!(terminal.ends().success());
        assert!(terminal.is_given_back(), "{}", terminal.contents());

        // With a key, from the list.
        let mut terminal = chat(&ann, 80, 20);
        terminal.shows("draft: half a thought").types("q");
        assert!(terminal.ends().success());
        assert!(terminal.is_given_back(), "{}", terminal.contents());

        // Killed, it can give nothing back; but what was written a moment before is kept.
        let mut terminal = chat(&ann, 80, 20);
        terminal.shows("draft").types(ENTER).shows("> half a thought").types("!").shows("thought!");
        wait_for_draft(&ann, "half a thought!");
        signal(&terminal, Signal::KILL);
        terminal.ends();
        let mut terminal = chat(&ann, 80, 20);
        terminal.shows("draft: half a thought!");
    });
}

/// Waits until a draft is kept, as another process of the same person sees it.
fn wait_for_draft(human: &Human, text: &str) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let unlock = Unlock::KeyFile(human.home.join("key"));
        let client = Client::open(ClientConfig::new(human.home.clone(), unlock)).await.unwrap();
        let deadline = Instant::now() + PATIENCE;
        while !client.drafts().await.unwrap().iter().any(|draft| draft.text == text) {
            assert!(Instant::now() < deadline, "the draft is not kept");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        client.close().await;
    });
}

#[test]
fn a_terminal_that_is_closed_ends_the_chat() {
    tell(|Two { ann, .. }, _server, _| {
        let mut terminal = chat(&ann, 80, 20);
        terminal.shows("connected");
        terminal.hangs_up();
    });
}

//! xtask's servers as a person meets them: they answer, and nothing is left of them however xtask ends.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process, test_kill_process};

/// `cargo xtask servers`, started, with what it says.
struct Servers {
    xtask: Child,
    variables: BTreeMap<String, String>,
    folder: PathBuf,
    /// What it prints further: as long as somebody reads, it can.
    _lines: Receiver<String>,
}

/// What the tests take of what it prints.
const NEEDED: [&str; 3] = ["ROSSBY_TEST_KAFKA", "ROSSBY_TEST_KAFKA_PID", "ROSSBY_TEST_POSTGRES"];

impl Servers {
    fn start() -> Self {
        let program = env!("CARGO_BIN_EXE_xtask");
        let mut xtask = Command::new(program).arg("servers").stdout(Stdio::piped()).spawn().unwrap();
        let output = BufReader::new(xtask.stdout.take().unwrap());
        let (sender, lines) = channel();
        thread::spawn(move || output.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
        let mut variables = BTreeMap::new();
        let mut folder = PathBuf::new();
        while !NEEDED.iter().all(|name| variables.contains_key(*name)) {
            let line = lines.recv_timeout(Duration::from_secs(150)).expect("no servers within 150 s");
            if let Some((name, value)) = line.strip_prefix("export ").and_then(|rest| rest.split_once('=')) {
                variables.insert(name.to_owned(), value.to_owned());
            } else if let Some(path) = line.strip_prefix("servers, in ") {
                folder = PathBuf::from(path);
            }
        }
        Self { xtask, variables, folder, _lines: lines }
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.xtask), signal).unwrap();
    }

    fn kafka_pid(&self) -> Pid {
        Pid::from_raw(self.variables["ROSSBY_TEST_KAFKA_PID"].parse().unwrap()).unwrap()
    }

    /// Where both servers listen.
    fn addresses(&self) -> [String; 2] {
        let postgres = &self.variables["ROSSBY_TEST_POSTGRES"];
        let postgres = postgres.split(['@', '/']).nth(3).unwrap().to_owned();
        [self.variables["ROSSBY_TEST_KAFKA"].clone(), postgres]
    }

    fn is_answering(&self) -> [bool; 2] {
        self.addresses().map(|address| TcpStream::connect(address).is_ok())
    }
}

impl Drop for Servers {
    fn drop(&mut self) {
        if self.xtask.try_wait().unwrap().is_none() {
            self.signal(Signal::TERM);
            self.xtask.wait().unwrap();
        }
    }
}

/// Waits until `is_so`, and fails after half a minute.
fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !is_so() {
        assert!(Instant::now() < deadline, "not within 30 s: {what}");
        thread::sleep(Duration::from_millis(20));
    }
}

fn is_gone(folder: &Path) -> bool {
    !folder.exists()
}

#[test]
fn a_signal_ends_both_and_leaves_nothing() {
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143)] {
        let mut servers = Servers::start();
        assert_eq!(servers.is_answering(), [true, true]);
        servers.signal(signal);
        assert_eq!(servers.xtask.wait().unwrap().code(), Some(code));
        assert_eq!(servers.is_answering(), [false, false]);
        assert!(is_gone(&servers.folder));
    }
}

#[test]
fn a_server_that_dies_is_named_and_the_other_is_ended() {
    let mut servers = Servers::start();
    kill_process(servers.kafka_pid(), Signal::KILL).unwrap();
    assert_eq!(servers.xtask.wait().unwrap().code(), Some(1));
    assert_eq!(servers.is_answering(), [false, false]);
    assert!(is_gone(&servers.folder));
}

#[test]
fn killing_xtask_leaves_nothing_after_its_next_start() {
    let mut killed = Servers::start();
    killed.signal(Signal::KILL);
    killed.xtask.wait().unwrap();
    let kafka = killed.kafka_pid();
    let next = Servers::start();
    eventually("the first Kafka has ended", || test_kill_process(kafka).is_err());
    eventually("the first servers have ended", || killed.is_answering() == [false, false]);
    assert!(is_gone(&killed.folder));
    assert_eq!(next.is_answering(), [true, true]);
}

//! A person at the command line.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Instant;

use serde_json::Value;

use crate::process::{PATIENCE, Server};

/// A person with a home of their own.
#[derive(Debug, Clone)]
pub(crate) struct Human {
    pub(crate) home: PathBuf,
    pub(crate) identifier: String,
    server: String,
    variables: Vec<(String, String)>,
}

/// A device that waits to be linked.
pub(crate) struct Waiting {
    pub(crate) code: String,
    pub(crate) process: Child,
}

impl Human {
    pub(crate) fn new(folder: &Path, identifier: &str, server: &Server) -> Self {
        let name: String = identifier.chars().filter(char::is_ascii_alphanumeric).collect();
        let variables = Vec::new();
        Self { home: folder.join(name), identifier: identifier.to_owned(), server: server.url.clone(), variables }
    }

    /// The same person, with a variable in the environment.
    pub(crate) fn with(&self, name: &str, value: &str) -> Self {
        let mut human = self.clone();
        human.variables.push((name.to_owned(), value.to_owned()));
        human
    }

    /// The same person, who asks this server.
    #[allow(dead_code, reason = "used by the tests on servers alone")]
    pub(crate) fn at(&self, server: &Server) -> Self {
        let mut human = self.clone();
        human.server.clone_from(&server.url);
        human
    }

    /// Registers, and authorizes with the code that the server prints.
    pub(crate) fn join(&self, server: &Server) -> Value {
        let registered = self.done(&["register", &self.identifier]);
        let code = server.code_for(registered["identifier"].as_str().unwrap());
        self.done(&["authorize", &code])
    }

    /// Becomes a device of the other one's account. Gives what it printed at the end.
    pub(crate) fn link(&self, by: &Self, name: &str) -> Value {
        let waiting = self.begin_link(name);
        by.done(&["devices", "add", &waiting.code, "--yes"]);
        let output = waiting.process.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", shown(&["link"], &output));
        document(&output.stdout).unwrap_or_else(|| panic!("no JSON: {}", shown(&["link"], &output)))
    }

    /// Waits to be linked.
    pub(crate) fn begin_link(&self, name: &str) -> Waiting {
        let mut process = self.command(&["link", "--name", name, "--json"]).spawn().unwrap();
        // Octet by octet: what comes after the line is read when it has ended.
        let (mut line, out) = (Vec::new(), process.stdout.as_mut().unwrap());
        while !line.ends_with(b"\n") {
            let mut octet = [0];
            out.read_exact(&mut octet).unwrap();
            line.extend(octet);
        }
        let code = document(&line).and_then(|begun| Some(begun["link_code"].as_str()?.to_owned()));
        Waiting { code: code.unwrap_or_else(|| panic!("no link code: {}", String::from_utf8_lossy(&line))), process }
    }

    /// Runs a command that must succeed. Gives what it printed, as JSON.
    pub(crate) fn done(&self, arguments: &[&str]) -> Value {
        let output = self.run(arguments);
        assert!(output.status.success(), "{}", shown(arguments, &output));
        document(&output.stdout).unwrap_or_else(|| panic!("no JSON: {}", shown(arguments, &output)))
    }

    /// Runs a command that must fail. Gives its error's name and text.
    pub(crate) fn refused(&self, arguments: &[&str]) -> (String, String) {
        let output = self.run(arguments);
        assert!(!output.status.success(), "{}", shown(arguments, &output));
        let error = document(&output.stderr).unwrap_or_else(|| panic!("no JSON: {}", shown(arguments, &output)));
        let text = |name: &str| error[name].as_str().unwrap().to_owned();
        (text("error"), text("detail"))
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).arg("--json").output().unwrap()
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.command_by_home(arguments);
        command.args(["--server", &self.server]);
        command
    }

    /// One that names no server: the home knows it.
    pub(crate) fn command_by_home(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_rossby"));
        command.args(arguments).arg("--home").arg(&self.home);
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Runs a command until what it prints is so: what others did is seen a moment later.
    pub(crate) fn until(&self, arguments: &[&str], is_so: impl Fn(&Value) -> bool) -> Value {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let document = self.done(arguments);
            if is_so(&document) {
                return document;
            }
            assert!(Instant::now() < deadline, "{arguments:?} came to {document}");
        }
    }

    /// Fetches until nothing waits any more, and nothing new has come: receipts follow after what was read.
    pub(crate) fn settles(&self) {
        self.until(&["whoami"], |account| {
            assert_eq!(self.new_texts(), [""; 0]);
            account["waiting"] == 0
        });
    }

    /// Fetches until nothing waits any more, whatever has come.
    pub(crate) fn settles_quietly(&self) {
        self.until(&["whoami"], |account| {
            self.done(&["inbox"]);
            account["waiting"] == 0
        });
    }

    /// Waits until this many messages wait for this person: what was sent or confirmed is seen a moment later.
    pub(crate) fn waits(&self, expected: u64) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let waiting = self.done(&["whoami"])["waiting"].clone();
            if waiting == expected {
                return;
            }
            assert!(Instant::now() < deadline, "{waiting} messages wait, and not {expected}");
        }
    }

    /// Fetches until as many messages came as there are texts, and compares.
    pub(crate) fn reads(&self, expected: &[&str]) {
        let deadline = Instant::now() + PATIENCE;
        let mut texts = Vec::new();
        while texts.len() < expected.len() {
            texts.extend(self.new_texts());
            assert!(Instant::now() < deadline, "only {texts:?} came");
        }
        assert_eq!(texts, expected);
    }

    /// The texts of the messages that weren't read yet.
    pub(crate) fn new_texts(&self) -> Vec<String> {
        let inbox = self.done(&["inbox"]);
        let messages = inbox["messages"].as_array().unwrap();
        messages.iter().map(|message| message["text"].as_str().unwrap().to_owned()).collect()
    }

    /// Fetches until this device has these messages and no others, in this order, read or not: whether each was sent by its
    /// person, and its text.
    pub(crate) fn has(&self, expected: &[(bool, &str)]) {
        self.until(&["inbox", "--all"], |inbox| {
            let messages = inbox["messages"].as_array().unwrap();
            let shown = messages.iter().map(|m| (m["outgoing"].as_bool().unwrap(), m["text"].as_str().unwrap()));
            shown.eq(expected.iter().copied())
        });
    }
}

fn document(octets: &[u8]) -> Option<Value> {
    serde_json::from_slice(octets).ok()
}

fn shown(arguments: &[&str], output: &Output) -> String {
    let [out, err] = [&output.stdout, &output.stderr].map(|octets| String::from_utf8_lossy(octets));
    format!("{arguments:?} ended with {}\n{out}\n{err}", output.status)
}

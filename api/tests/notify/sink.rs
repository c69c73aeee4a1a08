//! An SMTP server (RFC 5321, with AUTH PLAIN) that keeps what it gets. It runs as a process of its own: this test binary,
//! started once more.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

const FOLDER: &str = "ROSSBY_TEST_SMTP_FOLDER";
const PORT: &str = "ROSSBY_TEST_SMTP_PORT";

/// A running server. Ends with this value.
pub(crate) struct Sink {
    process: Child,
    folder: tempfile::TempDir,
    pub(crate) port: u16,
}

impl Sink {
    /// Starts a server; port 0 takes a free one.
    pub(crate) fn start(port: u16) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut process = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "sink::serve", "--ignored", "--nocapture"])
            .env(FOLDER, folder.path())
            .env(PORT, port.to_string())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let port = lines
            .map(|line| line.unwrap())
            .find_map(|line| line.split_once("listening at ").map(|(_, port)| port.parse().unwrap()))
            .expect("the SMTP server does not start");
        Self { process, folder, port }
    }

    /// The message that a mailbox got last, as it crossed the wire less its dots.
    pub(crate) fn mail(&self, mailbox: &str) -> Option<String> {
        std::fs::read_to_string(self.folder.path().join(mailbox)).ok()
    }

    /// How many commands began so.
    pub(crate) fn commands(&self, begin: &str) -> usize {
        let transcript = std::fs::read_to_string(transcript(self.folder.path())).unwrap_or_default();
        transcript.lines().filter(|line| line.starts_with(begin)).count()
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn transcript(folder: &Path) -> PathBuf {
    folder.join("transcript")
}

#[test]
#[ignore = "is the SMTP server of the other tests, which start it"]
fn serve() {
    let Some(folder) = std::env::var_os(FOLDER).map(PathBuf::from) else { return };
    let port: u16 = std::env::var(PORT).unwrap().parse().unwrap();
    let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
    println!("\nlistening at {}", listener.local_addr().unwrap().port());
    for stream in listener.incoming() {
        // A client that goes away ends its own session only.
        let _ = stream.and_then(|stream| session(&stream, &folder));
    }
}

/// `busy@` is told to come again the first time, `gone@` is unknown, everyone else has a mailbox.
fn session(stream: &TcpStream, folder: &Path) -> std::io::Result<()> {
    let (mut out, mut lines) = (stream, BufReader::new(stream).lines());
    let mut record = std::fs::OpenOptions::new().create(true).append(true).open(transcript(folder))?;
    let (mut mailbox, mut is_busy) = (String::new(), false);
    out.write_all(b"220 sink.example.org ESMTP\r\n")?;
    while let Some(line) = lines.next().transpose()? {
        // What was asked is on the disk before it is answered.
        writeln!(record, "{line}")?;
        let verb = line.split([' ', ':']).next().unwrap_or_default().to_ascii_uppercase();
        let answer: &[u8] = match verb.as_str() {
            "EHLO" => b"250-sink.example.org\r\n250-AUTH PLAIN\r\n250 8BITMIME\r\n",
            "AUTH" => b"235 welcome\r\n",
            "MAIL" | "RSET" | "NOOP" => b"250 ok\r\n",
            "RCPT" => {
                mailbox = line.split(['<', '>']).nth(1).unwrap_or_default().to_owned();
                let asked = std::fs::read_to_string(transcript(folder))?;
                is_busy = mailbox.starts_with("busy@") && asked.matches(&format!("RCPT TO:<{mailbox}>")).count() == 1;
                if mailbox.starts_with("gone@") { b"550 there is no such mailbox\r\n" } else { b"250 ok\r\n" }
            }
            "DATA" if is_busy => b"451 come again later\r\n",
            "DATA" => {
                out.write_all(b"354 go on\r\n")?;
                let mut mail = String::new();
                for line in lines.by_ref() {
                    let line = line?;
                    if line == "." {
                        break;
                    }
                    mail += line.strip_prefix('.').unwrap_or(&line);
                    mail.push('\n');
                }
                std::fs::write(folder.join(&mailbox), mail)?;
                b"250 it is here\r\n"
            }
            "QUIT" => {
                out.write_all(b"221 bye\r\n")?;
                return Ok(());
            }
            _ => b"500 what?\r\n",
        };
        out.write_all(answer)?;
    }
    Ok(())
}

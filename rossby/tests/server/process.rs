//! The real binary as a process.

use std::io::{BufRead as _, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

/// How long anything may take that isn't a failure.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A process's lines, as they come.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    lines: Mutex<Vec<String>>,
    came: Condvar,
}

impl Lines {
    /// Reads to the end of `source` in a thread of its own.
    pub(crate) fn follow(self: &Arc<Self>, source: impl Read + Send + 'static) {
        let lines = Arc::clone(self);
        std::thread::spawn(move || {
            for line in BufReader::new(source).lines().map_while(Result::ok) {
                lines.lines.lock().unwrap().push(line);
                lines.came.notify_all();
            }
        });
    }

    /// Waits for something in one of the lines.
    pub(crate) fn wait_for<T>(&self, find: impl Fn(&str) -> Option<T>) -> T {
        self.wait_for_nth(find, 0)
    }

    /// Waits for something in the lines that comes several times: for the one of this number, from 0.
    pub(crate) fn wait_for_nth<T>(&self, find: impl Fn(&str) -> Option<T>, number: usize) -> T {
        self.wait_until(|lines| lines.iter().filter_map(|line| find(line)).nth(number))
    }

    /// Waits until the lines are as they are to be.
    pub(crate) fn wait_until<T>(&self, find: impl Fn(&[String]) -> Option<T>) -> T {
        let deadline = Instant::now() + PATIENCE;
        let mut lines = self.lines.lock().unwrap();
        loop {
            if let Some(found) = find(&lines) {
                return found;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "it was not printed in time, but this:\n{}", lines.join("\n"));
            lines = self.came.wait_timeout(lines, left).unwrap().0;
        }
    }

    pub(crate) fn all(&self) -> String {
        self.lines.lock().unwrap().join("\n")
    }
}

/// A running server.
#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    #[allow(dead_code, reason = "not used by the model's tests")]
    pub(crate) url: String,
    pub(crate) lines: Arc<Lines>,
}

impl Server {
    /// Starts a server with these settings, as environment variables, and waits until it listens. Port 0 takes a free one.
    pub(crate) fn start(settings: &[(String, String)], data_dir: &Path, port: u16) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_rossby"));
        command.args(["serve", "--listen", &format!("127.0.0.1:{port}"), "--data-dir"]).arg(data_dir);
        // All clients of a test come from one address.
        command.env("ROSSBY_SERVER__OPERATOR_LISTEN", "127.0.0.1:0");
        command.env("ROSSBY_LIMITS__ADDRESS_PER_SECOND", "100000").env("ROSSBY_LIMITS__ADDRESS_BURST", "100000");
        command.envs(settings.iter().map(|(name, value)| (name, value)));
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let lines = Arc::new(Lines::default());
        lines.follow(child.stdout.take().unwrap());
        lines.follow(child.stderr.take().unwrap());
        let url = lines.wait_for(|line| line.strip_prefix("Rossby listens on ").map(str::to_owned));
        Self { child, url, lines }
    }

    /// The process's id.
    #[allow(dead_code, reason = "not used by the server's own tests")]
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The port that it listens on.
    #[allow(dead_code, reason = "not used by the model's tests")]
    pub(crate) fn port(&self) -> u16 {
        self.url.rsplit(':').next().unwrap().parse().unwrap()
    }

    /// Where it tells operators how it is.
    #[allow(dead_code, reason = "not used by the model's tests")]
    pub(crate) fn operators(&self) -> String {
        let line = |line: &str| line.strip_prefix("for operators    ").map(str::to_owned);
        self.lines.wait_for(line).split("/readyz").next().unwrap().to_owned()
    }

    /// The code that it prints for an identifier.
    pub(crate) fn code_for(&self, identifier: &str) -> String {
        self.lines.wait_for(|line| line.strip_prefix(&format!("code for {identifier}: ")).map(str::to_owned))
    }

    /// The code that it prints for an identifier as the one of this number, from 0.
    #[allow(dead_code, reason = "not used by the server's own tests")]
    pub(crate) fn code_number(&self, identifier: &str, number: usize) -> String {
        let start = format!("code for {identifier}: ");
        self.lines.wait_for_nth(|line| line.strip_prefix(&start).map(str::to_owned), number)
    }

    /// Asks it to stop and waits until it has.
    pub(crate) fn stop(mut self) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                assert!(status.success(), "the server ended with {status}:\n{}", self.lines.all());
                return;
            }
            assert!(Instant::now() < deadline, "the server did not stop:\n{}", self.lines.all());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Ends it as a loss of power would.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

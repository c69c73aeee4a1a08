//! The processes that xtask starts, and their end: when a verb is done, on Ctrl-C, SIGTERM and SIGHUP, on an error and
//! on a panic. Each runs in a process group of its own, so that its children end with it and Ctrl-C in a terminal
//! reaches xtask alone, which ends them in order. Should xtask itself be killed without a chance to do so,
//! `setpriv --pdeathsig` (where there is one) ends them, and the next start of xtask ends what is left (`stale`).

use std::fs::File;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use rustix::process::{Pid, Signal, kill_process_group};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use tempfile::TempDir;

use crate::stale::StateFile;
use crate::tools::{self, User};

/// A signal asked xtask to end.
#[derive(Debug)]
pub(crate) struct Interrupted(i32);

impl Interrupted {
    /// The exit code by the shells' convention: 128 and the signal's number.
    pub(crate) fn exit_code(&self) -> u8 {
        u8::try_from(128 + self.0).unwrap_or(u8::MAX)
    }
}

impl std::fmt::Display for Interrupted {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "ended by signal {}", self.0)
    }
}

impl std::error::Error for Interrupted {}

/// What can happen while xtask waits.
enum Event {
    Signal(i32),
    Exited(u32, std::io::Result<ExitStatus>),
}

/// A process that xtask has started, by its number in [`Processes`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Handle(u32);

impl Handle {
    /// The process id.
    pub(crate) fn pid(self) -> u32 {
        self.0
    }
}

/// How a process is asked to end.
#[derive(Clone, Copy)]
pub(crate) struct Ending {
    /// The signal that asks for it.
    pub(crate) signal: Signal,
    /// How long it may take before it is killed.
    pub(crate) patience: Duration,
}

impl Ending {
    /// At once: for servers whose data is thrown away.
    pub(crate) const KILL: Self = Self { signal: Signal::KILL, patience: Duration::from_secs(5) };

    /// Asked by `signal`, killed after half a minute.
    pub(crate) const fn graceful(signal: Signal) -> Self {
        Self { signal, patience: Duration::from_secs(30) }
    }
}

/// A process to start.
#[derive(Clone, Copy)]
pub(crate) struct Start<'a> {
    /// What people call it.
    pub(crate) name: &'a str,
    /// Program, arguments, environment and folder.
    pub(crate) command: &'a Command,
    /// As whom, if not as xtask's own user.
    pub(crate) user: Option<User>,
    /// Where its output goes; without one it writes where xtask does.
    pub(crate) log: Option<&'a Path>,
    /// How it is asked to end.
    pub(crate) ending: Ending,
}

struct Running {
    name: String,
    pid: u32,
    ending: Ending,
    /// What it came to, once it has.
    status: Option<ExitStatus>,
}

/// All processes that this xtask has started; dropping it ends them, the last one first.
pub(crate) struct Processes {
    events: Receiver<Event>,
    sender: Sender<Event>,
    running: Vec<Running>,
    folders: Vec<TempDir>,
    state: StateFile,
    interrupted: Option<i32>,
}

impl Processes {
    /// Starts listening to signals, and ends what an earlier xtask has left behind.
    pub(crate) fn new() -> anyhow::Result<Self> {
        let (sender, events) = channel();
        let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP]).context("listening to signals")?;
        let from_signals = sender.clone();
        thread::spawn(move || {
            for signal in signals.forever() {
                if from_signals.send(Event::Signal(signal)).is_err() {
                    return;
                }
            }
        });
        let state = StateFile::create()?;
        Ok(Self { events, sender, running: Vec::new(), folders: Vec::new(), state, interrupted: None })
    }

    /// A new folder that is removed when all processes have ended.
    pub(crate) fn temporary_folder(&mut self) -> anyhow::Result<PathBuf> {
        let folder = tempfile::Builder::new().prefix("rossby-").tempdir().context("making a temporary folder")?;
        let path = folder.path().to_path_buf();
        self.state.add_folder(&path)?;
        self.folders.push(folder);
        Ok(path)
    }

    /// Starts a process in a process group of its own, without standard input.
    ///
    /// Must be called on xtask's main thread: `--pdeathsig` means the death of the thread that started the process.
    pub(crate) fn start(&mut self, start: &Start<'_>) -> anyhow::Result<Handle> {
        let Start { name, command, user, log, ending } = *start;
        let mut guarded = guard(command, ending.signal);
        guarded.stdin(Stdio::null()).process_group(0);
        if let Some(user) = user {
            guarded.uid(user.uid).gid(user.gid);
        }
        if let Some(log) = log {
            let file = File::create(log).with_context(|| format!("making the log file {}", log.display()))?;
            guarded.stderr(file.try_clone()?).stdout(file);
        }
        let mut child = guarded.spawn().with_context(|| format!("starting {name} ({command:?})"))?;
        let pid = child.id();
        self.running.push(Running { name: name.to_owned(), pid, ending, status: None });
        self.state.add_process(pid, ending.signal)?;
        let sender = self.sender.clone();
        thread::spawn(move || {
            let status = child.wait();
            // Nobody listens any more when xtask itself is at its end.
            let _ = sender.send(Event::Exited(pid, status));
        });
        Ok(Handle(pid))
    }

    /// Whether the process still runs, taking note of what has happened until now.
    ///
    /// Fails with [`Interrupted`] when a signal has come.
    pub(crate) fn is_running(&mut self, handle: Handle) -> anyhow::Result<bool> {
        while let Ok(event) = self.events.try_recv() {
            self.note(event)?;
        }
        self.check_signal()?;
        Ok(self.status(handle).is_none())
    }

    /// Waits at most `pause`, or until a signal comes or a process ends.
    pub(crate) fn pause(&mut self, pause: Duration) -> anyhow::Result<()> {
        match self.events.recv_timeout(pause) {
            Ok(event) => self.note(event)?,
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {}
        }
        self.check_signal()
    }

    /// Waits for the end of a process.
    ///
    /// Fails with [`Interrupted`] when a signal comes first, and when one of `needed` ends first.
    pub(crate) fn wait(&mut self, handle: Handle, needed: &[Handle]) -> anyhow::Result<ExitStatus> {
        loop {
            if let Some(status) = self.status(handle) {
                return Ok(status);
            }
            if let Some(dead) = needed.iter().find(|other| self.status(**other).is_some()) {
                let name =
                    self.running.iter().find(|process| process.pid == dead.0).map_or("", |process| &process.name);
                bail!("{name} has ended by itself");
            }
            let event = self.events.recv().context("waiting for processes")?;
            self.note(event)?;
            self.check_signal()?;
        }
    }

    /// Waits until one of the processes ends, and gives its name.
    ///
    /// Fails with [`Interrupted`] when a signal comes first.
    pub(crate) fn wait_for_end(&mut self) -> anyhow::Result<&str> {
        loop {
            if let Some(index) = self.running.iter().position(|process| process.status.is_some()) {
                return Ok(&self.running[index].name);
            }
            let event = self.events.recv().context("waiting for a signal")?;
            self.note(event)?;
            self.check_signal()?;
        }
    }

    /// What a process came to, once it has ended.
    pub(crate) fn status(&self, handle: Handle) -> Option<ExitStatus> {
        self.running.iter().find(|process| process.pid == handle.0).and_then(|process| process.status)
    }

    /// Ends one process and forgets it.
    pub(crate) fn stop(&mut self, handle: Handle) {
        if let Some(index) = self.running.iter().position(|process| process.pid == handle.0) {
            self.stop_at(index);
        }
    }

    /// Ends every process, the last one started first.
    pub(crate) fn stop_all(&mut self) {
        while !self.running.is_empty() {
            self.stop_at(self.running.len() - 1);
        }
    }

    fn check_signal(&self) -> anyhow::Result<()> {
        match self.interrupted {
            Some(signal) => Err(Interrupted(signal).into()),
            None => Ok(()),
        }
    }

    fn note(&mut self, event: Event) -> anyhow::Result<()> {
        match event {
            Event::Signal(signal) => self.interrupted = Some(signal),
            Event::Exited(pid, status) => {
                let status = status.with_context(|| format!("waiting for process {pid}"))?;
                if let Some(process) = self.running.iter_mut().find(|process| process.pid == pid) {
                    process.status = Some(status);
                }
            }
        }
        Ok(())
    }

    fn stop_at(&mut self, index: usize) {
        let Running { name, pid, ending, status } = &self.running[index];
        let (pid, ending) = (*pid, *ending);
        if status.is_none() {
            if ending.signal != Signal::KILL {
                eprintln!("  stopping {name}");
            }
            signal_group(pid, ending.signal);
            let deadline = Instant::now() + ending.patience;
            // A second Ctrl-C ends the patience.
            let signals_before = self.interrupted.take();
            while self.running[index].status.is_none() && self.interrupted.is_none() {
                match self.events.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                    Ok(event) => {
                        let _ = self.note(event);
                    }
                    Err(_) => break,
                }
            }
            self.interrupted = self.interrupted.or(signals_before);
        }
        // Also when the process itself has ended: its children may not have.
        signal_group(pid, Signal::KILL);
        self.running.remove(index);
        self.state.remove_process(pid);
    }
}

impl Drop for Processes {
    fn drop(&mut self) {
        self.stop_all();
        // The temporary folders go with this, now that nobody writes there.
    }
}

/// Sends `signal` to the group that process `pid` leads; a group that is gone is fine.
pub(crate) fn signal_group(pid: u32, signal: Signal) {
    if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
        let _ = kill_process_group(pid, signal);
    }
}

/// The same command through `setpriv --pdeathsig`, so that it gets `signal` should xtask be killed.
fn guard(command: &Command, signal: Signal) -> Command {
    let mut guarded = match tools::on_path("setpriv") {
        Some(setpriv) => {
            let mut guarded = Command::new(setpriv);
            guarded.arg("--pdeathsig").arg(name_of(signal)).arg(command.get_program());
            guarded
        }
        None => Command::new(command.get_program()),
    };
    guarded.args(command.get_args());
    for (key, value) in command.get_envs() {
        match value {
            Some(value) => guarded.env(key, value),
            None => guarded.env_remove(key),
        };
    }
    if let Some(folder) = command.get_current_dir() {
        guarded.current_dir(folder);
    }
    guarded
}

/// The signal's name as setpriv takes it.
fn name_of(signal: Signal) -> &'static str {
    match signal {
        Signal::INT => "INT",
        Signal::QUIT => "QUIT",
        Signal::TERM => "TERM",
        _ => "KILL",
    }
}

/// What an exit status means, in words.
pub(crate) fn describe(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit code {code}"),
        (None, Some(signal)) => format!("signal {signal}"),
        (None, None) => status.to_string(),
    }
}

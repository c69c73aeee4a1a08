//! What an xtask that was killed has left behind: processes and temporary folders, noted in a file while it runs.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context;
use rustix::process::{Pid, Signal, test_kill_process};
use serde_json::{Value, json};

use crate::layout;
use crate::processes::signal_group;

/// The note of a running xtask, removed when it is dropped.
pub(crate) struct StateFile {
    path: PathBuf,
    processes: Vec<Value>,
    folders: Vec<PathBuf>,
}

impl StateFile {
    /// Ends what earlier ones have left behind, and starts a new note.
    pub(crate) fn create() -> anyhow::Result<Self> {
        Self::create_in(&layout::cache().join("run"))
    }

    fn create_in(folder: &Path) -> anyhow::Result<Self> {
        fs::create_dir_all(folder).with_context(|| format!("making the folder {}", folder.display()))?;
        clean_up(folder)?;
        let path = folder.join(format!("{}.json", std::process::id()));
        let state = Self { path, processes: Vec::new(), folders: Vec::new() };
        state.write()?;
        Ok(state)
    }

    /// Notes a process group and the signal that ends it.
    pub(crate) fn add_process(&mut self, pid: u32, signal: Signal) -> anyhow::Result<()> {
        self.processes.push(json!({ "pid": pid, "started": started(pid), "signal": signal.as_raw() }));
        self.write()
    }

    /// Notes that a process has ended.
    pub(crate) fn remove_process(&mut self, pid: u32) {
        self.processes.retain(|process| process["pid"] != pid);
        // Should this fail, the next start finds a process that is gone and does nothing.
        let _ = self.write();
    }

    /// Notes a folder to remove.
    pub(crate) fn add_folder(&mut self, folder: &Path) -> anyhow::Result<()> {
        self.folders.push(folder.to_path_buf());
        self.write()
    }

    fn write(&self) -> anyhow::Result<()> {
        let own = std::process::id();
        let text = json!({ "pid": own, "started": started(own), "processes": self.processes, "folders": self.folders });
        // Written beside it and renamed, so that nobody reads half a note.
        let beside = self.path.with_extension("new");
        fs::write(&beside, text.to_string())
            .and_then(|()| fs::rename(&beside, &self.path))
            .with_context(|| format!("writing {}", self.path.display()))
    }
}

impl Drop for StateFile {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

/// Ends the processes and removes the folders of every xtask in `folder` that is no more.
fn clean_up(folder: &Path) -> anyhow::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_none_or(|extension| extension != "json") {
            continue;
        }
        // Gone in the meantime, or unreadable: another xtask's business.
        let Ok(text) = fs::read_to_string(&path) else { continue };
        let Ok(state) = serde_json::from_str::<Value>(&text) else { continue };
        if is_same(&state) {
            continue;
        }
        for process in state["processes"].as_array().into_iter().flatten().filter(|process| is_same(process)) {
            end(process);
        }
        for left in state["folders"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            let _ = fs::remove_dir_all(left);
        }
        let _ = fs::remove_file(&path);
    }
    Ok(())
}

/// Whether the process noted still runs, and is not another one that got its number.
fn is_same(noted: &Value) -> bool {
    pid(noted).is_some_and(|pid| started(pid).is_some_and(|now| noted["started"] == now.as_str()))
}

fn pid(noted: &Value) -> Option<u32> {
    noted["pid"].as_u64().and_then(|pid| u32::try_from(pid).ok())
}

fn end(noted: &Value) {
    let Some(pid) = pid(noted) else { return };
    eprintln!("ending process {pid}, which an earlier xtask has left behind");
    let signal = noted["signal"].as_i64().and_then(|raw| i32::try_from(raw).ok()).and_then(Signal::from_named_raw);
    signal_group(pid, signal.unwrap_or(Signal::KILL));
    let deadline = Instant::now() + Duration::from_secs(10);
    while is_same(noted) && Instant::now() < deadline {
        thread::sleep(Duration::from_millis(50));
    }
    signal_group(pid, Signal::KILL);
}

/// A text that tells a process from an earlier or later one of the same number, or `None` when there is none.
fn started(pid: u32) -> Option<String> {
    let raw = Pid::from_raw(i32::try_from(pid).ok()?)?;
    test_kill_process(raw).ok()?;
    match fs::read_to_string(format!("/proc/{pid}/stat")) {
        // The fields after the name in parentheses; the first is the state, the 20th the start time (proc(5)).
        Ok(stat) => {
            let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
            if *fields.first()? == "Z" { None } else { fields.get(19).map(|field| (*field).to_owned()) }
        }
        Err(_) => {
            let output = Command::new("ps").args(["-o", "lstart=", "-p", &pid.to_string()]).output().ok()?;
            let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
            (!text.is_empty()).then_some(text)
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::CommandExt;
    use std::process::Command;

    use rustix::process::Signal;
    use serde_json::json;

    use super::{StateFile, clean_up, started};

    #[test]
    fn what_a_dead_xtask_left_is_ended_and_removed() {
        let folder = tempfile::tempdir().unwrap();
        let left = folder.path().join("left");
        std::fs::create_dir(&left).unwrap();
        let mut child = Command::new("sleep").arg("600").process_group(0).spawn().unwrap();
        let note = json!({
            "pid": std::process::id(), "started": "never",
            "processes": [{ "pid": child.id(), "started": started(child.id()), "signal": Signal::TERM.as_raw() }],
            "folders": [left],
        });
        let path = folder.path().join("1.json");
        std::fs::write(&path, note.to_string()).unwrap();
        clean_up(folder.path()).unwrap();
        assert!(!child.wait().unwrap().success());
        assert!(!left.exists());
        assert!(!path.exists());
    }

    #[test]
    fn a_process_that_only_has_the_number_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let mut child = Command::new("sleep").arg("600").process_group(0).spawn().unwrap();
        let note = json!({
            "pid": std::process::id(), "started": "never",
            "processes": [{ "pid": child.id(), "started": "another time", "signal": Signal::KILL.as_raw() }],
            "folders": [],
        });
        std::fs::write(folder.path().join("1.json"), note.to_string()).unwrap();
        clean_up(folder.path()).unwrap();
        assert!(child.try_wait().unwrap().is_none());
        child.kill().unwrap();
        child.wait().unwrap();
    }

    #[test]
    fn a_living_xtask_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let mut state = StateFile::create_in(folder.path()).unwrap();
        let mut child = Command::new("sleep").arg("600").process_group(0).spawn().unwrap();
        state.add_process(child.id(), Signal::KILL).unwrap();
        clean_up(folder.path()).unwrap();
        assert!(child.try_wait().unwrap().is_none());
        child.kill().unwrap();
        child.wait().unwrap();
        let path = state.path.clone();
        assert!(path.exists());
        drop(state);
        assert!(!path.exists());
    }
}

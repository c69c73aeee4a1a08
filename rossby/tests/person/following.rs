//! Somebody who follows: `inbox --follow --json`, whose lines are read as they come.

use std::process::Child;
use std::sync::Arc;

use serde_json::Value;

use crate::human::Human;
use crate::process::Lines;

/// A process that follows.
#[derive(Debug)]
pub(crate) struct Following {
    child: Child,
    lines: Arc<Lines>,
    errors: Arc<Lines>,
}

impl Human {
    /// Begins to follow.
    pub(crate) fn follows(&self) -> Following {
        let mut child = self.command(&["inbox", "--follow", "--json"]).spawn().unwrap();
        let (lines, errors) = (Arc::<Lines>::default(), Arc::<Lines>::default());
        lines.follow(child.stdout.take().unwrap());
        errors.follow(child.stderr.take().unwrap());
        Following { child, lines, errors }
    }
}

fn events(lines: &[String]) -> Vec<Value> {
    lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The texts of the messages that were shown.
pub(crate) fn texts(events: &[Value]) -> Vec<String> {
    let messages = events.iter().filter(|event| event["event"] == "message");
    messages.map(|message| message["text"].as_str().unwrap_or_default().to_owned()).collect()
}

impl Following {
    /// Waits until what was printed so far is so.
    pub(crate) fn until(&self, is_so: impl Fn(&[Value]) -> bool) -> Vec<Value> {
        self.lines.wait_until(|lines| Some(events(lines)).filter(|events| is_so(events)))
    }

    /// Waits until it is connected in this way, so often from its beginning.
    pub(crate) fn connected(&self, by: &str, times: usize) {
        let is_so = |event: &&Value| event["event"] == "connection" && event["connected"] == true && event["by"] == by;
        self.until(|events| events.iter().filter(is_so).count() >= times);
    }

    /// Waits until as many messages were shown as there are texts, and compares.
    pub(crate) fn shows(&self, expected: &[&str]) {
        let events = self.until(|events| texts(events).len() >= expected.len());
        assert_eq!(texts(&events), expected);
    }

    /// Ends it as Ctrl-C does. Gives all that it printed.
    pub(crate) fn stop(mut self) -> Vec<Value> {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
        let status = self.child.wait().unwrap();
        assert!(status.success(), "Ctrl-C is how one stops to follow: {status}\n{}", self.errors.all());
        self.until(|_| true)
    }

    /// Waits until it has ended by itself. Gives what it said at last.
    pub(crate) fn ends(mut self) -> Value {
        let status = self.child.wait().unwrap();
        assert!(!status.success());
        self.errors.wait_until(|lines| serde_json::from_str(lines.last()?).ok())
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

//! Large attachments: in little memory, and whoever dies half-way.

use std::process::{Child, Command};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::attachments::{MIB, Pair, id, octets};
use crate::process::{PATIENCE, Server};
use crate::set_up::SetUp;

/// The most memory that a process has had, in octets, as far as it lives.
fn peak(pid: u32) -> Option<usize> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let kib = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?.trim().strip_suffix(" kB")?;
    Some(kib.trim().parse::<usize>().ok()? * 1024)
}

/// Runs a command to its end. Gives the most memory that it has had.
fn peak_of(mut command: Command) -> usize {
    let mut child = command.spawn().unwrap();
    let (deadline, mut most) = (Instant::now() + PATIENCE, 0);
    loop {
        most = most.max(peak(child.id()).unwrap_or_default());
        if let Some(status) = child.try_wait().unwrap() {
            assert!(status.success(), "{:?}", child.wait_with_output());
            return most;
        }
        assert!(Instant::now() < deadline, "it took too long");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// A hundred megabytes, both ways, in memory that is a fraction of it.
pub(crate) fn large(set_up: &SetUp) {
    /// What a server takes by itself is well below, and a file well above.
    const SERVER: usize = 128 * MIB;
    const CLIENT: usize = 64 * MIB;
    let pair = Pair::new(set_up);
    let file = octets(100_000_000);
    let path = pair.file("large.bin", &file);
    let sending = peak_of(pair.ann.command(&["send", "ben@example.org", "--json", "--file", path.to_str().unwrap()]));
    let message = pair.next();
    let target = pair.target("came.bin");
    let to = target.to_str().unwrap();
    let fetching = peak_of(pair.ben.command(&["download", id(&message), "--json", "--to", to]));
    let serving = peak(pair.server.pid()).unwrap();
    assert!(std::fs::read(&target).unwrap() == file, "it came otherwise");
    assert!(serving < SERVER && sending < CLIENT && fetching < CLIENT, "{serving} {sending} {fetching}");
    // It can see what it looks for: this process holds the file.
    assert!(peak(std::process::id()).unwrap() > file.len());
    pair.server.stop();
}

/// A file goes up while the same home follows what comes: both go on to their end.
pub(crate) fn beside_following(set_up: &SetUp) {
    const STORED: &str = "rossby_blob_stored_octets_total";
    let pair = Pair::new(set_up);
    let following = pair.ann.follows();
    following.connected("stream", 1);
    pair.ben.done(&["send", "ann@example.org", "before"]);
    following.shows(&["before"]);
    let file = octets(40_000_000);
    let path = pair.file("long.bin", &file);
    let mut sending =
        pair.ann.command(&["send", "ben@example.org", "--json", "--file", path.to_str().unwrap()]).spawn().unwrap();
    let deadline = Instant::now() + PATIENCE;
    while figure(&pair.server, STORED) < 2e6 {
        assert!(
            sending.try_wait().unwrap().is_none() && Instant::now() < deadline,
            "it ended too soon, or never began"
        );
        std::thread::sleep(Duration::from_millis(2));
    }
    pair.ben.done(&["send", "ann@example.org", "meanwhile"]);
    following.shows(&["before", "meanwhile"]);
    let sent = sending.wait_with_output().unwrap();
    assert!(sent.status.success(), "{sent:?}");
    pair.ben.done(&["send", "ann@example.org", "afterwards"]);
    following.shows(&["before", "meanwhile", "afterwards"]);
    let events = following.stop();
    assert!(events.iter().all(|event| event["event"] != "warning"), "{events:?}");

    assert_eq!(pair.ann.done(&["uploads"])["uploads"], Value::Array(Vec::new()));
    let message = pair.next();
    let target = pair.target("came.bin");
    pair.ben.done(&["download", id(&message), "--to", target.to_str().unwrap()]);
    assert!(std::fs::read(&target).unwrap() == file, "it came otherwise");
    pair.server.stop();
}

/// A figure of the server's.
fn figure(server: &Server, name: &str) -> f64 {
    let operators = server.operators();
    let mut stream = std::net::TcpStream::connect(operators.strip_prefix("http://").unwrap()).unwrap();
    use std::io::{Read as _, Write as _};
    write!(stream, "GET /metrics HTTP/1.1\r\nhost: operators\r\nconnection: close\r\n\r\n").unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ').map(str::to_owned));
    line.map_or(0.0, |value| value.parse().unwrap())
}

/// Waits until a process has come so far, and ends it as a loss of power would.
fn kill_once(child: &mut Child, what: &str, is_so: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(child.try_wait().unwrap().is_none(), "it ended before it could be killed: {what}");
        assert!(Instant::now() < deadline, "never came: {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
    child.kill().unwrap();
    child.wait().unwrap();
}

/// The client, then the server, dies half-way up; then the client half-way down. What was there is not sent again.
pub(crate) fn survives(set_up: &SetUp) {
    const STORED: &str = "rossby_blob_stored_octets_total";
    const READ: &str = "rossby_blob_read_octets_total";
    let mut pair = Pair::new(set_up);
    let file = octets(50_000_000);
    let path = pair.file("long.bin", &file);
    let arguments = ["send", "ben@example.org", "--json", "--file", path.to_str().unwrap()];
    let mut sending = pair.ann.command(&arguments).spawn().unwrap();
    kill_once(&mut sending, "a part is stored", || figure(&pair.server, STORED) > 5e6);
    let stored = figure(&pair.server, STORED);
    let waiting = pair.ann.done(&["uploads"]);
    assert_eq!(waiting["uploads"][0]["name"], "long.bin", "{waiting}");
    // From here on it depends on the file no more.
    std::fs::write(&path, "another").unwrap();

    let mut again = pair.ann.command(&["uploads", "--go-on", "--json"]).spawn().unwrap();
    let deadline = Instant::now() + PATIENCE;
    while figure(&pair.server, STORED) < stored + 5e6 {
        assert!(
            again.try_wait().unwrap().is_none() && Instant::now() < deadline,
            "it ended too soon, or never came on"
        );
        std::thread::sleep(Duration::from_millis(2));
    }
    let port = pair.server.port();
    pair.server.kill();
    // It asks again for a while, which may be long enough.
    pair.server = set_up.start(&pair.folder.path().join("data"), port);
    again.wait().unwrap();
    pair.ann.done(&["uploads", "--go-on"]);
    assert_eq!(pair.ann.done(&["uploads"])["uploads"], Value::Array(Vec::new()));
    // What was stored before the server died it didn't store again.
    assert!(figure(&pair.server, STORED) < 45e6, "{}", figure(&pair.server, STORED));

    let message = pair.next();
    let target = pair.target("long.copy");
    let to = target.to_str().unwrap();
    let mut fetching = pair.ben.command(&["download", id(&message), "--json", "--to", to]).spawn().unwrap();
    let part = || {
        let entries = std::fs::read_dir(pair.folder.path()).unwrap().flatten();
        let mut parts = entries.filter(|entry| entry.file_name().to_string_lossy().ends_with(".part"));
        parts.next().map_or(0, |part| part.metadata().unwrap().len())
    };
    kill_once(&mut fetching, "a part has come", || part() > 5_000_000);
    assert!(!target.exists());
    let (have, read) = (part(), figure(&pair.server, READ));
    pair.ben.done(&["download", id(&message), "--to", to]);
    assert!(std::fs::read(&target).unwrap() == file, "it came otherwise");
    let total = 50_331_648.0 + 24.0 + 768.0 * 16.0;
    assert_eq!(figure(&pair.server, READ) - read, total - have as f64, "it went on where it was");
    assert_eq!(part(), 0);
    pair.server.stop();
}

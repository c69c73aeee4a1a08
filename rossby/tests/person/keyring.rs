//! A home that is locked with the system's keyring: a real Secret Service, on a bus of its own.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::json;

use crate::human::Human;
use crate::set_up::SetUp;

/// A session with a keyring, as a desktop has it.
struct Session {
    child: Child,
    address: String,
}

impl Session {
    fn start(folder: &Path) -> Self {
        let runtime = folder.join("runtime");
        fs::create_dir_all(&runtime).unwrap();
        fs::set_permissions(&runtime, fs::Permissions::from_mode(0o700)).unwrap();
        // The keyring's own passphrase is all of its input.
        let script = "printf secret | gnome-keyring-daemon --unlock --components=secrets; \
                      echo \"$DBUS_SESSION_BUS_ADDRESS\"; exec cat";
        let mut child = Command::new("dbus-run-session")
            .args(["--", "sh", "-c", script])
            .env("HOME", folder)
            .env("XDG_DATA_HOME", folder.join("share"))
            .env("XDG_RUNTIME_DIR", &runtime)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let address = lines.find_map(|line| line.ok().filter(|line| line.starts_with("unix:"))).unwrap();
        Self { child, address }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // Its shell ends with its input, and the bus and the keyring with it.
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

/// Has someone register with the keyring, talk, come back in the next session, and leave the keyring again.
pub(crate) fn holds_the_keys(set_up: &SetUp) {
    let folder = tempfile::tempdir().unwrap();
    let server = set_up.start(&folder.path().join("data"), 0);
    let ben = Human::new(folder.path(), "ben@example.org", &server);
    ben.join(&server);
    let alone = Human::new(folder.path(), "ann@example.org", &server);
    let keyrings = folder.path().join("desktop");

    let session = Session::start(&keyrings);
    let ann = alone.with("DBUS_SESSION_BUS_ADDRESS", &session.address);
    ann.done(&["register", "ann@example.org", "--keyring"]);
    let code = server.code_for("mailto:ann@example.org");
    ann.done(&["authorize", &code]);
    assert_eq!(ann.done(&["whoami"])["lock"], "keyring");
    assert!(!ann.home.join("key").exists());
    ben.done(&["send", "ann@example.org", "in the first session"]);
    ann.reads(&["in the first session"]);
    drop(session);

    // The home alone is locked; another session with the same keyring opens it.
    let nowhere = format!("unix:path={}", folder.path().join("no-bus").display());
    assert_eq!(alone.with("DBUS_SESSION_BUS_ADDRESS", &nowhere).refused(&["inbox"]).0, "keyring");
    let session = Session::start(&keyrings);
    let ann = alone.with("DBUS_SESSION_BUS_ADDRESS", &session.address);
    ben.done(&["send", "ann@example.org", "in the second session"]);
    ann.reads(&["in the second session"]);
    ann.done(&["send", "ben@example.org", "from the second session"]);
    ben.reads(&["from the second session"]);

    // A strange keyring has none of the keys.
    let strange = Session::start(&folder.path().join("another desktop"));
    let (error, text) = alone.with("DBUS_SESSION_BUS_ADDRESS", &strange.address).refused(&["inbox"]);
    assert!(error == "locked" && text.contains("does not have this home's key"), "{error}: {text}");

    // Out of the keyring and into it again.
    ann.with("ROSSBY_NEW_PASSPHRASE", "correct horse").done(&["passphrase"]);
    let by_passphrase = alone.with("ROSSBY_PASSPHRASE", "correct horse");
    ben.done(&["send", "ann@example.org", "by passphrase"]);
    by_passphrase.with("DBUS_SESSION_BUS_ADDRESS", &nowhere).reads(&["by passphrase"]);
    assert_eq!(ann.with("ROSSBY_PASSPHRASE", "correct horse").done(&["passphrase", "--to-keyring"])["lock"], "keyring");
    ben.done(&["send", "ann@example.org", "by keyring"]);
    ann.reads(&["by keyring"]);
    assert_eq!(ann.done(&["whoami"])["warnings"], json!([]));
    server.stop();
}

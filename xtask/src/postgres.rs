//! A real PostgreSQL, without Docker, with `deploy/postgres/postgresql.conf`.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use rustix::process::Signal;

use crate::processes::{Ending, Handle, Processes, Start, describe};
use crate::setup::Ready;
use crate::tools::{User, unprivileged_user};
use crate::{layout, logs};

/// The superuser that tests and Rossby log in as.
const ROLE: &str = "rossby";
/// How long a server may take to start.
const PATIENCE: Duration = Duration::from_secs(60);

/// A server that has been started.
pub(crate) struct Server {
    /// Its process.
    pub(crate) handle: Handle,
    /// Where it listens.
    port: u16,
    /// What it writes.
    pub(crate) log: PathBuf,
}

impl Server {
    /// Where clients reach a database of it, as a role that may make others.
    pub(crate) fn url_of(&self, database: &str) -> String {
        url(self.port, database)
    }

    /// Makes a database if there is none of that name.
    pub(crate) fn ensure_database(&self, ready: &Ready, name: &str) -> anyhow::Result<()> {
        let url = self.url_of("postgres");
        let exists = query(ready, &url, &format!("select 1 from pg_database where datname = '{name}'"))?;
        if exists.is_empty() {
            query(ready, &url, &format!("create database {name}"))?;
        }
        Ok(())
    }
}

fn url(port: u16, database: &str) -> String {
    format!("postgres://{ROLE}@127.0.0.1:{port}/{database}")
}

/// What psql prints for one statement.
fn query(ready: &Ready, url: &str, statement: &str) -> anyhow::Result<String> {
    let output = Command::new(ready.tools.postgres.join("psql"))
        .args(["--no-psqlrc", "--no-password", "--quiet", "--tuples-only", "--no-align", "--command", statement, url])
        .stdin(Stdio::null())
        .output()
        .context("running psql")?;
    if !output.status.success() {
        bail!("`{statement}` failed:\n{}", String::from_utf8_lossy(&output.stderr).trim_end());
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Where a server keeps its data, on which port it listens, and how it ends.
pub(crate) struct Place<'a> {
    /// Its folder.
    pub(crate) folder: &'a Path,
    /// For clients.
    pub(crate) port: u16,
    /// Whether its data is needed again.
    pub(crate) is_kept: bool,
}

/// Starts a server, on a new database cluster if its folder has none, and waits until queries are answered.
///
/// Run by root it gives the folder to an unprivileged user, since PostgreSQL refuses to be run by root.
pub(crate) fn start(processes: &mut Processes, ready: &Ready, place: &Place<'_>) -> anyhow::Result<Server> {
    let user = unprivileged_user();
    fs::create_dir_all(place.folder)?;
    fs::set_permissions(place.folder, fs::Permissions::from_mode(0o700))?;
    if let Some(user) = user {
        chown(place.folder, Some(user.uid), Some(user.gid))?;
    }
    let data = place.folder.join("data");
    if !data.join("PG_VERSION").exists() {
        make_cluster(ready, &data, place.folder, user)?;
    }
    let shared = layout::workspace().join("deploy/postgres/postgresql.conf");
    let settings = place.folder.join("postgresql.conf");
    fs::copy(&shared, &settings).with_context(|| format!("copying {}", shared.display()))?;
    fs::set_permissions(&settings, fs::Permissions::from_mode(0o644))?;

    let log = place.folder.join("postgres.log");
    let mut command = Command::new(ready.tools.postgres.join("postgres"));
    command.arg("-D").arg(&data).current_dir(place.folder);
    for setting in [
        format!("config_file={}", settings.display()),
        format!("data_directory={}", data.display()),
        format!("port={}", place.port),
        "listen_addresses=127.0.0.1".to_owned(),
        format!("unix_socket_directories={}", place.folder.display()),
    ] {
        command.arg("-c").arg(setting);
    }
    // SIGQUIT: at once, but its processes and shared memory go with it, which SIGKILL would leave behind.
    let ending = if place.is_kept {
        Ending::graceful(Signal::INT)
    } else {
        Ending { signal: Signal::QUIT, patience: Duration::from_secs(5) }
    };
    let handle = processes.start(&Start { name: "PostgreSQL", command: &command, user, log: Some(&log), ending })?;
    wait_until_ready(processes, handle, ready, &url(place.port, "postgres"), &log)?;
    Ok(Server { handle, port: place.port, log })
}

fn make_cluster(ready: &Ready, data: &Path, folder: &Path, user: Option<User>) -> anyhow::Result<()> {
    let mut command = Command::new(ready.tools.postgres.join("initdb"));
    command
        .args(["--auth=trust", "--encoding=UTF8", "--locale=C", "--username", ROLE, "--pgdata"])
        .arg(data)
        .current_dir(folder)
        .stdin(Stdio::null());
    if let Some(user) = user {
        command.uid(user.uid).gid(user.gid);
    }
    let output = command.output().context("running initdb")?;
    if !output.status.success() {
        bail!("initdb failed:\n{}", String::from_utf8_lossy(&output.stderr).trim_end());
    }
    Ok(())
}

fn wait_until_ready(
    processes: &mut Processes,
    handle: Handle,
    ready: &Ready,
    url: &str,
    log: &Path,
) -> anyhow::Result<()> {
    let deadline = Instant::now() + PATIENCE;
    while processes.is_running(handle)? {
        // Connections are refused until it is ready.
        if query(ready, url, "select 'ready'").is_ok_and(|answer| answer == "ready") {
            return Ok(());
        }
        if Instant::now() > deadline {
            processes.stop(handle);
            bail!("PostgreSQL was not ready after {} s; {}", PATIENCE.as_secs(), logs::ending("PostgreSQL", log));
        }
        processes.pause(Duration::from_millis(50))?;
    }
    let status = processes.status(handle).map(describe).unwrap_or_default();
    processes.stop(handle);
    bail!("PostgreSQL has ended while starting, with {status}; {}", logs::ending("PostgreSQL", log))
}

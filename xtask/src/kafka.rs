//! A real Kafka broker, without Docker: KRaft combined mode from the jars, with `deploy/kafka/server.properties`.

use std::fs;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use rustix::process::Signal;

use crate::processes::{Ending, Handle, Processes, Start, describe};
use crate::setup::Ready;
use crate::{layout, logs};

/// 16 bytes in base64url; each broker is a cluster of its own, so that one id does for all.
const CLUSTER_ID: &str = "cm9zc2J5LWRldmVsb3A";
/// How much memory a broker's heap may take; the same stands in docker-compose.yml.
pub(crate) const HEAP: &str = "-Xmx512m";
/// How long a broker may take to start.
const PATIENCE: Duration = Duration::from_secs(90);

/// A broker that has been started.
pub(crate) struct Broker {
    /// Its process.
    pub(crate) handle: Handle,
    /// Where clients reach it.
    pub(crate) address: SocketAddr,
    /// What it writes.
    pub(crate) log: PathBuf,
}

/// Where a broker keeps its data, on which ports it listens, and how it ends.
pub(crate) struct Place<'a> {
    /// Its folder, which lasts as long as it wants to.
    pub(crate) folder: &'a Path,
    /// For clients.
    pub(crate) port: u16,
    /// For the controller.
    pub(crate) controller_port: u16,
    /// Whether its data is needed again.
    pub(crate) is_kept: bool,
}

/// Starts a broker and waits until clients can use it.
///
/// Fails with the end of its log when it ends before that, or takes too long.
pub(crate) fn start(processes: &mut Processes, ready: &Ready, place: &Place<'_>) -> anyhow::Result<Broker> {
    fs::create_dir_all(place.folder)?;
    let settings = place.folder.join("server.properties");
    let shared = layout::workspace().join("deploy/kafka/server.properties");
    let shared = fs::read_to_string(&shared).with_context(|| format!("reading {}", shared.display()))?;
    fs::write(&settings, shared + &lines_of_the_place(place))?;
    format_storage(ready, &settings)?;

    let log = place.folder.join("kafka.log");
    let log4j = layout::workspace().join("xtask/kafka/log4j2.properties");
    let mut command = java(ready);
    command.arg(HEAP).arg(format!("-Dlog4j2.configurationFile={}", log4j.display())).arg("kafka.Kafka").arg(&settings);
    let ending = if place.is_kept { Ending::graceful(Signal::TERM) } else { Ending::KILL };
    let handle = processes.start(&Start { name: "Kafka", command: &command, user: None, log: Some(&log), ending })?;
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, place.port));
    wait_until_ready(processes, handle, address, &log)?;
    Ok(Broker { handle, address, log })
}

/// What depends on the place, and follows the shared settings.
pub(crate) fn lines_of_the_place(place: &Place<'_>) -> String {
    let Place { folder, port, controller_port, .. } = place;
    format!(
        "\n# Of this broker.\n\
         listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}\n\
         advertised.listeners=PLAINTEXT://127.0.0.1:{port}\n\
         controller.quorum.voters=1@127.0.0.1:{controller_port}\n\
         log.dirs={}\n",
        folder.join("data").display()
    )
}

fn java(ready: &Ready) -> Command {
    let mut command = Command::new(&ready.tools.java);
    command.arg("-cp").arg(ready.jars.join("*"));
    command
}

fn format_storage(ready: &Ready, settings: &Path) -> anyhow::Result<()> {
    let output = java(ready)
        .args(["kafka.tools.StorageTool", "format", "--ignore-formatted", "--cluster-id", CLUSTER_ID, "--config"])
        .arg(settings)
        .stdin(Stdio::null())
        .output()
        .context("running Kafka's StorageTool")?;
    if !output.status.success() {
        let said = [output.stdout, output.stderr].concat();
        bail!("Kafka's storage could not be formatted:\n{}", String::from_utf8_lossy(&said).trim_end());
    }
    Ok(())
}

fn wait_until_ready(processes: &mut Processes, handle: Handle, address: SocketAddr, log: &Path) -> anyhow::Result<()> {
    let deadline = Instant::now() + PATIENCE;
    while processes.is_running(handle)? {
        if brokers(address).is_ok_and(|brokers| brokers > 0) {
            return Ok(());
        }
        if Instant::now() > deadline {
            processes.stop(handle);
            bail!("Kafka was not ready after {} s; {}", PATIENCE.as_secs(), logs::ending("Kafka", log));
        }
        processes.pause(Duration::from_millis(50))?;
    }
    let status = processes.status(handle).map(describe).unwrap_or_default();
    processes.stop(handle);
    bail!("Kafka has ended while starting, with {status}; {}", logs::ending("Kafka", log))
}

/// How many brokers the one at `address` knows that can be used. A broker takes connections before it is unfenced, and
/// can't yet make topics then; its answer to Metadata (key 3, version 1) lists unfenced brokers only.
fn brokers(address: SocketAddr) -> io::Result<u32> {
    let patience = Duration::from_secs(2);
    let mut stream = TcpStream::connect_timeout(&address, patience)?;
    stream.set_read_timeout(Some(patience))?;
    stream.set_write_timeout(Some(patience))?;
    stream.write_all(&METADATA_REQUEST)?;
    // Size, correlation id, number of brokers.
    let mut answer = [0; 12];
    stream.read_exact(&mut answer)?;
    let [.., a, b, c, d] = answer;
    Ok(u32::from_be_bytes([a, b, c, d]))
}

/// Size, key 3, version 1, correlation id 7, no client id, no topics.
const METADATA_REQUEST: [u8; 18] = [0, 0, 0, 14, 0, 3, 0, 1, 0, 0, 0, 7, 0xff, 0xff, 0, 0, 0, 0];

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{METADATA_REQUEST, Place, lines_of_the_place};

    #[test]
    fn the_request_states_its_own_size() {
        let [a, b, c, d, rest @ ..] = METADATA_REQUEST;
        assert_eq!(u32::from_be_bytes([a, b, c, d]) as usize, rest.len());
    }

    #[test]
    fn a_broker_listens_on_the_loopback_interface_only() {
        let place = Place { folder: Path::new("/somewhere"), port: 1, controller_port: 2, is_kept: false };
        let lines = lines_of_the_place(&place);
        assert!(lines.contains("listeners=PLAINTEXT://127.0.0.1:1,CONTROLLER://127.0.0.1:2\n"), "{lines}");
        assert!(!lines.contains("0.0.0.0"), "{lines}");
    }
}

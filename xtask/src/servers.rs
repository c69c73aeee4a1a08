//! A Kafka and a PostgreSQL for as long as a verb of xtask runs, on free ports, in temporary folders.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::time::Instant;

use anyhow::bail;

use crate::free_port::free_ports;
use crate::kafka::{self, Broker};
use crate::logs;
use crate::postgres::{self, Server};
use crate::processes::{Handle, Interrupted, Processes};
use crate::setup::{self, Ready};
use crate::tools::Purpose;

/// How often servers are tried with other ports: another process may take a port between finding and using it.
const TRIES: usize = 3;

/// Both servers, started.
pub(crate) struct Servers {
    kafka: Broker,
    postgres: Server,
    /// What a test starts a Kafka or a MirrorMaker of its own with.
    java: PathBuf,
    jars: PathBuf,
}

impl Servers {
    /// Starts both and waits until both can be used.
    pub(crate) fn start(processes: &mut Processes, ready: &Ready) -> anyhow::Result<Self> {
        let folder = processes.temporary_folder()?;
        // PostgreSQL's own user must be able to reach the folder in it.
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o711))?;
        println!("servers, in {}", folder.display());
        let begin = Instant::now();
        let postgres = try_again(|number| {
            let [port] = free_ports()?;
            let place = folder.join(format!("postgres-{number}"));
            postgres::start(processes, ready, &postgres::Place { folder: &place, port, is_kept: false })
        })?;
        println!("  PostgreSQL  {}  ({:.1} s)", postgres.url_of("postgres"), begin.elapsed().as_secs_f64());
        let begin = Instant::now();
        let kafka = try_again(|number| {
            let [port, controller_port] = free_ports()?;
            let place = folder.join(format!("kafka-{number}"));
            kafka::start(processes, ready, &kafka::Place { folder: &place, port, controller_port, is_kept: false })
        })?;
        println!("  Kafka       {}  ({:.1} s)", kafka.address, begin.elapsed().as_secs_f64());
        Ok(Self { kafka, postgres, java: ready.tools.java.clone(), jars: ready.jars.clone() })
    }

    /// What tests find in their environment.
    pub(crate) fn variables(&self) -> Vec<(&'static str, String)> {
        vec![
            ("ROSSBY_TEST_KAFKA", self.kafka.address.to_string()),
            ("ROSSBY_TEST_KAFKA_PID", self.kafka.handle.pid().to_string()),
            ("ROSSBY_TEST_POSTGRES", self.postgres.url_of("postgres")),
            ("ROSSBY_TEST_JAVA", self.java.display().to_string()),
            ("ROSSBY_TEST_KAFKA_JARS", self.jars.display().to_string()),
        ]
    }

    /// Their processes.
    pub(crate) fn handles(&self) -> [Handle; 2] {
        [self.kafka.handle, self.postgres.handle]
    }

    /// The servers' log files, with their names.
    pub(crate) fn logs(&self) -> [(&'static str, &std::path::Path); 2] {
        [("Kafka", &self.kafka.log), ("PostgreSQL", &self.postgres.log)]
    }
}

fn try_again<T>(mut start: impl FnMut(usize) -> anyhow::Result<T>) -> anyhow::Result<T> {
    for number in 1..TRIES {
        match start(number) {
            Ok(started) => return Ok(started),
            Err(error) if error.is::<Interrupted>() => return Err(error),
            Err(error) => eprintln!("{error:#}\n  trying again with another port"),
        }
    }
    start(TRIES)
}

/// Starts both, prints how tests reach them, and waits for Ctrl-C.
pub(crate) fn run(processes: &mut Processes) -> anyhow::Result<()> {
    let ready = setup::run(Purpose::Tests)?;
    let servers = Servers::start(processes, &ready)?;
    println!("\nrun in the shell that is to use them; Ctrl-C here ends them:\n");
    for (name, value) in servers.variables() {
        println!("export {name}={value}");
    }
    let ended = processes.wait_for_end()?.to_owned();
    let logs: String = servers.logs().iter().map(|(name, log)| format!("\n{}", logs::ending(name, log))).collect();
    bail!("{ended} has ended by itself{logs}")
}

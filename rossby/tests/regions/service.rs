//! The two regions and what they are made of.

use std::fs::{self, File};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Instant;

use rustix::process::{Pid, Signal, kill_process};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

use crate::human::Human;
use crate::process::{PATIENCE, Server};

/// Fields are dropped in their order: the servers first, Kafka last.
pub(crate) struct TwoRegions {
    pub(crate) east: Server,
    pub(crate) west: Server,
    _mirrors: [Java; 2],
    /// The west's Kafka. The east has topics of its own on the one that all tests share.
    broker: Java,
    settings: PathBuf,
    pub(crate) folder: tempfile::TempDir,
}

/// A Java process, which ends when it is dropped.
struct Java(Child);

impl Drop for Java {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name}: `cargo xtask test` sets it"))
}

/// Ports that were free a moment ago.
fn free_ports<const N: usize>() -> [u16; N] {
    let listeners = [(); N].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    listeners.map(|listener| listener.local_addr().unwrap().port())
}

fn java(arguments: &[&str]) -> Command {
    let mut command = Command::new(variable("ROSSBY_TEST_JAVA"));
    let log4j = Path::new(env!("CARGO_MANIFEST_DIR")).join("../xtask/kafka/log4j2.properties");
    command.arg(format!("-Dlog4j2.configurationFile={}", log4j.display()));
    command.args(["-Xmx512m", "-XX:TieredStopAtLevel=1", "-cp", &format!("{}/*", variable("ROSSBY_TEST_KAFKA_JARS"))]);
    command.args(arguments).stdin(Stdio::null());
    command
}

impl Java {
    fn start(arguments: &[&str], log: &Path) -> Self {
        let log = File::create(log).unwrap();
        Self(java(arguments).stderr(log.try_clone().unwrap()).stdout(log).spawn().unwrap())
    }
}

fn rossby(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_rossby")).args(arguments).output().unwrap()
}

/// Runs until it succeeds.
fn until_done(arguments: &[&str]) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let output = rossby(arguments);
        if output.status.success() {
            return;
        }
        assert!(Instant::now() < deadline, "{output:?}");
    }
}

impl TwoRegions {
    pub(crate) async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let name = format!("regions_{}", uuid::Uuid::new_v4().simple());
        let databases = [make_database(&format!("{name}_east")).await, make_database(&format!("{name}_west")).await];
        let place = folder.path().to_owned();
        let started = tokio::task::spawn_blocking(move || start(&place, &name, &databases)).await.unwrap();
        let (east, west, mirrors, broker, settings) = started;
        Self { east, west, _mirrors: mirrors, broker, settings, folder }
    }

    /// Waits until all that one region has written is in the other, as an operator sees it.
    pub(crate) fn nothing_is_behind(&self) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let output = rossby(&["mirror", "status", "--config", &self.settings.display().to_string(), "--json"]);
            assert!(output.status.success(), "{output:?}");
            let document: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
            let regions = document["regions"].as_array().unwrap();
            let mirrored: Vec<_> = regions.iter().flat_map(|region| region["mirrored"].as_array().unwrap()).collect();
            // Five topics of two partitions, both ways.
            assert_eq!(mirrored.len(), 20, "{document}");
            if mirrored.iter().all(|mirrored| mirrored["behind"] == 0) {
                return;
            }
            assert!(Instant::now() < deadline, "{document}");
        }
    }

    /// Both mirrors copy each record once, as Kafka Connect says.
    pub(crate) fn mirrors_are_exactly_once(&self) {
        for region in ["east", "west"] {
            let log = fs::read_to_string(self.folder.path().join(format!("mirror-to-{region}.log"))).unwrap();
            assert!(log.contains("ExactlyOnceWorkerSourceTask{id=MirrorSourceConnector-0}"), "{log}");
        }
    }

    /// The west's Kafka stands still: connections stay, and nothing is answered.
    pub(crate) fn pause_west(&self) {
        kill_process(Pid::from_child(&self.broker.0), Signal::STOP).unwrap();
    }

    pub(crate) fn continue_west(&self) {
        kill_process(Pid::from_child(&self.broker.0), Signal::CONT).unwrap();
    }

    /// Waits until each device sees so many devices of its account, and has taken what it was sent about them.
    pub(crate) fn are_seen(&self, devices: &[(&Human, usize)]) {
        for (device, number) in devices {
            device.settles_quietly();
            device.until(&["devices"], |devices| devices["devices"].as_array().unwrap().len() == *number);
        }
    }

    /// In both regions all topics are there as they must be, mirrored ones too.
    pub(crate) fn topics_are_right(&self) {
        let output = rossby(&["topics", "check", "--config", &self.settings.display().to_string(), "--json"]);
        assert!(output.status.success(), "{output:?}");
        let document: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        for (region, other) in [("east", "west"), ("west", "east")] {
            let found = document["regions"].as_array().unwrap().iter().find(|found| found["region"] == region).unwrap();
            let names: Vec<&str> =
                found["topics"].as_array().unwrap().iter().map(|topic| topic["topic"].as_str().unwrap()).collect();
            assert_eq!(names.len(), 12, "{names:?}");
            assert!(names.contains(&"rossby.keys") && names.contains(&&*format!("{other}.rossby.keys")), "{names:?}");
        }
    }
}

type Started = (Server, Server, [Java; 2], Java, PathBuf);

fn start(folder: &Path, name: &str, databases: &[String; 2]) -> Started {
    let [broker_port, controller_port, to_east, to_west] = free_ports();
    let broker = start_broker(folder, broker_port, controller_port);
    let settings = folder.join("rossby.toml");
    let secrets = folder.join("secrets.toml");
    assert!(rossby(&["secrets", "new", &secrets.display().to_string()]).status.success());
    let text = format!(
        "[region]\nnumber = 1\nname = \"east\"\n\
         [log]\nprovider = \"kafka\"\npartitions = 2\nkafka_replication = 1\nkafka_min_insync_replicas = 1\n\
         kafka_topic_prefix = \"{name}-\"\n\
         [secrets]\nfile = {secrets:?}\n[blobs]\nfolder = {:?}\n\
         [[regions]]\nnumber = 1\nname = \"east\"\nkafka_brokers = \"{}\"\n\
         [[regions]]\nnumber = 2\nname = \"west\"\nkafka_brokers = \"127.0.0.1:{broker_port}\"\nidentifier_slots = \"0-1023\"\n",
        folder.join("blobs"),
        variable("ROSSBY_TEST_KAFKA"),
    );
    fs::write(&settings, text).unwrap();
    let config = settings.display().to_string();
    // The broker is up once it has all topics.
    until_done(&["topics", "apply", "--config", &config]);
    let mirrors = [("east", to_east), ("west", to_west)].map(|(region, port)| {
        let file = folder.join(format!("{region}.properties")).display().to_string();
        let listen = format!("http://127.0.0.1:{port}");
        let written = rossby(&[
            "mirror",
            "config",
            "--config",
            &config,
            "--region",
            region,
            "--mirror-listen",
            &listen,
            "--out",
            &file,
        ]);
        assert!(written.status.success(), "{written:?}");
        let log = folder.join(format!("mirror-to-{region}.log"));
        Java::start(&["org.apache.kafka.connect.mirror.MirrorMaker", &file], &log)
    });
    let server = |number: u8, region: &str, database: &String| {
        let settings = [
            ("ROSSBY_CONFIG", &config),
            ("ROSSBY_REGION__NUMBER", &number.to_string()),
            ("ROSSBY_REGION__NAME", &region.to_owned()),
            ("ROSSBY_READ_MODELS__URL", database),
        ];
        let settings = settings.map(|(name, value)| (name.to_owned(), value.clone()));
        Server::start(&settings, &folder.join(region), 0)
    };
    let (east, west) = (server(1, "east", &databases[0]), server(2, "west", &databases[1]));
    (east, west, mirrors, broker, settings)
}

fn start_broker(folder: &Path, port: u16, controller_port: u16) -> Java {
    let settings = folder.join("server.properties");
    let shared = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/kafka/server.properties");
    let own = format!(
        "\nlisteners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}\n\
         advertised.listeners=PLAINTEXT://127.0.0.1:{port}\n\
         controller.quorum.voters=1@127.0.0.1:{controller_port}\nlog.dirs={}\n",
        folder.join("kafka").display()
    );
    fs::write(&settings, fs::read_to_string(shared).unwrap() + &own).unwrap();
    let settings = settings.display().to_string();
    let format = ["kafka.tools.StorageTool", "format", "--cluster-id", "cm9zc2J5LXJlZ2lvbnM", "--config", &settings];
    let formatted = java(&format).output().unwrap();
    assert!(formatted.status.success(), "{formatted:?}");
    Java::start(&["kafka.Kafka", &settings], &folder.join("kafka.log"))
}

async fn make_database(name: &str) -> String {
    let admin = variable("ROSSBY_TEST_POSTGRES");
    let mut connection = PgConnection::connect(&admin).await.unwrap();
    sqlx::query(AssertSqlSafe(format!("create database {name}"))).execute(&mut connection).await.unwrap();
    format!("{}/{name}", admin.rsplit_once('/').unwrap().0)
}

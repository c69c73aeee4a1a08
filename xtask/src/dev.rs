//! `cargo xtask dev`: Rossby on a real Kafka and a real PostgreSQL, for a person to use. Data is kept between runs.

use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail};
use clap::Args;
use rustix::process::Signal;

use crate::kafka::{self, Broker};
use crate::postgres::{self, Server};
use crate::processes::{Ending, Processes, Start};
use crate::tools::{self, Purpose};
use crate::{cargo, layout, logs, setup};

/// Where Kafka listens, here and in docker-compose.yml.
pub(crate) const KAFKA_PORT: u16 = 29092;
/// Where Kafka's controller listens.
const CONTROLLER_PORT: u16 = 29093;
/// Where PostgreSQL listens, here and in docker-compose.yml.
pub(crate) const POSTGRES_PORT: u16 = 25432;
/// Where Rossby listens, here and in docker-compose.yml.
pub(crate) const ROSSBY_PORT: u16 = 7700;
/// Where Rossby tells how it is, here and in docker-compose.yml.
pub(crate) const OPERATOR_PORT: u16 = 7701;
/// Rossby's database, here and in docker-compose.yml.
pub(crate) const DATABASE: &str = "rossby";
/// Rossby's settings; docker-compose.yml has those of two regions.
pub(crate) const SETTINGS: &str = "deploy/rossby.toml";

/// How to start them.
#[derive(Args)]
pub(crate) struct Options {
    /// Throw away what earlier runs have kept
    #[arg(long)]
    fresh: bool,
    /// Build Rossby without optimisation, which is quicker
    #[arg(long)]
    debug: bool,
    /// Where Kafka listens
    #[arg(long, value_name = "PORT", default_value_t = KAFKA_PORT)]
    kafka_port: u16,
    /// Where Kafka's controller listens
    #[arg(long, value_name = "PORT", default_value_t = CONTROLLER_PORT)]
    controller_port: u16,
    /// Where PostgreSQL listens
    #[arg(long, value_name = "PORT", default_value_t = POSTGRES_PORT)]
    postgres_port: u16,
    /// Where Rossby listens
    #[arg(long, value_name = "PORT", default_value_t = ROSSBY_PORT)]
    port: u16,
    /// Where Rossby tells how it is
    #[arg(long, value_name = "PORT", default_value_t = OPERATOR_PORT)]
    operator_port: u16,
}

/// Starts everything and waits for Ctrl-C.
pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    let mut processes = Processes::new()?;
    let ready = setup::run(Purpose::Servers)?;
    let folder = folder()?;
    let ports =
        [options.kafka_port, options.controller_port, options.postgres_port, options.port, options.operator_port];
    ports.iter().try_for_each(|port| check_is_free(*port))?;
    if options.fresh && folder.exists() {
        fs::remove_dir_all(&folder).with_context(|| format!("removing {}", folder.display()))?;
    }
    // PostgreSQL's own user must be able to reach the folder in it.
    fs::create_dir_all(&folder)?;
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o711))?;
    build(&mut processes, options)?;

    println!("\nservers, with their data in {}", folder.display());
    let (kafka, postgres) = start_servers(&mut processes, &ready, options, &folder)?;
    println!("  PostgreSQL  {}", postgres.url_of(DATABASE));
    println!("  Kafka       {}", kafka.address);
    println!("  Rossby      http://127.0.0.1:{}", options.port);
    println!("  figures     http://127.0.0.1:{}/metrics\n", options.operator_port);

    let secrets = folder.join("secrets.toml");
    if !secrets.exists() {
        let mut command = cargo_run(options);
        command.args(["secrets", "new"]).arg(&secrets);
        cargo::run(&mut processes, &command, &[])?;
    }
    let mut command = cargo_run(options);
    command.arg("serve").arg("--config").arg(layout::workspace().join(SETTINGS));
    command.envs(variables(&kafka, &postgres, options, &folder, &secrets));
    let ending = Ending::graceful(Signal::TERM);
    processes.start(&Start { name: "Rossby", command: &command, user: None, log: None, ending })?;
    println!("Ctrl-C ends all of them\n");
    match processes.wait_for_end()? {
        "Rossby" => bail!("Rossby has ended by itself"),
        "Kafka" => bail!("Kafka has ended by itself; {}", logs::ending("Kafka", &kafka.log)),
        name => bail!("{name} has ended by itself; {}", logs::ending(name, &postgres.log)),
    }
}

/// What depends on the place, and so isn't in the settings file.
fn variables(
    kafka: &Broker,
    postgres: &Server,
    options: &Options,
    folder: &Path,
    secrets: &Path,
) -> [(&'static str, String); 6] {
    [
        ("ROSSBY_LOG__KAFKA_BROKERS", kafka.address.to_string()),
        ("ROSSBY_READ_MODELS__URL", postgres.url_of(DATABASE)),
        ("ROSSBY_SERVER__LISTEN", format!("127.0.0.1:{}", options.port)),
        ("ROSSBY_SERVER__OPERATOR_LISTEN", format!("127.0.0.1:{}", options.operator_port)),
        ("ROSSBY_SERVER__DATA_DIR", folder.join("rossby").display().to_string()),
        ("ROSSBY_SECRETS__FILE", secrets.display().to_string()),
    ]
}

fn start_servers(
    processes: &mut Processes,
    ready: &setup::Ready,
    options: &Options,
    folder: &Path,
) -> anyhow::Result<(Broker, Server)> {
    let place = folder.join("postgres");
    let place = postgres::Place { folder: &place, port: options.postgres_port, is_kept: true };
    let postgres = postgres::start(processes, ready, &place)?;
    postgres.ensure_database(ready, DATABASE)?;
    let place = folder.join("kafka");
    let place = kafka::Place {
        folder: &place,
        port: options.kafka_port,
        controller_port: options.controller_port,
        is_kept: true,
    };
    Ok((kafka::start(processes, ready, &place)?, postgres))
}

fn build(processes: &mut Processes, options: &Options) -> anyhow::Result<()> {
    let mut command = cargo::command(&["build", "--package", "rossby"]);
    command.args((!options.debug).then_some("--release"));
    cargo::run(processes, &command, &[])
}

fn cargo_run(options: &Options) -> Command {
    let mut command = cargo::command(&["run", "--quiet", "--package", "rossby"]);
    command.args((!options.debug).then_some("--release")).arg("--");
    command
}

fn check_is_free(port: u16) -> anyhow::Result<()> {
    match TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
        Ok(_) => Ok(()),
        Err(error) => bail!(
            "port {port} can't be used ({error}); does another `cargo xtask dev` run, or docker compose? \
             `cargo xtask dev --help` shows how to choose other ports"
        ),
    }
}

/// The cache's `dev` folder, or one elsewhere when PostgreSQL's own user couldn't reach that.
fn folder() -> anyhow::Result<PathBuf> {
    let folder = layout::cache().join("dev");
    if tools::unprivileged_user().is_none() {
        return Ok(folder);
    }
    fs::create_dir_all(layout::cache())?;
    let is_closed = |above: &&Path| above.metadata().is_ok_and(|data| data.permissions().mode() & 0o001 == 0);
    match folder.ancestors().skip(1).find(is_closed) {
        None => Ok(folder),
        Some(closed) => {
            let elsewhere = PathBuf::from("/var/tmp/rossby-dev");
            println!(
                "  {} is closed to PostgreSQL's own user, so data is kept in {}",
                closed.display(),
                elsewhere.display()
            );
            Ok(elsewhere)
        }
    }
}

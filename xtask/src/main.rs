//! What a person or CI does with this workspace beyond `cargo build`: set-up, real servers for tests and for
//! development, and the static checks. `cargo xtask help` lists it.

mod apt;
mod cargo;
mod check;
#[cfg(test)]
mod compose;
#[cfg(test)]
mod dashboards;
mod deny;
mod deps;
mod dev;
mod free_port;
mod golden;
mod jars;
mod kafka;
mod layout;
mod logs;
mod postgres;
mod processes;
mod servers;
mod setup;
mod stale;
mod test;
mod tools;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::processes::{Interrupted, Processes};
use crate::tools::Purpose;

#[derive(Parser)]
#[command(name = "cargo xtask", about = "Set-up, tests on real servers, and the checks that CI runs", version)]
struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Look for Java, Maven, PostgreSQL and compilers, install what is missing when that's possible, fetch Kafka
    Setup,
    /// Run every test, on a Kafka and a PostgreSQL started for it
    Test(test::Options),
    /// Check formatting, dependencies' direction, clippy, rustdoc, and deny.toml
    Check,
    /// Check only that dependencies between the crates go one way
    Deps,
    /// What CI runs: check, then test
    Ci,
    /// Start Rossby on a Kafka and a PostgreSQL, and keep them until Ctrl-C
    Dev(dev::Options),
    /// Start Kafka and PostgreSQL, print how tests reach them, and keep them until Ctrl-C
    Servers,
}

fn run(verb: &Verb) -> anyhow::Result<()> {
    match verb {
        Verb::Setup => setup::run(Purpose::Tests).map(|_| ()),
        Verb::Test(options) => test::run(options),
        Verb::Check => check::run(),
        Verb::Deps => deps::run(),
        Verb::Ci => check::run().and_then(|()| test::run(&test::Options::default())),
        Verb::Dev(options) => dev::run(options),
        Verb::Servers => servers::run(&mut Processes::new()?),
    }
}

fn main() -> ExitCode {
    match run(&Arguments::parse().verb) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => match error.downcast_ref::<Interrupted>() {
            Some(interrupted) => {
                eprintln!("{interrupted}");
                ExitCode::from(interrupted.exit_code())
            }
            None => {
                eprintln!("\nerror: {error:#}");
                ExitCode::FAILURE
            }
        },
    }
}

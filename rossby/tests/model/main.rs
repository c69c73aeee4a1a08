//! Random people, devices and actions, with disconnections, restarts and duplicates, against a simple model: at the end every
//! device shows what the model says. What happens comes from a seed, of which another can be tried:
//!
//! ```console
//! $ ROSSBY_MODEL_SEED=17 ROSSBY_MODEL_STEPS=2000 cargo test -p rossby --test model -- the_seed_that_is_asked_for --nocapture
//! ```
//!
//! One device acts at a time, and what it does and what goes wrong is thrown before, so that a seed comes to the same again as far
//! as the machine's own time has no say in it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod actions;
mod clock;
mod councils;
mod dice;
mod end;
mod groups;
mod known;
mod look;
mod look_groups;
mod model;
mod proxy;
mod receipts;
mod seeds;
mod town;

#[path = "../server/process.rs"]
mod process;
#[path = "../server/rebuild.rs"]
mod rebuild;

use std::str::FromStr;
use std::time::Instant;

use town::Town;

/// How often it says how far it is.
const SAID_EVERY: usize = 100;

/// Lets this happen. What happens is printed, and the seed with a failure.
fn run(seed: u64, steps: usize, has_groups: bool) {
    // A client says so why it keeps something in its outbox.
    let told = tracing_subscriber::fmt().with_env_filter("rossby_client=debug").with_test_writer().try_init();
    drop(told);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        println!("seed {seed}, {steps} steps");
        let (begun, mut town) = (Instant::now(), Town::new(seed, steps, has_groups).await);
        for step in 1..=steps {
            town.step().await;
            if step % SAID_EVERY == 0 {
                println!("seed {seed}: {step} steps in {:?}", begun.elapsed());
            }
        }
        town.ends().await;
    });
}

fn variable<T: FromStr>(name: &str) -> Option<T> {
    let value = std::env::var(name).ok()?;
    Some(value.parse().unwrap_or_else(|_| panic!("{name} is no number: {value:?}")))
}

#[test]
fn the_seed_that_is_asked_for() {
    let (seed, steps) = (variable("ROSSBY_MODEL_SEED"), variable("ROSSBY_MODEL_STEPS"));
    let has_groups = variable::<u8>("ROSSBY_MODEL_GROUPS").is_some_and(|number| number > 0);
    run(seed.unwrap_or(seeds::FIRST), steps.unwrap_or(seeds::STEPS), has_groups);
}

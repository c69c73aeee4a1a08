//! The contract on PostgreSQL, on databases of their own in a server that runs already.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod contract;
#[path = "contract/postgres_tables.rs"]
mod postgres_tables;
#[path = "contract/sqlite_log.rs"]
mod sqlite_log;

use std::time::Duration;

use contract::events::{box_number, device, founded, key_event};
use contract::{Running, World};
use postgres_tables::new_database;
use rossby_projections::ReadModels;
use rossby_schemas::topic::Topic;
use sqlx::{Connection as _, PgConnection};

contract::contract!(new_database, sqlite_log::open_log);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_process_is_woken() {
    let world = World::new(new_database, sqlite_log::open_log).await;
    let other = ReadModels::open(&world.url, 2).await.unwrap();
    let mut wakes = other.subscribe();
    let running = Running::start(&world.models, world.log.clone(), &world.clock);
    let (now, mut number) = (world.now(), 0);
    // A connection that listens is made in the background, so the first notifications may come too early for it.
    let woken = async {
        loop {
            number += 1;
            let box_id = box_number(number);
            world.append(Topic::Keys, &key_event(box_id, number.into(), 0, now, &founded(box_id, device(1)))).await;
            if let Ok(applied) = tokio::time::timeout(Duration::from_millis(200), wakes.recv()).await {
                return applied.unwrap();
            }
        }
    };
    let applied = tokio::time::timeout(Duration::from_secs(60), woken).await.unwrap();
    assert!(applied.partition < contract::PARTITIONS, "{applied:?}");
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_that_are_lost_are_made_again() {
    let world = World::new(new_database, sqlite_log::open_log).await;
    let admin = std::env::var("ROSSBY_TEST_POSTGRES").unwrap();
    let mut admin = PgConnection::connect(&admin).await.unwrap();
    let database = world.url.rsplit_once('/').unwrap().1;
    let running = Running::start(&world.models, world.log.clone(), &world.clock);
    let now = world.now();
    for number in 0..40_u32 {
        let box_id = box_number(number);
        world.append(Topic::Keys, &key_event(box_id, number.into(), 0, now, &founded(box_id, device(1)))).await;
        if number % 8 == 0 {
            sqlx::query("select pg_terminate_backend(pid) from pg_stat_activity where datname = $1")
                .bind(database)
                .execute(&mut admin)
                .await
                .unwrap();
        }
    }
    running.until_idle(&*world.log).await;
    assert_eq!(contract::stops(&running.stop().await), Vec::<String>::new());
    // A pool gives lost connections away until it has tried them all.
    contract::eventually(async || world.models.health().await.is_ok()).await;
    for number in 0..40 {
        assert_eq!(world.models.key_record(box_number(number)).await.unwrap().unwrap().version, 1);
    }
}

//! The databases that a bench runs on: a new SQLite, and a new one in a PostgreSQL if `ROSSBY_TEST_POSTGRES` says where.

use sqlx::{AnyPool, AssertSqlSafe};
use uuid::Uuid;

/// Runs a bench of this name on each, with what it says of each, and the database's URL.
pub(crate) async fn on_each<D>(name: &str, (sqlite, postgres): (D, D), run: impl AsyncFn(D, String)) {
    // `cargo test --benches` runs it with --test: it is no test.
    if std::env::args().any(|argument| argument == "--test") {
        return;
    }
    sqlx::any::install_default_drivers();
    let folder = tempfile::tempdir().unwrap();
    run(sqlite, format!("sqlite:{}", folder.path().join("tables").display())).await;
    if let Ok(admin) = std::env::var("ROSSBY_TEST_POSTGRES") {
        let name = format!("{name}_{}", Uuid::new_v4().simple());
        let pool = AnyPool::connect(&admin).await.unwrap();
        let execute = async |statement: String| sqlx::query(AssertSqlSafe(statement)).execute(&pool).await.unwrap();
        execute(format!("create database {name}")).await;
        run(postgres, format!("{}/{name}", admin.rsplit_once('/').unwrap().0)).await;
        execute(format!("drop database {name} with (force)")).await;
    }
}

//! Read models on PostgreSQL.

use std::path::Path;

use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

/// Where a world keeps its read models.
pub(crate) async fn read_models(_: &Path) -> String {
    let admin = std::env::var("ROSSBY_TEST_POSTGRES").expect("ROSSBY_TEST_POSTGRES is set by `cargo xtask test`");
    let name = format!("commands_{}", uuid::Uuid::new_v4().simple());
    let mut connection = PgConnection::connect(&admin).await.unwrap();
    sqlx::query(AssertSqlSafe(format!("create database {name}"))).execute(&mut connection).await.unwrap();
    let (server, _) = admin.rsplit_once('/').unwrap();
    format!("{server}/{name}")
}

//! Tables on PostgreSQL, in databases of their own in a server that runs already.

use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

pub(crate) fn new_database() -> crate::contract::Opening {
    Box::pin(async {
        let admin = std::env::var("ROSSBY_TEST_POSTGRES").expect("ROSSBY_TEST_POSTGRES is set by `cargo xtask test`");
        let name = format!("projections_{}", uuid::Uuid::new_v4().simple());
        let mut connection = PgConnection::connect(&admin).await.unwrap();
        sqlx::query(AssertSqlSafe(format!("create database {name}"))).execute(&mut connection).await.unwrap();
        let (server, _) = admin.rsplit_once('/').unwrap();
        (format!("{server}/{name}"), Box::new(()) as Box<dyn Send>)
    })
}

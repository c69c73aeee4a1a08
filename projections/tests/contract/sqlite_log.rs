//! The log on SQLite, which knows the tests' clock.

use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;

use async_trait::async_trait;
use rossby_log::providers::sqlite::{SqliteConfig, SqliteLog};
use rossby_schemas::time::{ManualClock, Timestamp};

use crate::contract::{Appended, TestLog};

#[async_trait]
impl TestLog for SqliteLog {
    async fn retire(&self, _: &[Appended], _: Timestamp) -> usize {
        usize::try_from(self.sweep().await.unwrap().records).unwrap()
    }
}

pub(crate) fn open_log(
    folder: PathBuf,
    clock: Arc<ManualClock>,
) -> Pin<Box<dyn Future<Output = Arc<dyn TestLog>> + Send>> {
    Box::pin(async { Arc::new(SqliteLog::open(SqliteConfig::new(folder), clock).await.unwrap()) as Arc<dyn TestLog> })
}

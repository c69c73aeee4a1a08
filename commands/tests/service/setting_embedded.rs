//! Log and read models on SQLite, as embedded.

use std::path::Path;
use std::sync::Arc;

use rossby_log::providers::sqlite::{SqliteConfig, SqliteLog};
use rossby_log::topics::TopicSpec;
use rossby_log::{Log, TopicAdmin as _};
use rossby_schemas::time::Clock;

/// Where a world keeps its data.
pub(crate) struct Setting;

impl Setting {
    /// Whether processes hear of what others apply.
    pub(crate) const TELLS_OTHER_PROCESSES: bool = false;

    pub(crate) async fn new() -> Self {
        Self
    }

    pub(crate) fn read_models(&self, folder: &Path) -> String {
        format!("sqlite:{}", folder.join("read-models.sqlite").display())
    }

    pub(crate) async fn log(&self, folder: &Path, clock: Arc<dyn Clock>) -> Arc<dyn Log> {
        let log = SqliteLog::open(SqliteConfig::new(folder.join("log")), clock).await.unwrap();
        log.ensure_topics(&TopicSpec::local(2)).await.unwrap();
        Arc::new(log)
    }
}

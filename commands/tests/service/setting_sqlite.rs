//! Read models on SQLite, as embedded.

use std::path::Path;

/// Where a world keeps its read models.
pub(crate) async fn read_models(folder: &Path) -> String {
    format!("sqlite:{}", folder.join("read-models.sqlite").display())
}

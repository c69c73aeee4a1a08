//! Where things lie: the workspace's folder, and the cache beside it.

use std::path::{Path, PathBuf};

/// The workspace's root folder.
pub(crate) fn workspace() -> PathBuf {
    let xtask = Path::new(env!("CARGO_MANIFEST_DIR"));
    xtask.parent().unwrap_or(xtask).to_path_buf()
}

/// The folder for what is fetched or built once: `ROSSBY_CACHE`, or `.rossby` in the workspace (git-ignored).
pub(crate) fn cache() -> PathBuf {
    match std::env::var_os("ROSSBY_CACHE").filter(|value| !value.is_empty()) {
        Some(folder) => std::path::absolute(&folder).unwrap_or_else(|_| PathBuf::from(folder)),
        None => workspace().join(".rossby"),
    }
}

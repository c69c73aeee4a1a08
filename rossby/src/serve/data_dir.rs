//! The folder of the embedded set-up: private to its owner, for one server at a time.

use std::fs::{self, DirBuilder};
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::Path;

use anyhow::{Context as _, bail};

/// Makes the folder, with access for its owner alone, if it is not there. One that is there stays as it is.
///
/// # Errors
/// It can't be made, or others may enter it.
pub(super) fn prepare(folder: &Path) -> anyhow::Result<()> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .with_context(|| format!("the data folder {} can't be made", folder.display()))?;
    let permissions = fs::metadata(folder)?.permissions();
    if permissions.mode() & 0o077 != 0 {
        let folder = folder.display();
        bail!("others may enter the data folder {folder}; name another, or run: chmod go= {folder}");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folder_is_its_owners_alone() {
        let place = tempfile::tempdir().unwrap();
        let mode = |folder: &Path| fs::metadata(folder).unwrap().permissions().mode() & 0o777;
        let folder = place.path().join("a/b");
        prepare(&folder).unwrap();
        assert_eq!(mode(&folder), 0o700);
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).unwrap();
        let refused = prepare(&folder).unwrap_err().to_string();
        assert!(refused.contains("chmod go="), "{refused}");
        assert_eq!(mode(&folder), 0o755, "what was there is not touched");
        fs::write(place.path().join("file"), "").unwrap();
        assert!(prepare(&place.path().join("file/data")).unwrap_err().to_string().contains("can't be made"));
    }
}

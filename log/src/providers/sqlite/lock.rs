//! One process writes a folder's log; the file lock is the system's and ends with the process, however it ends.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::Path;

use crate::error::LogError;

/// The lock on a log's folder, held as long as this lives.
#[derive(Debug)]
pub(crate) struct FolderLock {
    _file: File,
}

impl FolderLock {
    /// Takes the lock, and writes this process's id into the file for whoever is refused.
    pub(crate) fn take(folder: &Path) -> Result<Self, LogError> {
        let failed = |error: &dyn std::fmt::Display| LogError::Failed(format!("{}: {error}", folder.display()));
        fs::create_dir_all(folder).map_err(|error| failed(&error))?;
        let path = folder.join("log.lock");
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)
            .map_err(|error| failed(&error))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                let _ = file.read_to_string(&mut holder);
                return Err(failed(&format!("the log is in use by another process ({})", holder.trim())));
            }
            Err(TryLockError::Error(error)) => return Err(failed(&error)),
        }
        // What the file says is for people; the lock is what counts.
        let _ =
            file.rewind().and_then(|()| file.set_len(0)).and_then(|()| write!(file, "process {}", std::process::id()));
        Ok(Self { _file: file })
    }
}

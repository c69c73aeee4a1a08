//! Files that get their names once they are whole, so that nobody meets a half of one.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

/// A file that is being written beside its place, for its owner alone to read. It is gone if it is dropped.
#[derive(Debug)]
pub(crate) struct WholeFile {
    unfinished: NamedTempFile,
    folder: PathBuf,
    path: PathBuf,
}

impl WholeFile {
    /// Begins a file that will have this path.
    ///
    /// # Errors
    /// The folder can't be written.
    pub(crate) fn beside(path: &Path) -> io::Result<Self> {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
        let unfinished = NamedTempFile::new_in(folder)?;
        Ok(Self { unfinished, folder: folder.to_owned(), path: path.to_owned() })
    }

    /// Gives it its name, which no file may have yet.
    ///
    /// # Errors
    /// One has, or the file system refuses.
    pub(crate) fn make(self) -> io::Result<()> {
        self.unfinished.as_file().sync_all()?;
        self.unfinished.persist_noclobber(&self.path)?;
        File::open(&self.folder)?.sync_all()
    }

    /// Gives it its name, in the place of a file that may have it.
    ///
    /// # Errors
    /// The file system refuses.
    pub(crate) fn replace(self) -> io::Result<()> {
        self.unfinished.as_file().sync_all()?;
        self.unfinished.persist(&self.path)?;
        File::open(&self.folder)?.sync_all()
    }
}

impl Write for WholeFile {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        self.unfinished.write(octets)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.unfinished.flush()
    }
}

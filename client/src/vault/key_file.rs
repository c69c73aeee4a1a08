//! The key file: 32 octets that only their owner may read.

use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use zeroize::Zeroizing;

use super::UnlockError;
use super::key::{KEY_OCTETS, Key};
use crate::error::ClientError;

/// Reads the key.
pub(super) fn read(path: &Path) -> Result<Key, ClientError> {
    let failed = |source| ClientError::File { path: path.to_owned(), source };
    let mut file = File::open(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => ClientError::NoKeyFile(path.to_owned()),
        _ => failed(error),
    })?;
    let metadata = file.metadata().map_err(failed)?;
    if !metadata.is_file() {
        return Err(UnlockError::NotAKeyFile.into());
    }
    if metadata.permissions().mode() & 0o077 != 0 {
        return Err(ClientError::ReadableByOthers(path.to_owned()));
    }
    let mut key = Zeroizing::new([0; KEY_OCTETS]);
    file.read_exact(key.as_mut_slice()).map_err(|_| UnlockError::NotAKeyFile)?;
    if file.read(&mut [0]).map_err(failed)? == 0 { Ok(Key::new(key)) } else { Err(UnlockError::NotAKeyFile.into()) }
}

/// Reads the key, or makes a file with a new one.
pub(super) fn read_or_make(path: &Path) -> Result<Key, ClientError> {
    if path.exists() {
        return read(path);
    }
    let key = Key::generate();
    match write(path, &key) {
        Ok(()) => Ok(key),
        // Another process made it in between.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => read(path),
        Err(source) => Err(ClientError::File { path: path.to_owned(), source }),
    }
}

/// Under a name of its own first, so that a start that dies here leaves no half a key, and two at once leave one key.
fn write(path: &Path, key: &Key) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(key.as_slice())?;
    file.as_file().sync_all()?;
    file.persist_noclobber(path)?;
    File::open(folder)?.sync_all()
}

/// Overwrites a key file that locks nothing any more, and takes it away, if it is there.
///
/// # Errors
/// [`ClientError::File`].
pub fn erase(path: &Path) -> Result<(), ClientError> {
    let erase = || {
        let mut file = File::options().write(true).open(path)?;
        file.write_all(&[0; KEY_OCTETS])?;
        file.sync_all()?;
        fs::remove_file(path)
    };
    match erase() {
        Err(source) if source.kind() != io::ErrorKind::NotFound => {
            Err(ClientError::File { path: path.to_owned(), source })
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_file_is_its_owners_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        let made = read_or_make(&path).unwrap();
        assert_eq!(read(&path).unwrap().as_slice(), made.as_slice());
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(read(&path), Err(ClientError::ReadableByOthers(_))));
        assert!(matches!(read(folder.path()), Err(ClientError::Unlock(UnlockError::NotAKeyFile))), "a folder");
        let another = folder.path().join("another");
        assert_eq!(read_or_make(&another).unwrap().as_slice(), read(&another).unwrap().as_slice());
        let held = File::open(&another).unwrap();
        for _ in 0..2 {
            erase(&another).unwrap();
            assert!(!another.exists(), "erasing what is not there is no error");
        }
        let mut left = Vec::new();
        (&held).read_to_end(&mut left).unwrap();
        assert_eq!(left, [0; KEY_OCTETS], "it was overwritten");
        for wrong in [31, 33] {
            fs::write(&path, vec![1; wrong]).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
            assert!(matches!(read(&path), Err(ClientError::Unlock(UnlockError::NotAKeyFile))), "{wrong}");
        }
    }
}

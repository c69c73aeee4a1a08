//! The folder of uploads: each file is encrypted into it once, and uploaded from there. So an upload that goes on after a crash
//! sends the very octets that it sent before, whatever has become of the file, and no key meets two texts.

use std::fs::{self, DirBuilder, File};
use std::io::{self, BufWriter, Read, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, FileExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rossby_crypto::attachment::{self, AttachmentKey, Sealed, ciphertext_octets};
use uuid::Uuid;

use super::progress::{Progress, Step, Tell};
use crate::error::ClientError;
use crate::random::rng;

const FOLDER: &str = "uploads";
/// What no upload belongs to is left alone for so long: another process may be about to store it.
const LEFT_ALONE: Duration = Duration::from_secs(24 * 3600);

/// The home's folder of uploads.
#[derive(Debug, Clone)]
pub(crate) struct Spool(PathBuf);

impl Spool {
    pub(super) fn of(home: &Path) -> Self {
        Self(home.join(FOLDER))
    }

    fn failed(&self, path: &Path) -> impl Fn(io::Error) -> ClientError + use<> {
        let path = path.to_owned();
        move |source| ClientError::File { path: path.clone(), source }
    }

    /// Encrypts a file of `length` octets into the folder. Gives the name that it has there.
    pub(super) fn fill(
        &self,
        key: &AttachmentKey,
        length: u64,
        file: &mut impl Read,
        tell: Option<&Tell>,
    ) -> Result<(String, Sealed), ClientError> {
        let failed = self.failed(&self.0);
        DirBuilder::new().recursive(true).mode(0o700).create(&self.0).map_err(&failed)?;
        // For its owner alone, under a name of its own until it is whole.
        let unfinished = tempfile::NamedTempFile::new_in(&self.0).map_err(&failed)?;
        let mut writer = BufWriter::new(unfinished.as_file());
        let total = ciphertext_octets(length);
        let progress = |done| {
            if let Some(tell) = tell {
                tell(Progress { step: Step::Encrypting, done, total });
            }
        };
        let sealed = attachment::seal(&mut rng(), key, length, file, &mut writer, progress)?;
        writer.flush().map_err(&failed)?;
        drop(writer);
        unfinished.as_file().sync_all().map_err(&failed)?;
        let name = Uuid::new_v4().simple().to_string();
        unfinished.persist(self.0.join(&name)).map_err(|error| failed(error.error))?;
        File::open(&self.0).and_then(|folder| folder.sync_all()).map_err(&failed)?;
        Ok((name, sealed))
    }

    /// The octets of a file of the folder.
    pub(super) fn read(&self, name: &str, offset: u64, octets: usize) -> Result<Vec<u8>, ClientError> {
        let path = self.0.join(name);
        let mut buffer = vec![0; octets];
        let read = File::open(&path).and_then(|file| file.read_exact_at(&mut buffer, offset));
        read.map(|()| buffer).map_err(self.failed(&path))
    }

    /// A file of the folder has done its work.
    pub(super) fn remove(&self, name: &str) {
        if let Err(error) = fs::remove_file(self.0.join(name)) {
            tracing::debug!(%error, "a file of the folder of uploads stays");
        }
    }

    /// Removes the folder with all that is in it.
    pub(crate) fn remove_all(&self) -> Result<(), ClientError> {
        match fs::remove_dir_all(&self.0) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(self.failed(&self.0)(error)),
            _ => Ok(()),
        }
    }

    /// Removes what a process has left that died before it had stored what it encrypted.
    pub(super) fn tidy(&self, known: &[String], now: SystemTime) {
        let Ok(entries) = fs::read_dir(&self.0) else { return };
        for entry in entries.flatten() {
            let is_known = entry.file_name().to_str().is_some_and(|name| known.iter().any(|known| known == name));
            let age = entry.metadata().and_then(|data| data.modified()).ok().and_then(|at| now.duration_since(at).ok());
            if !is_known && age.is_some_and(|age| age > LEFT_ALONE) {
                let _ = fs::remove_file(entry.path());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_file_is_encrypted_for_its_owner_alone_and_read_in_pieces() {
        let home = tempfile::tempdir().unwrap();
        let spool = Spool::of(home.path());
        let (file, key) = (vec![7; 100_000], AttachmentKey::from_bytes([1; 32]));
        let (name, sealed) = spool.fill(&key, 100_000, &mut file.as_slice(), None).unwrap();
        let path = home.path().join(FOLDER).join(&name);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let whole = spool.read(&name, 0, usize::try_from(sealed.octets).unwrap()).unwrap();
        assert_eq!(attachment::digest(&mut whole.as_slice()).unwrap(), sealed.digest);
        assert_eq!(spool.read(&name, 1000, 10).unwrap(), whole[1000..1010]);
        assert!(spool.read(&name, sealed.octets, 1).is_err());
        assert!(!whole.windows(64).any(|part| part == [7; 64]));
    }

    #[test]
    fn what_changed_leaves_nothing_and_what_was_left_goes_in_time() {
        let home = tempfile::tempdir().unwrap();
        let (spool, key) = (Spool::of(home.path()), AttachmentKey::from_bytes([1; 32]));
        let names = || fs::read_dir(home.path().join(FOLDER)).unwrap().count();
        assert!(spool.fill(&key, 5, &mut &b"four"[..], None).is_err());
        assert_eq!(names(), 0);
        let (known, _) = spool.fill(&key, 5, &mut &b"hello"[..], None).unwrap();
        spool.fill(&key, 5, &mut &b"hello"[..], None).unwrap();
        let known = [known];
        spool.tidy(&known, SystemTime::now());
        assert_eq!(names(), 2, "it may be another process's");
        spool.tidy(&known, SystemTime::now() + LEFT_ALONE + Duration::from_secs(60));
        assert_eq!(names(), 1);
        assert!(spool.read(&known[0], 0, 24).is_ok());
        spool.remove_all().unwrap();
        assert!(!home.path().join(FOLDER).exists());
        spool.remove_all().unwrap();
    }
}

//! An archive as a file: lines of JSON, encrypted or not, with an end that shows that none is missing.

use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Read, Seek as _, Write};
use std::path::{Path, PathBuf};

use rossby_crypto::archive::{
    ARCHIVE_HEADER_OCTETS, ARCHIVE_MAGIC, ArchiveCipherError, ArchiveHeader, ArchiveOpener, ArchiveSealer,
};
use rossby_schemas::encoding::FixedOctets;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use tempfile::NamedTempFile;
use zeroize::Zeroizing;

use super::check::check;
use super::error::ArchiveError;
use super::record::{ArchiveEnd, ArchiveRecord, FORMAT, VERSION};
use crate::error::ClientError;
use crate::random;
use crate::vault::{Costs, Key};

/// How many octets a line has at most, with its line feed.
pub(super) const MAX_LINE_OCTETS: usize = 1024 * 1024;
/// How many octets of an attachment stand in one line.
pub(super) const PART_OCTETS: usize = 48 * 1024;

fn failed(path: &Path) -> impl Fn(io::Error) -> ClientError + use<> {
    let path = path.to_owned();
    move |source| ClientError::File { path: path.clone(), source }
}

enum Out {
    Plain(BufWriter<NamedTempFile>),
    Sealed(Box<ArchiveSealer<BufWriter<NamedTempFile>>>),
}

/// Writes an archive, beside where it is to stand.
pub(super) struct Writer {
    path: PathBuf,
    out: Out,
    digest: Sha256,
    records: u64,
}

impl Writer {
    /// Begins an archive, encrypted if there is a passphrase. What is there already is not overwritten.
    pub(super) async fn create(path: &Path, passphrase: Option<&SecretString>) -> Result<Self, ClientError> {
        if path.symlink_metadata().is_ok() {
            return Err(ClientError::TargetExists(path.to_owned()));
        }
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
        // Of mode 0600, as temporary files are.
        let file = BufWriter::new(NamedTempFile::new_in(folder).map_err(failed(path))?);
        let out = match passphrase {
            None => Out::Plain(file),
            Some(passphrase) => {
                let costs = Costs::new();
                let header = ArchiveHeader::new(&mut random::rng(), costs.memory_kib, costs.passes);
                let key = stretch(passphrase, &header).await?;
                Out::Sealed(Box::new(ArchiveSealer::new(&key, &header, file).map_err(failed(path))?))
            }
        };
        Ok(Self { path: path.to_owned(), out, digest: Sha256::new(), records: 0 })
    }

    /// Writes a record.
    pub(super) fn write(&mut self, record: &ArchiveRecord) -> Result<(), ClientError> {
        let line = line(record)?;
        if line.len() > MAX_LINE_OCTETS {
            return Err(ArchiveError::LineTooLong(self.records + 1).into());
        }
        self.digest.update(&line);
        self.records += 1;
        self.write_octets(&line)
    }

    fn write_octets(&mut self, octets: &[u8]) -> Result<(), ClientError> {
        let written = match &mut self.out {
            Out::Plain(file) => file.write_all(octets),
            Out::Sealed(sealer) => sealer.write_all(octets),
        };
        written.map_err(failed(&self.path))
    }

    /// Writes the end, and gives the archive its name. Gives how many records there are.
    pub(super) fn finish(mut self) -> Result<u64, ClientError> {
        let end = ArchiveEnd { records: self.records, sha256: FixedOctets(self.digest.clone().finalize().into()) };
        self.write_octets(&line(&ArchiveRecord::End(end))?)?;
        let failed = failed(&self.path);
        let file = match self.out {
            Out::Plain(file) => file,
            Out::Sealed(sealer) => sealer.finish().map_err(&failed)?,
        };
        let file = file.into_inner().map_err(|error| failed(error.into_error()))?;
        file.as_file().sync_all().map_err(&failed)?;
        match file.persist_noclobber(&self.path) {
            Ok(_) => Ok(self.records),
            Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => {
                Err(ClientError::TargetExists(self.path))
            }
            Err(error) => Err(failed(error.error)),
        }
    }
}

fn line(record: &ArchiveRecord) -> Result<Zeroizing<Vec<u8>>, ClientError> {
    let json = serde_json::to_vec(record).map_err(ClientError::bad_answer)?;
    let mut line = Zeroizing::new(json);
    line.push(b'\n');
    Ok(line)
}

/// The key that a passphrase gives for an archive.
async fn stretch(passphrase: &SecretString, header: &ArchiveHeader) -> Result<Zeroizing<[u8; 32]>, ClientError> {
    if passphrase.expose_secret().is_empty() {
        return Err(ArchiveError::EmptyPassphrase.into());
    }
    let costs = Costs { salt: header.salt.to_vec(), memory_kib: header.memory_kib, passes: header.passes };
    let key: Key = crate::vault::stretch(passphrase.clone(), costs).await.map_err(|_| ArchiveError::Costs)?;
    key.as_slice().try_into().map(Zeroizing::new).map_err(|_| ArchiveError::Costs.into())
}

/// An archive that can be read, as often as one likes.
pub struct Archive {
    path: PathBuf,
    file: File,
    /// The key and the header of an encrypted one.
    sealed: Option<(Zeroizing<[u8; 32]>, ArchiveHeader)>,
}

impl std::fmt::Debug for Archive {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Archive").field("path", &self.path).finish_non_exhaustive()
    }
}

impl Archive {
    /// Whether a file is an encrypted archive.
    ///
    /// # Errors
    /// What can't be read.
    pub fn is_encrypted(path: &Path) -> Result<bool, ClientError> {
        let mut begin = Vec::new();
        let file = File::open(path).map_err(failed(path))?;
        file.take(ARCHIVE_MAGIC.len() as u64).read_to_end(&mut begin).map_err(failed(path))?;
        Ok(begin == ARCHIVE_MAGIC)
    }

    /// Opens an archive, with its passphrase if it is encrypted.
    ///
    /// # Errors
    /// [`ArchiveError`], and what can't be read.
    pub async fn open(path: &Path, passphrase: Option<&SecretString>) -> Result<Self, ClientError> {
        let mut file = File::open(path).map_err(failed(path))?;
        let sealed = if Self::is_encrypted(path)? {
            let passphrase = passphrase.ok_or(ArchiveError::NeedsPassphrase)?;
            let mut header = [0; ARCHIVE_HEADER_OCTETS];
            file.read_exact(&mut header).map_err(|_| ArchiveError::Cut(0))?;
            let version = char::from(header[ARCHIVE_MAGIC.len()]);
            let header = ArchiveHeader::parse(&header).map_err(|error| match error {
                ArchiveCipherError::OtherVersion => ArchiveError::OtherVersion(version.to_string()),
                other => other.into(),
            })?;
            Some((stretch(passphrase, &header).await?, header))
        } else {
            None
        };
        Ok(Self { path: path.to_owned(), file, sealed })
    }

    /// How many octets the file has.
    pub(super) fn octets(&self) -> u64 {
        self.file.metadata().map_or(0, |found| found.len())
    }

    /// Its records, from the first. They are all of it, and as they were written, only if the end is reached.
    pub(super) fn records(&self) -> Result<Records, ClientError> {
        let failed = failed(&self.path);
        let mut file = self.file.try_clone().map_err(&failed)?;
        let begin = if self.sealed.is_some() { ARCHIVE_HEADER_OCTETS as u64 } else { 0 };
        file.seek(io::SeekFrom::Start(begin)).map_err(&failed)?;
        let from: Box<dyn Read + Send> = match &self.sealed {
            None => Box::new(file),
            Some((key, header)) => {
                let opener = ArchiveOpener::new(key, header, BufReader::new(file));
                Box::new(opener.map_err(|error| self.read_failed(error))?)
            }
        };
        Ok(Records {
            lines: BufReader::with_capacity(64 * 1024, from),
            path: self.path.clone(),
            digest: Sha256::new(),
            line: 0,
            octets: 0,
            attachment_left: None,
        })
    }

    fn read_failed(&self, error: io::Error) -> ClientError {
        read_failed(&self.path, error)
    }
}

fn read_failed(path: &Path, error: io::Error) -> ClientError {
    match error.get_ref().and_then(|inner| inner.downcast_ref::<ArchiveCipherError>()) {
        Some(cipher) => ArchiveError::from(*cipher).into(),
        None => ClientError::File { path: path.to_owned(), source: error },
    }
}

/// The records of an archive as they are read, one after the other: never more than a line is in memory.
pub(super) struct Records {
    lines: BufReader<Box<dyn Read + Send>>,
    path: PathBuf,
    digest: Sha256,
    /// How many lines were read.
    line: u64,
    /// How many octets they have.
    pub(super) octets: u64,
    /// How many octets of the attachment must still come.
    attachment_left: Option<u64>,
}

/// What a first line must have before anything else of it is looked at.
#[derive(Deserialize)]
struct Begin {
    format: Option<String>,
    version: Option<u64>,
}

impl Records {
    /// The next record; none after the end, which was the right one.
    pub(super) fn next(&mut self) -> Result<Option<ArchiveRecord>, ClientError> {
        let Some(line) = self.next_line()? else { return Err(ArchiveError::Cut(self.line).into()) };
        self.line += 1;
        self.octets += line.len() as u64;
        if self.line == 1 {
            self.check_begin(&line)?;
        }
        let record: ArchiveRecord = serde_json::from_slice(&line).map_err(|error| self.bad_line(error.to_string()))?;
        if let ArchiveRecord::End(end) = &record {
            let digest = FixedOctets(self.digest.clone().finalize().into());
            if end.records != self.line - 1 || end.sha256 != digest {
                return Err(ArchiveError::Changed.into());
            }
            self.check_attachment(None)?;
            return match self.next_line()? {
                None => Ok(None),
                Some(_) => Err(self.bad_line("something follows the end".to_owned())),
            };
        }
        self.digest.update(&line);
        check(&record, self.line == 1).map_err(|reason| self.bad_line(reason))?;
        self.check_attachment(Some(&record))?;
        Ok(Some(record))
    }

    /// A line with its line feed; none where there is nothing more.
    fn next_line(&mut self) -> Result<Option<Zeroizing<Vec<u8>>>, ClientError> {
        let mut line = Zeroizing::new(Vec::new());
        let read = self.lines.by_ref().take(MAX_LINE_OCTETS as u64).read_until(b'\n', &mut line);
        read.map_err(|error| read_failed(&self.path, error))?;
        match line.last() {
            None => Ok(None),
            Some(b'\n') => Ok(Some(line)),
            Some(_) if line.len() == MAX_LINE_OCTETS => Err(ArchiveError::LineTooLong(self.line + 1).into()),
            Some(_) => Err(ArchiveError::Cut(self.line).into()),
        }
    }

    fn check_begin(&self, line: &[u8]) -> Result<(), ClientError> {
        let begin: Begin = serde_json::from_slice(line).map_err(|_| ArchiveError::NotAnArchive)?;
        match (begin.format.as_deref(), begin.version) {
            (Some(FORMAT), Some(version)) if version == u64::from(VERSION) => Ok(()),
            (Some(FORMAT), Some(version)) => Err(ArchiveError::OtherVersion(version.to_string()).into()),
            _ => Err(ArchiveError::NotAnArchive.into()),
        }
    }

    /// The parts of an attachment follow its message, and are as many octets as that says.
    fn check_attachment(&mut self, record: Option<&ArchiveRecord>) -> Result<(), ClientError> {
        match (record, self.attachment_left) {
            (Some(ArchiveRecord::AttachmentPart(part)), Some(left)) => {
                let octets = part.data.as_slice().len() as u64;
                let left = left.checked_sub(octets);
                let left =
                    left.ok_or_else(|| self.bad_line("the attachment has more octets than it says".to_owned()))?;
                self.attachment_left = (left > 0).then_some(left);
                Ok(())
            }
            (Some(ArchiveRecord::AttachmentPart(_)), None) => {
                Err(self.bad_line("it is a part of no attachment".to_owned()))
            }
            (_, Some(_)) => Err(self.bad_line("the attachment before has fewer octets than it says".to_owned())),
            (Some(ArchiveRecord::Message(message)), None) => {
                let included = message.attachment.as_ref().filter(|attachment| attachment.included);
                self.attachment_left = included.map(|attachment| attachment.size).filter(|size| *size > 0);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn bad_line(&self, reason: String) -> ClientError {
        ArchiveError::BadLine { line: self.line, reason }.into()
    }
}

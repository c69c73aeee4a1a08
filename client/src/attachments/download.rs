//! Downloading: to a file beside the target, from where it stopped; checked as a whole, decrypted, and only then given its name.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, BufReader, BufWriter, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use reqwest::header::CONTENT_RANGE;
use rossby_crypto::attachment::{self, AttachmentError, ciphertext_octets};
use rossby_schemas::http::problem::ProblemType;
use rustix::fs::OFlags;
use tempfile::TempPath;

use super::name::safe_name;
use super::off_the_runtime;
use super::picture::PictureError;
use super::progress::{Progress, Step, Tell};
use crate::Client;
use crate::content::{Attachment, Content};
use crate::error::ClientError;
use crate::http::Call;
use crate::messages::Message;
use crate::store::device::Device;

/// How often a download that stopped goes on without having come further.
const TRIES: u32 = 3;

/// Where a download goes.
#[derive(Debug, Clone)]
pub struct Target {
    /// A folder, in which it gets the name that its sender gave it, made safe; or the file itself.
    pub path: PathBuf,
    /// Whether it takes the place of a file that is there.
    pub overwrites: bool,
}

impl Target {
    /// The file, and the folder that it is in.
    fn file(&self, name: &str) -> Result<(PathBuf, PathBuf), ClientError> {
        let file = if self.path.is_dir() { self.path.join(safe_name(name)) } else { self.path.clone() };
        if file.is_dir() {
            return Err(ClientError::NotAFile(file));
        }
        if !self.overwrites && file.symlink_metadata().is_ok() {
            return Err(ClientError::TargetExists(file));
        }
        let folder = match file.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
            _ => PathBuf::from("."),
        };
        if !folder.is_dir() {
            return Err(ClientError::File { path: folder, source: io::ErrorKind::NotFound.into() });
        }
        Ok((file, folder))
    }
}

/// The attachment of a message.
fn attachment_of(message: &Message) -> Result<&Attachment, ClientError> {
    match &message.content {
        Some(Content::Attachment(attachment)) => Ok(attachment),
        _ => Err(ClientError::NoAttachment(message.message_id)),
    }
}

/// Saves a picture that is written anew, under this name where none is said.
pub(crate) async fn save_anew(
    target: &Target,
    name: &str,
    write: impl FnOnce() -> Result<Vec<u8>, PictureError> + Send + 'static,
) -> Result<PathBuf, ClientError> {
    let (file, folder) = target.file(name)?;
    let overwrites = target.overwrites;
    off_the_runtime(move || {
        let octets = write()?;
        let failed = |source| ClientError::File { path: file.clone(), source };
        let mut unfinished = tempfile::NamedTempFile::new_in(&folder).map_err(failed)?;
        unfinished.write_all(&octets).map_err(failed)?;
        persist(unfinished.into_temp_path(), &file, overwrites)?;
        Ok(file)
    })
    .await
}

impl Client {
    /// Downloads the attachment of a message. Nothing of it is shown before all of it is there and is what was sent; what is not is
    /// thrown away. What stopped half-way goes on with the next call.
    ///
    /// # Errors
    /// [`ClientError::NoAttachment`], [`ClientError::TargetExists`], [`ClientError::BlobGone`], [`ClientError::BlobTampered`],
    /// what the server says, and what the file system does.
    pub async fn download(
        &self,
        message: &Message,
        target: &Target,
        tell: Option<Tell>,
    ) -> Result<PathBuf, ClientError> {
        let attachment = attachment_of(message)?;
        let (file, folder) = target.file(&attachment.name)?;
        let device = self.device().await?;
        let part = Part::open(&folder, attachment)?;
        let path = part.path.clone();
        let fetched = self.fetch(&device, attachment, part, tell.as_ref()).await;
        if let Err(error @ ClientError::BlobTampered(_)) = fetched {
            let _ = fs::remove_file(path);
            return Err(error);
        }
        fetched?;
        let (attachment, overwrites) = (attachment.clone(), target.overwrites);
        if let Some(tell) = &tell {
            tell(Progress { step: Step::Decrypting, done: 0, total: attachment.size });
        }
        off_the_runtime(move || {
            let decrypted = decrypt(&attachment, &path, &file, overwrites);
            // It is done with, or worth nothing; but a full disk is no reason to fetch it again.
            if !matches!(decrypted, Err(ClientError::File { .. })) {
                let _ = fs::remove_file(&path);
            }
            decrypted.map(|()| file)
        })
        .await
    }

    /// Saves the small preview of a message's picture, written anew from its pixels. The server isn't asked.
    ///
    /// # Errors
    /// [`ClientError::NoAttachment`], [`ClientError::NoPreview`], [`ClientError::Picture`] for one that is none,
    /// [`ClientError::TargetExists`], and what the file system does.
    pub async fn save_preview(&self, message: &Message, target: &Target) -> Result<PathBuf, ClientError> {
        let attachment = attachment_of(message)?;
        let preview = attachment.preview.clone().ok_or(ClientError::NoPreview(message.message_id))?;
        let stem = attachment.name.rsplit_once('.').map_or(attachment.name.as_str(), |(stem, _)| stem);
        save_anew(target, &format!("{stem}.preview.jpg"), move || preview.written_anew()).await
    }

    /// Fetches a blob until all of it is there, and checks its digest.
    async fn fetch(
        &self,
        device: &Device,
        attachment: &Attachment,
        part: Part,
        tell: Option<&Tell>,
    ) -> Result<(), ClientError> {
        let part = Arc::new(Mutex::new(part));
        let lock = |part: &Arc<Mutex<Part>>| part.lock().map(|part| part.have).unwrap_or_default();
        let mut stopped = 0;
        loop {
            let before = lock(&part);
            match self.fetch_once(device, attachment, &part, tell).await {
                Ok(()) => break,
                // The server is there, and the connection was cut.
                Err(ClientError::Unreachable { .. }) if lock(&part) > before => stopped = 0,
                Err(ClientError::Unreachable { .. }) if stopped + 1 < TRIES && lock(&part) > 0 => stopped += 1,
                Err(error) => return Err(error),
            }
        }
        let digest = attachment.digest;
        off_the_runtime(move || {
            let mut part = part.lock().unwrap_or_else(PoisonError::into_inner);
            part.file.flush().map_err(part.failed())?;
            let mut whole = File::open(&part.path).map_err(part.failed())?;
            if attachment::digest(&mut whole)? == digest {
                Ok(())
            } else {
                Err(ClientError::BlobTampered("its digest is another"))
            }
        })
        .await
    }

    /// Fetches what is missing, as far as the connection lasts.
    async fn fetch_once(
        &self,
        device: &Device,
        attachment: &Attachment,
        part: &Arc<Mutex<Part>>,
        tell: Option<&Tell>,
    ) -> Result<(), ClientError> {
        let (have, total) = {
            let part = part.lock().unwrap_or_else(PoisonError::into_inner);
            (part.have, part.total)
        };
        if have == total {
            return Ok(());
        }
        let call =
            Call::get(format!("/v1/blobs/{}", attachment.blob_id)).with_header("range", format!("bytes={have}-"));
        let mut stream = match self.ask_for_stream(device, &call).await {
            Err(error) if error.problem() == Some(ProblemType::NoSuchBlob) => return Err(ClientError::BlobGone),
            Err(error) if error.problem() == Some(ProblemType::NoSuchRange) => {
                return Err(ClientError::BlobTampered("it is shorter"));
            }
            stream => stream?,
        };
        let expected = format!("bytes {have}-{}/{total}", total - 1);
        if stream.is_part() {
            if stream.header(CONTENT_RANGE) != Some(expected.as_str()) {
                return Err(ClientError::BlobTampered("it has another length"));
            }
        } else {
            // The whole again.
            part.lock().unwrap_or_else(PoisonError::into_inner).begin_anew()?;
        }
        while let Some(octets) = stream.next().await? {
            let part = Arc::clone(part);
            let have =
                off_the_runtime(move || part.lock().unwrap_or_else(PoisonError::into_inner).append(&octets)).await?;
            if let Some(tell) = tell {
                tell(Progress { step: Step::Downloading, done: have, total });
            }
        }
        let have = part.lock().unwrap_or_else(PoisonError::into_inner).have;
        if have == total { Ok(()) } else { Err(ClientError::BlobTampered("it is shorter")) }
    }
}

/// The ciphertext that is there by now, in a file beside the target.
struct Part {
    path: PathBuf,
    file: BufWriter<File>,
    /// How many octets are there, and how many there must be.
    have: u64,
    total: u64,
}

impl Part {
    /// Opens what a download has left that stopped, or begins. Its name comes from the blob's digest, so its sender could lay a link
    /// in its place where both may write: none is followed.
    fn open(folder: &Path, attachment: &Attachment) -> Result<Self, ClientError> {
        let total = ciphertext_octets(attachment.size);
        let path = folder.join(format!(".rossby-{}.part", attachment.digest));
        let failed = |source| ClientError::File { path: path.clone(), source };
        let mut options = OpenOptions::new();
        options.append(true).create(true).mode(0o600).custom_flags(OFlags::NOFOLLOW.bits().cast_signed());
        let file = options.open(&path).map_err(failed)?;
        // Until it is closed.
        file.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => ClientError::DownloadUnderWay { path: path.clone() },
            TryLockError::Error(source) => failed(source),
        })?;
        let mut have = file.metadata().map_err(failed)?.len();
        if have > total {
            file.set_len(0).map_err(failed)?;
            have = 0;
        }
        Ok(Self { path, file: BufWriter::new(file), have, total })
    }

    fn failed(&self) -> impl Fn(io::Error) -> ClientError + use<> {
        let path = self.path.clone();
        move |source| ClientError::File { path: path.clone(), source }
    }

    fn begin_anew(&mut self) -> Result<(), ClientError> {
        self.file.flush().and_then(|()| self.file.get_ref().set_len(0)).map_err(self.failed())?;
        self.have = 0;
        Ok(())
    }

    /// Appends what came; more than there must be is refused, however much follows. Gives how much is there.
    fn append(&mut self, octets: &[u8]) -> Result<u64, ClientError> {
        if octets.len() as u64 > self.total - self.have {
            return Err(ClientError::BlobTampered("it is longer"));
        }
        self.file.write_all(octets).map_err(self.failed())?;
        self.have += octets.len() as u64;
        Ok(self.have)
    }
}

/// Decrypts a ciphertext of the right digest beside its target, and gives it its name.
fn decrypt(attachment: &Attachment, ciphertext: &Path, target: &Path, overwrites: bool) -> Result<(), ClientError> {
    let failed = |source| ClientError::File { path: target.to_owned(), source };
    let path = ciphertext.with_extension("new");
    // What a process has left that died here.
    let _ = fs::remove_file(&path);
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path).map_err(failed)?;
    // Removed, unless it gets its name.
    let path = TempPath::try_from_path(path).map_err(failed)?;
    let mut reader = BufReader::new(File::open(ciphertext).map_err(failed)?);
    let mut writer = BufWriter::new(&file);
    match attachment::open(&attachment.key.0, attachment.size, &mut reader, &mut writer) {
        Ok(()) => {}
        Err(AttachmentError::Io(source)) => return Err(failed(source)),
        // The digest was right: its sender has made it so.
        Err(_) => return Err(ClientError::BlobTampered("it does not open with the key in the message")),
    }
    drop(writer);
    file.sync_all().map_err(failed)?;
    persist(path, target, overwrites)
}

/// Gives a file its name, which none may have if nothing is to be overwritten.
fn persist(path: TempPath, target: &Path, overwrites: bool) -> Result<(), ClientError> {
    let persisted = if overwrites { path.persist(target) } else { path.persist_noclobber(target) };
    persisted.map_err(|error| match error.error.kind() {
        io::ErrorKind::AlreadyExists => ClientError::TargetExists(target.to_owned()),
        _ => ClientError::File { path: target.to_owned(), source: error.error },
    })
}

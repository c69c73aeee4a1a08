//! Sending a file: encrypted into the folder of uploads first, then uploaded, then said in a message.

use std::fs::File;
use std::future::{Future, pending};
use std::io::{self, Cursor, Read, Seek as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rossby_crypto::attachment::AttachmentKey;
use rossby_schemas::encoding::FixedOctets;
use rossby_schemas::http::blobs::{MAX_BLOB_DAYS, UploadKey};
use rossby_schemas::time::Timestamp;

use super::picture::{self, PictureError};
use super::progress::Tell;
use super::spool::Spool;
use super::upload::PendingUpload;
use super::{media_type, name, off_the_runtime};
use crate::Client;
use crate::contacts::Peer;
use crate::content::{Attachment, Body as _, Preview, Role, SecretKey};
use crate::error::ClientError;
use crate::groups::{Addressee, Membership};
use crate::messages::{Conversation, Sent};
use crate::random::{self, rng};
use crate::store::uploads::{self, StoredUpload};

/// How long an attachment can be fetched: what the server allows, less a minute for clocks.
const LIFETIME: Duration = Duration::from_secs(MAX_BLOB_DAYS * 24 * 3600 - 60);
/// A larger picture is sent without a preview: it is held in memory while one is made.
const MAX_PICTURE_OCTETS: u64 = 64 * 1024 * 1024;

/// A file that is to be sent.
#[derive(Debug, Clone)]
pub struct FileToSend {
    /// Where it is.
    pub path: PathBuf,
    /// What it is for; if it isn't said, its media type decides.
    pub role: Option<Role>,
    /// What is said of it.
    pub caption: Option<String>,
    /// How long a voice message takes.
    pub duration: Option<Duration>,
    /// Whether a picture is written anew, from its pixels alone: without the place, the time and the camera. A JPEG loses a
    /// little by it. Otherwise the file goes as it is.
    pub strip_metadata: bool,
}

impl FileToSend {
    /// A file as it is.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), role: None, caption: None, duration: None, strip_metadata: false }
    }
}

/// What became of a file that was sent.
#[derive(Debug)]
pub enum FileSent {
    /// It is on the server, and the message is in the outbox or beyond.
    Said(Sent),
    /// It is encrypted and kept, and goes on with [`Client::upload_pending`].
    Waiting {
        /// The upload.
        upload: PendingUpload,
        /// Why it waits.
        reason: ClientError,
    },
}

/// A file that was looked at, and is to be encrypted.
struct Prepared {
    length: u64,
    source: Source,
    name: String,
    media_type: String,
    role: Role,
    preview: Option<Preview>,
}

enum Source {
    File(File),
    Octets(Cursor<Vec<u8>>),
}

impl Read for Source {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::File(file) => file.read(buffer),
            Self::Octets(octets) => octets.read(buffer),
        }
    }
}

/// A source that ends with an error once nobody waits any more for what is made of it.
struct Awaited<R> {
    source: R,
    is_left: Arc<AtomicBool>,
}

impl<R: Read> Read for Awaited<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.is_left.load(Ordering::Relaxed) {
            return Err(io::Error::other("nobody waits for it any more"));
        }
        self.source.read(buffer)
    }
}

/// Says when it is dropped that nobody waits any more.
#[derive(Default)]
struct Waiting(Arc<AtomicBool>);

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Client {
    /// Sends a file. It is encrypted into the home first, a piece at a time, and from then on nothing depends on the file itself. If
    /// the server can't be reached, or the process dies, it stays there, and [`Client::upload_pending`] goes on. The message
    /// follows once all of it is on the server.
    ///
    /// # Errors
    /// [`ClientError::NotAFile`], [`ClientError::Picture`], [`ClientError::Attachment`], [`ClientError::Content`], those of
    /// [`Client::send`], and what the server refuses for good: nothing was sent, and nothing is kept.
    pub async fn send_file(&self, peer: &Peer, file: FileToSend, tell: Option<Tell>) -> Result<FileSent, ClientError> {
        self.send_file_to(&Addressee::Peer(peer.clone()), file, tell).await
    }

    /// Sends a file to somebody or to a group, as [`Client::send_file`] does.
    ///
    /// # Errors
    /// Those of [`Client::send_file`], and of [`Client::send_to_group`].
    pub async fn send_file_to(
        &self,
        addressee: &Addressee,
        file: FileToSend,
        tell: Option<Tell>,
    ) -> Result<FileSent, ClientError> {
        let kept = self.keep_file_for(addressee, file, tell.clone(), pending()).await?;
        self.send_kept(kept.id, tell).await
    }

    /// The first half of [`Client::send_file_to`]: encrypts a file into the home. Nothing is kept if `stopped` comes before that is done;
    /// what is kept is sent by [`Client::send_kept`] or [`Client::upload_pending`], or given up by [`Client::cancel_upload`].
    ///
    /// # Errors
    /// Those of [`Client::send_file_to`].
    pub async fn keep_file_for(
        &self,
        addressee: &Addressee,
        file: FileToSend,
        tell: Option<Tell>,
        stopped: impl Future<Output = ()> + Send,
    ) -> Result<PendingUpload, ClientError> {
        let encrypting = async {
            let conversation = self.conversation_for_files(addressee).await?;
            self.encrypt_file(conversation, file, tell).await
        };
        // What goes into the store is not stopped half-way: it could be there all the same.
        let upload = tokio::select! {
            biased;
            upload = encrypting => upload?,
            () = stopped => return Err(ClientError::Interrupted),
        };
        Ok((&self.keep_upload(upload).await?).into())
    }

    async fn conversation_for_files(&self, addressee: &Addressee) -> Result<Conversation, ClientError> {
        match addressee {
            Addressee::Peer(peer) => Ok(Conversation::Direct(self.recipient_box(&self.device().await?, peer).await?)),
            Addressee::Group(group) => {
                let group = self.group(group).await?;
                if !matches!(group.membership, Membership::Requested | Membership::Member | Membership::Admin) {
                    return Err(ClientError::NotInGroup(group.name));
                }
                Ok(Conversation::Group(group.id.0))
            }
        }
    }

    /// The second half of [`Client::send_file_to`]: uploads what is kept under this number, and says it. It stays kept if this is dropped.
    ///
    /// # Errors
    /// [`ClientError::NoSuchUpload`], and what the server refuses for good: nothing was sent, and nothing is kept.
    pub async fn send_kept(&self, id: i64, tell: Option<Tell>) -> Result<FileSent, ClientError> {
        let uploads = self.store.uploads(&self.vault).await?;
        let upload = uploads.into_iter().find(|upload| upload.id == id).ok_or(ClientError::NoSuchUpload(id))?;
        match self.upload_and_say(upload.clone(), tell).await {
            Ok(sent) => Ok(FileSent::Said(sent)),
            Err(reason) if upload.is_kept_after(&reason) => Ok(FileSent::Waiting { upload: (&upload).into(), reason }),
            Err(error) => {
                self.drop_upload(&upload).await?;
                Err(error)
            }
        }
    }

    /// Encrypts a file into the home, as something that is to be kept. Nothing stays of it if this is dropped.
    pub(super) async fn encrypt_file(
        &self,
        conversation: Conversation,
        file: FileToSend,
        tell: Option<Tell>,
    ) -> Result<StoredUpload, ClientError> {
        let known: Vec<String> =
            self.store.uploads(&self.vault).await?.into_iter().map(|upload| upload.spool).collect();
        let (spool, expires_at) = (self.spool(), self.expiry());
        let waiting = Waiting::default();
        let is_left = Arc::clone(&waiting.0);
        let filled = move || -> Result<_, ClientError> {
            spool.tidy(&known, std::time::SystemTime::now());
            let Prepared { length, source, name, media_type, role, preview } = prepare(&file)?;
            let mut source = Awaited { source, is_left };
            let key = AttachmentKey::generate(&mut rng());
            let mut attachment = Attachment {
                role,
                name,
                media_type,
                size: length,
                // Known once it is on the server, and once it is encrypted.
                blob_id: FixedOctets([0; 34]),
                digest: FixedOctets([0; 32]),
                key: SecretKey(key.clone()),
                expires_at,
                caption: file.caption,
                duration_ms: file.duration.map(|duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)),
                preview,
            };
            attachment.check()?;
            let (name, sealed) = spool.fill(&key, length, &mut source, tell.as_ref())?;
            attachment.digest = sealed.digest;
            Ok((name, sealed.octets, attachment))
        };
        let (name, octets, attachment) = off_the_runtime(filled).await?;
        drop(waiting);
        Ok(StoredUpload {
            id: 0,
            conversation,
            spool: name,
            octets,
            begun_at: self.now(),
            attachment,
            upload_key: UploadKey(FixedOctets(random::octets())),
        })
    }

    /// Keeps what is to be done with a file that is encrypted.
    pub(super) async fn keep_upload(&self, upload: StoredUpload) -> Result<StoredUpload, ClientError> {
        let mut transaction = self.store.begin().await?;
        let id = uploads::insert(&mut transaction, &self.vault, &upload).await?;
        transaction.commit().await?;
        Ok(StoredUpload { id, ..upload })
    }

    /// When an attachment expires whose upload begins now.
    pub(super) fn expiry(&self) -> Timestamp {
        self.http.server_now().plus(LIFETIME)
    }

    pub(crate) fn spool(&self) -> Spool {
        Spool::of(&self.home)
    }
}

/// Looks at a file: what it is, how long, and what it looks like.
fn prepare(file: &FileToSend) -> Result<Prepared, ClientError> {
    let path = file.path.as_path();
    let failed = |source| ClientError::File { path: path.to_owned(), source };
    // What is no file may never give an octet, or never end.
    if !path.metadata().map_err(failed)?.is_file() {
        return Err(ClientError::NotAFile(path.to_owned()));
    }
    let mut opened = File::open(path).map_err(failed)?;
    let length = opened.metadata().map_err(failed)?.len();
    let name = name::own_name(path);
    let mut beginning = Vec::new();
    let limit = media_type::BEGINNING_OCTETS as u64;
    opened.by_ref().take(limit).read_to_end(&mut beginning).map_err(failed)?;
    let media_type = media_type::of(&beginning, &name).to_owned();
    let role = file.role.unwrap_or_else(|| media_type::role(&media_type));
    opened.rewind().map_err(failed)?;
    let mut prepared = Prepared { length, source: Source::File(opened), name, media_type, role, preview: None };
    if role == Role::Picture || file.strip_metadata {
        look_at(path, &mut prepared, file.strip_metadata)?;
    }
    Ok(prepared)
}

/// Makes a picture's preview, and writes the picture anew if that is wanted. One that can't be decoded goes without a preview.
fn look_at(path: &Path, prepared: &mut Prepared, strip_metadata: bool) -> Result<(), ClientError> {
    let failed = |source| ClientError::File { path: path.to_owned(), source };
    let decoded = if prepared.length <= MAX_PICTURE_OCTETS {
        picture::decode(std::io::BufReader::new(File::open(path).map_err(failed)?))
    } else {
        Err(PictureError::TooLarge)
    };
    let (picture, format) = match decoded {
        Ok(decoded) => decoded,
        Err(error) if strip_metadata => return Err(error.into()),
        Err(_) => return Ok(()),
    };
    if prepared.role == Role::Picture {
        prepared.preview = picture::preview(&picture);
    }
    if strip_metadata {
        let octets = picture::without_metadata(&picture, format)?;
        prepared.length = octets.len() as u64;
        prepared.source = Source::Octets(Cursor::new(octets));
    }
    Ok(())
}

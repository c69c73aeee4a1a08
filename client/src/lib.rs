//! A person's device: private keys that never leave it, contacts and what is pinned of them, messages, and the local store.
//!
//! The server is not trusted. What it gives is verified against what is pinned here, and what doesn't fit is refused and
//! told as a [`Warning`]. Everything that must outlive the process is in the store before it is sent or confirmed, so that
//! a device that dies anywhere goes on where it was.

mod account;
mod account_history;
mod archive;
mod attachments;
mod contacts;
mod content;
mod error;
mod groups;
mod http;
mod messages;
mod profile;
mod random;
mod store;
mod stream;
mod vault;
mod warning;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

pub use account::{
    Account, AccountIdentifier, CodeAsked, Confirmed, DeviceRef, IdentifierError, IdentifierRef, LinkCode, LinkOffer,
    Objected, OwnDevice, Recovery, RegisterOptions, Registration, SealingSchedule, Setting, Settings,
};
pub use account_history::{
    AccountEvent, AccountHistory, FaultKind, HistoryAction, HistoryFault, NamedBox, NamedDevice,
};
pub use archive::{
    Archive, ArchiveEnd, ArchiveError, ArchiveRecord, ArchiveSummary, ArchivedAccount, ArchivedAction, ArchivedAnswer,
    ArchivedAttachment, ArchivedChange, ArchivedContact, ArchivedDevice, ArchivedGroup, ArchivedMark, ArchivedMember,
    ArchivedMessage, ArchivedQueued, ArchivedReaction, ArchivedRecipient, ArchivedReference, ArchivedSettings,
    ArchivedState, AttachmentPart, ExportOptions, Exported, Imported,
};
pub use attachments::{FileSent, FileToSend, PendingUpload, PictureError, Progress, Step, Target, Tell, safe_name};
pub use contacts::{Contact, ContactDevice, Peer, Shown, Verification, Verified};
pub use content::{
    Attachment, Content, ContentError, Deletion, Edit, Kind, Location, MAX_CAPTION_OCTETS, MAX_TEXT_OCTETS, MessageRef,
    Preview, Reaction, Receipt, ReceiptState, Reply, Role, SharedProfileKey, Standing,
};
pub use error::ClientError;
pub use groups::{Addressee, Group, GroupEvent, GroupMember, GroupRef, Membership};
pub use http::Retries;
pub use messages::{
    Archived, Conversation, ConversationOverview, Draft, Emoji, Message, MessageName, MessageState, ReceiptSettings,
    Received, Recipient, Referred, Sent,
};
pub use profile::{MAX_PICTURE_OCTETS, MAX_PROFILE_NAME, Picture, Profile, ProfileChange, ProfileChanged};
pub use rossby_crypto::group::{Action as GroupAction, GroupId, MAX_MEMBERS as MAX_GROUP_MEMBERS, Role as GroupRole};
pub use rossby_schemas::http::stream::Changed;
use rossby_schemas::time::{Clock, SystemClock, Timestamp};
use sqlx::SqliteConnection;
pub use stream::{Event, Indicated, Typing, Way};
pub use vault::{Keyring, KeyringError, LockKind, Unlock, UnlockError, erase_key_file};
pub use warning::{Notice, Warning};

use crate::http::Http;
use crate::store::Store;
use crate::store::device::Device;
use crate::store::warnings;
use crate::stream::Live;
use crate::vault::Vault;
use groups::{AuthorLookups, Graphs};

/// How a device's store is opened.
#[derive(Debug, Clone)]
pub struct ClientConfig {
    /// The folder that holds everything of this person on this device.
    pub home: PathBuf,
    /// What opens the private keys.
    pub unlock: Unlock,
    /// The server's URL; none takes the one that the home was made with.
    pub server: Option<String>,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// The system's keyring, asked only by a home that is locked with it.
    pub keyring: Keyring,
    /// When sealing keys are made anew and erased.
    pub schedule: SealingSchedule,
    /// How a server that can't be reached is asked again.
    pub retries: Retries,
    /// How long an answer to a confirmation over the stream is waited for, before messages are confirmed by a request.
    pub confirm_patience: Duration,
}

impl ClientConfig {
    /// A configuration with the system's clock and keyring, the usual schedule and retries, and the server that the home knows.
    #[must_use]
    pub fn new(home: PathBuf, unlock: Unlock) -> Self {
        let (clock, keyring) = (Arc::new(SystemClock), Keyring::of_system());
        let (schedule, retries) = (SealingSchedule::default(), Retries::default());
        Self {
            home,
            unlock,
            server: None,
            clock,
            keyring,
            schedule,
            retries,
            confirm_patience: stream::CONFIRM_PATIENCE,
        }
    }
}

/// One person's device.
#[derive(Debug)]
pub struct Client {
    home: PathBuf,
    store: Store,
    vault: Vault,
    http: Http,
    clock: Arc<dyn Clock>,
    schedule: SealingSchedule,
    graphs: Graphs,
    author_lookups: AuthorLookups,
    live: Live,
}

impl Client {
    /// Whether there is a store in this home.
    #[must_use]
    pub fn exists(home: &std::path::Path) -> bool {
        Store::exists(home)
    }

    /// By what the home is locked.
    ///
    /// # Errors
    /// [`ClientError::NoHome`] if there is none, [`ClientError::Store`] if it can't be read.
    pub async fn lock_of(home: &std::path::Path) -> Result<LockKind, ClientError> {
        let store = Store::open(home).await?;
        let lock = store.home().await?.lock;
        store.close().await;
        Ok(lock.by.kind())
    }

    /// Makes a new home for a person on the server with the configuration's URL.
    ///
    /// # Errors
    /// [`ClientError::HomeExists`], [`ClientError::BadServer`], and what the file system says.
    pub async fn create(config: ClientConfig) -> Result<Self, ClientError> {
        let server = config.server.as_deref().ok_or_else(|| ClientError::BadServer(String::new()))?;
        let http = Http::new(server, Arc::clone(&config.clock))?.asked_again(config.retries);
        if Store::exists(&config.home) {
            return Err(ClientError::HomeExists(config.home));
        }
        store::make_folder(&config.home)?;
        let now = config.clock.now();
        let (vault, lock) = Vault::create(config.unlock, config.keyring).await?;
        let store = match Store::create(&config.home, http.url(), &lock, now).await {
            Ok(store) => store,
            Err(error) => {
                vault.forget(&lock).await;
                return Err(error);
            }
        };
        let (clock, schedule) = (config.clock, config.schedule);
        let live = Live::new(config.confirm_patience);
        let (graphs, author_lookups) = (Graphs::default(), AuthorLookups::default());
        Ok(Self { home: config.home, store, vault, http, clock, schedule, graphs, author_lookups, live })
    }

    /// Opens the home of a person.
    ///
    /// # Errors
    /// [`ClientError::NoHome`] if there is none, [`ClientError::Unlock`] if the passphrase or key file is wrong.
    pub async fn open(config: ClientConfig) -> Result<Self, ClientError> {
        let store = Store::open(&config.home).await?;
        let home = store.home().await?;
        let server = config.server.as_deref().unwrap_or(&home.server);
        let http = Http::new(server, Arc::clone(&config.clock))?.asked_again(config.retries);
        let vault = Vault::unlock(config.unlock, home.lock, config.keyring).await?;
        store.wrap_old_keys(&vault, config.clock.now()).await?;
        store.scrub().await?;
        let (clock, schedule) = (config.clock, config.schedule);
        let live = Live::new(config.confirm_patience);
        let (graphs, author_lookups) = (Graphs::default(), AuthorLookups::default());
        Ok(Self { home: config.home, store, vault, http, clock, schedule, graphs, author_lookups, live })
    }

    /// Ends all use of the store.
    pub async fn close(self) {
        self.store.close().await;
    }

    /// The server's URL.
    #[must_use]
    pub fn server(&self) -> &str {
        self.http.url()
    }

    /// Whether the way to the server is open to whoever stands on it: neither TLS nor this machine's own.
    #[must_use]
    pub fn is_overheard(&self) -> bool {
        self.http.is_overheard()
    }

    /// Every private key of this device in the clear, its token's key among them: for tests that search for them.
    ///
    /// # Errors
    /// The store's.
    #[cfg(feature = "inspect")]
    pub async fn private_keys(&self) -> Result<Vec<zeroize::Zeroizing<[u8; 32]>>, ClientError> {
        let device = self.device().await?;
        let mut keys = vec![device.signing_key.to_seed(), zeroize::Zeroizing::new(*device.token()?.key.as_bytes())];
        for key in self.store.sealing_keys().await? {
            keys.extend(self.store.sealing_secret(&self.vault, key.counter).await?.map(|secret| secret.to_bytes()));
        }
        let profile = store::profiles::own(&mut *self.store.read().await?, &self.vault).await?;
        keys.extend(profile.map(|own| zeroize::Zeroizing::new(*own.key.as_bytes())));
        Ok(keys)
    }

    /// These were shown.
    ///
    /// # Errors
    /// The store's.
    pub async fn warnings_shown(&self, notices: &[Notice]) -> Result<(), ClientError> {
        self.store.warnings_shown(notices).await
    }

    /// Keeps a warning, with the change that it is about.
    async fn warn(&self, connection: &mut SqliteConnection, warning: &Warning) -> Result<(), ClientError> {
        warnings::keep(connection, &self.vault, warning, self.now()).await
    }

    /// Keeps a warning that goes with no change.
    async fn warn_alone(&self, warning: &Warning) -> Result<(), ClientError> {
        let mut transaction = self.store.begin().await?;
        self.warn(&mut transaction, warning).await?;
        Ok(transaction.commit().await?)
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// This device, once it belongs to a box.
    async fn device(&self) -> Result<Device, ClientError> {
        let device = self.store.device(&self.vault).await?.ok_or(ClientError::NotRegistered)?;
        if device.token.is_some() {
            return Ok(device);
        }
        match self.store.under_way().await?.claim_until {
            Some(until) => {
                let identifier = account::address(&device.identifier).to_owned();
                Err(IdentifierError::Waits { identifier, until }.into())
            }
            None => Err(ClientError::NotAuthorized(device.identifier)),
        }
    }
}

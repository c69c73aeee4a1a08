//! The system's keyring: the Secret Service on Linux, the keychain on macOS. Each key is an entry of its own, so that it can be
//! erased there.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use keyring_core::{CredentialStore, Entry, Error};
use uuid::Uuid;
use zeroize::Zeroizing;

use super::KeyringError;
use super::key::Key;

/// Under which name the keyring has this program's entries.
pub(crate) const SERVICE: &str = "rossby";

type Open = dyn Fn() -> Result<Arc<CredentialStore>, Error> + Send + Sync;

/// The system's keyring. It is asked for when it is needed first.
#[derive(Clone)]
pub struct Keyring {
    open: Arc<Open>,
    opened: Arc<Mutex<Option<Arc<CredentialStore>>>>,
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keyring")
    }
}

impl Keyring {
    /// The one of the person who runs this process.
    #[must_use]
    pub fn of_system() -> Self {
        Self::opened_by(open_of_system)
    }

    fn opened_by(open: impl Fn() -> Result<Arc<CredentialStore>, Error> + Send + Sync + 'static) -> Self {
        Self { open: Arc::new(open), opened: Arc::default() }
    }

    /// One that lasts as long as the process, to look into and to make fail.
    #[cfg(test)]
    pub(crate) fn in_memory() -> (Self, Arc<CredentialStore>) {
        let store: Arc<CredentialStore> = keyring_core::mock::Store::new().unwrap();
        let kept = Arc::clone(&store);
        (Self::opened_by(move || Ok(Arc::clone(&kept))), store)
    }

    /// One that is not there.
    #[cfg(test)]
    pub(crate) fn missing() -> Self {
        Self::opened_by(|| Err(Error::NoDefaultStore))
    }

    /// Keeps a key.
    pub(crate) async fn put(&self, id: Uuid, key: &Key) -> Result<(), KeyringError> {
        // As text: some keyrings hold nothing else.
        let text = Zeroizing::new(URL_SAFE_NO_PAD.encode(key.as_slice()));
        self.with(id, move |entry| entry.set_password(&text)).await
    }

    /// The key, if it was not erased.
    pub(crate) async fn get(&self, id: Uuid) -> Result<Option<Key>, KeyringError> {
        let found = self.with(id, |entry| match entry.get_password() {
            Ok(text) => Ok(Some(Zeroizing::new(text))),
            Err(Error::NoEntry) => Ok(None),
            Err(error) => Err(error),
        });
        let Some(text) = found.await? else { return Ok(None) };
        let octets = Zeroizing::new(URL_SAFE_NO_PAD.decode(text.as_bytes()).map_err(|_| KeyringError::NotAKey)?);
        Key::from_slice(&octets).map(Some).ok_or(KeyringError::NotAKey)
    }

    /// Erases a key, if it is there.
    pub(crate) async fn erase(&self, id: Uuid) -> Result<(), KeyringError> {
        let erased = self.with(id, |entry| match entry.delete_credential() {
            Err(Error::NoEntry) => Ok(()),
            other => other,
        });
        erased.await
    }

    /// Works on an entry, on a thread of its own: the keyring may ask its person to unlock it.
    async fn with<T: Send + 'static>(
        &self,
        id: Uuid,
        work: impl FnOnce(&Entry) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, KeyringError> {
        let keyring = self.clone();
        let done = tokio::task::spawn_blocking(move || {
            let mut opened = keyring.opened.lock().unwrap_or_else(PoisonError::into_inner);
            let store = match opened.take() {
                Some(store) => store,
                None => (keyring.open)().map_err(|error| KeyringError::None(reason(&error)))?,
            };
            let done = store.build(SERVICE, &user(id), None).and_then(|entry| work(&entry));
            // A session that has ended is begun anew the next time.
            if !matches!(done, Err(Error::PlatformFailure(_))) {
                *opened = Some(store);
            }
            done.map_err(|error| KeyringError::Refused(reason(&error)))
        });
        done.await.unwrap_or_else(|_| Err(KeyringError::Refused("it broke off".to_owned())))
    }
}

/// The innermost reason, which is what says something.
fn reason(error: &Error) -> String {
    let mut inner: &dyn std::error::Error = error;
    while let Some(source) = inner.source() {
        inner = source;
    }
    inner.to_string()
}

/// Under which name the keyring has a key.
pub(crate) fn user(id: Uuid) -> String {
    format!("key {id}")
}

#[cfg(target_os = "linux")]
fn open_of_system() -> Result<Arc<CredentialStore>, Error> {
    dbus_secret_service_keyring_store::Store::new().map(|store| store as Arc<CredentialStore>)
}

#[cfg(target_os = "macos")]
fn open_of_system() -> Result<Arc<CredentialStore>, Error> {
    apple_native_keyring_store::keychain::Store::new().map(|store| store as Arc<CredentialStore>)
}

#[cfg(not(any(target_os = "linux", target_os = "macos")))]
fn open_of_system() -> Result<Arc<CredentialStore>, Error> {
    Err(Error::NotSupportedByStore("this system's is not known".to_owned()))
}

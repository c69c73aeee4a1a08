//! What locks the private keys of this home, and another lock for them.

use uuid::Uuid;

use crate::Client;
use crate::error::ClientError;
use crate::store::set_lock;
use crate::vault::{LockKind, Unlock};

impl Client {
    /// By what this home is locked.
    #[must_use]
    pub const fn lock_kind(&self) -> LockKind {
        self.vault.kind
    }

    /// Locks this home with something else: the store's key is wrapped anew, and what wrapped it is overwritten. A copy of the
    /// home that was made before still opens as it did. Ends all use of the store.
    ///
    /// # Errors
    /// [`ClientError::Keyring`], [`ClientError::Unlock`] for an empty passphrase or a file that is no key, and what the file
    /// system says. The lock is then as it was.
    pub async fn change_lock(self, unlock: Unlock) -> Result<(), ClientError> {
        let to = match &unlock {
            Unlock::Passphrase(_) => LockKind::Passphrase,
            Unlock::KeyFile(_) => LockKind::KeyFile,
            Unlock::Keyring => LockKind::Keyring,
        };
        let id = Uuid::new_v4();
        if to == LockKind::Keyring {
            // One that can't be asked has nothing of this home to erase, either.
            self.vault.keyring.get(id).await?;
            self.store.keyring_will_have(id, self.now()).await?;
        }
        let lock = self.vault.lock_anew(unlock, id).await?;
        let mut transaction = self.store.begin().await?;
        self.store.move_wrapping_keys(&mut transaction, &self.vault, to).await?;
        set_lock(&mut transaction, &lock).await?;
        crate::store::scrub_later(&mut transaction).await?;
        transaction.commit().await?;
        self.erase_what_is_due().await?;
        self.close().await;
        Ok(())
    }

    /// Erases the wrapping keys that wrap nothing any more, and overwrites what was erased.
    pub(crate) async fn erase_what_is_due(&self) -> Result<(), ClientError> {
        if let Some(error) = self.store.erase_wrapping_keys(&self.vault, self.now()).await? {
            let warning = crate::Warning::NotErased { reason: error.to_string() };
            self.warn_alone(&warning).await?;
        }
        self.store.scrub().await
    }
}

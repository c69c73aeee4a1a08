//! Others' profiles: opened with the key that their owner gave, and never taken back to an older one.

use rossby_crypto::profile::{ProfileKey, key_version};
use rossby_schemas::encoding::Octets;
use rossby_schemas::ids::BoxId;
use sqlx::SqliteConnection;

use super::document::Document;
use crate::Client;
use crate::error::ClientError;
use crate::store::profiles::{self, PeerProfile};
use crate::warning::Warning;

impl Client {
    /// Takes the profile that the server shows of somebody, if it is a later one, and tells what can't be their doing.
    pub(crate) async fn heed_shown_profile(
        &self,
        connection: &mut SqliteConnection,
        box_id: BoxId,
        shown: &Octets,
    ) -> Result<(), ClientError> {
        let known = profiles::peer(connection, &self.vault, box_id).await?;
        let version = match key_version(shown) {
            Ok(version) => version,
            // None was ever set, or it was taken away: by its owner it is replaced by one that says nothing.
            Err(_) if known.opened.is_none() && (shown.as_slice().is_empty() || known.key.is_none()) => return Ok(()),
            Err(_) if shown.as_slice().is_empty() => return self.warn(connection, &Warning::OldProfile(box_id)).await,
            Err(_) => return self.warn(connection, &Warning::BadProfile(box_id)).await,
        };
        if known.opened.is_some_and(|(opened, _)| version < opened) {
            return self.warn(connection, &Warning::OldProfile(box_id)).await;
        }
        if known.shown.as_ref() != Some(shown) {
            profiles::set_shown(connection, box_id, shown).await?;
        }
        self.open_profile(connection, box_id, &PeerProfile { shown: Some(shown.clone()), ..known }).await
    }

    /// Takes what opens somebody's profile, as they or another of the own devices gave it, if it is a later one.
    pub(crate) async fn heed_profile_key(
        &self,
        connection: &mut SqliteConnection,
        box_id: BoxId,
        key: &ProfileKey,
    ) -> Result<(), ClientError> {
        let known = profiles::peer(connection, &self.vault, box_id).await?;
        if known.key.as_ref().is_some_and(|known| known.version() >= key.version()) {
            return Ok(());
        }
        profiles::set_key(connection, &self.vault, box_id, key).await?;
        self.open_profile(connection, box_id, &PeerProfile { key: Some(key.clone()), ..known }).await
    }

    /// Opens the profile that was shown, if its key is known.
    async fn open_profile(
        &self,
        connection: &mut SqliteConnection,
        box_id: BoxId,
        known: &PeerProfile,
    ) -> Result<(), ClientError> {
        let (Some(key), Some(shown)) = (&known.key, &known.shown) else { return Ok(()) };
        // What needs another key waits for it, or came before it.
        if key_version(shown) != Ok(key.version()) {
            return Ok(());
        }
        let opened = key.open(box_id, shown).ok().and_then(|text| Document::read(&text));
        let Some(document) = opened else {
            return self.warn(connection, &Warning::BadProfile(box_id)).await;
        };
        let at = (key.version(), document.revision);
        match known.opened {
            Some(before) if before > at => self.warn(connection, &Warning::OldProfile(box_id)).await,
            Some(before) if before == at => Ok(()),
            _ => profiles::set_opened(connection, &self.vault, box_id, at, &document.profile).await,
        }
    }
}

//! The own profile: in the store before the server has it, so that a device that dies in between goes on; and its key, given to
//! those whom the person has accepted.

use std::time::Duration;

use rossby_crypto::account::AccountChange;
use rossby_crypto::profile::{ProfileKey, key_version};
use rossby_schemas::encoding::Octets;
use rossby_schemas::http::problem::ProblemType;
use rossby_schemas::ids::BoxId;
use sqlx::SqliteConnection;

use super::document::{self, Document};
use super::{Picture, Profile};
use crate::Client;
use crate::content::{Content, SharedProfileKey, Standing};
use crate::error::ClientError;
use crate::messages::{Conversation, Written};
use crate::random::rng;
use crate::store::device::Device;
use crate::store::peers;
use crate::store::profiles::{self, OwnProfile};
use crate::warning::Warning;

/// How often another change of the account may come before.
const TRIES: u32 = 5;
/// No honest devices have made so many keys since this one heard of one: a server that says so lies.
const MOST_KEYS: u32 = 1000;

/// The own profile after a change.
#[derive(Debug)]
pub struct ProfileChanged {
    /// What it says now.
    pub profile: Profile,
    /// Why the server does not have it yet, if it doesn't.
    pub reason: Option<ClientError>,
}

/// What changes in the own profile; what is none stays.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProfileChange {
    /// Another name, or none.
    pub name: Option<Option<String>>,
    /// Another picture, or none.
    pub picture: Option<Option<Picture>>,
}

impl Client {
    /// The own profile, as this device knows it.
    ///
    /// # Errors
    /// The store's.
    pub async fn profile(&self) -> Result<Profile, ClientError> {
        let own = profiles::own(&mut *self.store.read().await?, &self.vault).await?;
        Ok(own.map(|own| own.profile).unwrap_or_default())
    }

    /// Changes the own profile. Those whom the person has accepted can read it, and the own devices; the server can't. It is in
    /// the store before the server hears of it: if the server can't be reached, it goes out with the next `sync` or `receive`.
    ///
    /// # Errors
    /// [`ClientError::BadProfileName`], and the store's.
    pub async fn change_profile(&self, change: ProfileChange) -> Result<ProfileChanged, ClientError> {
        let name = match change.name {
            Some(Some(name)) => Some(Some(document::name(&name)?)),
            other => other,
        };
        // What another device has set is to be known before: its key comes with the messages.
        let received = self.receive(Duration::ZERO).await;
        let mut transaction = self.store.begin().await?;
        let before = profiles::own(&mut transaction, &self.vault).await?;
        let mut own = before.unwrap_or_else(|| OwnProfile {
            key: ProfileKey::generate(&mut rng(), 1),
            revision: 0,
            profile: Profile::default(),
            is_stated: false,
            is_told: false,
        });
        let profile =
            Profile { name: name.unwrap_or(own.profile.name), picture: change.picture.unwrap_or(own.profile.picture) };
        own = OwnProfile { revision: own.revision + 1, profile, is_stated: false, ..own };
        profiles::set_own(&mut transaction, &self.vault, &own).await?;
        transaction.commit().await?;
        let stated = match received {
            Ok(_) => self.state_profile().await,
            Err(error) => Err(error),
        };
        self.flush().await?;
        Ok(ProfileChanged { profile: own.profile, reason: stated.err() })
    }

    /// Gives the own profile to the server, if that doesn't have it yet, and its key to those who don't.
    ///
    /// # Errors
    /// What the server says.
    pub(crate) async fn state_profile(&self) -> Result<(), ClientError> {
        let device = self.device().await?;
        let mut tries = 0;
        loop {
            tries += 1;
            let own = profiles::own(&mut *self.store.read().await?, &self.vault).await?;
            let Some(own) = own else { return Ok(()) };
            if own.is_stated {
                return if own.is_told { Ok(()) } else { self.give_profile_key(&device).await };
            }
            let shown = self.account_as_server_has_it(&device).await?.profile;
            let own = self.above_what_is_shown(&device, &shown.blob).await?;
            let text = Document { revision: own.revision, profile: own.profile.clone() }.write();
            let too_long = |_| ClientError::DamagedStore("the own profile is too long");
            let blob = own.key.seal(&mut rng(), device.box_id, &text).map_err(too_long)?;
            match self.change_account(&device, shown.version, AccountChange::SetProfileBlob(blob)).await {
                Ok(()) => self.profile_stated(&own).await?,
                Err(error) if error.problem() == Some(ProblemType::VersionConflict) && tries < TRIES => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Does so if it can be done now; what can't goes out later.
    pub(crate) async fn state_profile_or_later(&self) {
        if let Err(error) = self.state_profile().await {
            tracing::debug!(%error, "the profile is given to the server later");
        }
    }

    /// The own profile, as a later one than the server shows: another of the own devices may have set that.
    pub(super) async fn above_what_is_shown(&self, device: &Device, shown: &Octets) -> Result<OwnProfile, ClientError> {
        let mut transaction = self.store.begin().await?;
        let own = profiles::own(&mut transaction, &self.vault).await?;
        let mut own = own.ok_or(ClientError::DamagedStore("the own profile is missing"))?;
        if let Ok(version) = key_version(shown) {
            match opened(&own.key, device.box_id, shown) {
                Some(document) => own.revision = own.revision.max(document.revision + 1),
                // Its key has not come, or never will: one that is later than it.
                None if version >= own.key.version() && version - own.key.version() < MOST_KEYS => {
                    (own.key, own.is_told) = (ProfileKey::generate(&mut rng(), version + 1), false);
                    self.warn(&mut transaction, &Warning::ProfileReplaced).await?;
                }
                None => {}
            }
        }
        profiles::set_own(&mut transaction, &self.vault, &own).await?;
        transaction.commit().await?;
        Ok(own)
    }

    /// The server has this.
    async fn profile_stated(&self, stated: &OwnProfile) -> Result<(), ClientError> {
        let mut transaction = self.store.begin().await?;
        let own = profiles::own(&mut transaction, &self.vault).await?;
        // Another process may have changed it in between.
        if let Some(own) = own.filter(|own| (&own.key, own.revision) == (&stated.key, stated.revision)) {
            profiles::set_own(&mut transaction, &self.vault, &OwnProfile { is_stated: true, ..own }).await?;
        }
        Ok(transaction.commit().await?)
    }

    /// Gives the key of the own profile to everybody whom the person has accepted, and to the own devices.
    async fn give_profile_key(&self, device: &Device) -> Result<(), ClientError> {
        let mut transaction = self.store.begin().await?;
        let own = profiles::own(&mut transaction, &self.vault).await?;
        let Some(own) = own.filter(|own| own.is_stated && !own.is_told) else { return Ok(()) };
        for peer in peers::all(&mut transaction).await? {
            if peer.standing == Standing::Accepted {
                self.send_profile_key(&mut transaction, device, &own.key, peer.box_id).await?;
            }
        }
        self.tell_profile_key(&mut transaction, device, &own.key).await?;
        profiles::set_own(&mut transaction, &self.vault, &OwnProfile { is_told: true, ..own }).await?;
        Ok(transaction.commit().await?)
    }

    async fn send_profile_key(
        &self,
        connection: &mut SqliteConnection,
        device: &Device,
        key: &ProfileKey,
        to: BoxId,
    ) -> Result<(), ClientError> {
        let content = Content::ProfileKey(SharedProfileKey::of(key));
        let (kind, body) = (content.kind().number(), content.encode()?);
        let written =
            Written { conversation: Conversation::Direct(to), kind, body, is_shown: false, frame: None, beside: None };
        self.compose(connection, device, &[to], written).await?;
        Ok(())
    }

    /// How the person stands to somebody has changed: whoever is accepted is given the key; when one is accepted no more, there is
    /// another key for those who still are.
    pub(crate) async fn profile_after_standing(
        &self,
        connection: &mut SqliteConnection,
        device: &Device,
        box_id: BoxId,
        (before, now): (Standing, Standing),
    ) -> Result<(), ClientError> {
        let Some(own) = profiles::own(connection, &self.vault).await? else { return Ok(()) };
        match (before, now) {
            // Otherwise it is given to all, when the server has it.
            (_, Standing::Accepted) if own.is_told => self.send_profile_key(connection, device, &own.key, box_id).await,
            (Standing::Accepted, Standing::Stranger | Standing::Blocked) => {
                let key = ProfileKey::generate(&mut rng(), own.key.version().saturating_add(1));
                let own = OwnProfile { key, revision: own.revision + 1, is_stated: false, is_told: false, ..own };
                profiles::set_own(connection, &self.vault, &own).await
            }
            _ => Ok(()),
        }
    }

    /// Takes the key that another of the own devices has made.
    pub(crate) async fn heed_own_profile_key(
        &self,
        connection: &mut SqliteConnection,
        key: ProfileKey,
    ) -> Result<(), ClientError> {
        let own = match profiles::own(connection, &self.vault).await? {
            Some(own) if own.key.version() >= key.version() => return Ok(()),
            // What is to be said still is; what it says else comes with the account.
            Some(own) => OwnProfile { key, revision: 0, is_told: true, ..own },
            None => OwnProfile { key, revision: 0, profile: Profile::default(), is_stated: true, is_told: true },
        };
        profiles::set_own(connection, &self.vault, &own).await
    }

    /// Takes the own profile as the server shows it: another of the own devices may have changed it.
    pub(crate) async fn heed_own_profile(&self, device: &Device, shown: &Octets) -> Result<(), ClientError> {
        let mut transaction = self.store.begin().await?;
        let own = profiles::own(&mut transaction, &self.vault).await?;
        let Some(own) = own.filter(|own| own.is_stated) else { return Ok(()) };
        let box_id = device.box_id;
        let warning = match (opened(&own.key, box_id, shown), key_version(shown)) {
            (Some(document), _) if document.revision > own.revision => {
                let (revision, profile) = (document.revision, document.profile);
                profiles::set_own(&mut transaction, &self.vault, &OwnProfile { revision, profile, ..own }).await?;
                None
            }
            (Some(document), _) => (document.revision < own.revision).then_some(Warning::OldProfile(box_id)),
            // One of a later key waits for that key.
            (None, Ok(version)) if version > own.key.version() => None,
            (None, Ok(version)) if version == own.key.version() => Some(Warning::BadProfile(box_id)),
            (None, _) => Some(Warning::OldProfile(box_id)),
        };
        if let Some(warning) = warning {
            self.warn(&mut transaction, &warning).await?;
        }
        Ok(transaction.commit().await?)
    }
}

fn opened(key: &ProfileKey, box_id: BoxId, shown: &Octets) -> Option<Document> {
    Document::read(&key.open(box_id, shown).ok()?)
}

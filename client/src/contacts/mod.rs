//! Other people: looked up, verified, and pinned.

mod key_records;
mod refresh;
mod verification;

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

pub(crate) use key_records::{Known, contradicting};
use rossby_crypto::key_record::{KeyRecord, VerifiedSealingStatement};
use rossby_crypto::safety_number::SafetyNumber;
use rossby_schemas::http::lookup::{LookupRequest, LookupResponse};
use rossby_schemas::identifier::Identifier;
use rossby_schemas::ids::{BoxId, DeviceId, Head};
use rossby_schemas::time::Timestamp;
use sqlx::SqliteConnection;
pub(crate) use verification::shown_mark;
pub use verification::{Shown, Verification, Verified};

use crate::Client;
use crate::error::ClientError;
use crate::http::Call;
use crate::profile::Profile;
use crate::store::contacts::{self, Pin};
use crate::store::{profiles, records, verified};
use crate::warning::Warning;

/// How long a looked-up record is good for sending without another look-up. What changes in between, the server tells as
/// stale.
const FRESH: Duration = Duration::from_secs(24 * 3600);
/// How long it is taken that an identifier leads where it led. Whoever has got it meanwhile is asked for before anything is sent.
const LEADS_THERE: Duration = Duration::from_secs(3600);
/// How often one of many is looked up again where the server has enough.
const TRIES_AMONG_MANY: u32 = 8;

/// Someone to write to or to look up: an identifier or a box.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Peer {
    /// A phone number or an email address.
    Identifier(Identifier),
    /// A box.
    Box(BoxId),
}

impl FromStr for Peer {
    type Err = ClientError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Ok(box_id) = text.trim().parse() {
            return Ok(Self::Box(box_id));
        }
        text.parse().map(Self::Identifier).map_err(|_| ClientError::NotAPeer(text.to_owned()))
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Identifier(identifier) => f.write_str(identifier.address()),
            Self::Box(box_id) => fmt::Display::fmt(box_id, f),
        }
    }
}

/// What is known of someone.
#[derive(Debug, Clone)]
pub struct Contact {
    /// The box.
    pub box_id: BoxId,
    /// The identifiers under which this device found it.
    pub identifiers: Vec<String>,
    /// The head of its key record.
    pub head: Head,
    /// Its devices.
    pub devices: Vec<ContactDevice>,
    /// The safety number with this box: both sides see the same.
    pub safety_number: SafetyNumber,
    /// Whether sending is withheld: the identifier leads to another box than before.
    pub is_changed: bool,
    /// Whether the person has verified it.
    pub verified: Option<Verified>,
    /// What it says of itself, if it has given the key to it: claimed, and checked by nobody.
    pub profile: Option<Profile>,
}

/// A device of a contact.
#[derive(Debug, Clone)]
pub struct ContactDevice {
    /// The device.
    pub device_id: DeviceId,
    /// Whether it was removed.
    pub is_removed: bool,
    /// When its sealing key expires, if it has one.
    pub sealing_expires: Option<Timestamp>,
}

impl Client {
    /// Looks someone up, verifies the key record, and pins what wasn't known. `accept_change` takes the box that an
    /// identifier was seen to lead to before, and leads to now, for the right one.
    ///
    /// # Errors
    /// [`ClientError::Oneself`], [`ClientError::Forked`] and [`ClientError::BadRecord`] for a record that contradicts what is
    /// known, and what the server says: unknown, undiscoverable and blocking are one answer.
    pub async fn lookup(&self, peer: &Peer, accept_change: bool) -> Result<Contact, ClientError> {
        // Only what was shown before can be accepted: the server is asked again, and may answer otherwise.
        let shown_before = self.changed_to(peer).await?;
        let own_box = self.device().await?.box_id;
        let known = self.look_up(peer).await?;
        let box_id = known.record.box_id();
        if box_id == own_box {
            return Err(ClientError::Oneself);
        }
        let mut transaction = self.store.begin().await?;
        let mut is_changed = false;
        if let Peer::Identifier(identifier) = peer
            && let Some(pin) = contacts::pin(&mut transaction, identifier).await?
            && let Some(changed_to) = pin.changed_to
        {
            // What was found just now was told just now.
            let was_shown = shown_before == Some(changed_to);
            if accept_change && was_shown {
                self.accept_change(&mut transaction, identifier, changed_to).await?;
            } else {
                is_changed = true;
                if was_shown {
                    self.tell_change(&mut transaction, identifier, pin.box_id).await?;
                }
            }
        }
        transaction.commit().await?;
        self.known_contact(&known.record, is_changed).await
    }

    /// What is known of a box with this record.
    async fn known_contact(&self, record: &KeyRecord, is_changed: bool) -> Result<Contact, ClientError> {
        let own_box = self.device().await?.box_id;
        let box_id = record.box_id();
        let mut connection = self.store.read().await?;
        let identifiers = contacts::identifiers_of(&mut connection, box_id).await?;
        let own = records::own_record(&mut connection, own_box).await?;
        let sealing = records::sealing_statements(&mut connection, record).await?;
        let verified = shown_mark(&mut connection, box_id).await?;
        let profile = profiles::profile(&mut connection, &self.vault, box_id).await?;
        let expires = |id: DeviceId| {
            sealing.iter().map(VerifiedSealingStatement::content).find(|key| key.device_id == id).map(|key| key.expires)
        };
        let devices = record.devices().iter().map(|device| ContactDevice {
            device_id: device.device_id,
            is_removed: !device.is_member(),
            sealing_expires: expires(device.device_id),
        });
        Ok(Contact {
            box_id,
            identifiers,
            head: record.head(),
            devices: devices.collect(),
            safety_number: SafetyNumber::of(&own, record),
            is_changed,
            verified,
            profile,
        })
    }

    /// The identifiers under which this device found a box, wherever they lead now.
    ///
    /// # Errors
    /// The store's.
    pub async fn pinned_to(&self, box_id: BoxId) -> Result<Vec<String>, ClientError> {
        contacts::pinned_to(&mut *self.store.read().await?, box_id).await
    }

    /// The identifiers that lead to a box by this device's own look-ups.
    ///
    /// # Errors
    /// The store's.
    pub async fn identifiers_of(&self, box_id: BoxId) -> Result<Vec<String>, ClientError> {
        contacts::identifiers_of(&mut *self.store.read().await?, box_id).await
    }

    /// The box that an identifier was seen to lead to, if that is another than the pinned one.
    async fn changed_to(&self, peer: &Peer) -> Result<Option<BoxId>, ClientError> {
        let Peer::Identifier(identifier) = peer else { return Ok(None) };
        let mut connection = self.store.read().await?;
        Ok(contacts::pin(&mut connection, identifier).await?.and_then(|pin| pin.changed_to))
    }

    /// Asks the server, and keeps what is verified. An identifier is pinned to the first box that it leads to.
    pub(crate) async fn look_up(&self, peer: &Peer) -> Result<Known, ClientError> {
        let device = self.device().await?;
        let request = match peer {
            Peer::Identifier(identifier) => {
                LookupRequest { identifier: Some(identifier.as_uri().to_owned()), box_id: None }
            }
            Peer::Box(box_id) => LookupRequest { identifier: None, box_id: Some(*box_id) },
        };
        let call = Call::post("/v1/lookups", &request).harmless();
        let answer: LookupResponse = self.ask(&device, &call).await?;
        if matches!(peer, Peer::Box(box_id) if *box_id != answer.box_id) {
            return Err(ClientError::bad_answer("it is about another box"));
        }
        let mut known = self.keep_shown_record(answer.box_id, &answer.key_record).await?;
        let mut transaction = self.store.begin().await?;
        contacts::set_looked_up(&mut transaction, answer.box_id, self.now()).await?;
        if let Peer::Identifier(identifier) = peer {
            let pin = match contacts::pin(&mut transaction, identifier).await? {
                None => {
                    self.tell_pin(&mut transaction, &device, identifier, answer.box_id).await?;
                    Pin { box_id: answer.box_id, changed_to: None }
                }
                // What led elsewhere in between leads back: nothing has changed.
                Some(pin) if pin.box_id == answer.box_id => Pin { changed_to: None, ..pin },
                Some(pin) => {
                    if pin.changed_to != Some(answer.box_id) {
                        self.tell_change(&mut transaction, identifier, pin.box_id).await?;
                    }
                    Pin { changed_to: Some(answer.box_id), ..pin }
                }
            };
            contacts::set_pin(&mut transaction, identifier, pin).await?;
            contacts::set_asked_for(&mut transaction, identifier, self.now()).await?;
        }
        self.tell_new_devices(&mut transaction, &known.record).await?;
        if answer.box_id != device.box_id {
            self.heed_shown_profile(&mut transaction, answer.box_id, &answer.profile).await?;
        }
        known.is_forked = records::is_forked(&mut transaction, answer.box_id).await?;
        transaction.commit().await?;
        Ok(known)
    }

    /// The record and sealing keys of someone to send to, as fresh as they must be.
    ///
    /// # Errors
    /// [`ClientError::RootChanged`] and [`ClientError::Forked`] withhold the sending.
    pub(crate) async fn recipient(&self, peer: &Peer) -> Result<Known, ClientError> {
        if let Some(own) = self.oneself(peer).await? {
            return self.own_with_keys(own).await;
        }
        let (box_id, is_recent) = match peer {
            Peer::Box(box_id) => (Some(*box_id), true),
            Peer::Identifier(identifier) => {
                let mut connection = self.store.read().await?;
                let pin = contacts::pin(&mut connection, identifier).await?;
                let asked_at = contacts::asked_for(&mut connection, identifier).await?;
                let pinned = pin.filter(|pin| pin.changed_to.is_none()).map(|pin| pin.box_id);
                (pinned, asked_at.is_some_and(|at| self.is_within(LEADS_THERE, at)))
            }
        };
        let known = match box_id {
            Some(box_id) => self.fresh(box_id).await?,
            None => None,
        };
        let known = match known {
            Some(known) if is_recent => known,
            Some(known) => match Box::pin(self.look_up(peer)).await {
                // Where it leads now was not said, and what the box's devices take is said when the message comes.
                Err(ClientError::Unreachable { .. } | ClientError::Refused(_) | ClientError::NotKnown(_)) => known,
                asked => asked?,
            },
            None => Box::pin(self.look_up(peer)).await?,
        };
        let mut connection = self.store.read().await?;
        if let Peer::Identifier(identifier) = peer
            && let Some(Pin { box_id: pinned, changed_to: Some(found) }) =
                contacts::pin(&mut connection, identifier).await?
        {
            let identifier = identifier.as_uri().to_owned();
            return Err(ClientError::RootChanged { identifier, pinned, found });
        }
        may_send(&mut connection, known.record.box_id()).await?;
        Ok(known)
    }

    /// Takes the box that an identifier leads to now for the right one. What waits for the box before it is not sent, if no
    /// identifier leads there any more.
    async fn accept_change(
        &self,
        connection: &mut SqliteConnection,
        identifier: &Identifier,
        box_id: BoxId,
    ) -> Result<(), ClientError> {
        let pin = contacts::pin(connection, identifier).await?;
        let Some(before) = pin.filter(|pin| pin.changed_to == Some(box_id)) else { return Ok(()) };
        contacts::set_pin(connection, identifier, Pin { box_id, changed_to: None }).await?;
        contacts::leave(connection, identifier, before.box_id, self.now()).await?;
        if !contacts::is_pinned(connection, before.box_id).await? {
            self.give_up(connection, before.box_id, "whoever it was for has another box now, which you accepted")
                .await?;
        }
        Ok(())
    }

    /// Tells that an identifier that led to a box leads to another one.
    pub(crate) async fn tell_change(
        &self,
        connection: &mut SqliteConnection,
        identifier: &Identifier,
        before: BoxId,
    ) -> Result<(), ClientError> {
        let was_verified = verified::mark(connection, before).await?.is_some_and(|mark| mark.is_verified);
        let warning = Warning::RootChanged { identifier: identifier.as_uri().to_owned(), was_verified };
        self.warn(connection, &warning).await
    }

    /// The record and sealing keys of one of many to send to: a group's members are looked up faster than a device may ask for long.
    /// Where the server has enough, it is asked again as late as it says.
    ///
    /// # Errors
    /// Those of [`Client::recipient`].
    pub(crate) async fn recipient_among_many(&self, peer: &Peer) -> Result<Known, ClientError> {
        for _ in 0..TRIES_AMONG_MANY {
            match self.recipient(peer).await {
                Err(error) => match error.asked_to_wait() {
                    Some(wait) => tokio::time::sleep(wait).await,
                    None => return Err(error),
                },
                found => return found,
            }
        }
        self.recipient(peer).await
    }

    /// The box of somebody else that an address leads to, as it is pinned, or as the server says if it isn't.
    ///
    /// # Errors
    /// [`ClientError::Oneself`], [`ClientError::RootChanged`] while it leads to another box that the person has not accepted, and
    /// what the server says.
    pub async fn box_of(&self, peer: &Peer) -> Result<BoxId, ClientError> {
        let own_box = self.device().await?.box_id;
        let found = match peer {
            Peer::Box(box_id) => *box_id,
            Peer::Identifier(identifier) => {
                let mut connection = self.store.read().await?;
                let pin = contacts::pin(&mut connection, identifier).await?;
                drop(connection);
                match pin {
                    Some(Pin { box_id, changed_to: None }) => box_id,
                    Some(Pin { box_id: pinned, changed_to: Some(found) }) => {
                        let identifier = identifier.as_uri().to_owned();
                        return Err(ClientError::RootChanged { identifier, pinned, found });
                    }
                    None if self.is_own_identifier(identifier).await? => own_box,
                    None => self.look_up(peer).await?.record.box_id(),
                }
            }
        };
        if found == own_box { Err(ClientError::Oneself) } else { Ok(found) }
    }

    /// This account, if it is meant: its record is here, and nobody need be asked for it.
    async fn oneself(&self, peer: &Peer) -> Result<Option<Known>, ClientError> {
        let device = self.device().await?;
        let is_own = match peer {
            Peer::Box(box_id) => *box_id == device.box_id,
            Peer::Identifier(identifier) => self.is_own_identifier(identifier).await?,
        };
        if !is_own {
            return Ok(None);
        }
        Known::load(&mut *self.store.read().await?, device.box_id).await
    }

    /// Whether an identifier is this account's, as this device knows.
    async fn is_own_identifier(&self, identifier: &Identifier) -> Result<bool, ClientError> {
        Ok(self.known_identifiers().await?.iter().any(|known| known == identifier.as_uri()))
    }

    /// This account with keys of its other devices: those that are known here may have expired while nothing was fetched. Where
    /// nobody can be asked for them, what is written waits for them.
    async fn own_with_keys(&self, own: Known) -> Result<Known, ClientError> {
        let device = self.device().await?;
        if own.record.members().count() < 2 || !self.sealable(&device, &own).devices.is_empty() {
            return Ok(own);
        }
        match Box::pin(self.look_up(&Peer::Box(device.box_id))).await {
            Err(ClientError::Unreachable { .. }) => Ok(own),
            asked => asked,
        }
    }

    fn is_within(&self, time: Duration, at: Timestamp) -> bool {
        at <= self.now() && self.now().since(at) < time
    }

    /// What is known of a box, if it was looked up not long ago.
    async fn fresh(&self, box_id: BoxId) -> Result<Option<Known>, ClientError> {
        let mut connection = self.store.read().await?;
        let looked_up = contacts::looked_up_at(&mut connection, box_id).await?;
        if !looked_up.is_some_and(|at| self.is_within(FRESH, at)) {
            return Ok(None);
        }
        let known = Known::load(&mut connection, box_id).await?;
        // One without a key to seal to is of no use.
        Ok(known.filter(|known| !known.record.sealable(&known.sealing, None, self.now()).devices.is_empty()))
    }
}

/// Fails where nothing may be sent to a box: it was shown with contradicting records, or every identifier that led to it leads
/// elsewhere now.
pub(crate) async fn may_send(connection: &mut SqliteConnection, box_id: BoxId) -> Result<(), ClientError> {
    if records::is_forked(connection, box_id).await? {
        return Err(ClientError::Forked(box_id));
    }
    match contacts::moved(connection, box_id).await? {
        Some((identifier, found)) => Err(ClientError::RootChanged { identifier, pinned: box_id, found }),
        None => Ok(()),
    }
}

#[cfg(test)]
pub(crate) mod tests;

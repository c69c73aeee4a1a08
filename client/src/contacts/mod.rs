//! Other people: looked up, verified, and pinned.

mod key_records;

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

pub(crate) use key_records::{Known, contradicting};
use rossby_crypto::safety_number::SafetyNumber;
use rossby_schemas::http::lookup::{LookupRequest, LookupResponse};
use rossby_schemas::identifier::Identifier;
use rossby_schemas::ids::{BoxId, DeviceId, Head};
use rossby_schemas::time::Timestamp;

use crate::Client;
use crate::error::ClientError;
use crate::http::Call;
use crate::store::contacts::{self, Pin};
use crate::store::records;
use crate::warning::Warning;

/// How long a looked-up record is good for sending without another look-up. What changes in between, the server tells as
/// stale.
const FRESH: Duration = Duration::from_secs(24 * 3600);

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
            if accept_change && shown_before == Some(changed_to) {
                let pin = Pin { box_id: changed_to, changed_to: None };
                contacts::set_pin(&mut transaction, identifier, pin).await?;
            } else {
                is_changed = true;
                let warning = Warning::RootChanged { identifier: identifier.as_uri().to_owned() };
                self.warn(&mut transaction, &warning).await?;
            }
        }
        let identifiers = contacts::identifiers_of(&mut transaction, box_id).await?;
        let own = records::own_record(&mut transaction, own_box).await?;
        transaction.commit().await?;
        let devices = known.record.devices().iter().map(|device| ContactDevice {
            device_id: device.device_id,
            is_removed: !device.is_member(),
            sealing_expires: known
                .sealing
                .iter()
                .find(|statement| statement.content().device_id == device.device_id)
                .map(|statement| statement.content().expires),
        });
        Ok(Contact {
            box_id,
            identifiers,
            head: known.record.head(),
            devices: devices.collect(),
            safety_number: SafetyNumber::of(&own, &known.record),
            is_changed,
        })
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
        let call = Call::post("/v1/lookups", &request);
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
                Some(pin) => Pin { changed_to: Some(answer.box_id), ..pin },
            };
            contacts::set_pin(&mut transaction, identifier, pin).await?;
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
        let box_id = match peer {
            Peer::Box(box_id) => Some(*box_id),
            Peer::Identifier(identifier) => {
                let mut connection = self.store.read().await?;
                contacts::pin(&mut connection, identifier)
                    .await?
                    .filter(|pin| pin.changed_to.is_none())
                    .map(|p| p.box_id)
            }
        };
        let known = match box_id {
            Some(box_id) => self.fresh(box_id).await?,
            None => None,
        };
        let known = match known {
            Some(known) => known,
            None => self.look_up(peer).await?,
        };
        if let Peer::Identifier(identifier) = peer {
            let mut connection = self.store.read().await?;
            if let Some(Pin { box_id: pinned, changed_to: Some(found) }) =
                contacts::pin(&mut connection, identifier).await?
            {
                let identifier = identifier.as_uri().to_owned();
                return Err(ClientError::RootChanged { identifier, pinned, found });
            }
        }
        if known.is_forked { Err(ClientError::Forked(known.record.box_id())) } else { Ok(known) }
    }

    /// The box of somebody else that an address leads to, as it is pinned, or as the server says if it isn't.
    ///
    /// # Errors
    /// [`ClientError::Oneself`], and what the server says.
    pub async fn box_of(&self, peer: &Peer) -> Result<BoxId, ClientError> {
        let own_box = self.device().await?.box_id;
        let found = match peer {
            Peer::Box(box_id) => *box_id,
            Peer::Identifier(identifier) => {
                let mut connection = self.store.read().await?;
                let pin = contacts::pin(&mut connection, identifier).await?;
                drop(connection);
                match pin {
                    Some(pin) => pin.changed_to.unwrap_or(pin.box_id),
                    None => self.look_up(peer).await?.record.box_id(),
                }
            }
        };
        if found == own_box { Err(ClientError::Oneself) } else { Ok(found) }
    }

    /// What is known of a box, if it was looked up not long ago.
    async fn fresh(&self, box_id: BoxId) -> Result<Option<Known>, ClientError> {
        let mut connection = self.store.read().await?;
        let looked_up = contacts::looked_up_at(&mut connection, box_id).await?;
        if !looked_up.is_some_and(|at| at <= self.now() && self.now().since(at) < FRESH) {
            return Ok(None);
        }
        let known = Known::load(&mut connection, box_id).await?;
        // One without a key to seal to is of no use.
        Ok(known.filter(|known| !known.record.sealable(&known.sealing, None, self.now()).devices.is_empty()))
    }
}

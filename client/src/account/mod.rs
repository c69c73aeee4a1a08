//! This device's own account: registering it, its devices, and keeping it true.

mod delete;
mod devices;
mod identifiers;
mod link;
mod lock;
mod recover;
mod register;
mod schedule;
mod settings;
mod sync;
mod token;

pub use devices::{DeviceRef, OwnDevice};
pub(crate) use identifiers::address;
pub use identifiers::{AccountIdentifier, CodeAsked, Confirmed, IdentifierError, IdentifierRef, Objected};
pub(crate) use link::device_name;
pub use link::{LinkCode, LinkOffer};
pub use recover::Recovery;
pub use register::{RegisterOptions, Registration};
use rossby_schemas::ids::{BoxId, DeviceId, Head};
use rossby_schemas::time::Timestamp;
pub use schedule::SealingSchedule;
pub use settings::{Setting, Settings};
pub(crate) use sync::{AccountList, Own};

use crate::Client;
use crate::error::ClientError;
use crate::store::records;

/// What this device knows of itself.
#[derive(Debug, Clone)]
pub struct Account {
    /// The identifier that it is called by here: one that the account has.
    pub identifier: String,
    /// All that this device knows of, once the server was asked.
    pub identifiers: Vec<String>,
    /// Until when the claim of the identifier waits, for an account that is recovered.
    pub claim_until: Option<Timestamp>,
    /// The box.
    pub box_id: BoxId,
    /// The device.
    pub device_id: DeviceId,
    /// Whether the registration is complete.
    pub is_authorized: bool,
    /// The head of the box's key record.
    pub head: Head,
    /// How many devices the box has.
    pub devices: usize,
    /// The counter of the newest sealing key, and when messages are no longer sealed to it.
    pub sealing_key: Option<(u64, Timestamp)>,
    /// Whether the box was shown with contradicting key records.
    pub is_forked: bool,
}

impl Client {
    /// What this device knows of itself, without asking the server.
    ///
    /// # Errors
    /// [`ClientError::NotRegistered`], or the store's.
    pub async fn account(&self) -> Result<Account, ClientError> {
        let device = self.store.device(&self.vault).await?.ok_or(ClientError::NotRegistered)?;
        let mut connection = self.store.read().await?;
        let record = records::own_record(&mut connection, device.box_id).await?;
        let is_forked = records::is_forked(&mut connection, device.box_id).await?;
        drop(connection);
        let mut identifiers = self.known_identifiers().await?;
        if identifiers.is_empty() {
            identifiers.push(device.identifier.clone());
        }
        let newest = self.store.sealing_keys().await?.into_iter().next();
        Ok(Account {
            is_authorized: device.token.is_some(),
            identifiers,
            claim_until: self.store.under_way().await?.claim_until.filter(|_| device.token.is_none()),
            identifier: device.identifier,
            box_id: device.box_id,
            device_id: device.device_id,
            head: record.head(),
            devices: record.members().count(),
            sealing_key: newest.map(|key| (key.counter, key.expires)),
            is_forked,
        })
    }
}

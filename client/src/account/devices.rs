//! The box's devices: listed, named, removed.

use std::fmt;
use std::str::FromStr;

use rossby_crypto::key_record::KeyRecord;
use rossby_crypto::recovery::RecoveryKey;
use rossby_crypto::statements::{MembershipStatement, Remover, remove};
use rossby_schemas::http::account::{CommandResponse, DeviceStatus, StatementRequest};
use rossby_schemas::http::messages::Lost;
use rossby_schemas::http::problem::ProblemType;
use rossby_schemas::ids::{CommandId, DeviceId};
use rossby_schemas::time::Timestamp;
use uuid::Uuid;

use super::link::device_name;
use crate::Client;
use crate::account::Own;
use crate::error::ClientError;
use crate::http::Call;
use crate::store::own_devices;

/// How often another statement may come before a removal.
const TRIES: u32 = 3;

/// One of the box's devices.
#[derive(Debug, Clone)]
pub struct OwnDevice {
    /// The device.
    pub device_id: DeviceId,
    /// What its person calls it, if it has a name.
    pub name: Option<String>,
    /// Whether it is this one.
    pub is_this: bool,
    /// When it was founded or linked, by the clock of the device that signed it.
    pub linked_at: Timestamp,
    /// The device that linked it; none for the one that founded the box.
    pub linked_by: Option<DeviceId>,
    /// When it was removed, by the clock of whoever signed it.
    pub removed_at: Option<Timestamp>,
    /// Until when messages are sealed to its present key, if it has one.
    pub sealing_expires: Option<Timestamp>,
    /// How many messages wait for it.
    pub waiting: u64,
    /// When it last confirmed any, as the server says.
    pub last_confirmed_at: Option<Timestamp>,
    /// What expired before it fetched it.
    pub lost: Option<Lost>,
}

/// How a person names one of the devices: by its id, the beginning of it, or its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceRef(String);

impl FromStr for DeviceRef {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self(text.trim().to_owned()))
    }
}

impl From<DeviceId> for DeviceRef {
    fn from(id: DeviceId) -> Self {
        Self(id.to_string())
    }
}

impl fmt::Display for DeviceRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl DeviceRef {
    /// How much of an id must be typed.
    const SHORTEST: usize = 4;

    fn is(&self, device: &OwnDevice) -> bool {
        let typed = self.0.to_lowercase();
        device.name.as_deref() == Some(self.0.as_str())
            || typed.len() >= Self::SHORTEST && device.device_id.to_string().starts_with(&typed)
    }

    /// The device that is meant, among those that were not removed.
    fn find(&self, devices: &[OwnDevice]) -> Result<DeviceId, ClientError> {
        let mut meant = devices.iter().filter(|device| device.removed_at.is_none() && self.is(device));
        match (meant.next(), meant.next()) {
            (Some(device), None) => Ok(device.device_id),
            (None, _) => Err(ClientError::NoSuchDevice(self.0.clone())),
            (Some(_), Some(_)) => Err(ClientError::AmbiguousDevice(self.0.clone())),
        }
    }
}

impl Client {
    /// All devices that the box ever had, in the order in which they were linked.
    ///
    /// # Errors
    /// What the server says.
    pub async fn devices(&self) -> Result<Vec<OwnDevice>, ClientError> {
        let own = self.audit().await?;
        let answer = self.account_as_server_has_it(&own.device).await?;
        let mut connection = self.store.read().await?;
        let names = own_devices::names(&mut connection, &self.vault).await?;
        let sealing = crate::store::records::sealing_statements(&mut connection, &own.record).await?;
        drop(connection);
        let comings = own.record.devices().iter().map(|device| {
            let id = device.device_id;
            let status = answer.devices.iter().find(|status| status.device_id == id);
            let sealing = sealing.iter().find(|statement| statement.content().device_id == id);
            let (linked_at, linked_by) = signed(&own.record, device.linked_version);
            OwnDevice {
                device_id: id,
                name: names.get(&id).map(|(name, _)| name.clone()),
                is_this: id == own.device.device_id,
                linked_at,
                linked_by,
                removed_at: device.removed_version.map(|version| signed(&own.record, version).0),
                sealing_expires: sealing.map(|statement| statement.content().expires),
                waiting: status.map_or(0, |status| status.waiting),
                last_confirmed_at: status.and_then(|status| status.last_confirmed_at),
                lost: status.and_then(|status: &DeviceStatus| status.lost),
            }
        });
        Ok(comings.collect())
    }

    /// Calls a device by a name, which the box's other devices learn. The server doesn't.
    ///
    /// # Errors
    /// [`ClientError::BadDeviceName`], [`ClientError::NoSuchDevice`], [`ClientError::AmbiguousDevice`], and what the server says.
    pub async fn name_device(&self, device: &DeviceRef, name: &str) -> Result<DeviceId, ClientError> {
        let name = device_name(name)?;
        let id = device.find(&self.devices().await?)?;
        self.tell_device_name(id, name).await?;
        self.flush().await?;
        Ok(id)
    }

    /// Calls this device by a name, here and on the box's other devices, once they are told.
    ///
    /// # Errors
    /// [`ClientError::BadDeviceName`], [`ClientError::NotRegistered`], and the store's.
    pub async fn name_this_device(&self, name: &str) -> Result<(), ClientError> {
        let name = device_name(name)?;
        self.tell_device_name(self.device().await?.device_id, name).await
    }

    /// Removes a device from the box: it gets nothing more, and can do nothing more. Signed by this device, which must have been
    /// there before it or be the same; or by the recovery key, which can remove any.
    ///
    /// # Errors
    /// [`ClientError::MayNotRemove`] for an older device without the recovery key, [`ClientError::WrongRecoveryKey`],
    /// [`ClientError::NoSuchDevice`], [`ClientError::AmbiguousDevice`], and what the server says.
    pub async fn remove_device(
        &self,
        device: &DeviceRef,
        recovery: Option<&RecoveryKey>,
    ) -> Result<DeviceId, ClientError> {
        let id = device.find(&self.devices().await?)?;
        let mut tries = 0;
        loop {
            tries += 1;
            let own = self.audit().await?;
            let request = StatementRequest {
                command_id: CommandId(Uuid::new_v4()),
                statement: self.removal(&own, id, recovery)?.octets().clone(),
            };
            let call = Call::post("/v1/account/statements", &request);
            let answer: Result<CommandResponse, _> = self.ask(&own.device, &call).await;
            match answer {
                Ok(_) if id == own.device.device_id => return Ok(id),
                // It was known a moment ago: the removal was taken, and its answer lost.
                Err(ClientError::NotKnown(_)) if id == own.device.device_id => return Ok(id),
                Ok(_) => {
                    self.audit().await?;
                    return Ok(id);
                }
                // Another statement may have come before it, the same removal too.
                Err(error) if error.problem() == Some(ProblemType::InvalidStatement) && tries < TRIES => {
                    let now = self.audit().await?.record;
                    if now.device(id).is_some_and(|device| !device.is_member()) {
                        return Ok(id);
                    }
                    if now.head() == own.record.head() {
                        return Err(error);
                    }
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// The statement that removes a device, if it may be made.
    fn removal(
        &self,
        own: &Own,
        id: DeviceId,
        recovery: Option<&RecoveryKey>,
    ) -> Result<rossby_crypto::statements::Statement<rossby_crypto::statements::Removed>, ClientError> {
        let (record, this) = (&own.record, own.device.device_id);
        // Others compare it with when the server accepted that device's messages.
        let (box_id, head, now) = (record.box_id(), record.head(), self.http.server_now());
        if let Some(recovery) = recovery {
            let key = recovery.signing_key();
            if record.founded().content().recovery_key != Some(key.verification_key()) {
                return Err(ClientError::WrongRecoveryKey);
            }
            return Ok(remove(&key, Remover::RecoveryKey, box_id, head, id, now));
        }
        let linked = |id| record.device(id).map(|device| device.linked_version);
        if linked(this) > linked(id) {
            return Err(ClientError::MayNotRemove(id));
        }
        Ok(remove(&own.device.signing_key, Remover::Device(this), box_id, head, id, now))
    }
}

/// When the statement of this version was signed, and which device signed it.
pub(super) fn signed(record: &KeyRecord, version: u32) -> (Timestamp, Option<DeviceId>) {
    let index = usize::try_from(version).unwrap_or_default().saturating_sub(1);
    let statement = record.statements().get(index).and_then(|octets| MembershipStatement::parse(octets).ok());
    match statement {
        Some(MembershipStatement::Linked(linked)) => (linked.content().time, Some(linked.content().signer)),
        Some(MembershipStatement::Removed(removed)) => match removed.content().signer {
            Remover::Device(signer) => (removed.content().time, Some(signer)),
            Remover::RecoveryKey => (removed.content().time, None),
        },
        Some(MembershipStatement::Founded(_)) | None => (record.founded().content().time, None),
    }
}

//! What the box's devices tell each other: messages of the box to itself, of kinds that nobody else may send.

use rossby_crypto::profile::ProfileKey;
use rossby_schemas::encoding::Octets;
use rossby_schemas::identifier::Identifier;
use rossby_schemas::ids::{BoxId, DeviceId, MessageId};
use rossby_schemas::time::Timestamp;
use serde::{Deserialize, Serialize};
use sqlx::SqliteConnection;

use super::Conversation;
use super::send::Written;
use crate::Client;
use crate::account::device_name;
use crate::contacts::Known;
use crate::content::{
    self, Content, Kind, OwnIdentifiers, PeerProfileKey, PeerStates, ProfileKeys, ReadMarks, SharedProfileKey,
};
use crate::error::ClientError;
use crate::groups::{GroupStates, is_of_groups};
use crate::store::contacts::{self, Pin};
use crate::store::device::Device;
use crate::store::messages::StoredMessage;
use crate::store::{own_devices, profiles, receipts};

const SENT: u32 = 1000;
const DEVICE_NAMES: u32 = 1001;
const PINS: u32 = 1002;
const READ_MARKS: u32 = 1003;
const PEER_STATES: u32 = 1004;
const PROFILE_KEYS: u32 = 1005;
const GROUP_STATES: u32 = 1006;
const IDENTIFIERS: u32 = 1007;

/// How many entries a list has at most.
const MAX_ENTRIES: usize = 200;

/// What one of the box's devices tells the others. The body is JSON; fields that are not known are passed over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum OwnMessage {
    /// 1000: it has sent a message to somebody, and the server has taken it.
    Sent(SentCopy),
    /// 1001: what devices are called.
    DeviceNames(DeviceNames),
    /// 1002: boxes that identifiers led to, by its own look-ups.
    Pins(Pins),
    /// 1003: what the person has read on it.
    ReadMarks(ReadMarks),
    /// 1005: what opens profiles.
    ProfileKeys(ProfileKeys),
    /// 1004: how the person stands to others, and which receipts are sent.
    PeerStates(PeerStates),
    /// 1006: how the person stands to groups.
    GroupStates(GroupStates),
    /// 1007: which identifiers the box has.
    Identifiers(OwnIdentifiers),
}

/// A message that another of the box's devices has sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SentCopy {
    /// To whom.
    pub(super) peer: BoxId,
    pub(super) message_id: MessageId,
    pub(super) time: Timestamp,
    pub(super) accepted_at: Option<Timestamp>,
    pub(super) kind: u32,
    pub(super) body: Octets,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct DeviceNames {
    names: Vec<DeviceName>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct DeviceName {
    device_id: DeviceId,
    name: String,
    named_at: Timestamp,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Pins {
    pins: Vec<PinEntry>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct PinEntry {
    identifier: String,
    box_id: BoxId,
}

impl OwnMessage {
    fn write(&self) -> (u32, Octets) {
        // Texts, numbers and ids, which JSON can hold.
        let (kind, json) = match self {
            Self::Sent(sent) => (SENT, serde_json::to_vec(sent)),
            Self::DeviceNames(names) => (DEVICE_NAMES, serde_json::to_vec(names)),
            Self::Pins(pins) => (PINS, serde_json::to_vec(pins)),
            Self::ReadMarks(marks) => (READ_MARKS, serde_json::to_vec(marks)),
            Self::PeerStates(states) => (PEER_STATES, serde_json::to_vec(states)),
            Self::GroupStates(states) => (GROUP_STATES, serde_json::to_vec(states)),
            Self::ProfileKeys(keys) => (PROFILE_KEYS, serde_json::to_vec(keys)),
            Self::Identifiers(identifiers) => (IDENTIFIERS, serde_json::to_vec(identifiers)),
        };
        (kind, json.unwrap_or_default().into())
    }

    /// Reads a message of one of the own kinds; none for one that this version doesn't know.
    pub(super) fn read(kind: u32, body: &Octets) -> Result<Option<Self>, String> {
        let octets = body.as_slice();
        let malformed = |error: &dyn std::fmt::Display| format!("a message of kind {kind} is malformed: {error}");
        Ok(Some(match kind {
            SENT => {
                let sent: SentCopy = serde_json::from_slice(octets).map_err(|error| malformed(&error))?;
                let copied = Kind::of(sent.kind);
                if !copied.is_shown() && !copied.is_notice() {
                    return Err(format!("a copy of a message of kind {} can't be", sent.kind));
                }
                Content::decode(copied, &sent.body).map_err(|error| malformed(&error))?;
                Self::Sent(sent)
            }
            DEVICE_NAMES => Self::DeviceNames(serde_json::from_slice(octets).map_err(|error| malformed(&error))?),
            PINS => Self::Pins(serde_json::from_slice(octets).map_err(|error| malformed(&error))?),
            READ_MARKS => Self::ReadMarks(content::decode(body).map_err(|error| malformed(&error))?),
            PEER_STATES => Self::PeerStates(content::decode(body).map_err(|error| malformed(&error))?),
            GROUP_STATES => {
                let states: GroupStates = serde_json::from_slice(octets).map_err(|error| malformed(&error))?;
                states.check().map_err(|error| malformed(&error))?;
                Self::GroupStates(states)
            }
            PROFILE_KEYS => Self::ProfileKeys(content::decode(body).map_err(|error| malformed(&error))?),
            IDENTIFIERS => Self::Identifiers(content::decode(body).map_err(|error| malformed(&error))?),
            _ => return Ok(None),
        }))
    }
}

impl Client {
    /// Tells the box's other devices something: puts it into the outbox, if there are any that it can be sealed to.
    pub(crate) async fn tell_devices(
        &self,
        connection: &mut SqliteConnection,
        device: &Device,
        message: &OwnMessage,
    ) -> Result<(), ClientError> {
        let Some(own) = Known::load(connection, device.box_id).await? else { return Ok(()) };
        let now = self.now().max(self.http.server_now());
        let others = own.record.sealable(&own.sealing, Some(device.device_id), now).devices;
        if own.is_forked || others.is_empty() {
            return Ok(());
        }
        let (kind, body) = message.write();
        let written = Written {
            conversation: Conversation::Direct(device.box_id),
            kind,
            body,
            is_shown: false,
            frame: None,
            beside: None,
        };
        self.compose(connection, device, &[device.box_id], written).await?;
        Ok(())
    }

    /// Tells the box's other devices of a message that went out. Those of a group need no telling: the own box is one of the
    /// members to whom they go.
    pub(super) async fn tell_sent(
        &self,
        connection: &mut SqliteConnection,
        device: &Device,
        stored: &StoredMessage,
        accepted_at: Timestamp,
    ) -> Result<(), ClientError> {
        let kind = Kind::of(stored.kind);
        // What members ask each other is nothing that people write.
        let is_copied = (kind.is_shown() || kind.is_notice()) && !is_of_groups(stored.kind);
        let Some(peer) = stored.thread.peer().filter(|peer| is_copied && *peer != device.box_id) else {
            return Ok(());
        };
        let copy = SentCopy {
            peer,
            message_id: stored.message_id,
            time: stored.time,
            accepted_at: Some(accepted_at),
            kind: stored.kind,
            body: stored.body.clone(),
        };
        self.tell_devices(connection, device, &OwnMessage::Sent(copy)).await
    }

    /// Names a device, here and on the box's other devices.
    pub(crate) async fn tell_device_name(&self, id: DeviceId, name: &str) -> Result<(), ClientError> {
        let (device, now) = (self.device().await?, self.now());
        let mut transaction = self.store.begin().await?;
        own_devices::name(&mut transaction, &self.vault, id, name, now).await?;
        let names = vec![DeviceName { device_id: id, name: name.to_owned(), named_at: now }];
        self.tell_devices(&mut transaction, &device, &OwnMessage::DeviceNames(DeviceNames { names })).await?;
        Ok(transaction.commit().await?)
    }

    /// Tells a device that was linked just now, which has this name, what this one knows: the devices' names, whom identifiers led
    /// to, which are the account's own, how the person stands to others, and the groups.
    pub(crate) async fn share_with_devices(
        &self,
        device: &Device,
        id: DeviceId,
        name: &str,
    ) -> Result<(), ClientError> {
        let now = self.now();
        let mut transaction = self.store.begin().await?;
        own_devices::name(&mut transaction, &self.vault, id, name, now).await?;
        let names = own_devices::names(&mut transaction, &self.vault).await?;
        let entries: Vec<_> =
            names.into_iter().map(|(device_id, (name, named_at))| DeviceName { device_id, name, named_at }).collect();
        for names in entries.chunks(MAX_ENTRIES) {
            let message = OwnMessage::DeviceNames(DeviceNames { names: names.to_vec() });
            self.tell_devices(&mut transaction, device, &message).await?;
        }
        let pins: Vec<_> = contacts::pins(&mut transaction)
            .await?
            .into_iter()
            .map(|(identifier, box_id)| PinEntry { identifier, box_id })
            .collect();
        for pins in pins.chunks(MAX_ENTRIES) {
            let message = OwnMessage::Pins(Pins { pins: pins.to_vec() });
            self.tell_devices(&mut transaction, device, &message).await?;
        }
        self.share_identifiers(&mut transaction, device).await?;
        self.share_peers(&mut transaction, device).await?;
        self.share_groups(&mut transaction, device).await?;
        self.share_profile_keys(&mut transaction, device).await?;
        Ok(transaction.commit().await?)
    }

    /// Tells the box's other devices of the account's identifiers.
    pub(crate) async fn tell_identifiers(
        &self,
        connection: &mut SqliteConnection,
        device: &Device,
        identifiers: OwnIdentifiers,
    ) -> Result<(), ClientError> {
        self.tell_devices(connection, device, &OwnMessage::Identifiers(identifiers)).await
    }

    /// Tells the box's other devices where an identifier led.
    pub(crate) async fn tell_pin(
        &self,
        connection: &mut SqliteConnection,
        device: &Device,
        identifier: &Identifier,
        box_id: BoxId,
    ) -> Result<(), ClientError> {
        let pins = vec![PinEntry { identifier: identifier.as_uri().to_owned(), box_id }];
        self.tell_devices(connection, device, &OwnMessage::Pins(Pins { pins })).await
    }

    /// Tells the box's other devices what opens the own profile.
    pub(crate) async fn tell_profile_key(
        &self,
        connection: &mut SqliteConnection,
        device: &Device,
        key: &ProfileKey,
    ) -> Result<(), ClientError> {
        let keys = ProfileKeys { own: Some(SharedProfileKey::of(key)), peers: Vec::new() };
        self.tell_devices(connection, device, &OwnMessage::ProfileKeys(keys)).await
    }

    /// Tells a device that is new what opens profiles: the own one, and those of others, who gave it before.
    async fn share_profile_keys(&self, connection: &mut SqliteConnection, device: &Device) -> Result<(), ClientError> {
        let own = profiles::own(connection, &self.vault).await?.filter(|own| own.is_told);
        if let Some(own) = own {
            self.tell_profile_key(connection, device, &own.key).await?;
        }
        let peers: Vec<_> = profiles::keys(connection, &self.vault)
            .await?
            .iter()
            .map(|(box_id, key)| PeerProfileKey { box_id: *box_id, key: SharedProfileKey::of(key) })
            .collect();
        for peers in peers.chunks(MAX_ENTRIES) {
            let keys = ProfileKeys { own: None, peers: peers.to_vec() };
            self.tell_devices(connection, device, &OwnMessage::ProfileKeys(keys)).await?;
        }
        Ok(())
    }

    /// Takes what another of the box's devices says that opens profiles.
    async fn heed_profile_keys(
        &self,
        connection: &mut SqliteConnection,
        own: BoxId,
        keys: &ProfileKeys,
    ) -> Result<(), ClientError> {
        if let Some(key) = &keys.own {
            self.heed_own_profile_key(connection, key.key()).await?;
        }
        for peer in keys.peers.iter().filter(|peer| peer.box_id != own) {
            self.heed_profile_key(connection, peer.box_id, &peer.key.key()).await?;
        }
        Ok(())
    }

    /// Takes what another of the box's devices tells, but for copies of messages, which are stored as such.
    pub(super) async fn heed(
        &self,
        connection: &mut SqliteConnection,
        own: &Device,
        sender: DeviceId,
        message: &OwnMessage,
    ) -> Result<(), ClientError> {
        match message {
            OwnMessage::Sent(_) => {}
            OwnMessage::DeviceNames(DeviceNames { names }) => {
                for entry in names.iter().take(MAX_ENTRIES) {
                    if let Ok(name) = device_name(&entry.name) {
                        let (device, at) = (entry.device_id, entry.named_at.min(self.now()));
                        own_devices::name(connection, &self.vault, device, name, at).await?;
                    }
                }
            }
            OwnMessage::Pins(Pins { pins }) => {
                for entry in pins.iter().take(MAX_ENTRIES).filter(|entry| entry.box_id != own.box_id) {
                    if let Ok(identifier) = entry.identifier.parse() {
                        self.heed_pin(connection, &identifier, entry.box_id).await?;
                    }
                }
            }
            OwnMessage::ReadMarks(ReadMarks { messages }) => {
                for message in messages {
                    receipts::mark_read_elsewhere(connection, *message).await?;
                }
            }
            OwnMessage::PeerStates(states) => self.heed_peers(connection, own.box_id, states).await?,
            OwnMessage::GroupStates(states) => self.heed_group_states(connection, states).await?,
            OwnMessage::ProfileKeys(keys) => self.heed_profile_keys(connection, own.box_id, keys).await?,
            OwnMessage::Identifiers(said) => self.heed_identifiers(connection, sender, said).await?,
        }
        Ok(())
    }

    /// An identifier that led another device to another box than this one is changed, until the person accepts it here too.
    async fn heed_pin(
        &self,
        connection: &mut SqliteConnection,
        identifier: &Identifier,
        box_id: BoxId,
    ) -> Result<(), ClientError> {
        match contacts::pin(connection, identifier).await? {
            None => contacts::set_pin(connection, identifier, Pin { box_id, changed_to: None }).await,
            Some(pin) if pin.box_id == box_id || pin.changed_to == Some(box_id) => Ok(()),
            Some(pin) => {
                contacts::set_pin(connection, identifier, Pin { changed_to: Some(box_id), ..pin }).await?;
                self.tell_change(connection, identifier, pin.box_id).await
            }
        }
    }
}

//! What happened, by the names that this device knows: the log has hashes and tags.

use std::collections::{BTreeSet, HashMap};

use rossby_schemas::events::Event;
use rossby_schemas::events::profiles::{AclTag, Audience};
use rossby_schemas::ids::{BoxId, DeviceId};

use super::AccountEvent;
use super::check::Checked;
use crate::Client;
use crate::error::ClientError;
use crate::store::{contacts, identifiers, own_devices, peers};

/// A device of the account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedDevice {
    /// The device.
    pub device_id: DeviceId,
    /// What it is called.
    pub name: Option<String>,
}

/// Another box that this device knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedBox {
    /// The box.
    pub box_id: BoxId,
    /// An identifier that leads there.
    pub identifier: Option<String>,
}

/// What happened to the account. A box is none where this device does not know whom a list's tag stands for; an identifier is its
/// hash where it doesn't know it in the clear.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HistoryAction {
    /// The account was founded, with this device.
    Founded(NamedDevice),
    /// A device was linked.
    DeviceLinked(NamedDevice),
    /// A device was removed.
    DeviceRemoved(NamedDevice),
    /// A device has made a new key that messages are sealed to: this one, counted from 1.
    SealingKeyStated(NamedDevice, u64),
    /// The tokens of a device were revoked.
    TokenRevoked(NamedDevice),
    /// The account is about to be deleted.
    Closing,
    /// Who may find the account was set.
    DiscoverableSet(Audience),
    /// From whom it accepts messages was set.
    AcceptFromSet(Audience),
    /// Somebody was blocked.
    Blocked(Option<NamedBox>),
    /// A block was taken away.
    Unblocked(Option<NamedBox>),
    /// Somebody became a contact.
    ContactAdded(Option<NamedBox>),
    /// Somebody is a contact no more.
    ContactRemoved(Option<NamedBox>),
    /// The encrypted profile was set.
    ProfileSet,
    /// The encrypted profile was taken away.
    ProfileErased,
    /// An identifier became the account's.
    IdentifierAdded(String),
    /// An identifier was taken away.
    IdentifierRemoved(String),
    /// An identifier became another account's.
    IdentifierTaken(String),
    /// An identifier was claimed: for this account, or of it for another.
    IdentifierClaimed {
        /// The identifier.
        identifier: String,
        /// Whether for this account.
        for_this: bool,
    },
    /// A device of the account has objected to a claim.
    ClaimObjected(String),
    /// What this version does not know, or what can't be read: its type.
    Unknown(String),
}

impl HistoryAction {
    /// A short stable name, for scripts.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Founded(_) => "founded",
            Self::DeviceLinked(_) => "device-linked",
            Self::DeviceRemoved(_) => "device-removed",
            Self::SealingKeyStated(..) => "sealing-key-stated",
            Self::TokenRevoked(_) => "token-revoked",
            Self::Closing => "closing",
            Self::DiscoverableSet(_) => "discoverable-set",
            Self::AcceptFromSet(_) => "accept-from-set",
            Self::Blocked(_) => "blocked",
            Self::Unblocked(_) => "unblocked",
            Self::ContactAdded(_) => "contact-added",
            Self::ContactRemoved(_) => "contact-removed",
            Self::ProfileSet => "profile-set",
            Self::ProfileErased => "profile-erased",
            Self::IdentifierAdded(_) => "identifier-added",
            Self::IdentifierRemoved(_) => "identifier-removed",
            Self::IdentifierTaken(_) => "identifier-taken",
            Self::IdentifierClaimed { .. } => "identifier-claimed",
            Self::ClaimObjected(_) => "claim-objected",
            Self::Unknown(_) => "unknown",
        }
    }
}

/// The names that this device knows.
pub(super) struct Names {
    devices: HashMap<DeviceId, String>,
    boxes: HashMap<AclTag, NamedBox>,
    /// By their hashes.
    identifiers: HashMap<String, String>,
}

impl Names {
    pub(super) async fn load(client: &Client) -> Result<Self, ClientError> {
        let acl_key = client.store.acl_key(&client.vault).await?;
        let mut connection = client.store.read().await?;
        let devices = own_devices::names(&mut connection, &client.vault).await?;
        let pins = contacts::pins(&mut connection).await?;
        let peers = peers::all(&mut connection).await?;
        let ids: BTreeSet<BoxId> =
            pins.iter().map(|(_, box_id)| *box_id).chain(peers.iter().map(|peer| peer.box_id)).collect();
        let boxes = ids.into_iter().map(|box_id| {
            let identifier =
                pins.iter().find(|(_, pinned)| *pinned == box_id).map(|(identifier, _)| identifier.clone());
            (acl_key.tag(box_id), NamedBox { box_id, identifier })
        });
        let known = identifiers::known(&mut connection, &client.vault).await?;
        let named = known.into_iter().filter_map(|known| Some((known.hash.to_string(), known.identifier?)));
        Ok(Self {
            devices: devices.into_iter().map(|(id, (name, _))| (id, name)).collect(),
            boxes: boxes.collect(),
            identifiers: named.collect(),
        })
    }

    fn device(&self, device_id: DeviceId) -> NamedDevice {
        NamedDevice { device_id, name: self.devices.get(&device_id).cloned() }
    }

    /// An entry, as the person is told of it.
    pub(super) fn event(&self, checked: Checked) -> AccountEvent {
        let action = self.action(&checked);
        let Checked { entry, event: _, signed_by, is_signed, is_new, faults } = checked;
        AccountEvent {
            by: signed_by.map(|id| self.device(id)),
            topic: entry.topic,
            stream: entry.stream,
            version: entry.version,
            event_id: entry.event_id,
            event_type: entry.event_type,
            at: entry.time,
            action,
            is_signed,
            is_new,
            faults,
            hash: entry.hash,
        }
    }

    fn action(&self, checked: &Checked) -> HistoryAction {
        let entry = &checked.entry;
        let of_tag = |tag: &AclTag| self.boxes.get(tag).cloned();
        let identifier = || self.identifiers.get(&entry.stream).unwrap_or(&entry.stream).clone();
        match &checked.event {
            Some(Event::BoxFoundedV1(e)) => HistoryAction::Founded(self.device(e.device_id)),
            Some(Event::DeviceLinkedV1(e)) => HistoryAction::DeviceLinked(self.device(e.device_id)),
            Some(Event::DeviceRemovedV1(e)) => HistoryAction::DeviceRemoved(self.device(e.device_id)),
            Some(Event::SealingKeyStatedV1(e)) => HistoryAction::SealingKeyStated(self.device(e.device_id), e.counter),
            Some(Event::TokenRevokedV1(e)) => HistoryAction::TokenRevoked(self.device(e.device_id)),
            Some(Event::BoxClosingV1(_)) => HistoryAction::Closing,
            Some(Event::DiscoverableSetV1(e)) => HistoryAction::DiscoverableSet(e.discoverable),
            Some(Event::AcceptFromSetV1(e)) => HistoryAction::AcceptFromSet(e.accept_from),
            Some(Event::BoxBlockedV1(e)) => HistoryAction::Blocked(of_tag(&e.tag)),
            Some(Event::BoxUnblockedV1(e)) => HistoryAction::Unblocked(of_tag(&e.tag)),
            Some(Event::ContactAddedV1(e)) => HistoryAction::ContactAdded(of_tag(&e.tag)),
            Some(Event::ContactRemovedV1(e)) => HistoryAction::ContactRemoved(of_tag(&e.tag)),
            Some(Event::ProfileBlobSetV1(e)) if e.blob.as_slice().is_empty() => HistoryAction::ProfileErased,
            Some(Event::ProfileBlobSetV1(_)) => HistoryAction::ProfileSet,
            Some(Event::IdentifierVerifiedV1(_) | Event::IdentifierVerifiedV2(_)) => {
                HistoryAction::IdentifierAdded(identifier())
            }
            Some(Event::IdentifierReleasedV1(_) | Event::IdentifierReleasedV2(_)) => {
                HistoryAction::IdentifierRemoved(identifier())
            }
            Some(Event::ClaimObjectedV1(_)) => HistoryAction::ClaimObjected(identifier()),
            Some(_) => HistoryAction::Unknown(entry.event_type.clone()),
            // What another account has to do with, the server tells without saying more.
            None if entry.event_type.starts_with("org.rossby.identifiers.identifier-claimed.") => {
                HistoryAction::IdentifierClaimed { identifier: identifier(), for_this: entry.device_id.is_some() }
            }
            None if entry.event_type.starts_with("org.rossby.identifiers.identifier-verified.") => {
                HistoryAction::IdentifierTaken(identifier())
            }
            None => HistoryAction::Unknown(entry.event_type.clone()),
        }
    }
}

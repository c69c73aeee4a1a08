//! What an event says of devices, boxes and messages, in ids.

use rossby_crypto::statements::{MembershipStatement, Remover};
use rossby_schemas::encoding::Octets;
use rossby_schemas::events::Event;
use rossby_schemas::events::identifiers::{Founding, ObjectionProof};
use rossby_schemas::ids::{BoxId, DeviceId, OuterId};

/// What an event says.
#[derive(Debug, Default)]
pub(super) struct Said {
    /// The device that did it.
    pub(super) device: Option<DeviceId>,
    /// All devices that it names, this one too.
    pub(super) devices: Vec<DeviceId>,
    pub(super) boxes: Vec<BoxId>,
    pub(super) messages: Vec<OuterId>,
    /// The rest, for people.
    pub(super) text: String,
}

impl Said {
    pub(super) fn of(event: &Event) -> Self {
        match event {
            Event::RegistrationAskedV1(e) => {
                Self::by(e.device_id, e.box_id, format!("registration {} for box {}", e.registration_id, e.box_id))
            }
            Event::CodeAskedV1(e) => {
                Self::by(e.device_id, e.box_id, format!("registration {} of box {}", e.registration_id, e.box_id))
            }
            Event::CodeIssuedV1(e) => Self::told(format!(
                "registration {}, code {}, good until {}",
                e.registration_id, e.number, e.expires_at
            )),
            Event::CodeGuessedV1(e) => {
                let guess = if e.right { "right" } else { "wrong" };
                Self::told(format!("registration {}, code {}, a {guess} guess", e.registration_id, e.number))
            }
            Event::IdentifierVerifiedV1(e) => {
                let device = e.founding.as_ref().map(|founding| founding.device_id);
                Self::maybe_by(device, e.box_id, format!("is box {}'s", e.box_id))
            }
            Event::IdentifierVerifiedV2(e) => {
                let signer = e.signed.as_ref().map(|signed| signed.device_id);
                let device = signer.or_else(|| e.founding.as_ref().map(|founding| founding.device_id));
                Self::maybe_by(device, e.box_id, format!("is box {}'s", e.box_id))
            }
            Event::IdentifierReleasedV1(e) => Self::maybe_by(None, e.box_id, format!("is box {}'s no more", e.box_id)),
            Event::IdentifierReleasedV2(e) => {
                let device = e.signed.as_ref().map(|signed| signed.device_id);
                Self::maybe_by(device, e.box_id, format!("is box {}'s no more", e.box_id))
            }
            Event::IdentifierClaimedV1(e) => {
                let text = format!(
                    "claim {} for box {} from box {}, from {} on",
                    e.claim_id, e.box_id, e.owner, e.effective_at
                );
                let mut said = Self::by(e.device_id, e.box_id, text);
                said.boxes.push(e.owner);
                said.devices.extend(e.founding.as_ref().map(|founding: &Founding| founding.device_id));
                said
            }
            Event::ClaimObjectedV1(e) => {
                let how = match e.proof {
                    ObjectionProof::Code { .. } => "by a code",
                    ObjectionProof::RecoveryKey => "by the recovery key",
                };
                Self::by(e.signed.device_id, e.box_id, format!("claim {}, {how}", e.claim_id))
            }
            Event::BoxFoundedV1(e) => Self::by(e.device_id, e.box_id, String::new()),
            Event::DeviceLinkedV1(e) => Self::to(
                signer(&e.linking_statement),
                e.device_id,
                e.box_id,
                format!("device {} is linked", e.device_id),
            ),
            Event::SealingKeyStatedV1(e) => Self::by(e.device_id, e.box_id, format!("sealing key {}", e.counter)),
            Event::DeviceRemovedV1(e) => {
                let device = signer(&e.removal_statement);
                let how = if device.is_none() { " by the recovery key" } else { "" };
                Self::to(device, e.device_id, e.box_id, format!("device {} is removed{how}", e.device_id))
            }
            Event::TokenRevokedV1(e) => {
                let text = format!("the tokens of device {} below epoch {}", e.device_id, e.epoch);
                Self::to(Some(e.signed.device_id), e.device_id, e.box_id, text)
            }
            Event::BoxClosingV1(e) => {
                let text = format!("with {} identifiers", e.identifier_hashes.len());
                Self::by(e.signed.device_id, e.box_id, text)
            }
            Event::BoxClosedV1(e) => Self::maybe_by(None, e.box_id, String::new()),
            Event::DiscoverableSetV1(e) => {
                Self::by(e.signed.device_id, e.box_id, format!("{:?}", e.discoverable).to_lowercase())
            }
            Event::AcceptFromSetV1(e) => {
                Self::by(e.signed.device_id, e.box_id, format!("{:?}", e.accept_from).to_lowercase())
            }
            Event::BoxBlockedV1(e) => Self::by(e.signed.device_id, e.box_id, format!("tag {}", e.tag)),
            Event::BoxUnblockedV1(e) => Self::by(e.signed.device_id, e.box_id, format!("tag {}", e.tag)),
            Event::ContactAddedV1(e) => Self::by(e.signed.device_id, e.box_id, format!("tag {}", e.tag)),
            Event::ContactRemovedV1(e) => Self::by(e.signed.device_id, e.box_id, format!("tag {}", e.tag)),
            Event::ProfileBlobSetV1(e) => {
                Self::by(e.signed.device_id, e.box_id, format!("{} octets", e.blob.as_slice().len()))
            }
            Event::MessageEnqueuedV1(e) => Self {
                messages: vec![e.outer_id],
                ..Self::maybe_by(None, e.box_id, format!("message {}, {} octets", e.outer_id, e.value.as_slice().len()))
            },
            Event::MessagesAcknowledgedV1(e) => Self {
                messages: e.messages.iter().map(|message| message.outer_id).collect(),
                ..Self::by(e.device_id, e.box_id, format!("{} messages", e.messages.len()))
            },
            Event::SignalSentV1(e) => Self::maybe_by(None, e.box_id, format!("signal {}", e.outer_id)),
            Event::RendezvousPostedV1(e) => Self::told(format!("rendezvous {}", e.rendezvous_id)),
            Event::PartitionCheckpointV1(e) => Self::told(format!("{} events up to {}", e.events, e.up_to)),
        }
    }

    fn told(text: String) -> Self {
        Self { text, ..Self::default() }
    }

    fn maybe_by(device: Option<DeviceId>, box_id: BoxId, text: String) -> Self {
        Self { device, devices: device.into_iter().collect(), boxes: vec![box_id], messages: Vec::new(), text }
    }

    fn by(device: DeviceId, box_id: BoxId, text: String) -> Self {
        Self::maybe_by(Some(device), box_id, text)
    }

    /// What one device did to another.
    fn to(by: Option<DeviceId>, device: DeviceId, box_id: BoxId, text: String) -> Self {
        let mut said = Self::maybe_by(by, box_id, text);
        said.devices.push(device);
        said
    }
}

/// The device that signed a statement; none if the recovery key did, or the statement can't be read.
fn signer(statement: &Octets) -> Option<DeviceId> {
    match MembershipStatement::parse(statement).ok()? {
        MembershipStatement::Founded(founded) => Some(founded.content().device_id),
        MembershipStatement::Linked(linked) => Some(linked.content().signer),
        MembershipStatement::Removed(removed) => match removed.content().signer {
            Remover::Device(device) => Some(device),
            Remover::RecoveryKey => None,
        },
    }
}

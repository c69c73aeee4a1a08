//! What an event says of devices, boxes and messages, in ids.

use rossby_projections::{acting_device, named_boxes};
use rossby_schemas::events::Event;
use rossby_schemas::events::identifiers::{Founding, ObjectionProof};
use rossby_schemas::ids::{BoxId, DeviceId, OuterId};

/// What an event says.
#[derive(Debug)]
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
        let device = acting_device(event);
        let mut devices: Vec<DeviceId> = device.into_iter().collect();
        let mut messages = Vec::new();
        match event {
            Event::IdentifierClaimedV1(e) => {
                devices.extend(e.founding.as_ref().map(|founding: &Founding| founding.device_id));
            }
            Event::DeviceLinkedV1(e) => devices.push(e.device_id),
            Event::DeviceRemovedV1(e) => devices.push(e.device_id),
            Event::TokenRevokedV1(e) => devices.push(e.device_id),
            Event::MessageEnqueuedV1(e) => messages.push(e.outer_id),
            Event::MessagesAcknowledgedV1(e) => messages.extend(e.messages.iter().map(|message| message.outer_id)),
            _ => {}
        }
        Self { device, devices, boxes: named_boxes(event), messages, text: text(event, device) }
    }
}

/// What it says beside devices and boxes.
fn text(event: &Event, device: Option<DeviceId>) -> String {
    match event {
        Event::RegistrationAskedV1(e) => format!("registration {} for box {}", e.registration_id, e.box_id),
        Event::CodeAskedV1(e) => format!("registration {} of box {}", e.registration_id, e.box_id),
        Event::CodeIssuedV1(e) => {
            format!("registration {}, code {}, good until {}", e.registration_id, e.number, e.expires_at)
        }
        Event::CodeGuessedV1(e) => {
            let guess = if e.right { "right" } else { "wrong" };
            format!("registration {}, code {}, a {guess} guess", e.registration_id, e.number)
        }
        Event::IdentifierVerifiedV1(e) => format!("is box {}'s", e.box_id),
        Event::IdentifierVerifiedV2(e) => format!("is box {}'s", e.box_id),
        Event::IdentifierReleasedV1(e) => format!("is box {}'s no more", e.box_id),
        Event::IdentifierReleasedV2(e) => format!("is box {}'s no more", e.box_id),
        Event::IdentifierClaimedV1(e) => {
            format!("claim {} for box {} from box {}, from {} on", e.claim_id, e.box_id, e.owner, e.effective_at)
        }
        Event::ClaimObjectedV1(e) => {
            let how = match e.proof {
                ObjectionProof::Code { .. } => "by a code",
                ObjectionProof::RecoveryKey => "by the recovery key",
            };
            format!("claim {}, {how}", e.claim_id)
        }
        Event::DeviceLinkedV1(e) => format!("device {} is linked", e.device_id),
        Event::SealingKeyStatedV1(e) => format!("sealing key {}", e.counter),
        Event::DeviceRemovedV1(e) => {
            let how = if device.is_none() { " by the recovery key" } else { "" };
            format!("device {} is removed{how}", e.device_id)
        }
        Event::TokenRevokedV1(e) => format!("the tokens of device {} below epoch {}", e.device_id, e.epoch),
        Event::BoxClosingV1(e) => format!("with {} identifiers", e.identifier_hashes.len()),
        Event::BoxFoundedV1(_) | Event::BoxClosedV1(_) => String::new(),
        Event::DiscoverableSetV1(e) => format!("{:?}", e.discoverable).to_lowercase(),
        Event::AcceptFromSetV1(e) => format!("{:?}", e.accept_from).to_lowercase(),
        Event::BoxBlockedV1(e) => format!("tag {}", e.tag),
        Event::BoxUnblockedV1(e) => format!("tag {}", e.tag),
        Event::ContactAddedV1(e) => format!("tag {}", e.tag),
        Event::ContactRemovedV1(e) => format!("tag {}", e.tag),
        Event::ProfileBlobSetV1(e) => format!("{} octets", e.blob.as_slice().len()),
        Event::MessageEnqueuedV1(e) => format!("message {}, {} octets", e.outer_id, e.value.as_slice().len()),
        Event::MessagesAcknowledgedV1(e) => format!("{} messages", e.messages.len()),
        Event::SignalSentV1(e) => format!("signal {}", e.outer_id),
        Event::RendezvousPostedV1(e) => format!("rendezvous {}", e.rendezvous_id),
        Event::PartitionCheckpointV1(e) => format!("{} events up to {}", e.events, e.up_to),
    }
}

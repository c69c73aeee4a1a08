//! Who has done what an event says, and whose affair it is.

use rossby_crypto::statements::MembershipStatement;
use rossby_schemas::encoding::Octets;
use rossby_schemas::events::Event;
use rossby_schemas::ids::{BoxId, DeviceId};

/// The device that has done it, as the event says; none where a server or the recovery key did, or where nobody can know. No signature is
/// checked.
#[must_use]
pub fn acting_device(event: &Event) -> Option<DeviceId> {
    match event {
        Event::RegistrationAskedV1(e) => Some(e.device_id),
        Event::CodeAskedV1(e) => Some(e.device_id),
        Event::IdentifierVerifiedV1(e) => e.founding.as_ref().map(|founding| founding.device_id),
        Event::IdentifierVerifiedV2(e) => {
            let signer = e.signed.as_ref().map(|signed| signed.device_id);
            signer.or_else(|| e.founding.as_ref().map(|founding| founding.device_id))
        }
        Event::IdentifierReleasedV2(e) => e.signed.as_ref().map(|signed| signed.device_id),
        Event::IdentifierClaimedV1(e) => Some(e.device_id),
        Event::ClaimObjectedV1(e) => Some(e.signed.device_id),
        Event::BoxFoundedV1(e) => Some(e.device_id),
        Event::DeviceLinkedV1(e) => signer(&e.linking_statement),
        Event::SealingKeyStatedV1(e) => Some(e.device_id),
        Event::DeviceRemovedV1(e) => signer(&e.removal_statement),
        Event::TokenRevokedV1(e) => Some(e.signed.device_id),
        Event::BoxClosingV1(e) => Some(e.signed.device_id),
        Event::DiscoverableSetV1(e) => Some(e.signed.device_id),
        Event::AcceptFromSetV1(e) => Some(e.signed.device_id),
        Event::BoxBlockedV1(e) => Some(e.signed.device_id),
        Event::BoxUnblockedV1(e) => Some(e.signed.device_id),
        Event::ContactAddedV1(e) => Some(e.signed.device_id),
        Event::ContactRemovedV1(e) => Some(e.signed.device_id),
        Event::ProfileBlobSetV1(e) => Some(e.signed.device_id),
        Event::MessagesAcknowledgedV1(e) => Some(e.device_id),
        Event::CodeIssuedV1(_)
        | Event::CodeGuessedV1(_)
        | Event::IdentifierReleasedV1(_)
        | Event::BoxClosedV1(_)
        | Event::MessageEnqueuedV1(_)
        | Event::SignalSentV1(_)
        | Event::RendezvousPostedV1(_)
        | Event::PartitionCheckpointV1(_) => None,
    }
}

/// The boxes that an event names: most name one. Of a claim the one that claims stands before the one that it claims from.
#[must_use]
pub fn named_boxes(event: &Event) -> Vec<BoxId> {
    vec![match event {
        Event::RegistrationAskedV1(e) => e.box_id,
        Event::CodeAskedV1(e) => e.box_id,
        Event::IdentifierVerifiedV1(e) => e.box_id,
        Event::IdentifierVerifiedV2(e) => e.box_id,
        Event::IdentifierReleasedV1(e) => e.box_id,
        Event::IdentifierReleasedV2(e) => e.box_id,
        Event::IdentifierClaimedV1(e) => return vec![e.box_id, e.owner],
        Event::ClaimObjectedV1(e) => e.box_id,
        Event::BoxFoundedV1(e) => e.box_id,
        Event::DeviceLinkedV1(e) => e.box_id,
        Event::SealingKeyStatedV1(e) => e.box_id,
        Event::DeviceRemovedV1(e) => e.box_id,
        Event::TokenRevokedV1(e) => e.box_id,
        Event::BoxClosingV1(e) => e.box_id,
        Event::BoxClosedV1(e) => e.box_id,
        Event::DiscoverableSetV1(e) => e.box_id,
        Event::AcceptFromSetV1(e) => e.box_id,
        Event::BoxBlockedV1(e) => e.box_id,
        Event::BoxUnblockedV1(e) => e.box_id,
        Event::ContactAddedV1(e) => e.box_id,
        Event::ContactRemovedV1(e) => e.box_id,
        Event::ProfileBlobSetV1(e) => e.box_id,
        Event::MessageEnqueuedV1(e) => e.box_id,
        Event::MessagesAcknowledgedV1(e) => e.box_id,
        Event::SignalSentV1(e) => e.box_id,
        Event::CodeIssuedV1(_)
        | Event::CodeGuessedV1(_)
        | Event::RendezvousPostedV1(_)
        | Event::PartitionCheckpointV1(_) => return Vec::new(),
    }]
}

fn signer(statement: &Octets) -> Option<DeviceId> {
    MembershipStatement::parse(statement).ok()?.signer()
}

//! Events as commands would append them. Statements are what their octets say here: projections don't read them.

use rossby_crypto::message::{MessageValue, Wrap, content_hash};
use rossby_schemas::encoding::{FixedOctets, Octets};
use rossby_schemas::envelope::{Control, Envelope};
use rossby_schemas::events::identifiers::{
    ClaimObjectedV1, Founding, IdentifierClaimedV1, IdentifierReleasedV2, IdentifierVerifiedV1, IdentifierVerifiedV2,
    ObjectionProof,
};
use rossby_schemas::events::inbox::{
    AcknowledgedMessage, MessageEnqueuedV1, MessagesAcknowledgedV1, RendezvousPostedV1,
};
use rossby_schemas::events::keys::{BoxClosedV1, BoxClosingV1, BoxFoundedV1, DeviceRemovedV1, SealingKeyStatedV1};
use rossby_schemas::events::log::PartitionCheckpointV1;
use rossby_schemas::events::profiles::{Audience, BoxBlockedV1, DiscoverableSetV1};
use rossby_schemas::events::registrations::{
    CodeAskedV1, CodeGuessedV1, CodeIssuedV1, CodePurpose, RegistrationAskedV1,
};
use rossby_schemas::events::{Event, SignedCommand};
use rossby_schemas::ids::{
    BoxId, CommandId, DeviceId, EventId, Head, IdentifierHash, OuterId, RegistrationId, RendezvousId,
};
use rossby_schemas::time::Timestamp;
use rossby_schemas::topic::Topic;
use uuid::Uuid;

use super::HOME;

/// A box at home here, by number.
pub(crate) fn box_number(number: u32) -> BoxId {
    let mut octets = *Uuid::from_u128(u128::from(number)).as_bytes();
    octets[0] = HOME.0;
    BoxId::from_bytes(octets)
}

pub(crate) fn device(number: u8) -> DeviceId {
    DeviceId::from_bytes([number; 16])
}

pub(crate) fn command(number: u128) -> CommandId {
    CommandId(Uuid::from_u128(number))
}

pub(crate) fn identifier(number: u8) -> IdentifierHash {
    IdentifierHash([number; 32])
}

/// A control event of a command, decided on `expected_version`.
pub(crate) fn control(
    topic: Topic,
    stream: &str,
    command: CommandId,
    expected_version: u64,
    time: Timestamp,
    event: &Event,
) -> Envelope {
    let (content_type, data) = event.encode();
    Envelope {
        id: EventId::derive(topic, stream, command, 0),
        event_type: event.event_type().to_owned(),
        region: HOME,
        stream: stream.to_owned(),
        time,
        control: Some(Control { expected_version, command, step: 0, command_hash: FixedOctets([1; 32]) }),
        outer_id: None,
        content_type: content_type.to_owned(),
        data,
    }
}

/// An event of a box's key record.
pub(crate) fn key_event(
    box_id: BoxId,
    number: u128,
    expected_version: u64,
    time: Timestamp,
    event: &Event,
) -> Envelope {
    control(Topic::Keys, &box_id.to_string(), command(number), expected_version, time, event)
}

pub(crate) fn founded(box_id: BoxId, device_id: DeviceId) -> Event {
    Event::BoxFoundedV1(BoxFoundedV1 {
        box_id,
        device_id,
        founding_statement: b"founded".as_slice().into(),
        sealing_statement: b"sealing 1".as_slice().into(),
    })
}

pub(crate) fn sealing(box_id: BoxId, device_id: DeviceId, counter: u64) -> Event {
    let sealing_statement = format!("sealing {counter}").into_bytes().into();
    Event::SealingKeyStatedV1(SealingKeyStatedV1 { box_id, device_id, counter, sealing_statement })
}

pub(crate) fn removed(box_id: BoxId, device_id: DeviceId) -> Event {
    let removal_statement = b"removed".as_slice().into();
    Event::DeviceRemovedV1(DeviceRemovedV1 { box_id, device_id, removal_statement })
}

pub(crate) fn signed() -> SignedCommand {
    SignedCommand { device_id: device(1), command: Octets::default(), signature: FixedOctets([0; 64]) }
}

pub(crate) fn closing(box_id: BoxId) -> Event {
    Event::BoxClosingV1(BoxClosingV1 { box_id, identifier_hashes: Vec::new(), signed: signed() })
}

pub(crate) fn closed(box_id: BoxId) -> Event {
    Event::BoxClosedV1(BoxClosedV1 { box_id })
}

pub(crate) fn discoverable(box_id: BoxId, discoverable: Audience) -> Event {
    Event::DiscoverableSetV1(DiscoverableSetV1 { box_id, discoverable, signed: signed() })
}

pub(crate) fn blocked(box_id: BoxId, tag: [u8; 32]) -> Event {
    Event::BoxBlockedV1(BoxBlockedV1 { box_id, tag: FixedOctets(tag), signed: signed() })
}

pub(crate) fn asked(hash: IdentifierHash, registration: u8, box_id: BoxId) -> Event {
    Event::RegistrationAskedV1(RegistrationAskedV1 {
        registration_id: RegistrationId::from_bytes([registration; 16]),
        identifier_hash: hash,
        secret_number: 1,
        slot: hash.slot(),
        box_id,
        device_id: device(registration),
        founding_statement: b"founded".as_slice().into(),
        sealing_statement: b"sealing 1".as_slice().into(),
    })
}

/// A device, which has the registration's number, asks for a code.
pub(crate) fn code_asked(hash: IdentifierHash, registration: u8, box_id: BoxId, purpose: CodePurpose) -> Event {
    Event::CodeAskedV1(CodeAskedV1 {
        registration_id: RegistrationId::from_bytes([registration; 16]),
        identifier_hash: hash,
        secret_number: 1,
        slot: hash.slot(),
        box_id,
        device_id: device(registration),
        purpose,
    })
}

pub(crate) fn code(registration: u8, number: u32, expires_at: Timestamp) -> Event {
    let registration_id = RegistrationId::from_bytes([registration; 16]);
    Event::CodeIssuedV1(CodeIssuedV1 { registration_id, number, expires_at })
}

pub(crate) fn guess(registration: u8, number: u32, right: bool) -> Event {
    let registration_id = RegistrationId::from_bytes([registration; 16]);
    Event::CodeGuessedV1(CodeGuessedV1 { registration_id, number, right })
}

pub(crate) fn verified(hash: IdentifierHash, box_id: BoxId, registration: u8) -> Event {
    Event::IdentifierVerifiedV1(IdentifierVerifiedV1 {
        identifier_hash: hash,
        secret_number: 1,
        slot: hash.slot(),
        box_id,
        registration_id: RegistrationId::from_bytes([registration; 16]),
        founding: Some(Founding {
            device_id: device(registration),
            founding_statement: b"founded".as_slice().into(),
            sealing_statement: b"sealing 1".as_slice().into(),
        }),
    })
}

/// One more identifier of a box.
pub(crate) fn added(hash: IdentifierHash, box_id: BoxId, registration: u8) -> Event {
    Event::IdentifierVerifiedV2(IdentifierVerifiedV2 {
        identifier_hash: hash,
        secret_number: 1,
        slot: hash.slot(),
        box_id,
        registration_id: RegistrationId::from_bytes([registration; 16]),
        founding: None,
        signed: Some(signed()),
    })
}

pub(crate) fn released(hash: IdentifierHash, box_id: BoxId) -> Event {
    Event::IdentifierReleasedV2(IdentifierReleasedV2 { identifier_hash: hash, box_id, signed: Some(signed()) })
}

/// A claim of an identifier for a new box, by the device with the claim's number.
pub(crate) fn claimed(hash: IdentifierHash, claim: u8, owner: BoxId, box_id: BoxId, effective_at: Timestamp) -> Event {
    Event::IdentifierClaimedV1(IdentifierClaimedV1 {
        claim_id: RegistrationId::from_bytes([claim; 16]),
        identifier_hash: hash,
        secret_number: 1,
        slot: hash.slot(),
        owner,
        box_id,
        device_id: device(claim),
        effective_at,
        founding: Some(Founding {
            device_id: device(claim),
            founding_statement: b"founded".as_slice().into(),
            sealing_statement: b"sealing 1".as_slice().into(),
        }),
        signed: None,
    })
}

pub(crate) fn objected(hash: IdentifierHash, claim: u8, box_id: BoxId, proof: ObjectionProof) -> Event {
    let claim_id = RegistrationId::from_bytes([claim; 16]);
    Event::ClaimObjectedV1(ClaimObjectedV1 { claim_id, identifier_hash: hash, box_id, proof, signed: signed() })
}

/// A message's value for these devices; `body` tells values apart.
pub(crate) fn value(body: u8, devices: &[DeviceId], expires_at: Timestamp) -> Octets {
    let wrap = |device_id: &DeviceId| Wrap {
        device_id: *device_id,
        sealing_counter: 1,
        enc: FixedOctets([0; 1120]),
        wrapped_key: FixedOctets([0; 48]),
    };
    let recipient_head = Head { version: 1, hash: FixedOctets([0; 32]) };
    let content = vec![body; 32 + 512 + 16].into();
    MessageValue { recipient_head, expires_at, content, wraps: devices.iter().map(wrap).collect() }.to_octets()
}

/// A message entered a queue.
pub(crate) fn enqueued(box_id: BoxId, outer: u8, value: &Octets, accepted_at: Timestamp) -> Envelope {
    let outer_id = OuterId::from_bytes([outer; 16]);
    let event = Event::MessageEnqueuedV1(MessageEnqueuedV1 { box_id, outer_id, value: value.clone() });
    let id =
        EventId::derive(Topic::Inbox, &box_id.to_string(), command(u128::from(outer)), accepted_at.millis() as u32);
    fact(&box_id.to_string(), id, accepted_at, Some(outer_id), &event)
}

/// A device confirmed messages.
pub(crate) fn acknowledged(
    box_id: BoxId,
    device_id: DeviceId,
    outer: u8,
    value: &Octets,
    expires_at: Timestamp,
    at: Timestamp,
) -> Envelope {
    let message = AcknowledgedMessage {
        outer_id: OuterId::from_bytes([outer; 16]),
        content_hash: content_hash(value),
        expires_at,
    };
    let event = Event::MessagesAcknowledgedV1(MessagesAcknowledgedV1 { box_id, device_id, messages: vec![message] });
    fact(&box_id.to_string(), EventId(Uuid::new_v4()), at, None, &event)
}

/// A message was left at a rendezvous.
pub(crate) fn posted(rendezvous: u8, body: u8, expires_at: Timestamp, at: Timestamp) -> Envelope {
    let rendezvous_id = RendezvousId::from_bytes([rendezvous; 16]);
    let posted = RendezvousPostedV1 { rendezvous_id, sealed: vec![body; 40].into(), expires_at };
    let event = Event::RendezvousPostedV1(posted);
    fact(&rendezvous_id.to_string(), EventId(Uuid::new_v4()), at, None, &event)
}

/// What a region says of a stretch of a partition.
pub(crate) fn checkpoint(box_id: BoxId, up_to: EventId, at: Timestamp) -> Envelope {
    let checkpoint = PartitionCheckpointV1 { after: None, up_to, events: 1, xor: FixedOctets([0; 32]) };
    fact(&box_id.to_string(), EventId(Uuid::new_v4()), at, None, &Event::PartitionCheckpointV1(checkpoint))
}

fn fact(stream: &str, id: EventId, time: Timestamp, outer_id: Option<OuterId>, event: &Event) -> Envelope {
    let (content_type, data) = event.encode();
    Envelope {
        id,
        event_type: event.event_type().to_owned(),
        region: HOME,
        stream: stream.to_owned(),
        time,
        control: None,
        outer_id,
        content_type: content_type.to_owned(),
        data,
    }
}

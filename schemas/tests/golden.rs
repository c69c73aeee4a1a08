//! Every event type, as it stands in the log: golden files that are only ever added, and the JSON Schemas.
//!
//! `ROSSBY_BLESS=1` writes the files of new types. A committed golden file is never written again: what it holds is in
//! somebody's log.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::{env, fs};

use bytes::Bytes;
use rossby_schemas::encoding::{FixedOctets, Octets, Sha256Digest};
use rossby_schemas::envelope::{Control, Envelope, JSON};
use rossby_schemas::events::identifiers::{
    ClaimObjectedV1, Founding, IdentifierClaimedV1, IdentifierReleasedV1, IdentifierReleasedV2, IdentifierVerifiedV1,
    IdentifierVerifiedV2, ObjectionProof,
};
use rossby_schemas::events::inbox::{
    AcknowledgedMessage, MessageEnqueuedV1, MessagesAcknowledgedV1, RendezvousPostedV1,
};
use rossby_schemas::events::keys::{
    BoxClosedV1, BoxClosingV1, BoxFoundedV1, DeviceLinkedV1, DeviceRemovedV1, SealingKeyStatedV1, TokenRevokedV1,
};
use rossby_schemas::events::log::PartitionCheckpointV1;
use rossby_schemas::events::profiles::{
    AcceptFromSetV1, Audience, BoxBlockedV1, BoxUnblockedV1, ContactAddedV1, ContactRemovedV1, DiscoverableSetV1,
    ProfileBlobSetV1,
};
use rossby_schemas::events::registrations::{
    CodeAskedV1, CodeGuessedV1, CodeIssuedV1, CodePurpose, RegistrationAskedV1,
};
use rossby_schemas::events::signals::SignalSentV1;
use rossby_schemas::events::{DecodeError, Event, SignedCommand};
use rossby_schemas::ids::{
    BoxId, CommandId, DeviceId, EventId, IdentifierHash, OuterId, RegionNumber, RegistrationId, RendezvousId,
};
use rossby_schemas::time::Timestamp;
use rossby_schemas::topic::Topic;
use serde::{Deserialize, Serialize};

/// A record of the log as a golden file shows it.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Golden {
    headers: BTreeMap<String, String>,
    /// The value where it is JSON, to the octet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    json: Option<String>,
    /// The value where it is octets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    octets: Option<Octets>,
}

const BOX: BoxId = BoxId::from_bytes([1, 2, 3, 4, 5, 6, 0x87, 8, 0x89, 10, 11, 12, 13, 14, 15, 16]);
const OTHER_BOX: BoxId = BoxId::from_bytes([1, 2, 3, 4, 5, 6, 0x87, 8, 0x89, 10, 11, 12, 13, 14, 15, 17]);
const DEVICE: DeviceId = DeviceId::from_bytes([0xd0; 16]);
const REGISTRATION: RegistrationId = RegistrationId::from_bytes([0x4e; 16]);
const RENDEZVOUS: RendezvousId = RendezvousId::from_bytes([0x4d; 16]);
const HASH: IdentifierHash = IdentifierHash([0xab; 32]);

fn time() -> Timestamp {
    "2026-11-24T09:30:00.123Z".parse().unwrap()
}

fn signed() -> SignedCommand {
    SignedCommand { device_id: DEVICE, command: Octets::from(vec![1, 2, 3]), signature: FixedOctets([0x51; 64]) }
}

fn statement(octet: u8) -> Octets {
    Octets::from(vec![octet; 5])
}

fn samples() -> Vec<Event> {
    let tag = FixedOctets([0x7a; 32]);
    vec![
        Event::RegistrationAskedV1(RegistrationAskedV1 {
            registration_id: REGISTRATION,
            identifier_hash: HASH,
            secret_number: 1,
            slot: HASH.slot(),
            box_id: BOX,
            device_id: DEVICE,
            founding_statement: statement(1),
            sealing_statement: statement(2),
        }),
        Event::CodeAskedV1(CodeAskedV1 {
            registration_id: REGISTRATION,
            identifier_hash: HASH,
            secret_number: 1,
            slot: HASH.slot(),
            box_id: BOX,
            device_id: DEVICE,
            purpose: CodePurpose::Object { claim_id: RegistrationId::from_bytes([0x4f; 16]) },
        }),
        Event::CodeIssuedV1(CodeIssuedV1 { registration_id: REGISTRATION, number: 1, expires_at: time() }),
        Event::CodeGuessedV1(CodeGuessedV1 { registration_id: REGISTRATION, number: 1, right: false }),
        Event::IdentifierVerifiedV1(IdentifierVerifiedV1 {
            identifier_hash: HASH,
            secret_number: 1,
            slot: HASH.slot(),
            box_id: BOX,
            registration_id: REGISTRATION,
            founding: Some(Founding {
                device_id: DEVICE,
                founding_statement: statement(1),
                sealing_statement: statement(2),
            }),
        }),
        Event::IdentifierVerifiedV2(IdentifierVerifiedV2 {
            identifier_hash: HASH,
            secret_number: 1,
            slot: HASH.slot(),
            box_id: BOX,
            registration_id: REGISTRATION,
            founding: None,
            signed: Some(signed()),
        }),
        Event::IdentifierReleasedV1(IdentifierReleasedV1 { identifier_hash: HASH, box_id: BOX }),
        Event::IdentifierReleasedV2(IdentifierReleasedV2 {
            identifier_hash: HASH,
            box_id: BOX,
            signed: Some(signed()),
        }),
        Event::IdentifierClaimedV1(IdentifierClaimedV1 {
            claim_id: REGISTRATION,
            identifier_hash: HASH,
            secret_number: 1,
            slot: HASH.slot(),
            owner: OTHER_BOX,
            box_id: BOX,
            device_id: DEVICE,
            effective_at: time(),
            founding: Some(Founding {
                device_id: DEVICE,
                founding_statement: statement(1),
                sealing_statement: statement(2),
            }),
            signed: None,
        }),
        Event::ClaimObjectedV1(ClaimObjectedV1 {
            claim_id: REGISTRATION,
            identifier_hash: HASH,
            box_id: OTHER_BOX,
            proof: ObjectionProof::Code { registration_id: RegistrationId::from_bytes([0x50; 16]) },
            signed: signed(),
        }),
        Event::BoxFoundedV1(BoxFoundedV1 {
            box_id: BOX,
            device_id: DEVICE,
            founding_statement: statement(1),
            sealing_statement: statement(2),
        }),
        Event::DeviceLinkedV1(DeviceLinkedV1 {
            box_id: BOX,
            device_id: DEVICE,
            linking_statement: statement(3),
            sealing_statement: statement(4),
        }),
        Event::SealingKeyStatedV1(SealingKeyStatedV1 {
            box_id: BOX,
            device_id: DEVICE,
            counter: 2,
            sealing_statement: statement(5),
        }),
        Event::DeviceRemovedV1(DeviceRemovedV1 { box_id: BOX, device_id: DEVICE, removal_statement: statement(6) }),
        Event::TokenRevokedV1(TokenRevokedV1 { box_id: BOX, device_id: DEVICE, epoch: 2, signed: signed() }),
        Event::BoxClosingV1(BoxClosingV1 { box_id: BOX, identifier_hashes: vec![HASH], signed: signed() }),
        Event::BoxClosedV1(BoxClosedV1 { box_id: BOX }),
        Event::DiscoverableSetV1(DiscoverableSetV1 { box_id: BOX, discoverable: Audience::Contacts, signed: signed() }),
        Event::AcceptFromSetV1(AcceptFromSetV1 { box_id: BOX, accept_from: Audience::Nobody, signed: signed() }),
        Event::BoxBlockedV1(BoxBlockedV1 { box_id: BOX, tag, signed: signed() }),
        Event::BoxUnblockedV1(BoxUnblockedV1 { box_id: BOX, tag, signed: signed() }),
        Event::ContactAddedV1(ContactAddedV1 { box_id: BOX, tag, signed: signed() }),
        Event::ContactRemovedV1(ContactRemovedV1 { box_id: BOX, tag, signed: signed() }),
        Event::ProfileBlobSetV1(ProfileBlobSetV1 { box_id: BOX, blob: statement(7), signed: signed() }),
        Event::MessagesAcknowledgedV1(MessagesAcknowledgedV1 {
            box_id: BOX,
            device_id: DEVICE,
            messages: vec![AcknowledgedMessage {
                outer_id: OuterId::from_bytes([0x0e; 16]),
                content_hash: Sha256Digest::from([0xc0; 32]),
                expires_at: time(),
            }],
        }),
        Event::RendezvousPostedV1(RendezvousPostedV1 {
            rendezvous_id: RENDEZVOUS,
            sealed: statement(8),
            expires_at: time(),
        }),
        Event::PartitionCheckpointV1(PartitionCheckpointV1 {
            after: None,
            up_to: EventId::from_bytes([0xe1; 16]),
            events: 3,
            xor: Sha256Digest::from([0x0f; 32]),
        }),
        Event::MessageEnqueuedV1(MessageEnqueuedV1 {
            box_id: BOX,
            outer_id: OuterId::from_bytes([0x0e; 16]),
            value: Octets::from(vec![0xfe; 9]),
        }),
        Event::SignalSentV1(SignalSentV1 {
            box_id: BOX,
            outer_id: OuterId::from_bytes([0x0e; 16]),
            value: Octets::from(vec![0x5e; 9]),
        }),
    ]
}

fn stream(event: &Event) -> String {
    match event.topic() {
        _ if matches!(event, Event::RendezvousPostedV1(_)) => RENDEZVOUS.to_string(),
        Some(Topic::Registrations) => rossby_schemas::events::registrations::stream(HASH, time()),
        Some(Topic::Identifiers) => HASH.to_string(),
        _ => BOX.to_string(),
    }
}

fn envelope(event: &Event) -> Envelope {
    let stream = stream(event);
    let command = CommandId::from_bytes([0xc1; 16]);
    let topic = event.topic().unwrap_or(Topic::Inbox);
    let (content_type, data) = event.encode();
    Envelope {
        id: EventId::derive(topic, &stream, command, 0),
        event_type: event.event_type().to_owned(),
        region: RegionNumber(1),
        time: time(),
        control: topic.is_control().then(|| Control {
            expected_version: 7,
            command,
            step: 0,
            command_hash: Sha256Digest::from([0xc4; 32]),
        }),
        outer_id: event.outer_id(),
        content_type: content_type.to_owned(),
        data,
        stream,
    }
}

fn golden(event: &Event) -> Golden {
    let envelope = envelope(event);
    let headers = envelope.headers().into_iter();
    let is_json = envelope.content_type == JSON;
    Golden {
        headers: headers.map(|(name, value)| (name, String::from_utf8(value.to_vec()).unwrap())).collect(),
        json: is_json.then(|| String::from_utf8(envelope.data.to_vec()).unwrap()),
        octets: (!is_json).then(|| Octets(envelope.data.clone())),
    }
}

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

fn blessing() -> bool {
    env::var_os("ROSSBY_BLESS").is_some_and(|v| v == "1")
}

fn files(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn every_type_has_a_sample() {
    let mut sampled: Vec<_> = samples().iter().map(Event::event_type).collect();
    let mut types = Event::TYPES.to_vec();
    sampled.sort_unstable();
    types.sort_unstable();
    assert_eq!(sampled, types);
}

#[test]
fn golden_events_are_written_and_read_to_the_octet() {
    let folder = folder("golden");
    for event in samples() {
        let path = folder.join(format!("{}.json", event.event_type()));
        if blessing() && !path.exists() {
            fs::write(&path, serde_json::to_string_pretty(&golden(&event)).unwrap() + "\n").unwrap();
        }
        let text = fs::read_to_string(&path)
            .unwrap_or_else(|_| panic!("{} has no golden file: ROSSBY_BLESS=1 writes it", event.event_type()));
        let file: Golden = serde_json::from_str(&text).unwrap();
        assert_eq!(golden(&event), file, "{}", event.event_type());

        let headers: Vec<_> = file.headers.into_iter().map(|(name, value)| (name, Bytes::from(value))).collect();
        let value = file.json.map(Bytes::from).or(file.octets.map(|octets| octets.0)).unwrap();
        let envelope = Envelope::from_record(&headers, Some(&value)).unwrap();
        assert_eq!(Event::decode(&envelope).unwrap(), event);
    }
    let expected = {
        let mut names: Vec<_> = Event::TYPES.iter().map(|name| format!("{name}.json")).collect();
        names.sort();
        names
    };
    assert_eq!(files(&folder), expected, "golden files of types that nothing reads");
}

#[test]
fn json_schemas_are_those_checked_in() {
    let folder = folder("json");
    for (name, schema) in Event::schemas() {
        let path = folder.join(format!("{name}.schema.json"));
        let text = serde_json::to_string_pretty(&schema).unwrap() + "\n";
        if blessing() {
            fs::write(&path, &text).unwrap();
        }
        let file = fs::read_to_string(&path).unwrap_or_default();
        assert_eq!(text, file, "the schema of {name} changed: a released type is frozen");
    }
    assert_eq!(files(&folder).len(), Event::schemas().len(), "schemas of types that are no more");
}

#[test]
fn unknown_types_and_fields_are_told_apart() {
    let event = &samples()[0];
    let mut later = envelope(event);
    later.event_type = "org.rossby.registrations.registration-asked.v2".into();
    assert_eq!(Event::decode(&later), Err(DecodeError::UnknownType(later.event_type.clone())));

    let mut with_field = envelope(event);
    let mut data: serde_json::Value = serde_json::from_slice(&with_field.data).unwrap();
    data["surplus"] = true.into();
    with_field.data = serde_json::to_vec(&data).unwrap().into();
    assert!(matches!(Event::decode(&with_field), Err(DecodeError::Malformed { .. })));

    let mut octets = envelope(event);
    octets.content_type = "application/octet-stream".into();
    assert!(matches!(Event::decode(&octets), Err(DecodeError::Malformed { .. })));
}

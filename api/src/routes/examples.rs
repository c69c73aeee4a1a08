//! What the description says beside the types: an example of every body, and the errors that operations share.

use rossby_crypto::history::{NO_ENTRY, chain_hash};
use rossby_schemas::encoding::{FixedOctets, Octets};
use rossby_schemas::events::profiles::Audience;
use rossby_schemas::http::account::{
    AccountCommandRequest, AccountResponse, CommandResponse, DeviceStatus, LinkDeviceRequest, ProfileDocument,
    StatementRequest,
};
use rossby_schemas::http::blobs::{CHUNK_OCTETS, UploadKey, UploadRequest, UploadResponse};
use rossby_schemas::http::command::{CommandState, CommandStatus};
use rossby_schemas::http::export::{
    EXPORT_FORMAT, EXPORT_VERSION, ExportResponse, HeldMessage, HeldOfBox, HeldPurpose, HeldRegistration, HeldUploads,
};
use rossby_schemas::http::history::{HistoryEntry, HistoryResponse};
use rossby_schemas::http::identifiers::{
    AskCodeRequest, AskCodeResponse, ClaimForBoxRequest, ClaimOnIdentifier, ClaimRequest, ClaimResponse, ClaimState,
    FollowClaimRequest, OwnClaim, OwnIdentifier, ShowCodeRequest, ShowCodeResponse,
};
use rossby_schemas::http::lookup::{KeyRecordDocument, LookupRequest, LookupResponse};
use rossby_schemas::http::messages::{
    ConfirmRequest, ConfirmResponse, FetchResponse, FetchedMessage, OutgoingMessage, PositionToken, SendOutcome,
    SendRequest, SendResponse, SendResult,
};
use rossby_schemas::http::problem::{FieldError, PROBLEM_JSON, Problem, ProblemType};
use rossby_schemas::http::registration::{
    AuthorizeRequest, AuthorizeResponse, IssueCodeRequest, RegisterRequest, RegisterResponse,
};
use rossby_schemas::http::rendezvous::{RendezvousRequest, RendezvousResponse};
use rossby_schemas::http::signals::{ReceivedSignal, SignalOutcome, SignalRequest, SignalResponse, SignalResult};
use rossby_schemas::http::stream::{Changed, ClientFrame, ConfirmFrame, ServerFrame, SignalFrame};
use rossby_schemas::http::token::TokenRequest;
use rossby_schemas::ids::{
    BoxId, CommandId, DeviceId, EventId, Head, IdentifierHash, OuterId, RegionNumber, RegistrationId,
};
use rossby_schemas::time::Timestamp;
use rossby_schemas::topic::Topic;
use serde::Serialize;
use serde_json::Value;
use utoipa::openapi::example::ExampleBuilder;
use utoipa::openapi::path::Operation;
use utoipa::openapi::{Content, OpenApi, Ref, RefOr, ResponseBuilder, Schema};

/// Adds to a description what the annotations on the handlers leave out.
pub(super) fn complete(openapi: &mut OpenApi) {
    for (path, item) in &mut openapi.paths.paths {
        for operation in [&mut item.get, &mut item.post, &mut item.put, &mut item.delete].into_iter().flatten() {
            if path.starts_with("/v1/") {
                add_shared_errors(operation);
            }
            add_examples(operation);
        }
    }
    for (name, frames) in [("ServerFrame", server_frames()), ("ClientFrame", client_frames())] {
        let schemas = openapi.components.as_mut().map(|components| &mut components.schemas);
        if let Some(RefOr::T(Schema::OneOf(schema))) = schemas.and_then(|schemas| schemas.get_mut(name)) {
            schema.examples = frames;
        }
    }
}

/// Errors that a handler does not name, because they come before it or are nobody's doing.
fn add_shared_errors(operation: &mut Operation) {
    let with_body = [ProblemType::RequestTimeout, ProblemType::TooLarge, ProblemType::UnsupportedMediaType];
    let shared = if operation.request_body.is_some() { &with_body[..] } else { &[] };
    for kind in shared.iter().chain(&[ProblemType::Internal]) {
        let response = || {
            let problem = Content::new(Some(RefOr::Ref(Ref::from_schema_name("Problem"))));
            ResponseBuilder::new().description(format!("`{kind}`")).content(PROBLEM_JSON, problem).build()
        };
        operation.responses.responses.entry(kind.status().to_string()).or_insert_with(|| response().into());
    }
}

fn add_examples(operation: &mut Operation) {
    if let Some(RefOr::T(body)) = &mut operation.request_body {
        for content in body.content.values_mut() {
            let RefOr::T(content) = content else { continue };
            content.example = content.schema.as_ref().and_then(of_schema);
        }
    }
    for response in operation.responses.responses.values_mut() {
        let RefOr::T(response) = response else { continue };
        for (media_type, content) in &mut response.content {
            let RefOr::T(content) = content else { continue };
            if media_type != PROBLEM_JSON {
                content.example = content.schema.as_ref().and_then(of_schema);
                continue;
            }
            // The kinds that a response's description names.
            for kind in ProblemType::ALL {
                if response.description.contains(&format!("`{kind}`")) {
                    let example = ExampleBuilder::new().summary(kind.title()).value(Some(json(&problem(*kind))));
                    content.examples.insert(kind.name().to_owned(), example.build().into());
                }
            }
        }
    }
}

const ANN: u128 = 0x01b6_2f0c_7d1e_8a55_9c03_4e6f_1a2b_3c4d;
const BEN: u128 = 0x01c9_8e2a_4b7f_8d10_a7e2_5f60_9b8c_7d6e;
const DEVICE: u128 = 0x6f1d_2c3b_4a59_4867_9d0e_1f2a_3b4c_5d6e;
const COMMAND: u128 = 0x3d5a_7c9e_1b2d_4f60_8192_a3b4_c5d6_e7f8;
const MESSAGE: u128 = 0x9a8b_7c6d_5e4f_4031_a213_2435_4657_6879;
const REGISTRATION: u128 = 0x5e6f_7081_92a3_44b5_86d7_e8f9_0a1b_2c3d;
const NOW: Timestamp = at(1_795_510_800_000);
const LATER: Timestamp = at(1_795_511_400_000);
const IN_A_WEEK: Timestamp = at(1_796_115_600_000);
const TOKEN_ID: &str = "AbYvDH0eilWcA05vGis8TW8dLDtKWUhnnQ4fKjtMXW4AAAABAAAAAQ";

const fn at(millis: u64) -> Timestamp {
    match Timestamp::from_millis(millis) {
        Ok(time) => time,
        Err(_) => at(0),
    }
}

/// Octets that stand for longer ones.
fn octets(begin: u8) -> Octets {
    (begin..begin.saturating_add(24)).collect::<Vec<u8>>().into()
}

fn fixed<const N: usize>(octet: u8) -> FixedOctets<N> {
    FixedOctets([octet; N])
}

fn json(value: &impl Serialize) -> Value {
    serde_json::to_value(value).unwrap_or_default()
}

fn box_id(id: u128) -> BoxId {
    BoxId::from_bytes(id.to_be_bytes())
}

fn device_id() -> DeviceId {
    DeviceId::from_bytes(DEVICE.to_be_bytes())
}

fn command_id() -> CommandId {
    CommandId::from_bytes(COMMAND.to_be_bytes())
}

fn registration_id() -> RegistrationId {
    RegistrationId::from_bytes(REGISTRATION.to_be_bytes())
}

fn identifier_hash() -> IdentifierHash {
    IdentifierHash([0x5d; 32])
}

fn outer_id() -> OuterId {
    OuterId::from_bytes(MESSAGE.to_be_bytes())
}

fn head() -> Head {
    Head { version: 1, hash: fixed(0x5a) }
}

fn key_record() -> KeyRecordDocument {
    KeyRecordDocument { head: head(), statements: vec![octets(1)], sealing_statements: vec![octets(2)] }
}

fn position() -> PositionToken {
    PositionToken("1/rossby.inbox/3/42".to_owned())
}

/// The example of a body whose schema is this.
fn of_schema(schema: &RefOr<Schema>) -> Option<Value> {
    let RefOr::Ref(reference) = schema else { return None };
    let name = reference.ref_location.rsplit('/').next()?;
    let identifier = || "mailto:ann@example.org".to_owned();
    Some(match name {
        "RegisterRequest" => json(&RegisterRequest {
            command_id: command_id(),
            identifier: identifier(),
            founding_statement: octets(1),
            sealing_statement: octets(2),
        }),
        "RegisterResponse" => {
            json(&RegisterResponse { registration_id: registration_id(), box_id: box_id(ANN), code_expires_at: LATER })
        }
        "IssueCodeRequest" => json(&IssueCodeRequest { command_id: command_id(), identifier: identifier() }),
        "AuthorizeRequest" => json(&AuthorizeRequest {
            command_id: command_id(),
            device_id: device_id(),
            code: "40718253".to_owned(),
            signature: fixed(0x5a),
        }),
        "AuthorizeResponse" => json(&AuthorizeResponse {
            box_id: box_id(ANN),
            device_id: device_id(),
            token_id: TOKEN_ID.to_owned(),
            sealed_token: octets(3),
        }),
        "LookupRequest" => json(&LookupRequest { identifier: Some("tel:+15551234567".to_owned()), box_id: None }),
        "LookupResponse" => {
            json(&LookupResponse { box_id: box_id(BEN), key_record: key_record(), profile: Octets::default() })
        }
        "SendRequest" => json(&SendRequest { messages: vec![outgoing()] }),
        "SendResponse" => json(&sent()),
        "SignalRequest" => json(&SignalRequest { signals: vec![outgoing()] }),
        "SignalResponse" => json(&SignalResponse { results: vec![signalled()] }),
        "ServerFrame" => server_frames().into_iter().next()?,
        "FetchResponse" => json(&fetched()),
        "ConfirmRequest" => json(&ConfirmRequest { handles: vec![octets(8)] }),
        "ConfirmResponse" => json(&ConfirmResponse { confirmed: 1, position: position() }),
        "AccountResponse" => json(&account()),
        "ExportResponse" => json(&export()),
        "HistoryResponse" => json(&history()),
        "AccountCommandRequest" => json(&AccountCommandRequest { command: octets(9), signature: fixed(0x5a) }),
        "StatementRequest" => json(&StatementRequest { command_id: command_id(), statement: octets(2) }),
        "AskCodeRequest" => json(&AskCodeRequest {
            command_id: command_id(),
            identifier: "tel:+15551234567".to_owned(),
            object_to: None,
        }),
        "AskCodeResponse" => json(&AskCodeResponse { registration_id: registration_id(), code_expires_at: LATER }),
        "ShowCodeRequest" => {
            json(&ShowCodeRequest { command_id: command_id(), code: "40718253".to_owned(), signature: fixed(0x5a) })
        }
        "ShowCodeResponse" => json(&ShowCodeResponse { identifier_hash: identifier_hash(), version: 0 }),
        "ClaimRequest" => json(&ClaimRequest {
            command_id: command_id(),
            device_id: device_id(),
            code: "40718253".to_owned(),
            identifier: identifier(),
            signature: fixed(0x5a),
        }),
        "ClaimForBoxRequest" => {
            json(&ClaimForBoxRequest { command: octets(9), signature: fixed(0x5a), identifier: identifier() })
        }
        "FollowClaimRequest" => json(&FollowClaimRequest { device_id: device_id(), signature: fixed(0x5a) }),
        "ClaimResponse" => json(&ClaimResponse {
            claim_id: registration_id(),
            state: ClaimState::Open,
            effective_at: IN_A_WEEK,
            authorized: None,
        }),
        "LinkDeviceRequest" => json(&LinkDeviceRequest {
            command_id: command_id(),
            linking_statement: octets(1),
            sealing_statement: octets(2),
        }),
        "TokenRequest" => json(&TokenRequest { box_id: box_id(ANN), device_id: device_id(), signature: fixed(0x5a) }),
        "RendezvousRequest" => json(&RendezvousRequest { sealed: octets(12) }),
        "RendezvousResponse" => json(&RendezvousResponse { messages: vec![octets(12)] }),
        "CommandResponse" => json(&CommandResponse { command_id: command_id(), version: 2 }),
        "CommandStatus" => {
            json(&CommandStatus { command_id: command_id(), state: CommandState::Done, version: Some(2) })
        }
        "UploadRequest" => json(&UploadRequest {
            upload_key: UploadKey(FixedOctets([0x7c; 32])),
            octets: 1_500_000,
            expires_at: LATER,
        }),
        "UploadResponse" => json(&UploadResponse {
            blob_id: FixedOctets([0x51; 34]),
            octets: 1_500_000,
            chunk_octets: CHUNK_OCTETS,
            chunks: 2,
            next_chunk: 1,
            complete: false,
            expires_at: LATER,
            upload_until: LATER,
        }),
        _ => return None,
    })
}

fn sent() -> SendResponse {
    let result = |recipient, outcome| SendResult { recipient, outer_id: outer_id(), outcome };
    SendResponse {
        results: vec![
            result(box_id(BEN), SendOutcome::Accepted { accepted_at: NOW, position: position() }),
            result(box_id(ANN), SendOutcome::NoSuchRecipient),
        ],
    }
}

fn outgoing() -> OutgoingMessage {
    OutgoingMessage { recipient: box_id(BEN), outer_id: outer_id(), value: octets(4) }
}

fn signalled() -> SignalResult {
    SignalResult { recipient: box_id(BEN), outer_id: outer_id(), outcome: SignalOutcome::Accepted }
}

/// One frame of each type.
fn server_frames() -> Vec<Value> {
    let signal = ReceivedSignal {
        outer_id: outer_id(),
        sent_at: NOW,
        recipient_head: head(),
        content: octets(5),
        sealing_counter: 1,
        enc: octets(6),
        wrapped_key: octets(7),
    };
    let frames = [
        ServerFrame::Message(message()),
        ServerFrame::CaughtUp { lost: None },
        ServerFrame::Signal(signal),
        ServerFrame::Changed { what: Changed::Account },
        ServerFrame::Confirmed { reference: Some(1), confirmed: 1, position: position() },
        ServerFrame::Signalled { reference: Some(2), results: vec![signalled()] },
        ServerFrame::Problem { reference: Some(3), problem: problem(ProblemType::RateLimited) },
    ];
    frames.iter().map(json).collect()
}

fn client_frames() -> Vec<Value> {
    let frames = [
        ClientFrame::Confirm(ConfirmFrame { reference: Some(1), handles: vec![octets(8)] }),
        ClientFrame::Signal(SignalFrame { reference: Some(2), signals: vec![outgoing()] }),
    ];
    frames.iter().map(json).collect()
}

fn message() -> FetchedMessage {
    FetchedMessage {
        outer_id: outer_id(),
        content_hash: fixed(0x5b),
        accepted_at: NOW,
        expires_at: NOW.plus(rossby_schemas::topic::MESSAGE_LIFETIME),
        recipient_head: head(),
        content: octets(5),
        sealing_counter: 1,
        enc: octets(6),
        wrapped_key: octets(7),
        handle: octets(8),
    }
}

fn fetched() -> FetchResponse {
    FetchResponse { messages: vec![message()], more: false, position_seen: Some(true), lost: None }
}

fn account() -> AccountResponse {
    let device = DeviceStatus {
        device_id: device_id(),
        epoch: 1,
        removed: false,
        waiting: 1,
        confirmed: 7,
        last_confirmed_at: Some(NOW),
        lost: None,
    };
    let profile = ProfileDocument {
        version: 3,
        discoverable: Audience::Everyone,
        accept_from: Audience::Contacts,
        blob: octets(10),
        blocks: Vec::new(),
        contacts: vec![fixed(0x5c)],
    };
    AccountResponse {
        box_id: box_id(ANN),
        device_id: device_id(),
        key_record: key_record(),
        keys_version: 2,
        devices: vec![device],
        identifiers: vec![OwnIdentifier {
            identifier_hash: identifier_hash(),
            version: 1,
            added_at: Some(NOW),
            signed: None,
            claim: Some(ClaimOnIdentifier {
                claim_id: registration_id(),
                claimed_at: NOW,
                effective_at: IN_A_WEEK,
                recovery_objections_left: 3,
            }),
        }],
        claims: vec![OwnClaim {
            claim_id: registration_id(),
            identifier_hash: IdentifierHash([0x5e; 32]),
            effective_at: IN_A_WEEK,
            state: ClaimState::Open,
        }],
        profile,
    }
}

fn export() -> ExportResponse {
    ExportResponse {
        format: EXPORT_FORMAT.to_owned(),
        version: EXPORT_VERSION,
        exported_at: NOW,
        box_id: box_id(ANN),
        held: Some(HeldOfBox {
            account: account(),
            registrations: vec![HeldRegistration {
                registration_id: registration_id(),
                identifier_hash: identifier_hash(),
                device_id: device_id(),
                purpose: HeldPurpose::Found,
                asked_at: NOW,
                codes: 1,
                wrong_guesses: 0,
                shown: true,
            }],
            uploads: vec![HeldUploads { day: NOW.utc_day(), octets: 1_500_000 }],
        }),
        messages: vec![HeldMessage {
            outer_id: outer_id(),
            content_hash: fixed(0x5b),
            accepted_at: NOW,
            expires_at: NOW.plus(rossby_schemas::topic::MESSAGE_LIFETIME),
            octets: Some(24),
            value: Some(octets(4)),
            waiting: vec![device_id()],
            confirmed: Vec::new(),
        }],
        next: Some(octets(13)),
    }
}

fn history() -> HistoryResponse {
    let topic = Topic::Keys;
    let stream = box_id(ANN).to_string();
    let entry = HistoryEntry {
        topic: topic.name().to_owned(),
        version: 1,
        event_id: EventId::derive(topic, &stream, command_id(), 0),
        stream,
        event_type: "org.rossby.keys.box-founded.v1".to_owned(),
        region: RegionNumber(1),
        time: NOW,
        device_id: Some(device_id()),
        data_hash: fixed(0x5b),
        data: Some(octets(24)),
        hash: fixed(0),
    };
    let hash = chain_hash(NO_ENTRY, &entry);
    HistoryResponse { box_id: box_id(ANN), entries: vec![HistoryEntry { hash, ..entry }], next: Some(octets(13)) }
}

/// A problem with what comes with its kind.
fn problem(kind: ProblemType) -> Problem {
    let error = |field: &str, reason: &str| vec![FieldError { field: field.to_owned(), reason: reason.to_owned() }];
    let plain = Problem::new(kind);
    match kind {
        ProblemType::InvalidRequest => Problem { errors: error("/command_id", "unknown field"), ..plain },
        ProblemType::InvalidStatement => {
            Problem { errors: error("/statement", "the signature does not verify"), ..plain }
        }
        ProblemType::TooLarge => {
            Problem { errors: error("", "has more than 2097152 octets"), limit: Some(2_097_152), ..plain }
        }
        ProblemType::UnsupportedMediaType => {
            Problem { errors: error("content-type", "must be application/json"), ..plain }
        }
        ProblemType::IdReused => {
            Problem { errors: error("/command_id", "was used before, with another body"), ..plain }
        }
        ProblemType::WrongCode => Problem { guesses_left: Some(4), ..plain },
        ProblemType::VersionConflict => Problem { current_version: Some(3), ..plain },
        ProblemType::OutcomeUnknown => {
            Problem { status_path: Some(format!("/v1/commands/{}?token={}", command_id(), octets(11))), ..plain }
        }
        ProblemType::RateLimited => Problem { retry_after: Some(1), ..plain },
        ProblemType::BlobIncomplete => Problem { next_chunk: Some(1), ..plain },
        ProblemType::UploadsExhausted => Problem { retry_after: Some(3600), ..plain },
        ProblemType::CodesExhausted => Problem { retry_after: Some(3600), ..plain },
        ProblemType::ClaimTooSoon => Problem { retry_after: Some(518_400), ..plain },
        ProblemType::Unauthenticated
        | ProblemType::StaleTimestamp
        | ProblemType::CodeSpent
        | ProblemType::NoSuchRecipient
        | ProblemType::NoSuchRegistration
        | ProblemType::NoSuchCommand
        | ProblemType::NoSuchBlob
        | ProblemType::NoSuchRange
        | ProblemType::NoSuchResource
        | ProblemType::MethodNotAllowed
        | ProblemType::IdentifierTaken
        | ProblemType::NoSuchClaim
        | ProblemType::IdentifierNotTaken
        | ProblemType::CodeNeeded
        | ProblemType::TooManyIdentifiers
        | ProblemType::LastIdentifier
        | ProblemType::TooManyDevices
        | ProblemType::Internal
        | ProblemType::StorageFull
        | ProblemType::UpgradeRequired
        | ProblemType::Unavailable
        | ProblemType::RequestTimeout => plain,
    }
}

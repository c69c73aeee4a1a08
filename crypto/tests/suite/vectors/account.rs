//! Account commands and the proof of authorizing.

use rossby_crypto::account::{AccountChange, AccountCommand, Objection, RecoveryObjection};
use rossby_crypto::authorize::{AuthorizeProof, ClaimProof, TokenProof};
use rossby_crypto::keyed_hash::Code;
use rossby_schemas::events::profiles::Audience;
use rossby_schemas::ids::{CommandId, IdentifierHash, RegistrationId};
use rossby_schemas::topic::Topic;
use serde_json::json;

use super::{check, hex};
use crate::world::{device, founded_by, time};

const IDENTIFIER: IdentifierHash = IdentifierHash([0xab; 32]);

#[test]
fn account() {
    let a = device(1);
    let box_id = founded_by(&a).box_id();
    let tag = || [0x44; 32].into();
    let objection = |proof| AccountChange::ObjectToClaim {
        identifier: IDENTIFIER,
        claim_id: RegistrationId::from_bytes([7; 16]),
        proof,
    };
    let claim_id = RegistrationId::from_bytes([7; 16]);
    let recovery = RecoveryObjection { box_id, identifier: IDENTIFIER, claim_id }.sign(&device(2).key);
    let recovery_key = device(2).key.verification_key();
    let tag_hex = || hex([0x44; 32]);
    let changes = [
        ("set-discoverable", json!("nobody"), AccountChange::SetDiscoverable(Audience::Nobody)),
        ("set-accept-from", json!("contacts"), AccountChange::SetAcceptFrom(Audience::Contacts)),
        ("block", tag_hex(), AccountChange::Block(tag())),
        ("unblock", tag_hex(), AccountChange::Unblock(tag())),
        ("add-contact", tag_hex(), AccountChange::AddContact(tag())),
        ("remove-contact", tag_hex(), AccountChange::RemoveContact(tag())),
        ("set-profile-blob", hex(b"blob"), AccountChange::SetProfileBlob(b"blob".as_slice().into())),
        (
            "revoke-token",
            json!({ "device": hex(a.id.as_bytes()), "epoch": 2 }),
            AccountChange::RevokeToken { device_id: a.id, epoch: 2 },
        ),
        (
            "close-box",
            json!([hex([1; 32]), hex([2; 32])]),
            AccountChange::CloseBox([1, 2].map(|n| IdentifierHash([n; 32])).into()),
        ),
        (
            "add-identifier",
            json!({ "registration": hex([6; 16]) }),
            AccountChange::AddIdentifier {
                identifier: IDENTIFIER,
                registration_id: RegistrationId::from_bytes([6; 16]),
            },
        ),
        ("remove-identifier", json!({}), AccountChange::RemoveIdentifier(IDENTIFIER)),
        (
            "object-to-claim",
            json!({ "claim": hex([7; 16]), "registration": hex([6; 16]) }),
            objection(Objection::Code(RegistrationId::from_bytes([6; 16]))),
        ),
        (
            "object-to-claim",
            json!({ "claim": hex([7; 16]), "recovery_signature": hex(recovery), "recovery_key": hex(recovery_key.as_bytes()) }),
            objection(Objection::RecoveryKey(recovery)),
        ),
    ];
    let vectors: Vec<_> = changes
        .into_iter()
        .map(|(name, value, change)| {
            let command_id = CommandId::from_bytes([5; 16]);
            let (topic, device_id) = (change.topic().name(), a.id);
            let stream = match change.topic() {
                Topic::Identifiers => IDENTIFIER.to_string(),
                _ => box_id.to_string(),
            };
            let command = AccountCommand { command_id, box_id, expected_version: 7, device_id, time: time(9), change };
            let signed = command.sign(&a.key);
            json!({
                "change": name, "value": value, "command_id": hex(command_id.as_bytes()), "topic": topic,
                "box": hex(box_id.as_bytes()), "stream": stream, "expected_version": 7, "device": hex(a.id.as_bytes()),
                "time": time(9).millis(), "octets": hex(signed.command), "signature": hex(signed.signature),
            })
        })
        .collect();
    check("account.json", "Account commands, each with every kind of change, signed by device 1.", &json!(vectors));
}

#[test]
fn authorize() {
    let a = device(1);
    let registration_id = RegistrationId::from_bytes([6; 16]);
    let code: Code = "01234567".parse().unwrap();
    let signature = AuthorizeProof { registration_id, device_id: a.id, code: &code }.sign(&a.key);
    check(
        "authorize.json",
        "The proof that device 1 has the code of its registration.",
        &json!([{
            "registration": hex(registration_id.as_bytes()), "device": hex(a.id.as_bytes()), "code": code.digits(),
            "verification_key": hex(a.key.verification_key().as_bytes()), "signature": hex(signature),
        }]),
    );
}

#[test]
fn token_proof() {
    let a = device(1);
    let box_id = founded_by(&a).box_id();
    let signature = TokenProof { box_id, device_id: a.id }.sign(&a.key);
    check(
        "token-proof.json",
        "The proof by which device 1 asks for its token.",
        &json!([{
            "box": hex(box_id.as_bytes()), "device": hex(a.id.as_bytes()),
            "verification_key": hex(a.key.verification_key().as_bytes()), "signature": hex(signature),
        }]),
    );
}

#[test]
fn claim_proof() {
    let a = device(1);
    let claim_id = RegistrationId::from_bytes([7; 16]);
    let signature = ClaimProof { claim_id, device_id: a.id }.sign(&a.key);
    check(
        "claim-proof.json",
        "The proof by which device 1 goes on with its claim.",
        &json!([{
            "claim": hex(claim_id.as_bytes()), "device": hex(a.id.as_bytes()),
            "verification_key": hex(a.key.verification_key().as_bytes()), "signature": hex(signature),
        }]),
    );
}

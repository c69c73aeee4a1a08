//! Statements, key records, safety numbers and recovery words.

use rossby_crypto::key_record::KeyRecord;
use rossby_crypto::recovery::RecoveryKey;
use rossby_crypto::safety_number::SafetyNumber;
use rossby_crypto::statements::{Linked, Remover, Statement, remove};
use rossby_crypto::verification::VerificationCode;
use rossby_schemas::ids::Head;
use serde_json::{Value, json};

use super::{check, hex};
use crate::world::{
    DAY, Given, device, founded_by, linked, recoverable, recovery_key, sealing_statement, time, with, without,
};

fn head(head: Head) -> Value {
    json!({ "version": head.version, "hash": hex(head.hash) })
}

fn founding(name: &str, record: &KeyRecord) -> Value {
    let (statement, content) = (record.founded(), record.founded().content());
    json!({
        "name": name,
        "device": hex(content.device_id.as_bytes()),
        "signing_key": hex(content.signing_key.as_bytes()),
        "region": content.region.0,
        "random": hex(content.random),
        "recovery_key": content.recovery_key.map(|key| hex(key.as_bytes())),
        "time": content.time.millis(),
        "octets": hex(statement.octets()),
        "hash": hex(statement.hash()),
        "box_id": hex(statement.box_id().as_bytes()),
        "box_id_text": statement.box_id().to_string(),
    })
}

fn linking(statement: &Statement<Linked>) -> Value {
    let content = statement.content();
    json!({
        "name": "linked",
        "box_id": hex(content.place.box_id.as_bytes()),
        "version": content.place.version,
        "previous": hex(content.place.previous),
        "signer": hex(content.signer.as_bytes()),
        "device": hex(content.device_id.as_bytes()),
        "signing_key": hex(content.signing_key.as_bytes()),
        "time": content.time.millis(),
        "countersignature": hex(content.countersignature),
        "octets": hex(statement.octets()),
        "hash": hex(statement.hash()),
    })
}

#[test]
fn statements() {
    let [a, b] = [1, 2].map(device);
    let record = recoverable(&a);
    let link = linked(&record, &a, &b);
    let grown = with(&record, &a, &b);
    let (box_id, at) = (grown.box_id(), grown.head());
    let by_device = remove(&a.key, Remover::Device(a.id), box_id, at, b.id, time(2));
    let by_recovery = remove(&recovery_key(), Remover::RecoveryKey, box_id, at, b.id, time(2));
    let removing = |name: &str, statement: &Statement<_>, signer: Option<Value>| {
        json!({
            "name": name, "box_id": hex(box_id.as_bytes()), "version": 3, "previous": hex(at.hash),
            "device": hex(b.id.as_bytes()), "signer": signer, "time": time(2).millis(),
            "octets": hex(statement.octets()), "hash": hex(statement.hash()),
        })
    };
    let sealing = json!({
        "name": "sealing", "box_id": hex(box_id.as_bytes()), "device": hex(b.id.as_bytes()), "counter": 1,
        "key": hex(b.sealing_key.public_key().as_bytes()), "created": time(0).millis(),
        "expires": time(30 * DAY).millis(), "head": head(at), "octets": hex(sealing_statement(&grown, &b, 1)),
    });
    check(
        "statements.json",
        "Statements. Device 1 founds the box, links device 2, and removes it; the recovery key's seed is ee in every octet.",
        &json!([
            founding("founded", &record),
            founding("founded without a recovery key", &founded_by(&a)),
            linking(&link),
            removing("removed by a device", &by_device, Some(hex(a.id.as_bytes()))),
            removing("removed by the recovery key", &by_recovery, None),
            sealing,
        ]),
    );
}

#[test]
fn key_record() {
    let [a, b, c] = [1, 2, 3].map(device);
    let record = without(&with(&with(&recoverable(&a), &a, &b), &b, &c), &a, &b);
    let heads: Vec<_> = (1..=4).map(|version| head(record.head_at(version).unwrap())).collect();
    let devices = record.devices().iter().map(|device| {
        json!({
            "device": hex(device.device_id.as_bytes()), "signing_key": hex(device.signing_key.as_bytes()),
            "linked_version": device.linked_version, "removed_version": device.removed_version,
        })
    });
    let devices: Vec<_> = devices.collect();
    check(
        "key-record.json",
        "A chain: device 1 founds, links 2, which links 3; device 1 removes 2. The head after each statement.",
        &json!([{
            "statements": record.statements().iter().map(hex).collect::<Vec<_>>(),
            "box_id": hex(record.box_id().as_bytes()),
            "heads": heads,
            "devices": devices,
        }]),
    );
}

#[test]
fn safety_number() {
    let [one, other] = [founded_by(&device(1)), founded_by(&device(2))];
    check(
        "safety-number.json",
        "The safety number of the boxes with these founding statements, the same in either order.",
        &json!([{
            "founded": [hex(&one.statements()[0]), hex(&other.statements()[0])],
            "digits": SafetyNumber::of(&one, &other).digits(),
            "shown": SafetyNumber::of(&other, &one).to_string(),
        }]),
    );
}

#[test]
fn verification() {
    let (phone, laptop) = (device(1), device(2));
    let (ann, ben) = (with(&founded_by(&phone), &phone, &laptop), founded_by(&device(3)));
    check(
        "verification.json",
        "What a device of one box shows to another's camera: founding hash and head of both, and the text. Device 1 founds the \
         first box and links device 2; device 3 founds the other.",
        &json!([{
            "by": { "founding_hash": hex(ann.founded().hash()), "head": head(ann.head()) },
            "to": { "founding_hash": hex(ben.founded().hash()), "head": head(ben.head()) },
            "text": VerificationCode::new(&ann, &ben).to_string(),
        }]),
    );
}

#[test]
fn recovery() {
    let octets: Vec<u8> = (1..=16).collect();
    let key = RecoveryKey::generate(&mut Given(octets.clone()));
    let signing_key = key.signing_key();
    check(
        "recovery.json",
        "A recovery key: its octets, its words, and the seed and the verification key that come from it.",
        &json!([{
            "octets": hex(octets),
            "words": *key.words(),
            "signing_seed": hex(*signing_key.to_seed()),
            "verification_key": hex(signing_key.verification_key().as_bytes()),
        }]),
    );
}

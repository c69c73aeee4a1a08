//! Message values.

use rossby_crypto::message::{MessageContent, RecipientDevice, content_hash, seal};
use rossby_schemas::ids::{MessageId, OuterId};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{check, hex};
use crate::world::{DAY, Given, device, founded_by, time, with};

#[test]
fn message() {
    let [a, b, c] = [1, 2, 3].map(device);
    let ann = founded_by(&a);
    let ben = with(&founded_by(&b), &b, &c);
    let keys = [&b, &c].map(|device| device.sealing_key.public_key());
    // In descending order, so that the value's order is seen to be another.
    let devices = [(&c, &keys[1], 9), (&b, &keys[0], 4)];
    let first = MessageContent {
        sender: ann.box_id(),
        sender_device: a.id,
        sender_head: ann.head(),
        recipient: ben.box_id(),
        recipient_head: ben.head(),
        conversation: Uuid::from_bytes([0x21; 16]),
        message_id: MessageId::from_bytes([0x22; 16]),
        sequence: 1,
        previous: None,
        time: time(5),
        kind: 1,
        body: b"hello".as_slice().into(),
        statements: ann.statements().to_vec(),
    };
    let link = first.clone().sign(&a.key).unwrap().link_hash();
    let second = MessageContent {
        message_id: MessageId::from_bytes([0x23; 16]),
        sequence: 2,
        previous: Some(link),
        kind: 60_000,
        body: vec![0x62; 1000].into(),
        statements: Vec::new(),
        ..first.clone()
    };
    let vector = |content: MessageContent| -> Value {
        let signed = content.clone().sign(&a.key).unwrap();
        let outer_id = OuterId::from_bytes([0x24; 16]);
        let randomness: Vec<u8> = (0..32 + 2 * 64).collect();
        let to = devices.map(|(device, key, sealing_counter)| RecipientDevice {
            device_id: device.id,
            sealing_counter,
            key,
        });
        let value = seal(&mut Given(randomness.clone()), &signed, outer_id, time(DAY), &to).unwrap();
        let head = |head: rossby_schemas::ids::Head| json!({ "version": head.version, "hash": hex(head.hash) });
        json!({
            "content": {
                "sender": hex(content.sender.as_bytes()), "sender_device": hex(content.sender_device.as_bytes()),
                "sender_head": head(content.sender_head), "recipient": hex(content.recipient.as_bytes()),
                "recipient_head": head(content.recipient_head), "conversation": hex(content.conversation.as_bytes()),
                "message_id": hex(content.message_id.as_bytes()), "sequence": content.sequence,
                "previous": content.previous.map(hex), "time": content.time.millis(), "kind": content.kind,
                "body": hex(&content.body), "statements": content.statements.iter().map(hex).collect::<Vec<_>>(),
            },
            "signed": hex(signed.octets()),
            "link_hash": hex(signed.link_hash()),
            "outer_id": hex(outer_id.as_bytes()),
            "expires_at": time(DAY).millis(),
            "devices": devices.map(|(device, _, counter)| json!({
                "device": hex(device.id.as_bytes()), "sealing_counter": counter,
                "sealing_secret_key": hex(*device.sealing_key.to_bytes()),
            })),
            "randomness": { "content_key": hex(&randomness[..32]), "of_each_device": [hex(&randomness[32..96]), hex(&randomness[96..])] },
            "value": hex(&value),
            "content_hash": hex(content_hash(&value)),
        })
    };
    check(
        "message.json",
        "Messages from device 1's box to the box that device 2 founded and linked device 3 to, sealed in the order given.",
        &json!([vector(first), vector(second)]),
    );
}

//! The ids of conversations.

use rossby_crypto::conversation::{conversation_beside_group, direct_conversation};
use rossby_crypto::group::GroupId;
use rossby_schemas::ids::BoxId;
use serde_json::{Value, json};
use uuid::Uuid;

#[test]
fn conversations() {
    let boxes = [[1; 16], [2; 16], [0xff; 16], *b"sixteen octets!!"].map(BoxId::from_bytes);
    let pairs = boxes.iter().flat_map(|one| boxes.iter().map(move |other| (*one, *other)));
    let vectors: Vec<Value> = pairs
        .filter(|(one, other)| one != other)
        .map(|(one, other)| json!({ "one": one, "other": other, "conversation": direct_conversation(one, other) }))
        .collect();
    let about = "The conversation between two boxes: SHA-256(\"rossby/v1/conversation\" ‖ lower BoxID ‖ higher BoxID), its first 16 \
                 octets as a UUIDv8. The same in either order.";
    super::check("conversation.json", about, &vectors.into());
}

#[test]
fn conversations_beside_groups() {
    let boxes = [[1; 16], [2; 16], *b"sixteen octets!!"].map(BoxId::from_bytes);
    let groups = [[0; 16], [7; 16], [0xff; 16]].map(|octets| GroupId(Uuid::from_bytes(octets)));
    let pairs = boxes.iter().flat_map(|one| boxes.iter().map(move |other| (*one, *other)));
    let vectors: Vec<Value> = pairs
        .flat_map(|(one, other)| groups.map(|group| (one, other, group)))
        .map(|(one, other, group)| {
            let conversation = conversation_beside_group(one, other, group);
            json!({ "one": one, "other": other, "group": group.0, "conversation": conversation })
        })
        .collect();
    let about = "The conversation beside a group, between two boxes or a box's own devices: \
                 SHA-256(\"rossby/v1/conversation-beside-group\" ‖ lower BoxID ‖ higher BoxID ‖ the group's id), its first 16 octets \
                 as a UUIDv8. The same in either order.";
    super::check("conversation-beside-group.json", about, &vectors.into());
}

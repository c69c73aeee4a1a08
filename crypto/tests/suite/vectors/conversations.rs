//! The ids of conversations.

use rossby_crypto::conversation::direct_conversation;
use rossby_schemas::ids::BoxId;
use serde_json::{Value, json};

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

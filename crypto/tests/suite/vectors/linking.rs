//! The messages by which a device is linked.

use rossby_crypto::linking::{
    Acceptance, Completion, Invitation, LinkMessage, LinkRefusal, LinkSecret, LinkSide, Offer,
};
use rossby_crypto::statements::request_link;
use serde_json::json;

use super::{check, hex};
use crate::world::{Given, device, founded_by, sealing_statement, time, with};

#[test]
fn linking() {
    let (old, new) = (device(1), device(2));
    let record = founded_by(&old);
    let (box_id, head, founding_hash) = (record.box_id(), record.head(), record.founded().hash());
    let linked = with(&record, &old, &new);
    let request = request_link(&new.key, new.id, box_id, head);
    let messages = [
        LinkMessage::Offer(Offer {
            device_id: new.id,
            signing_key: new.key.verification_key(),
            name: "phone".to_owned(),
            time: time(9),
        }),
        LinkMessage::Invitation(Invitation { box_id, founding_hash, head }),
        LinkMessage::Acceptance(Acceptance {
            head,
            countersignature: request.countersignature,
            sealing_statement: sealing_statement(&linked, &new, 1),
        }),
        LinkMessage::Completion(Completion {
            box_id,
            founding_hash,
            head: linked.head(),
            identifiers: vec!["mailto:ann@example.org".to_owned()],
        }),
        LinkMessage::Refusal(LinkRefusal::Declined),
        LinkMessage::Withdrawal,
    ];
    let secret = LinkSecret::from_bytes(&[7; 16]);
    let messages: Vec<_> = messages
        .iter()
        .map(|message| {
            let sealed = secret.seal(&mut Given(vec![0x24; 24]), message).unwrap();
            let side = if message.side() == LinkSide::New { "new" } else { "old" };
            json!({ "side": side, "sealed": hex(sealed) })
        })
        .collect();
    check(
        "linking.json",
        "A link secret, and the six messages of linking: device 2's offer, device 1's invitation to the box that it founded, \
         acceptance, completion, a refusal, and a withdrawal, sealed with nonces of 24 times 0x24.",
        &json!([{
            "secret": hex([7; 16]), "text": secret.text().as_str(), "rendezvous": hex(secret.rendezvous().as_bytes()),
            "messages": messages,
        }]),
    );
}

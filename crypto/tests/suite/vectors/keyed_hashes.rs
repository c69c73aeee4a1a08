//! What the server derives from its master secret, and the sealed token.

use rossby_crypto::keyed_hash::{ExportCursor, MasterSecret, MasterSecrets, MessageHandle};
use rossby_crypto::token::DeviceToken;
use rossby_schemas::identifier::Identifier;
use rossby_schemas::ids::{OuterId, RegistrationId};
use serde_json::json;

use super::{check, hex};
use crate::world::{Given, device, founded_by, time};

const SECRET: [u8; 32] = [0x5e; 32];

#[test]
fn keyed_hashes() {
    let [a, b] = [1, 2].map(device);
    let [one, other] = [&a, &b].map(|device| founded_by(device).box_id());
    let secret = MasterSecret::new(3, &SECRET);
    let registration_id = RegistrationId::from_bytes([6; 16]);
    let codes: Vec<_> = (1..=5).map(|number| secret.code(registration_id, a.id, number).digits().to_owned()).collect();
    let handle =
        MessageHandle { outer_id: OuterId::from_bytes([8; 16]), content_hash: [9; 32].into(), expires_at: time(1) };
    let given = handle.give(&secret, one, a.id);
    let cursor = ExportCursor { outer_id: handle.outer_id, content_hash: handle.content_hash };
    let cursor_given = cursor.give(&secret, one, a.id);
    let identifiers = ["tel:+15551234567", "mailto:ann@example.org"].map(|uri| {
        let identifier: Identifier = uri.parse().unwrap();
        json!({ "identifier": uri, "hash": secret.identifier_hash(&identifier).to_string() })
    });
    let token_id = secret.token_id(one, a.id, 4);
    let vectors = json!([{
        "secret": { "number": 3, "key": hex(SECRET), "check_value": hex(secret.check_value()) },
        "identifiers": identifiers,
        "acl": {
            "box_id": hex(one.as_bytes()), "acl_key": hex(secret.acl_key(one).as_bytes()),
            "other": hex(other.as_bytes()), "tag": hex(secret.acl_key(one).tag(other)),
        },
        "codes": { "registration": hex(registration_id.as_bytes()), "device": hex(a.id.as_bytes()), "from_1_to_5": codes },
        "handle": {
            "box_id": hex(one.as_bytes()), "device": hex(a.id.as_bytes()), "outer_id": hex(handle.outer_id.as_bytes()),
            "content_hash": hex(handle.content_hash), "expires_at": time(1).millis(), "handle": hex(&given),
        },
        "export_cursor": {
            "box_id": hex(one.as_bytes()), "device": hex(a.id.as_bytes()), "outer_id": hex(cursor.outer_id.as_bytes()),
            "content_hash": hex(cursor.content_hash), "cursor": hex(&cursor_given),
        },
        "token": {
            "box_id": hex(one.as_bytes()), "device": hex(a.id.as_bytes()), "epoch": 4, "id": token_id.to_string(),
            "hawk_key": hex(secret.hawk_key(one, a.id, 4).as_bytes()),
        },
        "mac": { "label": "label", "data": hex(b"data"), "mac": hex(secret.mac("label", b"data")) },
    }]);
    check("keyed-hashes.json", "What comes from the server's master secret, for boxes of devices 1 and 2.", &vectors);
    let secrets = MasterSecrets::new(vec![secret]).unwrap();
    assert_eq!(MessageHandle::take(&secrets, one, a.id, &given), Ok(handle));
    assert_eq!(ExportCursor::take(&secrets, one, a.id, &cursor_given), Ok(cursor));
}

#[test]
fn token() {
    let a = device(1);
    let secret = MasterSecret::new(3, &SECRET);
    let token = DeviceToken::derive(&secret, secret.token_id(founded_by(&a).box_id(), a.id, 4));
    let randomness: Vec<u8> = (0..64).collect();
    let sealed = token.seal(&mut Given(randomness.clone()), &a.sealing_key.public_key()).unwrap();
    check(
        "token.json",
        "A token sealed to device 1. The randomness is that of the encapsulation.",
        &json!([{
            "token_id": token.id.to_string(), "hawk_key": hex(token.hawk_key.as_bytes()),
            "acl_key": hex(token.acl_key.as_bytes()), "sealing_secret_key": hex(*a.sealing_key.to_bytes()),
            "randomness": hex(randomness), "sealed": hex(&sealed),
        }]),
    );
    let opened = DeviceToken::open(token.id, &sealed, &a.sealing_key).unwrap();
    assert_eq!(opened.hawk_key.as_bytes(), token.hawk_key.as_bytes());
    assert_eq!(opened.acl_key.as_bytes(), token.acl_key.as_bytes());
    let another = secret.token_id(token.id.box_id, a.id, 5);
    assert!(DeviceToken::open(another, &sealed, &a.sealing_key).is_err());
    for i in (0..sealed.as_slice().len()).step_by(7) {
        let changed = crate::world::flipped(sealed.as_slice(), i, 0);
        assert!(DeviceToken::open(token.id, &changed, &a.sealing_key).is_err(), "{i}");
    }
}

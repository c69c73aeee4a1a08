//! `Debug` shows no secret.

use std::fmt::Debug;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use rossby_crypto::attachment::AttachmentKey;
use rossby_crypto::authorize::AuthorizeProof;
use rossby_crypto::keyed_hash::{AclKey, Code, HawkKey, MasterSecret, MasterSecrets};
use rossby_crypto::layout::{Reader, Writer};
use rossby_crypto::message::MessageContent;
use rossby_crypto::profile::ProfileKey;
use rossby_crypto::recovery::RecoveryKey;
use rossby_crypto::sealing::SealingSecretKey;
use rossby_crypto::signing::SigningKey;
use rossby_crypto::token::DeviceToken;
use rossby_schemas::ids::{BoxId, DeviceId, MessageId, RegistrationId};
use uuid::Uuid;

use crate::world::{Given, device, founded_by, time};

/// 32 octets of which any three in a row would be known again.
fn secret() -> [u8; 32] {
    std::array::from_fn(|n| 0xa1_u8.wrapping_add(u8::try_from(n).unwrap().wrapping_mul(37)))
}

/// Whether the text holds three octets of the secret in a row, in decimal or hexadecimal, or its beginning as base64 or text.
fn shows(shown: &str, secret: &[u8]) -> bool {
    let words: Vec<_> = shown.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty()).collect();
    let words = format!(",{},", words.join(","));
    let lower = shown.to_lowercase();
    let in_part = secret.windows(3).any(|part| {
        let decimal = part.iter().map(u8::to_string).collect::<Vec<_>>().join(",");
        words.contains(&format!(",{decimal},")) || lower.contains(&hex::encode(part))
    });
    let encoded = [STANDARD_NO_PAD.encode(secret), URL_SAFE_NO_PAD.encode(secret)];
    in_part
        || encoded.iter().any(|text| shown.contains(&text[..8]))
        || std::str::from_utf8(secret).is_ok_and(|text| shown.contains(text))
}

fn assert_hides(value: &dyn Debug, secrets: &[&[u8]]) {
    for shown in [format!("{value:?}"), format!("{value:#?}")] {
        for secret in secrets {
            assert!(!shows(&shown, secret), "{shown}");
        }
    }
}

#[test]
fn the_check_would_see_a_secret() {
    for shown in [format!("{:?}", secret()), format!("{:#?}", secret()), hex::encode(secret())] {
        assert!(shows(&shown, &secret()), "{shown}");
    }
    assert!(shows(&URL_SAFE_NO_PAD.encode(secret()), &secret()));
}

#[test]
fn keys_are_not_shown() {
    let secret = secret();
    assert_hides(&AttachmentKey::from_bytes(secret), &[&secret]);
    assert_hides(&ProfileKey::from_bytes(1, &secret), &[&secret]);
    assert_hides(&SigningKey::from_seed(&secret), &[&secret]);
    assert_hides(&SealingSecretKey::from_bytes(&secret).unwrap(), &[&secret]);
    assert_hides(&AclKey::from_bytes(&secret), &[&secret]);
    assert_hides(&HawkKey::from_bytes(&secret), &[&secret]);
    let recovery = RecoveryKey::generate(&mut Given(secret[..16].to_vec()));
    assert_hides(&recovery, &[&secret[..16], recovery.words().as_bytes(), recovery.signing_key().to_seed().as_slice()]);
}

#[test]
fn what_the_server_derives_is_not_shown() {
    let secret = secret();
    let master = MasterSecret::new(1, &secret);
    assert_hides(&master, &[&secret]);
    let (box_id, device_id) = (BoxId::from_bytes([1; 16]), DeviceId::from_bytes([2; 16]));
    let token = DeviceToken::derive(&master, master.token_id(box_id, device_id, 1));
    assert_hides(&token, &[token.hawk_key.as_bytes(), token.acl_key.as_bytes(), &secret]);
    assert_hides(&MasterSecrets::new(vec![master]).unwrap(), &[&secret]);
}

#[test]
fn codes_and_texts_are_not_shown() {
    let code: Code = "80152937".parse().unwrap();
    assert_hides(&code, &[b"80152937"]);
    let registration_id = RegistrationId::from_bytes([1; 16]);
    let proof = AuthorizeProof { registration_id, device_id: DeviceId::from_bytes([2; 16]), code: &code };
    assert_hides(&proof, &[b"80152937"]);

    let a = device(1);
    let record = founded_by(&a);
    let text = b"meet me at nine";
    let content = MessageContent {
        sender: record.box_id(),
        sender_device: a.id,
        sender_head: record.head(),
        recipient: record.box_id(),
        recipient_head: record.head(),
        conversation: Uuid::from_u128(1),
        message_id: MessageId::from_bytes([2; 16]),
        sequence: 1,
        previous: None,
        time: time(0),
        kind: 1,
        body: text.as_slice().into(),
        statements: Vec::new(),
    };
    assert_hides(&content, &[text]);
    assert_hides(&content.sign(&a.key).unwrap(), &[text]);

    let mut writer = Writer::new();
    writer.fixed(text);
    assert_hides(&writer, &[text]);
    assert_hides(&Reader::new(text, 99).unwrap(), &[text]);
}

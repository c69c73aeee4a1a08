//! Statements that are wrong: keys that are none, chains that don't fit, messages that are too large. Each is refused with
//! the field that is wrong, and changes nothing.

use rossby_crypto::layout::LayoutError;
use rossby_crypto::message::{MAX_CIPHERTEXT_OCTETS, MessageValue};
use rossby_crypto::signing::{VERIFICATION_KEY_OCTETS, VerificationKey, VerificationKeyError};
use rossby_crypto::statements::{Remover, remove};
use rossby_schemas::encoding::Octets;
use rossby_schemas::http::account::{AccountResponse, CommandResponse, StatementRequest};
use rossby_schemas::http::messages::{OutgoingMessage, SendRequest};
use rossby_schemas::http::problem::ProblemType;
use rossby_schemas::ids::{Head, OuterId};
use rossby_testing::{Person, command};

use crate::site::{Device, Site, problem, read};

/// Where the signing key stands in a founding statement: behind the kind and the device's id.
const KEY_AT: usize = "rossby/v1/founded".len() + 1 + 16;

fn with_key(founding: &Octets, key: &[u8]) -> Octets {
    let octets = founding.as_slice();
    [&octets[..KEY_AT], key, &octets[KEY_AT + VERIFICATION_KEY_OCTETS..]].concat().into()
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_that_are_none_found_no_box() {
    let site = Site::new().await;
    let ann = Person::new(site.world.now());
    let good = ann.register_request("ann@example.org");
    let off_the_curve = (0..=255_u8)
        .map(|n| [n; 32])
        .find(|octets| VerificationKey::from_bytes(*octets) == Err(VerificationKeyError::NotOnCurve));
    let mut sealing = good.sealing_statement.as_slice().to_vec();
    // Coefficients of ML-KEM are below 3329: twelve bits of ones are none.
    let middle = sealing.len() / 2;
    sealing[middle - 60..middle].fill(0xff);
    let founding = &good.founding_statement;
    let own = &founding.as_slice()[KEY_AT..KEY_AT + VERIFICATION_KEY_OCTETS];
    for (founding, sealing, field) in [
        (with_key(founding, &off_the_curve.unwrap()), good.sealing_statement.clone(), "/founding_statement"),
        (with_key(founding, &[0; 32]), good.sealing_statement.clone(), "/founding_statement"),
        (with_key(founding, &own[..31]), good.sealing_statement.clone(), "/founding_statement"),
        (with_key(founding, &[own, &[0]].concat()), good.sealing_statement.clone(), "/founding_statement"),
        (founding.clone(), sealing.into(), "/sealing_statement"),
        (founding.clone(), good.sealing_statement.as_slice()[..900].into(), "/sealing_statement"),
    ] {
        let mut request = ann.register_request("ann@example.org");
        (request.founding_statement, request.sealing_statement) = (founding, sealing);
        let refused = problem(site.post("/v1/registrations", &request).await, ProblemType::InvalidStatement).await;
        assert_eq!(refused.errors[0].field, field, "{refused:?}");
    }
    assert_eq!(site.world.models.positions().await.unwrap().iter().map(|p| p.next_offset).sum::<u64>(), 0);
}

async fn account(site: &Site, device: &Device) -> AccountResponse {
    read(site.signed(device, reqwest::Method::GET, "/v1/account", b"").await, 200).await
}

#[tokio::test(flavor = "multi_thread")]
async fn statements_that_do_not_fit_the_record_change_nothing() {
    let site = Site::new().await;
    let (ann, device) = site.person("ann@example.org").await;
    let (ben, _) = site.person("ben@example.org").await;
    let now = site.world.now();
    let state = async |statement: Octets| {
        let request = StatementRequest { command_id: command(), statement };
        site.signed_json(&device, "/v1/account/statements", &request).await
    };
    let _: CommandResponse = read(state(ann.sealing(3, now)).await, 200).await;
    let before = account(&site, &device).await;

    let head = ann.record.head();
    let removal = |head: Head, of: &Person| {
        let signer = Remover::Device(ann.device_id);
        remove(&ann.key, signer, of.box_id(), head, ann.device_id, now).octets().clone()
    };
    let mut flipped = removal(head, &ann).as_slice().to_vec();
    *flipped.last_mut().unwrap() ^= 1;
    let mut other_key = Person::new(now);
    (other_key.record, other_key.device_id) = (ann.record.clone(), ann.device_id);
    for (what, statement) in [
        ("a bad signature", flipped.into()),
        ("a gap", removal(Head { version: 7, ..head }, &ann)),
        ("a version that is there", removal(Head { version: 0, ..head }, &ann)),
        ("a fork", removal(Head { hash: [9; 32].into(), ..head }, &ann)),
        ("another box", removal(head, &ben)),
        ("a founding", ann.record.statements()[0].clone()),
        ("a lower counter", ann.sealing(2, now)),
        ("another key under a counter", ann.sealing(3, now.plus(std::time::Duration::from_secs(1)))),
        ("another's signature", other_key.sealing(4, now)),
        ("another's sealing key", ben.sealing(4, now)),
        ("nothing", Octets::default()),
    ] {
        let refused = problem(state(statement).await, ProblemType::InvalidStatement).await;
        assert_eq!(refused.errors[0].field, "/statement", "{what}: {refused:?}");
    }
    let after = account(&site, &device).await;
    assert_eq!((after.key_record, after.keys_version), (before.key_record, before.keys_version));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ciphertext_that_is_too_large_is_refused() {
    let site = Site::new().await;
    let (ann, device) = site.person("ann@example.org").await;
    let (ben, _) = site.person("ben@example.org").await;
    let good = ann.message(&ben, "hello", 1, site.world.now());
    let mut value = MessageValue::parse(&good.value).unwrap();
    value.content = vec![0; MAX_CIPHERTEXT_OCTETS + 1].into();
    let octets = value.to_octets();
    assert!(matches!(MessageValue::parse(&octets), Err(LayoutError::TooLong { .. } | LayoutError::Field(_))));
    let message = OutgoingMessage { value: octets, outer_id: OuterId(uuid::Uuid::new_v4()), ..good };
    let request = SendRequest { messages: vec![message] };
    let refused = site.signed_json(&device, "/v1/messages", &request).await;
    let refused = problem(refused, ProblemType::InvalidRequest).await;
    assert_eq!(refused.errors[0].field, "/messages/0/value", "{refused:?}");
    assert_eq!(site.world.models.accepted(ben.box_id(), request.messages[0].outer_id).await.unwrap(), []);
}

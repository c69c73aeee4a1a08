//! Identifiers over HTTP: the whole way, and what is wrong at each step.

use rossby_crypto::account::{AccountChange, AccountCommand};
use rossby_crypto::authorize::AuthorizeProof;
use rossby_schemas::http::account::{AccountCommandRequest, AccountResponse, CommandResponse};
use rossby_schemas::http::identifiers::{AskCodeRequest, AskCodeResponse, ShowCodeRequest, ShowCodeResponse};
use rossby_schemas::http::lookup::{LookupRequest, LookupResponse};
use rossby_schemas::http::problem::ProblemType;
use rossby_schemas::ids::{IdentifierHash, RegistrationId};
use rossby_testing::{Person, command};
use serde_json::{Value, json};

use crate::site::{Device, Site, problem, read};

const PATH: &str = "/v1/account/identifiers";
const PHONE: &str = "tel:+15551234567";

fn ask_request(identifier: &str) -> AskCodeRequest {
    AskCodeRequest { command_id: command(), identifier: identifier.to_owned(), object_to: None }
}

fn show_request(person: &Person, registration_id: RegistrationId, code: &str) -> ShowCodeRequest {
    let parsed = code.parse().unwrap();
    let proof = AuthorizeProof { registration_id, device_id: person.device_id, code: &parsed };
    ShowCodeRequest { command_id: command(), code: code.to_owned(), signature: proof.sign(&person.key) }
}

async fn ask(site: &Site, device: &Device, identifier: &str) -> (RegistrationId, String) {
    let known = site.world.mailboxes.codes(identifier).len();
    let asked: AskCodeResponse = read(site.signed_json(device, PATH, &ask_request(identifier)).await, 202).await;
    (asked.registration_id, site.world.code(identifier, known).await)
}

fn signed(site: &Site, person: &Person, version: u64, change: AccountChange) -> AccountCommandRequest {
    let command = AccountCommand {
        command_id: command(),
        box_id: person.box_id(),
        expected_version: version,
        device_id: person.device_id,
        time: site.world.now(),
        change,
    };
    let signed = command.sign(&person.key);
    AccountCommandRequest { command: signed.command, signature: signed.signature }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_identifier_is_added_found_and_taken_away() {
    let site = Site::new().await;
    let (ann, device) = site.person("ann@example.org").await;
    let (_, other) = site.person("ben@example.org").await;
    let (registration_id, code) = ask(&site, &device, PHONE).await;
    let path = format!("{PATH}/{registration_id}/code");
    let shown = site.signed_json(&device, &path, &show_request(&ann, registration_id, &code)).await;
    let ShowCodeResponse { identifier_hash: identifier, version } = read(shown, 200).await;
    let add = AccountChange::AddIdentifier { identifier, registration_id };
    let request = signed(&site, &ann, version, add);
    let added: CommandResponse = read(site.signed_json(&device, "/v1/account/commands", &request).await, 200).await;
    let lookup = LookupRequest { identifier: Some(PHONE.to_owned()), box_id: None };
    let found: LookupResponse = read(site.signed_json(&other, "/v1/lookups", &lookup).await, 200).await;
    assert_eq!(found.box_id, ann.box_id());
    let account = async || {
        let answer = site.signed(&device, reqwest::Method::GET, "/v1/account", b"").await;
        read::<AccountResponse>(answer, 200).await.identifiers
    };
    let listed = account().await;
    assert_eq!((listed.len(), listed[1].identifier_hash, listed[1].version), (2, identifier, added.version));
    assert_eq!(listed[1].signed.as_ref().map(|signed| &signed.command), Some(&request.command));

    let remove = |version| signed(&site, &ann, version, AccountChange::RemoveIdentifier(identifier));
    let late = site.signed_json(&device, "/v1/account/commands", &remove(0)).await;
    assert_eq!(problem(late, ProblemType::VersionConflict).await.current_version, Some(1));
    let _: CommandResponse = read(site.signed_json(&device, "/v1/account/commands", &remove(1)).await, 200).await;
    problem(site.signed_json(&other, "/v1/lookups", &lookup).await, ProblemType::NoSuchRecipient).await;
    let last = AccountChange::RemoveIdentifier(account().await[0].identifier_hash);
    let last = site.signed_json(&device, "/v1/account/commands", &signed(&site, &ann, 1, last)).await;
    let refused = problem(last, ProblemType::LastIdentifier).await;
    assert!(refused.detail.unwrap().contains("recover"), "it says why");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_is_named_and_changes_nothing() {
    let site = Site::new().await;
    let (ann, device) = site.person("ann@example.org").await;
    let (ben, other) = site.person("ben@example.org").await;
    let before = site.world.models.positions().await.unwrap();
    let with = |field: &str, value: Value| {
        let mut body = serde_json::to_value(ask_request(PHONE)).unwrap();
        body[field] = value;
        body
    };
    for (body, field) in [
        (json!([]), ""),
        (json!({ "command_id": command() }), ""),
        (with("identifier", json!(7)), "/identifier"),
        (with("identifier", json!("ann")), "/identifier"),
        (with("command_id", json!("ann")), "/command_id"),
        (with("code", json!("12345678")), "/code"),
    ] {
        let refused = problem(site.signed_json(&device, PATH, &body).await, ProblemType::InvalidRequest).await;
        assert_eq!(refused.errors[0].field, field, "{body}: {refused:?}");
    }
    // Nobody but a device may ask.
    let strangers = site.post(PATH, &ask_request(PHONE)).await;
    problem(strangers, ProblemType::Unauthenticated).await;
    assert_eq!(site.world.models.positions().await.unwrap(), before);
    assert_eq!(site.world.mailboxes.codes(PHONE).len(), 0);

    let (registration, code) = ask(&site, &device, PHONE).await;
    let path = format!("{PATH}/{registration}/code");
    let unknown = format!("{PATH}/{}/code", RegistrationId::from_bytes([9; 16]));
    let good = show_request(&ann, registration, &code);
    for digits in ["", "1234567", "123456789", "1234567x"] {
        let body = ShowCodeRequest { code: digits.to_owned(), ..good.clone() };
        let refused = problem(site.signed_json(&device, &path, &body).await, ProblemType::InvalidRequest).await;
        assert_eq!(refused.errors[0].field, "/code", "{digits}");
    }
    let no_id = site.signed_json(&device, &format!("{PATH}/ann/code"), &good).await;
    assert_eq!(problem(no_id, ProblemType::InvalidRequest).await.errors[0].field, "registration_id");
    problem(site.signed_json(&device, &unknown, &good).await, ProblemType::NoSuchRegistration).await;
    let bens = show_request(&ben, registration, &code);
    problem(site.signed_json(&other, &path, &bens).await, ProblemType::NoSuchRegistration).await;
    let forged = ShowCodeRequest { signature: bens.signature, ..good.clone() };
    let refused = problem(site.signed_json(&device, &path, &forged).await, ProblemType::InvalidStatement).await;
    assert_eq!(refused.errors[0].field, "/signature");
    let wrong = if code == "00000000" { "00000001" } else { "00000000" };
    let wrong = site.signed_json(&device, &path, &show_request(&ann, registration, wrong)).await;
    assert_eq!(problem(wrong, ProblemType::WrongCode).await.guesses_left, Some(4));

    // Signed commands that name what isn't there, or are another's.
    let hash = IdentifierHash([9; 32]);
    let add = |registration_id| AccountChange::AddIdentifier { identifier: hash, registration_id };
    for (person, signer, change) in [
        (&ann, &ann, add(registration)),
        (&ann, &ann, add(RegistrationId::from_bytes([9; 16]))),
        (&ann, &ann, AccountChange::RemoveIdentifier(hash)),
        (&ben, &ben, AccountChange::RemoveIdentifier(hash)),
    ] {
        let mut request = signed(&site, person, 0, change);
        request.signature = signed(&site, signer, 0, add(registration)).signature;
        let refused = site.signed_json(&device, "/v1/account/commands", &request).await;
        assert_eq!(problem(refused, ProblemType::InvalidStatement).await.errors[0].field, "/command");
    }
    let ids = AccountCommandRequest { command: vec![1, 2, 3].into(), ..signed(&site, &ann, 0, add(registration)) };
    let refused = site.signed_json(&device, "/v1/account/commands", &ids).await;
    assert_eq!(problem(refused, ProblemType::InvalidStatement).await.errors[0].field, "/command");
    let answer = site.signed(&device, reqwest::Method::GET, "/v1/account", b"").await;
    assert_eq!(read::<AccountResponse>(answer, 200).await.identifiers.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_taken_identifier_is_told_to_who_has_the_code_alone() {
    let site = Site::new().await;
    site.person("ann@example.org").await;
    let (ben, device) = site.person("ben@example.org").await;
    // The same answer, but for ids and times, as for a free one.
    let shape = async |identifier: &str| {
        let response = site.signed_json(&device, PATH, &ask_request(identifier)).await;
        let headers: Vec<_> = response.headers().keys().map(ToString::to_string).collect();
        let body: Value = read(response, 202).await;
        let fields: Vec<_> = body.as_object().unwrap().keys().cloned().collect();
        (headers, fields)
    };
    assert_eq!(shape("ann@example.org").await, shape("nobody@example.org").await);
    let (registration, code) = ask(&site, &device, "ann@example.org").await;
    let path = format!("{PATH}/{registration}/code");
    let right = site.signed_json(&device, &path, &show_request(&ben, registration, &code)).await;
    let taken = problem(right, ProblemType::IdentifierTaken).await;
    assert!(taken.identifier_hash.is_some() && taken.current_version == Some(1), "what a claim is signed on");
}

//! Claims over HTTP: the whole way, and what is wrong at each step.

use rossby_crypto::account::{AccountChange, AccountCommand, Objection};
use rossby_crypto::authorize::{AuthorizeProof, ClaimProof};
use rossby_schemas::encoding::Octets;
use rossby_schemas::http::account::{AccountCommandRequest, AccountResponse, CommandResponse};
use rossby_schemas::http::identifiers::{
    AskCodeRequest, AskCodeResponse, ClaimForBoxRequest, ClaimRequest, ClaimResponse, ClaimState, FollowClaimRequest,
    ShowCodeRequest,
};
use rossby_schemas::http::problem::ProblemType;
use rossby_schemas::http::registration::RegisterResponse;
use rossby_schemas::ids::RegistrationId;
use rossby_testing::{Person, command};
use serde_json::{Value, json};

use crate::site::{Device, Site, problem, read};

const ANN: &str = "mailto:ann@example.org";

/// Somebody with new keys, to whom a code came.
async fn claimant(site: &Site, identifier: &str) -> (Person, RegistrationId, String) {
    let person = Person::new(site.world.now());
    let known = site.world.mailboxes.codes(identifier).len();
    let registered = site.post("/v1/registrations", &person.register_request(identifier)).await;
    let registered: RegisterResponse = read(registered, 202).await;
    let code = site.world.code(identifier, known).await;
    (person, registered.registration_id, code)
}

fn proof(person: &Person, registration_id: RegistrationId, code: &str) -> rossby_crypto::signing::Signature {
    let parsed = code.parse().unwrap();
    AuthorizeProof { registration_id, device_id: person.device_id, code: &parsed }.sign(&person.key)
}

fn claim_request(person: &Person, id: RegistrationId, code: &str) -> ClaimRequest {
    ClaimRequest {
        command_id: command(),
        device_id: person.device_id,
        code: code.to_owned(),
        identifier: ANN.to_owned(),
        signature: proof(person, id, code),
    }
}

fn follow_request(person: &Person, claim_id: RegistrationId) -> FollowClaimRequest {
    let device_id = person.device_id;
    FollowClaimRequest { device_id, signature: ClaimProof { claim_id, device_id }.sign(&person.key) }
}

async fn account(site: &Site, device: &Device) -> AccountResponse {
    read(site.signed(device, reqwest::Method::GET, "/v1/account", b"").await, 200).await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_identifier_is_claimed_and_gained() {
    let site = Site::new().await;
    let (_, old) = site.person(ANN).await;
    let (person, id, code) = claimant(&site, ANN).await;
    let path = format!("/v1/registrations/{id}/claim");
    let claim: ClaimResponse = read(site.post(&path, &claim_request(&person, id, &code)).await, 202).await;
    assert_eq!(account(&site, &old).await.identifiers[0].claim.unwrap().claim_id, id);
    let follow = format!("/v1/claims/{id}");
    let waits: ClaimResponse = read(site.post(&follow, &follow_request(&person, id)).await, 200).await;
    assert_eq!(waits, claim);
    site.world.clock.set(claim.effective_at);
    let done: ClaimResponse = read(site.post(&follow, &follow_request(&person, id)).await, 200).await;
    assert_eq!(done.state, ClaimState::Effective);
    let device = Device { token: person.token(&done.authorized.unwrap()) };
    assert_eq!(account(&site, &device).await.identifiers.len(), 1);
    assert_eq!(account(&site, &old).await.identifiers.len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_claim_is_objected_to_and_cant_be_made_anew_at_once() {
    let site = Site::new().await;
    let (ann, old) = site.person(ANN).await;
    let (person, id, code) = claimant(&site, ANN).await;
    let path = format!("/v1/registrations/{id}/claim");
    let _: ClaimResponse = read(site.post(&path, &claim_request(&person, id, &code)).await, 202).await;
    let ask = AskCodeRequest { command_id: command(), identifier: ANN.to_owned(), object_to: Some(id) };
    let known = site.world.mailboxes.codes(ANN).len();
    let asked: AskCodeResponse = read(site.signed_json(&old, "/v1/account/identifiers", &ask).await, 202).await;
    let code = site.world.code(ANN, known).await;
    let registration = asked.registration_id;
    let show = ShowCodeRequest { command_id: command(), signature: proof(&ann, registration, &code), code };
    let shown = site.signed_json(&old, &format!("/v1/account/identifiers/{registration}/code"), &show).await;
    let shown: rossby_schemas::http::identifiers::ShowCodeResponse = read(shown, 200).await;
    let object = |version, proof| {
        let change = AccountChange::ObjectToClaim { identifier: shown.identifier_hash, claim_id: id, proof };
        let account_command = AccountCommand {
            command_id: command(),
            box_id: ann.box_id(),
            expected_version: version,
            device_id: ann.device_id,
            time: site.world.now(),
            change,
        };
        let signed = account_command.sign(&ann.key);
        AccountCommandRequest { command: signed.command, signature: signed.signature }
    };
    let send = async |request: AccountCommandRequest| site.signed_json(&old, "/v1/account/commands", &request).await;
    // Without the code, on another version, by a recovery key that the box hasn't.
    let guessed = send(object(shown.version, Objection::Code(id))).await;
    assert_eq!(problem(guessed, ProblemType::InvalidStatement).await.errors[0].field, "/command");
    let late = send(object(9, Objection::Code(registration))).await;
    assert_eq!(problem(late, ProblemType::VersionConflict).await.current_version, Some(shown.version));
    let key = Objection::RecoveryKey(proof(&ann, registration, "12345678"));
    assert_eq!(problem(send(object(shown.version, key)).await, ProblemType::InvalidStatement).await.errors.len(), 1);
    let _: CommandResponse = read(send(object(shown.version, Objection::Code(registration))).await, 200).await;
    problem(send(object(shown.version + 1, Objection::Code(registration))).await, ProblemType::NoSuchClaim).await;
    problem(
        site.signed_json(&old, "/v1/account/identifiers", &AskCodeRequest { command_id: command(), ..ask }).await,
        ProblemType::NoSuchClaim,
    )
    .await;

    let ended: ClaimResponse =
        read(site.post(&format!("/v1/claims/{id}"), &follow_request(&person, id)).await, 200).await;
    assert_eq!(ended.state, ClaimState::Objected);
    let (again, id, code) = claimant(&site, ANN).await;
    let refused = site.post(&format!("/v1/registrations/{id}/claim"), &claim_request(&again, id, &code)).await;
    assert!(refused.headers().contains_key("retry-after"));
    assert_eq!(problem(refused, ProblemType::ClaimTooSoon).await.retry_after, Some(7 * 24 * 3600));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_is_named_and_changes_nothing() {
    let site = Site::new().await;
    let (ann, old) = site.person(ANN).await;
    let (person, id, code) = claimant(&site, ANN).await;
    let path = format!("/v1/registrations/{id}/claim");
    let good = serde_json::to_value(claim_request(&person, id, &code)).unwrap();
    let with = |field: &str, value: Value| {
        let mut body = good.clone();
        body[field] = value;
        body
    };
    for (body, field) in [
        (json!([]), ""),
        (json!({}), ""),
        (with("code", json!("1234")), "/code"),
        (with("identifier", json!("ann")), "/identifier"),
        (with("device_id", json!("ann")), "/device_id"),
        (with("signature", json!("AAAA")), "/signature"),
        (with("surplus", json!(1)), "/surplus"),
    ] {
        let refused = problem(site.post(&path, &body).await, ProblemType::InvalidRequest).await;
        assert_eq!(refused.errors[0].field, field, "{body}: {refused:?}");
    }
    for (body, kind) in [
        (with("identifier", json!("ben@example.org")), ProblemType::NoSuchRegistration),
        (with("device_id", json!(ann.device_id)), ProblemType::NoSuchRegistration),
        (with("signature", json!(proof(&ann, id, &code))), ProblemType::InvalidStatement),
    ] {
        problem(site.post(&path, &body).await, kind).await;
    }
    problem(site.post("/v1/registrations/ann/claim", &good).await, ProblemType::InvalidRequest).await;
    let unknown = format!("/v1/registrations/{}/claim", RegistrationId::from_bytes([9; 16]));
    problem(site.post(&unknown, &good).await, ProblemType::NoSuchRegistration).await;
    let wrong = if code == "00000000" { "00000001" } else { "00000000" };
    problem(site.post(&path, &claim_request(&person, id, wrong)).await, ProblemType::WrongCode).await;
    // What belongs to nobody is not claimed.
    let (free, free_id, free_code) = claimant(&site, "mailto:nobody@example.org").await;
    let mut request = claim_request(&free, free_id, &free_code);
    request.identifier = "nobody@example.org".to_owned();
    let refused = site.post(&format!("/v1/registrations/{free_id}/claim"), &request).await;
    problem(refused, ProblemType::IdentifierNotTaken).await;
    assert_eq!(account(&site, &old).await.identifiers[0].claim, None);

    let follow = follow_request(&person, id);
    problem(site.post("/v1/claims/ann", &follow).await, ProblemType::InvalidRequest).await;
    problem(site.post(&format!("/v1/claims/{id}"), &follow).await, ProblemType::NoSuchClaim).await;
    let _: ClaimResponse = read(site.post(&path, &good).await, 202).await;
    let forged = FollowClaimRequest { signature: follow_request(&ann, id).signature, ..follow.clone() };
    problem(site.post(&format!("/v1/claims/{id}"), &forged).await, ProblemType::InvalidStatement).await;
    let other = FollowClaimRequest { device_id: ann.device_id, ..follow };
    problem(site.post(&format!("/v1/claims/{id}"), &other).await, ProblemType::NoSuchClaim).await;

    // For a box that is there: only by its device, and with what it has signed.
    let for_box = ClaimForBoxRequest {
        command: Octets::default(),
        signature: proof(&ann, id, &code),
        identifier: ANN.to_owned(),
    };
    let path = format!("/v1/account/identifiers/{id}/claim");
    problem(site.post(&path, &for_box).await, ProblemType::Unauthenticated).await;
    let refused = problem(site.signed_json(&old, &path, &for_box).await, ProblemType::InvalidStatement).await;
    assert_eq!(refused.errors[0].field, "/command");
    let nobody = ClaimForBoxRequest { identifier: "ann".to_owned(), ..for_box };
    let refused = problem(site.signed_json(&old, &path, &nobody).await, ProblemType::InvalidRequest).await;
    assert_eq!(refused.errors[0].field, "/identifier");
}

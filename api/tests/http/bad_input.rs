//! Bodies, fields and paths that are wrong.

use reqwest::Method;
use rossby_schemas::http::command::{CommandState, CommandStatus};
use rossby_schemas::http::messages::{MAX_SEND_OCTETS, SendOutcome, SendRequest, SendResponse};
use rossby_schemas::http::problem::ProblemType;
use rossby_testing::Person;
use serde_json::json;

use crate::site::{Site, number, problem, read};

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_is_named_and_changes_nothing() {
    let site = Site::new().await;
    let good = serde_json::to_value(Person::new(site.world.now()).register_request("ann@example.org")).unwrap();
    let with = |field: &str, value: serde_json::Value| {
        let mut body = good.clone();
        body[field] = value;
        body.to_string()
    };
    let mut without = good.clone();
    without.as_object_mut().unwrap().remove("identifier");
    for (body, field, why) in [
        (String::new(), "", "ends too early"),
        ("{".to_owned(), "", "ends too early"),
        ("nonsense".to_owned(), "", "is no JSON"),
        ("[]".to_owned(), "", "not of the form"),
        (good.to_string() + "x", "", "is no JSON"),
        (with("identifier", json!(7)), "/identifier", "wrong type"),
        (with("identifier", json!("ann")), "/identifier", "neither tel: "),
        (with("identifier", json!("tel:+1")), "/identifier", "phone number"),
        (with("command_id", json!("ann")), "/command_id", "not of the form"),
        (with("founding_statement", json!("***")), "/founding_statement", "not of the form"),
        (with("identifer", json!("ann@example.org")), "/identifer", "unknown field"),
        (without.to_string(), "", "missing field `identifier`"),
    ] {
        let response = site
            .client
            .post(site.url("/v1/registrations"))
            .header("content-type", "application/json")
            .body(body.clone())
            .send()
            .await
            .unwrap();
        let document = problem(response, ProblemType::InvalidRequest).await;
        assert_eq!(document.errors.len(), 1, "{body}: {document:?}");
        assert_eq!(document.errors[0].field, field, "{body}: {document:?}");
        assert!(document.errors[0].reason.contains(why), "{body}: {document:?}");
        assert!(!serde_json::to_string(&document).unwrap().contains("ann@"), "{document:?}");
    }
    let large = with("identifier", json!("a".repeat(20_000)));
    let response = site
        .client
        .post(site.url("/v1/registrations"))
        .header("content-type", "application/json; charset=utf-8")
        .body(large)
        .send()
        .await
        .unwrap();
    problem(response, ProblemType::TooLarge).await;
    let plain = site.client.post(site.url("/v1/registrations")).body(good.to_string()).send().await.unwrap();
    problem(plain, ProblemType::UnsupportedMediaType).await;
    let spoilt = with("founding_statement", json!("AAAA"));
    let response = site
        .client
        .post(site.url("/v1/registrations"))
        .header("content-type", "application/json")
        .body(spoilt)
        .send()
        .await
        .unwrap();
    assert_eq!(problem(response, ProblemType::InvalidStatement).await.errors[0].field, "/founding_statement");
    assert_eq!(site.world.models.positions().await.unwrap().iter().map(|p| p.next_offset).sum::<u64>(), 0);
    assert_eq!(site.world.mailboxes.codes("ann@example.org").len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn paths_methods_and_queries_that_are_not_there() {
    let site = Site::new().await;
    let (_, device) = site.person("ann@example.org").await;
    let get = async |path: &str| site.client.get(site.url(path)).send().await.unwrap();
    problem(get("/").await, ProblemType::NoSuchResource).await;
    problem(get("/v2/messages").await, ProblemType::NoSuchResource).await;
    problem(get("/v1/registrations").await, ProblemType::MethodNotAllowed).await;
    problem(get("/v1/commands/ann").await, ProblemType::InvalidRequest).await;
    problem(get("/v1/commands/00000000-0000-4000-8000-000000000000?token=!").await, ProblemType::InvalidRequest).await;
    problem(get("/v1/commands/00000000-0000-4000-8000-000000000000").await, ProblemType::NoSuchCommand).await;
    for (query, field) in [
        ("limit=0", "limit"),
        ("limit=501", "limit"),
        ("wait=31", "wait"),
        ("position=here", "position"),
        ("limit=many", "query"),
        ("limt=1", "query"),
    ] {
        let response = site.signed(&device, Method::GET, &format!("/v1/messages?{query}"), b"").await;
        assert_eq!(problem(response, ProblemType::InvalidRequest).await.errors[0].field, field);
    }
    let ann = Person::new(site.world.now());
    let request = ann.register_request("ann@example.org");
    let _: serde_json::Value = read(site.post("/v1/registrations", &request).await, 202).await;
    let status: CommandStatus = read(get(&format!("/v1/commands/{}", request.command_id)).await, 200).await;
    // Joining took three of the stream's versions, registering again two.
    assert_eq!((status.state, status.version), (CommandState::Done, Some(5)));
}

#[tokio::test(flavor = "multi_thread")]
async fn too_many_requests_are_told_when_to_come_again() {
    let site = Site::with_limits((number(1), number(3)), (number(1), number(4))).await;
    let (_, device) = site.person("ann@example.org").await;
    let mut answers = Vec::new();
    for _ in 0..6 {
        let response = site.signed(&device, Method::GET, "/v1/account", b"").await;
        answers.push(response.status().as_u16());
        if response.status() == 429 {
            assert!(response.headers().contains_key("retry-after"));
            problem(response, ProblemType::RateLimited).await;
        }
    }
    assert!(answers.contains(&429) && answers.starts_with(&[200, 200, 200]), "{answers:?}");
    // Of the address's four, two were spent on joining.
    let mut answers = Vec::new();
    for _ in 0..5 {
        let response = site.client.post(site.url("/v1/registrations")).json(&json!({})).send().await.unwrap();
        answers.push(response.status().as_u16());
    }
    assert!(answers.contains(&429) && answers[0] == 400, "{answers:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_box_whose_device_has_the_same_id_takes_nothing_from_it() {
    let site = Site::with_limits((number(1), number(5)), (number(1000), number(1000))).await;
    let (ann, device) = site.person("ann@example.org").await;
    let mallory = Person::with_device(ann.device_id, site.world.now());
    let hostile = site.join(&mallory, "mallory@example.org").await;
    assert_ne!(mallory.box_id(), ann.box_id());
    let mut refused = 0;
    for _ in 0..12 {
        refused += u32::from(site.signed(&hostile, Method::GET, "/v1/account", b"").await.status() == 429);
    }
    assert!(refused > 0, "all were taken");
    assert_eq!(site.signed(&device, Method::GET, "/v1/account", b"").await.status(), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_to_send_may_be_longer_than_others_and_has_a_limit_too() {
    let site = Site::new().await;
    let (ann, device) = site.person("ann@example.org").await;
    let (ben, _) = site.person("ben@example.org").await;
    let page = "x".repeat(100_000);
    let messages = |count: usize| {
        let messages = (0..count).map(|_| ann.message(&ben, &page, 1, site.world.now())).collect();
        SendRequest { messages }
    };
    // 256 KiB once padded, a third more in base64.
    let long = messages(20);
    assert!(serde_json::to_vec(&long).unwrap().len() > 3 * 1024 * 1024);
    let sent: SendResponse = read(site.signed_json(&device, "/v1/messages", &long).await, 200).await;
    assert!(sent.results.iter().all(|result| matches!(result.outcome, SendOutcome::Accepted { .. })), "{sent:?}");
    let refused = site.signed_json(&device, "/v1/messages/confirm", &long).await;
    problem(refused, ProblemType::TooLarge).await;
    let too_long = messages(60);
    assert!(serde_json::to_vec(&too_long).unwrap().len() > MAX_SEND_OCTETS);
    let refused = site.signed_json(&device, "/v1/messages", &too_long).await;
    problem(refused, ProblemType::TooLarge).await;
    let outer_id = too_long.messages[0].outer_id;
    assert_eq!(site.world.models.accepted(ben.box_id(), outer_id).await.unwrap(), []);
}

//! The log can't be reached, or doesn't say what became of a record.

use std::time::{Duration, Instant};

use reqwest::Method;
use rossby_schemas::http::account::AccountResponse;
use rossby_schemas::http::command::{CommandState, CommandStatus};
use rossby_schemas::http::lookup::{LookupRequest, LookupResponse};
use rossby_schemas::http::messages::{ConfirmRequest, FetchResponse, SendOutcome, SendRequest, SendResponse};
use rossby_schemas::http::problem::ProblemType;
use rossby_testing::{Fault, Person};

use crate::site::{Site, problem, read};

#[tokio::test(flavor = "multi_thread")]
async fn without_the_log_writes_are_refused_at_once_and_reads_go_on() {
    let site = Site::new().await;
    let (ann, device) = site.person("ann@example.org").await;
    let (ben, ben_device) = site.person("ben@example.org").await;
    let send = SendRequest { messages: vec![ann.message(&ben, "hello", 1, site.world.now())] };
    let sent: SendResponse = read(site.signed_json(&device, "/v1/messages", &send).await, 200).await;
    let SendOutcome::Accepted { position, .. } = &sent.results[0].outcome else { panic!("{sent:?}") };
    let path = format!("/v1/messages?position={}", position.0);
    let before: FetchResponse = read(site.signed(&ben_device, Method::GET, &path, b"").await, 200).await;

    site.world.log.set_all(Some(Fault::Refused));
    let begin = Instant::now();
    let register = Person::new(site.world.now()).register_request("eve@example.org");
    problem(site.post("/v1/registrations", &register).await, ProblemType::Unavailable).await;
    let confirm = ConfirmRequest { handles: vec![before.messages[0].handle.clone()] };
    let confirmed = site.signed_json(&ben_device, "/v1/messages/confirm", &confirm).await;
    problem(confirmed, ProblemType::Unavailable).await;
    let another = SendRequest { messages: vec![ann.message(&ben, "again", 1, site.world.now())] };
    let sent: SendResponse = read(site.signed_json(&device, "/v1/messages", &another).await, 200).await;
    assert_eq!(sent.results[0].outcome, SendOutcome::Unavailable);
    assert!(begin.elapsed() < Duration::from_secs(3), "they waited for something: {:?}", begin.elapsed());

    let account: AccountResponse = read(site.signed(&device, Method::GET, "/v1/account", b"").await, 200).await;
    assert_eq!(account.box_id, ann.box_id());
    let lookup = LookupRequest { identifier: Some("ben@example.org".to_owned()), box_id: None };
    let found: LookupResponse = read(site.signed_json(&device, "/v1/lookups", &lookup).await, 200).await;
    assert_eq!(found.box_id, ben.box_id());
    let after: FetchResponse = read(site.signed(&ben_device, Method::GET, &path, b"").await, 200).await;
    assert_eq!(after, before, "nothing was changed");
    let path = format!("/v1/commands/{}", register.command_id);
    problem(site.client.get(site.url(&path)).send().await.unwrap(), ProblemType::NoSuchCommand).await;

    // Once it is back, the same request does what it should have done.
    site.world.log.set_all(None);
    let _: serde_json::Value = read(site.post("/v1/registrations", &register).await, 202).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outcome_that_was_not_known_is_settled_where_the_answer_says() {
    let site = Site::new().await;
    let register = Person::new(site.world.now()).register_request("ann@example.org");
    site.world.log.set_all(Some(Fault::UnknownWritten));
    let response = site.post("/v1/registrations", &register).await;
    site.world.log.set_all(None);
    // The record is there all the same: the answer is the right one, or it says where to ask.
    if response.status() != 202 {
        let document = problem(response, ProblemType::OutcomeUnknown).await;
        let path = document.status_path.unwrap();
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            let status: CommandStatus = read(site.client.get(site.url(&path)).send().await.unwrap(), 200).await;
            if status.state != CommandState::Pending {
                assert_eq!(status.state, CommandState::Done);
                break;
            }
            assert!(Instant::now() < deadline, "it is not settled");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    let _: serde_json::Value = read(site.post("/v1/registrations", &register).await, 202).await;
    site.world.code("ann@example.org", 0).await;
}

//! What operators and readers of the documentation ask for.

use reqwest::Method;
use rossby_api::NotReady;
use rossby_schemas::http::problem::ProblemType;
use serde_json::{Value, json};

use crate::site::{Site, State, problem, read};

async fn get(site: &Site, path: &str) -> reqwest::Response {
    site.client.get(site.url(path)).send().await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn readiness_says_what_is_not_ready() {
    let site = Site::new().await;
    let ready: Value = read(site.operators("/readyz").await, 200).await;
    assert_eq!(ready, json!({ "ready": true, "not_ready": [] }));
    let part = NotReady { part: "log".to_owned(), reason: "can't be reached".to_owned() };
    site.set_state(State::NotReady(vec![part]));
    let ready: Value = read(site.operators("/readyz").await, 503).await;
    assert_eq!(ready, json!({ "ready": false, "not_ready": [{ "part": "log", "reason": "can't be reached" }] }));
    assert_eq!(get(&site, "/healthz").await.status(), 200, "it is alive all the same");
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_learn_no_more_than_that_it_is_alive() {
    let site = Site::new().await;
    for path in ["/readyz", "/metrics"] {
        problem(get(&site, path).await, ProblemType::NoSuchResource).await;
        assert_eq!(site.operators(path).await.status(), 200);
    }
    for response in [get(&site, "/healthz").await, site.operators("/healthz").await] {
        assert_eq!((response.status().as_u16(), response.text().await.unwrap().as_str()), (200, "alive\n"));
    }
    // And operators are served nothing else.
    for path in ["/v1/account", "/docs/", "/openapi.json"] {
        problem(site.operators(path).await, ProblemType::NoSuchResource).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_defect_in_a_handler_is_a_problem_document_and_ends_that_request_only() {
    let site = Site::new().await;
    site.set_state(State::Panics);
    let document = problem(site.operators("/readyz").await, ProblemType::Internal).await;
    assert_eq!((document.detail, document.errors.len()), (None, 0));
    site.set_state(State::Ready);
    assert_eq!(site.operators("/readyz").await.status(), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_figures_have_few_labels_whatever_is_asked() {
    let site = Site::new().await;
    let (ann, device) = site.person("ann@example.org").await;
    site.signed(&device, Method::GET, "/v1/account", b"").await;
    for number in 0..3 {
        let method = Method::from_bytes(format!("STRANGE{number}").as_bytes()).unwrap();
        let response = site.client.request(method, site.url(&format!("/strange/{number}"))).send().await.unwrap();
        problem(response, ProblemType::NoSuchResource).await;
    }
    let figures = site.operators("/metrics").await;
    assert_eq!(figures.headers()["content-type"], "text/plain; version=0.0.4");
    let figures = figures.text().await.unwrap();
    for label in ["path=\"/v1/account\"", "path=\"none\"", "method=\"other\"", "rossby_http_request_seconds"] {
        assert!(figures.contains(label), "{label}: {figures}");
    }
    for label in ["STRANGE", "strange", &ann.box_id().to_string(), &ann.device_id.to_string()] {
        assert!(!figures.contains(label), "{label}: {figures}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_description_is_served_with_a_page_that_needs_no_other_site() {
    let site = Site::new().await;
    let served: Value = read(get(&site, "/openapi.json").await, 200).await;
    assert_eq!(served, serde_json::to_value(rossby_api::openapi()).unwrap());
    let page = get(&site, "/docs/").await;
    assert!(page.headers()["content-type"].to_str().unwrap().starts_with("text/html"));
    let page = page.text().await.unwrap();
    assert!(page.contains("swagger-ui") && !page.contains("src=\"http") && !page.contains("href=\"http"), "{page}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_has_an_id_of_its_own_that_clients_cannot_choose() {
    let site = Site::new().await;
    let mut ids = std::collections::HashSet::new();
    for path in ["/healthz", "/nothing", "/v1/account", "/v1/registrations"] {
        let response = site.client.get(site.url(path)).header("x-request-id", "chosen").send().await.unwrap();
        let id = response.headers()["x-request-id"].to_str().unwrap().to_owned();
        assert!(uuid::Uuid::parse_str(&id).is_ok(), "{id}");
        assert!(ids.insert(id));
    }
}

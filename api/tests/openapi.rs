//! The API's description is checked in, so that a change of the public contract is a change that is seen.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::Path;

#[test]
fn the_description_is_the_one_that_is_checked_in() {
    let now = rossby_api::openapi().to_pretty_json().unwrap() + "\n";
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("openapi.json");
    if std::env::var_os("ROSSBY_BLESS").is_some() {
        std::fs::write(&file, &now).unwrap();
    }
    let checked_in = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(checked_in == now, "api/openapi.json is not what the code says; ROSSBY_BLESS=1 rewrites it");
}

/// A path as the protocol writes it: where the description has a parameter, it has a word in capitals.
fn stands_in(protocol: &str, path: &str) -> bool {
    let parts: Vec<&str> = path.split('/').collect();
    let is_place = |place: &str| {
        let place: Vec<&str> = place.split('/').collect();
        let fits = |(part, said): (&&str, &&str)| {
            if part.starts_with('{') {
                !said.is_empty() && said.chars().all(|c| c.is_ascii_uppercase())
            } else {
                part == said
            }
        };
        place.len() == parts.len() && parts.iter().zip(&place).all(fits)
    };
    // Between backticks: a method, and the path, before any query.
    let said = protocol.split('`').flat_map(str::split_whitespace).map(|word| word.split('?').next().unwrap_or(word));
    said.filter(|word| word.starts_with('/')).any(is_place)
}

#[test]
fn every_path_is_in_the_protocol() {
    let protocol = include_str!("../../docs/PROTOCOL.md");
    let document = serde_json::to_value(rossby_api::openapi()).unwrap();
    let paths = document["paths"].as_object().unwrap().keys().filter(|path| path.starts_with("/v1/"));
    let missing: Vec<_> = paths.filter(|path| !stands_in(protocol, path)).collect();
    assert!(missing.is_empty(), "docs/PROTOCOL.md says nothing of {missing:?}");
    assert!(stands_in("`GET /v1/blobs/ID`", "/v1/blobs/{blob_id}"));
    for other in ["`/v1/blobs`", "`/v1/blobs/ID/upload`", "`/v1/blobs/id`"] {
        assert!(!stands_in(other, "/v1/blobs/{blob_id}"), "{other}");
    }
}

#[test]
fn every_operation_says_its_errors_as_problem_documents() {
    let document = serde_json::to_value(rossby_api::openapi()).unwrap();
    assert_eq!(document["openapi"].as_str().map(|version| &version[..3]), Some("3.1"));
    let paths = document["paths"].as_object().unwrap();
    let mut operations = 0;
    for (path, methods) in paths.iter().filter(|(path, _)| path.starts_with("/v1/")) {
        for (method, operation) in methods.as_object().unwrap() {
            operations += 1;
            let responses = operation["responses"].as_object().unwrap();
            let errors: Vec<_> = responses.iter().filter(|(status, _)| !status.starts_with(['1', '2'])).collect();
            assert!(errors.len() >= 3, "{method} {path}");
            for (status, response) in errors {
                let content = &response["content"]["application/problem+json"];
                assert!(!content.is_null(), "{method} {path} {status}");
            }
        }
    }
    assert_eq!(operations, 30);
}

#[test]
fn every_body_has_an_example_and_every_problem_is_of_its_status() {
    let document = serde_json::to_value(rossby_api::openapi()).unwrap();
    let operations = document["paths"].as_object().unwrap().iter().flat_map(|(path, methods)| {
        methods.as_object().unwrap().iter().map(move |(method, operation)| (format!("{method} {path}"), operation))
    });
    for (name, operation) in operations {
        let request = &operation["requestBody"]["content"]["application/json"];
        assert!(request.is_null() || request["example"].is_object(), "{name}");
        for (status, response) in operation["responses"].as_object().unwrap() {
            let answer = &response["content"]["application/json"];
            assert!(answer.is_null() || answer["example"].is_object(), "{name} {status}");
            let problem = &response["content"]["application/problem+json"];
            if problem.is_null() {
                continue;
            }
            let examples =
                problem["examples"].as_object().unwrap_or_else(|| panic!("{name} {status} names no problem"));
            for (kind, example) in examples {
                assert_eq!(example["value"]["type"], format!("urn:rossby:problem:{kind}"), "{name} {status}");
                assert_eq!(example["value"]["status"].to_string(), *status, "{name} {kind}");
            }
        }
        let has = |status: &str| operation["responses"].get(status).is_some();
        assert!(!name.contains("/v1/") || has("500"), "{name}");
        assert!(request.is_null() || has("408") && has("413") && has("415"), "{name}");
    }
}

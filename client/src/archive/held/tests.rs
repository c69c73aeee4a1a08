//! What servers say that they hold, and what is refused of it.

use std::collections::VecDeque;
use std::fs;
use std::sync::{Arc, Mutex};

use axum::Json;
use axum::http::StatusCode;
use axum::response::IntoResponse as _;
use axum::routing::get;
use rossby_schemas::http::problem::Problem;
use serde_json::json;

use super::*;
use crate::archive::Archive;
use crate::messages::tests::Receiver;

/// A server that gives these pages in turn, and knows of no export if there are none.
async fn server(pages: Vec<Value>) -> String {
    let pages = Arc::new(Mutex::new(VecDeque::from(pages)));
    let page = move || {
        let answer = match pages.lock().unwrap().pop_front() {
            Some(page) => Json(page).into_response(),
            None => (StatusCode::NOT_FOUND, Json(Problem::new(ProblemType::NoSuchResource))).into_response(),
        };
        std::future::ready(answer)
    };
    let account = async || Json(json!({ "box_id": "ours", "of_a_later_version": 1 }));
    let router = axum::Router::new().route("/v1/account/export", get(page)).route("/v1/account", get(account));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async { axum::serve(listener, router).await });
    url
}

/// A page of messages with these ids, the first one if it says what is held, the last one if nothing follows.
fn page(is_first: bool, ids: &[u8], has_next: bool) -> Value {
    let message = |id: &u8| {
        let outer_id = OuterId::from_bytes([*id; 16]);
        json!({ "outer_id": outer_id, "content_hash": Sha256Digest::from([7; 32]), "of_a_later_version": id })
    };
    let messages: Vec<Value> = ids.iter().map(message).collect();
    let mut page = json!({ "format": "rossby-account-export", "version": 1, "messages": messages });
    if is_first {
        page["held"] = json!({ "account": { "box_id": "ours" }, "registrations": [], "uploads": [{ "octets": 5 }] });
    }
    if has_next {
        page["next"] = json!("AAAA");
    }
    page
}

/// What an archive gets of a server's pages: how many messages, and its records.
async fn exported(pages: Vec<Value>) -> Result<(u64, Vec<ArchiveRecord>), ClientError> {
    let ann = Receiver::at_server(&server(pages).await).await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("archive");
    let mut writer = Writer::create(&path, None).await.unwrap();
    let messages = ann.client.export_held(&mut writer, &ann.client.device().await.unwrap()).await?;
    writer.finish().unwrap();
    let written = fs::read_to_string(&path).unwrap();
    let records = written.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    // An archive begins with its account; that line apart, what was written is read.
    assert!(Archive::open(&path, None).await.unwrap().check(None).is_err());
    Ok((messages, records))
}

#[tokio::test]
async fn pages_are_asked_for_to_the_last_and_kept_with_all_their_fields() {
    let pages = vec![page(true, &[1, 2], true), page(false, &[3], true), page(false, &[4], false)];
    let (messages, records) = exported(pages).await.unwrap();
    assert_eq!((messages, records.len()), (4, 6));
    let ArchiveRecord::Server(answer) = &records[0] else { panic!("{:?}", records[0]) };
    assert_eq!(answer.uploads, Some(json!([{ "octets": 5 }])));
    for (number, record) in (1..=4).zip(&records[1..]) {
        let ArchiveRecord::Queued(queued) = record else { panic!("{record:?}") };
        assert_eq!(queued.message["of_a_later_version"], number);
    }
    assert_eq!(exported(vec![page(true, &[], false)]).await.unwrap().0, 0);
}

#[tokio::test]
async fn a_server_that_knows_of_no_export_says_what_it_can() {
    let (messages, records) = exported(Vec::new()).await.unwrap();
    assert_eq!((messages, records.len()), (0, 2));
    let ArchiveRecord::Server(answer) = &records[0] else { panic!("{:?}", records[0]) };
    assert_eq!((&answer.account["of_a_later_version"], &answer.registrations), (&json!(1), &None));
}

#[tokio::test]
async fn pages_that_lead_nowhere_are_refused() {
    let later = json!({ "format": "rossby-account-export", "version": 2, "messages": [] });
    for pages in [
        vec![page(false, &[], false)],
        vec![later],
        vec![page(true, &[2, 1], false)],
        vec![page(true, &[1, 1], false)],
        vec![page(true, &[1], true), page(false, &[1], true)],
        vec![page(true, &[1], true), page(true, &[2], false)],
        vec![page(true, &[], true)],
        vec![page(true, &[1], true), page(false, &[], true)],
    ] {
        let shown = json!(pages);
        let error = exported(pages).await.unwrap_err();
        assert!(matches!(error, ClientError::BadAnswer(_)), "{shown}: {error}");
    }
}
